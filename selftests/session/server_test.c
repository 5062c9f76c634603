// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include "session/server_fixture.h"
#include "wire/socket.h"

/* With one line that says what is wrong */
static void expect_refused(struct fixture *fixture, int error, const char *text)
{
	struct log_capture log;
	int ret;

	log_capture_begin(&log);
	ret = create(fixture);
	log_capture_end(&log);
	assert_int_equal(ret, error);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	assert_int_equal(log_capture_count(&log, text), 1);
}

static void front_ends_are_served_one_after_another(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;

	start(fixture);
	for (unsigned int i = 0; i < 20; i++) {
		come(fixture, &frontend);
		expect_served(&frontend);
		frontend_close(&frontend);
	}
	stop(fixture);
}

static void a_second_front_end_waits_until_the_first_has_left(void **state)
{
	struct fixture *fixture = *state;
	struct frontend first, second;
	uint64_t mask;

	start(fixture);
	come(fixture, &first);
	expect_served(&first);
	come(fixture, &second);
	ok(frontend_send(&second, VHB_GET_FEATURES, VHB_FLAG_VERSION, NULL, 0,
			 NULL, 0));
	ok(frontend_expect_silence(&second, SILENCE_MS));
	expect_served(&first);
	frontend_close(&first);
	ok(frontend_receive_reply(&second, VHB_GET_FEATURES, &mask,
				  sizeof(mask)));
	frontend_close(&second);
	stop(fixture);
}

static void a_front_end_that_gave_up_waiting_does_no_harm(void **state)
{
	struct fixture *fixture = *state;
	struct frontend first, second, third;

	start(fixture);
	come(fixture, &first);
	come(fixture, &second);
	come(fixture, &third);
	expect_served(&first);
	frontend_close(&second);
	frontend_close(&first);
	expect_served(&third);
	frontend_close(&third);
	stop(fixture);
}

static void a_bad_front_end_ends_only_its_own_session(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;

	start(fixture);
	for (unsigned int i = 0; i < 5; i++) {
		come(fixture, &frontend);
		ok(frontend_send_bytes(&frontend, "GET / HTTP/1.1\r\n\r\n", 18,
				       NULL, 0));
		ok(frontend_expect_closed(&frontend));
		frontend_close(&frontend);
		come(fixture, &frontend);
		expect_served(&frontend);
		frontend_close(&frontend);
	}
	stop(fixture);
}

static void once_means_one_front_end(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;

	fixture->config.once = true;
	start(fixture);
	come(fixture, &frontend);
	expect_served(&frontend);
	frontend_close(&frontend);
	wait_for_end(fixture);
	ok(fixture->error);
	assert_int_equal(access(fixture->path, F_OK), -1);
}

static void a_connected_socket_is_served_and_that_is_all(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	int fds[2];

	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	fixture->config.socket_path = NULL;
	fixture->config.socket_fd = fds[1];
	start(fixture);
	frontend_adopt(&frontend, fds[0], TIMEOUT_MS);
	expect_served(&frontend);
	frontend_close(&frontend);
	wait_for_end(fixture);
}

static void a_listening_socket_is_served_and_its_file_left_alone(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;

	fixture->config.socket_path = NULL;
	fixture->config.socket_fd = vhb_socket_listen(fixture->path);
	assert_true(fixture->config.socket_fd >= 0);
	start(fixture);
	for (unsigned int i = 0; i < 3; i++) {
		come(fixture, &frontend);
		expect_served(&frontend);
		frontend_close(&frontend);
	}
	stop(fixture);
	ok(access(fixture->path, F_OK));
}

static void what_is_no_such_socket_is_refused(void **state)
{
	struct fixture *fixture = *state;
	int fds[2];

	ok(pipe2(fds, O_CLOEXEC));
	fixture->config.socket_path = NULL;
	fixture->config.socket_fd = fds[0];
	expect_refused(fixture, -ENOTSOCK, "--fd=");
	/* Owned by the server, also when it fails */
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	close(fds[1]);
}

static void the_socket_file_goes_with_the_server(void **state)
{
	struct fixture *fixture = *state;
	struct stat file;

	start(fixture);
	ok(stat(fixture->path, &file));
	assert_true(S_ISSOCK(file.st_mode));
	stop(fixture);
	assert_int_equal(stat(fixture->path, &file), -1);
}

static void somebody_elses_socket_file_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	ok(unlink(fixture->path));
	fd = vhb_socket_listen(fixture->path);
	assert_true(fd >= 0);
	stop(fixture);
	ok(access(fixture->path, F_OK));
	close(fd);
}

static void a_stale_socket_file_is_replaced(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	int fd = vhb_socket_listen(fixture->path);

	assert_true(fd >= 0);
	close(fd);
	ok(access(fixture->path, F_OK));
	start(fixture);
	come(fixture, &frontend);
	expect_served(&frontend);
	frontend_close(&frontend);
	stop(fixture);
}

static void a_socket_in_use_is_refused_and_left_alone(void **state)
{
	struct fixture *fixture = *state;
	int fd = vhb_socket_listen(fixture->path);

	expect_refused(fixture, -EADDRINUSE, "another program listens");
	ok(access(fixture->path, F_OK));
	close(fd);
}

static void a_path_that_cannot_be_is_refused(void **state)
{
	struct fixture *fixture = *state;
	char path[200];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	fixture->config.socket_path = path;
	expect_refused(fixture, -ENAMETOOLONG, "shorter --socket-path");
	fixture->config.socket_path = "/nonexistent/socket";
	expect_refused(fixture, -ENOENT, "directory does not exist");
	fixture->config.socket_path = "/proc/version";
	expect_refused(fixture, -EEXIST, "is no socket");
}

static void a_server_can_end_while_front_ends_are_there(void **state)
{
	struct fixture *fixture = *state;
	struct frontend first, second;

	start(fixture);
	come(fixture, &first);
	come(fixture, &second);
	expect_served(&first);
	stop(fixture);
	ok(frontend_expect_closed(&first));
	ok(frontend_expect_closed(&second));
	frontend_close(&first);
	frontend_close(&second);
}

static void no_server_can_be_destroyed(void **state)
{
	(void)state;
	vhb_server_destroy(NULL);
}

/* Vring 0 runs, on a kernel device whose requests take as long as we like. */
static void start_slow(struct fixture *fixture, struct frontend *frontend,
		       struct guest_memory *memory)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	const int kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	recorder_make_drain(fixture->recorder);
	ok(guest_memory_create(memory, FIXTURE_MEMORY_MIB, 0, FIXTURE_UVA));
	start(fixture);
	come(fixture, frontend);
	ok(frontend_set_owner(frontend));
	ok(frontend_set_protocol_features(frontend, FIXTURE_REPLY_ACK));
	frontend->need_reply = true;
	ok(frontend_set_features(frontend, FIXTURE_VERSION_1 | FIXTURE_BIT30));
	ok(frontend_set_mem_table(frontend, &memory->region, &memory->fd, 1));
	ok(frontend_set_vring_num(frontend, 0, FIXTURE_VRING_NUM));
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_kick(frontend, 0, kick_fd));
	ok(frontend_set_vring_enable(frontend, 0, true));
	assert_true(recorder_is_running(fixture->recorder, 0));
	close(kick_fd);
}

static void a_server_that_stops_waits_for_requests(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend, late;
	struct guest_memory memory;

	start_slow(fixture, &frontend, &memory);
	ok(eventfd_write(fixture->stop_fd, 1));
	recorder_wait_draining(fixture->recorder, 1);
	/* All but the kernel is done with it. */
	ok(frontend_expect_closed(&frontend));
	assert_int_equal(frontend_connect(&late, fixture->path, SILENCE_MS),
			 -ETIMEDOUT);
	recorder_finish_drain(fixture->recorder, 0);
	wait_for_end(fixture);
	assert_int_equal(recorder_running(fixture->recorder), 0);
	frontend_close(&frontend);
	guest_memory_destroy(&memory);
}

/* It says why it cannot go, and leaves the rest to the kernel. */
static void a_server_that_stops_has_little_patience(void **state)
{
	struct fixture *fixture = *state;
	struct frontend frontend;
	struct guest_memory memory;
	struct log_capture log;

	start_slow(fixture, &frontend, &memory);
	log_capture_begin(&log);
	stop(fixture);
	log_capture_end(&log);
	assert_int_equal(log_capture_count(&log, "requests are in flight"), 1);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	frontend_close(&frontend);
	guest_memory_destroy(&memory);
}

/* The next front-end's turn comes when the kernel is done with the first. */
static void a_front_end_waits_for_requests_of_the_one_before(void **state)
{
	struct fixture *fixture = *state;
	struct frontend first, second;
	struct guest_memory memory;

	start_slow(fixture, &first, &memory);
	frontend_close(&first);
	recorder_wait_draining(fixture->recorder, 1);
	come(fixture, &second);
	ok(frontend_send(&second, VHB_GET_FEATURES, 1, NULL, 0, NULL, 0));
	ok(frontend_expect_silence(&second, SILENCE_MS));
	recorder_finish_drain(fixture->recorder, 0);
	ok(frontend_receive_reply(&second, VHB_GET_FEATURES, NULL, 8));
	frontend_close(&second);
	stop(fixture);
	guest_memory_destroy(&memory);
}

static void on_nothing(void *argument, unsigned int events)
{
	(void)argument;
	(void)events;
}

/* Now nobody can watch anything more. */
static void fill_loop(struct vhb_loop *loop, int fd)
{
	struct vhb_watch_ref ref;

	while (!vhb_loop_watch(loop, fd, POLLIN, on_nothing, NULL, &ref))
		;
}

static void the_only_front_end_that_is_not_served_is_an_error(void **state)
{
	const int fd = eventfd(0, EFD_CLOEXEC);
	struct fixture *fixture = *state;
	struct frontend frontend;
	struct log_capture log;

	fixture->config.once = true;
	fixture->config.patience_ms = 1000;
	ok(create(fixture));
	fill_loop(fixture->loop, fd);
	log_capture_begin(&log);
	vhb_log_set_level(VHB_LOG_WARNING);
	ok(pthread_create(&fixture->thread, NULL, run, fixture));
	come(fixture, &frontend);
	wait_for_end(fixture);
	log_capture_end(&log);
	assert_int_equal(fixture->error, -ENOMEM);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	frontend_close(&frontend);
	close(fd);
}

static void expect_no_room(struct fixture *fixture, const char *text)
{
	const int fd = eventfd(0, EFD_CLOEXEC);
	struct log_capture log;

	ok(vhb_loop_create(&fixture->loop));
	fill_loop(fixture->loop, fd);
	fixture->config.loop = fixture->loop;
	log_capture_begin(&log);
	assert_int_equal(vhb_server_create(&fixture->config, &fixture->server),
			 -ENOMEM);
	log_capture_end(&log);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	assert_int_equal(log_capture_count(&log, text), 1);
	vhb_loop_destroy(fixture->loop);
	close(fd);
}

static void a_front_end_that_was_given_in_vain_is_told(void **state)
{
	struct fixture *fixture = *state;
	int fds[2];

	expect_no_room(fixture, "cannot wait for front-ends");
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	fixture->config.socket_path = NULL;
	fixture->config.socket_fd = fds[1];
	expect_no_room(fixture, "--fd=");
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		server_test(front_ends_are_served_one_after_another),
		server_test(a_second_front_end_waits_until_the_first_has_left),
		server_test(a_front_end_that_gave_up_waiting_does_no_harm),
		server_test(a_bad_front_end_ends_only_its_own_session),
		server_test(once_means_one_front_end),
		server_test(a_connected_socket_is_served_and_that_is_all),
		server_test(a_listening_socket_is_served_and_its_file_left_alone),
		server_test(what_is_no_such_socket_is_refused),
		server_test(the_socket_file_goes_with_the_server),
		server_test(somebody_elses_socket_file_is_left_alone),
		server_test(a_stale_socket_file_is_replaced),
		server_test(a_socket_in_use_is_refused_and_left_alone),
		server_test(a_path_that_cannot_be_is_refused),
		server_test(a_server_can_end_while_front_ends_are_there),
		server_test(no_server_can_be_destroyed),
		server_test(a_server_that_stops_waits_for_requests),
		server_test(a_server_that_stops_has_little_patience),
		server_test(the_only_front_end_that_is_not_served_is_an_error),
		server_test(a_front_end_that_was_given_in_vain_is_told),
		server_test(a_front_end_waits_for_requests_of_the_one_before),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
