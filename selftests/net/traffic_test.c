// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/device_state.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"

#define FRAMES 1000
#define QUICK_FRAMES 128

static const uint64_t base_features = UINT64_C(1) << VIRTIO_F_VERSION_1 |
				      UINT64_C(1) << VHB_F_PROTOCOL_FEATURES_BIT;

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

static int set_up_properties(void **state)
{
	static const char *const arguments[] = {
		"--mac=52:54:00:12:34:56", "--mtu=1400", NULL
	};

	return start(state, arguments);
}

static int tear_down(void **state)
{
	struct net_bench *bench = *state;

	net_guest_close(&bench->guest);
	if (!broker_is_alive(&bench->broker)) {
		broker_show_log(&bench->broker);
		net_bench_stop(bench);
		return -1;
	}
	return net_bench_stop(bench);
}

/* A whole session with a thousand frames each way */
static void exchange(struct net_bench *bench,
		     const struct net_guest_config *config)
{
	assert_int_equal(net_guest_open(&bench->guest, config,
					bench->broker.socket_path), 0);
	assert_int_equal(net_bench_exchange(bench, 0, FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(&bench->guest, 0), 0);
	net_guest_close(&bench->guest);
}

static void open_guest(struct net_bench *bench,
		       const struct net_guest_config *config)
{
	assert_int_equal(net_guest_open(&bench->guest, config,
					bench->broker.socket_path), 0);
}

static void frames_with_twelve_byte_header(void **state)
{
	exchange(*state, &net_guest_config_default);
}

static void frames_with_ten_byte_header(void **state)
{
	struct net_guest_config config = net_guest_config_default;
	struct net_bench *bench = *state;

	config.features = vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT);
	config.has_header_apart = true;
	exchange(bench, &config);
	assert_int_equal(bench->guest.vnet_bytes, FRAME_VNET_BYTES_LEGACY);
}

static void frames_of_legacy_guest_with_mergeable_buffers(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.features = vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT) |
			  vhb_bit(VIRTIO_NET_F_MRG_RXBUF);
	config.has_header_apart = true;
	exchange(*state, &config);
}

static void frames_of_guest_without_protocol_features(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.features = vhb_bit(VIRTIO_F_VERSION_1);
	exchange(*state, &config);
}

static void frames_with_event_idx(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.features |= vhb_bit(VIRTIO_RING_F_EVENT_IDX);
	exchange(*state, &config);
}

/* Most frames need two or three of these buffers. */
static void frames_across_mergeable_buffers(void **state)
{
	struct net_guest_config config = net_guest_config_default;
	struct net_bench *bench = *state;

	config.features |= vhb_bit(VIRTIO_NET_F_MRG_RXBUF);
	config.buffer_bytes = 640;
	open_guest(bench, &config);
	assert_int_equal(net_bench_host_sends(bench, 0, FRAMES), 0);
}

static void frames_with_indirect_descriptors(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.features |= vhb_bit(VIRTIO_RING_F_INDIRECT_DESC);
	config.is_indirect = true;
	config.has_header_apart = true;
	exchange(*state, &config);
}

static void frames_with_all_ring_features(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.features |= vhb_bit(VIRTIO_RING_F_INDIRECT_DESC) |
			   vhb_bit(VIRTIO_RING_F_EVENT_IDX) |
			   vhb_bit(VIRTIO_NET_F_MRG_RXBUF);
	config.is_indirect = true;
	exchange(*state, &config);
}

static void frames_from_several_memory_regions(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.regions = 3;
	exchange(*state, &config);
}

static void frames_through_small_rings(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.ring_num = 2 * NET_BENCH_BURST;
	exchange(*state, &config);
}

/* The driver was at work before: its indexes are about to wrap. */
static void frames_while_indexes_wrap(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	unsigned int i;

	assert_int_equal(net_guest_init(guest, &net_guest_config_default), 0);
	for (i = 0; i < 2; i++) {
		struct guest_ring *ring = &guest->queues[i].ring;

		ring->avail_idx = 65500;
		ring->kicked_idx = 65500;
		ring->used_idx = 65500;
		ring->avail->idx = 65500;
		ring->used->idx = 65500;
	}
	assert_int_equal(net_guest_connect(guest, bench->broker.socket_path),
			 0);
	assert_int_equal(net_guest_share_memory(guest), 0);
	assert_int_equal(net_guest_start_pair(guest, 0), 0);
	assert_int_equal(net_bench_exchange(bench, 0, FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(guest, 0), 0);
}

static void calls_by_eventfd(void **state)
{
	struct net_bench *bench = *state;
	struct guest_ring *rx, *tx;

	open_guest(bench, &net_guest_config_default);
	rx = &bench->guest.queues[0].ring;
	tx = &bench->guest.queues[1].ring;

	assert_int_equal(net_bench_host_queue(bench, 0, 1), 0);
	assert_int_equal(guest_ring_wait_call(rx, NET_GUEST_TIMEOUT_MS), 0);
	assert_int_equal(net_bench_guest_take(bench, 0, 1), 0);
	assert_int_equal(net_bench_guest_sends(bench, 0, 1), 0);
	assert_int_equal(guest_ring_wait_call(tx, NET_GUEST_TIMEOUT_MS), 0);

	guest_ring_want_call(rx, false);
	assert_int_equal(net_bench_host_sends(bench, 0, QUICK_FRAMES), 0);
	assert_int_equal(guest_ring_wait_call(rx, 200), -ETIMEDOUT);
}

static unsigned int pending_bytes(int fd)
{
	int count = -1;

	assert_int_equal(ioctl(fd, FIONREAD, &count), 0);
	return count;
}

/* What User-Mode Linux wants: eight bytes each, never less. */
static void calls_by_socket_pair(void **state)
{
	struct net_guest_config config = net_guest_config_default;
	struct net_bench *bench = *state;
	struct guest_ring *rx;
	unsigned int i;

	config.has_call_sockets = true;
	open_guest(bench, &config);
	rx = &bench->guest.queues[0].ring;

	for (i = 0; i < 10; i++) {
		assert_int_equal(net_bench_host_queue(bench, 0, 1), 0);
		assert_int_equal(guest_ring_wait_call(rx, NET_GUEST_TIMEOUT_MS),
				 0);
		assert_int_equal(net_bench_guest_take(bench, 0, 1), 0);
	}
	/* Nobody reads them now: a full socket must not stop anything. */
	assert_int_equal(net_bench_exchange(bench, 0, FRAMES), 0);
	assert_true(pending_bytes(rx->call_fd) >= 8);
	assert_int_equal(pending_bytes(rx->call_fd) % 8, 0);
	assert_int_equal(net_guest_stop_pair(&bench->guest, 0), 0);
}

static void both_pairs_carry_frames(void **state)
{
	struct net_guest_config config = net_guest_config_default;
	struct net_bench *bench = *state;

	config.features |= vhb_bit(VIRTIO_NET_F_MQ);
	config.pairs = 2;
	open_guest(bench, &config);
	/* The tap answers a flow on the queue it came from. */
	assert_int_equal(net_bench_exchange(bench, 0, FRAMES), 0);
	assert_int_equal(net_bench_exchange(bench, 1, FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(&bench->guest, 0), 0);
	assert_int_equal(net_guest_stop_pair(&bench->guest, 1), 0);
}

static void second_pair_comes_and_goes(void **state)
{
	struct net_guest_config config = net_guest_config_default;
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	unsigned int i;

	config.features |= vhb_bit(VIRTIO_NET_F_MQ);
	config.pairs = 2;
	assert_int_equal(net_guest_init(guest, &config), 0);
	assert_int_equal(net_guest_connect(guest, bench->broker.socket_path),
			 0);
	assert_int_equal(net_guest_share_memory(guest), 0);
	assert_int_equal(net_guest_start_pair(guest, 0), 0);

	for (i = 0; i < 3; i++) {
		/* Flows of the second pair must not get lost without it. */
		assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
		assert_int_equal(net_guest_start_pair(guest, 1), 0);
		assert_int_equal(net_bench_exchange(bench, 1, QUICK_FRAMES), 0);
		assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
		assert_int_equal(net_guest_stop_pair(guest, 1), 0);
		assert_int_equal(net_bench_host_queue(bench, 1,
						      NET_BENCH_BURST), 0);
		assert_int_equal(net_bench_guest_take(bench, 0,
						      NET_BENCH_BURST), 0);
	}
}

static void one_pair_of_two_is_enough(void **state)
{
	assert_int_equal(net_bench_session(*state, &net_guest_config_default,
					   FRAMES), 0);
}

static void connect_only(struct net_bench *bench)
{
	assert_int_equal(net_guest_init(&bench->guest,
					&net_guest_config_default), 0);
	assert_int_equal(net_guest_connect(&bench->guest,
					   bench->broker.socket_path), 0);
}

static void get_config(struct net_bench *bench,
		       struct virtio_net_config *config_out)
{
	assert_int_equal(frontend_get_config(&bench->guest.frontend, 0, 0,
					     config_out, sizeof(*config_out)),
			 0);
}

/* What a guest on vhost-net in QEMU gets, too */
static uint64_t net_features_wanted(void)
{
	return base_features | vhb_bit(VIRTIO_NET_F_CSUM) |
	       vhb_bit(VIRTIO_NET_F_GUEST_CSUM) |
	       vhb_bit(VIRTIO_NET_F_GUEST_TSO4) |
	       vhb_bit(VIRTIO_NET_F_GUEST_TSO6) |
	       vhb_bit(VIRTIO_NET_F_GUEST_ECN) |
	       vhb_bit(VIRTIO_NET_F_HOST_TSO4) |
	       vhb_bit(VIRTIO_NET_F_HOST_TSO6) |
	       vhb_bit(VIRTIO_NET_F_HOST_ECN) |
	       vhb_bit(VIRTIO_NET_F_MRG_RXBUF) | vhb_bit(VIRTIO_NET_F_STATUS) |
	       vhb_bit(VIRTIO_NET_F_MTU) |
	       vhb_bit(VIRTIO_RING_F_INDIRECT_DESC) |
	       vhb_bit(VIRTIO_RING_F_EVENT_IDX);
}

static void one_pair_offers(void **state)
{
	struct net_bench *bench = *state;
	struct virtio_net_config config;
	uint64_t queue_num;

	connect_only(bench);
	assert_int_equal(bench->guest.offered & net_features_wanted(),
			 net_features_wanted());
	assert_false(vhb_has_bit(bench->guest.offered, VIRTIO_NET_F_MQ));
	assert_true(vhb_has_bit(bench->guest.offered, VIRTIO_NET_F_CTRL_VQ));
	assert_false(vhb_has_bit(bench->guest.offered, VIRTIO_NET_F_MAC));
	assert_true(vhb_has_bit(bench->guest.offered, 26 /* LOG_ALL */));
	assert_int_equal(frontend_get_queue_num(&bench->guest.frontend,
						&queue_num), 0);
	assert_int_equal(queue_num, 3);

	get_config(bench, &config);
	assert_int_equal(config.max_virtqueue_pairs, 1);
	assert_int_equal(config.mtu, 1500);
	assert_int_equal(config.status, VIRTIO_NET_S_LINK_UP);
}

static void two_pairs_offer(void **state)
{
	const uint64_t wanted = net_features_wanted() |
				vhb_bit(VIRTIO_NET_F_MQ) |
				vhb_bit(VIRTIO_NET_F_CTRL_VQ);
	struct net_bench *bench = *state;
	struct virtio_net_config config;
	uint64_t queue_num;

	connect_only(bench);
	assert_int_equal(bench->guest.offered & wanted, wanted);
	assert_int_equal(frontend_get_queue_num(&bench->guest.frontend,
						&queue_num), 0);
	assert_int_equal(queue_num, 5);
	get_config(bench, &config);
	assert_int_equal(config.max_virtqueue_pairs, 2);
}

static void mac_and_mtu_are_told(void **state)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
	struct net_bench *bench = *state;
	struct virtio_net_config config;

	connect_only(bench);
	assert_true(vhb_has_bit(bench->guest.offered, VIRTIO_NET_F_MAC));
	get_config(bench, &config);
	assert_memory_equal(config.mac, mac, sizeof(mac));
	assert_int_equal(config.mtu, 1400);
	assert_int_equal(host_link_mtu(NET_BENCH_TAP), 1400);
	assert_true(host_link_is_up(NET_BENCH_TAP));
}

static void mtu_message_changes_what_the_guest_is_told(void **state)
{
	struct net_bench *bench = *state;
	struct frontend *frontend;
	struct virtio_net_config config;

	connect_only(bench);
	frontend = &bench->guest.frontend;
	assert_int_equal(frontend_set_mtu(frontend, 1280), 0);
	assert_int_equal(host_link_mtu(NET_BENCH_TAP), 1500);
	get_config(bench, &config);
	assert_int_equal(config.mtu, 1280);
	assert_int_equal(frontend_set_mtu(frontend, 67), -EREMOTEIO);
	assert_int_equal(frontend_set_mtu(frontend, 1501), -EREMOTEIO);
	assert_int_equal(host_link_mtu(NET_BENCH_TAP), 1500);
}

/* As a front-end does that takes a snapshot */
static void state_outlives_the_session(void **state)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 1, 2, 3 };
	struct net_bench *bench = *state;
	struct virtio_net_config config;
	size_t bytes = 64;
	uint8_t stream[64];

	open_guest(bench, &net_guest_config_default);
	assert_int_equal(frontend_set_config(&bench->guest.frontend, 0, 0, mac,
					     sizeof(mac)), 0);
	assert_int_equal(frontend_set_mtu(&bench->guest.frontend, 1280), 0);
	assert_int_equal(device_state_save(&bench->guest.frontend, stream,
					   &bytes), -EREMOTEIO);
	assert_int_equal(net_guest_stop_pair(&bench->guest, 0), 0);
	assert_int_equal(device_state_save(&bench->guest.frontend, stream,
					   &bytes), 0);
	net_guest_close(&bench->guest);

	connect_only(bench);
	get_config(bench, &config);
	assert_memory_not_equal(config.mac, mac, sizeof(mac));
	assert_int_equal(device_state_load(&bench->guest.frontend, stream,
					   bytes), 0);
	get_config(bench, &config);
	assert_memory_equal(config.mac, mac, sizeof(mac));
	assert_int_equal(config.mtu, 1280);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE_TWO_PAIRS(name) \
	cmocka_unit_test_setup_teardown(name, set_up_two_pairs, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(frames_with_twelve_byte_header),
		CASE(frames_with_ten_byte_header),
		CASE(frames_of_legacy_guest_with_mergeable_buffers),
		CASE(frames_of_guest_without_protocol_features),
		CASE(frames_with_event_idx),
		CASE(frames_across_mergeable_buffers),
		CASE(frames_with_indirect_descriptors),
		CASE(frames_with_all_ring_features),
		CASE(frames_from_several_memory_regions),
		CASE(frames_through_small_rings),
		CASE(frames_while_indexes_wrap),
		CASE(calls_by_eventfd),
		CASE(calls_by_socket_pair),
		CASE_TWO_PAIRS(both_pairs_carry_frames),
		CASE_TWO_PAIRS(second_pair_comes_and_goes),
		CASE_TWO_PAIRS(one_pair_of_two_is_enough),
		CASE(one_pair_offers),
		CASE(state_outlives_the_session),
		CASE_TWO_PAIRS(two_pairs_offer),
		cmocka_unit_test_setup_teardown(mac_and_mtu_are_told,
						set_up_properties, tear_down),
		CASE(mtu_message_changes_what_the_guest_is_told),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: traffic", tests, NULL, NULL);
}
