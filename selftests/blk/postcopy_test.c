// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/wait.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>

#include "lib/blk_guest.h"
#include "lib/broker.h"
#include "lib/module.h"
#include "lib/postcopy.h"

/*
 * Guests with a disk that come by postcopy: the module pins pages that are
 * missing, and waits for them.
 */

#define FILE_PATH "/dev/shm/vhb-postcopy-test.img"
#define FILE_BYTES (8 << 20)
#define REQUEST_BYTES 16384
#define SECTORS (REQUEST_BYTES / 512)
#define REQUESTS 12
/* What a second is on an emulated CPU of a busy host */
#define A_SECOND_MS 2500

/**
 * struct migration - a broker and a guest
 * @broker: the broker
 * @guest: the guest
 * @server: has its pages
 */
struct migration {
	struct broker broker;
	struct blk_guest guest;
	struct page_server server;
};

static int set_up(void **state)
{
	static const char *const arguments[] = {
		"--blk-file=" FILE_PATH, "--num-queues=2", "--postcopy", NULL
	};
	static struct migration migration;
	int fd;

	memset(&migration, 0, sizeof(migration));
	fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, FILE_BYTES))
		return -1;
	close(fd);
	*state = &migration;
	return broker_start_device(&migration.broker, "blk", arguments);
}

static int tear_down(void **state)
{
	struct migration *migration = *state;

	blk_guest_close(&migration->guest);
	page_server_stop(&migration->server);
	unlink(FILE_PATH);
	return broker_stop(&migration->broker);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void write_request(struct blk_guest *guest, unsigned int number)
{
	memset(blk_guest_slot(guest, 0, number).data, number + 1,
	       REQUEST_BYTES);
	blk_guest_submit(guest, 0, number, VIRTIO_BLK_T_OUT, number * SECTORS,
			 REQUEST_BYTES);
	assert_int_equal(blk_guest_wait(guest, 0, BLK_GUEST_TIMEOUT_MS), 0);
	assert_int_equal(*blk_guest_slot(guest, 0, number).status,
			 VIRTIO_BLK_S_OK);
}

/* Data that waits in missing pages is written, and what was written is read. */
static void check_requests(struct blk_guest *guest)
{
	for (unsigned int i = 0; i < REQUESTS; i++) {
		blk_guest_submit(guest, 1, i, VIRTIO_BLK_T_OUT,
				 (REQUESTS + i) * SECTORS, REQUEST_BYTES);
		assert_int_equal(blk_guest_wait(guest, 1, BLK_GUEST_TIMEOUT_MS),
				 0);
		assert_int_equal(*blk_guest_slot(guest, 1, i).status,
				 VIRTIO_BLK_S_OK);
	}
	for (unsigned int i = 0; i < 2 * REQUESTS; i++) {
		uint8_t *data = blk_guest_slot(guest, 0, 15).data;
		uint8_t expected = i < REQUESTS ? i + 1 : 101 + i - REQUESTS;

		blk_guest_submit(guest, 0, 15, VIRTIO_BLK_T_IN, i * SECTORS,
				 REQUEST_BYTES);
		assert_int_equal(blk_guest_wait(guest, 0, BLK_GUEST_TIMEOUT_MS),
				 0);
		assert_int_equal(*blk_guest_slot(guest, 0, 15).status,
				 VIRTIO_BLK_S_OK);
		for (unsigned int at = 0; at < REQUEST_BYTES; at += 512)
			assert_int_equal(data[at], expected);
	}
}

static void migrate(struct migration *migration, bool is_packed)
{
	struct blk_guest *guest = &migration->guest;
	struct page_server *server = &migration->server;
	const char *path = migration->broker.socket_path;
	unsigned int served_count;

	assert_int_equal(blk_guest_open(guest, is_packed), 0);
	assert_int_equal(blk_guest_connect(guest, path, BLK_GUEST_BASE_FIRST),
			 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		write_request(guest, i);
	/* What the second queue is going to write comes along with the guest. */
	for (unsigned int i = 0; i < REQUESTS; i++)
		memset(blk_guest_slot(guest, 1, i).data, 101 + i,
		       REQUEST_BYTES);
	blk_guest_hang_up(guest);

	assert_int_equal(page_server_evacuate(server, &guest->memory), 0);
	guest->source = server;
	assert_int_equal(blk_guest_connect(guest, path, BLK_GUEST_BASE_USED),
			 0);
	check_requests(guest);
	served_count = __atomic_load_n(&server->served_count, __ATOMIC_RELAXED);
	print_message("# %u pages on demand of the broker and the module\n",
		      served_count);
	/* Four pages each, at least of those that are written from. */
	assert_true(served_count >= 4 * REQUESTS);
	assert_int_equal(page_server_bring_all(server), 0);
	assert_int_equal(postcopy_end(&guest->frontend), 0);
	assert_int_equal(server->unknown_count, 0);
	check_requests(guest);
}

static void requests_are_served_while_pages_arrive(void **state)
{
	migrate(*state, false);
}

static void requests_of_packed_rings_are_served_too(void **state)
{
	migrate(*state, true);
}

/* The worker waits for a page that is to be read into. */
static void block_worker(struct migration *migration)
{
	struct blk_guest *guest = &migration->guest;
	struct pollfd pollfd = { .events = POLLIN };

	assert_int_equal(blk_guest_open(guest, false), 0);
	guest->source = &migration->server;
	/* Rings have been in use, and nothing else. */
	for (unsigned int i = 0; i < BLK_GUEST_QUEUES; i++)
		memset(guest->queues[i].driver.used, 0, 4);
	assert_int_equal(blk_guest_connect(guest,
					   migration->broker.socket_path,
					   BLK_GUEST_BASE_FIRST), 0);
	blk_guest_submit(guest, 0, 5, VIRTIO_BLK_T_IN, 0, REQUEST_BYTES);
	pollfd.fd = migration->server.userfault_fd;
	assert_int_equal(poll(&pollfd, 1, 10000), 1);
	usleep(100000);
}

static void a_front_end_that_left_does_not_hold_the_worker(void **state)
{
	struct migration *migration = *state;
	struct blk_guest *guest = &migration->guest;
	int userfault_fd;
	uint64_t start_ms;

	block_worker(migration);
	userfault_fd = migration->server.userfault_fd;
	start_ms = now_ms();
	blk_guest_close(guest);
	assert_int_equal(blk_guest_open(guest, false), 0);
	assert_int_equal(blk_guest_connect(guest,
					   migration->broker.socket_path,
					   BLK_GUEST_BASE_FIRST), 0);
	print_message("# the next front-end was served after %u ms\n",
		      (unsigned int)(now_ms() - start_ms));
	assert_true(now_ms() - start_ms < A_SECOND_MS);
	write_request(guest, 0);
	close(userfault_fd);
	migration->server.userfault_fd = 0;
}

static void the_process_ends_while_the_worker_waits(void **state)
{
	struct migration *migration = *state;
	uint64_t start_ms;

	block_worker(migration);
	start_ms = now_ms();
	assert_int_equal(broker_stop(&migration->broker), 0);
	print_message("# it ended after %u ms\n",
		      (unsigned int)(now_ms() - start_ms));
	assert_true(now_ms() - start_ms < A_SECOND_MS);
}

/* The module's threads wait for the page until nobody could bring it. */
static void a_killed_process_is_gone_with_its_front_end(void **state)
{
	struct migration *migration = *state;
	pid_t pid = migration->broker.pid;
	uint64_t start_ms;

	block_worker(migration);
	kill(pid, SIGKILL);
	usleep(500000);
	blk_guest_close(&migration->guest);
	page_server_stop(&migration->server);
	start_ms = now_ms();
	while (waitpid(pid, NULL, WNOHANG) != pid) {
		assert_true(now_ms() - start_ms < 10000);
		usleep(10000);
	}
	migration->broker.pid = 0;
}

#define CASE(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(requests_are_served_while_pages_arrive),
		CASE(requests_of_packed_rings_are_served_too),
		CASE(a_front_end_that_left_does_not_hold_the_worker),
		CASE(the_process_ends_while_the_worker_waits),
		CASE(a_killed_process_is_gone_with_its_front_end),
	};
	int ret;

	if (!postcopy_is_possible())
		return SKIP_STATUS;
	module_need();
	ret = cmocka_run_group_tests_name("blk: postcopy", tests, NULL, NULL);
	module_restore();
	return ret;
}
