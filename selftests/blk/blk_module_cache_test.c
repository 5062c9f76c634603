// SPDX-License-Identifier: GPL-2.0-or-later
/* A block device that was not opened with O_DIRECT: the host's page cache is there. */
#include "blk/blk_module_fixture.h"
#include "blk/blk_module_slow_fixture.h"

#define SECTOR_BYTES 512
#define DATA_BYTES 4096
#define OLD 0x11
#define NEW 0x22

static uint64_t data_gpa(unsigned int slot)
{
	return BLK_DATA_GPA + slot * DATA_BYTES;
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

/* The page of the cache that both sectors are in has the first as it was before. */
static void test_zeroes_stay_beside_a_write(void **state)
{
	const struct virtio_blk_discard_write_zeroes range = {
		.num_sectors = 1,
	};
	struct blk_answer answer;
	unsigned int i;

	(void)state;
	slow_disk_need(&slow);
	assert_int_equal(blk_set_backing(&bridge, slow_fd, 0, 1), 0);
	/* The write is to be given back before the zeroes. */
	run(bridge_bit(VIRTIO_F_IN_ORDER));
	memset(data_at(0), OLD, DATA_BYTES);
	move(VIRTIO_BLK_T_OUT, 0, 0, DATA_BYTES);
	assert_int_equal(fsync(slow_fd), 0);

	assert_int_equal(slow_disk_halt(), 0);
	memcpy(data_at(1), &range, sizeof(range));
	begin(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, sizeof(range));
	while (in_flight() != 1)
		usleep(1000);
	/* It has looked at the cache when it waits for the disk. */
	usleep(100000);
	memset(data_at(2), NEW, SECTOR_BYTES);
	begin(VIRTIO_BLK_T_OUT, 1, 2, SECTOR_BYTES);
	assert_true(blk_wait(&bridge, 0, &answer) >= 0);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	assert_int_equal(in_flight(), 1);
	assert_int_equal(slow_disk_resume(), 0);
	assert_true(blk_wait(&bridge, 0, &answer) >= 0);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);

	for (i = 0; i < 2; i++) {
		move(VIRTIO_BLK_T_IN, 0, 3, DATA_BYTES);
		assert_sector(data_at(3), 0);
		assert_sector(data_at(3) + SECTOR_BYTES, NEW);
		assert_sector(data_at(3) + 2 * SECTOR_BYTES, OLD);
		/* And what the cache has gets to the disk. */
		assert_int_equal(fsync(slow_fd), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_zeroes_stay_beside_a_write,
						set_up_cached, tear_down_slow),
	};

	return run_all(tests, VHB_ARRAY_COUNT(tests));
}
