// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/socket.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"
#include "lib/odd_fds.h"
#include "lib/random.h"

/*
 * Front-ends that follow the protocol's form and break its sense, with guests
 * whose rings lie. Each attack has its own seed, which is shown if it does harm:
 * VHB_SEED=that VHB_ATTACKS=1 repeats it.
 */

#define ATTACKS 3000
#define SECONDS 40
#define WARM_UP_ATTACKS 30
#define MOVES_MAX 48
#define PAIRS 2
#define VRINGS (2 * PAIRS)
#define ALIVE_MS 10000
/* Descriptors at the start of a region that indirect ones may point to */
#define LIES_MAX 1024

/**
 * struct attack - one hostile session
 * @random: its numbers
 * @guest: its memory and rings; the connection is in its front-end
 * @host_fd: packet socket on the tap
 * @fds: descriptors of all kinds
 * @is_memory_gone: its files were truncated: the mapping must not be touched
 * @is_over: the broker has closed the connection
 */
struct attack {
	struct test_random random;
	struct net_guest guest;
	int host_fd;
	struct odd_fds fds;
	bool is_memory_gone;
	bool is_over;
};

static uint64_t below(struct attack *attack, uint64_t limit)
{
	return test_random_below(&attack->random, limit);
}

static bool one_in(struct attack *attack, unsigned int count)
{
	return test_random_one_in(&attack->random, count);
}

/* Numbers at which something may change */
static uint64_t edge(struct attack *attack)
{
	static const uint64_t edges[] = {
		0, 1, 2, 7, 64, 128, 255, 256, 257, 0x7fff, 0x8000, 0xffff,
		0x10000, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_C(1) << 32,
		UINT64_C(1) << 47, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX,
	};
	uint64_t number = edges[below(attack, VHB_ARRAY_COUNT(edges))];

	switch (below(attack, 4)) {
	case 0:
		return number + below(attack, 5) - 2;
	case 1:
		return test_random_next(&attack->random);
	default:
		return number;
	}
}

/* Around the guest's memory, on this side and that */
static uint64_t near_memory(struct attack *attack, bool by_uva)
{
	const struct vhb_wire_region *region =
		&attack->guest.memory[below(attack, NET_GUEST_REGIONS_MAX)].region;
	uint64_t start = by_uva ? region->uva : region->gpa;

	switch (below(attack, 8)) {
	case 0:
		return start + region->size_bytes - below(attack, 32);
	case 1:
		return start - below(attack, 32);
	case 2:
		return edge(attack);
	case 3:
		return start + (below(attack, region->size_bytes) & ~15ULL);
	default:
		/* Where the lies are */
		return start + 16 * below(attack, LIES_MAX);
	}
}

static int any_fd(struct attack *attack)
{
	if (one_in(attack, 24))
		return attack->guest.frontend.fd;
	return attack->fds.fds[below(attack, attack->fds.count)];
}

/* Take what has come, wait for nothing. */
static void listen_to_broker(struct attack *attack)
{
	struct pollfd pollfd = {
		.fd = attack->guest.frontend.fd, .events = POLLIN
	};
	struct frontend_reply reply;

	while (!attack->is_over && poll(&pollfd, 1, 0) > 0)
		attack->is_over = frontend_receive(&attack->guest.frontend,
						   &reply);
}

static void tell(struct attack *attack, uint32_t request, const void *payload,
		 size_t size_bytes, const int *fds, unsigned int fd_count)
{
	uint32_t flags = VHB_FLAG_VERSION;

	if (attack->is_over)
		return;
	if (one_in(attack, 2))
		flags |= vhb_bit(VHB_FLAG_NEED_REPLY_BIT);
	if (frontend_send(&attack->guest.frontend, request, flags, payload,
			  size_bytes, fds, fd_count))
		attack->is_over = true;
	/* Sometimes the kernel gets time to act on it. */
	if (one_in(attack, 4))
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	listen_to_broker(attack);
}

static void tell_u64(struct attack *attack, uint32_t request, uint64_t value)
{
	tell(attack, request, &value, sizeof(value), NULL, 0);
}

static void tell_state(struct attack *attack, uint32_t request, uint32_t index,
		       uint32_t num)
{
	const struct vhb_wire_vring_state state = { index, num };

	tell(attack, request, &state, sizeof(state), NULL, 0);
}

static uint32_t any_index(struct attack *attack)
{
	return one_in(attack, 16) ? edge(attack) : below(attack, VRINGS);
}

static struct guest_ring *ring_of(struct attack *attack, uint32_t index)
{
	return &attack->guest.queues[index % VRINGS].ring;
}

static void tell_fd(struct attack *attack, uint32_t request, uint32_t index)
{
	struct guest_ring *ring = ring_of(attack, index);
	uint64_t value = index & VHB_VRING_INDEX_MASK;
	int fd = request == VHB_SET_VRING_KICK ? ring->kick_fd : ring->call_fd;

	if (one_in(attack, 6))
		fd = any_fd(attack);
	if (one_in(attack, 16))
		value |= vhb_bit(VHB_VRING_NOFD_BIT);
	tell(attack, request, &value, sizeof(value), &fd,
	     vhb_has_bit(value, VHB_VRING_NOFD_BIT) ? 0 : 1);
}

static void tell_addr(struct attack *attack, uint32_t index)
{
	struct vhb_wire_vring_addr addr;

	guest_ring_addr(ring_of(attack, index), index, &addr);
	if (one_in(attack, 8))
		addr.desc_uva = near_memory(attack, true);
	if (one_in(attack, 8))
		addr.avail_uva = near_memory(attack, true);
	if (one_in(attack, 8))
		addr.used_uva = near_memory(attack, true);
	if (one_in(attack, 8))
		addr.log_gpa = edge(attack);
	if (one_in(attack, 16))
		addr.flags = edge(attack);
	tell(attack, VHB_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static void bend_region(struct attack *attack, struct vhb_wire_region *region)
{
	switch (below(attack, 4)) {
	case 0:
		region->gpa = near_memory(attack, false);
		break;
	case 1:
		region->uva = near_memory(attack, true);
		break;
	case 2:
		region->size_bytes = edge(attack);
		break;
	case 3:
		region->offset_bytes = edge(attack);
		break;
	}
}

static void tell_memory(struct attack *attack)
{
	struct vhb_wire_memory table = {
		.region_count = 1 + below(attack, NET_GUEST_REGIONS_MAX),
	};
	int fds[NET_GUEST_REGIONS_MAX];
	unsigned int i;

	for (i = 0; i < table.region_count; i++) {
		fds[i] = attack->guest.memory[i].fd;
		table.regions[i] = attack->guest.memory[i].region;
		if (one_in(attack, 12))
			bend_region(attack, &table.regions[i]);
		if (one_in(attack, 24))
			fds[i] = any_fd(attack);
	}
	tell(attack, VHB_SET_MEM_TABLE, &table,
	     offsetof(struct vhb_wire_memory, regions) +
	     table.region_count * sizeof(table.regions[0]),
	     fds, table.region_count);
}

static void tell_region(struct attack *attack, uint32_t request)
{
	const struct guest_memory *memory =
		&attack->guest.memory[below(attack, NET_GUEST_REGIONS_MAX)];
	struct vhb_wire_single_region single = { .region = memory->region };
	int fd = memory->fd;

	if (one_in(attack, 3))
		bend_region(attack, &single.region);
	if (one_in(attack, 12))
		fd = any_fd(attack);
	tell(attack, request, &single, sizeof(single), &fd,
	     request == VHB_ADD_MEM_REG || one_in(attack, 2));
}

static void tell_features(struct attack *attack)
{
	uint64_t mask = attack->guest.offered;

	if (one_in(attack, 2))
		mask &= test_random_next(&attack->random);
	if (one_in(attack, 8))
		mask |= vhb_bit(below(attack, 64));
	tell_u64(attack, VHB_SET_FEATURES, mask);
}

static void tell_config(struct attack *attack)
{
	struct vhb_wire_config config = {
		.offset_bytes = one_in(attack, 2) ? 0 : edge(attack),
		.size_bytes = one_in(attack, 4) ? edge(attack) : 12,
		.flags = below(attack, 3),
	};

	tell(attack, one_in(attack, 4) ? VHB_SET_CONFIG : VHB_GET_CONFIG,
	     &config, VHB_WIRE_CONFIG_HEADER_BYTES + 12, NULL, 0);
}

static void lie_in_descriptor(struct attack *attack, struct vring_desc *desc)
{
	desc->addr = near_memory(attack, false);
	desc->len = one_in(attack, 3) ? edge(attack) : below(attack, 4096);
	desc->flags = below(attack, 8);
	desc->next = one_in(attack, 4) ? edge(attack) : below(attack, 64);
}

/* Descriptors, tables of descriptors, what is available, what was used */
static void lie_in_ring(struct attack *attack, uint32_t index)
{
	struct guest_ring *ring = ring_of(attack, index);
	uint8_t *buffers = attack->guest.memory[1].base;
	unsigned int i;

	if (attack->is_memory_gone)
		return;
	for (i = 0; i < ring->num; i++) {
		if (one_in(attack, 3))
			lie_in_descriptor(attack, &ring->desc[i]);
		if (one_in(attack, 3))
			ring->avail->ring[i] = one_in(attack, 8) ?
					       edge(attack) :
					       below(attack, ring->num);
		lie_in_descriptor(attack, (struct vring_desc *)buffers +
				  below(attack, LIES_MAX));
	}
	if (one_in(attack, 4))
		ring->avail->flags = edge(attack);
	if (one_in(attack, 4))
		ring->used->idx = edge(attack);
	if (one_in(attack, 2))
		ring->avail->ring[ring->num] = edge(attack);
	ring->avail->idx = one_in(attack, 4) ? edge(attack) :
			   ring->avail->idx + below(attack, ring->num + 2);
}

static void ring_doorbell(struct attack *attack)
{
	guest_ring_kick_always(ring_of(attack, below(attack, VRINGS)));
}

/* Something to receive */
static void send_from_host(struct attack *attack)
{
	uint8_t frame[FRAME_BYTES_MAX];
	unsigned int i;
	int ret;

	for (i = 0; i < 8; i++) {
		ret = net_bench_frame(frame, 0, below(attack, 10000),
				      4000 + below(attack, 8));
		/* The tap's queue may be full. */
		host_link_send(attack->host_fd, frame, ret);
	}
}

static void truncate_memory(struct attack *attack)
{
	unsigned int i;

	attack->is_memory_gone = true;
	for (i = 0; i < NET_GUEST_REGIONS_MAX; i++)
		if (one_in(attack, 2))
			assert_int_equal(ftruncate(attack->guest.memory[i].fd,
						   below(attack, 2) << 12), 0);
}

static void set_up_almost_well(struct attack *attack)
{
	uint32_t i;

	tell_u64(attack, VHB_SET_PROTOCOL_FEATURES,
		 attack->guest.offered_protocol);
	tell(attack, VHB_SET_OWNER, NULL, 0, NULL, 0);
	tell_features(attack);
	tell_memory(attack);
	for (i = 0; i < VRINGS; i++) {
		lie_in_ring(attack, i);
		tell_state(attack, VHB_SET_VRING_NUM, i,
			   one_in(attack, 16) ? edge(attack) :
						ring_of(attack, i)->num);
		tell_state(attack, VHB_SET_VRING_BASE, i,
			   one_in(attack, 8) ? edge(attack) : 0);
		tell_addr(attack, i);
		tell_fd(attack, VHB_SET_VRING_CALL, i);
		tell_fd(attack, VHB_SET_VRING_KICK, i);
		if (!one_in(attack, 8))
			tell_state(attack, VHB_SET_VRING_ENABLE, i, 1);
	}
}

static void move_by_message(struct attack *attack)
{
	uint32_t index = any_index(attack);

	switch (below(attack, 18)) {
	case 0:
		return tell_state(attack, VHB_SET_VRING_NUM, index,
				  one_in(attack, 2) ? 64 : edge(attack));
	case 1:
		return tell_state(attack, VHB_SET_VRING_BASE, index,
				  edge(attack));
	case 2:
	case 3:
		return tell_addr(attack, index);
	case 4:
		return tell_fd(attack, VHB_SET_VRING_CALL, index);
	case 5:
	case 6:
		return tell_fd(attack, VHB_SET_VRING_KICK, index);
	case 7:
		return tell_fd(attack, VHB_SET_VRING_ERR, index);
	case 8:
	case 9:
		return tell_state(attack, VHB_SET_VRING_ENABLE, index,
				  below(attack, 2));
	case 10:
		return tell_state(attack, VHB_GET_VRING_BASE, index, 0);
	case 11:
		return tell_memory(attack);
	case 12:
		return tell_region(attack, VHB_ADD_MEM_REG);
	case 13:
		return tell_region(attack, VHB_REM_MEM_REG);
	case 14:
		return tell_features(attack);
	case 15:
		return tell_config(attack);
	case 16:
		return tell_u64(attack, VHB_SET_STATUS, below(attack, 256));
	default:
		if (one_in(attack, 4))
			return tell(attack, VHB_RESET_DEVICE, NULL, 0, NULL, 0);
		/* Any request at all, with some payload */
		return tell_u64(attack, below(attack, VHB_REQUEST_COUNT + 2),
				edge(attack));
	}
}

static void move(struct attack *attack)
{
	switch (below(attack, 6)) {
	case 0:
		return lie_in_ring(attack, below(attack, VRINGS));
	case 1:
		return ring_doorbell(attack);
	case 2:
		return send_from_host(attack);
	default:
		if (one_in(attack, 200))
			return truncate_memory(attack);
		return move_by_message(attack);
	}
}

/* A broker that is stuck somewhere does not answer. */
static bool answers_or_has_closed(struct attack *attack)
{
	struct frontend *frontend = &attack->guest.frontend;
	struct frontend_reply reply;
	int ret;

	frontend->timeout_ms = ALIVE_MS;
	if (attack->is_over || frontend_send(frontend, VHB_GET_QUEUE_NUM,
					     VHB_FLAG_VERSION, NULL, 0, NULL,
					     0))
		return true;
	do {
		ret = frontend_receive(frontend, &reply);
	} while (!ret && reply.header.request != VHB_GET_QUEUE_NUM);
	return ret != -ETIMEDOUT;
}

/* Returns whether the broker bore with it to the end. */
static bool one_attack(struct net_bench *bench, uint64_t seed)
{
	struct net_guest_config config = net_guest_config_default;
	static struct attack attack;
	unsigned int moves;
	bool is_fine;

	memset(&attack, 0, sizeof(attack));
	attack.random = test_random_of(seed);
	attack.host_fd = bench->host_fd;
	config.pairs = PAIRS;
	config.regions = NET_GUEST_REGIONS_MAX;
	config.ring_num = 64;
	assert_int_equal(odd_fds_open(&attack.fds), 0);
	assert_int_equal(net_guest_init(&attack.guest, &config), 0);
	assert_int_equal(frontend_connect(&attack.guest.frontend,
					  bench->broker.socket_path, ALIVE_MS),
			 0);
	attack.guest.offered = bench->guest.offered;
	attack.guest.offered_protocol = bench->guest.offered_protocol;

	set_up_almost_well(&attack);
	for (moves = below(&attack, MOVES_MAX); moves; moves--)
		move(&attack);
	is_fine = answers_or_has_closed(&attack) &&
		  broker_is_alive(&bench->broker);
	/* Or the broker would hold it open itself, if it was passed its own. */
	shutdown(attack.guest.frontend.fd, SHUT_RDWR);
	net_guest_close(&attack.guest);
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
	const unsigned int count = given ? strtoul(given, NULL, 0) : ATTACKS;
	const uint64_t seed = test_random_seed();
	const int64_t end_s = now_s() + SECONDS;
	struct broker_counts before, after;
	struct net_bench *bench = *state;
	unsigned int borne = 0;
	unsigned int i;

	/* Past any number that an attack puts into its frames */
	bench->host_sent = 100000;
	good_session_works(bench);
	for (i = 0; i < WARM_UP_ATTACKS && i < count; i++)
		one_attack(bench, seed + i);
	assert_int_equal(broker_count_idle(&bench->broker, 0, &before), 0);
	broker_show_counts("before", &before);
	for (; i < count && now_s() < end_s; i++)
		borne += one_attack(bench, seed + i);
	printf("# %u attacks, the broker hung up on all but %u\n", i, borne);
	assert_int_equal(broker_count_idle(&bench->broker, before.fds, &after),
			 0);
	broker_show_counts("after", &after);
	assert_true(broker_is_flat(&before, &after));
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
