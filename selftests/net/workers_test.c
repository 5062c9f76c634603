// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel threads of vhost-net: how many, that all work, and that they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/virtio_net.h>

#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"

#define PAIRS 2
#define FRAMES 256

static struct net_bench bench;

static int tear_down(void **state)
{
	(void)state;
	net_guest_close(&bench.guest);
	if (!broker_is_alive(&bench.broker))
		broker_show_log(&bench.broker);
	return net_bench_stop(&bench);
}

/* A guest with two pairs, both of which work, has so many threads; then none. */
static void expect_workers(const char *const *arguments, unsigned int count)
{
	struct net_guest_config config = net_guest_config_default;
	struct broker_counts counts;
	unsigned int pair;

	assert_int_equal(net_bench_start(&bench, arguments), 0);
	config.pairs = PAIRS;
	config.features |= vhb_bit(VIRTIO_NET_F_MQ);
	assert_int_equal(net_guest_open(&bench.guest, &config,
					bench.broker.socket_path), 0);
	assert_int_equal(broker_count(&bench.broker, &counts), 0);
	print_message("# %u vhost threads\n", counts.vhost_tasks);
	assert_int_equal(counts.vhost_tasks, count);
	for (pair = 0; pair < PAIRS; pair++) {
		assert_int_equal(net_bench_guest_sends(&bench, pair, FRAMES),
				 0);
		assert_int_equal(net_bench_exchange(&bench, 0, FRAMES), 0);
	}
	for (pair = 0; pair < PAIRS; pair++)
		assert_int_equal(net_guest_stop_pair(&bench.guest, pair), 0);
	net_guest_close(&bench.guest);
	assert_int_equal(broker_count_idle(&bench.broker, &counts), 0);
	assert_int_equal(counts.vhost_tasks, 0);
	/* And once more, with the same descriptors */
	net_bench_forget(&bench);
	assert_int_equal(net_bench_session(&bench, &net_guest_config_default,
					   FRAMES), 0);
}

static void a_pair_shares_a_thread(void **state)
{
	static const char *const arguments[] = { "--queue-pairs=2", NULL };

	(void)state;
	expect_workers(arguments, PAIRS);
}

static void each_vring_has_a_thread(void **state)
{
	static const char *const arguments[] = {
		"--queue-pairs=2", "--workers=per-vring", NULL
	};

	(void)state;
	expect_workers(arguments, 2 * PAIRS);
}

static void polling_threads_lose_nothing(void **state)
{
	static const char *const arguments[] = {
		"--queue-pairs=2", "--poll-us=50", NULL
	};

	(void)state;
	expect_workers(arguments, PAIRS);
}

#define CASE(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_pair_shares_a_thread),
		CASE(each_vring_has_a_thread),
		CASE(polling_threads_lose_nothing),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: workers", tests, NULL, NULL);
}
