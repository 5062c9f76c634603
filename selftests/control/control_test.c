// SPDX-License-Identifier: GPL-2.0-or-later
/* A control socket: who may ask, and what those do who ask badly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "control/brokers.h"
#include "control/control.h"
#include "control/directory.h"
#include "control/leftovers.h"
#include "lib/log.h"
#include "lib/resources.h"

/* More than any queue of a listening socket has room for */
#define STALLED_CLIENTS 12

/**
 * struct bench - a loop with a control socket, in a thread
 * @directory: where the socket is
 * @path: the socket
 * @loop: the thread's
 * @control: the control socket
 * @stop_fd: written to, to end the thread
 * @thread: the thread
 * @before: what the process held at first
 */
struct bench {
	char directory[64];
	char path[VHB_CONTROL_PATH_BYTES];
	struct vhb_loop *loop;
	struct vhb_control *control;
	int stop_fd;
	pthread_t thread;
	struct resources before;
};

static struct bench bench;

/* As large as a report can be */
static void on_report(void *argument, struct vhb_report *report)
{
	unsigned int i;

	(void)argument;
	memset(report, 0, sizeof(*report));
	report->has_front_end = true;
	report->pid = 402;
	report->features_mask = UINT64_MAX;
	report->protocol_features_mask = UINT64_MAX;
	report->vring_count = VHB_REPORT_VRINGS_MAX;
	for (i = 0; i < report->vring_count; i++) {
		report->vrings[i].index = i;
		report->vrings[i].has_indices = true;
		report->vrings[i].avail_index = UINT16_MAX;
		report->vrings[i].used_index = UINT16_MAX;
		strcpy(report->vrings[i].kick_kind, "12345678901234567890123");
		strcpy(report->vrings[i].call_kind, "12345678901234567890123");
	}
}

static void on_stop(void *argument, unsigned int events)
{
	(void)events;
	vhb_loop_stop(argument);
}

static void *thread_main(void *argument)
{
	const struct vhb_control_config config = {
		.directory = bench.directory,
		.version = "0.1.0",
		.type_name = "net",
		.host = "tap0",
		.report = on_report,
	};
	struct vhb_control_config copy = config;
	struct vhb_watch_ref ref;

	(void)argument;
	if (vhb_loop_create(&bench.loop) ||
	    vhb_loop_watch(bench.loop, bench.stop_fd, POLLIN, on_stop,
			   bench.loop, &ref))
		abort();
	copy.loop = bench.loop;
	if (vhb_control_create(&copy, &bench.control) || !bench.control)
		abort();
	if (vhb_loop_run(bench.loop))
		abort();
	vhb_control_destroy(bench.control);
	vhb_loop_destroy(bench.loop);
	return NULL;
}

static int set_up(void **state)
{
	unsigned int tries;

	(void)state;
	vhb_log_set_level(VHB_LOG_ERROR);
	resources_count(&bench.before);
	strcpy(bench.directory, "/tmp/vhb-control-XXXXXX");
	assert_non_null(mkdtemp(bench.directory));
	assert_int_equal(vhb_control_path(bench.directory, getpid(),
					  bench.path), 0);
	bench.stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&bench.thread, NULL, thread_main,
					NULL), 0);
	for (tries = 0; tries < 1000 && access(bench.path, F_OK); tries++)
		usleep(10000);
	return access(bench.path, F_OK);
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(eventfd_write(bench.stop_fd, 1), 0);
	pthread_join(bench.thread, NULL);
	close(bench.stop_fd);
	/* Nothing is left of it. */
	assert_int_equal(access(bench.path, F_OK), -1);
	assert_int_equal(rmdir(bench.directory), 0);
	resources_assert_same(&bench.before);
	return 0;
}

static int connect_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, bench.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address,
				 sizeof(address)), 0);
	return fd;
}

static void expect_one_broker(void)
{
	struct vhb_broker_list list;

	assert_int_equal(vhb_brokers_read(bench.directory, &list), 0);
	assert_int_equal(list.silent_count, 0);
	assert_int_equal(list.hidden_count, 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.brokers[0].pid, getpid());
	assert_string_equal(list.brokers[0].type, "net");
	assert_string_equal(list.brokers[0].host, "tap0");
	assert_int_equal(list.brokers[0].session.pid, 402);
	assert_int_equal(list.brokers[0].session.vring_count,
			 VHB_REPORT_VRINGS_MAX);
	vhb_brokers_free(&list);
}

static void a_client_gets_all_of_it(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 20; i++)
		expect_one_broker();
}

static void only_its_user_may_connect(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(bench.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void clients_that_do_not_read_hold_up_nobody(void **state)
{
	int fds[STALLED_CLIENTS];
	unsigned int i;

	(void)state;
	for (i = 0; i < STALLED_CLIENTS; i++)
		fds[i] = connect_client();
	expect_one_broker();
	for (i = 0; i < STALLED_CLIENTS; i++)
		close(fds[i]);
	expect_one_broker();
}

static void clients_that_leave_or_write_do_no_harm(void **state)
{
	static const char garbage[65536] = "{\"command\":\"quit\"}";
	unsigned int i;
	int fd;

	(void)state;
	for (i = 0; i < 20; i++) {
		fd = connect_client();
		if (i % 2)
			send(fd, garbage, sizeof(garbage),
			     MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
	}
	expect_one_broker();
}

static void sockets_of_the_dead_are_passed_over(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[VHB_CONTROL_PATH_BYTES];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(vhb_control_path(bench.directory, 999999, path), 0);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	expect_one_broker();
	close(fd);
	expect_one_broker();
	assert_int_equal(unlink(path), 0);
}

/* Leaves a socket that nobody listens on, of a process that cannot be. */
static void leave_socket(uint32_t pid, time_t age_s, char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timespec then = { .tv_sec = time(NULL) - age_s };
	const struct timespec times[] = { then, then };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(vhb_control_path(bench.directory, pid, path), 0);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	close(fd);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void only_old_sockets_of_the_dead_are_removed(void **state)
{
	char old[VHB_CONTROL_PATH_BYTES], young[VHB_CONTROL_PATH_BYTES];
	char living[VHB_CONTROL_PATH_BYTES];
	char others[VHB_CONTROL_PATH_BYTES];

	(void)state;
	leave_socket(99999999, 3600, old);
	leave_socket(99999998, 0, young);
	leave_socket(1, 3600, living);
	snprintf(others, sizeof(others), "%s/net0.sock", bench.directory);
	assert_int_equal(mknod(others, S_IFSOCK | 0600, 0), 0);

	vhb_control_remove_leftovers(bench.directory);
	assert_int_equal(access(old, F_OK), -1);
	assert_int_equal(unlink(young), 0);
	assert_int_equal(unlink(living), 0);
	assert_int_equal(unlink(others), 0);
	expect_one_broker();
}

/* Somebody listens there who never says a word, or says what is no JSON. */
static void whoever_else_is_there_is_not_waited_for(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[VHB_CONTROL_PATH_BYTES];
	struct vhb_broker_list list;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(vhb_control_path(bench.directory, 999999, path), 0);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(vhb_brokers_read(bench.directory, &list), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.silent_count, 1);
	vhb_brokers_free(&list);
	close(fd);
	assert_int_equal(unlink(path), 0);
}

static void who_says_to_be_another_is_not_believed(void **state)
{
	char path[VHB_CONTROL_PATH_BYTES];
	struct vhb_broker_list list;

	(void)state;
	assert_int_equal(vhb_control_path(bench.directory, 999999, path), 0);
	assert_int_equal(symlink(bench.path, path), 0);
	assert_int_equal(vhb_brokers_read(bench.directory, &list), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.silent_count, 1);
	vhb_brokers_free(&list);
	assert_int_equal(unlink(path), 0);
}

static void a_directory_that_cannot_be_is_refused(void **state)
{
	struct vhb_control_config config = {
		.loop = bench.loop,
		.directory = "/dev/null/no",
		.report = on_report,
	};
	struct vhb_broker_list list;
	struct vhb_control *control;

	(void)state;
	assert_int_equal(vhb_control_create(&config, &control), -ENOTDIR);
	assert_null(control);
	assert_int_equal(vhb_brokers_read("/dev/null/no", &list), -ENOTDIR);
}

#define control_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		control_test(a_client_gets_all_of_it),
		control_test(only_its_user_may_connect),
		control_test(clients_that_do_not_read_hold_up_nobody),
		control_test(clients_that_leave_or_write_do_no_harm),
		control_test(sockets_of_the_dead_are_passed_over),
		control_test(only_old_sockets_of_the_dead_are_removed),
		control_test(whoever_else_is_there_is_not_waited_for),
		control_test(who_says_to_be_another_is_not_believed),
		control_test(a_directory_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
