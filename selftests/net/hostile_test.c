// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/socket.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "lib/attack.h"
#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"
#include "lib/random.h"

/*
 * Hostile front-ends and guests (lib/attack.h) for as long as we look. Each attack
 * has its own seed, which is shown if it does harm: VHB_SEED=that VHB_ATTACKS=1
 * repeats it.
 */

#define SECONDS 20
#define WARM_UP_ATTACKS 30
#define MOVES_MAX 48
#define PAIRS 2
#define VRINGS (2 * PAIRS)
#define CONNECT_MS 10000

/* Something to receive */
static void send_from_host(struct attack *attack)
{
	const struct net_bench *bench = attack->argument;
	uint8_t frame[FRAME_BYTES_MAX];
	unsigned int i;
	int ret;

	for (i = 0; i < 8; i++) {
		ret = net_bench_frame(frame, 0, test_random_below(&attack->random, 10000),
				      4000 + test_random_below(&attack->random, 8));
		/* The tap's queue may be full. */
		host_link_send(bench->host_fd, frame, ret);
	}
}

/* Returns whether the broker bore with it to the end. */
static bool one_attack(struct net_bench *bench, uint64_t seed)
{
	struct net_guest_config config = net_guest_config_default;
	struct attack attack = {
		.random = test_random_of(seed),
		.region_count = NET_GUEST_REGIONS_MAX,
		.ring_count = VRINGS,
		.offered = bench->guest.offered,
		.offered_protocol = bench->guest.offered_protocol,
		.send = send_from_host,
		.argument = bench,
	};
	static struct net_guest guest;
	unsigned int i, moves;
	bool is_fine;

	config.pairs = PAIRS;
	config.regions = NET_GUEST_REGIONS_MAX;
	config.ring_num = 64;
	assert_int_equal(odd_fds_open(&attack.fds), 0);
	assert_int_equal(net_guest_init(&guest, &config), 0);
	assert_int_equal(frontend_connect(&guest.frontend,
					  bench->broker.socket_path,
					  CONNECT_MS), 0);
	attack.frontend = &guest.frontend;
	attack.memory = guest.memory;
	for (i = 0; i < VRINGS; i++)
		attack.rings[i] = &guest.queues[i].ring;

	attack_set_up(&attack);
	for (moves = test_random_below(&attack.random, MOVES_MAX); moves;
	     moves--)
		attack_move(&attack);
	is_fine = attack_is_borne(&attack) && broker_is_alive(&bench->broker);
	/* Or the broker would hold it open itself, if it was passed its own. */
	shutdown(guest.frontend.fd, SHUT_RDWR);
	net_guest_close(&guest);
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

/* Also MTU and address, which belong to the device and stay as they were left */
static void good_session_works(struct net_bench *bench)
{
	struct net_guest_config config = net_guest_config_default;

	config.pairs = PAIRS;
	config.features |= vhb_bit(VIRTIO_NET_F_MQ);
	assert_int_equal(net_guest_init(&bench->guest, &config), 0);
	assert_int_equal(net_guest_connect(&bench->guest,
					   bench->broker.socket_path), 0);
	assert_int_equal(frontend_set_mtu(&bench->guest.frontend, 1500), 0);
	net_guest_close(&bench->guest);
	net_bench_forget(bench);
	assert_int_equal(net_bench_session(bench, &config, 64), 0);
}

static void broker_and_kernel_survive(void **state)
{
	const char *given = getenv("VHB_ATTACKS");
	const unsigned int count = given ? strtoul(given, NULL, 0) : UINT_MAX;
	const uint64_t seed = test_random_seed();
	const int64_t end_s = now_s() + attack_seconds(SECONDS);
	struct broker_counts before, after;
	struct net_bench *bench = *state;
	unsigned int borne = 0;
	unsigned int i;

	/* Past any number that an attack puts into its frames */
	bench->host_sent = 100000;
	good_session_works(bench);
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
	good_session_works(bench);
}

static int set_up(void **state)
{
	static const char *const arguments[] = { "--queue-pairs=2", NULL };
	static struct net_bench bench;

	*state = &bench;
	return net_bench_start(&bench, arguments);
}

static int tear_down(void **state)
{
	struct net_bench *bench = *state;

	net_guest_close(&bench->guest);
	if (!broker_is_alive(&bench->broker))
		broker_show_log(&bench->broker);
	return net_bench_stop(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(broker_and_kernel_survive,
						set_up, tear_down),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: hostile", tests, NULL, NULL);
}
