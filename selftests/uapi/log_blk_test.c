// SPDX-License-Identifier: GPL-2.0-or-later
/* The dirty log, by the block device: pinned pages, bounced ones, all answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/mman.h>

#include <linux/virtio_config.h>

#include "lib/bits.h"
#include "lib/blk_variants.h"
#include "lib/bridge_blk.h"
#include "lib/bridge_device.h"
#include "lib/bridge_log.h"
#include "lib/module.h"
#include "lib/resources.h"

#define PAGE LOG_PAGE_BYTES
#define ROUNDS 12
#define REQUESTS 4
/* Each request's part of memory */
#define STRIDE (1u << 20)

static struct disk *disk;
static struct bridge bridge;
static struct bridge_log bitmap;
static struct test_random rng;
static struct resources resources_before;
static unsigned int threads_before;
static uint64_t seed;

static int set_up(void **state)
{
	const struct blk_variant *variant = *state;

	disk = variant->disk;
	rng = test_random_of(seed);
	resources_count(&resources_before);
	threads_before = module_thread_count();
	if (disk->why_not)
		return 0;
	blk_open(&bridge, disk, variant->is_packed, 0, 1);
	bridge_log_open(&bitmap);
	bridge_log_use(&bridge, &bitmap);
	assert_int_equal(bridge_log_buffers(&bridge, true), 0);
	assert_int_equal(bridge_log_ring(&bridge, 0, true), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bridge_close(&bridge);
	bridge_log_close(&bitmap);
	assert_int_equal(module_wait_threads(threads_before), 0);
	resources_assert_same(&resources_before);
	return 0;
}

/* Cuts memory from @gpa on into buffers of multiples of @unit. */
static unsigned int cut(struct vq_buffer *buffers, unsigned int room,
			uint64_t gpa, uint32_t bytes, uint32_t unit)
{
	unsigned int count = 0;

	while (bytes) {
		uint32_t piece = unit * (1 + test_random_below(&rng, 12));

		if (piece > bytes || count + 1 == room)
			piece = bytes;
		buffers[count++] = blk_buffer(gpa, piece, true);
		gpa += piece;
		/* Some pages between them are left alone. */
		if (test_random_one_in(&rng, 3))
			gpa += 3 * PAGE;
		bytes -= piece;
	}
	return count;
}

/* What is read there changes each byte. */
static void spoil(const struct vq_buffer *buffers, unsigned int count,
		  const uint8_t *wanted)
{
	unsigned int i;
	uint32_t j;

	for (i = 0; i < count; i++) {
		uint8_t *at = bridge_at(&bridge, buffers[i].gpa);

		for (j = 0; j < buffers[i].size_bytes; j++)
			at[j] = ~*wanted++;
	}
}

static void add_read(uint64_t gpa, uint32_t bytes, uint32_t unit)
{
	const uint64_t sector =
		test_random_below(&rng, (DISK_BYTES - bytes) / 512) / 8 * 8;
	struct vq_buffer buffers[64];
	unsigned int count;

	count = cut(buffers, VHB_ARRAY_COUNT(buffers), gpa, bytes, unit);
	spoil(buffers, count, disk->shadow + sector * 512);
	assert_true(blk_add(&bridge, 0, VIRTIO_BLK_T_IN, sector, buffers,
			    count) >= 0);
}

static void add_any(unsigned int place)
{
	const uint64_t gpa = BLK_DATA_GPA + place * STRIDE;
	struct vq_buffer data = blk_buffer(gpa, PAGE, false);

	switch (test_random_below(&rng, 5)) {
	case 0:
		add_read(gpa, PAGE * (1 + test_random_below(&rng, 40)), PAGE);
		break;
	case 1: /* aligned for no direct I/O */
		add_read(gpa + test_random_below(&rng, PAGE),
			 PAGE * (1 + test_random_below(&rng, 10)), 1);
		break;
	case 2: /* what is there already */
		memcpy(bridge_at(&bridge, gpa), disk->shadow, PAGE);
		assert_true(blk_add(&bridge, 0, VIRTIO_BLK_T_OUT, 0, &data,
				    1) >= 0);
		break;
	case 3:
		data = blk_buffer(gpa + PAGE - 10, 20, true);
		memset(bridge_at(&bridge, data.gpa), 0xee, 20);
		assert_true(blk_add(&bridge, 0, VIRTIO_BLK_T_GET_ID, 0, &data,
				    1) >= 0);
		break;
	default:
		assert_true(blk_add(&bridge, 0, VIRTIO_BLK_T_FLUSH, 0, NULL,
				    0) >= 0);
	}
}

/* All that is in the ring, with nobody but the device writing meanwhile */
static void run_added(unsigned int count)
{
	struct blk_answer answer;

	if (bridge.features & bridge_bit(VIRTIO_F_RING_PACKED))
		memset(bridge.queues[0].driver.used, 0xff, 4);
	bridge_log_begin(&bitmap, &bridge);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	while (count--) {
		blk_wait(&bridge, 0, &answer);
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	}
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	bridge_log_check(&bitmap, &bridge);
}

static void test_what_changed_is_marked(void **state)
{
	unsigned int round, i;

	(void)state;
	disk_need(disk);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < REQUESTS; i++)
			add_any(i);
		run_added(REQUESTS);
	}
}

/* More than a slice, zero copy and copied */
static void test_long_reads(void **state)
{
	(void)state;
	disk_need(disk);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	add_read(BLK_DATA_GPA, 600 * PAGE, 16 * PAGE);
	run_added(1);
	add_read(BLK_DATA_GPA + 1, 600 * PAGE, 16 * PAGE);
	run_added(1);
}

/* The second half of the buffer is in no memory: what is there may be marked. */
static void test_refused_reads(void **state)
{
	const struct vq_buffer data[] = {
		{ BLK_DATA_GPA, PAGE, true },
		{ BRIDGE_NOWHERE_GPA, PAGE, true },
	};
	struct blk_answer answer;

	(void)state;
	disk_need(disk);
	bridge_log_begin(&bitmap, &bridge);
	answer = blk_run(&bridge, VIRTIO_BLK_T_IN, 0, data, 2);
	assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
	assert_false(bridge_log_take(&bitmap, BRIDGE_NOWHERE_GPA));
	blk_read(&bridge, disk, 0, BLK_DATA_GPA, PAGE);
	assert_true(bridge_log_take(&bitmap, BLK_DATA_GPA));
}

static void test_bitmap_that_cannot_be_written(void **state)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, PAGE, true);
	struct vhost_bridge_vring_status status;

	(void)state;
	disk_need(disk);
	blk_read(&bridge, disk, 0, BLK_DATA_GPA, PAGE);
	assert_int_equal(mprotect(bitmap.bits, bitmap.bytes, PROT_READ), 0);
	assert_true(blk_add(&bridge, 0, VIRTIO_BLK_T_IN, 0, &data, 1) >= 0);
	bridge_kick_always(&bridge.queues[0]);
	assert_int_equal(bridge_wait_event(bridge.queues[0].err_fd,
					   BRIDGE_WAIT_MS), 0);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_BROKEN);
	assert_int_equal(status.fault, VHOST_BRIDGE_FAULT_LOG);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
}

static const struct blk_case cases[] = {
	BLK_CASE(test_what_changed_is_marked),
	BLK_CASE(test_long_reads),
	BLK_CASE(test_refused_reads),
	BLK_CASE(test_bitmap_that_cannot_be_written),
};

int main(void)
{
	static const enum disk_kind kinds[] = {
		DISK_TMPFS, DISK_LOOP,
	};
	const struct blk_suite suite = {
		.name = "log_blk",
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
