// SPDX-License-Identifier: GPL-2.0-or-later
/* A disk's guest gets and loses memory under load, and cuts off what it has. */
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

#include <sys/eventfd.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>

#include "lib/blk_guest.h"
#include "lib/blk_verify.h"
#include "lib/broker.h"
#include "lib/module.h"

#define FILE_PATH "/dev/shm/vhb-memory-test.img"
#define ROUNDS 10
#define REGION_MIB 8
#define REQUESTS_EACH 20

/**
 * struct bench - a broker, its disk and a guest
 * @broker: the broker
 * @guest: the guest
 * @verify: its load, or NULL
 */
struct bench {
	struct broker broker;
	struct blk_guest guest;
	struct blk_verify *verify;
};

static void connect_guest(struct bench *bench)
{
	assert_int_equal(blk_guest_connect(&bench->guest,
					   bench->broker.socket_path,
					   BLK_GUEST_BASE_FIRST), 0);
}

static int set_up(void **state, bool is_packed)
{
	const char *const arguments[] = { "--blk-file=" FILE_PATH,
					  "--num-queues=2", NULL };
	struct bench *bench = calloc(1, sizeof(*bench));
	int fd;

	assert_non_null(bench);
	*state = bench;
	bench->guest.frontend.fd = -1;
	bench->guest.inflight_fd = -1;
	fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BLK_VERIFY_BYTES), 0);
	close(fd);
	assert_int_equal(broker_start_device(&bench->broker, "blk", arguments),
			 0);
	assert_int_equal(blk_guest_open(&bench->guest, is_packed), 0);
	connect_guest(bench);
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

	blk_verify_free(bench->verify);
	blk_guest_close(&bench->guest);
	if (!broker_is_alive(&bench->broker))
		broker_show_log(&bench->broker);
	ret = broker_stop(&bench->broker);
	unlink(FILE_PATH);
	free(bench);
	return ret;
}

static void check(struct bench *bench, int ret)
{
	if (!ret)
		return;
	broker_show_log(&bench->broker);
	fail_msg("%s; %s", strerror(-ret), bench->guest.frontend.why);
}

static void load_goes_on(struct bench *bench)
{
	const uint64_t count = blk_verify_completed(bench->verify);

	if (blk_verify_wait(bench->verify, count + REQUESTS_EACH))
		fail_msg("%s", blk_verify_why(bench->verify));
}

/* Requests are in flight all the time, and none of them notices. */
static void memory_comes_and_goes_under_load(void **state)
{
	struct bench *bench = *state;
	struct frontend *frontend = &bench->guest.frontend;
	struct guest_memory memory;
	unsigned int i;
	uint64_t gpa;

	bench->verify = blk_verify_start(&bench->guest, 1);
	for (i = 0; i < ROUNDS; i++) {
		/* Behind what there is, and in a window of its own */
		gpa = (i % 2 ? UINT64_C(2000) : UINT64_C(5)) << 30;
		assert_int_equal(guest_memory_create(&memory, REGION_MIB, gpa,
						     0), 0);
		load_goes_on(bench);
		check(bench, frontend_add_mem_reg(frontend, &memory.region,
						  memory.fd));
		load_goes_on(bench);
		check(bench, frontend_rem_mem_reg(frontend, &memory.region));
		guest_memory_destroy(&memory);
	}
	assert_int_equal(blk_verify_finish(bench->verify), 0);
}

/* The module finds its ring gone and says so; the next guest has another. */
static void memory_that_is_cut_off_ends_the_session(void **state)
{
	struct bench *bench = *state;
	struct blk_guest *guest = &bench->guest;
	const bool is_packed = guest->is_packed;

	assert_int_equal(blk_guest_run(guest, 0, VIRTIO_BLK_T_IN, 0, 4096),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(ftruncate(guest->memory.fd, 0), 0);
	/* Nobody may touch the mapping from here on, we neither. */
	assert_int_equal(eventfd_write(guest->queues[0].kick_fd, 1), 0);
	assert_int_equal(frontend_expect_closed(&guest->frontend), 0);
	assert_true(broker_is_alive(&bench->broker));
	assert_true(broker_comes_to_say(&bench->broker, "its file was truncated"));
	blk_guest_close(guest);

	assert_int_equal(blk_guest_open(guest, is_packed), 0);
	connect_guest(bench);
	assert_int_equal(blk_guest_run(guest, 0, VIRTIO_BLK_T_IN, 0, 4096),
			 VIRTIO_BLK_S_OK);
}

#define CASE(function, kind)						\
	{ #function "_" #kind, function, set_up_##kind, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(memory_comes_and_goes_under_load, split),
		CASE(memory_comes_and_goes_under_load, packed),
		CASE(memory_that_is_cut_off_ends_the_session, split),
		CASE(memory_that_is_cut_off_ends_the_session, packed),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests_name("blk: memory", tests, NULL, NULL);
	module_restore();
	return ret ? 1 : 0;
}
