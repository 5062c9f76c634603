// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/channel_pair.h"

#define TIMEOUT_MS 5000

static unsigned int count_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

int connect_pair(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	int fds[2];

	if (!pair)
		return -1;
	pair->fds_before = count_open_fds();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -1;
	frontend_adopt(&pair->peer, fds[0], TIMEOUT_MS);
	*state = pair;
	return vhb_channel_init(&pair->channel, fds[1]);
}

/* No test may leave a descriptor behind. */
int close_pair(void **state)
{
	struct pair *pair = *state;
	unsigned int fds_after;

	frontend_close(&pair->peer);
	vhb_channel_close(&pair->channel);
	fds_after = count_open_fds();
	if (fds_after != pair->fds_before)
		print_error("%u descriptors before, %u after\n",
			    pair->fds_before, fds_after);
	fds_after -= pair->fds_before;
	free(pair);
	return fds_after ? -1 : 0;
}

void open_fds(int *fds, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		fds[i] = eventfd(i, EFD_NONBLOCK);
		assert_true(fds[i] >= 0);
	}
}

void close_fds(const int *fds, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		close(fds[i]);
}

/* Sends bytes with new descriptors, which this process does not keep open. */
void send_with_fds(struct pair *pair, const void *bytes, size_t size,
		   unsigned int fd_count)
{
	int fds[128] = { 0 };

	open_fds(fds, fd_count);
	assert_int_equal(frontend_send_bytes(&pair->peer, bytes, size, fds,
					     fd_count), 0);
	close_fds(fds, fd_count);
}

/* A message whose payload counts up from 1 */
struct bytes make_message(uint32_t request, uint32_t flags,
			  uint32_t size_bytes)
{
	struct vhb_wire_header header = { request, flags, size_bytes };
	struct bytes bytes = { .size = HEADER_BYTES + size_bytes };
	size_t i;

	memcpy(bytes.data, &header, sizeof(header));
	for (i = HEADER_BYTES; i < sizeof(bytes.data) && i < bytes.size; i++)
		bytes.data[i] = i - HEADER_BYTES + 1;
	return bytes;
}

void send_bytes(struct pair *pair, const struct bytes *bytes)
{
	send_with_fds(pair, bytes->data, bytes->size, 0);
}

void assert_received(const struct pair *pair, const struct bytes *bytes,
		     unsigned int fd_count)
{
	const struct vhb_message *message = &pair->channel.message;
	size_t payload_bytes = bytes->size - HEADER_BYTES;
	size_t i;

	assert_memory_equal(&message->header, bytes->data, HEADER_BYTES);
	assert_memory_equal(&message->payload, bytes->data + HEADER_BYTES,
			    payload_bytes);
	for (i = payload_bytes; i < sizeof(message->payload); i++)
		assert_int_equal(message->payload.bytes[i], 0);
	assert_int_equal(message->fd_count, fd_count);
}

void assert_refused(struct pair *pair, const char *why)
{
	assert_int_equal(vhb_channel_receive(&pair->channel), -EPROTO);
	assert_non_null(strstr(pair->channel.why.clause, why));
}
