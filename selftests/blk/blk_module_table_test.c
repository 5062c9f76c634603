// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest memory goes away while requests are in flight: what the owner has at
 * those addresses afterwards is not touched.
 */
#include <fcntl.h>

#include <sys/mman.h>

#include "blk/blk_module_fixture.h"
#include "lib/slow_disk.h"

#define REQUEST_BYTES 4096
#define FILLER 0x77

static struct slow_disk slow;
static int slow_fd;

static int set_up_slow(void **state)
{
	slow_disk_open(&slow);
	slow_fd = open(SLOW_DISK_PATH, O_RDWR | O_DIRECT | O_CLOEXEC);
	return set_up(state);
}

static int tear_down_slow(void **state)
{
	int ret;

	/* Or closing the device would wait for it. */
	slow_disk_resume();
	ret = tear_down(state);
	close(slow_fd);
	slow_disk_close(&slow);
	return ret;
}

/* The device without the guest's second region, which holds the data */
static void drop_second_region(void)
{
	struct bridge_memory_table table;

	bridge_table(&bridge, &table);
	table.nregions = 1;
	table.regions[0] = table.regions[1];
	assert_int_equal(bridge_call(&bridge, VHOST_SET_MEM_TABLE, &table), 0);
}

/* What a program may do with addresses that are free again */
static uint8_t *reuse_second_region(void)
{
	const size_t bytes = BRIDGE_BYTES - (BRIDGE_SPLIT_GPA - BRIDGE_GPA);
	uint8_t *ours;

	assert_int_equal(munmap(bridge.second, bytes), 0);
	ours = mmap(bridge.second, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(ours, bridge.second);
	memset(ours, FILLER, 2 * REQUEST_BYTES);
	return ours;
}

static unsigned int in_flight(void)
{
	struct vhost_bridge_vring_status status;

	bridge_status(&bridge, 0, &status);
	return status.in_flight_count;
}

static void assert_untouched(const uint8_t *ours)
{
	unsigned int i;

	for (i = 0; i < 2 * REQUEST_BYTES; i++)
		assert_int_equal(ours[i], FILLER);
}

/* Status byte and, misaligned, the data come by way of the worker. */
static void test_taken_memory_is_not_written(void **state)
{
	const uint64_t misaligned = BLK_DATA_GPA + 16;
	const uint64_t status_gpa = misaligned + REQUEST_BYTES;
	const struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_IN };
	struct vq_buffer buffers[] = {
		blk_buffer(BRIDGE_BUFFERS_GPA, sizeof(header), false),
		blk_buffer(misaligned, REQUEST_BYTES, true),
		blk_buffer(status_gpa, 1, true),
	};
	uint8_t *ours;

	(void)state;
	slow_disk_need(&slow);
	assert_int_equal(blk_set_backing(&bridge, slow_fd, 0, 1), 0);
	run(0);
	memcpy(bridge_at(&bridge, BRIDGE_BUFFERS_GPA), &header, sizeof(header));
	assert_int_equal(slow_disk_halt(), 0);
	assert_true(vq_driver_add(&bridge.queues[0].driver, buffers,
				  VHB_ARRAY_COUNT(buffers), VQ_DIRECT) >= 0);
	bridge_kick_always(&bridge.queues[0]);
	while (!in_flight())
		usleep(1000);
	drop_second_region();
	ours = reuse_second_region();
	assert_int_equal(slow_disk_resume(), 0);
	assert_int_equal(bridge_wait_state(&bridge, 0,
					   VHOST_BRIDGE_VRING_BROKEN), 0);
	assert_untouched(ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken_memory_is_not_written,
						set_up_slow, tear_down_slow),
	};

	return run_all(tests, VHB_ARRAY_COUNT(tests));
}
