// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/session_fixture.h"

#define DRIVER_OK 0xf

static void status_is_kept(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	uint64_t status = 1;

	fixture_start(fixture, 0);
	assert_int_equal(frontend_get_status(frontend, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(frontend_set_status(frontend, DRIVER_OK), 0);
	assert_int_equal(frontend_get_status(frontend, &status), 0);
	assert_int_equal(status, DRIVER_OK);
	fixture_expect_calls(fixture, "");
}

static void status_zero_stops_every_ring(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	uint64_t status = 1;

	fixture_start(fixture, 2);
	assert_int_equal(frontend_set_status(frontend, DRIVER_OK), 0);
	fixture_expect_calls(fixture, "");
	assert_int_equal(frontend_set_status(frontend, 0), 0);
	fixture_expect_calls(fixture, "STOP 0\nSTOP 1\n");
	assert_int_equal(frontend_get_status(frontend, &status), 0);
	assert_int_equal(status, 0);
}

static void a_status_of_more_than_eight_bits_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	uint64_t status = 0;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_status(frontend, 3), 0);
	assert_int_equal(frontend_set_status(frontend, 0x100), -EREMOTEIO);
	assert_int_equal(frontend_get_status(frontend, &status), 0);
	assert_int_equal(status, 3);
	fixture_expect_calls(fixture, "");
}

/* A front-end that negotiated nothing but REPLY_ACK */
static void start_with_reply_ack_only(struct session_fixture *fixture)
{
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, FIXTURE_BIT30, FIXTURE_REPLY_ACK);
}

static void set_status_must_be_negotiated(void **state)
{
	struct session_fixture *fixture = *state;

	start_with_reply_ack_only(fixture);
	assert_int_equal(frontend_set_status(&fixture->frontend, 1),
			 -EREMOTEIO);
	fixture_expect_alive(fixture);
}

static void get_status_must_be_negotiated(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t status;

	start_with_reply_ack_only(fixture);
	assert_int_not_equal(frontend_get_status(&fixture->frontend, &status),
			     0);
	fixture_expect_ended(fixture);
}

static void reset_device_brings_back_the_initial_state(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	unsigned int base = 1;
	uint64_t status = 1;

	fixture_start(fixture, 2);
	assert_int_equal(frontend_set_status(frontend, DRIVER_OK), 0);
	assert_int_equal(frontend_set_vring_base(frontend, 0, 5), 0);
	assert_int_equal(frontend_set_vring_kick(frontend, 0,
						 fixture->kick_fds[0]), 0);
	recorder_advance(fixture->recorder, 0, 10);
	fixture_forget_calls(fixture);
	assert_int_equal(frontend_reset_device(frontend), 0);
	fixture_expect_calls(fixture, "STOP 0\nSTOP 1\nRESET_STATE\n");
	assert_int_equal(frontend_get_status(frontend, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(frontend_get_vring_base(frontend, 0, &base), 0);
	assert_int_equal(base, 0);

	/* Neither enabled nor with an address: nothing may start. */
	assert_int_equal(frontend_set_vring_kick(frontend, 0,
						 fixture->kick_fds[0]), 0);
	assert_int_equal(frontend_set_vring_enable(frontend, 0, true), 0);
	assert_int_equal(frontend_set_vring_num(frontend, 0, 256), 0);
	fixture_expect_calls(fixture, "");
}

static void after_reset_device_the_front_end_can_begin_again(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	fixture_start(fixture, 2);
	recorder_advance(fixture->recorder, 0, 10);
	assert_int_equal(frontend_reset_device(frontend), 0);
	fixture_forget_calls(fixture);

	assert_int_equal(frontend_set_features(frontend, FIXTURE_BIT30 | 1), 0);
	fixture_set_up_vring(fixture, 0);
	fixture_expect_calls(fixture, "SET_FEATURES 0x1\n");
	assert_int_equal(frontend_set_vring_enable(frontend, 0, true), 0);
	/* Memory and call descriptor belong to the connection. */
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
}

static void what_cannot_be_reset_is_told(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	fixture->frontend.need_reply = true;
	fixture_forget_calls(fixture);
	recorder_fail_named(fixture->recorder, "RESET_STATE", EBADF, 1);
	assert_int_equal(frontend_reset_device(&fixture->frontend),
			 -EREMOTEIO);
	assert_int_equal(fixture->frontend.last_ack, EBADF);
	fixture_expect_calls(fixture,
			     "STOP 0\nRESET_STATE = EBADF\n"
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
	assert_true(recorder_is_running(fixture->recorder, 0));
	/* Only this message asks for it. */
	assert_int_equal(frontend_set_status(&fixture->frontend, 0), 0);
	fixture_expect_calls(fixture, "STOP 0\n");
	assert_int_equal(frontend_reset_device(&fixture->frontend), 0);
	fixture_expect_calls(fixture, "RESET_STATE\n");
	assert_int_equal(frontend_set_status(&fixture->frontend, 1), 0);
	fixture_expect_calls(fixture, "");
}

static void reset_device_keeps_protocol_features(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t slots = 0;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_reset_device(&fixture->frontend), 0);
	assert_int_equal(frontend_get_max_mem_slots(&fixture->frontend, &slots),
			 0);
}

static void reset_device_needs_no_more_than_the_offer(void **state)
{
	struct session_fixture *fixture = *state;

	start_with_reply_ack_only(fixture);
	assert_int_equal(frontend_reset_device(&fixture->frontend), 0);
}

static void reset_owner_disables_every_ring_and_keeps_the_rest(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	fixture_start(fixture, 2);
	recorder_advance(fixture->recorder, 1, 8);
	assert_int_equal(frontend_reset_owner(frontend), 0);
	fixture_expect_calls(fixture, "STOP 0\nSTOP 1\n");
	assert_int_equal(frontend_set_vring_enable(frontend, 1, true), 0);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(1, 256, 8, kick1, call1));
}

static void config_is_answered_with_exactly_what_was_asked_for(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t config[16] = { 0 };

	fixture_start(fixture, 0);
	assert_int_equal(frontend_get_config(&fixture->frontend, 3, 0, config,
					     10), 0);
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(config[i], 3 + i);
	assert_int_equal(config[10], 0);
	fixture_expect_calls(fixture, "GET_CONFIG 3+10\n");
}

/* rust-vmm's front-ends send 1 where QEMU sends 0; both compare the reply. */
static void config_flags_come_back_as_they_were(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t config[60];

	fixture_start(fixture, 0);
	assert_int_equal(frontend_get_config(&fixture->frontend, 0, 0, config,
					     sizeof(config)), 0);
	assert_int_equal(frontend_get_config(&fixture->frontend, 0, 1, config,
					     sizeof(config)), 0);
}

static void the_whole_config_space_can_be_asked_for(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t config[VHB_CONFIG_MAX_BYTES];

	fixture_start(fixture, 0);
	assert_int_equal(frontend_get_config(&fixture->frontend, 0, 0, config,
					     sizeof(config)), 0);
	assert_int_equal(config[RECORDER_CONFIG_BYTES - 1],
			 RECORDER_CONFIG_BYTES - 1);
	assert_int_equal(config[RECORDER_CONFIG_BYTES], 0);
}

static void config_beyond_its_end_is_answered_with_no_payload(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t config[8];

	fixture_start(fixture, 1);
	assert_int_equal(frontend_get_config(&fixture->frontend,
					     VHB_CONFIG_MAX_BYTES - 4, 0,
					     config, 8), -EIO);
	assert_int_equal(frontend_get_config(&fixture->frontend, UINT32_MAX, 0,
					     config, 8), -EIO);
	fixture_expect_alive(fixture);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void get_config_must_be_negotiated(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t config[8];

	start_with_reply_ack_only(fixture);
	assert_int_not_equal(frontend_get_config(&fixture->frontend, 0, 0,
						 config, 8), 0);
	fixture_expect_ended(fixture);
}

static void a_writable_config_field_can_be_set(void **state)
{
	struct session_fixture *fixture = *state;
	const uint8_t byte = 1;

	fixture_start(fixture, 0);
	assert_int_equal(frontend_set_config(&fixture->frontend, 0, 0, &byte,
					     1), 0);
	fixture_expect_calls(fixture, "SET_CONFIG 0+1\n");
}

static void a_read_only_config_field_cannot_be_set(void **state)
{
	struct session_fixture *fixture = *state;
	const uint8_t bytes[8] = { 1 };

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_config(&fixture->frontend, 8, 0, bytes,
					     8), -EREMOTEIO);
	assert_int_equal(fixture->frontend.last_ack, EACCES);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void a_valid_mtu_is_acknowledged_with_zero(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 0);
	assert_int_equal(frontend_set_mtu(&fixture->frontend, 1500), 0);
	fixture_expect_calls(fixture, "SET_MTU 1500\n");
}

static void an_invalid_mtu_is_acknowledged_with_something_else(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_mtu(&fixture->frontend, 67), -EREMOTEIO);
	assert_int_equal(frontend_set_mtu(&fixture->frontend, UINT64_MAX),
			 -EREMOTEIO);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void an_mtu_without_the_offer_is_refused(void **state)
{
	struct session_fixture *fixture = *state;

	recorder_set_protocol_features(fixture->recorder, 0);
	start_with_reply_ack_only(fixture);
	assert_int_equal(frontend_set_mtu(&fixture->frontend, 1500),
			 -EREMOTEIO);
	fixture_expect_calls(fixture, "");
}

static void there_are_many_memory_slots(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t slots = 0;

	fixture_start(fixture, 0);
	assert_int_equal(frontend_get_max_mem_slots(&fixture->frontend, &slots),
			 0);
	assert_int_equal(slots, 509);
}

static void memory_slots_must_be_negotiated(void **state)
{
	struct session_fixture *fixture = *state;

	start_with_reply_ack_only(fixture);
	assert_int_equal(frontend_add_mem_reg(&fixture->frontend,
					      &fixture->memory.region,
					      fixture->memory.fd), -EREMOTEIO);
	assert_int_equal(frontend_rem_mem_reg(&fixture->frontend,
					      &fixture->memory.region),
			 -EREMOTEIO);
	fixture_expect_calls(fixture, "");
}

static void a_removed_region_is_named_without_a_descriptor(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	fixture_start(fixture, 0);
	assert_int_equal(frontend_rem_mem_reg(frontend,
					      &fixture->memory.region), 0);
	assert_int_equal(frontend_add_mem_reg(frontend, &fixture->memory.region,
					      fixture->memory.fd), 0);
	fixture_start_vring(fixture, 0);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

/* "The back-end MUST close it without using it otherwise." */
static void a_descriptor_with_a_removed_region_is_closed(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_single_region single = {
		.region = fixture->memory.region,
	};
	struct resources before;

	fixture_start(fixture, 0);
	resources_count(&before);
	assert_int_equal(frontend_tell(&fixture->frontend, VHB_REM_MEM_REG,
				       &single, sizeof(single),
				       &fixture->memory.fd, 1), 0);
	before.shared_count--;
	resources_assert_same(&before);
}

static void a_request_that_is_not_offered_is_acknowledged_as_failed(void **state)
{
	static const uint32_t requests[] = {
		VHB_SET_LOG_FD, VHB_GPU_SET_SOCKET,
		VHB_SET_INFLIGHT_FD,
	};
	static const uint8_t mac[6] = { 2 };
	struct session_fixture *fixture = *state;
	struct resources before;

	fixture_start(fixture, 1);
	resources_count(&before);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(requests); i++)
		assert_int_equal(frontend_tell(&fixture->frontend, requests[i],
					       NULL, 0, fixture->kick_fds, 1),
				 -EREMOTEIO);
	assert_int_equal(frontend_send_rarp(&fixture->frontend, mac),
			 -EREMOTEIO);
	resources_assert_same(&before);
	fixture_expect_calls(fixture, "");
	assert_true(recorder_is_running(fixture->recorder, 0));
}

/* A front-end may wait on it: it stays open, and nothing comes but its end. */
static void a_channel_for_our_requests_is_kept_until_another_comes(void **state)
{
	struct session_fixture *fixture = *state;
	struct pollfd pollfd = { .events = POLLIN };
	struct resources before;
	int fds[2];

	fixture_start(fixture, 1);
	fixture_give_channel(fixture);
	resources_count(&before);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	assert_int_equal(frontend_tell(&fixture->frontend,
				       VHB_SET_BACKEND_REQ_FD, NULL, 0, &fds[1],
				       1), 0);
	close(fds[1]);
	pollfd.fd = fds[0];
	assert_int_equal(poll(&pollfd, 1, 100), 0);
	assert_int_equal(frontend_reset_device(&fixture->frontend), 0);
	assert_int_equal(poll(&pollfd, 1, 100), 0);
	fixture_give_channel(fixture);
	assert_int_equal(poll(&pollfd, 1, 5000), 1);
	assert_true(pollfd.revents & POLLHUP);
	close(fds[0]);
	/* The ring's kick descriptor went with the reset. */
	before.fd_count--;
	resources_assert_same(&before);
}

/* On one of datagrams we would be woken for ever when it is shut down. */
static void a_channel_for_our_requests_is_a_stream(void **state)
{
	struct session_fixture *fixture = *state;
	int fds[2];

	fixture_start(fixture, 1);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, (i ? SOCK_DGRAM :
							  SOCK_SEQPACKET) |
						     SOCK_CLOEXEC, 0, fds), 0);
		assert_int_equal(frontend_tell(&fixture->frontend,
					       VHB_SET_BACKEND_REQ_FD, NULL, 0,
					       &fds[1], 1), -EREMOTEIO);
		close(fds[0]);
		close(fds[1]);
	}
}

static void a_channel_for_our_requests_ends_with_the_session(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	fixture_give_channel(fixture);
	fixture_expect_calls(fixture, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(status_is_kept),
		fixture_test(status_zero_stops_every_ring),
		fixture_test(a_status_of_more_than_eight_bits_is_refused),
		fixture_test(set_status_must_be_negotiated),
		fixture_test(get_status_must_be_negotiated),
		fixture_test(reset_device_brings_back_the_initial_state),
		fixture_test(after_reset_device_the_front_end_can_begin_again),
		fixture_test(what_cannot_be_reset_is_told),
		fixture_test(reset_device_keeps_protocol_features),
		fixture_test(reset_device_needs_no_more_than_the_offer),
		fixture_test(reset_owner_disables_every_ring_and_keeps_the_rest),
		fixture_test(config_is_answered_with_exactly_what_was_asked_for),
		fixture_test(config_flags_come_back_as_they_were),
		fixture_test(the_whole_config_space_can_be_asked_for),
		fixture_test(config_beyond_its_end_is_answered_with_no_payload),
		fixture_test(get_config_must_be_negotiated),
		fixture_test(a_writable_config_field_can_be_set),
		fixture_test(a_read_only_config_field_cannot_be_set),
		fixture_test(a_valid_mtu_is_acknowledged_with_zero),
		fixture_test(an_invalid_mtu_is_acknowledged_with_something_else),
		fixture_test(an_mtu_without_the_offer_is_refused),
		fixture_test(there_are_many_memory_slots),
		fixture_test(memory_slots_must_be_negotiated),
		fixture_test(a_removed_region_is_named_without_a_descriptor),
		fixture_test(a_descriptor_with_a_removed_region_is_closed),
		fixture_test(a_channel_for_our_requests_is_kept_until_another_comes),
		fixture_test(a_channel_for_our_requests_is_a_stream),
		fixture_test(a_channel_for_our_requests_ends_with_the_session),
		fixture_test(a_request_that_is_not_offered_is_acknowledged_as_failed),
	};

	return cmocka_run_group_tests_name("device messages", tests, NULL,
					   NULL);
}
