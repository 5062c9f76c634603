// SPDX-License-Identifier: GPL-2.0-or-later
/* --connect: the front-end listens, and the server comes to it. */
#include <errno.h>
#include <fcntl.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "session/server_fixture.h"
#include "wire/socket.h"

/* Long enough for an attempt or two in vain */
#define ABSENCE_MS 300
/* A server that does not pause comes thousands of times meanwhile. */
#define WATCH_MS 2000
#define COMINGS_MAX 8
/* One that lasted as long was a good one, see connector.c */
#define GOOD_MS 1100

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(unsigned int ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000,
					.tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

static int setup_client(void **state)
{
	int ret = setup(state);

	((struct fixture *)*state)->config.is_client = true;
	return ret;
}

static int listen_there(struct fixture *fixture)
{
	int fd = vhb_socket_listen(fixture->path);

	assert_true(fd >= 0);
	return fd;
}

/* Returns -1 when nobody came */
static int accept_within(int listen_fd, unsigned int ms)
{
	struct pollfd pollfd = { .fd = listen_fd, .events = POLLIN };
	int fd;

	if (poll(&pollfd, 1, ms) != 1)
		return -1;
	fd = vhb_socket_accept(listen_fd);
	assert_true(fd >= 0);
	return fd;
}

static void accept_server(int listen_fd, struct frontend *frontend)
{
	int fd = accept_within(listen_fd, TIMEOUT_MS);

	assert_true(fd >= 0);
	frontend_adopt(frontend, fd, TIMEOUT_MS);
}

static void a_front_end_that_listens_is_served(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	struct log_capture log;
	int fd = listen_there(fixture);

	log_capture_begin(&log);
	start(fixture);
	accept_server(fd, &frontend);
	expect_served(&frontend);
	stop(fixture);
	log_capture_end(&log);
	assert_string_equal(log.text, "");
	ok(frontend_expect_closed(&frontend));
	frontend_close(&frontend);
	/* Its own, not ours to remove */
	ok(access(fixture->path, F_OK));
	close(fd);
}

/* And says so once, and once more when the waiting is over */
static void one_that_does_not_listen_yet_is_waited_for(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	struct log_capture log;
	int fd;

	log_capture_begin(&log);
	start(fixture);
	pause_ms(ABSENCE_MS);
	fd = listen_there(fixture);
	accept_server(fd, &frontend);
	expect_served(&frontend);
	stop(fixture);
	log_capture_end(&log);
	assert_int_equal(log_capture_count(&log, "no such socket"), 1);
	assert_int_equal(log_capture_count(&log, "connected"), 1);
	assert_int_equal(log_capture_count(&log, "\n"), 2);
	frontend_close(&frontend);
	close(fd);
}

static void a_lost_connection_is_made_again(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	int fd = listen_there(fixture);

	start(fixture);
	for (unsigned int i = 0; i < 3; i++) {
		accept_server(fd, &frontend);
		expect_served(&frontend);
		frontend_close(&frontend);
	}
	/* As well after one that was shown the door */
	accept_server(fd, &frontend);
	ok(frontend_send_bytes(&frontend, "GET / HTTP/1.1\r\n\r\n", 18, NULL,
			       0));
	ok(frontend_expect_closed(&frontend));
	frontend_close(&frontend);
	accept_server(fd, &frontend);
	expect_served(&frontend);
	frontend_close(&frontend);
	stop(fixture);
	close(fd);
}

/* Killed: its socket file stays behind, and nobody listens there. */
static void a_front_end_that_restarts_is_served_again(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	struct log_capture log;
	uint64_t back_ms;
	int fd = listen_there(fixture);

	log_capture_begin(&log);
	start(fixture);
	for (unsigned int i = 0; i < 2; i++) {
		accept_server(fd, &frontend);
		expect_served(&frontend);
		frontend_close(&frontend);
		close(fd);
		pause_ms(4 * ABSENCE_MS);
		fd = listen_there(fixture);
		back_ms = now_ms();
	}
	accept_server(fd, &frontend);
	expect_served(&frontend);
	back_ms = now_ms() - back_ms;
	stop(fixture);
	log_capture_end(&log);
	print_message("# served again after %u ms\n", (unsigned int)back_ms);
	assert_int_equal(log_capture_count(&log, "nobody listens"), 2);
	assert_int_equal(log_capture_count(&log, "\n"), 4);
	frontend_close(&frontend);
	close(fd);
}

static unsigned int count_comings(int listen_fd, unsigned int ms)
{
	const uint64_t end_ms = now_ms() + ms;
	unsigned int count = 0;
	int fd;

	while (now_ms() < end_ms) {
		fd = accept_within(listen_fd, end_ms - now_ms());
		if (fd < 0)
			break;
		close(fd);
		count++;
	}
	return count;
}

static void one_that_hangs_up_at_once_keeps_nobody_busy(void **state)
{
	struct fixture *fixture = *state;
	int fd = listen_there(fixture);
	unsigned int count;

	start(fixture);
	count = count_comings(fd, WATCH_MS);
	print_message("# came %u times\n", count);
	assert_in_range(count, 2, COMINGS_MAX);
	stop(fixture);
	close(fd);
}

/* How long the server takes to come three times, each time in vain */
static uint64_t three_comings_ms(int listen_fd)
{
	const uint64_t start_ms = now_ms();
	struct frontend frontend;

	for (unsigned int i = 0; i < 3; i++) {
		accept_server(listen_fd, &frontend);
		frontend_close(&frontend);
	}
	return now_ms() - start_ms;
}

/* Then the pauses begin anew: 0.7 seconds in all, not 1.5. */
static void a_connection_that_lasted_is_followed_by_a_short_pause(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	int fd = listen_there(fixture);
	uint64_t long_ms, short_ms;

	start(fixture);
	count_comings(fd, WATCH_MS);
	long_ms = three_comings_ms(fd);
	accept_server(fd, &frontend);
	pause_ms(GOOD_MS);
	expect_served(&frontend);
	frontend_close(&frontend);
	short_ms = three_comings_ms(fd);
	print_message("# three times in %u ms, then in %u\n",
		      (unsigned int)long_ms, (unsigned int)short_ms);
	assert_true(short_ms < long_ms);
	stop(fixture);
	close(fd);
}

static void a_server_that_waits_can_end(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start_ms;

	start(fixture);
	pause_ms(ABSENCE_MS);
	start_ms = now_ms();
	stop(fixture);
	assert_true(now_ms() - start_ms < 1000);
}

static void once_means_one_connection(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	int fd;

	fixture->config.once = true;
	start(fixture);
	pause_ms(ABSENCE_MS);
	fd = listen_there(fixture);
	accept_server(fd, &frontend);
	expect_served(&frontend);
	frontend_close(&frontend);
	wait_for_end(fixture);
	ok(access(fixture->path, F_OK));
	close(fd);
}

/* Somebody else's connections wait there already; nothing blocks meanwhile. */
static void a_full_queue_is_waited_for(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct frontend frontend;
	int fd, full_fd;

	strcpy(address.sun_path, fixture->path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	ok(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	ok(listen(fd, 0));
	full_fd = vhb_socket_connect(fixture->path);
	assert_true(full_fd >= 0);
	assert_int_equal(vhb_socket_connect(fixture->path), -EAGAIN);

	start(fixture);
	pause_ms(ABSENCE_MS);
	close(accept_within(fd, TIMEOUT_MS));
	accept_server(fd, &frontend);
	expect_served(&frontend);
	frontend_close(&frontend);
	stop(fixture);
	close(full_fd);
	close(fd);
}

static void what_is_no_path_of_a_socket_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct log_capture log;
	char path[200];
	int ret;

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	fixture->config.socket_path = path;
	log_capture_begin(&log);
	ret = create(fixture);
	log_capture_end(&log);
	assert_int_equal(ret, -ENAMETOOLONG);
	assert_int_equal(log_capture_count(&log, "shorter --socket-path"), 1);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
}

#define client_test(function) \
	cmocka_unit_test_setup_teardown(function, setup_client, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		client_test(a_front_end_that_listens_is_served),
		client_test(one_that_does_not_listen_yet_is_waited_for),
		client_test(a_lost_connection_is_made_again),
		client_test(a_front_end_that_restarts_is_served_again),
		client_test(one_that_hangs_up_at_once_keeps_nobody_busy),
		client_test(a_connection_that_lasted_is_followed_by_a_short_pause),
		client_test(a_server_that_waits_can_end),
		client_test(once_means_one_connection),
		client_test(a_full_queue_is_waited_for),
		client_test(what_is_no_path_of_a_socket_is_refused),
	};

	return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
