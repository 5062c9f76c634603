// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/socket.h>

#include <linux/virtio_blk.h>

#include "lib/attack.h"
#include "lib/blk_guest.h"
#include "lib/broker.h"
#include "lib/module.h"

/*
 * Hostile front-ends and guests (lib/attack.h) of a disk, for as long as we look.
 * Each attack has its own seed, which is shown if it does harm: VHB_SEED=that
 * VHB_ATTACKS=1 repeats it.
 */

#define SECONDS 15
#define WARM_UP_ATTACKS 30
#define MOVES_MAX 48
#define CONNECT_MS 10000
#define RINGS BLK_GUEST_QUEUES
#define RING_NUM 64
#define REGION_MIB 8
#define RING_BYTES 0x10000
#define FILE_PATH "/dev/shm/vhb-hostile.img"
#define FILE_BYTES (4 << 20)
#define PATTERN_BYTES 4096

/**
 * struct bench - a broker and its disk
 * @broker: the broker
 * @offered: features it offered a good front-end
 * @offered_protocol: protocol features, likewise
 */
struct bench {
	struct broker broker;
	uint64_t offered;
	uint64_t offered_protocol;
};

/* One region for rings and two for lies and data, with a hole between them */
static void create_guest(struct guest_memory *memory, struct guest_ring *rings)
{
	unsigned int i;

	for (i = 0; i < ATTACK_REGIONS_MAX; i++)
		assert_int_equal(guest_memory_create(&memory[i], REGION_MIB,
						     i * 3ULL * REGION_MIB << 20,
						     0), 0);
	for (i = 0; i < RINGS; i++)
		assert_int_equal(guest_ring_init(&rings[i], &memory[0],
						 i * RING_BYTES, RING_NUM), 0);
}

static void destroy_guest(struct guest_memory *memory, struct guest_ring *rings)
{
	unsigned int i;

	for (i = 0; i < RINGS; i++)
		guest_ring_destroy(&rings[i]);
	for (i = 0; i < ATTACK_REGIONS_MAX; i++)
		guest_memory_destroy(&memory[i]);
}

/* Returns whether the broker bore with it to the end. */
static bool one_attack(struct bench *bench, uint64_t seed)
{
	struct guest_memory memory[ATTACK_REGIONS_MAX];
	struct guest_ring rings[RINGS];
	struct frontend frontend;
	struct attack attack = {
		.random = test_random_of(seed),
		.frontend = &frontend,
		.memory = memory,
		.region_count = ATTACK_REGIONS_MAX,
		.rings = { &rings[0], &rings[1] },
		.ring_count = RINGS,
		.offered = bench->offered,
		.offered_protocol = bench->offered_protocol,
	};
	unsigned int moves;
	bool is_fine;

	assert_int_equal(odd_fds_open(&attack.fds), 0);
	create_guest(memory, rings);
	assert_int_equal(frontend_connect(&frontend, bench->broker.socket_path,
					  CONNECT_MS), 0);
	attack_set_up(&attack);
	for (moves = test_random_below(&attack.random, MOVES_MAX); moves;
	     moves--)
		attack_move(&attack);
	is_fine = attack_is_borne(&attack) && broker_is_alive(&bench->broker);
	/* Or the broker would hold it open itself, if it was passed its own. */
	shutdown(frontend.fd, SHUT_RDWR);
	frontend_close(&frontend);
	destroy_guest(memory, rings);
	odd_fds_close(&attack.fds);
	if (!is_fine)
		fail_msg("attack with seed %llu", (unsigned long long)seed);
	return !attack.is_over;
}

static int64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* What is written can be read, in either layout. */
static void good_session_works(struct bench *bench, bool is_packed)
{
	struct blk_guest guest;
	struct blk_guest_slot slot;

	assert_int_equal(blk_guest_open(&guest, is_packed), 0);
	assert_int_equal(blk_guest_connect(&guest, bench->broker.socket_path,
					   BLK_GUEST_BASE_FIRST), 0);
	assert_int_equal(frontend_get_features(&guest.frontend,
					       &bench->offered), 0);
	assert_int_equal(frontend_get_protocol_features(&guest.frontend,
							&bench->offered_protocol),
			 0);
	slot = blk_guest_slot(&guest, 0, 0);
	memset(slot.data, 0x5a, PATTERN_BYTES);
	assert_int_equal(blk_guest_run(&guest, 0, VIRTIO_BLK_T_OUT, 8,
				       PATTERN_BYTES), VIRTIO_BLK_S_OK);
	memset(slot.data, 0, PATTERN_BYTES);
	assert_int_equal(blk_guest_run(&guest, 0, VIRTIO_BLK_T_IN, 8,
				       PATTERN_BYTES), VIRTIO_BLK_S_OK);
	for (unsigned int i = 0; i < PATTERN_BYTES; i++)
		assert_int_equal(slot.data[i], 0x5a);
	blk_guest_close(&guest);
}

static void broker_and_kernel_survive(void **state)
{
	const char *given = getenv("VHB_ATTACKS");
	const unsigned int count = given ? strtoul(given, NULL, 0) : UINT_MAX;
	const uint64_t seed = test_random_seed();
	const int64_t end_s = now_s() + attack_seconds(SECONDS);
	struct broker_counts before, after;
	struct bench *bench = *state;
	unsigned int borne = 0;
	unsigned int i;

	good_session_works(bench, false);
	good_session_works(bench, true);
	for (i = 0; i < WARM_UP_ATTACKS && i < count; i++)
		one_attack(bench, seed + i);
	assert_int_equal(broker_count_idle(&bench->broker, &before), 0);
	broker_show_counts("before", &before);
	for (; i < count && now_s() < end_s; i++)
		borne += one_attack(bench, seed + i);
	printf("# %u attacks, the broker hung up on all but %u\n", i, borne);
	assert_int_equal(broker_count_flat(&bench->broker, &before, &after),
			 0);
	broker_show_counts("after", &after);
	good_session_works(bench, false);
	good_session_works(bench, true);
}

static int set_up(void **state)
{
	static const char *const arguments[] = {
		"--blk-file=" FILE_PATH, "--num-queues=2", NULL,
	};
	static struct bench bench;
	int fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int ret;

	*state = &bench;
	if (fd < 0)
		return -1;
	ret = ftruncate(fd, FILE_BYTES);
	close(fd);
	if (ret)
		return ret;
	return broker_start_device(&bench.broker, "blk", arguments);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	int ret;

	if (!broker_is_alive(&bench->broker))
		broker_show_log(&bench->broker);
	ret = broker_stop(&bench->broker);
	unlink(FILE_PATH);
	return ret;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(broker_and_kernel_survive,
						set_up, tear_down),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests_name("blk: hostile", tests, NULL, NULL);
	module_restore();
	return ret ? 1 : 0;
}
