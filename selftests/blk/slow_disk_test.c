// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk that does not answer keeps requests, and who waits for them; the broker
 * goes on with everything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>

#include "lib/blk_guest.h"
#include "lib/broker.h"
#include "lib/module.h"
#include "lib/slow_disk.h"

#define REQUESTS 3
#define REQUEST_BYTES 4096
#define WAIT_MS 20000
#define SILENCE_MS 300
/* Of emulated CPUs; a disk that waits keeps one for ever. */
#define AT_ONCE_MS 15000

/**
 * struct bench - a broker, a disk that can be told to be slow, and a guest
 * @disk: the disk
 * @broker: the broker
 * @guest: the guest
 */
struct bench {
	struct slow_disk disk;
	struct broker broker;
	struct blk_guest guest;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void connect_guest(struct bench *bench, enum blk_guest_base base)
{
	const int ret = blk_guest_connect(&bench->guest,
					  bench->broker.socket_path, base);

	if (!ret)
		return;
	printf("# connect: %s; %s\n", strerror(-ret),
	       bench->guest.frontend.why);
	broker_show_log(&bench->broker);
	fail();
}

static const char *const arguments[] = {
	"--blk-file=" SLOW_DISK_PATH, "--num-queues=2", NULL,
};

static int set_up(void **state, bool is_packed)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	if (!bench)
		return -ENOMEM;
	*state = bench;
	bench->guest.frontend.fd = -1;
	bench->guest.inflight_fd = -1;
	for (unsigned int i = 0; i < BLK_GUEST_QUEUES; i++) {
		bench->guest.queues[i].kick_fd = -1;
		bench->guest.queues[i].call_fd = -1;
	}
	slow_disk_open(&bench->disk);
	if (bench->disk.why_not)
		return 0;
	assert_int_equal(broker_start_device(&bench->broker, "blk", arguments),
			 0);
	assert_int_equal(blk_guest_open(&bench->guest, is_packed), 0);
	connect_guest(bench, BLK_GUEST_BASE_FIRST);
	for (unsigned int i = 0; i < BLK_GUEST_QUEUES; i++)
		assert_int_equal(blk_guest_run(&bench->guest, i,
					       VIRTIO_BLK_T_OUT, 0,
					       REQUEST_BYTES),
				 VIRTIO_BLK_S_OK);
	return 0;
}

static int set_up_split(void **state)
{
	return set_up(state, false);
}

static int set_up_packed(void **state)
{
	return set_up(state, true);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	if (!bench->disk.why_not)
		slow_disk_resume();
	blk_guest_close(&bench->guest);
	broker_stop(&bench->broker);
	slow_disk_close(&bench->disk);
	free(bench);
	return 0;
}

/* Device, state and requests in flight of vring 0, as people see them */
static bool status_has(const char *state, unsigned int in_flight)
{
	static char text[65536];
	char wanted[64], *vring;
	const int64_t start_ms = now_ms();

	assert_int_equal(broker_status(text, sizeof(text)), 0);
	assert_in_range(now_ms() - start_ms, 0, AT_ONCE_MS);
	/* Bridges come before the module's devices. */
	vring = strstr(text, "\"devices\":[");
	assert_non_null(vring);
	vring = strstr(vring, "{\"index\":0,");
	if (!vring)
		return false;
	*strchrnul(vring, '}') = '\0';
	snprintf(wanted, sizeof(wanted), "\"state\":\"%s\"", state);
	if (!strstr(vring, wanted))
		return false;
	snprintf(wanted, sizeof(wanted), "\"in_flight_count\":%u,", in_flight);
	return strstr(vring, wanted);
}

static void wait_status(const char *state, unsigned int in_flight)
{
	const int64_t end_ms = now_ms() + WAIT_MS;

	while (!status_has(state, in_flight)) {
		if (now_ms() > end_ms)
			fail_msg("vring 0 is not %s with %u in flight", state,
				 in_flight);
		usleep(50000);
	}
}

/* Requests that wait for the disk, on queue 0 */
static void begin_requests(struct bench *bench)
{
	assert_int_equal(slow_disk_halt(), 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		blk_guest_submit(&bench->guest, 0, i, VIRTIO_BLK_T_OUT, 8 * i,
				 REQUEST_BYTES);
	wait_status("running", REQUESTS);
}

static void end_requests(struct bench *bench)
{
	for (unsigned int i = 0; i < REQUESTS; i++)
		assert_int_equal(blk_guest_wait(&bench->guest, 0, WAIT_MS), 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		assert_int_equal(*blk_guest_slot(&bench->guest, 0, i).status,
				 VIRTIO_BLK_S_OK);
}

static void ask_base(struct bench *bench)
{
	const struct vhb_wire_vring_state state = { 0 };

	assert_int_equal(frontend_send(&bench->guest.frontend,
				       VHB_GET_VRING_BASE, VHB_FLAG_VERSION,
				       &state, sizeof(state), NULL, 0), 0);
	assert_int_equal(frontend_expect_silence(&bench->guest.frontend,
						 SILENCE_MS), 0);
	wait_status("draining", REQUESTS);
}

/* A call descriptor that makes the broker pass each call on */
static int give_call_socket(struct bench *bench, unsigned int index)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	assert_int_equal(frontend_set_vring_call(&bench->guest.frontend, index,
						 fds[1]), 0);
	close(fds[1]);
	return fds[0];
}

static void expect_call(int fd)
{
	const struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
	uint64_t one = 0;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
				    sizeof(limit)), 0);
	assert_int_equal(recv(fd, &one, sizeof(one), MSG_WAITALL),
			 sizeof(one));
	assert_int_equal(one, 1);
}

/* Meanwhile: the status is told, calls are passed on, others may knock. */
static void stop_waits_alone(void **state)
{
	struct bench *bench = *state;
	struct vhb_wire_vring_state answer;
	struct frontend other;
	int call_fd, i;

	slow_disk_need(&bench->disk);
	call_fd = give_call_socket(bench, 1);
	/* There is one for free. */
	expect_call(call_fd);
	begin_requests(bench);
	ask_base(bench);
	/* No disk is needed for these. */
	for (i = 0; i < 3; i++) {
		vq_driver_want_calls(&bench->guest.queues[1].driver);
		assert_int_equal(blk_guest_run(&bench->guest, 1,
					       VIRTIO_BLK_T_GET_ID, 0, 20),
				 VIRTIO_BLK_S_OK);
		expect_call(call_fd);
	}
	assert_int_equal(frontend_connect(&other, bench->broker.socket_path,
					  AT_ONCE_MS), 0);
	assert_int_equal(frontend_expect_silence(&other, SILENCE_MS), 0);
	frontend_close(&other);
	assert_int_equal(frontend_expect_silence(&bench->guest.frontend, 1), 0);

	assert_int_equal(slow_disk_resume(), 0);
	assert_int_equal(frontend_receive_reply(&bench->guest.frontend,
						VHB_GET_VRING_BASE, &answer,
						sizeof(answer)), 0);
	end_requests(bench);
	assert_int_equal(answer.index, 0);
	assert_int_equal(answer.num,
			 vq_driver_base(&bench->guest.queues[0].driver));
	close(call_fd);
}

static void next_front_end_waits_for_the_disk(void **state)
{
	struct bench *bench = *state;
	struct frontend next;

	slow_disk_need(&bench->disk);
	begin_requests(bench);
	ask_base(bench);
	blk_guest_hang_up(&bench->guest);
	assert_int_equal(frontend_connect(&next, bench->broker.socket_path,
					  AT_ONCE_MS), 0);
	assert_int_equal(frontend_send(&next, VHB_GET_FEATURES,
				       VHB_FLAG_VERSION, NULL, 0, NULL, 0), 0);
	assert_int_equal(frontend_expect_silence(&next, SILENCE_MS), 0);
	wait_status("draining", REQUESTS);
	assert_int_equal(slow_disk_resume(), 0);
	next.timeout_ms = WAIT_MS;
	assert_int_equal(frontend_receive_reply(&next, VHB_GET_FEATURES, NULL,
						8), 0);
	end_requests(bench);
	frontend_close(&next);
	/* And the guest goes on with the same virtqueues, where it has to know. */
	connect_guest(bench, BLK_GUEST_BASE_USED);
	assert_int_equal(blk_guest_run(&bench->guest, 0, VIRTIO_BLK_T_IN, 0,
				       REQUEST_BYTES), VIRTIO_BLK_S_OK);
}

static void sigterm_says_why_it_waits(void **state)
{
	struct bench *bench = *state;
	const int64_t start_ms = now_ms();

	slow_disk_need(&bench->disk);
	begin_requests(bench);
	ask_base(bench);
	kill(bench->broker.pid, SIGTERM);
	while (!broker_log_has(&bench->broker, "requests are in flight")) {
		assert_in_range(now_ms() - start_ms, 0, WAIT_MS);
		usleep(10000);
	}
	assert_int_equal(access(bench->broker.socket_path, F_OK), -1);
	assert_true(broker_is_alive(&bench->broker));
	assert_int_equal(frontend_expect_closed(&bench->guest.frontend), 0);
	assert_int_equal(slow_disk_resume(), 0);
	assert_int_equal(broker_stop(&bench->broker), 0);
	end_requests(bench);
	assert_int_equal(blk_guest_saved(&bench->guest, 0).is_saved, 1);
}

/* Its end is the kernel's, and that waits for the disk. */
static void killed_while_it_drains(void **state)
{
	struct bench *bench = *state;
	pid_t pid;

	slow_disk_need(&bench->disk);
	begin_requests(bench);
	ask_base(bench);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		usleep(500000);
		_exit(slow_disk_resume() ? 1 : 0);
	}
	broker_kill(&bench->broker);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	end_requests(bench);
	assert_int_equal(blk_guest_saved(&bench->guest, 0).is_saved, 1);
	assert_int_equal(blk_guest_saved(&bench->guest, 0).base,
			 vq_driver_base(&bench->guest.queues[0].driver));
	blk_guest_hang_up(&bench->guest);
	assert_int_equal(broker_start_again(&bench->broker, "blk", arguments),
			 0);
	connect_guest(bench, BLK_GUEST_BASE_FIRST);
	assert_int_equal(blk_guest_run(&bench->guest, 0, VIRTIO_BLK_T_IN, 0,
				       REQUEST_BYTES), VIRTIO_BLK_S_OK);
}

#define CASE(function, layout)						\
	{ #function "_" #layout, function, set_up_##layout, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stop_waits_alone, packed),
		CASE(next_front_end_waits_for_the_disk, split),
		CASE(sigterm_says_why_it_waits, packed),
		CASE(killed_while_it_drains, split),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests_name("blk: slow disk", tests, NULL, NULL);
	module_restore();
	return ret ? 1 : 0;
}
