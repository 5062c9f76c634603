// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Front-ends that stop halfway, say nothing, do not read or never stop: each is
 * borne as long as that harms nobody, and no longer.
 */
#include <errno.h>
#include <poll.h>

#include <sys/socket.h>

#include "session/patience.h"
#include "session/server_fixture.h"
#include "wire/protocol.h"
#include "wire/socket.h"

#define PATIENCE_MS 300
/* Somebody who was to be shown the door would be gone by then. */
#define LONG_MS (5 * PATIENCE_MS)
/* More than any queue of front-ends that wait */
#define CROWD 64
/* More than the replies that fit a socket */
#define QUESTIONS 20000

static void pause_ms(unsigned int ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000,
					.tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

static int setup_impatient(void **state)
{
	int ret = setup(state);

	((struct fixture *)*state)->config.patience_ms = PATIENCE_MS;
	return ret;
}

static void say_part(struct frontend *frontend, size_t start_bytes,
		     size_t size_bytes)
{
	static const struct vhb_wire_header question = {
		.request = VHB_GET_FEATURES,
		.flags = VHB_FLAG_VERSION,
	};

	ok(frontend_send_bytes(frontend,
			       (const uint8_t *)&question + start_bytes,
			       size_bytes, NULL, 0));
}

static void expect_answer(struct frontend *frontend)
{
	ok(frontend_receive_reply(frontend, VHB_GET_FEATURES, NULL, 8));
}

/* What is left of it is none of its memory and none of its descriptors. */
static void half_a_message_is_not_waited_for(void **state)
{
	struct fixture *fixture = *state;
	struct frontend first, second;
	struct log_capture log;
	int fds[8];
	unsigned int i;

	for (i = 0; i < 8; i++)
		fds[i] = fixture->stop_fd;
	start(fixture);
	come(fixture, &first);
	expect_served(&first);
	come(fixture, &second);
	log_capture_begin(&log);
	ok(frontend_send_bytes(&first, "\1\0\0\0\1\0", 6, fds, 8));
	ok(frontend_expect_closed(&first));
	expect_served(&second);
	log_capture_end(&log);
	assert_int_equal(log_capture_count(&log, "not complete after 300 ms"),
			 1);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	frontend_close(&first);
	frontend_close(&second);
	stop(fixture);
}

static void a_header_without_its_payload_is_not_waited_for(void **state)
{
	static const struct vhb_wire_header header = {
		.request = VHB_SET_FEATURES,
		.flags = VHB_FLAG_VERSION,
		.size_bytes = 8,
	};
	struct fixture *fixture = *state;
	struct frontend frontend;

	start(fixture);
	come(fixture, &frontend);
	ok(frontend_send_bytes(&frontend, &header, sizeof(header), NULL, 0));
	ok(frontend_expect_closed(&frontend));
	frontend_close(&frontend);
	stop(fixture);
}

/* A byte now and then is not enough. */
static void a_message_in_drops_is_not_waited_for(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	unsigned int i;

	start(fixture);
	come(fixture, &frontend);
	expect_served(&frontend);
	for (i = 0; i < 11; i++) {
		pause_ms(PATIENCE_MS / 3);
		if (frontend_send_bytes(&frontend, &"\1\0\0\0\1\0\0\0\0\0\0\0"[i],
					1, NULL, 0))
			break;
	}
	assert_in_range(i, 1, 10);
	frontend_close(&frontend);
	stop(fixture);
}

/* Each has its own time, however often the time of one has passed in all. */
static void messages_in_two_parts_are_served(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	unsigned int i;

	fixture->config.patience_ms = 10 * PATIENCE_MS;
	start(fixture);
	come(fixture, &frontend);
	for (i = 0; i < 12; i++) {
		say_part(&frontend, 0, 5);
		pause_ms(PATIENCE_MS);
		say_part(&frontend, 5, sizeof(struct vhb_wire_header) - 5);
		expect_answer(&frontend);
	}
	frontend_close(&frontend);
	stop(fixture);
}

/* A virtual machine that runs, or is stopped: its reply may wait, too. */
static void one_that_has_spoken_may_be_silent(void **state)
{
	struct fixture *fixture = *state;
	struct frontend first, second;
	struct log_capture log;

	start(fixture);
	come(fixture, &first);
	expect_served(&first);
	come(fixture, &second);
	log_capture_begin(&log);
	say_part(&first, 0, sizeof(struct vhb_wire_header));
	pause_ms(LONG_MS);
	expect_answer(&first);
	expect_served(&first);
	frontend_close(&first);
	expect_served(&second);
	log_capture_end(&log);
	assert_string_equal(log.text, "");
	frontend_close(&second);
	stop(fixture);
}

static void one_that_never_spoke_gives_way(void **state)
{
	struct fixture *fixture = *state;
	struct frontend first, second;
	struct log_capture log;

	start(fixture);
	come(fixture, &first);
	pause_ms(LONG_MS);
	log_capture_begin(&log);
	come(fixture, &second);
	expect_served(&second);
	log_capture_end(&log);
	ok(frontend_expect_closed(&first));
	assert_int_equal(log_capture_count(&log, "another front-end waits"), 1);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	frontend_close(&first);
	frontend_close(&second);
	stop(fixture);
}

static void one_that_never_spoke_may_stay_alone(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;

	start(fixture);
	come(fixture, &frontend);
	pause_ms(LONG_MS);
	expect_served(&frontend);
	frontend_close(&frontend);
	stop(fixture);
}

/* Ask until there is no room even for questions; the number of them */
static unsigned int ask_until_full(struct frontend *frontend)
{
	const struct vhb_wire_header question = {
		.request = VHB_GET_FEATURES,
		.flags = VHB_FLAG_VERSION,
	};
	struct pollfd pollfd = { .fd = frontend->fd, .events = POLLOUT };
	unsigned int count;
	ssize_t sent;

	for (count = 0; count < QUESTIONS; count++) {
		if (poll(&pollfd, 1, SILENCE_MS) != 1)
			return count;
		sent = send(frontend->fd, &question, sizeof(question),
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0)
			return count;
		assert_int_equal(sent, sizeof(question));
	}
	fail_msg("%u questions and no reply was read", count);
	return count;
}

/* It may be stopped in a debugger; what it asked is all answered afterwards. */
static void one_that_does_not_read_may_stay_alone(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	unsigned int count;

	start(fixture);
	come(fixture, &frontend);
	count = ask_until_full(&frontend);
	print_message("# %u questions\n", count);
	pause_ms(VHB_PATIENCE_REPLY_FACTOR * PATIENCE_MS + LONG_MS);
	while (count--)
		expect_answer(&frontend);
	expect_served(&frontend);
	frontend_close(&frontend);
	stop(fixture);
}

static void one_that_does_not_read_gives_way(void **state)
{
	struct fixture *fixture = *state;
	struct frontend first, second;
	struct log_capture log;

	start(fixture);
	come(fixture, &first);
	ask_until_full(&first);
	log_capture_begin(&log);
	come(fixture, &second);
	expect_served(&second);
	log_capture_end(&log);
	assert_int_equal(log_capture_count(&log, "replies were not read"), 1);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	frontend_close(&first);
	frontend_close(&second);
	stop(fixture);
}

static void one_that_does_not_read_does_not_keep_the_server_from_ending(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;

	start(fixture);
	come(fixture, &frontend);
	ask_until_full(&frontend);
	stop(fixture);
	frontend_close(&frontend);
}

struct flood {
	struct frontend frontend;
	unsigned int count;
};

static void *flood(void *argument)
{
	struct flood *flood = argument;
	uint64_t mask;

	while (!frontend_get_features(&flood->frontend, &mask))
		flood->count++;
	return NULL;
}

/* Messages without a pause: the server still hears that it is to end. */
static void a_flood_of_messages_does_not_keep_the_server_from_ending(void **state)
{
	struct fixture *fixture = *state;
	struct flood flooding = { 0 };
	struct timespec before, after;
	pthread_t thread;

	start(fixture);
	come(fixture, &flooding.frontend);
	ok(pthread_create(&thread, NULL, flood, &flooding));
	pause_ms(PATIENCE_MS);
	clock_gettime(CLOCK_MONOTONIC, &before);
	stop(fixture);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec <= 1);
	ok(pthread_join(thread, NULL));
	assert_true(flooding.count > 10);
	frontend_close(&flooding.frontend);
}

/* They wait in the kernel, which lets in no more than a few. */
static void a_crowd_waits_outside(void **state)
{
	struct fixture *fixture = *state;
	struct frontend first, next;
	int fds[CROWD];
	unsigned int count, i;

	start(fixture);
	come(fixture, &first);
	expect_served(&first);
	for (count = 0; count < CROWD; count++) {
		fds[count] = vhb_socket_connect(fixture->path);
		if (fds[count] < 0)
			break;
	}
	print_message("# %u wait\n", count);
	assert_in_range(count, 1, 32);
	assert_int_equal(fds[count], -EAGAIN);
	expect_served(&first);
	frontend_close(&first);
	for (i = 0; i < count; i++) {
		frontend_adopt(&next, fds[i], TIMEOUT_MS);
		expect_served(&next);
		frontend_close(&next);
	}
	stop(fixture);
}

#define patience_test(function) \
	cmocka_unit_test_setup_teardown(function, setup_impatient, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		patience_test(half_a_message_is_not_waited_for),
		patience_test(a_header_without_its_payload_is_not_waited_for),
		patience_test(a_message_in_drops_is_not_waited_for),
		patience_test(messages_in_two_parts_are_served),
		patience_test(one_that_has_spoken_may_be_silent),
		patience_test(one_that_never_spoke_gives_way),
		patience_test(one_that_never_spoke_may_stay_alone),
		patience_test(one_that_does_not_read_may_stay_alone),
		patience_test(one_that_does_not_read_gives_way),
		patience_test(one_that_does_not_read_does_not_keep_the_server_from_ending),
		patience_test(a_flood_of_messages_does_not_keep_the_server_from_ending),
		patience_test(a_crowd_waits_outside),
	};

	return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
