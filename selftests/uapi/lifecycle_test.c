// SPDX-License-Identifier: GPL-2.0-or-later
/* Many devices, one after the other: nothing of them is left. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/prctl.h>
#include <sys/wait.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/bridge_blk.h"
#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/module.h"
#include "lib/resources.h"

#define ROUNDS 200
#define MODULE_ROUNDS 20
#define RING_ENTRIES 16
#define TABLE_DESCS 8

/* What may be left in caches */
#define SLAB_MORE_KIB 8192

static struct resources resources_before;

/* Every thing of the kernel that a device could leave behind */
struct counts {
	unsigned int threads;
	int users;
	unsigned long unreclaimable_kib;
};

static unsigned long read_meminfo(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long value = 0;
	char line[128];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %lu", &value);
	fclose(file);
	return value;
}

static void count(struct counts *counts)
{
	counts->threads = module_thread_count();
	counts->users = module_users();
	counts->unreclaimable_kib = read_meminfo("SUnreclaim");
}

static void assert_flat(const struct counts *before)
{
	struct counts now;

	assert_int_equal(module_wait_threads(before->threads), 0);
	count(&now);
	assert_int_equal(now.users, before->users);
	assert_true(now.unreclaimable_kib <
		    before->unreclaimable_kib + SLAB_MORE_KIB);
}

static int set_up(void **state)
{
	(void)state;
	resources_count(&resources_before);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	resources_assert_same(&resources_before);
	return 0;
}

static uint64_t features_of(unsigned int round)
{
	uint64_t features = bridge_bit(VIRTIO_F_VERSION_1);

	if (round & 1)
		features |= bridge_bit(VIRTIO_F_RING_PACKED);
	if (round & 2)
		features |= bridge_bit(VIRTIO_F_IN_ORDER);
	if (round & 4)
		features |= bridge_bit(VIRTIO_RING_F_EVENT_IDX);
	return features;
}

static void one_round(struct bridge *bridge, unsigned int round)
{
	const unsigned int queues = round % 3;
	unsigned int i;

	bridge_open(bridge, "loop");
	/* Some never get an owner. */
	if (round % 10 == 9) {
		bridge_close(bridge);
		return;
	}
	bridge_set_up(bridge, features_of(round));
	for (i = 0; i < queues; i++) {
		bridge_add_queue(bridge, i, RING_ENTRIES, TABLE_DESCS);
		echo_works(bridge, i);
	}
	/* Stopped, reset or just closed */
	if (round % 4 == 0) {
		for (i = 0; i < queues; i++)
			assert_int_equal(bridge_stop(bridge, i), 0);
	} else if (round % 4 == 1) {
		assert_int_equal(bridge_call(bridge, VHOST_RESET_OWNER, NULL),
				 0);
	}
	bridge_close(bridge);
}

static void test_many_devices(void **state)
{
	struct bridge bridge;
	struct counts before;
	unsigned int round;

	(void)state;
	for (round = 0; round < 20; round++)
		one_round(&bridge, round);
	count(&before);
	for (round = 0; round < ROUNDS; round++)
		one_round(&bridge, round);
	assert_flat(&before);
}

/* Own, start, stop, disown: the same device all the time */
static void test_many_owners(void **state)
{
	struct bridge bridge;
	struct counts before;
	unsigned int round;

	(void)state;
	bridge_open(&bridge, "loop");
	count(&before);
	for (round = 0; round < ROUNDS; round++) {
		bridge_set_up(&bridge, features_of(round));
		bridge_add_queue(&bridge, round % BRIDGE_QUEUES, RING_ENTRIES,
				 TABLE_DESCS);
		echo_works(&bridge, round % BRIDGE_QUEUES);
		assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL),
				 0);
		bridge_free_queue(&bridge, round % BRIDGE_QUEUES);
	}
	assert_flat(&before);
	bridge_close(&bridge);
}

static void test_many_starts(void **state)
{
	struct bridge bridge;
	struct counts before;
	unsigned int round;

	(void)state;
	bridge_open(&bridge, "loop");
	bridge_set_up(&bridge, features_of(7));
	bridge_add_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	count(&before);
	for (round = 0; round < ROUNDS; round++) {
		assert_int_equal(bridge_stop(&bridge, 0), 0);
		assert_int_equal(bridge_start(&bridge, 0), 0);
		echo_works(&bridge, 0);
	}
	assert_flat(&before);
	bridge_close(&bridge);
}

static void test_many_disks(void **state)
{
	struct bridge bridge;
	struct counts before;
	struct disk disk;
	unsigned int round;

	(void)state;
	disk_open(&disk, DISK_TMPFS);
	count(&before);
	for (round = 0; round < ROUNDS / 4; round++) {
		blk_open(&bridge, &disk, round & 1, 0, 1 + round % 4);
		blk_read(&bridge, &disk, 0, BLK_DATA_GPA, 1 << 20);
		bridge_close(&bridge);
	}
	assert_flat(&before);
	disk_close(&disk);
}

/* Sends as much as it can until it is killed. */
static void be_busy(int ready_fd)
{
	static struct echo echoes[2];
	static struct bridge bridge;
	unsigned int i;

	setenv("CMOCKA_TEST_ABORT", "1", 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bridge_open(&bridge, "loop");
	bridge_set_up(&bridge, features_of(4));
	for (i = 0; i < VHB_ARRAY_COUNT(echoes); i++) {
		bridge_add_queue(&bridge, i, RING_ENTRIES, TABLE_DESCS);
		echo_init(&echoes[i], &bridge, i, i);
	}
	if (write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;)
		for (i = 0; i < VHB_ARRAY_COUNT(echoes); i++)
			echo_burst(&echoes[i], RING_ENTRIES, VQ_DIRECT);
}

/*
 * While a device is open the module stays, whatever is tried. Then it goes at
 * once, and comes again.
 */
static void test_unloaded_under_traffic(void **state)
{
	struct counts before;
	unsigned int round;
	int pipes[2], status;
	char byte;
	pid_t pid;

	(void)state;
	count(&before);
	for (round = 0; round < MODULE_ROUNDS; round++) {
		assert_int_equal(pipe(pipes), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			be_busy(pipes[1]);
		close(pipes[1]);
		assert_int_equal(read(pipes[0], &byte, 1), 1);
		close(pipes[0]);
		assert_int_equal(module_users(), before.users + 1);
		assert_int_equal(module_try_unload(), -EAGAIN);
		usleep(1000 * (round % 5));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(module_try_unload(), 0);
		assert_int_equal(module_thread_count(), before.threads);
		assert_false(module_is_loaded());
		assert_int_equal(module_load(), 0);
	}
	assert_flat(&before);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_many_devices),
		TEST(test_many_owners),
		TEST(test_many_starts),
		TEST(test_many_disks),
		TEST(test_unloaded_under_traffic),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	module_restore();
	return ret;
}
