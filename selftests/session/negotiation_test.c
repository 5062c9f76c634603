// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/session_fixture.h"

#define NEED_REPLY (VHB_FLAG_VERSION | 1u << VHB_FLAG_NEED_REPLY_BIT)
#define SILENCE_MS 50
/* VIRTIO_F_IN_ORDER: not offered by the fixture */
#define NOT_OFFERED (UINT64_C(1) << 35)

static void send_need_reply(struct session_fixture *fixture, uint32_t request,
			    uint64_t value)
{
	assert_int_equal(frontend_send(&fixture->frontend, request, NEED_REPLY,
				       &value, sizeof(value), NULL, 0), 0);
}

static void send_owner_need_reply(struct session_fixture *fixture)
{
	assert_int_equal(frontend_send(&fixture->frontend, VHB_SET_OWNER,
				       NEED_REPLY, NULL, 0, NULL, 0), 0);
}

static void expect_ack(struct session_fixture *fixture, uint32_t request)
{
	uint64_t ack = UINT64_MAX;

	assert_int_equal(frontend_receive_reply(&fixture->frontend, request,
						&ack, sizeof(ack)), 0);
	assert_int_equal(ack, 0);
}

static void the_kernel_devices_features_and_bit_30_are_offered(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t mask = 0;

	fixture_connect(fixture);
	assert_int_equal(frontend_get_features(&fixture->frontend, &mask), 0);
	assert_int_equal(mask, FIXTURE_FEATURES | FIXTURE_BIT30);
}

static void protocol_features_can_be_got_before_set_features(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t mask = 0;

	fixture_connect(fixture);
	assert_int_equal(frontend_get_features(&fixture->frontend, &mask), 0);
	assert_int_equal(frontend_get_protocol_features(&fixture->frontend,
							&mask), 0);
	assert_int_equal(mask, FIXTURE_PROTOCOL_FEATURES);
}

static void protocol_features_can_be_set_before_set_features(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	assert_int_equal(frontend_set_protocol_features(&fixture->frontend,
							FIXTURE_REPLY_ACK), 0);
	fixture_expect_alive(fixture);
}

static void protocol_features_can_be_set_again(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_BIT30, FIXTURE_REPLY_ACK);
	fixture->frontend.need_reply = true;
	assert_int_equal(frontend_set_protocol_features(&fixture->frontend,
							FIXTURE_PROTOCOL_FEATURES),
			 0);
	assert_int_equal(frontend_set_status(&fixture->frontend, 1), 0);
}

static void a_device_without_mtu_does_not_offer_it(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t mask = 0;

	recorder_set_protocol_features(fixture->recorder, 0);
	fixture_connect(fixture);
	assert_int_equal(frontend_get_protocol_features(&fixture->frontend,
							&mask), 0);
	assert_int_equal(mask, FIXTURE_PROTOCOL_FEATURES &
				       ~vhb_bit(VHB_PROTOCOL_F_MTU));
}

static void reply_ack_holds_before_any_set_features(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	assert_int_equal(frontend_set_protocol_features(&fixture->frontend,
							FIXTURE_REPLY_ACK), 0);
	send_owner_need_reply(fixture);
	expect_ack(fixture, VHB_SET_OWNER);
}

static void reply_ack_holds_for_the_set_features_that_acks_bit_30(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	assert_int_equal(frontend_set_protocol_features(&fixture->frontend,
							FIXTURE_REPLY_ACK), 0);
	send_need_reply(fixture, VHB_SET_FEATURES, FIXTURE_BIT30);
	expect_ack(fixture, VHB_SET_FEATURES);
	send_owner_need_reply(fixture);
	expect_ack(fixture, VHB_SET_OWNER);
}

static void reply_ack_holds_when_set_features_lacks_bit_30(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	assert_int_equal(frontend_set_protocol_features(&fixture->frontend,
							FIXTURE_REPLY_ACK), 0);
	send_need_reply(fixture, VHB_SET_FEATURES, FIXTURE_VERSION_1);
	expect_ack(fixture, VHB_SET_FEATURES);
	send_owner_need_reply(fixture);
	expect_ack(fixture, VHB_SET_OWNER);
}

static void need_reply_without_reply_ack_gets_no_reply(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_BIT30,
			  FIXTURE_PROTOCOL_FEATURES & ~FIXTURE_REPLY_ACK);
	send_owner_need_reply(fixture);
	assert_int_equal(frontend_expect_silence(&fixture->frontend,
						 SILENCE_MS), 0);
	fixture_expect_alive(fixture);
}

static void no_reply_comes_when_none_is_asked_for(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_BIT30, FIXTURE_PROTOCOL_FEATURES);
	assert_int_equal(frontend_set_owner(&fixture->frontend), 0);
	assert_int_equal(frontend_expect_silence(&fixture->frontend,
						 SILENCE_MS), 0);
}

static void a_request_with_its_own_reply_is_answered_once(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	uint8_t config[8];
	unsigned int base;
	uint64_t value;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_get_features(frontend, &value), 0);
	assert_int_equal(frontend_get_protocol_features(frontend, &value), 0);
	assert_int_equal(frontend_get_queue_num(frontend, &value), 0);
	assert_int_equal(frontend_get_max_mem_slots(frontend, &value), 0);
	assert_int_equal(frontend_get_status(frontend, &value), 0);
	assert_int_equal(frontend_get_config(frontend, 0, 0, config, 8), 0);
	assert_int_equal(frontend_get_vring_base(frontend, 0, &base), 0);
	assert_int_equal(frontend_expect_silence(frontend, SILENCE_MS), 0);
}

static void without_bit_30_rings_start_enabled(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_VERSION_1, 0);
	fixture_declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, none));
}

static void set_features_without_bit_30_enables_rings_at_once(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	fixture_set_up_vring(fixture, 1);
	fixture_expect_calls(fixture, "");
	assert_int_equal(frontend_set_features(&fixture->frontend, 0), 0);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, none)
			     FIXTURE_START_LINES(1, 256, 0, kick1, none));
}

static void with_bit_30_rings_start_disabled(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_VERSION_1 | FIXTURE_BIT30, 0);
	fixture_declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	fixture_expect_calls(fixture, "");
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0, true),
			 0);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, none));
}

static void enable_is_understood_without_bit_30(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_negotiate(fixture, 0, 0);
	fixture_declare_memory(fixture);
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0,
						   false), 0);
	fixture_set_up_vring(fixture, 0);
	fixture_expect_calls(fixture, "");
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0, true),
			 0);
	fixture_expect_alive(fixture);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void bit_30_is_never_passed_to_the_kernel(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_FEATURES | FIXTURE_BIT30, 0);
	fixture_declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0, true),
			 0);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x13943f8ab\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, none));
}

static void bit_30_alone_changes_nothing_for_rings_that_run(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_features(&fixture->frontend,
					       FIXTURE_VERSION_1), 0);
	fixture_expect_calls(fixture, "");
}

static void a_front_end_without_protocol_features_is_served(void **state)
{
	struct session_fixture *fixture = *state;
	unsigned int base = 0;

	fixture_connect(fixture);
	fixture_negotiate(fixture, 0, 0);
	fixture_declare_memory(fixture);
	for (unsigned int i = 0; i < 2; i++)
		fixture_set_up_vring(fixture, i);
	fixture_expect_alive(fixture);
	assert_int_equal(recorder_running(fixture->recorder), 2);
	recorder_advance(fixture->recorder, 1, 3);
	assert_int_equal(frontend_get_vring_base(&fixture->frontend, 1, &base),
			 0);
	assert_int_equal(base, 3);
	assert_int_equal(recorder_running(fixture->recorder), 1);
}

static void a_front_end_that_never_sends_set_owner_is_served(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	assert_int_equal(frontend_set_features(&fixture->frontend, 0), 0);
	fixture_declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	fixture_expect_alive(fixture);
	assert_int_equal(recorder_running(fixture->recorder), 1);
}

static void set_owner_may_be_repeated(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_owner(&fixture->frontend), 0);
	fixture_expect_calls(fixture, "");
}

static void a_bit_that_was_not_offered_leaves_the_old_features(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_features(frontend, FIXTURE_VERSION_1 |
							 NOT_OFFERED),
			 -EREMOTEIO);
	assert_int_not_equal(frontend->last_ack, 0);
	fixture_expect_calls(fixture, "");
	assert_true(recorder_is_running(fixture->recorder, 0));

	assert_int_equal(frontend_set_vring_enable(frontend, 0, false), 0);
	assert_int_equal(frontend_set_vring_enable(frontend, 0, true), 0);
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
}

static void a_bit_that_was_not_offered_before_any_other_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	fixture_connect(fixture);
	frontend->need_reply = true;
	assert_int_equal(frontend_set_protocol_features(frontend,
							FIXTURE_REPLY_ACK), 0);
	assert_int_equal(frontend_set_features(frontend, NOT_OFFERED),
			 -EREMOTEIO);
	fixture_declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	/* Were the refused ones in force, rings would be enabled. */
	fixture_expect_calls(fixture, "");
}

static void a_bit_that_was_not_offered_closes_without_reply_ack(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	assert_int_equal(frontend_set_features(&fixture->frontend,
					       NOT_OFFERED), 0);
	fixture_expect_ended(fixture);
}

static void a_protocol_bit_that_was_not_offered_leaves_the_old_ones(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	const uint64_t excess = vhb_bit(VHB_PROTOCOL_F_INBAND_NOTIFICATIONS);
	uint64_t slots = 0;

	fixture_start(fixture, 1);
	send_need_reply(fixture, VHB_SET_PROTOCOL_FEATURES, excess);
	assert_int_equal(frontend_receive_reply(frontend,
						VHB_SET_PROTOCOL_FEATURES,
						&slots, sizeof(slots)), 0);
	assert_int_not_equal(slots, 0);
	assert_int_equal(frontend_get_max_mem_slots(frontend, &slots), 0);
	fixture_expect_calls(fixture, "");
}

static void a_protocol_bit_that_was_not_offered_closes_at_first(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	assert_int_equal(frontend_set_protocol_features(&fixture->frontend,
							UINT64_C(1) << 63), 0);
	fixture_expect_ended(fixture);
}

static void equal_features_again_do_not_touch_the_rings(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(frontend_set_features(&fixture->frontend,
						       FIXTURE_VERSION_1 |
						       FIXTURE_BIT30), 0);
	fixture_expect_calls(fixture, "");
}

static void other_features_restart_every_ring(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	recorder_advance(fixture->recorder, 0, 9);
	assert_int_equal(frontend_set_features(&fixture->frontend,
					       FIXTURE_BIT30 | 1), 0);
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     "STOP 1\n"
			     "SET_FEATURES 0x1\n"
			     FIXTURE_START_LINES(0, 256, 9, kick0, call0)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call1));
}

static void the_next_front_end_negotiates_from_scratch(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	fixture_disconnect(fixture);
	fixture_expect_calls(fixture, "RESET\n");

	fixture_connect(fixture);
	send_owner_need_reply(fixture);
	assert_int_equal(frontend_expect_silence(&fixture->frontend,
						 SILENCE_MS), 0);
	fixture_set_up_vring(fixture, 0);
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0, true),
			 0);
	/* Neither memory nor features are left from before. */
	fixture_expect_calls(fixture, "");
}

static void nothing_reaches_the_kernel_before_a_ring_can_start(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	struct frontend *frontend = &fixture->frontend;

	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_BIT30, FIXTURE_PROTOCOL_FEATURES);
	fixture_declare_memory(fixture);
	assert_int_equal(frontend_set_vring_num(frontend, 0, 256), 0);
	assert_int_equal(frontend_set_vring_base(frontend, 0, 0), 0);
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), 0);
	assert_int_equal(frontend_set_vring_call(frontend, 0,
						 fixture->call_fds[0]), 0);
	assert_int_equal(frontend_set_vring_enable(frontend, 0, true), 0);
	fixture_expect_calls(fixture, "");
}

static void the_number_of_queues_is_what_was_configured(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t count = 0;

	fixture->queue_num = 7;
	fixture_connect(fixture);
	assert_int_equal(frontend_get_queue_num(&fixture->frontend, &count), 0);
	assert_int_equal(count, 7);
}

static void the_number_of_queues_can_be_asked_without_acking_mq(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t count = 0;

	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_BIT30, FIXTURE_REPLY_ACK);
	assert_int_equal(frontend_get_queue_num(&fixture->frontend, &count), 0);
	assert_int_equal(count, FIXTURE_VRING_COUNT);
}

static void many_rings_are_told_apart_by_their_index(void **state)
{
	struct session_fixture *fixture = *state;

	recorder_set_vring_count(fixture->recorder, FIXTURE_EVENTFD_COUNT);
	fixture_start(fixture, FIXTURE_EVENTFD_COUNT);
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 5,
						   false), 0);
	fixture_expect_calls(fixture, "STOP 5\n");
	assert_int_equal(recorder_running(fixture->recorder),
			 FIXTURE_EVENTFD_COUNT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(the_kernel_devices_features_and_bit_30_are_offered),
		fixture_test(protocol_features_can_be_got_before_set_features),
		fixture_test(protocol_features_can_be_set_before_set_features),
		fixture_test(protocol_features_can_be_set_again),
		fixture_test(a_device_without_mtu_does_not_offer_it),
		fixture_test(reply_ack_holds_before_any_set_features),
		fixture_test(reply_ack_holds_for_the_set_features_that_acks_bit_30),
		fixture_test(reply_ack_holds_when_set_features_lacks_bit_30),
		fixture_test(need_reply_without_reply_ack_gets_no_reply),
		fixture_test(no_reply_comes_when_none_is_asked_for),
		fixture_test(a_request_with_its_own_reply_is_answered_once),
		fixture_test(without_bit_30_rings_start_enabled),
		fixture_test(set_features_without_bit_30_enables_rings_at_once),
		fixture_test(with_bit_30_rings_start_disabled),
		fixture_test(enable_is_understood_without_bit_30),
		fixture_test(bit_30_is_never_passed_to_the_kernel),
		fixture_test(bit_30_alone_changes_nothing_for_rings_that_run),
		fixture_test(a_front_end_without_protocol_features_is_served),
		fixture_test(a_front_end_that_never_sends_set_owner_is_served),
		fixture_test(set_owner_may_be_repeated),
		fixture_test(a_bit_that_was_not_offered_leaves_the_old_features),
		fixture_test(a_bit_that_was_not_offered_before_any_other_is_refused),
		fixture_test(a_bit_that_was_not_offered_closes_without_reply_ack),
		fixture_test(a_protocol_bit_that_was_not_offered_leaves_the_old_ones),
		fixture_test(a_protocol_bit_that_was_not_offered_closes_at_first),
		fixture_test(equal_features_again_do_not_touch_the_rings),
		fixture_test(other_features_restart_every_ring),
		fixture_test(the_next_front_end_negotiates_from_scratch),
		fixture_test(nothing_reaches_the_kernel_before_a_ring_can_start),
		fixture_test(the_number_of_queues_is_what_was_configured),
		fixture_test(the_number_of_queues_can_be_asked_without_acking_mq),
		fixture_test(many_rings_are_told_apart_by_their_index),
	};

	return cmocka_run_group_tests_name("negotiation", tests, NULL, NULL);
}
