// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/channel_pair.h"

static size_t send_at_most_bytes;
static unsigned int send_interrupts;

/*
 * Stands in for the C library's: the kernel never splits so short a message and
 * a signal rarely hits.
 */
ssize_t send(int fd, const void *bytes, size_t size_bytes, int flags)
{
	if (send_interrupts) {
		send_interrupts--;
		errno = EINTR;
		return -1;
	}
	if (send_at_most_bytes && size_bytes > send_at_most_bytes)
		size_bytes = send_at_most_bytes;
	return sendto(fd, bytes, size_bytes, flags, NULL, 0);
}

static void receive_request(struct pair *pair, uint32_t request)
{
	struct bytes bytes = make_message(request, 1 | 8, 0);

	send_bytes(pair, &bytes);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
}

static void replies_of_every_size_reach_the_front_end(void **state)
{
	struct pair *pair = *state;
	struct frontend_reply reply;
	uint8_t payload[268];
	size_t size;

	for (size = 0; size <= sizeof(payload); size++) {
		receive_request(pair, 24);
		memset(payload, size, sizeof(payload));
		assert_int_equal(vhb_channel_reply(&pair->channel, payload,
						   size), 0);
		vhb_channel_done(&pair->channel);
		assert_int_equal(frontend_receive(&pair->peer, &reply), 0);
		assert_int_equal(reply.header.request, 24);
		assert_int_equal(reply.header.flags, 0x5);
		assert_int_equal(reply.header.size_bytes, size);
		assert_memory_equal(&reply.payload, payload, size);
	}
	assert_int_equal(frontend_expect_silence(&pair->peer, 0), 0);
}

static void reply_that_is_too_long_is_not_sent(void **state)
{
	struct pair *pair = *state;
	uint8_t payload[sizeof(struct vhb_wire_memory) + 1] = { 0 };

	receive_request(pair, 24);
	assert_true(vhb_channel_reply(&pair->channel, payload,
				      sizeof(payload)) < 0);
	assert_int_equal(frontend_expect_silence(&pair->peer, 0), 0);
}

static void flush_without_a_reply_does_nothing(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(vhb_channel_flush(&pair->channel), 0);
	assert_int_equal(frontend_expect_silence(&pair->peer, 0), 0);
}

/* Fills the socket with replies; returns how many were begun. */
static unsigned int fill_with_replies(struct pair *pair)
{
	struct vhb_wire_config config = { 0 };
	unsigned int count = 0;
	int ret;

	receive_request(pair, 24);
	do {
		config.offset_bytes = count++;
		ret = vhb_channel_reply(&pair->channel, &config,
					sizeof(config));
	} while (!ret);
	assert_int_equal(ret, -EAGAIN);
	return count;
}

static void full_socket_holds_the_reply_back_and_loses_nothing(void **state)
{
	struct pair *pair = *state;
	struct vhb_wire_config config;
	unsigned int count = fill_with_replies(pair);
	unsigned int i;

	assert_int_equal(vhb_channel_flush(&pair->channel), -EAGAIN);
	for (i = 0; i < count; i++) {
		if (i == count - 1)
			assert_int_equal(vhb_channel_flush(&pair->channel), 0);
		assert_int_equal(frontend_receive_reply(&pair->peer, 24,
							&config,
							sizeof(config)), 0);
		assert_int_equal(config.offset_bytes, i);
	}
	assert_int_equal(frontend_expect_silence(&pair->peer, 0), 0);
}

static void second_reply_must_wait_for_the_first(void **state)
{
	struct pair *pair = *state;
	uint64_t value = 0;

	fill_with_replies(pair);
	assert_int_equal(vhb_channel_reply(&pair->channel, &value, 8), -EBUSY);
}

static void reply_that_leaves_in_pieces_is_whole(void **state)
{
	struct pair *pair = *state;
	struct vhb_wire_config config = { .offset_bytes = 77 };
	struct vhb_wire_config received;

	memset(config.data, 0xa5, sizeof(config.data));
	receive_request(pair, 24);
	send_at_most_bytes = 7;
	assert_int_equal(vhb_channel_reply(&pair->channel, &config,
					   sizeof(config)), 0);
	send_at_most_bytes = 0;
	assert_int_equal(frontend_receive_reply(&pair->peer, 24, &received,
						sizeof(received)), 0);
	assert_memory_equal(&received, &config, sizeof(config));
}

static void interrupted_reply_goes_on(void **state)
{
	struct pair *pair = *state;
	uint64_t value = 5;

	receive_request(pair, 1);
	send_interrupts = 3;
	assert_int_equal(vhb_channel_reply(&pair->channel, &value, 8), 0);
	assert_int_equal(send_interrupts, 0);
	assert_int_equal(frontend_receive_reply(&pair->peer, 1, &value, 8), 0);
	assert_int_equal(value, 5);
}

static void reply_to_a_front_end_that_left_is_an_error(void **state)
{
	struct pair *pair = *state;
	uint64_t value = 0;

	/* SIGPIPE would end this program */
	receive_request(pair, 1);
	frontend_close(&pair->peer);
	assert_int_equal(vhb_channel_reply(&pair->channel, &value, 8), -EPIPE);
}

/* The front-end's end of a descriptor that was attached counts so much. */
static void attach_counting(struct pair *pair, unsigned int count)
{
	int fd = eventfd(count, EFD_NONBLOCK | EFD_CLOEXEC);

	assert_true(fd >= 0);
	vhb_channel_attach(&pair->channel, fd);
}

static void expect_fd_counting(struct frontend_reply *reply, eventfd_t count)
{
	eventfd_t value;

	assert_int_equal(reply->fd_count, 1);
	assert_int_equal(eventfd_read(reply->fds[0], &value), 0);
	assert_int_equal(value, count);
	close(reply->fds[0]);
}

static void descriptor_travels_with_one_reply(void **state)
{
	struct pair *pair = *state;
	struct frontend_reply reply;
	uint8_t payload[24] = { 1, 2, 3 };

	receive_request(pair, 31);
	attach_counting(pair, 7);
	assert_int_equal(vhb_channel_reply(&pair->channel, payload,
					   sizeof(payload)), 0);
	/* Ours is closed. */
	assert_int_equal(pair->channel.reply_fd, -1);
	vhb_channel_done(&pair->channel);
	assert_int_equal(frontend_receive(&pair->peer, &reply), 0);
	assert_int_equal(reply.header.request, 31);
	assert_int_equal(reply.header.flags, 0x5);
	assert_int_equal(reply.header.size_bytes, sizeof(payload));
	assert_memory_equal(&reply.payload, payload, sizeof(payload));
	expect_fd_counting(&reply, 7);

	receive_request(pair, 31);
	assert_int_equal(vhb_channel_reply(&pair->channel, payload, 8), 0);
	assert_int_equal(frontend_receive_reply(&pair->peer, 31, payload, 8),
			 0);
}

static void descriptor_travels_with_the_first_piece(void **state)
{
	struct pair *pair = *state;
	struct frontend_reply reply;
	uint64_t value = 5;

	receive_request(pair, 31);
	attach_counting(pair, 8);
	send_at_most_bytes = 7;
	assert_int_equal(vhb_channel_reply(&pair->channel, &value, 8), 0);
	send_at_most_bytes = 0;
	assert_int_equal(frontend_receive(&pair->peer, &reply), 0);
	assert_int_equal(reply.payload.u64, 5);
	expect_fd_counting(&reply, 8);
}

static void descriptor_waits_with_its_reply(void **state)
{
	struct pair *pair = *state;
	struct frontend_reply reply;
	unsigned int count = 0;
	uint64_t value = 6;
	int ret;

	receive_request(pair, 31);
	do {
		attach_counting(pair, 9);
		ret = vhb_channel_reply(&pair->channel, &value, 8);
		count++;
	} while (!ret);
	assert_int_equal(ret, -EAGAIN);
	vhb_channel_done(&pair->channel);
	assert_true(pair->channel.reply_fd >= 0);
	while (count--) {
		assert_int_equal(frontend_receive(&pair->peer, &reply), 0);
		expect_fd_counting(&reply, 9);
		vhb_channel_flush(&pair->channel);
	}
	assert_int_equal(pair->channel.reply_fd, -1);
	assert_int_equal(frontend_expect_silence(&pair->peer, 0), 0);
}

/* close_pair() sees what is left open. */
static void descriptor_without_a_reply_is_closed(void **state)
{
	struct pair *pair = *state;

	receive_request(pair, 31);
	attach_counting(pair, 1);
	vhb_channel_done(&pair->channel);
	assert_int_equal(pair->channel.reply_fd, -1);

	receive_request(pair, 31);
	attach_counting(pair, 1);
	attach_counting(pair, 2);
	frontend_close(&pair->peer);
	vhb_channel_close(&pair->channel);
	assert_int_equal(pair->channel.reply_fd, -1);
}

int main(void)
{
	static const struct CMUnitTest channel_reply[] = {
		PAIR_TEST(replies_of_every_size_reach_the_front_end),
		PAIR_TEST(reply_that_is_too_long_is_not_sent),
		PAIR_TEST(flush_without_a_reply_does_nothing),
		PAIR_TEST(full_socket_holds_the_reply_back_and_loses_nothing),
		PAIR_TEST(second_reply_must_wait_for_the_first),
		PAIR_TEST(reply_that_leaves_in_pieces_is_whole),
		PAIR_TEST(interrupted_reply_goes_on),
		PAIR_TEST(reply_to_a_front_end_that_left_is_an_error),
		PAIR_TEST(descriptor_travels_with_one_reply),
		PAIR_TEST(descriptor_travels_with_the_first_piece),
		PAIR_TEST(descriptor_waits_with_its_reply),
		PAIR_TEST(descriptor_without_a_reply_is_closed),
	};

	return cmocka_run_group_tests(channel_reply, NULL, NULL);
}
