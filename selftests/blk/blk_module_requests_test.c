// SPDX-License-Identifier: GPL-2.0-or-later
/* Other requests of the module's block device than reads and writes. */
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

#define UNMAP VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP
#define RANGES_MAX 64
/* Requests at once, so many that they fit */
#define MIXED 8

static struct disk disks[DISK_KINDS];
static struct disk *disk;
static struct bridge bridge;
static struct resources resources_before;
static unsigned int threads_before;
static struct test_random rng;

static int set_up(void **state)
{
	disk = *state;
	rng = test_random_of(disk->kind + 1);
	resources_count(&resources_before);
	threads_before = module_thread_count();
	if (!disk->why_not)
		blk_open(&bridge, disk, disk->kind % 2, 0, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (disk->why_not)
		return 0;
	bridge_close(&bridge);
	disk_check(disk);
	assert_int_equal(module_wait_threads(threads_before), 0);
	resources_assert_same(&resources_before);
	return 0;
}

static uint8_t run_status(uint32_t type, uint64_t sector, uint32_t bytes,
			  bool is_writable)
{
	const struct vq_buffer data =
		blk_buffer(BLK_DATA_GPA, bytes, is_writable);

	return blk_run(&bridge, type, sector, &data, bytes ? 1 : 0).status;
}

static void test_unknown_types(void **state)
{
	/* One is the legacy barrier, another the lifetime of flash memory. */
	const uint32_t types[] = { 2,  3,  5,	  6,	      7,
				   9,  10, 12,	  15,	      16,
				   17, 64, 65536, 0x80000000, UINT32_MAX };

	(void)state;
	disk_need(disk);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(types); i++) {
		struct blk_answer answer;

		answer = blk_run(&bridge, types[i], 0, NULL, 0);
		assert_int_equal(answer.status, VIRTIO_BLK_S_UNSUPP);
		assert_int_equal(answer.used_bytes, 1);
		assert_int_equal(run_status(types[i], 0, 4096, false),
				 VIRTIO_BLK_S_UNSUPP);
		memset(bridge_at(&bridge, BLK_DATA_GPA), 0xee, 512);
		assert_int_equal(run_status(types[i], 0, 512, true),
				 VIRTIO_BLK_S_UNSUPP);
		assert_memory_equal(bridge_at(&bridge, BLK_DATA_GPA),
				    "\xee\xee\xee", 3);
	}
}

static void test_get_id(void **state)
{
	const uint32_t sizes[] = { 20, 5, 1, 0, 19, 21, 100 };
	uint8_t *at;

	(void)state;
	disk_need(disk);
	at = bridge_at(&bridge, BLK_DATA_GPA);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(sizes); i++) {
		const struct vq_buffer data =
			blk_buffer(BLK_DATA_GPA, sizes[i], true);
		const uint32_t length = sizes[i] < 20 ? sizes[i] : 20;
		struct blk_answer answer;

		memset(at, 0xee, 128);
		answer = blk_run(&bridge, VIRTIO_BLK_T_GET_ID, 0, &data, 1);
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
		assert_int_equal(answer.used_bytes, length + 1);
		assert_memory_equal(at, BLK_SERIAL, length);
		assert_int_equal(at[length], 0xee);
		memset(at, 0xee, 128);
		answer = blk_run_cut(&bridge, &rng, VIRTIO_BLK_T_GET_ID, 0,
				     BLK_DATA_GPA, sizes[i]);
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
		assert_memory_equal(at, BLK_SERIAL, length);
	}
}

static void test_flush(void **state)
{
	unsigned int i;

	(void)state;
	disk_need(disk);
	for (i = 0; i < 5; i++) {
		struct blk_answer answer;

		blk_fill(&bridge, &rng, BLK_DATA_GPA, 65536);
		blk_write(&bridge, disk, i * 1000 / 8 * 8, BLK_DATA_GPA, 65536);
		/* The sector means nothing. */
		answer = blk_run(&bridge, VIRTIO_BLK_T_FLUSH, i * 12345, NULL,
				 0);
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
		assert_int_equal(answer.used_bytes, 1);
	}
}

static uint8_t run_ranges(uint32_t type,
			  const struct virtio_blk_discard_write_zeroes *ranges,
			  unsigned int count)
{
	const uint32_t bytes = count * sizeof(*ranges);
	struct blk_answer answer;

	memcpy(bridge_at(&bridge, BLK_DATA_GPA), ranges, bytes);
	if (count % 2) {
		answer.status = run_status(type, 0, bytes, false);
	} else {
		answer = blk_run_cut(&bridge, &rng, type, 0, BLK_DATA_GPA,
				     bytes);
		assert_int_equal(answer.used_bytes, 1);
	}
	return answer.status;
}

static uint8_t run_range(uint32_t type, uint64_t sector, uint32_t sectors,
			 uint32_t flags)
{
	const struct virtio_blk_discard_write_zeroes range = { sector, sectors,
							       flags };

	return run_ranges(type, &range, 1);
}

static void note_zeros(uint64_t sector, uint32_t sectors)
{
	memset(disk->shadow + sector * 512, 0, sectors * 512);
}

static void assert_zeros(uint64_t sector, uint32_t sectors)
{
	note_zeros(sector, sectors);
	blk_read(&bridge, disk, sector, BLK_DATA_GPA + 65536, sectors * 512);
}

static void test_write_zeroes(void **state)
{
	(void)state;
	disk_need(disk);
	for (uint32_t flags = 0; flags <= UNMAP; flags++) {
		/* Seen before it is gone, so that a cache would have it */
		blk_read(&bridge, disk, 64, BLK_DATA_GPA, 65536);
		assert_int_equal(run_range(VIRTIO_BLK_T_WRITE_ZEROES, 64, 64,
					   flags), VIRTIO_BLK_S_OK);
		assert_zeros(64, 64);
		assert_int_equal(run_range(VIRTIO_BLK_T_WRITE_ZEROES,
					   2000, 4096 + 8, flags),
				 VIRTIO_BLK_S_OK);
		note_zeros(2000, 4096 + 8);
		/* Written again: zeros are not what was there before. */
		blk_fill(&bridge, &rng, BLK_DATA_GPA, 65536);
		blk_write(&bridge, disk, 64, BLK_DATA_GPA, 65536);
		blk_write(&bridge, disk, 2048, BLK_DATA_GPA, 65536);
	}
	assert_int_equal(run_range(VIRTIO_BLK_T_WRITE_ZEROES,
				   disk->sectors - 8, 8, 0), VIRTIO_BLK_S_OK);
	if (disk->sectors == DISK_SECTORS)
		note_zeros(disk->sectors - 8, 8);
}

static void test_many_ranges(void **state)
{
	struct virtio_blk_discard_write_zeroes ranges[RANGES_MAX];
	unsigned int i;

	(void)state;
	disk_need(disk);
	for (i = 0; i < RANGES_MAX; i++) {
		ranges[i] = (struct virtio_blk_discard_write_zeroes){
			.sector = 16 * i,
			.num_sectors = i % 3 ? 8 : 0,
			.flags = i % 2 ? UNMAP : 0,
		};
		note_zeros(16 * i, ranges[i].num_sectors);
	}
	assert_int_equal(run_ranges(VIRTIO_BLK_T_WRITE_ZEROES, ranges,
				    RANGES_MAX), VIRTIO_BLK_S_OK);
}

static void test_discard(void **state)
{
	uint8_t wanted = VIRTIO_BLK_S_UNSUPP;

	(void)state;
	disk_need(disk);
	if (blk_features(&bridge) & bridge_bit(VIRTIO_BLK_F_DISCARD))
		wanted = VIRTIO_BLK_S_OK;
	assert_int_equal(run_range(VIRTIO_BLK_T_DISCARD, 128, 256, 0), wanted);
	/* Anything may be there now, for good. */
	disk_read_shadow(disk, 128, 256);
	blk_read(&bridge, disk, 128, BLK_DATA_GPA + 65536, 256 * 512);
	assert_int_equal(run_range(VIRTIO_BLK_T_DISCARD, 0, 0, 0), wanted);
	/* Whether it frees what it frees does not concern others. */
	blk_fill(&bridge, &rng, BLK_DATA_GPA, 65536);
	blk_write(&bridge, disk, 160, BLK_DATA_GPA, 65536);
}

static void test_secure_erase(void **state)
{
	(void)state;
	disk_need(disk);
	if (blk_features(&bridge) & bridge_bit(VIRTIO_BLK_F_SECURE_ERASE))
		skip();
	assert_int_equal(run_range(VIRTIO_BLK_T_SECURE_ERASE, 0, 8, 0),
			 VIRTIO_BLK_S_UNSUPP);
}

static void test_bad_ranges(void **state)
{
	const uint32_t types[] = { VIRTIO_BLK_T_WRITE_ZEROES,
				   VIRTIO_BLK_T_DISCARD };
	struct virtio_blk_discard_write_zeroes ranges[RANGES_MAX + 1] = { 0 };

	(void)state;
	disk_need(disk);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(types); i++) {
		const uint32_t type = types[i];
		const uint8_t bad = VIRTIO_BLK_S_IOERR;

		if (type == VIRTIO_BLK_T_DISCARD &&
		    !(blk_features(&bridge) & bridge_bit(VIRTIO_BLK_F_DISCARD)))
			continue;
		assert_int_equal(run_range(type, disk->sectors, 8, 0), bad);
		assert_int_equal(run_range(type, disk->sectors - 8, 16, 0),
				 bad);
		assert_int_equal(run_range(type, 0, UINT32_MAX - 7, 0), bad);
		assert_int_equal(run_range(type, UINT64_MAX - 7, 8, 0), bad);
		assert_int_equal(run_range(type, UINT64_C(1) << 55, 8, 0),
				 bad);
		assert_int_equal(run_range(type, UINT64_C(1) << 63, 8, 0),
				 bad);
		assert_int_equal(run_status(type, 0, 0, false), bad);
		assert_int_equal(run_status(type, 0, 15, false), bad);
		assert_int_equal(run_status(type, 0, 17, false), bad);
		assert_int_equal(run_ranges(type, ranges, RANGES_MAX + 1),
				 bad);
		assert_int_equal(run_status(type, 0, 1 << 20, false), bad);
		if (disk->block_bytes > 512) {
			assert_int_equal(run_range(type, 1, 8, 0), bad);
			assert_int_equal(run_range(type, 8, 1, 0), bad);
		}
		/* A bad one, and the good one before it is not touched. */
		ranges[0] = (struct virtio_blk_discard_write_zeroes){ 0, 8, 0 };
		ranges[1].sector = disk->sectors + 8;
		ranges[1].num_sectors = 8;
		assert_int_equal(run_ranges(type, ranges, 2), bad);
		/* More than there is, all in all */
		ranges[0].num_sectors = disk->sectors;
		ranges[1].sector = 0;
		assert_int_equal(run_ranges(type, ranges, 2), bad);
		memset(ranges, 0, sizeof(ranges));
	}
}

static void test_unknown_flags(void **state)
{
	const uint32_t flags[] = { 2, 3, 0x10000, 0x80000000, UINT32_MAX };
	const bool can_discard =
		!disk->why_not &&
		blk_features(&bridge) & bridge_bit(VIRTIO_BLK_F_DISCARD);

	(void)state;
	disk_need(disk);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(flags); i++) {
		assert_int_equal(run_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8,
					   flags[i]), VIRTIO_BLK_S_UNSUPP);
		if (can_discard)
			assert_int_equal(run_range(VIRTIO_BLK_T_DISCARD, 0, 8,
						   flags[i]),
					 VIRTIO_BLK_S_UNSUPP);
	}
	/* Unmapping is what a discard does. */
	if (can_discard)
		assert_int_equal(run_range(VIRTIO_BLK_T_DISCARD, 0, 8, UNMAP),
				 VIRTIO_BLK_S_UNSUPP);
}

/* Ranges that cannot be read */
static void test_ranges_nowhere(void **state)
{
	const struct vq_buffer data =
		blk_buffer(BRIDGE_NOWHERE_GPA, 16, false);

	(void)state;
	disk_need(disk);
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_WRITE_ZEROES, 0, &data,
				 1).status, VIRTIO_BLK_S_IOERR);
}

/* In any order with writes to other places, and all are right. */
static void test_mixed(void **state)
{
	const uint32_t types[] = { VIRTIO_BLK_T_FLUSH,
				   VIRTIO_BLK_T_WRITE_ZEROES,
				   VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_GET_ID };
	struct blk_answer answer;
	unsigned int round, i;

	(void)state;
	disk_need(disk);
	blk_fill(&bridge, &rng, BLK_DATA_GPA, MIXED * 4096);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < MIXED; i++) {
			const struct virtio_blk_discard_write_zeroes range = {
				.sector = 8192 + 8 * i, .num_sectors = 8
			};
			const uint64_t ranges_gpa =
				BLK_DATA_GPA + 0x100000 + 64 * i;
			const struct vq_buffer datas[] = {
				{ 0, 0, false },
				{ ranges_gpa, 16, false },
				{ BLK_DATA_GPA + 4096 * i, 4096, false },
				{ ranges_gpa + 32, 20, true },
			};

			memcpy(bridge_at(&bridge, ranges_gpa), &range,
			       sizeof(range));
			assert_true(blk_add(&bridge, 0, types[i % 4],
					    8192 + 8 * i, &datas[i % 4],
					    i % 4 ? 1 : 0) >= 0);
			if (i % 4 == 1)
				note_zeros(8192 + 8 * i, 8);
			if (i % 4 == 2)
				blk_note(&bridge, disk, 8192 + 8 * i,
					 BLK_DATA_GPA + 4096 * i, 4096);
		}
		bridge_kick(&bridge.queues[0]);
		for (i = 0; i < MIXED; i++) {
			blk_wait(&bridge, 0, &answer);
			assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
		}
	}
}

/*
 * A broken one is stopped and gets a new ring. The refused chain, the one behind
 * @base, was not done. A base with something before it that was done, and not
 * told, is not saved.
 */
static void replace_queue(uint32_t base, bool is_saved)
{
	const uint32_t num = bridge.queues[0].driver.num;

	assert_int_equal(bridge_stop(&bridge, 0), 0);
	assert_int_equal(bridge_get_base(&bridge, 0), base);
	assert_int_equal(bridge.queues[0].saved->is_saved, is_saved);
	assert_int_equal(bridge.queues[0].saved->base, is_saved ? base : 0);
	bridge_free_queue(&bridge, 0);
	bridge_add_queue(&bridge, 0, num, BLK_TABLE_DESCS - 64);
}

/* No room for a header, or for a status: no request at all. */
static void test_no_request(void **state)
{
	const struct vq_buffer chains[][2] = {
		{ { BLK_DATA_GPA, 15, false }, { BLK_DATA_GPA, 1, true } },
		{ { BLK_DATA_GPA, 16, false }, { BLK_DATA_GPA, 512, false } },
		{ { BLK_DATA_GPA, 0, false }, { BLK_DATA_GPA, 512, true } },
		{ { BLK_DATA_GPA, 16, false }, { BLK_DATA_GPA, 0, true } },
		{ { BLK_DATA_GPA, 512, true }, { BLK_DATA_GPA, 1, true } },
	};
	struct vhost_bridge_vring_status status;
	struct bridge_queue *queue = &bridge.queues[0];

	(void)state;
	disk_need(disk);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(chains); i++) {
		const uint32_t base = vq_driver_base(&queue->driver);

		assert_true(vq_driver_add(&queue->driver, chains[i], 2,
					  VQ_DIRECT) >= 0);
		bridge_kick(queue);
		assert_int_equal(bridge_wait_event(queue->err_fd,
						   BRIDGE_WAIT_MS), 0);
		bridge_status(&bridge, 0, &status);
		assert_int_equal(status.state, VHOST_BRIDGE_VRING_BROKEN);
		assert_int_equal(status.fault, VHOST_BRIDGE_FAULT_REQUEST);
		replace_queue(base, true);
	}
	blk_read(&bridge, disk, 0, BLK_DATA_GPA, 4096);
}

/* The header is in memory that is none, or the status. */
static void test_header_or_status_nowhere(void **state)
{
	const struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	const struct vq_buffer chains[][3] = {
		{ { BRIDGE_NOWHERE_GPA, 16, false },
		  { BLK_DATA_GPA + 4096, 4096, true },
		  { BLK_DATA_GPA + 64, 1, true } },
		{ { BLK_DATA_GPA, 16, false },
		  { BLK_DATA_GPA + 4096, 4096, true },
		  { BRIDGE_NOWHERE_GPA, 1, true } },
	};
	struct vhost_bridge_vring_status status;
	struct bridge_queue *queue = &bridge.queues[0];

	(void)state;
	disk_need(disk);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(chains); i++) {
		uint32_t base = vq_driver_base(&queue->driver);

		memcpy(bridge_at(&bridge, BLK_DATA_GPA), &header,
		       sizeof(header));
		assert_true(vq_driver_add(&queue->driver, chains[i], 3,
					  VQ_TABLE) >= 0);
		/* The second one was done, though nobody can be told. */
		if (i)
			base = vq_driver_base(&queue->driver);
		bridge_kick(queue);
		assert_int_equal(bridge_wait_event(queue->err_fd,
						   BRIDGE_WAIT_MS), 0);
		bridge_status(&bridge, 0, &status);
		assert_int_equal(status.state, VHOST_BRIDGE_VRING_BROKEN);
		assert_int_equal(status.fault, VHOST_BRIDGE_FAULT_MEMORY);
		replace_queue(base, !i);
	}
}

/* What is to be read begins before memory does; its end, the status, is there. */
static void test_status_behind_a_hole(void **state)
{
	const struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	const uint64_t status_gpa = BLK_DATA_GPA + 4096;
	const uint64_t data_gpa = BRIDGE_GPA - 4096;
	const struct vq_buffer buffers[] = {
		{ BLK_DATA_GPA, 16, false },
		{ data_gpa, status_gpa + 1 - data_gpa, true },
	};
	struct blk_answer answer;

	(void)state;
	disk_need(disk);
	memcpy(bridge_at(&bridge, BLK_DATA_GPA), &header, sizeof(header));
	answer = blk_run_raw(&bridge, buffers, 2, status_gpa);
	assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
	blk_read(&bridge, disk, 0, BLK_DATA_GPA, 4096);
}

#define CASE(function) { #function, function }

static const struct {
	const char *name;
	CMUnitTestFunction function;
} cases[] = {
	CASE(test_unknown_types),
	CASE(test_get_id),
	CASE(test_flush),
	CASE(test_write_zeroes),
	CASE(test_many_ranges),
	CASE(test_discard),
	CASE(test_secure_erase),
	CASE(test_bad_ranges),
	CASE(test_unknown_flags),
	CASE(test_ranges_nowhere),
	CASE(test_mixed),
	CASE(test_no_request),
	CASE(test_header_or_status_nowhere),
	CASE(test_status_behind_a_hole),
};

#define CASES VHB_ARRAY_COUNT(cases)

int main(void)
{
	static struct CMUnitTest tests[DISK_KINDS * CASES];
	static char names[DISK_KINDS * CASES][80];
	size_t count = 0;
	int ret;

	module_need();
	for (unsigned int i = 0; i < DISK_KINDS; i++) {
		disk_open(&disks[i], i);
		for (size_t j = 0; j < CASES; j++, count++) {
			snprintf(names[count], sizeof(names[count]), "%s: %s",
				 cases[j].name, disks[i].name);
			tests[count] = (struct CMUnitTest){
				names[count], cases[j].function, set_up,
				tear_down, &disks[i]
			};
		}
	}
	ret = _cmocka_run_group_tests("blk_module_requests", tests, count, NULL,
				      NULL);
	for (unsigned int i = 0; i < DISK_KINDS; i++)
		disk_close(&disks[i]);
	module_restore();
	return ret;
}
