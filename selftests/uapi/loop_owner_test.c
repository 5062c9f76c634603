// SPDX-License-Identifier: GPL-2.0-or-later
/* Owners that die under traffic, while the guest's memory lives on. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/prctl.h>
#include <sys/wait.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/module.h"
#include "lib/random.h"
#include "lib/resources.h"

#define RING_ENTRIES 64
#define TABLE_DESCS 8
#define KILL_QUEUES 4
#define KILL_ROUNDS 10
#define SETUP_ROUNDS 50
#define SETUP_US_MAX 20000

static struct bridge bridge;
static struct resources resources_before;
static unsigned int threads_before;

/* A long run asks for more. */
static unsigned int rounds(unsigned int few)
{
	const char *wanted = getenv("VHB_OWNER_ROUNDS");

	return wanted ? strtoul(wanted, NULL, 10) : few;
}

static int set_up(void **state)
{
	(void)state;
	resources_count(&resources_before);
	threads_before = module_thread_count();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bridge_close(&bridge);
	assert_int_equal(module_wait_threads(threads_before), 0);
	assert_int_equal(module_users(), 0);
	resources_assert_same(&resources_before);
	return 0;
}

static void make_guest(bool is_packed)
{
	bridge_make_guest(&bridge);
	bridge.features = bridge_bit(VIRTIO_F_VERSION_1) |
			  bridge_bit(VIRTIO_RING_F_EVENT_IDX);
	if (is_packed)
		bridge.features |= bridge_bit(VIRTIO_F_RING_PACKED);
}

/* The owner before may have been killed: go on where it says. */
static void program_from_saved(unsigned int index)
{
	const struct bridge_queue *queue = &bridge.queues[index];
	const struct vhost_vring_state base = { index, queue->saved->base };

	bridge_program_queue(&bridge, index);
	if (queue->saved->is_saved)
		assert_int_equal(bridge_call(&bridge, VHOST_SET_VRING_BASE,
					     &base), 0);
}

/* The owner: it has the device, the guest is its parent's. */
static void be_owner(int ready_fd)
{
	unsigned int i;

	/* A failed check ends this process instead of the test. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bridge_open_device(&bridge, "loop");
	bridge_set_up(&bridge, bridge.features);
	for (i = 0; i < KILL_QUEUES; i++) {
		program_from_saved(i);
		assert_int_equal(bridge_start(&bridge, i), 0);
	}
	if (write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static pid_t start_owner(void)
{
	char byte;
	int pipes[2];
	pid_t pid;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		be_owner(pipes[1]);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	return pid;
}

static void kill_owner(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* All that was taken is used, and the base says where to go on. */
static void assert_saved(const struct bridge_queue *queue)
{
	const struct vq_driver *driver = &queue->driver;

	assert_int_equal(queue->saved->is_saved, 1);
	if (driver->is_packed)
		assert_int_equal(queue->saved->base & 0xffff,
				 queue->saved->base >> 16);
	else
		assert_int_equal(queue->saved->base,
				 *(uint16_t *)(driver->used + 2));
}

static void test_owner_killed(void **state)
{
	const bool *is_packed = *state;
	static struct echo echoes[KILL_QUEUES];
	const unsigned int round_count = rounds(KILL_ROUNDS);
	unsigned int i, round;
	pid_t pid;

	make_guest(*is_packed);
	for (i = 0; i < KILL_QUEUES; i++) {
		bridge_make_queue(&bridge, i, RING_ENTRIES, TABLE_DESCS);
		echo_init(&echoes[i], &bridge, i, i);
	}
	for (round = 0; round < round_count; round++) {
		/* What the last one left comes back first. */
		pid = start_owner();
		for (i = 0; i < 5 * KILL_QUEUES; i++)
			echo_burst(&echoes[i % KILL_QUEUES], 16, VQ_DIRECT);
		for (i = 0; i < KILL_QUEUES; i++) {
			while (echo_send(&echoes[i], VQ_DIRECT))
				;
			bridge_kick_always(&bridge.queues[i]);
		}
		kill_owner(pid);
		assert_int_equal(module_wait_threads(threads_before), 0);
		assert_int_equal(module_users(), 0);
		for (i = 0; i < KILL_QUEUES; i++)
			assert_saved(&bridge.queues[i]);
		assert_int_equal(module_unload(), 0);
		assert_int_equal(module_load(), 0);
	}
}

/* Sets devices up and takes them down, without an end. */
static void be_restless_owner(void)
{
	unsigned int i;

	setenv("CMOCKA_TEST_ABORT", "1", 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		bridge_open_device(&bridge, "loop");
		bridge_set_up(&bridge, bridge.features);
		for (i = 0; i < KILL_QUEUES; i++) {
			program_from_saved(i);
			assert_int_equal(bridge_start(&bridge, i), 0);
		}
		assert_int_equal(bridge_stop(&bridge, 0), 0);
		assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL),
				 0);
		close(bridge.fd);
	}
}

static void test_owner_killed_anywhere(void **state)
{
	const unsigned int round_count = rounds(SETUP_ROUNDS);
	struct test_random random = test_random_of(test_random_seed());
	unsigned int i, round;
	pid_t pid;

	make_guest(*(const bool *)*state);
	for (i = 0; i < KILL_QUEUES; i++)
		bridge_make_queue(&bridge, i, RING_ENTRIES, TABLE_DESCS);
	for (round = 0; round < round_count; round++) {
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			be_restless_owner();
		usleep(test_random_below(&random, SETUP_US_MAX));
		kill_owner(pid);
		assert_int_equal(module_wait_threads(threads_before), 0);
		assert_int_equal(module_users(), 0);
	}
}

/*
 * The descriptor is handed on, and the owner dies: its address space lives as
 * long as the device, and so does the traffic.
 */
static void test_owner_dies_device_stays(void **state)
{
	const bool *is_packed = *state;
	static struct echo echo;
	pid_t pid;

	make_guest(*is_packed);
	bridge_make_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	echo_init(&echo, &bridge, 0, 1);
	bridge_open_device(&bridge, "loop");
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		bridge_set_up(&bridge, bridge.features);
		bridge_program_queue(&bridge, 0);
		_exit(bridge_start(&bridge, 0) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	echo_burst(&echo, 16, VQ_DIRECT);
	assert_int_equal(bridge_stop(&bridge, 0), -EPERM);
	close(bridge.fd);
	bridge.fd = -1;
	assert_int_equal(module_wait_threads(threads_before), 0);
	assert_saved(&bridge.queues[0]);
}

#define TEST(function, state)                                                 \
	cmocka_unit_test_prestate_setup_teardown(function, set_up, tear_down, \
						 state)

int main(void)
{
	static bool layouts[] = { false, true };
	const struct CMUnitTest tests[] = {
		TEST(test_owner_killed, &layouts[0]),
		TEST(test_owner_killed, &layouts[1]),
		TEST(test_owner_killed_anywhere, &layouts[0]),
		TEST(test_owner_killed_anywhere, &layouts[1]),
		TEST(test_owner_dies_device_stays, &layouts[0]),
		TEST(test_owner_dies_device_stays, &layouts[1]),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	module_restore();
	return ret;
}
