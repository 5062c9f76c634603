// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/session_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/fuzz_seed.h"
#include "lib/log.h"
#include "lib/recorder_state.h"
#include "loop/loop.h"

#define TIMEOUT_MS 10000

enum command_kind {
	COMMAND_NOTHING,
	COMMAND_SERVE,
	COMMAND_REPORT,
	COMMAND_STOP,
};

struct command {
	enum command_kind kind;
	int fd;
	uint64_t queue_num;
	uint64_t protocol_features_mask;
	struct vhb_report *report;
	bool has_iommu;
	unsigned int log_reply_bytes;
	bool has_postcopy;
};

/**
 * struct fixture_engine - the thread that is the broker
 * @thread: the thread; the rest but the descriptors is its own
 * @kdev: the recorder
 * @loop: its loop
 * @watch: of @command_fds
 * @session: the session there is, or NULL
 * @command_fds: commands; the thread reads from the first
 * @result_fds: an int for each command; the thread writes to the second
 * @ended_fd: semaphore, one for each session that ended by itself
 */
struct fixture_engine {
	pthread_t thread;
	struct vhb_kdev *kdev;
	struct vhb_loop *loop;
	struct vhb_watch_ref watch;
	struct vhb_session *session;
	int command_fds[2];
	int result_fds[2];
	int ended_fd;
};

static void on_session_end(void *argument)
{
	struct fixture_engine *engine = argument;

	vhb_session_destroy(engine->session);
	engine->session = NULL;
	eventfd_write(engine->ended_fd, 1);
}

static int serve(struct fixture_engine *engine, const struct command *command)
{
	const struct vhb_session_config config = {
		.loop = engine->loop,
		.kdev = engine->kdev,
		.queue_num = command->queue_num,
		.protocol_features_mask = command->protocol_features_mask,
		.has_iommu = command->has_iommu,
		.log_reply_bytes = command->log_reply_bytes,
		.has_postcopy = command->has_postcopy,
		.on_end = on_session_end,
		.argument = engine,
	};

	return vhb_session_create(&config, command->fd, &engine->session);
}

static void on_command(void *argument, unsigned int events)
{
	struct fixture_engine *engine = argument;
	struct command command;
	int ret = 0;

	(void)events;
	if (read(engine->command_fds[0], &command, sizeof(command)) !=
	    sizeof(command))
		abort();
	if (command.kind == COMMAND_SERVE)
		ret = serve(engine, &command);
	else if (command.kind == COMMAND_REPORT)
		vhb_session_report(engine->session, command.report);
	else if (command.kind == COMMAND_STOP)
		vhb_loop_stop(engine->loop);
	if (vhb_loop_watch(engine->loop, engine->command_fds[0], POLLIN,
			   on_command, engine, &engine->watch))
		abort();
	if (write(engine->result_fds[1], &ret, sizeof(ret)) != sizeof(ret))
		abort();
}

static void *engine_main(void *argument)
{
	struct fixture_engine *engine = argument;

	if (vhb_loop_create(&engine->loop) ||
	    vhb_loop_watch(engine->loop, engine->command_fds[0], POLLIN,
			   on_command, engine, &engine->watch))
		abort();
	if (vhb_loop_run(engine->loop))
		abort();
	vhb_session_destroy(engine->session);
	vhb_loop_unwatch(engine->loop, &engine->watch);
	vhb_loop_destroy(engine->loop);
	return NULL;
}

static void wait_readable(int fd, const char *what)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	int ret;

	do {
		ret = poll(&pollfd, 1, TIMEOUT_MS);
	} while (ret < 0 && errno == EINTR);
	if (ret != 1)
		fail_msg("waited in vain for %s", what);
}

static void engine_command(struct fixture_engine *engine,
			   const struct command *command)
{
	int ret;

	assert_int_equal(write(engine->command_fds[1], command,
			       sizeof(*command)), sizeof(*command));
	wait_readable(engine->result_fds[0], "the session's thread");
	assert_int_equal(read(engine->result_fds[0], &ret, sizeof(ret)),
			 sizeof(ret));
	assert_int_equal(ret, 0);
}

static struct fixture_engine *engine_create(struct vhb_kdev *kdev)
{
	const struct command nothing = { .kind = COMMAND_NOTHING };
	struct fixture_engine *engine = calloc(1, sizeof(*engine));

	assert_non_null(engine);
	engine->kdev = kdev;
	assert_int_equal(pipe2(engine->command_fds, O_CLOEXEC), 0);
	assert_int_equal(pipe2(engine->result_fds, O_CLOEXEC), 0);
	engine->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	assert_true(engine->ended_fd >= 0);
	assert_int_equal(pthread_create(&engine->thread, NULL, engine_main,
					engine), 0);
	/* Its ring is there when it answers. */
	engine_command(engine, &nothing);
	return engine;
}

static void engine_destroy(struct fixture_engine *engine)
{
	const struct command command = { .kind = COMMAND_STOP };

	engine_command(engine, &command);
	pthread_join(engine->thread, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		close(engine->command_fds[i]);
		close(engine->result_fds[i]);
	}
	close(engine->ended_fd);
	free(engine);
}

int session_fixture_setup(void **state)
{
	struct session_fixture *fixture = calloc(1, sizeof(*fixture));
	char label[16];

	assert_non_null(fixture);
	vhb_log_set_level(VHB_LOG_ERROR);
	resources_count(&fixture->before);
	fixture->frontend.fd = -1;
	fixture->queue_num = FIXTURE_VRING_COUNT;
	fixture->recorder = recorder_create(FIXTURE_VRING_COUNT,
					    FIXTURE_FEATURES);
	for (unsigned int i = 0; i < FIXTURE_EVENTFD_COUNT; i++) {
		fixture->kick_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fixture->call_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		snprintf(label, sizeof(label), "kick%u", i);
		recorder_label_fd(fixture->recorder, fixture->kick_fds[i],
				  label);
		snprintf(label, sizeof(label), "call%u", i);
		recorder_label_fd(fixture->recorder, fixture->call_fds[i],
				  label);
	}
	assert_int_equal(guest_memory_create(&fixture->memory,
					     FIXTURE_MEMORY_MIB, 0,
					     FIXTURE_UVA), 0);
	fixture->engine = engine_create(recorder_kdev(fixture->recorder));
	*state = fixture;
	return 0;
}

int session_fixture_setup_blk(void **state)
{
	struct session_fixture *fixture;
	int ret = session_fixture_setup(state);

	if (ret)
		return ret;
	fixture = *state;
	recorder_set_features(fixture->recorder, FIXTURE_BLK_FEATURES);
	recorder_set_protocol_features(fixture->recorder,
				       vhb_bit(VHB_PROTOCOL_F_INFLIGHT_SHMFD));
	return 0;
}

int session_fixture_setup_drain(void **state)
{
	struct session_fixture *fixture;
	int ret = session_fixture_setup(state);

	if (ret)
		return ret;
	fixture = *state;
	recorder_make_drain(fixture->recorder);
	return 0;
}

int session_fixture_setup_iommu(void **state)
{
	struct session_fixture *fixture;
	int ret = session_fixture_setup(state);

	if (ret)
		return ret;
	fixture = *state;
	fixture->has_iommu = true;
	recorder_make_iotlb(fixture->recorder);
	return 0;
}

int session_fixture_teardown(void **state)
{
	struct session_fixture *fixture = *state;
	struct resources before = fixture->before;

	if (fixture->is_connected)
		fixture_disconnect(fixture);
	engine_destroy(fixture->engine);
	assert_int_equal(recorder_running(fixture->recorder), 0);
	recorder_assert_no_fault(fixture->recorder);
	free(recorder_take(fixture->recorder));
	fuzz_seed_end();
	recorder_destroy(fixture->recorder);
	guest_memory_destroy(&fixture->memory);
	for (unsigned int i = 0; i < FIXTURE_EVENTFD_COUNT; i++) {
		close(fixture->kick_fds[i]);
		close(fixture->call_fds[i]);
	}
	free(fixture);
	resources_assert_same(&before);
	return 0;
}

static void begin_seed(const struct session_fixture *fixture)
{
	const struct recorder *recorder = fixture->recorder;
	const struct script_device device = {
		.flags = recorder->news_fd >= 0 ? SCRIPT_DRAINS : 0,
		.vring_count = recorder->kdev.vring_count,
		.queue_num = fixture->queue_num,
		.features_mask = recorder->features_mask,
		.protocol_features_mask = recorder->protocol_features_mask,
	};

	fuzz_seed_connect(&device);
}

void fixture_connect(struct session_fixture *fixture)
{
	struct command command = {
		.kind = COMMAND_SERVE,
		.queue_num = fixture->queue_num,
		.protocol_features_mask = fixture->protocol_features_mask,
		.has_iommu = fixture->has_iommu,
		.log_reply_bytes = fixture->log_reply_bytes,
		.has_postcopy = fixture->has_postcopy,
	};
	int fds[2];

	assert_false(fixture->is_connected);
	begin_seed(fixture);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	frontend_adopt(&fixture->frontend, fds[0], TIMEOUT_MS);
	fixture->is_connected = true;
	command.fd = fds[1];
	engine_command(fixture->engine, &command);
}

static void wait_ended(struct session_fixture *fixture)
{
	eventfd_t count;

	wait_readable(fixture->engine->ended_fd, "the end of the session");
	assert_int_equal(eventfd_read(fixture->engine->ended_fd, &count), 0);
	fixture->is_connected = false;
}

void fixture_disconnect(struct session_fixture *fixture)
{
	frontend_close(&fixture->frontend);
	wait_ended(fixture);
}

void fixture_expect_ended(struct session_fixture *fixture)
{
	int ret = frontend_expect_closed(&fixture->frontend);

	if (ret)
		fail_msg("connection is not closed: %s", strerrorname_np(-ret));
	wait_ended(fixture);
	frontend_close(&fixture->frontend);
}

void fixture_report(struct session_fixture *fixture, struct vhb_report *report)
{
	const struct command command = {
		.kind = COMMAND_REPORT,
		.report = report,
	};

	engine_command(fixture->engine, &command);
}

void fixture_expect_alive(struct session_fixture *fixture)
{
	uint64_t features;
	int ret = frontend_get_features(&fixture->frontend, &features);

	if (ret)
		fail_msg("session does not answer: %s %s",
			 strerrorname_np(-ret), fixture->frontend.why);
}

void fixture_expect_calls(struct session_fixture *fixture, const char *expected)
{
	char text[8192];
	char *calls;

	if (fixture->is_connected)
		fixture_expect_alive(fixture);
	recorder_assert_no_fault(fixture->recorder);
	calls = recorder_take(fixture->recorder);
	/* A copy, for assert_string_equal() does not come back. */
	snprintf(text, sizeof(text), "%s", calls);
	free(calls);
	assert_string_equal(text, expected);
}

void fixture_forget_calls(struct session_fixture *fixture)
{
	fixture_expect_alive(fixture);
	free(recorder_take(fixture->recorder));
}

void fixture_negotiate(struct session_fixture *fixture, uint64_t features,
		       uint64_t protocol_features)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t offered;

	assert_int_equal(frontend_set_owner(frontend), 0);
	assert_int_equal(frontend_get_features(frontend, &offered), 0);
	if (protocol_features)
		assert_int_equal(frontend_set_protocol_features(frontend,
								protocol_features),
				 0);
	assert_int_equal(frontend_set_features(frontend, features), 0);
}

void fixture_declare_memory(struct session_fixture *fixture)
{
	assert_int_equal(frontend_set_mem_table(&fixture->frontend,
						&fixture->memory.region,
						&fixture->memory.fd, 1), 0);
}

void fixture_give_channel(struct session_fixture *fixture)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	assert_int_equal(frontend_tell(&fixture->frontend,
				       VHB_SET_BACKEND_REQ_FD, NULL, 0, &fds[1],
				       1), 0);
	close(fds[0]);
	close(fds[1]);
}

struct vhb_wire_vring_addr fixture_vring_addr(unsigned int index)
{
	const uint64_t uva = FIXTURE_UVA + 0x100000 + index * 0x10000;

	return (struct vhb_wire_vring_addr){
		.index = index,
		.desc_uva = uva,
		.avail_uva = uva + 0x8000,
		.used_uva = uva + 0xc000,
	};
}

void fixture_set_up_vring(struct session_fixture *fixture, unsigned int index)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(index);
	struct frontend *frontend = &fixture->frontend;

	assert_int_equal(frontend_set_vring_num(frontend, index,
						FIXTURE_VRING_NUM), 0);
	assert_int_equal(frontend_set_vring_base(frontend, index, 0), 0);
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), 0);
	assert_int_equal(frontend_set_vring_kick(frontend, index,
						 fixture->kick_fds[index]), 0);
}

void fixture_start_vring(struct session_fixture *fixture, unsigned int index)
{
	struct frontend *frontend = &fixture->frontend;

	fixture_set_up_vring(fixture, index);
	assert_int_equal(frontend_set_vring_call(frontend, index,
						 fixture->call_fds[index]), 0);
	assert_int_equal(frontend_set_vring_enable(frontend, index, true), 0);
}

void fixture_start(struct session_fixture *fixture, unsigned int vring_count)
{
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, FIXTURE_VERSION_1 | FIXTURE_BIT30,
			  FIXTURE_PROTOCOL_FEATURES);
	fixture_declare_memory(fixture);
	for (unsigned int i = 0; i < vring_count; i++)
		fixture_start_vring(fixture, i);
	fixture_forget_calls(fixture);
	assert_int_equal(recorder_running(fixture->recorder), vring_count);
}
