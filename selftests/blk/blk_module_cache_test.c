// SPDX-License-Identifier: GPL-2.0-or-later
/* A block device that was not opened with O_DIRECT: the host's page cache is there. */
#include <pthread.h>

#include "blk/blk_module_fixture.h"
#include "blk/blk_module_slow_fixture.h"

#define SECTOR_BYTES 512
/* Four pages; the range from sector 1 on has two of them whole. */
#define AREA_BYTES 16384
#define ZERO_SECTORS 26
#define RANGE_SLOT 1
#define WRITE_SLOT 2
#define SCRATCH_SLOT 3
#define OLD 0x11
#define NEW 0x22

static uint64_t data_gpa(unsigned int slot)
{
	return BLK_DATA_GPA + slot * AREA_BYTES;
}

static uint8_t *data_at(unsigned int slot)
{
	return bridge_at(&bridge, data_gpa(slot));
}

static int set_up_cached(void **state)
{
	return set_up_slow_with(state, 0);
}

static void move(uint32_t type, uint64_t sector, unsigned int slot,
		 uint32_t bytes)
{
	const struct vq_buffer data =
		blk_buffer(data_gpa(slot), bytes, type == VIRTIO_BLK_T_IN);

	assert_int_equal(blk_run(&bridge, type, sector, &data, 1).status,
			 VIRTIO_BLK_S_OK);
}

static void begin(uint32_t type, uint64_t sector, unsigned int slot,
		  uint32_t bytes)
{
	const struct vq_buffer data = blk_buffer(data_gpa(slot), bytes, false);

	assert_true(blk_add(&bridge, 0, type, sector, &data, 1) >= 0);
	bridge_kick_always(&bridge.queues[0]);
}

static void assert_sector(const uint8_t *sector, uint8_t byte)
{
	unsigned int i;

	for (i = 0; i < SECTOR_BYTES; i++)
		assert_int_equal(sector[i], byte);
}

static void set_up_disk(void)
{
	slow_disk_need(&slow);
	assert_int_equal(blk_set_backing(&bridge, slow_fd, 0, 1), 0);
	/* The write is to be given back before the zeroes. */
	run(bridge_bit(VIRTIO_F_IN_ORDER));
	memset(data_at(0), OLD, AREA_BYTES);
	move(VIRTIO_BLK_T_OUT, 0, 0, AREA_BYTES);
	assert_int_equal(fsync(slow_fd), 0);
}

static void assert_sectors(const uint8_t *disk)
{
	unsigned int i;

	assert_sector(disk, NEW);
	for (i = 1; i <= ZERO_SECTORS; i++)
		assert_sector(disk + i * SECTOR_BYTES, 0);
	for (; i < AREA_BYTES / SECTOR_BYTES; i++)
		assert_sector(disk + i * SECTOR_BYTES, OLD);
}

/* What the guest reads, and what is on the disk when the cache has been written */
static void assert_disk(void)
{
	uint8_t *disk = data_at(SCRATCH_SLOT);
	int fd;

	move(VIRTIO_BLK_T_IN, 0, SCRATCH_SLOT, AREA_BYTES);
	assert_sectors(disk);
	assert_int_equal(fsync(slow_fd), 0);
	memset(disk, 0xff, AREA_BYTES);
	fd = open(SLOW_DISK_PATH, O_RDONLY | O_DIRECT | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, disk, AREA_BYTES, 0), AREA_BYTES);
	close(fd);
	assert_sectors(disk);
}

static void begin_zeroes(void)
{
	const struct virtio_blk_discard_write_zeroes range = {
		.sector = 1,
		.num_sectors = ZERO_SECTORS,
	};

	memcpy(data_at(RANGE_SLOT), &range, sizeof(range));
	begin(VIRTIO_BLK_T_WRITE_ZEROES, 0, RANGE_SLOT, sizeof(range));
}

static void *write_cache_back(void *argument)
{
	return fsync(slow_fd) ? argument : NULL;
}

/* Sector 0 and the first of the zeroes are in one page of the cache. */
static void write_beside_zeroes(bool is_written_back)
{
	struct blk_answer answer;
	pthread_t thread;
	void *failed;

	set_up_disk();
	assert_int_equal(slow_disk_halt(), 0);
	begin_zeroes();
	while (in_flight() != 1)
		usleep(1000);
	/* It has looked at the cache when it waits for the disk. */
	usleep(100000);
	memset(data_at(WRITE_SLOT), NEW, SECTOR_BYTES);
	begin(VIRTIO_BLK_T_OUT, 0, WRITE_SLOT, SECTOR_BYTES);
	assert_true(blk_wait(&bridge, 0, &answer) >= 0);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	assert_int_equal(in_flight(), 1);
	if (is_written_back) {
		assert_int_equal(pthread_create(&thread, NULL, write_cache_back,
						&bridge), 0);
		usleep(100000);
	}
	assert_int_equal(slow_disk_resume(), 0);
	assert_true(blk_wait(&bridge, 0, &answer) >= 0);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	if (is_written_back) {
		assert_int_equal(pthread_join(thread, &failed), 0);
		assert_null(failed);
	}
	assert_disk();
}

static void test_zeroes_stay_beside_a_write(void **state)
{
	(void)state;
	write_beside_zeroes(false);
}

/* By then the page is clean: nothing tells that it was written meanwhile. */
static void test_zeroes_stay_beside_a_write_and_a_flush(void **state)
{
	(void)state;
	write_beside_zeroes(true);
}

/* A discard may leave out what it has only a part of, and touches nothing beside. */
static void test_discard_touches_nothing_beside(void **state)
{
	const struct virtio_blk_discard_write_zeroes range = {
		.sector = 1,
		.num_sectors = ZERO_SECTORS,
	};
	uint8_t *disk = data_at(SCRATCH_SLOT);

	(void)state;
	set_up_disk();
	memcpy(data_at(RANGE_SLOT), &range, sizeof(range));
	move(VIRTIO_BLK_T_DISCARD, 0, RANGE_SLOT, sizeof(range));
	move(VIRTIO_BLK_T_IN, 0, SCRATCH_SLOT, AREA_BYTES);
	assert_sector(disk, OLD);
	assert_sector(disk + (ZERO_SECTORS + 1) * SECTOR_BYTES, OLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_zeroes_stay_beside_a_write,
						set_up_cached, tear_down_slow),
		cmocka_unit_test_setup_teardown(test_zeroes_stay_beside_a_write_and_a_flush,
						set_up_cached, tear_down_slow),
		cmocka_unit_test_setup_teardown(test_discard_touches_nothing_beside,
						set_up_cached, tear_down_slow),
	};

	return run_all(tests, VHB_ARRAY_COUNT(tests));
}
