// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest with an IOMMU: how the front-end is asked, and if it does not listen. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/inband_channel.h"
#include "lib/iommu_fixture.h"
#include "lib/log_capture.h"
#include "session/iotlb.h"

#define MISSES 5000
#define CALLS 500
#define MISSES_PER_CALL 8
#define INBAND (UINT64_C(1) << VHB_PROTOCOL_F_INBAND_NOTIFICATIONS)

static uint64_t iova_of(unsigned int i)
{
	return UINT64_C(0x10000000) + i * UINT64_C(0x1000);
}

/* One that takes no more */
static int full_channel(struct session_fixture *fixture)
{
	char bytes[4096] = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	while (send(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	while (send(fds[1], bytes, 1, MSG_DONTWAIT) > 0)
		;
	assert_int_equal(frontend_tell(&fixture->frontend,
				       VHB_SET_BACKEND_REQ_FD, NULL, 0, &fds[1],
				       1), 0);
	close(fds[1]);
	return fds[0];
}

/* What filled it; the messages that follow begin with a byte that is not zero. */
static void empty_channel(int channel)
{
	char bytes[4096];
	ssize_t got, i;

	for (;;) {
		got = recv(channel, bytes, sizeof(bytes), MSG_PEEK);
		assert_true(got > 0);
		for (i = 0; i < got && !bytes[i]; i++)
			;
		if (i)
			assert_int_equal(recv(channel, bytes, i, 0), i);
		if (i < got)
			return;
	}
}

static void expect_closed(int channel)
{
	char byte;
	ssize_t got = recv(channel, &byte, 1, 0);

	if (got)
		fail_msg("%zd, byte %#x", got, byte);
}

static void test_misses_are_asked_in_order(void **state)
{
	struct session_fixture *fixture = *state;
	const int channel = iommu_fixture_run(fixture, 1);

	for (unsigned int i = 0; i < 100; i++)
		recorder_miss(fixture->recorder, iova_of(i), 1 + i % 2);
	for (unsigned int i = 0; i < 100; i++)
		iommu_expect_miss(channel, iova_of(i), 1 + i % 2);
	iommu_expect_no_miss(channel);
	fixture_expect_calls(fixture, "");
	close(channel);
}

static void test_a_channel_that_is_not_read_keeps_no_more_than_so_many(void **state)
{
	struct session_fixture *fixture = *state;
	const int old = iommu_fixture_run(fixture, 2);
	const int channel = full_channel(fixture);

	for (unsigned int i = 0; i < MISSES; i++)
		recorder_miss(fixture->recorder, iova_of(i), VHOST_ACCESS_RO);
	/* What was missed last is asked, and what is lost is missed again. */
	iommu_expect_no_kick(fixture, 0);
	fixture_expect_alive(fixture);
	empty_channel(channel);
	for (unsigned int i = MISSES - VHB_MISS_COUNT_MAX; i < MISSES; i++)
		iommu_expect_miss(channel, iova_of(i), VHOST_ACCESS_RO);
	iommu_expect_no_miss(channel);
	iommu_expect_kick(fixture, 0);
	iommu_expect_kick(fixture, 1);
	expect_closed(old);
	fixture_expect_calls(fixture, "");
	close(old);
	close(channel);
}

static void test_the_same_miss_waits_once(void **state)
{
	struct session_fixture *fixture = *state;
	const int old = iommu_fixture_run(fixture, 1);
	const int channel = full_channel(fixture);

	for (unsigned int i = 0; i < MISSES; i++)
		recorder_miss(fixture->recorder, iova_of(i % 3),
			      VHOST_ACCESS_RO);
	recorder_miss(fixture->recorder, iova_of(0), VHOST_ACCESS_WO);
	/* The recorder has told them all when it has told this one. */
	recorder_miss(fixture->recorder, iova_of(9), VHOST_ACCESS_RO);
	iommu_expect_no_kick(fixture, 0);
	empty_channel(channel);
	for (unsigned int i = 0; i < 3; i++)
		iommu_expect_miss(channel, iova_of(i), VHOST_ACCESS_RO);
	iommu_expect_miss(channel, iova_of(0), VHOST_ACCESS_WO);
	iommu_expect_miss(channel, iova_of(9), VHOST_ACCESS_RO);
	iommu_expect_no_miss(channel);
	iommu_expect_no_kick(fixture, 0);
	close(old);
	close(channel);
}

static void test_a_front_end_may_leave_with_a_full_channel(void **state)
{
	struct session_fixture *fixture = *state;
	const int old = iommu_fixture_run(fixture, 1);
	const int channel = full_channel(fixture);

	recorder_miss(fixture->recorder, iova_of(0), VHOST_ACCESS_RO);
	fixture_expect_alive(fixture);
	fixture_disconnect(fixture);
	close(old);
	close(channel);
	/* And the next has none of it. */
	close(iommu_fixture_run(fixture, 1));
}

static void test_a_new_channel_takes_over_what_waits(void **state)
{
	struct session_fixture *fixture = *state;
	const int old = iommu_fixture_run(fixture, 1);
	const int full = full_channel(fixture);
	int channel;

	recorder_miss(fixture->recorder, iova_of(0), VHOST_ACCESS_RO);
	recorder_miss(fixture->recorder, iova_of(1), VHOST_ACCESS_RO);
	expect_closed(old);
	iommu_expect_no_kick(fixture, 0);
	channel = iommu_give_channel(fixture);
	iommu_expect_miss(channel, iova_of(0), VHOST_ACCESS_RO);
	iommu_expect_miss(channel, iova_of(1), VHOST_ACCESS_RO);
	close(old);
	close(full);
	close(channel);
}

static void test_without_a_channel_it_says_so_once_and_waits(void **state)
{
	struct session_fixture *fixture = *state;
	struct log_capture log;
	int channel;

	assert_int_equal(iommu_fixture_connect(fixture, false), -1);
	log_capture_begin(&log);
	recorder_miss(fixture->recorder, iova_of(0), VHOST_ACCESS_RO);
	recorder_miss(fixture->recorder, iova_of(1), VHOST_ACCESS_WO);
	iommu_expect_no_kick(fixture, 0);
	fixture_expect_alive(fixture);
	log_capture_end(&log);
	assert_int_equal(log_capture_count(&log, "back-end channel"), 1);
	assert_int_equal(log_capture_count(&log, "0x10000000"), 1);
	channel = iommu_give_channel(fixture);
	iommu_expect_miss(channel, iova_of(0), VHOST_ACCESS_RO);
	iommu_expect_miss(channel, iova_of(1), VHOST_ACCESS_WO);
	close(channel);
}

/* Nobody reads them: who sends them stops itself, and is asked all the same. */
static void test_replies_that_nobody_asked_for_do_no_harm(void **state)
{
	struct session_fixture *fixture = *state;
	const int channel = iommu_fixture_run(fixture, 1);
	char reply[20] = { 1, 0, 0, 0, 5, 0, 0, 0, 8 };

	while (send(channel, reply, sizeof(reply), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	for (unsigned int i = 0; i < 100; i++) {
		recorder_miss(fixture->recorder, iova_of(i), VHOST_ACCESS_RO);
		iommu_expect_miss(channel, iova_of(i), VHOST_ACCESS_RO);
	}
	fixture_expect_alive(fixture);
	close(channel);
}

/* Receives a call and so many misses, in whatever order they come. */
static void expect_call_and_misses(int channel, unsigned int miss_count,
				   struct inband_message *call)
{
	struct vhb_wire_header header;
	struct vhb_wire_iotlb miss;
	bool was_called = false;

	while (!was_called || miss_count) {
		struct pollfd pollfd = { .fd = channel, .events = POLLIN };

		if (poll(&pollfd, 1, 10000) != 1)
			fail_msg("waited in vain for a %s",
				 was_called ? "miss" : "call");
		assert_int_equal(recv(channel, &header, sizeof(header),
				      MSG_PEEK | MSG_WAITALL), sizeof(header));
		if (header.request == VHB_BACKEND_VRING_CALL) {
			assert_false(was_called);
			was_called = true;
			assert_int_equal(inband_channel_receive(channel, 0, call),
					 0);
			continue;
		}
		assert_true(miss_count);
		miss_count--;
		assert_int_equal(header.request, VHB_BACKEND_IOTLB_MSG);
		assert_int_equal(recv(channel, &header, sizeof(header),
				      MSG_WAITALL), sizeof(header));
		assert_int_equal(recv(channel, &miss, sizeof(miss),
				      MSG_WAITALL), sizeof(miss));
	}
}

/* Both use the channel: the reply to a call must reach who waits for it. */
static void test_misses_take_no_replies_of_calls(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_vring_addr addr = iommu_vring_addr(0);
	struct frontend *frontend = &fixture->frontend;
	struct inband_message call;
	int channel;

	fixture->protocol_features_mask = INBAND;
	fixture_connect(fixture);
	frontend->need_reply = true;
	fixture_negotiate(fixture, IOMMU_FEATURES,
			  FIXTURE_PROTOCOL_FEATURES | INBAND);
	channel = iommu_give_channel(fixture);
	fixture_declare_memory(fixture);
	iommu_update(fixture, IOMMU_USED(0), 0x1000, 0x200000, VHOST_ACCESS_RW);
	assert_int_equal(frontend_set_vring_num(frontend, 0, FIXTURE_VRING_NUM),
			 0);
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), 0);
	assert_int_equal(frontend_set_vring_enable(frontend, 0, true), 0);
	assert_int_equal(inband_kick(frontend, 0), 0);
	iommu_expect_miss(channel, IOMMU_USED(0), VHOST_ACCESS_WO);
	iommu_update(fixture, IOMMU_USED(0), 0x1000, 0x200000, VHOST_ACCESS_RW);
	assert_true(recorder_is_running(fixture->recorder, 0));

	for (unsigned int i = 0; i < CALLS; i++) {
		eventfd_write(recorder_call_fd(fixture->recorder, 0), 1);
		for (unsigned int j = 0; j < MISSES_PER_CALL; j++) {
			/* Amidst of them, when the channel is being used */
			if (i && j == MISSES_PER_CALL / 2)
				assert_int_equal(inband_channel_answer(channel,
								       &call, 0),
						 0);
			recorder_miss(fixture->recorder, iova_of(j),
				      VHOST_ACCESS_RO);
		}
		expect_call_and_misses(channel, MISSES_PER_CALL, &call);
	}
	assert_int_equal(inband_channel_answer(channel, &call, 0), 0);
	fixture_expect_alive(fixture);
	close(channel);
}

static void test_a_channel_that_closes_harms_nobody(void **state)
{
	struct session_fixture *fixture = *state;
	int channel = iommu_fixture_run(fixture, 1);

	close(channel);
	for (unsigned int i = 0; i < 1000; i++)
		recorder_miss(fixture->recorder, iova_of(i), VHOST_ACCESS_RO);
	iommu_expect_no_kick(fixture, 0);
	fixture_expect_alive(fixture);
	channel = iommu_give_channel(fixture);
	iommu_expect_no_miss(channel);
	recorder_miss(fixture->recorder, iova_of(7), VHOST_ACCESS_RO);
	iommu_expect_miss(channel, iova_of(7), VHOST_ACCESS_RO);
	assert_true(recorder_is_running(fixture->recorder, 0));
	close(channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		iommu_fixture_test(test_misses_are_asked_in_order),
		iommu_fixture_test(test_a_channel_that_is_not_read_keeps_no_more_than_so_many),
		iommu_fixture_test(test_the_same_miss_waits_once),
		iommu_fixture_test(test_a_front_end_may_leave_with_a_full_channel),
		iommu_fixture_test(test_a_new_channel_takes_over_what_waits),
		iommu_fixture_test(test_without_a_channel_it_says_so_once_and_waits),
		iommu_fixture_test(test_replies_that_nobody_asked_for_do_no_harm),
		iommu_fixture_test(test_misses_take_no_replies_of_calls),
		iommu_fixture_test(test_a_channel_that_closes_harms_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
