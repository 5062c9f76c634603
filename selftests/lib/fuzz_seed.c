// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/fuzz_seed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/recorder_state.h"
#include "wire/protocol.h"

#define MIB (UINT64_C(1) << 20)
#define STEP_BYTES_MAX (64 + SCRIPT_FDS_MAX + VHB_PAYLOAD_MAX_BYTES)
/* Descriptors of one kind that are told apart */
#define SEEN_MAX 64

/** struct seen - which descriptors of a kind there were, to find them again */
struct seen {
	uint64_t ids[SEEN_MAX];
	unsigned int count;
};

/** struct text - kept in memory until the end: tests count descriptors */
struct text {
	FILE *file;
	char *bytes;
	size_t size_bytes;
};

/**
 * struct seed - the one that is being written
 * @script: the script; without a file there is none
 * @calls: what was called
 * @seeds: how many there were before
 * @eventfds: as they came
 * @memory: likewise
 * @streams: likewise
 */
static struct {
	struct text script;
	struct text calls;
	unsigned int seeds;
	struct seen eventfds;
	struct seen memory;
	struct seen streams;
} seed;

static void open_text(struct text *text)
{
	text->file = open_memstream(&text->bytes, &text->size_bytes);
	if (!text->file)
		abort();
}

static void save_text(struct text *text, const char *suffix)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s-%u%s", getenv("VHB_SEED_DIR"),
		 program_invocation_short_name, seed.seeds, suffix);
	fclose(text->file);
	file = fopen(path, "we");
	if (!file || fwrite(text->bytes, 1, text->size_bytes, file) !=
			     text->size_bytes)
		abort();
	fclose(file);
	free(text->bytes);
	text->file = NULL;
}

void fuzz_seed_connect(const struct script_device *device)
{
	uint8_t bytes[SCRIPT_DEVICE_BYTES];

	if (seed.script.file)
		return fuzz_seed_event(SCRIPT_CONNECT, 0, 0);
	if (!getenv("VHB_SEED_DIR"))
		return;
	open_text(&seed.script);
	open_text(&seed.calls);
	memset(&seed.eventfds, 0, sizeof(seed.eventfds));
	memset(&seed.memory, 0, sizeof(seed.memory));
	memset(&seed.streams, 0, sizeof(seed.streams));
	script_write_device(device, bytes);
	fwrite(bytes, sizeof(bytes), 1, seed.script.file);
}

void fuzz_seed_end(void)
{
	if (!seed.script.file)
		return;
	save_text(&seed.script, "");
	save_text(&seed.calls, ".calls");
	seed.seeds++;
}

static unsigned int index_of(struct seen *seen, uint64_t id)
{
	unsigned int i;

	for (i = 0; i < seen->count; i++)
		if (seen->ids[i] == id)
			return i;
	if (seen->count < SEEN_MAX)
		seen->ids[seen->count++] = id;
	return i;
}

static enum script_fd memory_kind(int fd, const struct stat *st)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	const uint64_t size_bytes = st->st_size;
	const unsigned int which = index_of(&seed.memory, st->st_ino) % 2;
	char link[32], target[64] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, target, sizeof(target) - 1) > 0 &&
	    strstr(target, "vhost-bridge-inflight"))
		return SCRIPT_RECEIVED;
	if (seals >= 0 && seals & F_SEAL_SHRINK)
		return SCRIPT_SEALED_0 + (size_bytes > 4096);
	if (!size_bytes)
		return SCRIPT_MEMORY_EMPTY;
	if (size_bytes <= 4096)
		return SCRIPT_MEMORY_PAGE;
	if (size_bytes <= 2 * MIB)
		return SCRIPT_MEMORY_2M_0 + which;
	if (size_bytes <= 4 * MIB)
		return SCRIPT_MEMORY_4M_0 + which;
	return SCRIPT_MEMORY_1G;
}

static enum script_fd socket_kind(int fd, const struct stat *st)
{
	socklen_t size_bytes = sizeof(int);
	int family = 0, type = 0;

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size_bytes);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size_bytes);
	if (family != AF_UNIX)
		return SCRIPT_INET;
	if (type == SOCK_DGRAM)
		return SCRIPT_DATAGRAM;
	if (type == SOCK_SEQPACKET)
		return SCRIPT_SEQUENCED;
	return SCRIPT_STREAM_0 + index_of(&seed.streams, st->st_ino) %
				 (SCRIPT_DATAGRAM - SCRIPT_STREAM_0);
}

static enum script_fd kind_of(int fd)
{
	unsigned int eventfd_id = recorder_eventfd_id(fd);
	struct stat st;

	if (eventfd_id)
		return SCRIPT_EVENTFD_0 +
		       index_of(&seed.eventfds, eventfd_id) %
		       (SCRIPT_MEMORY_4M_0 - SCRIPT_EVENTFD_0);
	if (fstat(fd, &st))
		return SCRIPT_PATH;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return memory_kind(fd, &st);
	case S_IFSOCK:
		return socket_kind(fd, &st);
	case S_IFIFO:
		return SCRIPT_PIPE_OUT;
	case S_IFDIR:
		return SCRIPT_DIRECTORY;
	case S_IFCHR:
		return SCRIPT_DEV_NULL;
	default:
		return SCRIPT_EPOLL;
	}
}

static void write_step(const struct script_step *step)
{
	static uint8_t bytes[STEP_BYTES_MAX];

	fwrite(bytes, script_write_step(step, bytes, sizeof(bytes)), 1,
	       seed.script.file);
}

void fuzz_seed_send(const void *bytes, size_t size_bytes, const int *fds,
		    unsigned int fd_count)
{
	struct script_step step = { .kind = SCRIPT_RAW };
	struct vhb_wire_header header;

	if (!seed.script.file || size_bytes > UINT16_MAX)
		return;
	step.fd_count = fd_count < SCRIPT_FDS_MAX ? fd_count : SCRIPT_FDS_MAX;
	for (unsigned int i = 0; i < step.fd_count; i++)
		step.fds[i] = kind_of(fds[i]);
	step.bytes = bytes;
	step.size_bytes = size_bytes;
	if (size_bytes >= sizeof(header)) {
		memcpy(&header, bytes, sizeof(header));
		if (header.request <= UINT8_MAX && header.flags <= UINT8_MAX &&
		    header.size_bytes == size_bytes - sizeof(header)) {
			step.kind = SCRIPT_MESSAGE;
			step.request = header.request;
			step.flags = header.flags;
			step.bytes += sizeof(header);
			step.size_bytes -= sizeof(header);
		}
	}
	write_step(&step);
}

void fuzz_seed_event(enum script_event event, unsigned int index,
		     uint32_t value)
{
	const struct script_step step = {
		.kind = SCRIPT_EVENT,
		.event = event,
		.index = index,
		.value = value,
	};

	if (seed.script.file)
		write_step(&step);
}

void fuzz_seed_calls(const char *lines)
{
	if (seed.script.file)
		fputs(lines, seed.calls.file);
}
