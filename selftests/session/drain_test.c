// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel device whose requests take long: what waits for them, and what not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "lib/log_capture.h"
#include "lib/session_fixture.h"

#define SILENCE_MS 150
#define ACK_FLAGS 0x9u

static void send_state(struct session_fixture *fixture, uint32_t request,
		       unsigned int index, unsigned int num)
{
	const struct vhb_wire_vring_state state = { index, num };

	assert_int_equal(frontend_send(&fixture->frontend, request, ACK_FLAGS,
				       &state, sizeof(state), NULL, 0), 0);
}

static void expect_silence(struct session_fixture *fixture)
{
	assert_int_equal(frontend_expect_silence(&fixture->frontend,
						 SILENCE_MS), 0);
}

static void expect_ack(struct session_fixture *fixture, uint32_t request)
{
	uint64_t value = UINT64_MAX;

	assert_int_equal(frontend_receive_reply(&fixture->frontend, request,
						&value, sizeof(value)), 0);
	assert_int_equal(value, 0);
}

static void expect_base(struct session_fixture *fixture, unsigned int index,
			unsigned int base)
{
	struct vhb_wire_vring_state state;

	assert_int_equal(frontend_receive_reply(&fixture->frontend,
						VHB_GET_VRING_BASE, &state,
						sizeof(state)), 0);
	assert_int_equal(state.index, index);
	assert_int_equal(state.num, base);
}

/* Without a question to the session, which would have to wait */
static void expect_calls(struct session_fixture *fixture, const char *expected)
{
	char *calls = recorder_take(fixture->recorder);

	assert_string_equal(calls, expected);
	free(calls);
}

static void finish(struct session_fixture *fixture, unsigned int index)
{
	recorder_finish_drain(fixture->recorder, index);
}

static void wait_draining(struct session_fixture *fixture, unsigned int count)
{
	recorder_wait_draining(fixture->recorder, count);
}

/* The front-end leaves, and all that runs drains at once. */
static void leave(struct session_fixture *fixture, unsigned int running_count)
{
	frontend_close(&fixture->frontend);
	wait_draining(fixture, running_count);
	for (unsigned int i = 0; i < FIXTURE_VRING_COUNT; i++)
		if (recorder_is_running(fixture->recorder, i))
			finish(fixture, i);
	fixture_disconnect(fixture);
}

static void test_base_is_told_when_the_vring_has_drained(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	send_state(fixture, VHB_GET_VRING_BASE, 0, 0);
	wait_draining(fixture, 1);
	expect_silence(fixture);
	expect_calls(fixture, "DRAIN 0\n");
	recorder_advance(fixture->recorder, 0, 7);
	finish(fixture, 0);
	expect_base(fixture, 0, 7);
	fixture_expect_calls(fixture, "STOP 0\n");
	assert_true(recorder_is_running(fixture->recorder, 1));
	leave(fixture, 1);
	fixture_expect_calls(fixture, "DRAIN 1\nRESET\n");
}

static void test_messages_behind_it_wait_in_order(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t features;

	fixture_start(fixture, 2);
	send_state(fixture, VHB_GET_VRING_BASE, 1, 0);
	send_state(fixture, VHB_SET_VRING_NUM, 1, 64);
	assert_int_equal(frontend_send(&fixture->frontend, VHB_GET_FEATURES, 1,
				       NULL, 0, NULL, 0), 0);
	send_state(fixture, VHB_GET_VRING_BASE, 0, 0);
	wait_draining(fixture, 1);
	expect_silence(fixture);
	finish(fixture, 1);
	expect_base(fixture, 1, 0);
	expect_ack(fixture, VHB_SET_VRING_NUM);
	assert_int_equal(frontend_receive_reply(&fixture->frontend,
						VHB_GET_FEATURES, &features,
						sizeof(features)), 0);
	wait_draining(fixture, 1);
	expect_silence(fixture);
	finish(fixture, 0);
	expect_base(fixture, 0, 0);
	fixture_expect_calls(fixture, "DRAIN 1\nSTOP 1\nDRAIN 0\nSTOP 0\n");
	leave(fixture, 0);
}

static void test_disabled_when_drained(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	send_state(fixture, VHB_SET_VRING_ENABLE, 0, 0);
	wait_draining(fixture, 1);
	expect_silence(fixture);
	recorder_advance(fixture->recorder, 0, 3);
	finish(fixture, 0);
	expect_ack(fixture, VHB_SET_VRING_ENABLE);
	fixture_expect_calls(fixture, "DRAIN 0\nSTOP 0\n");
	/* It goes on where it stopped. */
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0, true),
			 0);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(0, 256, 3, kick0, call0));
	leave(fixture, 1);
}

/* A vring that is set up anew was stopped without a word. */
static void test_stopped_implicitly(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	send_state(fixture, VHB_SET_VRING_NUM, 0, 128);
	wait_draining(fixture, 1);
	expect_silence(fixture);
	finish(fixture, 0);
	expect_ack(fixture, VHB_SET_VRING_NUM);
	fixture_expect_calls(fixture, "DRAIN 0\nSTOP 0\n");
	leave(fixture, 0);
}

static void test_reset_drains_all_side_by_side(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 3);
	assert_int_equal(frontend_send(&fixture->frontend, VHB_RESET_DEVICE,
				       ACK_FLAGS, NULL, 0, NULL, 0), 0);
	wait_draining(fixture, 3);
	finish(fixture, 2);
	finish(fixture, 0);
	expect_silence(fixture);
	expect_calls(fixture, "DRAIN 0\nDRAIN 1\nDRAIN 2\n");
	finish(fixture, 1);
	expect_ack(fixture, VHB_RESET_DEVICE);
	fixture_expect_calls(fixture,
			     "STOP 0\nSTOP 1\nSTOP 2\nRESET_STATE\n");
	leave(fixture, 0);
}

/* What is not stopped does not wait. */
static void test_nothing_else_waits(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	fixture_expect_alive(fixture);
	assert_int_equal(frontend_set_vring_call(&fixture->frontend, 0,
						 fixture->call_fds[1]), 0);
	assert_int_equal(frontend_set_vring_num(&fixture->frontend, 2, 128), 0);
	fixture_expect_calls(fixture, "SET_VRING_CALL 0 call1\n");
	leave(fixture, 2);
}

/* A refused message stops nothing. */
static void test_refused_message_drains_nothing(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	fixture_start(fixture, 1);
	addr.desc_uva = 0x1000;
	assert_int_equal(frontend_set_vring_addr(&fixture->frontend, &addr),
			 -EREMOTEIO);
	fixture_expect_calls(fixture, "");
	leave(fixture, 1);
}

static void test_drain_that_cannot_begin(void **state)
{
	struct session_fixture *fixture = *state;
	unsigned int base;

	fixture_start(fixture, 2);
	recorder_fail_named(fixture->recorder, "DRAIN", EBUSY, 2);
	assert_int_equal(frontend_get_vring_base(&fixture->frontend, 0, &base),
			 0);
	fixture_expect_calls(fixture, "DRAIN 0 = EBUSY\nSTOP 0\n");
	fixture_disconnect(fixture);
	fixture_expect_calls(fixture, "DRAIN 1 = EBUSY\nRESET\n");
}

/* All is moved back; the message has failed. */
static void test_programming_that_fails_after_a_drain(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(1);

	fixture_start(fixture, 1);
	addr.index = 0;
	assert_int_equal(frontend_send(&fixture->frontend, VHB_SET_VRING_ADDR,
				       ACK_FLAGS, &addr, sizeof(addr), NULL, 0),
			 0);
	wait_draining(fixture, 1);
	recorder_fail_named(fixture->recorder, "SET_VRING_NUM", EIO, 1);
	finish(fixture, 0);
	assert_int_equal(frontend_receive_reply(&fixture->frontend,
						VHB_SET_VRING_ADDR,
						&fixture->frontend.last_ack, 8),
			 0);
	assert_int_equal(fixture->frontend.last_ack, EIO);
	fixture_expect_calls(fixture,
			     "DRAIN 0\nSTOP 0\nSET_VRING_NUM 0 256 = EIO\n"
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
	leave(fixture, 1);
}

static void test_front_end_leaves_while_it_waits(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	send_state(fixture, VHB_GET_VRING_BASE, 0, 0);
	wait_draining(fixture, 1);
	frontend_close(&fixture->frontend);
	usleep(SILENCE_MS * 1000);
	/* The kernel still works in its memory. */
	expect_calls(fixture, "DRAIN 0\n");
	finish(fixture, 0);
	wait_draining(fixture, 1);
	expect_calls(fixture, "STOP 0\nDRAIN 1\n");
	finish(fixture, 1);
	fixture_disconnect(fixture);
	fixture_expect_calls(fixture, "RESET\n");
	/* And the next one is served. */
	fixture_start(fixture, 1);
	leave(fixture, 1);
}

static void test_front_end_leaves_under_load(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	frontend_close(&fixture->frontend);
	wait_draining(fixture, 2);
	finish(fixture, 1);
	usleep(SILENCE_MS * 1000);
	expect_calls(fixture, "DRAIN 0\nDRAIN 1\n");
	finish(fixture, 0);
	fixture_disconnect(fixture);
	fixture_expect_calls(fixture, "RESET\n");
}

/* Whose connection is closed by us sees it at once. */
static void test_bad_front_end_does_not_wait(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_send(&fixture->frontend, 200, 1, NULL, 0,
				       NULL, 0), 0);
	assert_int_equal(frontend_expect_closed(&fixture->frontend), 0);
	wait_draining(fixture, 1);
	finish(fixture, 0);
	fixture_disconnect(fixture);
}

/* As when the process is told to end */
static void test_destroyed_while_it_waits(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	send_state(fixture, VHB_GET_VRING_BASE, 0, 0);
	wait_draining(fixture, 1);
	frontend_close(&fixture->frontend);
	fixture->is_connected = false;
}

static void test_destroyed_while_it_ends(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	frontend_close(&fixture->frontend);
	wait_draining(fixture, 2);
	fixture->is_connected = false;
}

/* The front-end's end of the back-end channel */
static int give_channel(struct session_fixture *fixture)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	assert_int_equal(frontend_tell(&fixture->frontend,
				       VHB_SET_BACKEND_REQ_FD, NULL, 0, &fds[1],
				       1), 0);
	close(fds[1]);
	return fds[0];
}

static void expect_config_message(int fd)
{
	const struct vhb_wire_header expected = {
		.request = VHB_BACKEND_CONFIG_CHANGE_MSG,
		.flags = VHB_FLAG_VERSION,
	};
	struct vhb_wire_header header;

	assert_int_equal(recv(fd, &header, sizeof(header), MSG_WAITALL),
			 sizeof(header));
	assert_memory_equal(&header, &expected, sizeof(header));
}

static void expect_no_message(int fd)
{
	char byte;

	usleep(SILENCE_MS * 1000);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void test_config_change_is_told(void **state)
{
	struct session_fixture *fixture = *state;
	int fd;

	fixture_start(fixture, 1);
	fd = give_channel(fixture);
	expect_no_message(fd);
	recorder_change_config(fixture->recorder);
	expect_config_message(fd);
	expect_no_message(fd);
	/* Also while a disk does not answer */
	send_state(fixture, VHB_GET_VRING_BASE, 0, 0);
	wait_draining(fixture, 1);
	recorder_change_config(fixture->recorder);
	expect_config_message(fd);
	finish(fixture, 0);
	expect_base(fixture, 0, 0);
	fixture_disconnect(fixture);
	close(fd);
}

/* VHB_PROTOCOL_F_BACKEND_REQ, VHB_PROTOCOL_F_CONFIG */
static void test_config_change_nobody_negotiated(void **state)
{
	struct session_fixture *fixture = *state;
	const uint64_t without[] = { 1 << 5, 1 << 9 };

	for (unsigned int i = 0; i < 2; i++) {
		int fd;

		fixture_connect(fixture);
		fixture->frontend.need_reply = true;
		fixture_negotiate(fixture, FIXTURE_VERSION_1 | FIXTURE_BIT30,
				  FIXTURE_PROTOCOL_FEATURES & ~without[i]);
		recorder_change_config(fixture->recorder);
		fd = give_channel(fixture);
		recorder_change_config(fixture->recorder);
		expect_no_message(fd);
		fixture_expect_alive(fixture);
		fixture_disconnect(fixture);
		close(fd);
	}
}

/* One that does not read its channel, or has closed it, keeps nobody. */
static void test_config_change_nobody_reads(void **state)
{
	struct session_fixture *fixture = *state;
	unsigned int i;
	int fd;

	fixture_start(fixture, 1);
	fd = give_channel(fixture);
	for (i = 0; i < 3000; i++) {
		recorder_change_config(fixture->recorder);
		fixture_expect_alive(fixture);
	}
	expect_config_message(fd);
	close(fd);
	recorder_change_config(fixture->recorder);
	fixture_expect_alive(fixture);
	leave(fixture, 1);
}

static void test_broken_vrings_are_named(void **state)
{
	struct session_fixture *fixture = *state;
	struct log_capture capture;

	fixture_start(fixture, 2);
	log_capture_begin(&capture);
	recorder_break(fixture->recorder, 1);
	fixture_expect_alive(fixture);
	/* News may come after the answer to what was asked later. */
	usleep(SILENCE_MS * 1000);
	log_capture_end(&capture);
	assert_int_equal(log_capture_count(&capture, "vring 1"), 1);
	assert_int_equal(log_capture_count(&capture, "(avail)"), 1);
	assert_int_equal(log_capture_count(&capture, "\n"), 1);
	leave(fixture, 2);
}

/* Its file was truncated under it: reading it here would be SIGBUS. */
static void test_broken_vring_without_memory_ends_the_session(void **state)
{
	struct session_fixture *fixture = *state;
	struct log_capture capture;

	fixture_start(fixture, 1);
	log_capture_begin(&capture);
	assert_int_equal(ftruncate(fixture->memory.fd, 4096), 0);
	recorder_break(fixture->recorder, 0);
	recorder_wait_draining(fixture->recorder, 1);
	recorder_finish_drain(fixture->recorder, 0);
	fixture_expect_ended(fixture);
	log_capture_end(&capture);
	assert_int_equal(log_capture_count(&capture, "was truncated"), 1);
	assert_int_equal(log_capture_count(&capture, "\n"), 1);
}

/* A front-end cannot fill the log. */
static void test_log_of_broken_vrings_ends(void **state)
{
	struct session_fixture *fixture = *state;
	struct log_capture capture;
	unsigned int i;

	fixture_start(fixture, 1);
	log_capture_begin(&capture);
	for (i = 0; i < 200; i++) {
		recorder_break(fixture->recorder, 0);
		usleep(1000);
		fixture_expect_alive(fixture);
	}
	log_capture_end(&capture);
	assert_in_range(log_capture_count(&capture, "\n"), 1, 25);
	leave(fixture, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		drain_fixture_test(test_base_is_told_when_the_vring_has_drained),
		drain_fixture_test(test_messages_behind_it_wait_in_order),
		drain_fixture_test(test_disabled_when_drained),
		drain_fixture_test(test_stopped_implicitly),
		drain_fixture_test(test_reset_drains_all_side_by_side),
		drain_fixture_test(test_nothing_else_waits),
		drain_fixture_test(test_refused_message_drains_nothing),
		drain_fixture_test(test_drain_that_cannot_begin),
		drain_fixture_test(test_programming_that_fails_after_a_drain),
		drain_fixture_test(test_front_end_leaves_while_it_waits),
		drain_fixture_test(test_front_end_leaves_under_load),
		drain_fixture_test(test_bad_front_end_does_not_wait),
		drain_fixture_test(test_destroyed_while_it_waits),
		drain_fixture_test(test_destroyed_while_it_ends),
		drain_fixture_test(test_config_change_is_told),
		drain_fixture_test(test_config_change_nobody_negotiated),
		drain_fixture_test(test_config_change_nobody_reads),
		drain_fixture_test(test_broken_vrings_are_named),
		drain_fixture_test(test_broken_vring_without_memory_ends_the_session),
		drain_fixture_test(test_log_of_broken_vrings_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
