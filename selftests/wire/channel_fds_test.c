// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/channel_pair.h"

static void pipelined_messages_keep_their_own_descriptors(void **state)
{
	struct pair *pair = *state;
	struct bytes first = make_message(5, 1, 72);
	struct bytes second = make_message(12, 1, 8);
	struct bytes third = make_message(3, 1, 0);

	send_with_fds(pair, first.data, first.size, 2);
	send_with_fds(pair, second.data, second.size, 1);
	send_with_fds(pair, third.data, third.size, 0);

	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &first, 2);
	vhb_channel_done(&pair->channel);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &second, 1);
	vhb_channel_done(&pair->channel);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &third, 0);
	vhb_channel_done(&pair->channel);
	assert_int_equal(vhb_channel_receive(&pair->channel), 0);
}

static void descriptors_may_come_with_any_byte(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(12, 1, 8);
	size_t at;

	for (at = 0; at < bytes.size; at++) {
		if (at)
			send_with_fds(pair, bytes.data, at, 0);
		send_with_fds(pair, bytes.data + at, bytes.size - at, 1);
		assert_int_equal(vhb_channel_receive(&pair->channel), 1);
		assert_received(pair, &bytes, 1);
		vhb_channel_done(&pair->channel);
	}
}

static void descriptors_of_several_bytes_add_up_in_order(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(5, 1, 104);
	struct vhb_message *message = &pair->channel.message;
	int fds[6];
	unsigned int i;
	uint64_t value;

	open_fds(fds, 6);
	for (i = 0; i < 6; i++)
		assert_int_equal(frontend_send_bytes(&pair->peer,
						     bytes.data + i,
						     i < 5 ? 1 : bytes.size - 5,
						     &fds[i], 1), 0);
	close_fds(fds, 6);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &bytes, 6);
	/* An eventfd that counts 0 cannot be read; the others tell their place */
	for (i = 1; i < 6; i++) {
		assert_int_equal(read(message->fds[i], &value, sizeof(value)),
				 sizeof(value));
		assert_int_equal(value, i);
	}
}

static void received_descriptors_are_close_on_exec(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(12, 1, 8);

	send_with_fds(pair, bytes.data, bytes.size, 1);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_true(fcntl(pair->channel.message.fds[0], F_GETFD) & FD_CLOEXEC);
}

static void done_closes_what_nobody_took_over(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(5, 1, 104);
	struct vhb_message *message = &pair->channel.message;
	int taken, left;

	send_with_fds(pair, bytes.data, bytes.size, 3);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	taken = message->fds[1];
	left = message->fds[2];
	message->fds[1] = -1;
	vhb_channel_done(&pair->channel);
	assert_int_equal(message->fd_count, 0);
	assert_int_equal(fcntl(left, F_GETFD), -1);
	assert_int_not_equal(fcntl(taken, F_GETFD), -1);
	close(taken);
}

static void close_closes_the_descriptors_of_half_a_message(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(5, 1, 104);

	send_with_fds(pair, bytes.data, 20, 3);
	assert_int_equal(vhb_channel_receive(&pair->channel), 0);
	assert_int_equal(pair->channel.message.fd_count, 3);
	/* close_pair() counts */
}

static void thirty_two_descriptors_are_taken(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(5, 1, 1032);

	send_with_fds(pair, bytes.data, bytes.size, 32);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &bytes, 32);
}

static void one_descriptor_too_many_is_refused(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(5, 1, 1032);

	send_with_fds(pair, bytes.data, bytes.size, 33);
	assert_refused(pair, "32");
}

static void far_too_many_descriptors_are_refused(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(5, 1, 1032);

	send_with_fds(pair, bytes.data, bytes.size, 128);
	assert_refused(pair, "32");
}

static void too_many_descriptors_spread_over_bytes_are_refused(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(5, 1, 1032);

	send_with_fds(pair, bytes.data, 1, 20);
	send_with_fds(pair, bytes.data + 1, bytes.size - 1, 20);
	assert_refused(pair, "more than 32 descriptors");
}

static void descriptors_lost_for_want_of_numbers_are_refused(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(5, 1, 72);
	struct rlimit old, few;
	int ret;

	send_with_fds(pair, bytes.data, bytes.size, 2);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	ret = vhb_channel_receive(&pair->channel);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(ret, -EPROTO);
	assert_non_null(strstr(pair->channel.why.clause, "descriptors lost"));
}

static void control_data_without_descriptors_is_nothing(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(3, 1, 0);
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(0)];
	} control = {
		.header = {
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(0),
		},
	};
	struct iovec iov = { bytes.data, bytes.size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	assert_int_equal(sendmsg(pair->peer.fd, &msg, 0), bytes.size);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &bytes, 0);
}

int main(void)
{
	static const struct CMUnitTest channel_fds[] = {
		PAIR_TEST(pipelined_messages_keep_their_own_descriptors),
		PAIR_TEST(descriptors_may_come_with_any_byte),
		PAIR_TEST(descriptors_of_several_bytes_add_up_in_order),
		PAIR_TEST(received_descriptors_are_close_on_exec),
		PAIR_TEST(done_closes_what_nobody_took_over),
		PAIR_TEST(close_closes_the_descriptors_of_half_a_message),
		PAIR_TEST(thirty_two_descriptors_are_taken),
		PAIR_TEST(one_descriptor_too_many_is_refused),
		PAIR_TEST(far_too_many_descriptors_are_refused),
		PAIR_TEST(too_many_descriptors_spread_over_bytes_are_refused),
		PAIR_TEST(descriptors_lost_for_want_of_numbers_are_refused),
		PAIR_TEST(control_data_without_descriptors_is_nothing),
	};

	return cmocka_run_group_tests(channel_fds, NULL, NULL);
}
