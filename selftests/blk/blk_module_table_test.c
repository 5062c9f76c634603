// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest memory goes away while requests are in flight: what the owner has at
 * those addresses afterwards is not touched.
 */
#include <sys/mman.h>

#include "blk/blk_module_fixture.h"
#include "blk/blk_module_slow_fixture.h"
#include "lib/bridge_log.h"

#define REQUEST_BYTES 4096
#define FILLER 0x77

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

/* The guest's second region without its first page, which a buffer begins in */
static void shorten_second_region(void)
{
	struct bridge_memory_table table;

	bridge_table(&bridge, &table);
	assert_int_equal(table.regions[0].guest_phys_addr, BLK_DATA_GPA);
	table.regions[0].guest_phys_addr += REQUEST_BYTES;
	table.regions[0].userspace_addr += REQUEST_BYTES;
	table.regions[0].memory_size -= REQUEST_BYTES;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_MEM_TABLE, &table), 0);
}

/* A read goes into both; one of them is not in the table any more when it is done. */
static void assert_marked(const struct vq_buffer *data, unsigned int count,
			  void (*take_away)(void), uint64_t gone,
			  uint64_t stays)
{
	struct blk_answer answer;
	struct bridge_log log;

	slow_disk_need(&slow);
	bridge_log_open(&log);
	assert_int_equal(blk_set_backing(&bridge, slow_fd, 0, 1), 0);
	run(0);
	bridge_log_use(&bridge, &log);
	assert_int_equal(bridge_log_buffers(&bridge, true), 0);
	memset(bridge_at(&bridge, stays), FILLER, REQUEST_BYTES);
	assert_int_equal(slow_disk_halt(), 0);
	assert_true(blk_add(&bridge, 0, VIRTIO_BLK_T_IN, 0, data, count) >= 0);
	bridge_kick_always(&bridge.queues[0]);
	while (!in_flight())
		usleep(1000);
	take_away();
	assert_int_equal(slow_disk_resume(), 0);
	assert_true(blk_wait(&bridge, 0, &answer) >= 0);
	assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
	assert_int_equal(*(uint8_t *)bridge_at(&bridge, stays), 0);
	assert_true(bridge_log_take(&log, stays));
	assert_false(bridge_log_take(&log, gone));
	bridge_close(&bridge);
	bridge_log_close(&log);
}

static void test_what_stays_is_marked(void **state)
{
	const uint64_t stays = BRIDGE_BUFFERS_GPA + (1 << 20);
	const struct vq_buffer data[] = {
		blk_buffer(BLK_DATA_GPA, REQUEST_BYTES, true),
		blk_buffer(stays, REQUEST_BYTES, true),
	};

	(void)state;
	assert_marked(data, VHB_ARRAY_COUNT(data), drop_second_region,
		      BLK_DATA_GPA, stays);
}

static void test_what_stays_of_a_buffer_is_marked(void **state)
{
	const struct vq_buffer data =
		blk_buffer(BLK_DATA_GPA, 2 * REQUEST_BYTES, true);

	(void)state;
	assert_marked(&data, 1, shorten_second_region, BLK_DATA_GPA,
		      BLK_DATA_GPA + REQUEST_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken_memory_is_not_written,
						set_up_slow, tear_down_slow),
		cmocka_unit_test_setup_teardown(test_what_stays_is_marked,
						set_up_slow, tear_down_slow),
		cmocka_unit_test_setup_teardown(test_what_stays_of_a_buffer_is_marked,
						set_up_slow, tear_down_slow),
	};

	return run_all(tests, VHB_ARRAY_COUNT(tests));
}
