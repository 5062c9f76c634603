// SPDX-License-Identifier: GPL-2.0-or-later
/* The dirty log of the broker's disk: pages that changed are marked, and no others. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>

#include "lib/bits.h"
#include "lib/blk_guest.h"
#include "lib/broker.h"
#include "lib/dirty_check.h"
#include "lib/module.h"
#include "lib/random.h"

#define FILE_PATH "/dev/shm/vhb-log-test.img"
#define FILE_BYTES (8 << 20)
#define SECTORS (FILE_BYTES / 512)
#define PAGE 4096u
#define ROUNDS 25
#define REQUESTS 12

/**
 * struct bench - a broker, its disk and a guest
 * @file_fd: the file
 * @broker: the broker
 * @guest: the guest
 * @random: what it does
 * @written: pages of data that the driver alone writes in this round, by page of
 *           memory
 */
struct bench {
	int file_fd;
	struct broker broker;
	struct blk_guest guest;
	struct test_random random;
	bool *written;
};

static void ok(int ret)
{
	assert_int_equal(ret, 0);
}

static int set_up(void **state, bool is_packed)
{
	static const char *const arguments[] = {
		"--blk-file=" FILE_PATH, "--num-queues=2", NULL
	};
	struct bench *bench = calloc(1, sizeof(*bench));
	uint8_t byte;

	assert_non_null(bench);
	*state = bench;
	bench->random = test_random_of(test_random_seed());
	bench->file_fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			      0600);
	assert_true(bench->file_fd >= 0);
	for (unsigned int i = 0; i < FILE_BYTES; i += 512) {
		byte = i / 512;
		assert_int_equal(pwrite(bench->file_fd, &byte, 1, i), 1);
	}
	ok(broker_start_device(&bench->broker, "blk", arguments));
	ok(blk_guest_open(&bench->guest, is_packed));
	bench->guest.has_log = true;
	bench->written = calloc(bench->guest.memory.region.size_bytes / PAGE,
				sizeof(bool));
	assert_non_null(bench->written);
	ok(blk_guest_connect(&bench->guest, bench->broker.socket_path,
			     BLK_GUEST_BASE_FIRST));
	return 0;
}

static int set_up_split(void **state)
{
	return set_up(state, false);
}

static int set_up_packed(void **state)
{
	return set_up(state, true);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	int ret;

	blk_guest_close(&bench->guest);
	ret = broker_stop(&bench->broker);
	close(bench->file_fd);
	unlink(FILE_PATH);
	free(bench->written);
	free(bench);
	return ret;
}

static bool is_in(const uint8_t *at, const uint8_t *area, size_t bytes)
{
	return at + PAGE > area && at < area + bytes;
}

static bool is_drivers(void *argument, uint64_t gpa)
{
	const struct bench *bench = argument;
	const struct blk_guest *guest = &bench->guest;
	const uint64_t offset = gpa - guest->memory.region.gpa;
	const uint8_t *at = guest->memory.base + offset;

	for (unsigned int i = 0; i < BLK_GUEST_QUEUES; i++) {
		const struct vq_driver *driver = &guest->queues[i].driver;

		if (is_in(at, driver->avail, vq_avail_bytes(driver)) ||
		    (!guest->is_packed &&
		     is_in(at, driver->desc, vq_desc_bytes(driver))))
			return true;
	}
	return bench->written[offset / PAGE];
}

/* A request without its data; what is to be read differs from what is there. */
static void fill(struct bench *bench, unsigned int index, unsigned int slot,
		 bool is_write, uint32_t bytes)
{
	const struct blk_guest_slot room =
		blk_guest_slot(&bench->guest, index, slot);
	size_t page;

	for (uint32_t i = 0; i < bytes; i++)
		room.data[i] = test_random_next(&bench->random);
	if (!is_write)
		return;
	/* Its first page has the status, too, and its last another's header. */
	page = (room.data - bench->guest.memory.base) / PAGE + 1;
	for (uint32_t i = PAGE; i + PAGE < bytes; i += PAGE)
		bench->written[page++] = true;
}

struct request {
	uint32_t type;
	uint32_t bytes;
	uint64_t sector;
};

static struct request any_request(struct bench *bench)
{
	struct request request = {
		.type = VIRTIO_BLK_T_OUT,
		.bytes = 512 * (1 + test_random_below(&bench->random, 120)),
	};

	if (!test_random_one_in(&bench->random, 3))
		request.type = VIRTIO_BLK_T_IN;
	if (test_random_one_in(&bench->random, 10)) {
		request.type = VIRTIO_BLK_T_GET_ID;
		request.bytes = VIRTIO_BLK_ID_BYTES;
	}
	request.sector = test_random_below(&bench->random,
					   SECTORS - request.bytes / 512);
	return request;
}

static void run_requests(struct bench *bench, struct dirty_check *check)
{
	struct request requests[BLK_GUEST_QUEUES][REQUESTS];
	struct blk_guest *guest = &bench->guest;

	memset(bench->written, 0,
	       guest->memory.region.size_bytes / PAGE * sizeof(bool));
	for (unsigned int i = 0; i < BLK_GUEST_QUEUES; i++) {
		for (unsigned int j = 0; j < REQUESTS; j++) {
			requests[i][j] = any_request(bench);
			fill(bench, i, j,
			     requests[i][j].type == VIRTIO_BLK_T_OUT,
			     requests[i][j].bytes);
		}
	}
	dirty_check_take(check);
	for (unsigned int i = 0; i < BLK_GUEST_QUEUES; i++)
		for (unsigned int j = 0; j < REQUESTS; j++)
			blk_guest_submit(guest, i, j, requests[i][j].type,
					 requests[i][j].sector,
					 requests[i][j].bytes);
	for (unsigned int i = 0; i < BLK_GUEST_QUEUES; i++)
		for (unsigned int j = 0; j < REQUESTS; j++)
			ok(blk_guest_wait(guest, i, BLK_GUEST_TIMEOUT_MS));
	for (unsigned int i = 0; i < BLK_GUEST_QUEUES; i++)
		for (unsigned int j = 0; j < REQUESTS; j++)
			assert_int_equal(*blk_guest_slot(guest, i, j).status,
					 VIRTIO_BLK_S_OK);
}

static void changed_pages_are_marked(void **state)
{
	struct bench *bench = *state;
	struct blk_guest *guest = &bench->guest;
	const struct vhb_wire_region *region = &guest->memory.region;
	/* Up to the last page, and not a byte more */
	const uint64_t log_bytes =
		(region->gpa + region->size_bytes - 1) / PAGE / 8 + 1;
	struct dirty_check check = {
		.memory = { &guest->memory },
		.region_count = 1,
		.is_drivers = is_drivers,
		.argument = bench,
	};
	struct frontend_log logs[2];
	struct dirty_count count;
	unsigned int changed = 0;

	dirty_check_open(&check);
	run_requests(bench, &check);
	frontend_log_open(&logs[0], log_bytes, 0, 0);
	ok(frontend_set_log_base(&guest->frontend, &logs[0]));
	ok(blk_guest_mark(guest, true));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct frontend_log *old = &logs[i % 2];
		struct frontend_log *new = &logs[(i + 1) % 2];

		run_requests(bench, &check);
		frontend_log_open(new, log_bytes + i, i * 1001, 4096);
		ok(frontend_set_log_base(&guest->frontend, new));
		count = dirty_check_compare(&check, old, new);
		assert_int_equal(count.missed, 0);
		assert_int_equal(count.wrong, 0);
		assert_true(count.changed >= REQUESTS);
		changed += count.changed;
		assert_true(frontend_log_is_alone(old));
		frontend_log_close(old);
	}
	print_message("# %u pages changed in %u rounds\n", changed, ROUNDS);

	ok(blk_guest_mark(guest, false));
	frontend_log_clear(&logs[ROUNDS % 2]);
	run_requests(bench, &check);
	assert_int_equal(frontend_log_count(&logs[ROUNDS % 2]), 0);
	frontend_log_close(&logs[ROUNDS % 2]);
	dirty_check_close(&check);
}

/* What is in flight when it is switched is marked when it is done. */
static void marks_come_and_go_under_requests(void **state)
{
	struct bench *bench = *state;
	struct blk_guest *guest = &bench->guest;
	const struct vhb_wire_region *region = &guest->memory.region;
	struct frontend_log log;

	frontend_log_open(&log, (region->gpa + region->size_bytes) / PAGE / 8,
			  17, 0);
	ok(frontend_set_log_base(&guest->frontend, &log));
	for (unsigned int i = 0; i < 4 * ROUNDS; i++) {
		for (unsigned int j = 0; j < REQUESTS; j++)
			blk_guest_submit(guest, i % 2, j, VIRTIO_BLK_T_IN,
					 test_random_below(&bench->random,
							   SECTORS - 16),
					 8192);
		ok(blk_guest_mark(guest, !(i & 1)));
		ok(frontend_set_log_base(&guest->frontend, &log));
		for (unsigned int j = 0; j < REQUESTS; j++)
			ok(blk_guest_wait(guest, i % 2, BLK_GUEST_TIMEOUT_MS));
	}
	assert_true(frontend_log_is_alone(&log));
	frontend_log_close(&log);
}

#define CASE(function, layout)						\
	{ #function "_" #layout, function, set_up_##layout, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(changed_pages_are_marked, split),
		CASE(changed_pages_are_marked, packed),
		CASE(marks_come_and_go_under_requests, split),
		CASE(marks_come_and_go_under_requests, packed),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests_name("blk: dirty log", tests, NULL, NULL);
	module_restore();
	return ret ? 1 : 0;
}
