/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_SESSION_SERVER_FIXTURE_H
#define SELFTESTS_SESSION_SERVER_FIXTURE_H

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <cmocka.h>

#include "lib/frontend.h"
#include "lib/log.h"
#include "lib/log_capture.h"
#include "lib/recorder.h"
#include "lib/resources.h"
#include "lib/session_fixture.h"
#include "loop/loop.h"
#include "server.h"

/**
 * DOC: what the tests of the server share
 *
 * A whole broker but for its kernel device, in a thread of the test.
 */

/** It succeeds */
#define ok(call) assert_int_equal(call, 0)

#define TIMEOUT_MS 10000
#define SILENCE_MS 100

/**
 * struct fixture - a server that runs in a thread
 * @config: as for vhb_server_create()
 * @loop: its loop, made and used by the thread
 * @server: the server; destroyed by the thread when the loop has ended
 * @error: its error then
 * @recorder: its kernel device
 * @thread: the thread
 * @stop_fd: eventfd that tells the server to stop
 * @stop_watch: of @stop_fd
 * @directory: a fresh one
 * @path: of the socket
 * @before: what the process held at first
 */
struct fixture {
	struct vhb_server_config config;
	struct vhb_loop *loop;
	struct vhb_server *server;
	int error;
	struct recorder *recorder;
	pthread_t thread;
	int stop_fd;
	struct vhb_watch_ref stop_watch;
	char directory[64];
	char path[108];
	struct resources before;
};

/** setup() - for cmocka: nothing runs yet */
static inline int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	vhb_log_set_level(VHB_LOG_ERROR);
	resources_count(&fixture->before);
	strcpy(fixture->directory, "/tmp/vhb-server-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/socket",
		 fixture->directory);
	fixture->recorder = recorder_create(FIXTURE_VRING_COUNT,
					    FIXTURE_FEATURES);
	fixture->stop_fd = eventfd(0, EFD_CLOEXEC);
	fixture->config.kdev = recorder_kdev(fixture->recorder);
	fixture->config.queue_num = FIXTURE_VRING_COUNT;
	fixture->config.socket_path = fixture->path;
	fixture->config.socket_fd = -1;
	*state = fixture;
	return 0;
}

/** teardown() - nothing may be left */
static inline int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct resources before = fixture->before;

	recorder_assert_no_fault(fixture->recorder);
	recorder_destroy(fixture->recorder);
	close(fixture->stop_fd);
	unlink(fixture->path);
	ok(rmdir(fixture->directory));
	free(fixture);
	resources_assert_same(&before);
	return 0;
}

static inline void on_stop(void *argument, unsigned int events)
{
	struct fixture *fixture = argument;

	(void)events;
	vhb_server_stop(fixture->server);
}

static inline void *run(void *argument)
{
	struct fixture *fixture = argument;

	if (vhb_loop_run(fixture->loop))
		abort();
	fixture->error = vhb_server_error(fixture->server);
	vhb_server_destroy(fixture->server);
	vhb_loop_unwatch(fixture->loop, &fixture->stop_watch);
	vhb_loop_destroy(fixture->loop);
	return NULL;
}

/** create() - a server whose thread has not started: its error */
static inline int create(struct fixture *fixture)
{
	int ret;

	ok(vhb_loop_create(&fixture->loop));
	fixture->config.loop = fixture->loop;
	ret = vhb_server_create(&fixture->config, &fixture->server);
	if (ret) {
		vhb_loop_destroy(fixture->loop);
		return ret;
	}
	ok(vhb_loop_watch(fixture->loop, fixture->stop_fd, POLLIN, on_stop,
			  fixture, &fixture->stop_watch));
	return 0;
}

/** start() - a server in its thread */
static inline void start(struct fixture *fixture)
{
	ok(create(fixture));
	ok(pthread_create(&fixture->thread, NULL, run, fixture));
}

/** wait_for_end() - the server has ended by itself */
static inline void wait_for_end(struct fixture *fixture)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += TIMEOUT_MS / 1000;
	ok(pthread_timedjoin_np(fixture->thread, NULL, &deadline));
}

/** stop() - as SIGTERM does */
static inline void stop(struct fixture *fixture)
{
	ok(eventfd_write(fixture->stop_fd, 1));
	wait_for_end(fixture);
}

/** come() - one more front-end */
static inline void come(struct fixture *fixture, struct frontend *frontend)
{
	ok(frontend_connect(frontend, fixture->path, TIMEOUT_MS));
}

/** expect_served() - it gets answers */
static inline void expect_served(struct frontend *frontend)
{
	uint64_t mask = 0;

	ok(frontend_get_features(frontend, &mask));
	assert_true(mask == (FIXTURE_FEATURES | FIXTURE_BIT30));
}

/** A test with a fixture */
#define server_test(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
