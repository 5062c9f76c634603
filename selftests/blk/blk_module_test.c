// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads and writes of the module's block device, on each kind of disk. */
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
#include "lib/blk_variants.h"
#include "lib/bridge_blk.h"
#include "lib/bridge_device.h"
#include "lib/module.h"
#include "lib/resources.h"

#define PAGE 4096u
#define QUEUES 4

static struct disk *disk;
static struct bridge bridge;
static struct resources resources_before;
static unsigned int threads_before;
static struct test_random rng;
static uint64_t seed;
static bool is_packed;

static int set_up(void **state)
{
	const struct blk_variant *variant = *state;

	disk = variant->disk;
	is_packed = variant->is_packed;
	rng = test_random_of(seed);
	resources_count(&resources_before);
	threads_before = module_thread_count();
	if (!disk->why_not)
		blk_open(&bridge, disk, is_packed, 0, QUEUES);
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

/* A sector from which on so much fits on the disk */
static uint64_t any_sector(uint32_t bytes)
{
	const uint32_t unit = disk->block_bytes / 512;

	return test_random_below(&rng, (DISK_BYTES - bytes) /
					       disk->block_bytes + 1) * unit;
}

static void test_sizes(void **state)
{
	const uint32_t sizes[] = { 512, 1024, 4096, 4608, 65536, 1 << 20,
				   (1 << 20) + 512, 3 << 20, 5 << 20 };

	(void)state;
	disk_need(disk);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(sizes); i++) {
		const uint64_t sector = any_sector(sizes[i]);

		if (sizes[i] % disk->block_bytes)
			continue;
		blk_fill(&bridge, &rng, BLK_DATA_GPA, sizes[i]);
		blk_write(&bridge, disk, sector, BLK_DATA_GPA, sizes[i]);
		blk_read(&bridge, disk, sector, BLK_DATA_GPA + (8 << 20),
			 sizes[i]);
	}
}

/* Whole pages, none beside the other: more than one slice */
static void test_scattered_pages(void **state)
{
	enum { PAGES = 700 };
	static struct vq_buffer out[PAGES], in[PAGES];
	const uint64_t sector = any_sector(PAGES * PAGE);
	struct blk_answer answer;

	(void)state;
	disk_need(disk);
	for (unsigned int i = 0; i < PAGES; i++) {
		out[i] = blk_buffer(BLK_DATA_GPA + 2 * (PAGES - i) * PAGE, PAGE,
				    false);
		in[i] = blk_buffer(BLK_DATA_GPA + (16 << 20) + 2 * i * PAGE,
				   PAGE, true);
		blk_fill(&bridge, &rng, out[i].gpa, PAGE);
		blk_note(&bridge, disk, sector + i * PAGE / 512, out[i].gpa,
			 PAGE);
	}
	answer = blk_run(&bridge, VIRTIO_BLK_T_OUT, sector, out, PAGES);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	assert_int_equal(answer.used_bytes, 1);
	answer = blk_run(&bridge, VIRTIO_BLK_T_IN, sector, in, PAGES);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	assert_int_equal(answer.used_bytes, PAGES * PAGE + 1);
	for (unsigned int i = 0; i < PAGES; i++)
		assert_memory_equal(bridge_at(&bridge, in[i].gpa),
				    disk->shadow + sector * 512 + i * PAGE,
				    PAGE);
}

/* Buffers that start and end in the middle of pages, and of sectors */
static void test_unaligned_buffers(void **state)
{
	const uint32_t offsets[] = { 1, 3, 4, 16, 511, 512, 2048, 4095 };
	const uint32_t bytes = 1200 * 1024 / 4096 * 4096;

	(void)state;
	disk_need(disk);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(offsets); i++) {
		const uint64_t gpa = BLK_DATA_GPA + offsets[i];
		const uint64_t sector = any_sector(bytes);

		blk_fill(&bridge, &rng, gpa, bytes);
		blk_write(&bridge, disk, sector, gpa, bytes);
		blk_read(&bridge, disk, sector, gpa + 0x1000, bytes);
		/* Small ones, too */
		blk_fill(&bridge, &rng, gpa, 4096);
		blk_write(&bridge, disk, sector, gpa, 4096);
		blk_read(&bridge, disk, sector, gpa, 4096);
	}
}

/* Across the regions, which are far apart for the device */
static void test_across_regions(void **state)
{
	const uint32_t bytes = 64 * PAGE;
	const uint64_t gpa = BRIDGE_SPLIT_GPA - 20 * PAGE;

	(void)state;
	disk_need(disk);
	blk_fill(&bridge, &rng, gpa, bytes);
	blk_write(&bridge, disk, 0, gpa, bytes);
	blk_read(&bridge, disk, 0, gpa - 100 * PAGE - 256, bytes);
	blk_read(&bridge, disk, 0, gpa - 256, bytes);
}

/* Header, data and status cut to pieces anywhere */
static void test_any_layout(void **state)
{
	unsigned int i;

	(void)state;
	disk_need(disk);
	for (i = 0; i < 150; i++) {
		const uint32_t bytes = disk->block_bytes *
				       (1 + test_random_below(&rng, 24));
		const uint64_t sector = any_sector(bytes);
		const uint64_t gpa = BLK_DATA_GPA + PAGE +
				     test_random_below(&rng, PAGE);
		struct blk_answer answer;

		if (test_random_one_in(&rng, 2)) {
			blk_fill(&bridge, &rng, gpa, bytes);
			answer = blk_run_cut(&bridge, &rng, VIRTIO_BLK_T_OUT,
					     sector, gpa, bytes);
			blk_note(&bridge, disk, sector, gpa, bytes);
			assert_int_equal(answer.used_bytes, 1);
		} else {
			memset(bridge_at(&bridge, gpa - 1), 0xee, bytes + 3);
			answer = blk_run_cut(&bridge, &rng, VIRTIO_BLK_T_IN,
					     sector, gpa, bytes);
			assert_memory_equal(bridge_at(&bridge, gpa),
					    disk->shadow + sector * 512, bytes);
			assert_int_equal(answer.used_bytes, bytes + 1);
			assert_memory_equal(bridge_at(&bridge, gpa - 1),
					    "\xee", 1);
			assert_memory_equal(bridge_at(&bridge, gpa + bytes + 1),
					    "\xee", 1);
		}
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	}
}

/* A byte each; the last piece has the rest. */
static void test_tiny_segments(void **state)
{
	enum { PIECES = 900 };
	static struct vq_buffer out[PIECES], in[PIECES];
	const uint32_t bytes = 4096;
	struct blk_answer answer;

	(void)state;
	disk_need(disk);
	for (unsigned int i = 0; i < PIECES; i++) {
		const uint32_t length = i + 1 < PIECES ? 1 : bytes - i;

		out[i] = blk_buffer(BLK_DATA_GPA + i, length, false);
		in[i] = blk_buffer(BLK_DATA_GPA + 2 * PAGE + i, length, true);
	}
	blk_fill(&bridge, &rng, BLK_DATA_GPA, bytes);
	answer = blk_run(&bridge, VIRTIO_BLK_T_OUT, 8, out, PIECES);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	blk_note(&bridge, disk, 8, BLK_DATA_GPA, bytes);
	answer = blk_run(&bridge, VIRTIO_BLK_T_IN, 8, in, PIECES);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	assert_int_equal(answer.used_bytes, bytes + 1);
	assert_memory_equal(bridge_at(&bridge, in[0].gpa),
			    disk->shadow + 8 * 512, bytes);
}

static void test_no_data(void **state)
{
	struct blk_answer answer;

	(void)state;
	disk_need(disk);
	for (uint64_t sector = 0; sector <= disk->sectors;
	     sector += disk->sectors) {
		answer = blk_run(&bridge, VIRTIO_BLK_T_IN, sector, NULL, 0);
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
		assert_int_equal(answer.used_bytes, 1);
		answer = blk_run(&bridge, VIRTIO_BLK_T_OUT, sector, NULL, 0);
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
		assert_int_equal(answer.used_bytes, 1);
	}
}

/* A read that fails shows nothing, and nothing is written. */
static void assert_refused(uint64_t sector, uint32_t bytes)
{
	const struct vq_buffer out = blk_buffer(BLK_DATA_GPA, bytes, false);
	const struct vq_buffer in = blk_buffer(BLK_DATA_GPA, bytes, true);
	const uint8_t *at = bridge_at(&bridge, BLK_DATA_GPA);
	struct blk_answer answer;

	memset(bridge_at(&bridge, BLK_DATA_GPA), 0xee, bytes);
	answer = blk_run(&bridge, VIRTIO_BLK_T_IN, sector, &in, 1);
	assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
	for (uint32_t i = 0; i < bytes; i++)
		assert_int_equal(at[i], 0xee);
	answer = blk_run(&bridge, VIRTIO_BLK_T_OUT, sector, &out, 1);
	assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
	assert_int_equal(answer.used_bytes, 1);
}

static void test_beyond_the_end(void **state)
{
	const uint32_t unit = disk->block_bytes;

	(void)state;
	disk_need(disk);
	assert_refused(disk->sectors, unit);
	assert_refused(disk->sectors - unit / 512, 2 * unit);
	assert_refused(disk->sectors + 1, unit);
	assert_refused(UINT64_MAX, unit);
	assert_refused(UINT64_MAX - 7, unit);
	/* As bytes these would be small. */
	assert_refused(UINT64_C(1) << 55, unit);
	assert_refused((UINT64_C(1) << 55) + 8, unit);
	assert_refused(UINT64_C(1) << 63, unit);
}

static void test_misaligned_length(void **state)
{
	const uint32_t lengths[] = { 1, 511, 513, 4095, 4097, 65535 };

	(void)state;
	disk_need(disk);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(lengths); i++)
		assert_refused(0, lengths[i]);
	if (disk->block_bytes == 512)
		return;
	assert_refused(0, 512);
	assert_refused(8, 4096 + 512);
	assert_refused(1, 4096);
}

static void test_data_nowhere(void **state)
{
	const struct vq_buffer bad[] = {
		{ BRIDGE_NOWHERE_GPA, 4096, false },
		{ BRIDGE_GPA + BRIDGE_BYTES - 2048, 4096, false },
		{ UINT64_MAX - 4095, 4096, false },
	};
	struct blk_answer answer;

	(void)state;
	disk_need(disk);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(bad); i++) {
		struct vq_buffer buffers[2] = {
			blk_buffer(BLK_DATA_GPA, 4096, false), bad[i]
		};

		answer = blk_run(&bridge, VIRTIO_BLK_T_OUT, 0, buffers + 1, 1);
		assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
		answer = blk_run(&bridge, VIRTIO_BLK_T_OUT, 0, buffers, 2);
		assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
		buffers[0].is_writable = true;
		buffers[1].is_writable = true;
		answer = blk_run(&bridge, VIRTIO_BLK_T_IN, 0, buffers, 2);
		assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
	}
	/* Through an unaligned buffer, too */
	answer = blk_run(&bridge, VIRTIO_BLK_T_IN, 0,
			 (const struct vq_buffer[]){
				 { BLK_DATA_GPA + 1, 4096, true },
				 { BRIDGE_NOWHERE_GPA, 4096, true } },
			 2);
	assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
	blk_read(&bridge, disk, 0, BLK_DATA_GPA, 4096);
}

/* A request of the test below: what it reads or writes */
struct job {
	uint64_t sector;
	uint64_t gpa;
	uint32_t bytes;
	bool is_write;
};

static struct job jobs[QUEUES][BLK_RING_ENTRIES];

/* Each request of each queue has a part of the disk of its own. */
static bool add_job(unsigned int index)
{
	const struct vq_driver *driver = &bridge.queues[index].driver;
	const uint32_t part_bytes = DISK_BYTES / QUEUES / BLK_RING_ENTRIES;
	unsigned int place;
	struct vq_buffer data;
	struct job *job;

	if (!driver->free_id_count)
		return false;
	place = driver->free_ids[driver->free_id_count - 1];
	job = &jobs[index][place];
	job->bytes = disk->block_bytes *
		     (1 + test_random_below(&rng, part_bytes /
							  disk->block_bytes));
	job->sector = (index * BLK_RING_ENTRIES + place) * part_bytes / 512;
	job->gpa = BLK_DATA_GPA + job->sector * 512 * 2 +
		   (test_random_one_in(&rng, 4) ? 20 : 0);
	job->is_write = test_random_one_in(&rng, 2);
	if (job->is_write)
		blk_fill(&bridge, &rng, job->gpa, job->bytes);
	else
		memset(bridge_at(&bridge, job->gpa), 0xee, job->bytes);
	data = blk_buffer(job->gpa, job->bytes, !job->is_write);
	return blk_add(&bridge, index, job->is_write ? VIRTIO_BLK_T_OUT :
						       VIRTIO_BLK_T_IN,
		       job->sector, &data, 1) >= 0;
}

static void end_job(unsigned int index)
{
	struct blk_answer answer;
	const struct job *job = &jobs[index][blk_wait(&bridge, index, &answer)];

	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	if (job->is_write) {
		assert_int_equal(answer.used_bytes, 1);
		blk_note(&bridge, disk, job->sector, job->gpa, job->bytes);
		return;
	}
	assert_int_equal(answer.used_bytes, job->bytes + 1);
	assert_memory_equal(bridge_at(&bridge, job->gpa),
			    disk->shadow + job->sector * 512, job->bytes);
}

static unsigned int fill_queue(unsigned int index)
{
	unsigned int count = 0;

	while (add_job(index))
		count++;
	bridge_kick(&bridge.queues[index]);
	return count;
}

static void test_many_at_once(void **state)
{
	struct vhost_bridge_vring_status status;
	unsigned int counts[QUEUES], round, i;
	uint64_t chains = 0;

	(void)state;
	disk_need(disk);
	for (round = 0; round < 8; round++) {
		for (i = 0; i < QUEUES; i++) {
			counts[i] = fill_queue(i);
			chains += counts[i];
		}
		for (i = 0; i < QUEUES; i++)
			while (counts[i]--)
				end_job(i);
	}
	for (i = 0; i < QUEUES; i++) {
		bridge_status(&bridge, i, &status);
		assert_int_equal(status.in_flight_count, 0);
		assert_int_equal(status.error_count, 0);
		assert_true(status.read_bytes && status.written_bytes);
		chains -= status.chain_count;
	}
	assert_int_equal(chains, 0);
}

/* Whatever was taken is done when the stop returns. */
static void test_stop_in_the_middle(void **state)
{
	unsigned int count, round;

	(void)state;
	disk_need(disk);
	for (round = 0; round < 12; round++) {
		count = fill_queue(0);
		usleep(test_random_below(&rng, 3) * 500);
		assert_int_equal(bridge_stop(&bridge, 0), 0);
		assert_int_equal(bridge.queues[0].saved->is_saved, 1);
		assert_int_equal(bridge_get_base(&bridge, 0),
				 bridge.queues[0].saved->base);
		assert_int_equal(bridge_start(&bridge, 0), 0);
		while (count--)
			end_job(0);
	}
}

/* Afterwards nothing is read or written any more: the disk may be looked at. */
static void test_close_in_the_middle(void **state)
{
	uint32_t length;
	unsigned int i;
	uint16_t id;

	(void)state;
	disk_need(disk);
	for (i = 0; i < QUEUES; i++)
		fill_queue(i);
	close(bridge.fd);
	bridge.fd = -1;
	/* What was taken is used, and of the others nothing was done. */
	for (i = 0; i < QUEUES; i++) {
		assert_int_equal(bridge.queues[i].saved->is_saved, 1);
		while (vq_driver_take(&bridge.queues[i].driver, &id, &length) ==
		       1) {
			const struct job *job = &jobs[i][id];

			if (job->is_write)
				blk_note(&bridge, disk, job->sector, job->gpa,
					 job->bytes);
		}
	}
}

static const struct blk_case cases[] = {
	BLK_CASE(test_sizes),
	BLK_CASE(test_scattered_pages),
	BLK_CASE(test_unaligned_buffers),
	BLK_CASE(test_across_regions),
	BLK_CASE(test_any_layout),
	BLK_CASE(test_tiny_segments),
	BLK_CASE(test_no_data),
	BLK_CASE(test_beyond_the_end),
	BLK_CASE(test_misaligned_length),
	BLK_CASE(test_data_nowhere),
	BLK_CASE(test_many_at_once),
	BLK_CASE(test_stop_in_the_middle),
	BLK_CASE(test_close_in_the_middle),
};

int main(void)
{
	static const enum disk_kind kinds[] = {
		DISK_TMPFS, DISK_FILE, DISK_LOOP, DISK_LOOP_4K, DISK_NULL,
		DISK_EXT4,
	};
	const struct blk_suite suite = {
		.name = "blk_module",
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
