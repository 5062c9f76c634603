// SPDX-License-Identifier: GPL-2.0-or-later
/* Kicks, calls and errors as messages instead of eventfds */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/inband_channel.h"
#include "lib/refusal.h"
#include "lib/session_fixture.h"

#define ok(call) assert_int_equal(call, 0)

#define INBAND (UINT64_C(1) << VHB_PROTOCOL_F_INBAND_NOTIFICATIONS)
#define BACKEND_REQ (UINT64_C(1) << VHB_PROTOCOL_F_BACKEND_REQ)
#define FEATURES (FIXTURE_VERSION_1 | FIXTURE_BIT30)
#define WAIT_MS 5000
#define SILENCE_MS 100

/* A vring as it starts without a descriptor of the front-end */
#define INBAND_START_LINES(i) \
	"SET_VRING_NUM " #i " 256\n" \
	"SET_VRING_BASE " #i " 0\n" \
	FIXTURE_ADDR_LINE(i) \
	"SET_VRING_KICK " #i " eventfd\n" \
	"SET_VRING_ERR " #i " eventfd\n" \
	"SET_VRING_CALL " #i " eventfd\n" \
	"START " #i "\n"

static void begin(struct session_fixture *fixture)
{
	fixture->protocol_features_mask = INBAND;
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, FEATURES, FIXTURE_PROTOCOL_FEATURES | INBAND);
	fixture_declare_memory(fixture);
}

/* All it needs but a kick */
static void set_up_vring(struct session_fixture *fixture, unsigned int index)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(index);
	struct frontend *frontend = &fixture->frontend;

	ok(frontend_set_vring_num(frontend, index, FIXTURE_VRING_NUM));
	ok(frontend_set_vring_base(frontend, index, 0));
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_enable(frontend, index, true));
}

static int give_channel(struct session_fixture *fixture)
{
	int fd = inband_channel_give(&fixture->frontend);

	assert_true(fd >= 0);
	return fd;
}

/* Returns the front-end's end of the channel */
static int start(struct session_fixture *fixture, unsigned int vring_count)
{
	int fd;

	begin(fixture);
	fd = give_channel(fixture);
	for (unsigned int i = 0; i < vring_count; i++) {
		set_up_vring(fixture, i);
		ok(inband_kick(&fixture->frontend, i));
	}
	fixture_forget_calls(fixture);
	assert_int_equal(recorder_running(fixture->recorder), vring_count);
	return fd;
}

static void kernel_calls(struct session_fixture *fixture, unsigned int index)
{
	ok(eventfd_write(recorder_call_fd(fixture->recorder, index), 1));
}

static void kernel_finds_error(struct session_fixture *fixture,
			       unsigned int index)
{
	ok(eventfd_write(recorder_err_fd(fixture->recorder, index), 1));
}

static void expect_message(int fd, uint32_t request, unsigned int index,
			   struct inband_message *message)
{
	ok(inband_channel_receive(fd, WAIT_MS, message));
	assert_int_equal(message->header.request, request);
	assert_int_equal(message->header.flags, REFUSAL_NEED_REPLY);
	assert_int_equal(message->state.index, index);
}

static void expect_call(int fd, unsigned int index)
{
	struct inband_message message;

	expect_message(fd, VHB_BACKEND_VRING_CALL, index, &message);
	ok(inband_channel_answer(fd, &message, 0));
}

static void expect_silence(int fd)
{
	ok(inband_channel_silence(fd, SILENCE_MS));
}

/* The kicks the kernel has not seen: it never reads them, but looks */
static unsigned int kick_count(struct session_fixture *fixture,
			       unsigned int index)
{
	eventfd_t count = 0;

	fixture_expect_alive(fixture);
	eventfd_read(recorder_kick_fd(fixture->recorder, index), &count);
	return count;
}

static void offered_only_when_asked_for(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t mask;

	fixture_connect(fixture);
	ok(frontend_get_protocol_features(&fixture->frontend, &mask));
	assert_int_equal(mask, FIXTURE_PROTOCOL_FEATURES);
	fixture_disconnect(fixture);
	fixture->protocol_features_mask = INBAND;
	fixture_connect(fixture);
	ok(frontend_get_protocol_features(&fixture->frontend, &mask));
	assert_int_equal(mask, FIXTURE_PROTOCOL_FEATURES | INBAND);
}

/* Also when it asks for a reply: there is none for this error. */
static void without_channel_or_replies_the_connection_closes(void **state)
{
	struct session_fixture *fixture = *state;
	const uint64_t masks[] = {
		INBAND, INBAND | BACKEND_REQ, INBAND | FIXTURE_REPLY_ACK,
	};

	fixture->protocol_features_mask = INBAND;
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(masks); i++) {
		fixture_connect(fixture);
		ok(frontend_set_protocol_features(&fixture->frontend,
						  FIXTURE_REPLY_ACK));
		ok(frontend_send(&fixture->frontend, VHB_SET_PROTOCOL_FEATURES,
				 REFUSAL_NEED_REPLY, &masks[i],
				 sizeof(masks[i]), NULL, 0));
		fixture_expect_ended(fixture);
	}
}

static void kick_needs_the_feature(void **state)
{
	struct session_fixture *fixture = *state;

	fixture->protocol_features_mask = INBAND;
	refusal_begin(fixture);
	refusal_expect_state(fixture, VHB_VRING_KICK, 0, 0);
}

static void kick_is_well_formed(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_state state_of_1 = { 1, 1 };
	struct frontend *frontend = &fixture->frontend;
	int fd = start(fixture, 1);

	assert_int_equal(frontend_tell(frontend, VHB_VRING_KICK, &state_of_1,
				       sizeof(state_of_1), NULL, 0),
			 -EREMOTEIO);
	assert_int_equal(inband_kick(frontend, FIXTURE_VRING_COUNT),
			 -EREMOTEIO);
	assert_int_equal(frontend_tell(frontend, VHB_VRING_KICK, &state_of_1, 4,
				       NULL, 0), -EREMOTEIO);
	fixture_expect_calls(fixture, "");
	close(fd);
}

static void kick_starts_a_vring(void **state)
{
	struct session_fixture *fixture = *state;

	begin(fixture);
	set_up_vring(fixture, 0);
	fixture_expect_calls(fixture, "");
	ok(inband_kick(&fixture->frontend, 0));
	fixture_expect_calls(fixture, "SET_OWNER\n"
				      "SET_FEATURES 0x100000000\n"
				      FIXTURE_TABLE_LINE
				      INBAND_START_LINES(0));
	assert_int_equal(kick_count(fixture, 0), 1);
	ok(inband_kick(&fixture->frontend, 0));
	ok(inband_kick(&fixture->frontend, 0));
	fixture_expect_calls(fixture, "");
	assert_int_equal(kick_count(fixture, 0), 2);
}

static void kick_before_enable_is_kept(void **state)
{
	struct session_fixture *fixture = *state;

	begin(fixture);
	ok(inband_kick(&fixture->frontend, 0));
	assert_int_equal(recorder_running(fixture->recorder), 0);
	set_up_vring(fixture, 0);
	assert_true(recorder_is_running(fixture->recorder, 0));
	assert_int_equal(kick_count(fixture, 0), 1);
	/* Disabled for a while */
	ok(frontend_set_vring_enable(&fixture->frontend, 0, false));
	ok(inband_kick(&fixture->frontend, 0));
	assert_int_equal(recorder_running(fixture->recorder), 0);
	ok(frontend_set_vring_enable(&fixture->frontend, 0, true));
	assert_int_equal(kick_count(fixture, 0), 1);
}

static void no_kick_descriptor_means_in_band(void **state)
{
	struct session_fixture *fixture = *state;

	begin(fixture);
	set_up_vring(fixture, 0);
	ok(frontend_set_vring_kick(&fixture->frontend, 0, -1));
	assert_true(recorder_is_running(fixture->recorder, 0));
	assert_int_equal(kick_count(fixture, 0), 1);
	ok(inband_kick(&fixture->frontend, 0));
	assert_int_equal(kick_count(fixture, 0), 1);
}

static void the_front_ends_descriptors_come_first(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct pollfd pollfd = {
		.fd = fixture->kick_fds[0], .events = POLLIN,
	};
	int fd = start(fixture, 1);

	ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
	ok(frontend_set_vring_call(frontend, 0, fixture->call_fds[0]));
	ok(frontend_set_vring_err(frontend, 0, fixture->call_fds[1]));
	fixture_expect_calls(fixture, "SET_VRING_KICK 0 kick0\n"
				      "SET_VRING_CALL 0 call0\n"
				      "SET_VRING_ERR 0 call1\n");
	/* A message kicks it all the same. */
	ok(inband_kick(frontend, 0));
	assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
	expect_silence(fd);
	/* And back: the new way of calls begins with one. */
	ok(frontend_set_vring_call(frontend, 0, -1));
	ok(frontend_set_vring_err(frontend, 0, -1));
	fixture_expect_calls(fixture, "SET_VRING_CALL 0 eventfd\n"
				      "SET_VRING_ERR 0 eventfd\n");
	expect_call(fd, 0);
	expect_silence(fd);
	close(fd);
}

static void without_the_feature_no_descriptor_means_none(void **state)
{
	struct session_fixture *fixture = *state;

	fixture->protocol_features_mask = INBAND;
	fixture_start(fixture, 1);
	ok(frontend_set_vring_call(&fixture->frontend, 0, -1));
	ok(frontend_set_vring_kick(&fixture->frontend, 0, -1));
	fixture_expect_calls(fixture, "SET_VRING_CALL 0 none\nSTOP 0\n");
}

static void a_call_becomes_a_message(void **state)
{
	struct session_fixture *fixture = *state;
	int fd = start(fixture, 2);

	expect_silence(fd);
	for (unsigned int i = 0; i < 20; i++) {
		kernel_calls(fixture, i % 2);
		expect_call(fd, i % 2);
	}
	expect_silence(fd);
	close(fd);
}

static void an_error_becomes_a_message(void **state)
{
	struct session_fixture *fixture = *state;
	struct inband_message message;
	int fd = start(fixture, 2);

	kernel_finds_error(fixture, 1);
	expect_message(fd, VHB_BACKEND_VRING_ERR, 1, &message);
	/* User-Mode Linux does not know it. */
	ok(inband_channel_answer(fd, &message, 1));
	kernel_calls(fixture, 0);
	expect_call(fd, 0);
	close(fd);
}

/* One message at a time; many signals are one, of each vring. */
static void calls_wait_for_the_reply(void **state)
{
	struct session_fixture *fixture = *state;
	struct inband_message message;
	int fd = start(fixture, 2);

	kernel_calls(fixture, 0);
	expect_message(fd, VHB_BACKEND_VRING_CALL, 0, &message);
	for (unsigned int i = 0; i < 100; i++) {
		kernel_calls(fixture, 0);
		kernel_calls(fixture, 1);
	}
	expect_silence(fd);
	ok(inband_channel_answer(fd, &message, 0));
	/* The other one first: none starves another. */
	expect_call(fd, 1);
	expect_call(fd, 0);
	expect_silence(fd);
	kernel_calls(fixture, 1);
	expect_call(fd, 1);
	close(fd);
}

/* What comes byte by byte is a reply too. */
static void reply_in_pieces(void **state)
{
	struct session_fixture *fixture = *state;
	const uint8_t reply[20] = { 4, 0, 0, 0, 5, 0, 0, 0, 8 };
	struct inband_message message;
	int fd = start(fixture, 1);

	kernel_calls(fixture, 0);
	expect_message(fd, VHB_BACKEND_VRING_CALL, 0, &message);
	kernel_calls(fixture, 0);
	for (unsigned int i = 0; i < sizeof(reply); i++) {
		fixture_expect_alive(fixture);
		expect_silence(fd);
		assert_int_equal(send(fd, &reply[i], 1, MSG_NOSIGNAL), 1);
	}
	expect_call(fd, 0);
	close(fd);
}

static void calls_before_the_channel_are_kept(void **state)
{
	struct session_fixture *fixture = *state;
	int fd;

	begin(fixture);
	set_up_vring(fixture, 0);
	ok(inband_kick(&fixture->frontend, 0));
	fixture_expect_alive(fixture);
	kernel_calls(fixture, 0);
	fixture_expect_alive(fixture);
	fd = give_channel(fixture);
	expect_call(fd, 0);
	expect_silence(fd);
	close(fd);
}

static void a_new_channel_gets_what_was_not_answered(void **state)
{
	struct session_fixture *fixture = *state;
	struct inband_message message;
	unsigned int told_mask = 0;
	int old = start(fixture, 2);
	int new;

	kernel_calls(fixture, 0);
	expect_message(old, VHB_BACKEND_VRING_CALL, 0, &message);
	kernel_calls(fixture, 1);
	new = give_channel(fixture);
	for (unsigned int i = 0; i < 2; i++) {
		ok(inband_channel_receive(new, WAIT_MS, &message));
		told_mask |= 1u << message.state.index;
		ok(inband_channel_answer(new, &message, 0));
	}
	assert_int_equal(told_mask, 3);
	expect_silence(new);
	assert_int_equal(inband_channel_receive(old, WAIT_MS, &message),
			 -ECONNRESET);
	close(old);
	close(new);
}

/* As the specification has it of a device that is suspended */
static void a_call_before_the_stop_comes_before_the_base(void **state)
{
	struct session_fixture *fixture = *state;
	struct inband_message message;
	unsigned int base;
	int fd = start(fixture, 2);

	kernel_calls(fixture, 1);
	expect_message(fd, VHB_BACKEND_VRING_CALL, 1, &message);
	kernel_calls(fixture, 0);
	ok(frontend_get_vring_base(&fixture->frontend, 0, &base));
	/* There already, though the one before is not answered */
	ok(inband_channel_receive(fd, 0, &message));
	assert_int_equal(message.header.request, VHB_BACKEND_VRING_CALL);
	assert_int_equal(message.header.flags, VHB_FLAG_VERSION);
	assert_int_equal(message.state.index, 0);
	ok(frontend_get_vring_base(&fixture->frontend, 1, &base));
	ok(inband_channel_answer(fd, &message, 0));
	expect_silence(fd);
	fixture_expect_calls(fixture, "STOP 0\nSTOP 1\n");
	/* The next kick starts it again, where it was. */
	ok(inband_kick(&fixture->frontend, 0));
	assert_true(recorder_is_running(fixture->recorder, 0));
	close(fd);
}

static void a_call_before_the_end_is_told(void **state)
{
	struct session_fixture *fixture = *state;
	struct inband_message message;
	int fd = start(fixture, 1);

	kernel_calls(fixture, 0);
	expect_message(fd, VHB_BACKEND_VRING_CALL, 0, &message);
	kernel_calls(fixture, 0);
	fixture_disconnect(fixture);
	ok(inband_channel_receive(fd, WAIT_MS, &message));
	assert_int_equal(inband_channel_receive(fd, WAIT_MS, &message),
			 -ECONNRESET);
	close(fd);
}

/* Bad replies, and a channel that is closed, end the calls and nothing else. */
static void a_front_end_that_answers_nonsense_harms_itself(void **state)
{
	struct session_fixture *fixture = *state;
	const uint8_t replies[][20] = {
		{ 5, 0, 0, 0, 5, 0, 0, 0, 8 },
		{ 4, 0, 0, 0, 1, 0, 0, 0, 8 },
		{ 4, 0, 0, 0, 5, 0, 0, 0, 9 },
	};
	struct inband_message message;
	int old, fd = start(fixture, 2);

	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(replies); i++) {
		kernel_calls(fixture, 0);
		expect_message(fd, VHB_BACKEND_VRING_CALL, 0, &message);
		assert_int_equal(send(fd, replies[i], 20, MSG_NOSIGNAL), 20);
		kernel_calls(fixture, 1);
		fixture_expect_alive(fixture);
		expect_silence(fd);
		/* A new channel is a new beginning. */
		old = fd;
		fd = give_channel(fixture);
		close(old);
		for (unsigned int j = 0; j < 2; j++) {
			ok(inband_channel_receive(fd, WAIT_MS, &message));
			ok(inband_channel_answer(fd, &message, 0));
		}
		expect_silence(fd);
	}
	close(fd);
	for (unsigned int i = 0; i < 4; i++) {
		kernel_calls(fixture, i % 2);
		fixture_expect_alive(fixture);
	}
	assert_int_equal(recorder_running(fixture->recorder), 2);
}

static size_t fill(int fd)
{
	const uint8_t junk[4096] = { 0 };
	size_t bytes = 0;
	ssize_t length;

	while ((length = send(fd, junk, sizeof(junk), MSG_DONTWAIT)) > 0)
		bytes += length;
	return bytes;
}

/* Full of what it has not read, a front-end finds its calls when it has. */
static void calls_wait_for_room(void **state)
{
	struct session_fixture *fixture = *state;
	int fds[2], old = start(fixture, 1);
	uint8_t junk[4096];
	ssize_t length;
	size_t bytes;

	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ok(frontend_tell(&fixture->frontend, VHB_SET_BACKEND_REQ_FD, NULL, 0,
			 &fds[1], 1));
	bytes = fill(fds[1]);
	for (unsigned int i = 0; i < 10; i++) {
		kernel_calls(fixture, 0);
		fixture_expect_alive(fixture);
	}
	while (bytes) {
		length = recv(fds[0], junk, bytes < sizeof(junk) ?
			      bytes : sizeof(junk), 0);
		assert_true(length > 0);
		bytes -= length;
	}
	expect_call(fds[0], 0);
	expect_silence(fds[0]);
	close(fds[0]);
	close(fds[1]);
	close(old);
}

static void a_kernel_that_refuses_leaves_all_as_it_was(void **state)
{
	static const char * const names[] = {
		"SET_VRING_KICK", "SET_VRING_ERR", "SET_VRING_CALL", "START",
	};
	struct session_fixture *fixture = *state;

	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(names); i++) {
		begin(fixture);
		set_up_vring(fixture, 0);
		recorder_fail_named(fixture->recorder, names[i], EINVAL, 1);
		assert_int_equal(inband_kick(&fixture->frontend, 0),
				 -EREMOTEIO);
		assert_int_equal(recorder_running(fixture->recorder), 0);
		ok(inband_kick(&fixture->frontend, 0));
		assert_int_equal(recorder_running(fixture->recorder), 1);
		fixture_disconnect(fixture);
	}
}

/* virtio_uml with the feature: no SET_VRING_KICK, no SET_VRING_CALL */
static void uml_binds_the_driver_again(void **state)
{
	struct session_fixture *fixture = *state;
	int fd = start(fixture, 2);

	for (unsigned int i = 2; i-- > 0;)
		ok(frontend_set_vring_enable(&fixture->frontend, i, false));
	fixture_expect_calls(fixture, "STOP 1\nSTOP 0\n");
	ok(frontend_set_features(&fixture->frontend, FEATURES));
	fixture_declare_memory(fixture);
	for (unsigned int i = 0; i < 2; i++)
		set_up_vring(fixture, i);
	ok(inband_kick(&fixture->frontend, 0));
	assert_int_equal(recorder_running(fixture->recorder), 2);
	kernel_calls(fixture, 1);
	expect_call(fd, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(offered_only_when_asked_for),
		fixture_test(without_channel_or_replies_the_connection_closes),
		fixture_test(kick_needs_the_feature),
		fixture_test(kick_is_well_formed),
		fixture_test(kick_starts_a_vring),
		fixture_test(kick_before_enable_is_kept),
		fixture_test(no_kick_descriptor_means_in_band),
		fixture_test(the_front_ends_descriptors_come_first),
		fixture_test(without_the_feature_no_descriptor_means_none),
		fixture_test(a_call_becomes_a_message),
		fixture_test(an_error_becomes_a_message),
		fixture_test(calls_wait_for_the_reply),
		fixture_test(reply_in_pieces),
		fixture_test(calls_before_the_channel_are_kept),
		fixture_test(a_new_channel_gets_what_was_not_answered),
		fixture_test(a_call_before_the_stop_comes_before_the_base),
		fixture_test(a_call_before_the_end_is_told),
		fixture_test(a_front_end_that_answers_nonsense_harms_itself),
		fixture_test(calls_wait_for_room),
		fixture_test(a_kernel_that_refuses_leaves_all_as_it_was),
		fixture_test(uml_binds_the_driver_again),
	};

	return cmocka_run_group_tests_name("in-band", tests, NULL, NULL);
}
