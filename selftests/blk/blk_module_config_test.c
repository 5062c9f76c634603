// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's block device: configuration space, write cache, counters, errors. */
#include "blk/blk_module_fixture.h"
#include "lib/bridge_device.h"
#include "lib/bridge_uring.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

static struct disk disk_bad;

static int set_config(uint32_t offset, uint32_t length, uint8_t first)
{
	uint8_t data[256] = { first };
	const struct vhost_bridge_config request = {
		.size_bytes = sizeof(request),
		.offset_bytes = offset,
		.length_bytes = length,
		.data_addr = (uintptr_t)data,
	};

	return bridge_call(&bridge, VHOST_BRIDGE_SET_CONFIG, &request);
}

static void test_config(void **state)
{
	struct virtio_blk_config config;

	(void)state;
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 3), 0);
	assert_true(offers(VIRTIO_BLK_F_MQ));
	get_config(&config);
	assert_int_equal(config.capacity, DISK_SECTORS);
	assert_int_equal(config.blk_size, 512);
	assert_int_equal(config.num_queues, 3);
	assert_int_equal(config.wce, 1);
	assert_true(config.seg_max >= 1);
	assert_int_equal(config.size_max, 0);
	assert_true(config.max_write_zeroes_seg >= 1);
	assert_true(config.max_write_zeroes_sectors >= DISK_SECTORS);
	assert_true(config.max_discard_seg >= 1);
	assert_int_equal(config.write_zeroes_may_unmap, 1);
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	assert_false(offers(VIRTIO_BLK_F_MQ));
	get_config(&config);
	assert_int_equal(config.num_queues, 1);
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, QUEUES_MAX), 0);
	get_config(&config);
	assert_int_equal(config.num_queues, QUEUES_MAX);
}

static void test_config_of_large_blocks(void **state)
{
	struct virtio_blk_config config;

	(void)state;
	disk_need(&disk_4k);
	assert_int_equal(blk_set_backing(&bridge, disk_4k.fd, 0, 1), 0);
	get_config(&config);
	assert_int_equal(config.capacity, DISK_SECTORS);
	assert_int_equal(config.blk_size, 4096);
	assert_true(config.max_write_zeroes_sectors % 8 == 0);
}

static void test_write_cache(void **state)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	struct virtio_blk_config config;
	uint8_t value;

	(void)state;
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	assert_true(offers(VIRTIO_BLK_F_CONFIG_WCE));
	assert_int_equal(set_config(wce, 1, 0), -EPERM);
	run(0);
	for (value = 0; value < 2; value++) {
		assert_int_equal(set_config(wce, 1, value), 0);
		get_config(&config);
		assert_int_equal(config.wce, value);
		blk_write(&bridge, &disk, 8 * value,
			  BLK_DATA_GPA + 4096 * value, 8192);
	}
	assert_int_equal(set_config(wce, 1, 2), -EINVAL);
	assert_int_equal(set_config(wce, 1, 255), -EINVAL);
	get_config(&config);
	assert_int_equal(config.wce, 1);
	disk_check(&disk);
}

static void test_config_is_read_only(void **state)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);

	(void)state;
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	run(0);
	assert_int_equal(set_config(0, 0, 0), 0);
	assert_int_equal(set_config(0, 8, 1), -EACCES);
	assert_int_equal(set_config(wce, 2, 1), -EACCES);
	assert_int_equal(set_config(wce - 1, 2, 1), -EACCES);
	assert_int_equal(set_config(wce + 1, 1, 1), -EACCES);
	assert_int_equal(set_config(255, 1, 1), -EACCES);
}

/* How often the disk was told to write its cache */
static unsigned long count_flushes(void)
{
	unsigned long counts[17] = { 0 };
	struct stat stat;
	char path[64];
	FILE *file;

	assert_int_equal(fstat(disk_4k.fd, &stat), 0);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat",
		 major(stat.st_rdev), minor(stat.st_rdev));
	file = fopen(path, "re");
	assert_non_null(file);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(counts); i++)
		assert_int_equal(fscanf(file, "%lu", &counts[i]), 1);
	fclose(file);
	return counts[15];
}

static bool write_flushes(void)
{
	const unsigned long before = count_flushes();

	blk_write(&bridge, &disk_4k, 8, BLK_DATA_GPA, 8192);
	return count_flushes() != before;
}

static void test_writes_go_through(void **state)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	unsigned long before;

	(void)state;
	disk_need(&disk_4k);
	assert_int_equal(blk_set_backing(&bridge, disk_4k.fd, 0, 1), 0);
	run(0);
	assert_false(write_flushes());
	before = count_flushes();
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_FLUSH, 0, NULL, 0)
				 .status, VIRTIO_BLK_S_OK);
	assert_int_equal(count_flushes(), before + 1);
	assert_int_equal(set_config(wce, 1, 0), 0);
	assert_true(write_flushes());
	assert_int_equal(set_config(wce, 1, 1), 0);
	assert_false(write_flushes());
}

static bool range_flushes(uint32_t type)
{
	const struct virtio_blk_discard_write_zeroes range = { 64, 64, 0 };
	const struct vq_buffer data =
		blk_buffer(BLK_DATA_GPA, sizeof(range), false);
	unsigned long before;

	memcpy(bridge_at(&bridge, BLK_DATA_GPA), &range, sizeof(range));
	before = count_flushes();
	assert_int_equal(blk_run(&bridge, type, 0, &data, 1).status,
			 VIRTIO_BLK_S_OK);
	disk_read_shadow(&disk_4k, 64, 64);
	return count_flushes() != before;
}

static void test_ranges_go_through(void **state)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);

	(void)state;
	disk_need(&disk_4k);
	assert_int_equal(blk_set_backing(&bridge, disk_4k.fd, 0, 1), 0);
	assert_true(offers(VIRTIO_BLK_F_DISCARD));
	run(0);
	assert_false(range_flushes(VIRTIO_BLK_T_WRITE_ZEROES));
	assert_false(range_flushes(VIRTIO_BLK_T_DISCARD));
	assert_int_equal(set_config(wce, 1, 0), 0);
	assert_true(range_flushes(VIRTIO_BLK_T_WRITE_ZEROES));
	assert_true(range_flushes(VIRTIO_BLK_T_DISCARD));
	assert_int_equal(set_config(wce, 1, 1), 0);
	assert_false(range_flushes(VIRTIO_BLK_T_DISCARD));
}

/* A driver that knows no flush gets no cache; what the field says is nothing. */
static void test_write_cache_not_negotiated(void **state)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);

	(void)state;
	disk_need(&disk_4k);
	assert_int_equal(blk_set_backing(&bridge, disk_4k.fd, 0, 1), 0);
	run(bridge_bit(VIRTIO_BLK_F_CONFIG_WCE) |
	    bridge_bit(VIRTIO_BLK_F_FLUSH));
	assert_true(write_flushes());
	assert_int_equal(set_config(wce, 1, 1), 0);
	assert_true(write_flushes());

	assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL), 0);
	bridge_free_queue(&bridge, 0);
	run(bridge_bit(VIRTIO_BLK_F_CONFIG_WCE));
	assert_int_equal(set_config(wce, 1, 0), 0);
	assert_false(write_flushes());
}

static void test_no_write_cache_without_flush(void **state)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	struct virtio_blk_config config;

	(void)state;
	disk_need(&disk_4k);
	assert_int_equal(blk_set_backing(&bridge, disk_4k.fd, 0, 1), 0);
	get_config(&config);
	assert_int_equal(config.wce, 1);
	run(bridge_bit(VIRTIO_BLK_F_FLUSH));
	get_config(&config);
	assert_int_equal(config.wce, 0);
	assert_true(write_flushes());
	assert_int_equal(set_config(wce, 1, 1), 0);
	assert_true(write_flushes());
}

/* It reads the field before its features get here. */
static void test_the_next_driver_has_what_it_reads(void **state)
{
	struct virtio_blk_config config;

	(void)state;
	disk_need(&disk_4k);
	assert_int_equal(blk_set_backing(&bridge, disk_4k.fd, 0, 1), 0);
	run(bridge_bit(VIRTIO_BLK_F_FLUSH));
	assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL), 0);
	bridge_free_queue(&bridge, 0);
	get_config(&config);
	assert_int_equal(config.wce, 0);
	run(0);
	get_config(&config);
	assert_int_equal(config.wce, 0);
	assert_true(write_flushes());
}

static void test_counters(void **state)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, 4096, true);
	struct vhost_bridge_vring_status status;

	(void)state;
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	run(0);
	blk_read(&bridge, &disk, 0, BLK_DATA_GPA, 65536);
	blk_write(&bridge, &disk, 8, BLK_DATA_GPA, 8192);
	blk_run(&bridge, VIRTIO_BLK_T_IN, UINT64_MAX, &data, 1);
	blk_run(&bridge, 77, 0, NULL, 0);
	blk_run(&bridge, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.chain_count, 5);
	assert_int_equal(status.read_bytes, 65536);
	assert_int_equal(status.written_bytes, 8192);
	assert_int_equal(status.error_count, 2);
	assert_int_equal(status.in_flight_count, 0);
}

static void test_all_queues(void **state)
{
	const unsigned int queues = BRIDGE_QUEUES;
	unsigned int i;

	(void)state;
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	run(0);
	/* The number it tells drivers binds none of them. */
	for (i = 1; i < queues; i++)
		bridge_add_queue(&bridge, i, BLK_RING_ENTRIES, 32);
	for (i = 0; i < queues; i++) {
		const struct vq_buffer data =
			blk_buffer(BLK_DATA_GPA + 4096 * i, 4096, true);
		struct blk_answer answer;

		assert_true(blk_add(&bridge, i, VIRTIO_BLK_T_IN, 8 * i, &data,
				    1) >= 0);
		bridge_kick(&bridge.queues[i]);
		blk_wait(&bridge, i, &answer);
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
		assert_memory_equal(bridge_at(&bridge, data.gpa),
				    disk.shadow + 4096 * i, 4096);
	}
}

/*
 * What the guest gets of a read that fails must be what is on the disk, nothing
 * or zeros, and never what the kernel had in memory.
 */
static void read_lost(const struct disk *from, uint64_t gpa, uint64_t sector,
		      uint32_t bytes)
{
	const struct vq_buffer data = blk_buffer(gpa, bytes, true);
	const uint8_t *at = bridge_at(&bridge, gpa);
	struct blk_answer answer;
	uint32_t i;

	memset(bridge_at(&bridge, gpa), 0xee, bytes);
	answer = blk_run(&bridge, VIRTIO_BLK_T_IN, sector, &data, 1);
	/* Some kernels' loop device makes zeros of what its file lacks. */
	if (from != &disk_4k || answer.status != VIRTIO_BLK_S_OK)
		assert_int_equal(answer.status, VIRTIO_BLK_S_IOERR);
	assert_in_range(answer.used_bytes, 1, bytes + 1);
	if (answer.status != VIRTIO_BLK_S_OK)
		assert_memory_equal(at, from->shadow + sector * 512,
				    answer.used_bytes - 1);
	for (i = 0; i < bytes; i++) {
		const uint64_t place = sector * 512 + i;

		if (at[i] != 0xee && at[i] != 0 &&
		    (place >= DISK_BYTES / 2 || at[i] != from->shadow[place]))
			fail_msg("byte %u is %02x", i, at[i]);
	}
}

/* Direct, by way of pages of the module, and in several slices */
static void read_what_is_lost(const struct disk *from)
{
	const uint64_t lost = DISK_SECTORS / 2;

	read_lost(from, BLK_DATA_GPA, lost, 4096);
	read_lost(from, BLK_DATA_GPA + 1, lost, 4096);
	read_lost(from, BLK_DATA_GPA, lost, 65536);
	read_lost(from, BLK_DATA_GPA + 1, lost + 800, 65536);
	read_lost(from, BLK_DATA_GPA, lost - 64, 65536);
	read_lost(from, BLK_DATA_GPA + 1, lost - 64, 65536);
	read_lost(from, BLK_DATA_GPA, lost - 4096, 3 << 20);
	read_lost(from, BLK_DATA_GPA + 1, lost - 4096, 3 << 20);
	/* What is still there is still right. */
	blk_read(&bridge, from, lost - 64, BLK_DATA_GPA, 32768);
}

static void test_file_gets_shorter(void **state)
{
	(void)state;
	disk_need(&disk_4k);
	assert_int_equal(blk_set_backing(&bridge, disk_4k.fd, 0, 1), 0);
	run(0);
	assert_int_equal(ftruncate(disk_4k.file_fd, DISK_BYTES / 2), 0);
	read_what_is_lost(&disk_4k);
	assert_int_equal(ftruncate(disk_4k.file_fd, DISK_BYTES), 0);
}

static void assert_told(struct bridge_uring *uring, uint64_t tag,
			uint64_t sectors)
{
	struct virtio_blk_config config;
	int result = 0;

	assert_int_equal(bridge_uring_wait(uring, BRIDGE_WAIT_MS, &result),
			 tag);
	assert_int_equal(result, VHOST_BRIDGE_EVENT_CONFIG);
	get_config(&config);
	assert_int_equal(config.capacity, sectors);
}

static void wait_for_news(struct bridge_uring *uring, uint64_t tag)
{
	const struct vhost_bridge_uring area = { 0 };

	bridge_uring_send(uring, &bridge, VHOST_BRIDGE_URING_EVENT, area, tag);
}

static uint8_t run_at(uint32_t type, uint64_t sector)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, 4096,
						 type == VIRTIO_BLK_T_IN);

	return blk_run(&bridge, type, sector, &data, 1).status;
}

/* The file grows and shrinks: it is told, and requests go as far as it goes. */
static void test_resize(void **state)
{
	struct bridge_uring uring;
	int result;

	(void)state;
	bridge_uring_open(&uring);
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	run(0);
	wait_for_news(&uring, 1);
	assert_int_equal(bridge_uring_wait(&uring, 1500, &result), 0);
	assert_int_equal(run_at(VIRTIO_BLK_T_OUT, DISK_SECTORS),
			 VIRTIO_BLK_S_IOERR);

	assert_int_equal(ftruncate(disk.fd, 2 * DISK_BYTES), 0);
	assert_told(&uring, 1, 2 * DISK_SECTORS);
	memset(bridge_at(&bridge, BLK_DATA_GPA), 0x5a, 4096);
	assert_int_equal(run_at(VIRTIO_BLK_T_OUT, 2 * DISK_SECTORS - 8),
			 VIRTIO_BLK_S_OK);
	memset(bridge_at(&bridge, BLK_DATA_GPA), 0xee, 4096);
	assert_int_equal(run_at(VIRTIO_BLK_T_IN, 2 * DISK_SECTORS - 8),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(bridge_at(&bridge, BLK_DATA_GPA), "\x5a\x5a", 2);
	assert_int_equal(run_at(VIRTIO_BLK_T_IN, 2 * DISK_SECTORS - 7),
			 VIRTIO_BLK_S_IOERR);

	/* Nobody waits: the next one is told. */
	assert_int_equal(ftruncate(disk.fd, DISK_BYTES), 0);
	sleep(3);
	wait_for_news(&uring, 2);
	assert_told(&uring, 2, DISK_SECTORS);
	assert_int_equal(run_at(VIRTIO_BLK_T_IN, DISK_SECTORS),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(run_at(VIRTIO_BLK_T_IN, DISK_SECTORS - 8),
			 VIRTIO_BLK_S_OK);
	disk_check(&disk);
	bridge_uring_close(&uring);
}

static void test_bad_blocks(void **state)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, 65536, false);
	struct vhost_bridge_vring_status status;

	(void)state;
	disk_need(&disk_bad);
	assert_int_equal(blk_set_backing(&bridge, disk_bad.fd, 0, 1), 0);
	run(0);
	read_what_is_lost(&disk_bad);
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_OUT, DISK_SECTORS / 2,
				 &data, 1).status, VIRTIO_BLK_S_IOERR);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.error_count, 9);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_RUNNING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_config),
		TEST(test_config_of_large_blocks),
		TEST(test_write_cache),
		TEST(test_config_is_read_only),
		TEST(test_writes_go_through),
		TEST(test_ranges_go_through),
		TEST(test_write_cache_not_negotiated),
		TEST(test_no_write_cache_without_flush),
		TEST(test_the_next_driver_has_what_it_reads),
		TEST(test_counters),
		TEST(test_all_queues),
		TEST(test_file_gets_shorter),
		TEST(test_resize),
		TEST(test_bad_blocks),
	};
	int ret;

	disk_open(&disk_bad, DISK_BAD);
	ret = run_all(tests, VHB_ARRAY_COUNT(tests));
	disk_close(&disk_bad);
	return ret;
}
