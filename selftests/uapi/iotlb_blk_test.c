// SPDX-License-Identifier: GPL-2.0-or-later
/* The block device behind an IOMMU. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/blk_variants.h"
#include "lib/bridge_blk.h"
#include "lib/bridge_device.h"
#include "lib/bridge_iotlb.h"
#include "lib/module.h"
#include "lib/resources.h"

#define PAGE 4096u
#define REQUESTS 40
#define ROUNDS 15
#define AT_ONCE 6
#define PAGES_MAX 24
/* Each request's part of memory */
#define STRIDE (1u << 20)

static struct disk *disk;
static struct bridge bridge;
static struct iotlb_server server;
static struct test_random rng;
static struct resources resources_before;
static unsigned int threads_before;
static uint64_t seed;

static int set_up(void **state)
{
	const struct blk_variant *variant = *state;
	uint64_t features;

	disk = variant->disk;
	rng = test_random_of(seed);
	resources_count(&resources_before);
	threads_before = module_thread_count();
	if (disk->why_not)
		return 0;
	bridge_open(&bridge, "blk");
	assert_int_equal(blk_set_backing(&bridge, disk->fd, 0, 1), 0);
	features = blk_features(&bridge) & ~BLK_FEATURES_ASKED &
		   ~bridge_bit(VIRTIO_F_IN_ORDER) &
		   ~bridge_bit(VIRTIO_F_NOTIFY_ON_EMPTY);
	if (!variant->is_packed)
		features &= ~bridge_bit(VIRTIO_F_RING_PACKED);
	bridge_set_up(&bridge,
		      features | bridge_bit(VIRTIO_F_ACCESS_PLATFORM));
	bridge_iotlb_set_table(&bridge);
	bridge_make_queue(&bridge, 0, BLK_RING_ENTRIES - variant->is_packed,
			  BLK_TABLE_DESCS - 64);
	bridge_program_queue(&bridge, 0);
	server = (struct iotlb_server){ .bridge = &bridge };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bridge_close(&bridge);
	assert_int_equal(module_wait_threads(threads_before), 0);
	resources_assert_same(&resources_before);
	return 0;
}

static void start_in_pieces(uint32_t piece_bytes, uint32_t first)
{
	server.piece_bytes = piece_bytes;
	server.first = first;
	iotlb_server_start(&server);
	assert_int_equal(bridge_iotlb_start(&bridge, 0), 0);
}

static void run_requests(void)
{
	unsigned int i;

	for (i = 0; i < REQUESTS; i++) {
		const uint32_t bytes = PAGE * (1 + test_random_below(&rng,
								     PAGES_MAX));
		const uint64_t sector =
			test_random_below(&rng, (DISK_BYTES - bytes) / PAGE) *
			(PAGE / 512);
		uint64_t gpa = BLK_DATA_GPA + test_random_below(&rng, 8) * STRIDE;

		/* Now and then one that direct I/O does not take */
		if (test_random_one_in(&rng, 3))
			gpa += test_random_below(&rng, PAGE);
		if (test_random_one_in(&rng, 2)) {
			blk_fill(&bridge, &rng, gpa, bytes);
			blk_write(&bridge, disk, sector, gpa, bytes);
		} else {
			blk_read(&bridge, disk, sector, gpa, bytes);
		}
	}
}

static void test_pages_mapped_on_miss(void **state)
{
	(void)state;
	disk_need(disk);
	start_in_pieces(PAGE, 0);
	run_requests();
	iotlb_server_stop(&server);
	assert_true(atomic_load(&server.miss_count));
	disk_check(disk);
}

static void test_odd_pieces(void **state)
{
	(void)state;
	disk_need(disk);
	start_in_pieces(1237, 5);
	run_requests();
	iotlb_server_stop(&server);
	disk_check(disk);
}

static void *keep_forgetting(void *must_stop)
{
	while (!atomic_load((atomic_bool *)must_stop)) {
		if (bridge_iotlb_send(&bridge, VHOST_IOTLB_INVALIDATE,
				      BRIDGE_GPA, BRIDGE_BYTES, 0))
			return "failed";
		usleep(1000);
	}
	return NULL;
}

/* What has begun is finished where it was, whatever is forgotten meanwhile. */
static void test_invalidation_under_traffic(void **state)
{
	atomic_bool must_stop = false;
	struct blk_answer answer;
	pthread_t thread;
	unsigned int round, i;
	void *failed;

	(void)state;
	disk_need(disk);
	start_in_pieces(16 * PAGE, 0);
	assert_int_equal(pthread_create(&thread, NULL, keep_forgetting,
					&must_stop), 0);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < AT_ONCE; i++) {
			const struct vq_buffer data =
				blk_buffer(BLK_DATA_GPA + i * STRIDE, 8 * PAGE,
					   true);

			memset(bridge_at(&bridge, data.gpa), 0, 8 * PAGE);
			assert_true(blk_add(&bridge, 0, VIRTIO_BLK_T_IN,
					    i * 64, &data, 1) >= 0);
		}
		bridge_kick(&bridge.queues[0]);
		for (i = 0; i < AT_ONCE; i++) {
			blk_wait(&bridge, 0, &answer);
			assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
		}
		for (i = 0; i < AT_ONCE; i++)
			assert_memory_equal(bridge_at(&bridge, BLK_DATA_GPA +
						      i * STRIDE),
					    disk->shadow + i * 64 * 512,
					    8 * PAGE);
	}
	atomic_store(&must_stop, true);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	iotlb_server_stop(&server);
}

/* The disk may be at it while the device goes. */
static void test_close_in_the_middle(void **state)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, 64 * PAGE, true);
	unsigned int i;

	(void)state;
	disk_need(disk);
	bridge_iotlb_map(&bridge, BRIDGE_GPA, BRIDGE_BYTES, VHOST_ACCESS_RW);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	for (i = 0; i < AT_ONCE; i++)
		assert_true(blk_add(&bridge, 0, VIRTIO_BLK_T_IN, 0, &data, 1) >=
			    0);
	bridge_kick(&bridge.queues[0]);
	bridge_iotlb_unmap(&bridge, BRIDGE_GPA, BRIDGE_BYTES);
	close(bridge.fd);
	bridge.fd = -1;
	assert_int_equal(module_wait_threads(threads_before), 0);
}

/* A page that the device must not write */
static void test_forbidden_buffer(void **state)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, PAGE, true);
	struct vhost_bridge_vring_status status;

	(void)state;
	disk_need(disk);
	bridge_iotlb_map(&bridge, BRIDGE_GPA, BRIDGE_BYTES, VHOST_ACCESS_RW);
	bridge_iotlb_map(&bridge, BLK_DATA_GPA, PAGE, VHOST_ACCESS_RO);
	memset(bridge_at(&bridge, BLK_DATA_GPA), 0x77, PAGE);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	assert_true(blk_add(&bridge, 0, VIRTIO_BLK_T_IN, 0, &data, 1) >= 0);
	bridge_kick_always(&bridge.queues[0]);
	assert_int_equal(bridge_wait_event(bridge.queues[0].err_fd,
					   BRIDGE_WAIT_MS), 0);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.fault, VHOST_BRIDGE_FAULT_ACCESS);
	assert_int_equal(*(uint8_t *)bridge_at(&bridge, BLK_DATA_GPA), 0x77);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
}

static const struct blk_case cases[] = {
	BLK_CASE(test_pages_mapped_on_miss),
	BLK_CASE(test_odd_pieces),
	BLK_CASE(test_invalidation_under_traffic),
	BLK_CASE(test_close_in_the_middle),
	BLK_CASE(test_forbidden_buffer),
};

int main(void)
{
	static const enum disk_kind kinds[] = {
		DISK_TMPFS, DISK_LOOP,
	};
	const struct blk_suite suite = {
		.name = "iotlb_blk",
		.cases = cases,
		.case_count = VHB_ARRAY_COUNT(cases),
		.kinds = kinds,
		.kind_count = VHB_ARRAY_COUNT(kinds),
		.set_up = set_up,
		.tear_down = tear_down,
	};
	int ret;

	module_need();
	seed = test_random_seed();
	ret = blk_run_suite(&suite);
	module_restore();
	return ret;
}
