// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <cmocka.h>

#include "lib/session_fixture.h"

#define CALL_WAIT_MS 5000

/* A front-end with everything set up for vring 0 but what the test is about */
static void prepare(struct session_fixture *fixture)
{
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, FIXTURE_VERSION_1 | FIXTURE_BIT30,
			  FIXTURE_PROTOCOL_FEATURES);
	fixture_declare_memory(fixture);
}

static void enable(struct session_fixture *fixture, unsigned int index,
		   bool on)
{
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, index,
						   on), 0);
}

static void kick(struct session_fixture *fixture, unsigned int index)
{
	assert_int_equal(frontend_set_vring_kick(&fixture->frontend, index,
						 fixture->kick_fds[index]), 0);
}

static unsigned int get_base(struct session_fixture *fixture,
			     unsigned int index)
{
	unsigned int base = UINT32_MAX;

	assert_int_equal(frontend_get_vring_base(&fixture->frontend, index,
						 &base), 0);
	return base;
}

static void expect_called(int fd, unsigned int times)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	eventfd_t count = 0;

	assert_int_equal(poll(&pollfd, 1, CALL_WAIT_MS), 1);
	assert_int_equal(eventfd_read(fd, &count), 0);
	assert_int_equal(count, times);
}

static void a_ring_starts_with_its_kick_descriptor(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	struct frontend *frontend = &fixture->frontend;

	prepare(fixture);
	enable(fixture, 0, true);
	assert_int_equal(frontend_set_vring_num(frontend, 0, 256), 0);
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), 0);
	fixture_expect_calls(fixture, "");
	kick(fixture, 0);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, none));
}

static void a_kick_before_everything_else_starts_the_ring_later(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	struct frontend *frontend = &fixture->frontend;

	prepare(fixture);
	kick(fixture, 0);
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), 0);
	assert_int_equal(frontend_set_vring_base(frontend, 0, 4), 0);
	assert_int_equal(frontend_set_vring_num(frontend, 0, 256), 0);
	fixture_expect_calls(fixture, "");
	enable(fixture, 0, true);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 4, kick0, none));
}

static void get_vring_base_stops_the_ring_and_tells_where(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	recorder_advance(fixture->recorder, 0, 77);
	assert_int_equal(get_base(fixture, 0), 77);
	fixture_expect_calls(fixture, "STOP 0\n");
	assert_true(recorder_is_running(fixture->recorder, 1));
}

static void the_base_of_a_ring_that_never_ran_is_the_one_it_was_given(void **state)
{
	struct session_fixture *fixture = *state;

	prepare(fixture);
	assert_int_equal(frontend_set_vring_base(&fixture->frontend, 1, 500),
			 0);
	assert_int_equal(get_base(fixture, 1), 500);
	assert_int_equal(get_base(fixture, 2), 0);
	fixture_expect_calls(fixture, "");
}

static void the_base_can_be_asked_twice(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	recorder_advance(fixture->recorder, 0, 5);
	assert_int_equal(get_base(fixture, 0), 5);
	assert_int_equal(get_base(fixture, 0), 5);
	fixture_expect_calls(fixture, "STOP 0\n");
}

static void a_stopped_ring_stays_enabled(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	recorder_advance(fixture->recorder, 0, 3);
	get_base(fixture, 0);
	fixture_forget_calls(fixture);
	kick(fixture, 0);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(0, 256, 3, kick0, call0));
}

static void a_stopped_ring_does_not_start_by_being_enabled(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	get_base(fixture, 0);
	enable(fixture, 0, false);
	enable(fixture, 0, true);
	fixture_expect_calls(fixture, "STOP 0\n");
}

static void enabling_a_stopped_ring_counts_when_it_is_started(void **state)
{
	struct session_fixture *fixture = *state;

	prepare(fixture);
	enable(fixture, 0, true);
	enable(fixture, 0, false);
	enable(fixture, 0, true);
	fixture_set_up_vring(fixture, 0);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void a_disabled_ring_is_not_processed_and_goes_on_where_it_was(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	recorder_advance(fixture->recorder, 0, 11);
	enable(fixture, 0, false);
	fixture_expect_calls(fixture, "STOP 0\n");
	enable(fixture, 0, true);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(0, 256, 11, kick0, call0));
}

static void a_ring_is_quiet_when_its_disabling_is_acknowledged(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	enable(fixture, 0, false);
	assert_int_equal(recorder_running(fixture->recorder), 1);
	enable(fixture, 1, false);
	assert_int_equal(recorder_running(fixture->recorder), 0);
}

static void disabling_twice_stops_once(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	enable(fixture, 0, false);
	enable(fixture, 0, false);
	fixture_expect_calls(fixture, "STOP 0\n");
}

static void the_base_of_a_disabled_ring_is_where_it_stopped(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	recorder_advance(fixture->recorder, 0, 21);
	enable(fixture, 0, false);
	assert_int_equal(get_base(fixture, 0), 21);
	fixture_expect_calls(fixture, "STOP 0\n");
}

static void a_new_call_descriptor_is_passed_on_while_the_ring_runs(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_vring_call(&fixture->frontend, 0,
						 fixture->call_fds[5]), 0);
	fixture_expect_calls(fixture, "SET_VRING_CALL 0 call5\n");
	/* The last call may have gone to the old one. */
	expect_called(fixture->call_fds[5], 1);
}

static void no_call_descriptor_means_nobody_is_called(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_vring_call(&fixture->frontend, 0, -1), 0);
	fixture_expect_calls(fixture, "SET_VRING_CALL 0 none\n");
}

static void a_new_kick_descriptor_is_passed_on_while_the_ring_runs(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_vring_kick(&fixture->frontend, 0,
						 fixture->kick_fds[4]), 0);
	fixture_expect_calls(fixture, "SET_VRING_KICK 0 kick4\n");
}

static void a_new_error_descriptor_is_passed_on_while_the_ring_runs(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_vring_err(&fixture->frontend, 0,
						fixture->call_fds[6]), 0);
	assert_int_equal(frontend_set_vring_err(&fixture->frontend, 0, -1), 0);
	fixture_expect_calls(fixture,
			     "SET_VRING_ERR 0 call6\n"
			     "SET_VRING_ERR 0 none\n");
}

static void a_ring_without_a_kick_descriptor_waits_for_one(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_vring_kick(&fixture->frontend, 0, -1), 0);
	fixture_expect_calls(fixture, "STOP 0\n");
	kick(fixture, 0);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
}

static void a_ring_that_goes_on_calls_once(void **state)
{
	struct session_fixture *fixture = *state;

	prepare(fixture);
	fixture_set_up_vring(fixture, 0);
	assert_int_equal(frontend_set_vring_base(&fixture->frontend, 0, 17), 0);
	assert_int_equal(frontend_set_vring_call(&fixture->frontend, 0,
						 fixture->call_fds[0]), 0);
	enable(fixture, 0, true);
	expect_called(fixture->call_fds[0], 1);
}

static void a_ring_that_begins_does_not_call(void **state)
{
	struct session_fixture *fixture = *state;
	struct pollfd pollfd = { .events = POLLIN };

	fixture_start(fixture, 1);
	pollfd.fd = fixture->call_fds[0];
	assert_int_equal(poll(&pollfd, 1, 100), 0);
}

static void rings_that_are_not_set_up_are_left_alone(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	for (unsigned int i = 1; i < FIXTURE_VRING_COUNT; i++)
		enable(fixture, i, true);
	fixture_expect_calls(fixture, "");
}

static void a_new_size_stops_a_ring_until_its_next_kick(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_vring_num(&fixture->frontend, 0, 128), 0);
	fixture_expect_calls(fixture, "STOP 0\n");
	kick(fixture, 0);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(0, 128, 0, kick0, call0));
}

static void a_new_base_counts_more_than_the_one_of_the_stop(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	recorder_advance(fixture->recorder, 0, 40);
	assert_int_equal(frontend_set_vring_base(&fixture->frontend, 0, 2), 0);
	fixture_expect_calls(fixture, "STOP 0\n");
	kick(fixture, 0);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(0, 256, 2, kick0, call0));
}

static void new_addresses_restart_a_ring(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(3);

	fixture_start(fixture, 1);
	addr.index = 0;
	recorder_advance(fixture->recorder, 0, 6);
	assert_int_equal(frontend_set_vring_addr(&fixture->frontend, &addr), 0);
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     "SET_VRING_NUM 0 256\n"
			     "SET_VRING_BASE 0 6\n"
			     "SET_VRING_ADDR 0 desc=0x130000 avail=0x138000 used=0x13c000\n"
			     "SET_VRING_KICK 0 kick0\n"
			     "SET_VRING_ERR 0 none\n"
			     "SET_VRING_CALL 0 call0\n"
			     "START 0\n");
}

static void equal_addresses_again_change_nothing(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_vring_addr(&fixture->frontend, &addr), 0);
	fixture_expect_calls(fixture, "");
}

static void the_kernel_gets_addresses_of_the_same_memory(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhost_vring_addr addr;
	uint64_t *guest, *broker;

	fixture_start(fixture, 1);
	addr = recorder_addr(fixture->recorder, 0);
	guest = guest_memory_at(&fixture->memory, 0x10c000, sizeof(*guest));
	broker = (uint64_t *)(uintptr_t)addr.used_user_addr;
	assert_ptr_not_equal(guest, broker);
	*guest = UINT64_C(0x0123456789abcdef);
	assert_true(*broker == UINT64_C(0x0123456789abcdef));
	*broker = 42;
	assert_true(*guest == 42);
}

static void the_whole_index_range_of_a_base_is_taken(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	get_base(fixture, 0);
	assert_int_equal(frontend_set_vring_base(&fixture->frontend, 0, 65535),
			 0);
	kick(fixture, 0);
	recorder_advance(fixture->recorder, 0, 3);
	assert_int_equal(get_base(fixture, 0), 2);
}

static void a_ring_may_have_one_entry(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_vring_num(&fixture->frontend, 0, 1), 0);
	kick(fixture, 0);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void the_session_ends_all_rings_when_the_front_end_leaves(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 4);
	fixture_disconnect(fixture);
	fixture_expect_calls(fixture, "RESET\n");
	assert_int_equal(recorder_running(fixture->recorder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_ring_starts_with_its_kick_descriptor),
		fixture_test(a_kick_before_everything_else_starts_the_ring_later),
		fixture_test(get_vring_base_stops_the_ring_and_tells_where),
		fixture_test(the_base_of_a_ring_that_never_ran_is_the_one_it_was_given),
		fixture_test(the_base_can_be_asked_twice),
		fixture_test(a_stopped_ring_stays_enabled),
		fixture_test(a_stopped_ring_does_not_start_by_being_enabled),
		fixture_test(enabling_a_stopped_ring_counts_when_it_is_started),
		fixture_test(a_disabled_ring_is_not_processed_and_goes_on_where_it_was),
		fixture_test(a_ring_is_quiet_when_its_disabling_is_acknowledged),
		fixture_test(disabling_twice_stops_once),
		fixture_test(the_base_of_a_disabled_ring_is_where_it_stopped),
		fixture_test(a_new_call_descriptor_is_passed_on_while_the_ring_runs),
		fixture_test(no_call_descriptor_means_nobody_is_called),
		fixture_test(a_new_kick_descriptor_is_passed_on_while_the_ring_runs),
		fixture_test(a_new_error_descriptor_is_passed_on_while_the_ring_runs),
		fixture_test(a_ring_without_a_kick_descriptor_waits_for_one),
		fixture_test(a_ring_that_goes_on_calls_once),
		fixture_test(a_ring_that_begins_does_not_call),
		fixture_test(rings_that_are_not_set_up_are_left_alone),
		fixture_test(a_new_size_stops_a_ring_until_its_next_kick),
		fixture_test(a_new_base_counts_more_than_the_one_of_the_stop),
		fixture_test(new_addresses_restart_a_ring),
		fixture_test(equal_addresses_again_change_nothing),
		fixture_test(the_kernel_gets_addresses_of_the_same_memory),
		fixture_test(the_whole_index_range_of_a_base_is_taken),
		fixture_test(a_ring_may_have_one_entry),
		fixture_test(the_session_ends_all_rings_when_the_front_end_leaves),
	};

	return cmocka_run_group_tests_name("ring state", tests, NULL, NULL);
}
