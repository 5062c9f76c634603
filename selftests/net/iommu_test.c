// SPDX-License-Identifier: GPL-2.0-or-later
/* vhost-net behind an IOMMU: frames through memory in disorder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"
#include "lib/translator.h"

#define FRAMES 256
#define FEW_FRAMES 32
#define ROUNDS 8
#define SHORT_MS 300
#define KICKS_MAX 200000
/* Two misses of 128 bytes each would be twice what may be kept of them */
#define UPDATES 25000
#define SLAB_KIB_MAX 3072

static struct net_bench bench;
static struct translator *translator;

static int start(const char *const *arguments)
{
	translator = translator_create();
	if (!translator)
		return -ENOMEM;
	return net_bench_start(&bench, arguments);
}

static int set_up(void **state)
{
	static const char *const arguments[] = { "--iommu", NULL };

	(void)state;
	return start(arguments);
}

static int set_up_two_pairs(void **state)
{
	static const char *const arguments[] = { "--iommu", "--queue-pairs=2",
						 NULL };

	(void)state;
	return start(arguments);
}

static int tear_down(void **state)
{
	int ret = 0;

	(void)state;
	net_guest_close(&bench.guest);
	if (!broker_is_alive(&bench.broker)) {
		broker_show_log(&bench.broker);
		ret = -1;
	}
	ret |= net_bench_stop(&bench);
	if (translator_error(translator)) {
		print_message("# translator: %s\n",
			      strerrorname_np(-translator_error(translator)));
		ret = -1;
	}
	translator_destroy(translator);
	return ret;
}

static struct net_guest_config config_of(uint64_t features)
{
	struct net_guest_config config = net_guest_config_default;

	config.features |= features | vhb_bit(VIRTIO_F_ACCESS_PLATFORM);
	config.regions = 3;
	config.translator = translator;
	return config;
}

static void open_guest(const struct net_guest_config *config)
{
	const int ret = net_guest_open(&bench.guest, config,
				       bench.broker.socket_path);

	if (ret)
		broker_show_log(&bench.broker);
	assert_int_equal(ret, 0);
}

static void exchange(const struct net_guest_config *config)
{
	open_guest(config);
	assert_int_equal(net_bench_exchange(&bench, 0, FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(&bench.guest, 0), 0);
	print_message("# %u misses\n", translator_miss_count(translator));
	assert_true(translator_miss_count(translator) > 50);
	assert_int_equal(translator_refused_count(translator), 0);
}

static void frames_through_scattered_pages(void **state)
{
	const struct net_guest_config config = config_of(0);

	(void)state;
	exchange(&config);
}

/* Buffers that lie in two or three pages */
static void frames_across_pages(void **state)
{
	struct net_guest_config config =
		config_of(vhb_bit(VIRTIO_NET_F_MRG_RXBUF) |
			  vhb_bit(VIRTIO_RING_F_EVENT_IDX));

	(void)state;
	config.buffer_bytes = 3000;
	exchange(&config);
}

static void frames_with_indirect_tables(void **state)
{
	struct net_guest_config config =
		config_of(vhb_bit(VIRTIO_RING_F_INDIRECT_DESC));

	(void)state;
	config.is_indirect = true;
	exchange(&config);
}

/* What one descriptor misses, both are told. */
static void frames_of_two_pairs(void **state)
{
	struct net_guest_config config = config_of(vhb_bit(VIRTIO_NET_F_MQ));

	(void)state;
	config.pairs = 2;
	open_guest(&config);
	assert_int_equal(net_bench_guest_sends(&bench, 0, FRAMES), 0);
	assert_int_equal(net_bench_guest_sends(&bench, 1, FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(&bench.guest, 1), 0);
	assert_int_equal(net_bench_exchange(&bench, 0, FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(&bench.guest, 0), 0);
}

/* All the pages of a memory, one after another, round and round */
static void *invalidate(void *argument)
{
	const struct vhb_wire_region *region = &bench.guest.memory[0].region;
	atomic_bool *is_over = argument;
	intptr_t ret = 0;

	for (unsigned int i = 0; !ret && !atomic_load(is_over); i++) {
		region = &bench.guest.memory[i % 3].region;
		ret = translator_invalidate(translator, region->gpa,
					    region->size_bytes);
		usleep(10000);
	}
	return (void *)ret;
}

static void invalidations_while_frames_flow(void **state)
{
	const struct net_guest_config config =
		config_of(vhb_bit(VIRTIO_RING_F_EVENT_IDX));
	atomic_bool is_over = false;
	pthread_t thread;
	void *result;

	(void)state;
	open_guest(&config);
	assert_int_equal(pthread_create(&thread, NULL, invalidate, &is_over),
			 0);
	for (unsigned int i = 0; i < ROUNDS; i++)
		assert_int_equal(net_bench_exchange(&bench, 0, FEW_FRAMES), 0);
	atomic_store(&is_over, true);
	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, 0);
	print_message("# %u misses\n", translator_miss_count(translator));
	assert_int_equal(net_guest_stop_pair(&bench.guest, 0), 0);
}

/* Only what the back-end is told counts, not what it knew. */
static void transmit_buffers_move(void **state)
{
	const struct net_guest_config config = config_of(0);

	(void)state;
	open_guest(&config);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(net_bench_guest_sends(&bench, 0, FEW_FRAMES),
				 0);
		assert_int_equal(net_guest_flush(&bench.guest, 0), 0);
		assert_int_equal(translator_move(translator,
						 &bench.guest.memory[1], 0,
						 bench.guest.memory[1].region.size_bytes),
				 0);
	}
	assert_int_equal(net_bench_exchange(&bench, 0, FEW_FRAMES), 0);
}

/* Transmit buffers are refused: those wait, the other direction goes on. */
static void what_has_no_translation_waits(void **state)
{
	const struct net_guest_config config = config_of(0);
	const struct vhb_wire_region *region;

	(void)state;
	open_guest(&config);
	assert_int_equal(net_bench_exchange(&bench, 0, FEW_FRAMES), 0);
	assert_int_equal(net_guest_flush(&bench.guest, 0), 0);
	region = &bench.guest.memory[1].region;
	assert_int_equal(translator_refuse(translator, region->gpa,
					   region->size_bytes), 0);
	assert_int_equal(net_bench_guest_queue(&bench, 0, 8), 0);
	assert_int_equal(net_bench_host_sends(&bench, 0, FEW_FRAMES), 0);
	usleep(SHORT_MS * 1000);
	assert_true(translator_refused_count(translator) > 0);
	assert_true(broker_is_alive(&bench.broker));
	assert_int_equal(net_bench_host_sends(&bench, 0, FEW_FRAMES), 0);
	/* Told at last, they leave. */
	assert_int_equal(translator_refuse(translator, 0, 0), 0);
	assert_int_equal(net_bench_host_take(&bench, 8), 0);
	assert_int_equal(net_bench_exchange(&bench, 0, FEW_FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(&bench.guest, 0), 0);
}

/* It cannot be started: its used ring is nowhere. Then it is. */
static void a_ring_without_translation_starts_later(void **state)
{
	const struct net_guest_config config = config_of(0);
	struct net_guest *guest = &bench.guest;

	(void)state;
	assert_int_equal(net_guest_init(guest, &config), 0);
	assert_int_equal(net_guest_connect(guest, bench.broker.socket_path), 0);
	assert_int_equal(net_guest_share_memory(guest), 0);
	assert_int_equal(translator_refuse(translator,
					   guest->memory[0].region.gpa,
					   guest->memory[0].region.size_bytes),
			 0);
	assert_int_equal(net_guest_start_pair(guest, 0), 0);
	usleep(SHORT_MS * 1000);
	assert_true(translator_refused_count(translator) > 0);
	assert_int_equal(translator_refuse(translator, 0, 0), 0);
	assert_int_equal(net_bench_exchange(&bench, 0, FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(guest, 0), 0);
}

/*
 * Each time the IOTLB is told something a vring that waits is tried again, and
 * vhost keeps a miss of its used ring.
 */
static void a_ring_that_waits_costs_no_memory(void **state)
{
	const struct net_guest_config config = config_of(0);
	struct net_guest *guest = &bench.guest;
	struct broker_counts before, after;
	const struct vhb_wire_region *rings, *buffers;

	(void)state;
	assert_int_equal(net_guest_init(guest, &config), 0);
	assert_int_equal(net_guest_connect(guest, bench.broker.socket_path), 0);
	assert_int_equal(net_guest_share_memory(guest), 0);
	rings = &guest->memory[0].region;
	buffers = &guest->memory[2].region;
	assert_int_equal(translator_refuse(translator, rings->gpa,
					   rings->size_bytes), 0);
	assert_int_equal(net_guest_start_pair(guest, 0), 0);
	assert_int_equal(broker_count(&bench.broker, &before), 0);
	for (unsigned int i = 0; i < UPDATES; i++)
		translator_tell(translator, buffers->gpa + i % 16 * 4096);
	assert_int_equal(broker_count(&bench.broker, &after), 0);
	broker_show_counts("before", &before);
	broker_show_counts("after", &after);
	assert_in_range(after.slab_kib, 0, before.slab_kib + SLAB_KIB_MAX);
	assert_int_equal(translator_refuse(translator, 0, 0), 0);
	assert_int_equal(net_bench_exchange(&bench, 0, FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(guest, 0), 0);
}

/* The kernel's IOTLB is a new one then. */
static void rings_that_stop_and_start_again(void **state)
{
	const struct net_guest_config config = config_of(0);
	struct net_guest *guest = &bench.guest;

	(void)state;
	open_guest(&config);
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(net_bench_exchange(&bench, 0, FEW_FRAMES), 0);
		assert_int_equal(net_guest_stop_pair(guest, 0), 0);
		if (i % 2)
			assert_int_equal(frontend_set_features(&guest->frontend,
							       guest->config.features |
							       vhb_bit(VIRTIO_NET_F_CSUM)),
					 0);
		assert_int_equal(net_guest_start_pair(guest, 0), 0);
	}
	assert_int_equal(net_bench_exchange(&bench, 0, FEW_FRAMES), 0);
}

/*
 * vhost keeps a miss for each kick of a vring that waits. A guest must not be able
 * to have it keep more and more.
 */
static void kicks_of_a_vring_that_waits_are_bounded(void **state)
{
	const struct net_guest_config config = config_of(0);
	struct broker_counts before, after;
	const struct vhb_wire_region *region;
	const uint64_t one = 1;
	int kick_fd;

	(void)state;
	open_guest(&config);
	assert_int_equal(net_bench_exchange(&bench, 0, FEW_FRAMES), 0);
	assert_int_equal(net_guest_flush(&bench.guest, 0), 0);
	assert_int_equal(broker_count(&bench.broker, &before), 0);
	region = &bench.guest.memory[1].region;
	assert_int_equal(translator_refuse(translator, region->gpa,
					   region->size_bytes), 0);
	assert_int_equal(net_bench_guest_queue(&bench, 0, 8), 0);
	kick_fd = bench.guest.queues[1].ring.kick_fd;
	for (unsigned int i = 0; i < KICKS_MAX; i++) {
		assert_int_equal(write(kick_fd, &one, sizeof(one)),
				 sizeof(one));
		if (i % 64)
			continue;
		if (broker_log_has(&bench.broker, "rests until"))
			break;
		usleep(500);
	}
	print_message("# %u misses\n", translator_miss_count(translator));
	assert_true(broker_log_has(&bench.broker, "rests until"));
	/* The kernel has none of them any more. */
	assert_int_equal(broker_count(&bench.broker, &after), 0);
	broker_show_counts("before", &before);
	broker_show_counts("after", &after);
	assert_in_range(after.fds, 0, before.fds);
	/* Answered at last it goes on where it was. */
	assert_int_equal(translator_refuse(translator, 0, 0), 0);
	assert_int_equal(net_bench_host_take(&bench, 8), 0);
	assert_int_equal(net_bench_exchange(&bench, 0, FEW_FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(&bench.guest, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(frames_through_scattered_pages,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(frames_across_pages, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(frames_with_indirect_tables,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(frames_of_two_pairs,
						set_up_two_pairs, tear_down),
		cmocka_unit_test_setup_teardown(invalidations_while_frames_flow,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(transmit_buffers_move, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_has_no_translation_waits,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_ring_without_translation_starts_later,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_ring_that_waits_costs_no_memory,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(rings_that_stop_and_start_again,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(kicks_of_a_vring_that_waits_are_bounded,
						set_up, tear_down),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: IOMMU", tests, NULL, NULL);
}
