/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_BLK_BLK_MODULE_FIXTURE_H
#define SELFTESTS_BLK_BLK_MODULE_FIXTURE_H

/**
 * DOC: the module's block device, before it has a disk
 *
 * Each test opens one. There are two disks to give to it.
 */

#include <errno.h>
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
#include "lib/module.h"
#include "lib/resources.h"

#define QUEUES_MAX 64

static struct disk disk, disk_4k;
static struct bridge bridge;
static struct resources resources_before;
static unsigned int threads_before;

static inline int set_up(void **state)
{
	(void)state;
	resources_count(&resources_before);
	threads_before = module_thread_count();
	bridge_open(&bridge, "blk");
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	bridge_close(&bridge);
	assert_int_equal(module_wait_threads(threads_before), 0);
	resources_assert_same(&resources_before);
	return 0;
}

/* Runs queue 0 on the disk that was set. */
static inline void run(uint64_t without)
{
	without |= bridge_bit(VIRTIO_F_RING_PACKED) | BLK_FEATURES_ASKED;
	bridge_set_up(&bridge, blk_features(&bridge) & ~without);
	bridge_add_queue(&bridge, 0, BLK_RING_ENTRIES, 32);
}

static inline bool offers(unsigned int bit)
{
	return blk_features(&bridge) & bridge_bit(bit);
}

static inline void get_config(struct virtio_blk_config *config)
{
	const struct vhost_bridge_config request = {
		.size_bytes = sizeof(request),
		.length_bytes = sizeof(*config),
		.data_addr = (uintptr_t)config,
	};

	memset(config, 0xee, sizeof(*config));
	assert_int_equal(bridge_call(&bridge, VHOST_BRIDGE_GET_CONFIG,
				     &request), 0);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static inline int run_all(const struct CMUnitTest *tests, size_t count)
{
	int ret;

	module_need();
	disk_open(&disk, DISK_TMPFS);
	disk_open(&disk_4k, DISK_LOOP_4K);
	ret = _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
	disk_close(&disk);
	disk_close(&disk_4k);
	module_restore();
	return ret;
}

#endif
