// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/session_fixture.h"

#define ok(call) assert_int_equal(call, 0)

/* SET_OWNER, SET_FEATURES, SET_MEM_TABLE and seven for the vring */
#define START_CALL_COUNT 10
#define FEATURES (FIXTURE_VERSION_1 | FIXTURE_BIT30)
#define EVER 1000

/* All is said but ENABLE. */
static void prepare(struct session_fixture *fixture)
{
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, FEATURES, FIXTURE_PROTOCOL_FEATURES);
	fixture_declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	ok(frontend_set_vring_call(&fixture->frontend, 0,
				   fixture->call_fds[0]));
	fixture_expect_calls(fixture, "");
}

static void each_call_of_a_start_may_fail_and_the_next_try_works(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct resources before;

	for (unsigned int nth = 1; nth <= START_CALL_COUNT; nth++) {
		prepare(fixture);
		resources_count(&before);
		recorder_fail_nth(fixture->recorder, nth, ENOMEM);
		assert_int_equal(frontend_set_vring_enable(frontend, 0, true),
				 -EREMOTEIO);
		assert_int_equal(frontend->last_ack, ENOMEM);
		fixture_expect_alive(fixture);
		assert_int_equal(recorder_running(fixture->recorder), 0);
		resources_assert_same(&before);

		ok(frontend_set_vring_enable(frontend, 0, true));
		assert_int_equal(recorder_running(fixture->recorder), 1);
		fixture_disconnect(fixture);
		free(recorder_take(fixture->recorder));
	}
}

static void there_are_no_more_calls_in_a_start(void **state)
{
	struct session_fixture *fixture = *state;

	prepare(fixture);
	recorder_fail_nth(fixture->recorder, START_CALL_COUNT + 1, ENOMEM);
	ok(frontend_set_vring_enable(&fixture->frontend, 0, true));
}

static void a_failed_start_closes_without_reply_ack(void **state)
{
	struct session_fixture *fixture = *state;
	struct resources before;

	resources_count(&before);
	for (unsigned int nth = 1; nth <= START_CALL_COUNT; nth++) {
		prepare(fixture);
		fixture->frontend.need_reply = false;
		recorder_fail_nth(fixture->recorder, nth, EIO);
		ok(frontend_set_vring_enable(&fixture->frontend, 0, true));
		fixture_expect_ended(fixture);
		assert_int_equal(recorder_running(fixture->recorder), 0);
		resources_assert_same(&before);
		free(recorder_take(fixture->recorder));
	}
}

static void a_start_with_a_relay_fails_without_a_trace(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct resources before;
	int fds[2];

	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	for (unsigned int nth = 1; nth <= START_CALL_COUNT; nth++) {
		prepare(fixture);
		ok(frontend_set_vring_call(frontend, 0, fds[1]));
		resources_count(&before);
		recorder_fail_nth(fixture->recorder, nth, EIO);
		assert_int_equal(frontend_set_vring_enable(frontend, 0, true),
				 -EREMOTEIO);
		resources_assert_same(&before);
		fixture_disconnect(fixture);
		free(recorder_take(fixture->recorder));
	}
	close(fds[0]);
	close(fds[1]);
}

static const char *last_line(const char *calls, const char *name)
{
	const char *found = NULL;

	for (const char *at = calls; (at = strstr(at, name)); at++)
		found = at;
	return found ? found : "";
}

/* Stops, SET_FEATURES, starts; then the way back after a failure */
static void features_that_fail_half_way_leave_the_old_ones(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	char *calls;

	/* The first two stop the vrings. */
	for (unsigned int nth = 3; nth <= 3 + 2 * 7; nth++) {
		fixture_start(fixture, 2);
		recorder_advance(fixture->recorder, 1, 9);
		recorder_fail_nth(fixture->recorder, nth, ENOMEM);
		assert_int_equal(frontend_set_features(frontend,
						       FEATURES | 1),
				 -EREMOTEIO);
		fixture_expect_alive(fixture);
		assert_int_equal(recorder_running(fixture->recorder), 2);
		recorder_assert_no_fault(fixture->recorder);
		calls = recorder_take(fixture->recorder);
		assert_memory_equal(last_line(calls, "SET_FEATURES"),
				    "SET_FEATURES 0x100000000\n", 25);
		assert_memory_equal(last_line(calls, "SET_VRING_BASE 1"),
				    "SET_VRING_BASE 1 9\n", 19);
		free(calls);
		fixture_disconnect(fixture);
		free(recorder_take(fixture->recorder));
	}
}

static void memory_that_fails_leaves_the_old_memory(void **state)
{
	struct session_fixture *fixture = *state;
	struct resources before;
	struct guest_memory more;

	ok(guest_memory_create(&more, 2, 0x400000, 0));
	fixture_start(fixture, 2);
	resources_count(&before);
	recorder_fail_named(fixture->recorder, "SET_MEM_TABLE", ENOMEM, 1);
	assert_int_equal(frontend_add_mem_reg(&fixture->frontend, &more.region,
					      more.fd), -EREMOTEIO);
	/* Some of the device's descriptors may have taken it already. */
	fixture_expect_calls(fixture,
			     "SET_MEM_TABLE 1: 0x0+0x600000 = ENOMEM\n"
			     FIXTURE_TABLE_LINE);
	assert_int_equal(recorder_running(fixture->recorder), 2);
	resources_assert_same(&before);
	ok(frontend_add_mem_reg(&fixture->frontend, &more.region, more.fd));
	fixture_expect_calls(fixture, "SET_MEM_TABLE 1: 0x0+0x600000\n");
	guest_memory_destroy(&more);
}

static void descriptors_that_fail_leave_the_old_ones(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct resources before;

	fixture_start(fixture, 1);
	resources_count(&before);
	recorder_fail_named(fixture->recorder, "SET_VRING_KICK", ENOMEM, 1);
	assert_int_equal(frontend_set_vring_kick(frontend, 0,
						 fixture->kick_fds[1]),
			 -EREMOTEIO);
	recorder_fail_named(fixture->recorder, "SET_VRING_CALL", ENOMEM, 1);
	assert_int_equal(frontend_set_vring_call(frontend, 0,
						 fixture->call_fds[1]),
			 -EREMOTEIO);
	recorder_fail_named(fixture->recorder, "SET_VRING_ERR", ENOMEM, 1);
	assert_int_equal(frontend_set_vring_err(frontend, 0,
						fixture->call_fds[1]),
			 -EREMOTEIO);
	fixture_expect_calls(fixture,
			     "SET_VRING_KICK 0 kick1 = ENOMEM\n"
			     "SET_VRING_CALL 0 call1 = ENOMEM\n"
			     "SET_VRING_ERR 0 call1 = ENOMEM\n");
	resources_assert_same(&before);

	/* The old ones are still there when the ring starts anew. */
	ok(frontend_set_vring_enable(frontend, 0, false));
	ok(frontend_set_vring_enable(frontend, 0, true));
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
}

static void new_addresses_that_fail_leave_the_old_ones(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(1);

	fixture_start(fixture, 1);
	addr.index = 0;
	recorder_fail_named(fixture->recorder, "SET_VRING_ADDR", EFAULT, 1);
	assert_int_equal(frontend_set_vring_addr(&fixture->frontend, &addr),
			 -EREMOTEIO);
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     "SET_VRING_NUM 0 256\n"
			     "SET_VRING_BASE 0 0\n"
			     "SET_VRING_ADDR 0 desc=0x110000 avail=0x118000 used=0x11c000 = EFAULT\n"
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
}

static void a_second_ring_that_fails_leaves_the_first_running(void **state)
{
	struct session_fixture *fixture = *state;

	for (unsigned int nth = 1; nth <= 7; nth++) {
		fixture_start(fixture, 1);
		fixture_set_up_vring(fixture, 1);
		recorder_fail_nth(fixture->recorder, nth, EIO);
		assert_int_equal(frontend_set_vring_enable(&fixture->frontend,
							   1, true),
				 -EREMOTEIO);
		assert_true(recorder_is_running(fixture->recorder, 0));
		assert_false(recorder_is_running(fixture->recorder, 1));
		fixture_disconnect(fixture);
		free(recorder_take(fixture->recorder));
	}
}

/* Neither forward nor back: the session is over, whatever was asked for. */
static void a_kernel_that_fails_for_good_ends_the_session(void **state)
{
	static const char * const names[] = {
		"SET_FEATURES", "SET_VRING_NUM", "SET_VRING_ADDR", "START",
		"STOP",
	};
	struct session_fixture *fixture = *state;
	const uint64_t features = FEATURES | 1;
	struct resources before;

	resources_count(&before);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(names); i++) {
		fixture_start(fixture, 2);
		recorder_fail_named(fixture->recorder, names[i], EIO, EVER);
		ok(frontend_send(&fixture->frontend, VHB_SET_FEATURES, 9,
				 &features, sizeof(features), NULL, 0));
		fixture_expect_ended(fixture);
		assert_int_equal(recorder_running(fixture->recorder), 0);
		recorder_fail_named(fixture->recorder, NULL, 0, 0);
		resources_assert_same(&before);
		free(recorder_take(fixture->recorder));
	}
	fixture_start(fixture, 2);
}

/* The kernel must not be left with memory that is about to be unmapped. */
static void the_kernel_lets_go_before_memory_that_failed_is_unmapped(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_single_region single = {
		.region = {
			.gpa = UINT64_C(1) << 41,
			.size_bytes = FIXTURE_MEMORY_BYTES,
			.uva = UINT64_C(1) << 41,
		},
	};

	fixture_start(fixture, 1);
	recorder_fail_named(fixture->recorder, "SET_MEM_TABLE", EIO, EVER);
	ok(frontend_send(&fixture->frontend, VHB_ADD_MEM_REG, 9, &single,
			 sizeof(single), &fixture->memory.fd, 1));
	fixture_expect_ended(fixture);
	fixture_expect_calls(fixture,
			     "SET_MEM_TABLE 2: 0x0+0x400000 0x20000000000+0x400000 = EIO\n"
			     "SET_MEM_TABLE 1: 0x0+0x400000 = EIO\n"
			     "RESET\n"
			     "RESET\n");
}

static bool is_mapped(uint64_t address)
{
	char byte;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { (void *)(uintptr_t)address, 1 };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1;
}

/* The first table was the kernel's, though the message it came with was refused. */
static void a_table_the_kernel_keeps_stays_mapped(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct guest_memory *memory = &fixture->memory;
	uint64_t address;

	fixture_connect(fixture);
	frontend->need_reply = true;
	fixture_negotiate(fixture, FEATURES, FIXTURE_PROTOCOL_FEATURES);
	fixture_start_vring(fixture, 0);
	recorder_fail_named(fixture->recorder, "START", EIO, 1);
	assert_int_equal(frontend_set_mem_table(frontend, &memory->region,
						&memory->fd, 1), -EREMOTEIO);
	address = recorder_addr(fixture->recorder, 0).desc_user_addr;
	assert_true(is_mapped(address));
	recorder_fail_named(fixture->recorder, "SET_MEM_TABLE", EIO, 1);
	assert_int_equal(frontend_set_mem_table(frontend, &memory->region,
						&memory->fd, 1), -EREMOTEIO);
	assert_true(is_mapped(address));
	ok(frontend_set_mem_table(frontend, &memory->region, &memory->fd, 1));
	assert_false(is_mapped(address));
	assert_int_equal(recorder_running(fixture->recorder), 1);
}

static void a_stop_that_fails_ends_the_session(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_vring_state ring = { .index = 0 };

	fixture_start(fixture, 2);
	recorder_fail_named(fixture->recorder, "STOP", EIO, EVER);
	ok(frontend_send(&fixture->frontend, VHB_GET_VRING_BASE, 9, &ring,
			 sizeof(ring), NULL, 0));
	fixture_expect_ended(fixture);
	assert_int_equal(recorder_running(fixture->recorder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(each_call_of_a_start_may_fail_and_the_next_try_works),
		fixture_test(there_are_no_more_calls_in_a_start),
		fixture_test(a_failed_start_closes_without_reply_ack),
		fixture_test(a_start_with_a_relay_fails_without_a_trace),
		fixture_test(features_that_fail_half_way_leave_the_old_ones),
		fixture_test(memory_that_fails_leaves_the_old_memory),
		fixture_test(descriptors_that_fail_leave_the_old_ones),
		fixture_test(new_addresses_that_fail_leave_the_old_ones),
		fixture_test(a_second_ring_that_fails_leaves_the_first_running),
		fixture_test(a_kernel_that_fails_for_good_ends_the_session),
		fixture_test(the_kernel_lets_go_before_memory_that_failed_is_unmapped),
		fixture_test(a_table_the_kernel_keeps_stays_mapped),
		fixture_test(a_stop_that_fails_ends_the_session),
	};

	return cmocka_run_group_tests_name("failing kernel", tests, NULL, NULL);
}
