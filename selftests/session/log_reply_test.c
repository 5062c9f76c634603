// SPDX-License-Identifier: GPL-2.0-or-later
/* The reply to SET_LOG_BASE, whose length front-ends do not agree on; RARP. */
#include "session/log_fixture.h"

#include <stdlib.h>

static void send_log(struct session_fixture *fixture,
		     const struct frontend_log *log)
{
	ok(frontend_send_log_base(&fixture->frontend, log));
}

/* Exactly so many bytes, and not one behind them */
static void expect_reply(struct session_fixture *fixture,
			 const struct frontend_log *log, uint32_t size_bytes)
{
	struct frontend_reply reply;

	ok(frontend_receive(&fixture->frontend, &reply));
	assert_int_equal(reply.header.request, VHB_SET_LOG_BASE);
	assert_int_equal(reply.header.flags, 5);
	assert_int_equal(reply.header.size_bytes, size_bytes);
	assert_int_equal(reply.fd_count, 0);
	if (size_bytes == 8) {
		assert_int_equal(reply.payload.u64, 0);
	} else {
		assert_int_equal(reply.payload.log.size_bytes,
				 log->size_bytes);
		assert_int_equal(reply.payload.log.offset_bytes,
				 log->offset_bytes);
	}
	ok(frontend_expect_silence(&fixture->frontend, 20));
	fixture_expect_alive(fixture);
}

static void check_reply(struct session_fixture *fixture, bool is_owner_first,
			bool needs_reply, uint64_t protocol_features,
			uint32_t size_bytes)
{
	struct frontend *frontend = &fixture->frontend;
	struct frontend_log log;
	uint64_t mask;

	fixture_connect(fixture);
	frontend_log_open(&log, LOG_BYTES + 1, 8, 3);
	if (is_owner_first)
		ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	ok(frontend_set_protocol_features(frontend, protocol_features));
	frontend->need_reply = needs_reply;
	if (!is_owner_first)
		ok(frontend_set_owner(frontend));
	ok(frontend_set_features(frontend, LOG_FEATURES | LOG_ALL));
	fixture_declare_memory(fixture);
	fixture_start_vring(fixture, 0);
	send_log(fixture, &log);
	expect_reply(fixture, &log, size_bytes);
	fixture_disconnect(fixture);
	frontend_log_close(&log);
	free(recorder_take(fixture->recorder));
}

#define WITHOUT_REPLY_ACK (LOG_PROTOCOL_FEATURES & ~FIXTURE_REPLY_ACK)

/* QEMU: eight bytes, as libvhost-user and DPDK answer it */
static void who_asks_first_gets_eight_bytes(void **state)
{
	check_reply(*state, false, false, LOG_PROTOCOL_FEATURES, 8);
	check_reply(*state, false, false, WITHOUT_REPLY_ACK, 8);
}

/* Cloud Hypervisor: NEED_REPLY on everything, and SET_OWNER first */
static void who_comes_as_owner_gets_sixteen_bytes(void **state)
{
	check_reply(*state, true, true, LOG_PROTOCOL_FEATURES, 16);
	check_reply(*state, true, false, LOG_PROTOCOL_FEATURES, 16);
	check_reply(*state, true, false, WITHOUT_REPLY_ACK, 16);
	check_reply(*state, false, true, LOG_PROTOCOL_FEATURES, 16);
	/* Not negotiated, so the flag says nothing. */
	check_reply(*state, false, true, WITHOUT_REPLY_ACK, 8);
}

static void the_operator_knows_better(void **state)
{
	struct session_fixture *fixture = *state;

	fixture->log_reply_bytes = 8;
	check_reply(fixture, true, true, LOG_PROTOCOL_FEATURES, 8);
	check_reply(fixture, true, false, WITHOUT_REPLY_ACK, 8);
	fixture->log_reply_bytes = 16;
	check_reply(fixture, false, false, LOG_PROTOCOL_FEATURES, 16);
	check_reply(fixture, false, true, LOG_PROTOCOL_FEATURES, 16);
}

/* Whatever was sent would be taken for success. */
static void a_refusal_without_words_closes(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend_log log;

	log_start(fixture, LOG_FEATURES | LOG_ALL, 1);
	frontend_log_open(&log, LOG_BYTES - 1, 0, 0);
	send_log(fixture, &log);
	fixture_expect_ended(fixture);
	free(recorder_take(fixture->recorder));

	/* Eight bytes can tell of it, to one that asked. */
	fixture->log_reply_bytes = 8;
	log_start(fixture, LOG_FEATURES | LOG_ALL, 1);
	assert_int_equal(set_log(fixture, &log), -EREMOTEIO);
	fixture_expect_alive(fixture);
	fixture->frontend.need_reply = false;
	send_log(fixture, &log);
	fixture_expect_ended(fixture);
	frontend_log_close(&log);
}

/* Without LOG_SHMFD the log is in the front-end, where we do not reach. */
static void a_log_in_the_front_end_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	const uint64_t address = 0x7f0000000000;
	const uint64_t protocol_features =
		LOG_PROTOCOL_FEATURES & ~vhb_bit(VHB_PROTOCOL_F_LOG_SHMFD);

	fixture_connect(fixture);
	frontend->need_reply = true;
	fixture_negotiate(fixture, LOG_FEATURES | LOG_ALL, protocol_features);
	fixture_declare_memory(fixture);
	fixture_start_vring(fixture, 0);
	assert_int_equal(frontend_tell(frontend, VHB_SET_LOG_BASE, &address,
				       sizeof(address), NULL, 0), -EREMOTEIO);
	assert_int_equal(frontend_tell(frontend, VHB_SET_LOG_FD, NULL, 0,
				       &fixture->call_fds[0], 1), -EREMOTEIO);
	fixture_expect_alive(fixture);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void a_device_without_a_log_has_none(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask;

	recorder_set_features(fixture->recorder, FIXTURE_FEATURES);
	recorder_set_protocol_features(fixture->recorder, 0);
	fixture_connect(fixture);
	frontend->need_reply = true;
	ok(frontend_get_features(frontend, &mask));
	assert_false(vhb_has_bit(mask, VHOST_F_LOG_ALL));
	ok(frontend_get_protocol_features(frontend, &mask));
	assert_false(vhb_has_bit(mask, VHB_PROTOCOL_F_LOG_SHMFD));
	assert_false(vhb_has_bit(mask, VHB_PROTOCOL_F_RARP));
	ok(frontend_set_protocol_features(frontend, FIXTURE_REPLY_ACK));
	assert_int_equal(frontend_set_features(frontend, LOG_ALL), -EREMOTEIO);
	assert_int_equal(set_ring_log(fixture, 0, true, 0), -EREMOTEIO);
}

static void a_rarp_goes_out(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	static const uint8_t group[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct session_fixture *fixture = *state;

	log_start(fixture, LOG_FEATURES, 1);
	ok(frontend_send_rarp(&fixture->frontend, mac));
	assert_int_equal(frontend_send_rarp(&fixture->frontend, group),
			 -EREMOTEIO);
	fixture_expect_calls(fixture,
			     "SEND_RARP 52:54:00:12:34:56\n"
			     "SEND_RARP ff:ff:ff:ff:ff:ff = EINVAL\n");
}

/* QEMU asks for no reply when its guest has moved: it must not lose its device. */
static void a_rarp_that_fails_harms_nobody(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	struct session_fixture *fixture = *state;

	log_start(fixture, LOG_FEATURES, 1);
	fixture->frontend.need_reply = false;
	recorder_fail_named(fixture->recorder, "SEND_RARP", ENETDOWN, 1);
	ok(frontend_send_rarp(&fixture->frontend, mac));
	fixture_expect_alive(fixture);
	fixture_expect_calls(fixture, "SEND_RARP 52:54:00:12:34:56 = ENETDOWN\n");
	assert_true(recorder_is_running(fixture->recorder, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_fixture_test(who_asks_first_gets_eight_bytes),
		log_fixture_test(who_comes_as_owner_gets_sixteen_bytes),
		log_fixture_test(the_operator_knows_better),
		log_fixture_test(a_refusal_without_words_closes),
		log_fixture_test(a_log_in_the_front_end_is_refused),
		log_fixture_test(a_device_without_a_log_has_none),
		log_fixture_test(a_rarp_goes_out),
		log_fixture_test(a_rarp_that_fails_harms_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
