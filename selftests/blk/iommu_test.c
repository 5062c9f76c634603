// SPDX-License-Identifier: GPL-2.0-or-later
/* Our module's disk behind an IOMMU: requests through memory in disorder. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>

#include "lib/blk_guest.h"
#include "lib/broker.h"
#include "lib/module.h"
#include "lib/translator.h"

#define FILE_PATH "/dev/shm/vhb-iommu-test.img"
#define FILE_BYTES (8 << 20)
#define REQUEST_BYTES 20480
#define REQUEST_SECTORS (REQUEST_BYTES / 512)
#define REQUESTS 60
#define ROUNDS 15
#define SHORT_MS 300
#define WAIT_MS 20000

static int file_fd;
static struct broker broker;
static struct blk_guest guest;
static struct translator *translator;

static int set_up(bool is_packed)
{
	static const char *const arguments[] = { "--blk-file=" FILE_PATH,
						 "--num-queues=2", "--iommu",
						 NULL };

	file_fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(file_fd >= 0);
	assert_int_equal(ftruncate(file_fd, FILE_BYTES), 0);
	assert_int_equal(broker_start_device(&broker, "blk", arguments), 0);
	translator = translator_create();
	assert_non_null(translator);
	assert_int_equal(blk_guest_open(&guest, is_packed), 0);
	assert_int_equal(translator_scatter(translator, &guest.memory), 0);
	guest.translator = translator;
	assert_int_equal(blk_guest_connect(&guest, broker.socket_path,
					   BLK_GUEST_BASE_FIRST), 0);
	return 0;
}

static int set_up_split(void **state)
{
	(void)state;
	return set_up(false);
}

static int set_up_packed(void **state)
{
	(void)state;
	return set_up(true);
}

static int tear_down(void **state)
{
	int ret = translator_error(translator);

	(void)state;
	if (ret)
		print_message("# translator: %s\n", strerrorname_np(-ret));
	if (!broker_is_alive(&broker)) {
		broker_show_log(&broker);
		ret = -1;
	}
	blk_guest_close(&guest);
	translator_destroy(translator);
	ret |= broker_stop(&broker);
	close(file_fd);
	unlink(FILE_PATH);
	return ret;
}

static void fill(uint8_t *data, unsigned int seed)
{
	for (unsigned int i = 0; i < REQUEST_BYTES; i++)
		data[i] = (seed * 31 + i / 7) ^ i;
}

static uint8_t *data_of(unsigned int index)
{
	return blk_guest_slot(&guest, index, 0).data;
}

static void write_one(unsigned int index, unsigned int number)
{
	fill(data_of(index), number);
	assert_int_equal(blk_guest_run(&guest, index, VIRTIO_BLK_T_OUT,
				       number * REQUEST_SECTORS,
				       REQUEST_BYTES), VIRTIO_BLK_S_OK);
}

static void read_one(unsigned int index, unsigned int number)
{
	uint8_t expected[REQUEST_BYTES];

	fill(expected, number);
	memset(data_of(index), 0xa5, REQUEST_BYTES);
	assert_int_equal(blk_guest_run(&guest, index, VIRTIO_BLK_T_IN,
				       number * REQUEST_SECTORS,
				       REQUEST_BYTES), VIRTIO_BLK_S_OK);
	assert_memory_equal(data_of(index), expected, REQUEST_BYTES);
}

static void expect_in_file(unsigned int number)
{
	uint8_t expected[REQUEST_BYTES], found[REQUEST_BYTES];

	fill(expected, number);
	assert_int_equal(pread(file_fd, found, sizeof(found),
			       (off_t)number * REQUEST_BYTES), sizeof(found));
	assert_memory_equal(found, expected, sizeof(found));
}

static void data_through_scattered_pages(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < REQUESTS; i++)
		write_one(i % 2, i);
	for (unsigned int i = 0; i < REQUESTS; i++)
		expect_in_file(i);
	for (unsigned int i = 0; i < REQUESTS; i++)
		read_one((i + 1) % 2, i);
	print_message("# %u misses\n", translator_miss_count(translator));
	assert_true(translator_miss_count(translator) > 10);
	assert_int_equal(translator_refused_count(translator), 0);
}

static void *invalidate(void *argument)
{
	const struct vhb_wire_region *region = &guest.memory.region;
	atomic_bool *is_over = argument;
	intptr_t ret = 0;

	while (!ret && !atomic_load(is_over)) {
		ret = translator_invalidate(translator, region->gpa,
					    region->size_bytes);
		usleep(10000);
	}
	return (void *)ret;
}

static void invalidations_while_requests_run(void **state)
{
	atomic_bool is_over = false;
	pthread_t thread;
	void *result;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, invalidate, &is_over),
			 0);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		write_one(i % 2, i % REQUESTS);
		read_one((i + 1) % 2, i % REQUESTS);
	}
	atomic_store(&is_over, true);
	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, 0);
	print_message("# %u misses\n", translator_miss_count(translator));
}

/* What the module knew is nothing any more. */
static void buffers_move_between_requests(void **state)
{
	const struct vhb_wire_region *region = &guest.memory.region;
	uint64_t start, end;

	(void)state;
	start = blk_guest_gpa(&guest, blk_guest_slot(&guest, 0, 0).header);
	end = blk_guest_gpa(&guest,
			    blk_guest_slot(&guest, 0, BLK_GUEST_SLOTS - 1).header);
	for (unsigned int i = 0; i < 8; i++) {
		write_one(0, i);
		assert_int_equal(translator_move(translator, &guest.memory,
						 start - region->gpa,
						 end - start), 0);
		read_one(0, i);
		read_one(1, i);
		expect_in_file(i);
	}
}

static uint64_t page_of(const void *where)
{
	return blk_guest_gpa(&guest, where) & ~UINT64_C(4095);
}

/* A request whose data is nowhere waits; the other virtqueue goes on. */
static void what_has_no_translation_waits(void **state)
{
	(void)state;
	write_one(0, 3);
	write_one(1, 4);
	assert_int_equal(translator_refuse(translator,
					   page_of(data_of(0)) + 4096, 8192),
			 0);
	fill(data_of(0), 5);
	blk_guest_submit(&guest, 0, 0, VIRTIO_BLK_T_OUT, 5 * REQUEST_SECTORS,
			 REQUEST_BYTES);
	for (unsigned int i = 10; i < 20; i++)
		write_one(1, i);
	assert_int_equal(blk_guest_wait(&guest, 0, SHORT_MS), -ETIMEDOUT);
	assert_true(translator_refused_count(translator) > 0);
	assert_int_equal(translator_refuse(translator, 0, 0), 0);
	assert_int_equal(blk_guest_wait(&guest, 0, WAIT_MS), 0);
	assert_int_equal(*blk_guest_slot(&guest, 0, 0).status,
			 VIRTIO_BLK_S_OK);
	expect_in_file(5);
}

/* Also with a request that waits for ever */
static void a_virtqueue_that_waits_can_be_stopped(void **state)
{
	unsigned int base;

	(void)state;
	write_one(0, 1);
	assert_int_equal(translator_refuse(translator,
					   page_of(data_of(0)) + 4096, 4096),
			 0);
	blk_guest_submit(&guest, 0, 0, VIRTIO_BLK_T_OUT, 5 * REQUEST_SECTORS,
			 REQUEST_BYTES);
	assert_int_equal(blk_guest_wait(&guest, 0, SHORT_MS), -ETIMEDOUT);
	assert_int_equal(frontend_get_vring_base(&guest.frontend, 0, &base), 0);
	if (!guest.is_packed)
		assert_int_equal(base, 1);
	write_one(1, 2);
	/* It was not taken, so the next start has it. */
	assert_int_equal(translator_refuse(translator, 0, 0), 0);
	assert_int_equal(frontend_set_vring_base(&guest.frontend, 0, base), 0);
	assert_int_equal(frontend_set_vring_kick(&guest.frontend, 0,
						 guest.queues[0].kick_fd), 0);
	assert_int_equal(blk_guest_wait(&guest, 0, WAIT_MS), 0);
	read_one(1, 2);
}

/* Its ring is forgotten while a request is with the disk, and never told again. */
static void a_virtqueue_that_cannot_give_back_can_be_stopped(void **state)
{
	const struct vhb_wire_region *region = &guest.memory.region;
	unsigned int base;

	(void)state;
	write_one(0, 1);
	for (unsigned int i = 0; i < 8; i++)
		blk_guest_submit(&guest, 0, i, VIRTIO_BLK_T_OUT,
				 i * REQUEST_SECTORS, REQUEST_BYTES);
	assert_int_equal(translator_refuse(translator, region->gpa,
					   region->size_bytes / 2), 0);
	usleep(SHORT_MS * 1000);
	assert_int_equal(frontend_get_vring_base(&guest.frontend, 0, &base), 0);
	/* The other one, which lies elsewhere, does not notice. */
	write_one(1, 2);
	read_one(1, 2);
}

/* The front-end is gone, the memory too: nothing of it is left in the kernel. */
static void a_front_end_leaves_in_the_midst_of_it(void **state)
{
	const struct vhb_wire_region *region = &guest.memory.region;

	(void)state;
	for (unsigned int round = 0; round < 5; round++) {
		write_one(0, 1);
		assert_int_equal(translator_refuse(translator, region->gpa,
						   region->size_bytes), 0);
		blk_guest_submit(&guest, 0, 1, VIRTIO_BLK_T_IN, 0,
				 REQUEST_BYTES);
		blk_guest_hang_up(&guest);
		assert_int_equal(blk_guest_connect(&guest, broker.socket_path,
						   BLK_GUEST_BASE_USED), 0);
		assert_int_equal(translator_refuse(translator, 0, 0), 0);
		assert_int_equal(blk_guest_wait(&guest, 0, WAIT_MS), 0);
		read_one(1, 1);
	}
}

/* QEMU goes on telling the guest what it has kept. */
static void a_reset_leaves_the_write_cache_off(void **state)
{
	const uint32_t wce = offsetof(struct virtio_blk_config, wce);
	uint8_t has_cache = 0;

	(void)state;
	write_one(0, 1);
	/* Nobody answers a miss from before when there is no IOMMU any more. */
	translator_detach(translator);
	assert_int_equal(frontend_set_config(&guest.frontend, wce, 0,
					     &has_cache, 1), 0);
	assert_int_equal(frontend_reset_device(&guest.frontend), 0);
	has_cache = 1;
	assert_int_equal(frontend_get_config(&guest.frontend, wce, 0,
					     &has_cache, 1), 0);
	assert_int_equal(has_cache, 0);
	/* The next session begins as the disk is. */
	blk_guest_hang_up(&guest);
	assert_int_equal(blk_guest_connect(&guest, broker.socket_path,
					   BLK_GUEST_BASE_USED), 0);
	assert_int_equal(frontend_get_config(&guest.frontend, wce, 0,
					     &has_cache, 1), 0);
	assert_int_equal(has_cache, 1);
}

#define CASE(function, layout)						\
	{ #function "_" #layout, function, set_up_##layout, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(data_through_scattered_pages, split),
		CASE(data_through_scattered_pages, packed),
		CASE(invalidations_while_requests_run, split),
		CASE(invalidations_while_requests_run, packed),
		CASE(buffers_move_between_requests, split),
		CASE(buffers_move_between_requests, packed),
		CASE(what_has_no_translation_waits, split),
		CASE(what_has_no_translation_waits, packed),
		CASE(a_virtqueue_that_waits_can_be_stopped, split),
		CASE(a_virtqueue_that_waits_can_be_stopped, packed),
		CASE(a_virtqueue_that_cannot_give_back_can_be_stopped, split),
		CASE(a_virtqueue_that_cannot_give_back_can_be_stopped, packed),
		CASE(a_front_end_leaves_in_the_midst_of_it, split),
		CASE(a_front_end_leaves_in_the_midst_of_it, packed),
		CASE(a_reset_leaves_the_write_cache_off, split),
		CASE(a_reset_leaves_the_write_cache_off, packed),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests_name("blk: IOMMU", tests, NULL, NULL);
	module_restore();
	return ret ? 1 : 0;
}
