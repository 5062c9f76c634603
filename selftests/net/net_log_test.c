// SPDX-License-Identifier: GPL-2.0-or-later
/* The dirty log of vhost-net: pages that changed are marked, and no others. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <netinet/if_ether.h>

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/dirty_check.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"

#define PAGE UINT64_C(4096)
#define ROUNDS 12
#define FRAMES 24

#define LOG_ALL (UINT64_C(1) << VHOST_F_LOG_ALL)

/* Of the guest: where its buffers begin, and for how far (net_guest.c) */
#define BUFFERS_BYTES (UINT64_C(1) << 20)

static int start(void **state, const char *const *arguments)
{
	static struct net_bench bench;

	*state = &bench;
	return net_bench_start(&bench, arguments);
}

static int set_up(void **state)
{
	return start(state, NULL);
}

static int set_up_two_pairs(void **state)
{
	static const char *const arguments[] = { "--queue-pairs=2", NULL };

	return start(state, arguments);
}

static int tear_down(void **state)
{
	struct net_bench *bench = *state;

	net_guest_close(&bench->guest);
	return net_bench_stop(bench);
}

static void ok(int ret)
{
	assert_int_equal(ret, 0);
}

/* The descriptor table has pages of its own; so have buffers to be sent. */
static bool is_drivers(void *argument, uint64_t gpa)
{
	const struct net_guest *guest = argument;

	for (unsigned int i = 0; i < 2 * guest->config.pairs; i++) {
		const struct net_guest_queue *queue = &guest->queues[i];
		const uint64_t buffers = queue->buffers->region.gpa +
					 queue->buffers_offset;

		if (gpa - queue->ring.gpa <
		    queue->ring.num * sizeof(struct vring_desc))
			return true;
		if (i & 1 && gpa - buffers < BUFFERS_BYTES)
			return true;
	}
	return false;
}

static uint64_t used_gpa(const struct guest_ring *ring)
{
	return ring->gpa + ((uint8_t *)ring->used - (uint8_t *)ring->desc);
}

/* Up to the last page, and not a byte more */
static uint64_t log_bytes(const struct net_guest *guest)
{
	const struct vhb_wire_region *last =
		&guest->memory[guest->config.regions - 1].region;

	return (last->gpa + last->size_bytes - 1) / PAGE / 8 + 1;
}

static void switch_rings(struct net_guest *guest, bool is_on)
{
	struct vhb_wire_vring_addr addr;

	for (unsigned int i = 0; i < 2 * guest->config.pairs; i++) {
		guest_ring_addr(&guest->queues[i].ring, i, &addr);
		addr.flags = is_on;
		addr.log_gpa = used_gpa(&guest->queues[i].ring);
		ok(frontend_set_vring_addr(&guest->frontend, &addr));
	}
}

static void set_log(struct net_guest *guest, const struct frontend_log *log)
{
	ok(frontend_set_log_base(&guest->frontend, log));
}

static void exchange(struct net_bench *bench)
{
	const unsigned int last = bench->guest.config.pairs - 1;

	/* With small buffers a guest sends nothing here. */
	for (unsigned int i = 0; i <= last; i++)
		if (bench->guest.config.buffer_bytes >= FRAME_BYTES_MAX)
			ok(net_bench_guest_sends(bench, i, FRAMES));
	ok(net_bench_host_sends(bench, last, FRAMES));
}

/* Each round with a log of its own, swapped while traffic may flow */
static void check_rounds(struct net_bench *bench)
{
	struct net_guest *guest = &bench->guest;
	struct dirty_check check = {
		.region_count = guest->config.regions,
		.is_drivers = is_drivers,
		.argument = guest,
	};
	struct frontend_log logs[2];
	unsigned int changed = 0;

	for (unsigned int i = 0; i < check.region_count; i++)
		check.memory[i] = &guest->memory[i];
	dirty_check_open(&check);
	frontend_log_open(&logs[0], log_bytes(guest), 0, 0);
	set_log(guest, &logs[0]);
	ok(frontend_set_features(&guest->frontend,
				 guest->config.features | LOG_ALL));
	switch_rings(guest, true);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct frontend_log *old = &logs[i % 2];
		struct frontend_log *new = &logs[(i + 1) % 2];
		struct dirty_count count;

		dirty_check_take(&check);
		exchange(bench);
		/* Neither a page nor a multiple of eight bytes */
		frontend_log_open(new, log_bytes(guest) + i, i * 1001, 4096);
		set_log(guest, new);
		count = dirty_check_compare(&check, old, new);
		assert_int_equal(count.missed, 0);
		assert_int_equal(count.wrong, 0);
		/* Two or more buffers share a page. */
		assert_true(count.changed >= FRAMES / 4);
		changed += count.changed;
		assert_true(frontend_log_is_alone(old));
		frontend_log_close(old);
	}
	print_message("# %u pages changed in %u rounds\n", changed, ROUNDS);

	/* Off: traffic goes on, nothing is marked. */
	ok(frontend_set_features(&guest->frontend, guest->config.features));
	switch_rings(guest, false);
	frontend_log_clear(&logs[ROUNDS % 2]);
	exchange(bench);
	assert_int_equal(frontend_log_count(&logs[ROUNDS % 2]), 0);
	frontend_log_close(&logs[ROUNDS % 2]);
	dirty_check_close(&check);
}

static void check_guest(struct net_bench *bench,
			const struct net_guest_config *config)
{
	ok(net_guest_open(&bench->guest, config, bench->broker.socket_path));
	exchange(bench);
	check_rounds(bench);
	for (unsigned int i = 0; i < config->pairs; i++)
		ok(net_guest_stop_pair(&bench->guest, i));
	net_guest_close(&bench->guest);
}

static void marks_of_a_guest_with_three_regions(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.regions = 3;
	check_guest(*state, &config);
}

static void marks_of_mergeable_buffers(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.regions = 2;
	config.features |= vhb_bit(VIRTIO_NET_F_MRG_RXBUF) |
			   vhb_bit(VIRTIO_RING_F_EVENT_IDX);
	config.buffer_bytes = 640;
	check_guest(*state, &config);
}

static void marks_of_a_legacy_guest(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.features = vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT);
	config.has_header_apart = true;
	check_guest(*state, &config);
}

static void marks_of_two_pairs_with_indirect_descriptors(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.regions = 3;
	config.pairs = 2;
	config.features |= vhb_bit(VIRTIO_RING_F_INDIRECT_DESC);
	config.is_indirect = true;
	check_guest(*state, &config);
}

/* As QEMU sends it for guests that do not announce themselves */
static void a_rarp_comes_out_of_the_tap(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0x12, 0x34, 0x56 };
	static const uint8_t wanted[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0x12, 0x34, 0x56,
		0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3,
		2, 0, 0, 0x12, 0x34, 0x56, 0, 0, 0, 0,
		2, 0, 0, 0x12, 0x34, 0x56,
	};
	struct net_guest_config config = net_guest_config_default;
	struct net_bench *bench = *state;
	uint8_t frame[128];
	int fd;

	fd = host_link_open(NET_BENCH_TAP, ETH_P_RARP, false);
	assert_true(fd >= 0);
	for (unsigned int i = 0; i < 2; i++) {
		ok(net_guest_open(&bench->guest, &config,
				  bench->broker.socket_path));
		assert_true(vhb_has_bit(bench->guest.offered_protocol,
					VHB_PROTOCOL_F_RARP));
		ok(frontend_send_rarp(&bench->guest.frontend, mac));
		assert_int_equal(host_link_receive(fd, frame, sizeof(frame),
						   NET_GUEST_TIMEOUT_MS),
				 sizeof(wanted));
		assert_memory_equal(frame, wanted, sizeof(wanted));
		ok(net_bench_exchange(bench, 0, FRAMES));
		net_guest_close(&bench->guest);
		/* Then with the short header */
		config.features = vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT);
		config.has_header_apart = true;
		net_bench_forget(bench);
	}
	close(fd);
}

#define log_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#define two_pairs_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up_two_pairs, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(marks_of_a_guest_with_three_regions),
		log_test(marks_of_mergeable_buffers),
		log_test(marks_of_a_legacy_guest),
		two_pairs_test(marks_of_two_pairs_with_indirect_descriptors),
		log_test(a_rarp_comes_out_of_the_tap),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: dirty log", tests, NULL, NULL);
}
