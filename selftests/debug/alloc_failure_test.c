// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory runs out in the kernel, at each allocation of each request in turn: the
 * request fails, nothing else does, and once more it works. The same for copies
 * from and to user space. Needs a kernel with fault injection.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/bridge_blk.h"
#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/fault.h"
#include "lib/module.h"
#include "lib/resources.h"

#define RING_ENTRIES 16
#define TABLE_DESCS 8
/* No request of ours comes near it. */
#define FAILURES_MAX 200
#define POLL_US 5

/*
 * One request. The device is at hand as open() and the steps before have left
 * it; queue 0 is made, but the device was not told.
 */
struct step {
	const char *name;
	int (*run)(void);
};

static struct bridge bridge;
static struct disk disk;
static bool is_blk;

static int open_device(void)
{
	int fd = open(is_blk ? "/dev/vhost-bridge-blk" : "/dev/vhost-bridge-loop",
		      O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	bridge.fd = fd;
	return 0;
}

static int get_info(void)
{
	struct vhost_bridge_info info = { .size_bytes = sizeof(info) };

	return bridge_call(&bridge, VHOST_BRIDGE_GET_INFO, &info);
}

static int set_backing(void)
{
	return is_blk ? blk_set_backing(&bridge, disk.fd, 0, 1) : 0;
}

static int get_config(void)
{
	uint8_t bytes[64];
	const struct vhost_bridge_config config = {
		.size_bytes = sizeof(config),
		.length_bytes = sizeof(bytes),
		.data_addr = (uintptr_t)bytes,
	};

	return is_blk ? bridge_call(&bridge, VHOST_BRIDGE_GET_CONFIG, &config) :
			0;
}

static int set_owner(void)
{
	return bridge_call(&bridge, VHOST_SET_OWNER, NULL);
}

static int get_features(void)
{
	uint64_t features = 0;

	return bridge_call(&bridge, VHOST_GET_FEATURES, &features);
}

static int set_features(void)
{
	return bridge_call(&bridge, VHOST_SET_FEATURES, &bridge.features);
}

static int set_memory(void)
{
	struct bridge_memory_table table;

	bridge_table(&bridge, &table);
	return bridge_call(&bridge, VHOST_SET_MEM_TABLE, &table);
}

static int call_state(unsigned long request, uint32_t num)
{
	struct vhost_vring_state state = { .index = 0, .num = num };

	return bridge_call(&bridge, request, &state);
}

static int set_num(void)
{
	return call_state(VHOST_SET_VRING_NUM, RING_ENTRIES);
}

static int set_base(void)
{
	return call_state(VHOST_SET_VRING_BASE,
			  vq_driver_base(&bridge.queues[0].driver));
}

static int set_addr(void)
{
	struct vhost_vring_addr addr;

	bridge_addr(&bridge, 0, &addr);
	return bridge_call(&bridge, VHOST_SET_VRING_ADDR, &addr);
}

static int call_file(unsigned long request, int fd)
{
	const struct vhost_vring_file file = { .index = 0, .fd = fd };

	return bridge_call(&bridge, request, &file);
}

static int set_kick(void)
{
	return call_file(VHOST_SET_VRING_KICK, bridge.queues[0].kick_fd);
}

static int set_call(void)
{
	return call_file(VHOST_SET_VRING_CALL, bridge.queues[0].call_fd);
}

static int set_err(void)
{
	return call_file(VHOST_SET_VRING_ERR, bridge.queues[0].err_fd);
}

static int set_poll(void)
{
	return call_state(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, POLL_US);
}

static int get_poll(void)
{
	return call_state(VHOST_GET_VRING_BUSYLOOP_TIMEOUT, 0);
}

static int start(void)
{
	return bridge_start(&bridge, 0);
}

static int get_status(void)
{
	struct vhost_bridge_vring_status status = {
		.size_bytes = sizeof(status),
	};

	return bridge_call(&bridge, VHOST_BRIDGE_GET_VRING_STATUS, &status);
}

/* No request of the owner, but the reason for all of them. It is not failed. */
static int work(void)
{
	if (is_blk) {
		blk_write(&bridge, &disk, 0, BLK_DATA_GPA, 4096);
		blk_read(&bridge, &disk, 0, BLK_DATA_GPA + 8192, 4096);
	} else {
		echo_works(&bridge, 0);
	}
	return 0;
}

static int stop(void)
{
	return bridge_stop(&bridge, 0);
}

static int get_base(void)
{
	return call_state(VHOST_GET_VRING_BASE, 0);
}

static int reset_owner(void)
{
	return bridge_call(&bridge, VHOST_RESET_OWNER, NULL);
}

static const struct step steps[] = {
	{ "open", open_device },
	{ "GET_INFO", get_info },
	{ "BLK_SET_BACKING", set_backing },
	{ "GET_CONFIG", get_config },
	{ "SET_OWNER", set_owner },
	{ "GET_FEATURES", get_features },
	{ "SET_FEATURES", set_features },
	{ "SET_MEM_TABLE", set_memory },
	{ "SET_VRING_NUM", set_num },
	{ "SET_VRING_BASE", set_base },
	{ "SET_VRING_ADDR", set_addr },
	{ "SET_VRING_KICK", set_kick },
	{ "SET_VRING_CALL", set_call },
	{ "SET_VRING_ERR", set_err },
	{ "SET_VRING_BUSYLOOP_TIMEOUT", set_poll },
	{ "GET_VRING_BUSYLOOP_TIMEOUT", get_poll },
	{ "START_VRING", start },
	{ "traffic", work },
	{ "SET_MEM_TABLE of a running vring", set_memory },
	{ "SET_VRING_CALL of a running vring", set_call },
	{ "GET_VRING_STATUS", get_status },
	{ "more traffic", work },
	{ "STOP_VRING", stop },
	{ "GET_VRING_BASE", get_base },
	{ "RESET_OWNER", reset_owner },
};

/* Returns whether there was an nth allocation to fail. */
static bool run_failing(const struct step *step, unsigned int nth)
{
	bool has_failed;
	int ret;

	fault_nth(nth);
	ret = step->run();
	has_failed = fault_happened();
	fault_nth(0);
	if (ret && ret != -ENOMEM && ret != -EFAULT)
		fail_msg("%s, failure %u: %s", step->name, nth, strerror(-ret));
	if (ret && !has_failed)
		fail_msg("%s: %s without a failure", step->name, strerror(-ret));
	/* What failed has changed nothing, so it can be done again. */
	if (ret)
		assert_int_equal(step->run(), 0);
	return has_failed;
}

/* All steps; one of them with its nth allocation failing. */
static bool life_with_failure(unsigned int failing, unsigned int nth)
{
	bool has_failed = false;
	unsigned int i;

	bridge_make_guest(&bridge);
	bridge.features = bridge_bit(VIRTIO_F_VERSION_1);
	bridge_make_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	for (i = 0; i < VHB_ARRAY_COUNT(steps); i++) {
		if (i == failing)
			has_failed = run_failing(&steps[i], nth);
		else
			assert_int_equal(steps[i].run(), 0);
	}
	bridge_close(&bridge);
	return has_failed;
}

static void test_each_request(void **state)
{
	const unsigned int threads = module_thread_count();
	struct resources before;
	unsigned int i, nth, count = 0;

	is_blk = *(const bool *)*state;
	if (is_blk)
		disk_open(&disk, DISK_TMPFS);
	resources_count(&before);
	for (i = 0; i < VHB_ARRAY_COUNT(steps); i++) {
		if (steps[i].run == work)
			continue;
		for (nth = 1; life_with_failure(i, nth); nth++)
			assert_true(nth < FAILURES_MAX);
		count += nth - 1;
	}
	print_message("# %u failures in %zu requests\n", count,
		      VHB_ARRAY_COUNT(steps));
	/* Opening alone allocates more than that. */
	assert_true(count >= 10);
	resources_assert_same(&before);
	assert_int_equal(module_wait_threads(threads), 0);
	assert_int_equal(module_users(), 0);
	if (is_blk)
		disk_close(&disk);
}

/*
 * Requests while a good part of the worker's allocations fail: each is answered,
 * rightly or with an error, and the queue never breaks.
 */
static void test_traffic(void **state)
{
	const uint32_t bytes = 64 * 1024;
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, bytes, true);
	unsigned int i, good_count = 0;

	(void)state;
	disk_open(&disk, DISK_LOOP);
	disk_need(&disk);
	blk_open(&bridge, &disk, false, 0, 1);
	fault_threads("vhb-", 20);
	for (i = 0; i < 300; i++) {
		struct blk_answer answer = blk_run(&bridge, VIRTIO_BLK_T_IN,
						   i % 64, &data, 1);

		assert_true(answer.status == VIRTIO_BLK_S_OK ||
			    answer.status == VIRTIO_BLK_S_IOERR);
		good_count += answer.status == VIRTIO_BLK_S_OK;
	}
	fault_threads("vhb-", 0);
	print_message("# %u of 300 requests were good\n", good_count);
	assert_true(good_count > 0);
	blk_read(&bridge, &disk, 0, BLK_DATA_GPA, bytes);
	bridge_close(&bridge);
	disk_close(&disk);
}

int main(void)
{
	static const bool kinds[] = { false, true };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_each_request, (void *)&kinds[0]),
		cmocka_unit_test_prestate(test_each_request, (void *)&kinds[1]),
		cmocka_unit_test(test_traffic),
	};
	int ret;

	fault_need();
	module_need();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	module_restore();
	return ret;
}
