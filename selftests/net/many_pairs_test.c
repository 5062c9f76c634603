// SPDX-License-Identifier: GPL-2.0-or-later
/* As many queue pairs as there can be, and what they take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include <linux/virtio_net.h>

#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"
#include "lib/net_driver.h"

#define PAIRS NET_GUEST_PAIRS_MAX
#define FRAMES 8
/* The control queue's number fits the eight bits of an index just so. */
#define CONTROL_INDEX (2 * PAIRS)
#define CONTROL_NUM 64
/* Behind the buffers of the first ring, before those of the second */
#define CONTROL_OFFSET 0x1c0000
/* Too few for so many */
#define FDS_SOFT 128

static const char *const arguments[] = { "--queue-pairs=64", NULL };

static struct net_bench bench;

static int tear_down(void **state)
{
	(void)state;
	net_guest_close(&bench.guest);
	if (!broker_is_alive(&bench.broker))
		broker_show_log(&bench.broker);
	return net_bench_stop(&bench);
}

static rlim_t set_soft_limit(rlim_t soft)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = soft;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static struct net_guest_config config_of_all_pairs(void)
{
	struct net_guest_config config = net_guest_config_default;

	config.pairs = PAIRS;
	config.features |= vhb_bit(VIRTIO_NET_F_MQ);
	return config;
}

/* The low soft limit of the shell that starts it is no obstacle. */
static void every_pair_carries_frames(void **state)
{
	const struct net_guest_config config = config_of_all_pairs();
	struct broker_counts before, after, during;
	unsigned int pair;
	rlim_t limit;

	(void)state;
	limit = set_soft_limit(FDS_SOFT);
	assert_int_equal(net_bench_start(&bench, arguments), 0);
	set_soft_limit(limit);
	assert_int_equal(broker_count_idle(&bench.broker, &before), 0);
	assert_int_equal(net_guest_open(&bench.guest, &config,
					bench.broker.socket_path), 0);
	assert_int_equal(broker_count(&bench.broker, &during), 0);
	assert_int_equal(during.vhost_tasks, PAIRS);
	for (pair = 0; pair < PAIRS; pair++)
		assert_int_equal(net_bench_exchange(&bench, pair, FRAMES), 0);
	for (pair = 0; pair < PAIRS; pair++)
		assert_int_equal(net_guest_stop_pair(&bench.guest, pair), 0);
	net_guest_close(&bench.guest);
	assert_int_equal(broker_count_idle(&bench.broker, &after), 0);
	assert_int_equal(after.fds, before.fds);
	assert_int_equal(after.vhost_tasks, 0);
}

static int set_pairs(struct net_driver *driver, uint8_t count)
{
	const uint8_t argument[] = { count, 0 };

	return net_driver_command(driver, VIRTIO_NET_CTRL_MQ,
				  VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, argument,
				  sizeof(argument));
}

static void guest_picks_from_all_pairs(void **state)
{
	struct net_guest_config config = config_of_all_pairs();
	struct net_driver driver;

	(void)state;
	config.features |= vhb_bit(VIRTIO_NET_F_CTRL_VQ);
	assert_int_equal(net_bench_start(&bench, arguments), 0);
	assert_int_equal(net_guest_open(&bench.guest, &config,
					bench.broker.socket_path), 0);
	assert_int_equal(net_driver_init(&driver, &bench.guest.memory[0],
					 CONTROL_OFFSET, CONTROL_NUM), 0);
	assert_int_equal(guest_ring_start(&driver.ring, &bench.guest.frontend,
					  CONTROL_INDEX), 0);
	assert_int_equal(net_bench_exchange(&bench, 0, FRAMES), 0);
	assert_int_equal(set_pairs(&driver, PAIRS + 1), VIRTIO_NET_ERR);
	assert_int_equal(set_pairs(&driver, PAIRS), VIRTIO_NET_OK);
	assert_int_equal(net_bench_exchange(&bench, PAIRS - 1, FRAMES), 0);
	assert_int_equal(set_pairs(&driver, 1), VIRTIO_NET_OK);
	assert_int_equal(net_bench_exchange(&bench, 0, FRAMES), 0);
	net_driver_destroy(&driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_pair_carries_frames, tear_down),
		cmocka_unit_test_teardown(guest_picks_from_all_pairs, tear_down),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: many pairs", tests, NULL,
					   NULL);
}
