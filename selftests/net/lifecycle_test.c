// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"

/* What changes while frames are under way must not cost a single one of them. */

#define ROUNDS 10
#define QUICK_FRAMES 64
/* Long enough for a worker that should not run to be seen running */
#define QUIET_MS 200

static int set_up(void **state)
{
	static struct net_bench bench;

	*state = &bench;
	return net_bench_start(&bench, NULL);
}

static int tear_down(void **state)
{
	struct net_bench *bench = *state;

	net_guest_close(&bench->guest);
	if (!broker_is_alive(&bench->broker))
		broker_show_log(&bench->broker);
	return net_bench_stop(bench);
}

static void open_guest(struct net_bench *bench, unsigned int regions)
{
	struct net_guest_config config = net_guest_config_default;

	config.regions = regions;
	assert_int_equal(net_guest_open(&bench->guest, &config,
					bench->broker.socket_path), 0);
}

static void pause_ms(unsigned int ms)
{
	struct timespec pause = { .tv_nsec = ms * 1000000L };

	nanosleep(&pause, NULL);
}

static uint16_t used_idx(struct net_guest *guest, unsigned int index)
{
	struct vring_used *used = guest->queues[index].ring.used;

	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
}

/* Frames both ways that the kernel is at work on when this returns */
static void queue_bursts(struct net_bench *bench)
{
	assert_int_equal(net_bench_guest_queue(bench, 0, NET_BENCH_BURST), 0);
	assert_int_equal(net_bench_host_queue(bench, 0, NET_BENCH_BURST), 0);
}

static void take_bursts(struct net_bench *bench)
{
	assert_int_equal(net_bench_host_take(bench, NET_BENCH_BURST), 0);
	assert_int_equal(net_bench_guest_take(bench, 0, NET_BENCH_BURST), 0);
	assert_int_equal(net_guest_flush(&bench->guest, 0), 0);
}

static void memory_is_added_and_removed(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	struct guest_memory *old = &guest->memory[0];
	struct guest_memory *new = &guest->memory[1];
	struct net_guest_queue *tx = &guest->queues[1];
	unsigned int i;

	open_guest(bench, 1);
	for (i = 0; i < ROUNDS; i++) {
		assert_int_equal(guest_memory_create(new, NET_GUEST_REGION_MIB,
						     UINT64_C(5) << 30, 0), 0);
		queue_bursts(bench);
		assert_int_equal(frontend_add_mem_reg(&guest->frontend,
						      &new->region, new->fd),
				 0);
		take_bursts(bench);

		/* Memory that was not there when the vring started */
		tx->buffers = new;
		assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
		tx->buffers = old;

		queue_bursts(bench);
		assert_int_equal(frontend_rem_mem_reg(&guest->frontend,
						      &new->region), 0);
		take_bursts(bench);
		guest_memory_destroy(new);
	}
	assert_int_equal(net_guest_stop_pair(guest, 0), 0);
}

static void enable_pair(struct net_guest *guest, bool enable)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(frontend_set_vring_enable(&guest->frontend, i,
							   enable), 0);
}

/* DPDK: memory grows and shrinks between ENABLE(0) and ENABLE(1), no ADDR */
static void memory_table_is_replaced_while_disabled(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	unsigned int i;

	open_guest(bench, 1);
	assert_int_equal(guest_memory_create(&guest->memory[1],
					     NET_GUEST_REGION_MIB,
					     UINT64_C(5) << 30, 0), 0);
	for (i = 0; i < ROUNDS; i++) {
		queue_bursts(bench);
		enable_pair(guest, false);
		guest->config.regions = i & 1 ? 1 : 2;
		assert_int_equal(net_guest_share_memory(guest), 0);
		enable_pair(guest, true);
		take_bursts(bench);
		guest->queues[1].buffers = &guest->memory[i & 1 ? 0 : 1];
		assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
		guest->queues[1].buffers = &guest->memory[0];
	}
	assert_int_equal(net_guest_stop_pair(guest, 0), 0);
}

static void memory_table_is_replaced_while_running(void **state)
{
	struct net_bench *bench = *state;
	unsigned int i;

	open_guest(bench, 3);
	for (i = 0; i < ROUNDS; i++) {
		queue_bursts(bench);
		assert_int_equal(net_guest_share_memory(&bench->guest), 0);
		take_bursts(bench);
	}
}

/* The same guest memory at other user addresses: every ring moves. */
static void memory_table_moves_the_rings(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	struct vhb_wire_vring_addr addr;
	unsigned int i;

	open_guest(bench, 1);
	assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
	enable_pair(guest, false);
	guest->memory[0].region.uva += UINT64_C(1) << 32;
	for (i = 0; i < 2; i++) {
		/* Not in memory yet: refused, and forgotten. */
		guest_ring_addr(&guest->queues[i].ring, i, &addr);
		assert_int_equal(frontend_set_vring_addr(&guest->frontend,
							 &addr), -EREMOTEIO);
	}
	assert_int_equal(net_guest_share_memory(guest), 0);
	for (i = 0; i < 2; i++) {
		guest_ring_addr(&guest->queues[i].ring, i, &addr);
		assert_int_equal(frontend_set_vring_addr(&guest->frontend,
							 &addr), 0);
	}
	enable_pair(guest, true);
	assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
}

static void pause_is_complete_and_loses_nothing(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	uint16_t rx_before, tx_before;
	unsigned int i;

	open_guest(bench, 1);
	for (i = 0; i < ROUNDS / 2; i++) {
		queue_bursts(bench);
		enable_pair(guest, false);
		rx_before = used_idx(guest, 0);
		tx_before = used_idx(guest, 1);
		/* More work for both, and doorbells to wake them */
		assert_int_equal(net_bench_host_queue(bench, 0,
						      NET_BENCH_BURST), 0);
		assert_int_equal(net_bench_guest_queue(bench, 0,
						       NET_BENCH_BURST), 0);
		guest_ring_kick_always(&guest->queues[0].ring);
		guest_ring_kick_always(&guest->queues[1].ring);
		pause_ms(QUIET_MS);
		assert_int_equal(used_idx(guest, 0), rx_before);
		assert_int_equal(used_idx(guest, 1), tx_before);
		enable_pair(guest, true);
		take_bursts(bench);
		take_bursts(bench);
	}
}

static void base_is_what_was_processed(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	unsigned int i;

	open_guest(bench, 1);
	for (i = 0; i < ROUNDS; i++) {
		/* Stopped wherever it is; goes on from where it said. */
		queue_bursts(bench);
		assert_int_equal(net_guest_stop_pair(guest, 0), 0);
		assert_int_equal(net_guest_start_pair(guest, 0), 0);
		take_bursts(bench);
	}
}

/* What a driver does to its rings when it is bound anew */
static void renew_rings(struct net_guest *guest)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct guest_ring *ring = &guest->queues[i].ring;
		uint64_t offset = ring->gpa - guest->memory[0].region.gpa;
		unsigned int num = ring->num;

		guest_ring_destroy(ring);
		assert_int_equal(guest_ring_init(ring, &guest->memory[0],
						 offset, num), 0);
		guest->queues[i].is_started = false;
	}
}

/* User-Mode Linux: ENABLE(0) at most, then everything again from index 0 */
static void rings_are_set_up_again_without_get_base(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	unsigned int i;

	open_guest(bench, 1);
	for (i = 0; i < ROUNDS; i++) {
		assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
		enable_pair(guest, false);
		renew_rings(guest);
		assert_int_equal(frontend_set_features(&guest->frontend,
						       guest->config.features),
				 0);
		assert_int_equal(net_guest_share_memory(guest), 0);
		assert_int_equal(net_guest_start_pair(guest, 0), 0);
	}
	assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
}

static void device_is_reset_and_set_up_again(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	unsigned int i;

	open_guest(bench, 1);
	for (i = 0; i < ROUNDS; i++) {
		assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
		assert_int_equal(frontend_reset_device(&guest->frontend), 0);
		renew_rings(guest);
		assert_int_equal(frontend_set_features(&guest->frontend,
						       guest->config.features),
				 0);
		assert_int_equal(net_guest_start_pair(guest, 0), 0);
	}
}

/* QEMU: masks and unmasks an interrupt, at any time. */
static void call_descriptors_are_replaced_while_running(void **state)
{
	struct net_bench *bench = *state;
	struct guest_ring *rx;
	unsigned int i;

	open_guest(bench, 1);
	rx = &bench->guest.queues[0].ring;
	for (i = 0; i < ROUNDS; i++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		assert_true(fd >= 0);
		queue_bursts(bench);
		assert_int_equal(frontend_set_vring_call(&bench->guest.frontend,
							 0, fd), 0);
		take_bursts(bench);
		close(rx->call_fd);
		rx->call_fd = fd;
		/* One for free, as a call may have gone to the old one. */
		assert_int_equal(guest_ring_wait_call(rx, NET_GUEST_TIMEOUT_MS),
				 0);
		assert_int_equal(net_bench_host_queue(bench, 0, 1), 0);
		assert_int_equal(guest_ring_wait_call(rx, NET_GUEST_TIMEOUT_MS),
				 0);
		assert_int_equal(net_bench_guest_take(bench, 0, 1), 0);
	}
}

static void kick_descriptors_are_replaced_while_running(void **state)
{
	struct net_bench *bench = *state;
	unsigned int i;

	open_guest(bench, 1);
	for (i = 0; i < ROUNDS; i++) {
		struct guest_ring *tx = &bench->guest.queues[1].ring;
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		assert_true(fd >= 0);
		queue_bursts(bench);
		assert_int_equal(frontend_set_vring_kick(&bench->guest.frontend,
							 1, fd), 0);
		close(tx->kick_fd);
		tx->kick_fd = fd;
		take_bursts(bench);
		assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
	}
}

static void next_session_works(struct net_bench *bench)
{
	assert_true(broker_is_alive(&bench->broker));
	net_bench_forget(bench);
	assert_int_equal(net_bench_session(bench, &net_guest_config_default,
					   QUICK_FRAMES), 0);
}

static void front_end_leaves_in_full_flight(void **state)
{
	struct net_bench *bench = *state;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		open_guest(bench, 1 + i % 3);
		queue_bursts(bench);
		net_guest_close(&bench->guest);
	}
	next_session_works(bench);
}

static void truncate_region(struct net_bench *bench, unsigned int region)
{
	struct net_guest *guest = &bench->guest;
	struct guest_ring *tx;
	unsigned int base, i;

	open_guest(bench, 2);
	tx = &guest->queues[1].ring;
	assert_int_equal(net_bench_exchange(bench, 0, QUICK_FRAMES), 0);
	queue_bursts(bench);
	assert_int_equal(ftruncate(guest->memory[region].fd, 0), 0);
	/* Nobody may touch the mapping from here on, we neither. */
	guest_ring_kick_always(tx);
	assert_int_equal(net_bench_host_queue(bench, 0, NET_BENCH_BURST), 0);
	pause_ms(QUIET_MS);

	assert_true(broker_is_alive(&bench->broker));
	for (i = 0; i < 2; i++) {
		enable_pair(guest, i);
		pause_ms(QUIET_MS / 4);
	}
	assert_int_equal(frontend_get_vring_base(&guest->frontend, 0, &base),
			 0);
	assert_int_equal(frontend_get_vring_base(&guest->frontend, 1, &base),
			 0);
	net_guest_close(guest);
	next_session_works(bench);
}

static void buffers_are_truncated_under_traffic(void **state)
{
	truncate_region(*state, 1);
}

/* Starting such a vring again fails; how the session ends does not matter. */
static void rings_are_truncated_under_traffic(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	unsigned int i;

	open_guest(bench, 2);
	queue_bursts(bench);
	assert_int_equal(ftruncate(guest->memory[0].fd, 0), 0);
	guest_ring_kick_always(&guest->queues[1].ring);
	assert_int_equal(net_bench_host_queue(bench, 0, NET_BENCH_BURST), 0);
	pause_ms(QUIET_MS);
	for (i = 0; i < 4; i++)
		frontend_set_vring_enable(&guest->frontend, i & 1, i / 2);
	net_guest_close(guest);
	next_session_works(bench);
}

static void broker_is_ended_in_full_flight(void **state)
{
	struct net_bench *bench = *state;
	struct net_guest *guest = &bench->guest;
	uint16_t used[2];

	open_guest(bench, 1);
	queue_bursts(bench);
	assert_int_equal(broker_stop(&bench->broker), 0);
	used[0] = used_idx(guest, 0);
	used[1] = used_idx(guest, 1);
	pause_ms(QUIET_MS);
	assert_int_equal(used_idx(guest, 0), used[0]);
	assert_int_equal(used_idx(guest, 1), used[1]);
	assert_int_equal(frontend_expect_closed(&guest->frontend), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(memory_is_added_and_removed),
		CASE(memory_table_is_replaced_while_disabled),
		CASE(memory_table_is_replaced_while_running),
		CASE(memory_table_moves_the_rings),
		CASE(pause_is_complete_and_loses_nothing),
		CASE(base_is_what_was_processed),
		CASE(rings_are_set_up_again_without_get_base),
		CASE(device_is_reset_and_set_up_again),
		CASE(call_descriptors_are_replaced_while_running),
		CASE(kick_descriptors_are_replaced_while_running),
		CASE(front_end_leaves_in_full_flight),
		CASE(buffers_are_truncated_under_traffic),
		CASE(rings_are_truncated_under_traffic),
		CASE(broker_is_ended_in_full_flight),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: lifecycle", tests, NULL, NULL);
}
