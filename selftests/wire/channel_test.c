// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include "lib/bits.h"
#include "lib/channel_pair.h"

static void socket_becomes_nonblocking_and_close_on_exec(void **state)
{
	struct pair *pair = *state;

	assert_true(fcntl(pair->channel.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(pair->channel.fd, F_GETFD) & FD_CLOEXEC);
}

static void init_fails_for_what_is_not_open(void **state)
{
	struct vhb_channel channel;

	(void)state;
	assert_int_equal(vhb_channel_init(&channel, -1), -EBADF);
	vhb_channel_close(&channel);
}

static void channel_may_be_closed_twice(void **state)
{
	struct pair *pair = *state;

	struct bytes bytes = make_message(5, 1, 72);
	int fds[3];

	send_with_fds(pair, bytes.data, bytes.size, 2);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	vhb_channel_close(&pair->channel);
	assert_int_equal(pair->channel.fd, -1);

	/* These take over the numbers that were closed */
	open_fds(fds, 3);
	vhb_channel_close(&pair->channel);
	assert_int_not_equal(fcntl(fds[0], F_GETFD), -1);
	assert_int_not_equal(fcntl(fds[1], F_GETFD), -1);
	assert_int_not_equal(fcntl(fds[2], F_GETFD), -1);
	close_fds(fds, 3);
}

static void nothing_sent_means_more_has_to_come(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(vhb_channel_receive(&pair->channel), 0);
	assert_int_equal(vhb_channel_receive(&pair->channel), 0);
}

static void whole_messages_of_every_size_arrive(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 8, 40, 1032, 4095, 4096 };
	struct pair *pair = *state;
	struct bytes bytes;
	size_t i;

	for (i = 0; i < VHB_ARRAY_COUNT(sizes); i++) {
		bytes = make_message(5, 1, sizes[i]);
		send_bytes(pair, &bytes);
		assert_int_equal(vhb_channel_receive(&pair->channel), 1);
		assert_received(pair, &bytes, 0);
		vhb_channel_done(&pair->channel);
	}
}

static void shorter_message_shows_nothing_of_the_longer_before(void **state)
{
	struct pair *pair = *state;
	struct bytes longer = make_message(5, 1, 1032);
	struct bytes shorter = make_message(2, 1, 3);

	send_bytes(pair, &longer);
	send_bytes(pair, &shorter);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	vhb_channel_done(&pair->channel);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &shorter, 0);
}

static void message_may_arrive_byte_by_byte(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(9, 1 | 8, 40);
	size_t i;

	for (i = 0; i < bytes.size; i++) {
		assert_int_equal(vhb_channel_receive(&pair->channel), 0);
		send_with_fds(pair, bytes.data + i, 1, 0);
	}
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &bytes, 0);
}

static void single_bytes_that_pile_up_make_one_message(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(12, 1, 8);
	size_t i;

	for (i = 0; i < bytes.size; i++)
		send_with_fds(pair, bytes.data + i, 1, i == 3);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &bytes, 1);
}

static void complete_message_stays_until_done(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(2, 1, 8);

	send_bytes(pair, &bytes);
	send_bytes(pair, &bytes);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &bytes, 0);
}

static void two_messages_in_one_write_are_told_apart(void **state)
{
	struct pair *pair = *state;
	struct bytes first = make_message(2, 1, 8);
	struct bytes second = make_message(8, 1, 8);
	uint8_t both[2 * (HEADER_BYTES + 8)];

	memcpy(both, first.data, first.size);
	memcpy(both + first.size, second.data, second.size);
	send_with_fds(pair, both, sizeof(both), 0);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &first, 0);
	vhb_channel_done(&pair->channel);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &second, 0);
}

static void close_between_messages_is_a_normal_end(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(3, 1, 0);

	send_bytes(pair, &bytes);
	frontend_close(&pair->peer);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &bytes, 0);
	vhb_channel_done(&pair->channel);
	assert_int_equal(vhb_channel_receive(&pair->channel), -ECONNRESET);
}

static void close_before_the_first_message_is_a_normal_end(void **state)
{
	struct pair *pair = *state;

	frontend_close(&pair->peer);
	assert_int_equal(vhb_channel_receive(&pair->channel), -ECONNRESET);
	assert_int_equal(vhb_channel_receive(&pair->channel), -ECONNRESET);
}

static void close_with_a_reply_unread_is_a_normal_end(void **state)
{
	struct pair *pair = *state;
	uint64_t value = 1;

	assert_int_equal(vhb_channel_reply(&pair->channel, &value, 8), 0);
	frontend_close(&pair->peer);
	assert_int_equal(vhb_channel_receive(&pair->channel), -ECONNRESET);
}

static void close_within_a_message_is_refused_at_any_byte(void **state)
{
	struct bytes bytes = make_message(2, 1, 8);
	struct pair *pair;
	size_t at;

	for (at = 1; at < bytes.size; at++) {
		assert_int_equal(connect_pair((void **)&pair), 0);
		send_with_fds(pair, bytes.data, at, 1);
		frontend_close(&pair->peer);
		assert_refused(pair, "connection closed");
		assert_int_equal(close_pair((void **)&pair), 0);
	}
	(void)state;
}

static void close_within_a_message_with_a_reply_unread_says_so(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(2, 1, 8);
	uint64_t value = 1;

	assert_int_equal(vhb_channel_reply(&pair->channel, &value, 8), 0);
	send_with_fds(pair, bytes.data, 14, 0);
	frontend_close(&pair->peer);
	assert_refused(pair, "14 bytes into a message");
}

static void refuse_flags(void **state, uint32_t flags, const char *why)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(2, flags, 8);

	/* The header alone is enough to judge */
	send_with_fds(pair, bytes.data, HEADER_BYTES - 1, 0);
	assert_int_equal(vhb_channel_receive(&pair->channel), 0);
	send_with_fds(pair, bytes.data + HEADER_BYTES - 1, 1, 0);
	assert_refused(pair, why);
}

static void version_0_is_refused(void **state)
{
	refuse_flags(state, 0, "version 0");
}

static void version_2_is_refused(void **state)
{
	refuse_flags(state, 2, "version 2");
}

static void version_3_is_refused(void **state)
{
	refuse_flags(state, 3, "version 3");
}

static void reply_nobody_asked_for_is_refused(void **state)
{
	refuse_flags(state, 1 | 4, "reply");
}

static void need_reply_and_unknown_flags_pass(void **state)
{
	struct pair *pair = *state;
	struct bytes bytes = make_message(2, 1 | 8 | 0xfffffff0, 8);

	send_bytes(pair, &bytes);
	assert_int_equal(vhb_channel_receive(&pair->channel), 1);
	assert_received(pair, &bytes, 0);
}

static void payload_of_4097_bytes_is_refused(void **state)
{
	struct pair *pair = *state;
	struct vhb_wire_header header = { 5, 1, 4097 };

	send_with_fds(pair, &header, sizeof(header), 0);
	assert_refused(pair, "4097 bytes");
}

static void payload_of_4_gib_is_refused(void **state)
{
	struct pair *pair = *state;
	struct vhb_wire_header header = { 5, 1, UINT32_MAX };

	send_with_fds(pair, &header, sizeof(header), 0);
	assert_refused(pair, "4294967295 bytes");
}

static void longest_clause_is_not_cut_short(void **state)
{
	struct pair *pair = *state;
	struct vhb_wire_header header = { UINT32_MAX, 1, UINT32_MAX };

	send_with_fds(pair, &header, sizeof(header), 0);
	assert_refused(pair, "4096 are the most");
}

int main(void)
{
	static const struct CMUnitTest channel[] = {
		PAIR_TEST(socket_becomes_nonblocking_and_close_on_exec),
		cmocka_unit_test(init_fails_for_what_is_not_open),
		PAIR_TEST(channel_may_be_closed_twice),
		PAIR_TEST(nothing_sent_means_more_has_to_come),
		PAIR_TEST(whole_messages_of_every_size_arrive),
		PAIR_TEST(shorter_message_shows_nothing_of_the_longer_before),
		PAIR_TEST(message_may_arrive_byte_by_byte),
		PAIR_TEST(single_bytes_that_pile_up_make_one_message),
		PAIR_TEST(complete_message_stays_until_done),
		PAIR_TEST(two_messages_in_one_write_are_told_apart),
		PAIR_TEST(close_between_messages_is_a_normal_end),
		PAIR_TEST(close_before_the_first_message_is_a_normal_end),
		PAIR_TEST(close_with_a_reply_unread_is_a_normal_end),
		cmocka_unit_test(close_within_a_message_is_refused_at_any_byte),
		PAIR_TEST(close_within_a_message_with_a_reply_unread_says_so),
		PAIR_TEST(version_0_is_refused),
		PAIR_TEST(version_2_is_refused),
		PAIR_TEST(version_3_is_refused),
		PAIR_TEST(reply_nobody_asked_for_is_refused),
		PAIR_TEST(need_reply_and_unknown_flags_pass),
		PAIR_TEST(payload_of_4097_bytes_is_refused),
		PAIR_TEST(payload_of_4_gib_is_refused),
		PAIR_TEST(longest_clause_is_not_cut_short),
	};

	return cmocka_run_group_tests(channel, NULL, NULL);
}
