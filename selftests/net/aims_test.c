// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "lib/bits.h"
#include "lib/broker_memory.h"
#include "lib/guest_memory.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"
#include "lib/random.h"

/*
 * Rings aimed outside guest memory, at a real broker on the real vhost-net: just
 * outside, across regions, around the end of all addresses, at the broker's own
 * memory. Each must be refused, in each order in which the ring could start, and
 * nothing of the broker's memory may change but what it changes itself.
 */

#define ok(call) assert_int_equal(call, 0)

#define AIMS 10000
#define WARM_UP_AIMS 1500
#define LOOK_EACH 150
/* Addresses tried with one set-up */
#define AIMS_AT_ONCE 32
#define TIMEOUT_MS 10000
#define REGION_MIB 2
#define REGION_BYTES ((uint64_t)REGION_MIB << 20)
#define REGIONS 3
/* The second follows the first; before the third there is a hole. */
#define GUEST_UVA UINT64_C(0x7e5500000000)
#define NUM_MAX 32768
/* Sizes to try: powers of two up to 2^15 */
#define NUM_BITS 16

#define FEATURES (vhb_bit(32) | vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT))

/**
 * struct aimer - a front-end that aims
 * @bench: the broker
 * @frontend: the connection
 * @memory: its regions
 * @kick_fds: for each of two vrings
 * @call_fds: likewise
 * @broker_memory: the broker's
 * @random: decides
 * @by_order: how often each order was tried
 * @closed_count: how often the broker hung up
 */
struct aimer {
	struct net_bench bench;
	struct frontend frontend;
	struct guest_memory memory[REGIONS];
	int kick_fds[2];
	int call_fds[2];
	struct broker_memory broker_memory;
	struct test_random random;
	unsigned int by_order[3];
	unsigned int closed_count;
};

static uint64_t below(struct aimer *aimer, uint64_t limit)
{
	return test_random_below(&aimer->random, limit);
}

static bool is_in_one_region(const struct aimer *aimer, uint64_t uva,
			     uint64_t size_bytes)
{
	for (unsigned int i = 0; i < REGIONS; i++) {
		const struct vhb_wire_region *region =
			&aimer->memory[i].region;

		if (!vhb_range_wraps(uva, size_bytes) &&
		    vhb_range_contains(region->uva, region->size_bytes, uva,
				       size_bytes))
			return true;
	}
	return false;
}

/* Somewhere for a part of so many bytes, mostly where no part may be */
static uint64_t aim(struct aimer *aimer, uint64_t size_bytes)
{
	const struct vhb_wire_region *region =
		&aimer->memory[below(aimer, REGIONS)].region;
	const uint64_t end = region->uva + region->size_bytes;
	const uint64_t beyond = 16 * (1 + below(aimer, 256));

	switch (below(aimer, 8)) {
	case 0:
		return end - size_bytes + beyond;
	case 1:
		return region->uva - beyond;
	case 2:
		return end - size_bytes / 2;
	case 3:
		return -(uint64_t)(size_bytes / 2 & ~UINT64_C(15));
	case 4:
		return test_random_next(&aimer->random) & ~UINT64_C(15);
	case 5:
		/* A guest address, mistaken for a user address */
		return region->gpa + 16 * below(aimer, 1024);
	default:
		return broker_memory_address(&aimer->broker_memory,
					     test_random_next(&aimer->random)) &
		       ~UINT64_C(15);
	}
}

static struct vhb_wire_vring_addr good_addr(unsigned int index)
{
	const uint64_t uva = GUEST_UVA + index * (REGION_BYTES / 2);

	return (struct vhb_wire_vring_addr){
		.index = index,
		.desc_uva = uva,
		.avail_uva = uva + 0x80000,
		.used_uva = uva + 0xa0000,
	};
}

/* One part of a ring, or more, where it must not be */
static struct vhb_wire_vring_addr bad_addr(struct aimer *aimer,
					   unsigned int index, uint32_t num)
{
	struct vhb_wire_vring_addr addr = good_addr(index);
	uint64_t *const parts[] = {
		&addr.desc_uva, &addr.avail_uva, &addr.used_uva,
	};
	const uint64_t sizes[] = { 16 * num, 6 + 2 * num, 6 + 8 * num };
	const unsigned int mask = 1 + below(aimer, 7);
	bool is_bad = false;

	while (!is_bad) {
		for (unsigned int i = 0; i < 3; i++) {
			if (!vhb_has_bit(mask, i))
				continue;
			*parts[i] = aim(aimer, sizes[i]);
			is_bad |= !is_in_one_region(aimer, *parts[i], sizes[i]);
		}
	}
	return addr;
}

static void declare_memory(struct aimer *aimer)
{
	struct vhb_wire_region regions[REGIONS];
	int fds[REGIONS];

	for (unsigned int i = 0; i < REGIONS; i++) {
		regions[i] = aimer->memory[i].region;
		fds[i] = aimer->memory[i].fd;
	}
	ok(frontend_set_mem_table(&aimer->frontend, regions, fds, REGIONS));
}

static void set_up_but_addr(struct aimer *aimer, unsigned int index,
			    uint32_t num)
{
	struct frontend *frontend = &aimer->frontend;

	ok(frontend_set_vring_num(frontend, index, num));
	ok(frontend_set_vring_base(frontend, index, 0));
	ok(frontend_set_vring_call(frontend, index, aimer->call_fds[index]));
	ok(frontend_set_vring_kick(frontend, index, aimer->kick_fds[index]));
	ok(frontend_set_vring_enable(frontend, index, true));
}

/* Vring 0 runs, vring 1 lacks nothing but its addresses. */
static void connect_aimer(struct aimer *aimer)
{
	struct frontend *frontend = &aimer->frontend;
	const struct vhb_wire_vring_addr addr = good_addr(0);
	uint64_t offered;

	ok(frontend_connect(frontend, aimer->bench.broker.socket_path,
			    TIMEOUT_MS));
	ok(frontend_get_features(frontend, &offered));
	ok(frontend_get_protocol_features(frontend, &offered));
	ok(frontend_set_protocol_features(frontend, offered));
	frontend->need_reply = true;
	ok(frontend_set_owner(frontend));
	ok(frontend_set_features(frontend, FEATURES));
	declare_memory(aimer);
	set_up_but_addr(aimer, 0, 256);
	ok(frontend_set_vring_addr(frontend, &addr));
}

/* What came back for the message with which the ring could have started */
static void must_be_refused(struct aimer *aimer, int ret,
			    const struct vhb_wire_vring_addr *addr)
{
	if (ret == -ECONNRESET || ret == -EPIPE) {
		aimer->closed_count++;
		frontend_close(&aimer->frontend);
		connect_aimer(aimer);
		return;
	}
	if (ret == -EREMOTEIO)
		return;
	fail_msg("desc=%#llx avail=%#llx used=%#llx: %d instead of a refusal",
		 (unsigned long long)addr->desc_uva,
		 (unsigned long long)addr->avail_uva,
		 (unsigned long long)addr->used_uva, ret);
}

/* All the rest is there. */
static void aim_by_address(struct aimer *aimer)
{
	const uint32_t num = 1u << below(aimer, NUM_BITS);
	struct vhb_wire_vring_addr addr;

	set_up_but_addr(aimer, 1, num);
	eventfd_write(aimer->kick_fds[1], 1);
	for (unsigned int i = 0; i < AIMS_AT_ONCE; i++) {
		addr = bad_addr(aimer, 1, num);
		aimer->by_order[0]++;
		must_be_refused(aimer,
				frontend_set_vring_addr(&aimer->frontend,
							&addr), &addr);
	}
}

/* The addresses come first, when nobody can tell yet. */
static void aim_by_start(struct aimer *aimer)
{
	struct frontend *frontend = &aimer->frontend;
	const uint32_t num = 1u << below(aimer, NUM_BITS);
	const struct vhb_wire_vring_addr addr = bad_addr(aimer, 1, num);

	ok(frontend_reset_device(frontend));
	ok(frontend_set_features(frontend, FEATURES));
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_num(frontend, 1, num));
	ok(frontend_set_vring_enable(frontend, 1, true));
	eventfd_write(aimer->kick_fds[1], 1);
	aimer->by_order[1]++;
	must_be_refused(aimer, frontend_set_vring_kick(frontend, 1,
						       aimer->kick_fds[1]),
			&addr);
	ok(frontend_reset_device(frontend));
	ok(frontend_set_features(frontend, FEATURES));
}

/* A ring that runs, and memory from which it is taken away */
static void aim_by_memory(struct aimer *aimer)
{
	const struct vhb_wire_vring_addr addr = good_addr(0);
	struct vhb_wire_region region = aimer->memory[0].region;
	struct frontend *frontend = &aimer->frontend;

	set_up_but_addr(aimer, 0, NUM_MAX);
	ok(frontend_set_vring_addr(frontend, &addr));
	switch (below(aimer, 3)) {
	case 0:
		/* Short of the descriptors' end, or of the used ring's */
		region.size_bytes = 16 * (NUM_MAX - 1 - below(aimer, 255));
		break;
	case 1:
		region.size_bytes = 0xa0000 + 6 + 8 * NUM_MAX - 1 -
				    below(aimer, 4096);
		break;
	default:
		region.uva += 4096 * (1 + below(aimer, 64));
		region.size_bytes -= 64 * 4096;
		break;
	}
	aimer->by_order[2]++;
	must_be_refused(aimer,
			frontend_set_mem_table(frontend, &region,
					       &aimer->memory[0].fd, 1),
			&addr);
}

static unsigned int count_aims(const struct aimer *aimer)
{
	return aimer->by_order[0] + aimer->by_order[1] + aimer->by_order[2];
}

static void aim_somehow(struct aimer *aimer)
{
	switch (below(aimer, 4)) {
	case 0:
		return aim_by_start(aimer);
	case 1:
		return aim_by_memory(aimer);
	default:
		return aim_by_address(aimer);
	}
}

/* What it changes itself, it changes while all of that is done for a while. */
static void warm_up(struct aimer *aimer)
{
	unsigned int looked = 0;

	while (count_aims(aimer) < WARM_UP_AIMS) {
		aim_somehow(aimer);
		if (count_aims(aimer) < looked)
			continue;
		looked += LOOK_EACH;
		broker_memory_settle(&aimer->broker_memory);
	}
	broker_memory_settle(&aimer->broker_memory);
	printf("# %zu of the broker's %zu pages are still\n",
	       broker_memory_still(&aimer->broker_memory),
	       aimer->broker_memory.count);
	assert_true(broker_memory_still(&aimer->broker_memory) * 2 >
		    aimer->broker_memory.count);
	memset(aimer->by_order, 0, sizeof(aimer->by_order));
}

static void no_ring_gets_outside_guest_memory(void **state)
{
	const char *given = getenv("VHB_AIMS");
	const unsigned int aims = given ? strtoul(given, NULL, 0) : AIMS;
	struct net_guest_config config = net_guest_config_default;
	struct aimer *aimer = *state;
	struct broker_counts before, after;

	aimer->random = test_random_of(test_random_seed());
	ok(broker_count_idle(&aimer->bench.broker, &before));
	ok(broker_memory_open(&aimer->broker_memory, aimer->bench.broker.pid));
	connect_aimer(aimer);
	warm_up(aimer);
	while (count_aims(aimer) < aims)
		aim_somehow(aimer);
	printf("# refused: %u at once, %u at the start, %u by memory; hung up %u times\n",
	       aimer->by_order[0], aimer->by_order[1], aimer->by_order[2],
	       aimer->closed_count);
	assert_int_equal(broker_memory_changed(&aimer->broker_memory), 0);
	frontend_close(&aimer->frontend);
	ok(broker_count_idle(&aimer->bench.broker, &after));
	broker_show_counts("before", &before);
	broker_show_counts("after", &after);
	assert_int_equal(after.fds, before.fds);
	assert_int_equal(after.maps, before.maps);
	/* And there is nothing wrong with it. */
	ok(net_bench_session(&aimer->bench, &config, 64));
}

static int set_up(void **state)
{
	static const char *const arguments[] = { NULL };
	static struct aimer aimer;
	int ret;

	*state = &aimer;
	aimer.frontend.fd = -1;
	for (unsigned int i = 0; i < REGIONS; i++) {
		/* With a hole before the last one */
		const uint64_t at = (i + (i == 2)) * REGION_BYTES;

		ret = guest_memory_create(&aimer.memory[i], REGION_MIB, at,
					  GUEST_UVA + at);
		if (ret)
			return ret;
	}
	for (unsigned int i = 0; i < 2; i++) {
		aimer.kick_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		aimer.call_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	return net_bench_start(&aimer.bench, arguments);
}

static int tear_down(void **state)
{
	struct aimer *aimer = *state;

	frontend_close(&aimer->frontend);
	net_guest_close(&aimer->bench.guest);
	broker_memory_close(&aimer->broker_memory);
	for (unsigned int i = 0; i < REGIONS; i++)
		guest_memory_destroy(&aimer->memory[i]);
	for (unsigned int i = 0; i < 2; i++) {
		close(aimer->kick_fds[i]);
		close(aimer->call_fds[i]);
	}
	if (!broker_is_alive(&aimer->bench.broker))
		broker_show_log(&aimer->bench.broker);
	return net_bench_stop(&aimer->bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_ring_gets_outside_guest_memory,
						set_up, tear_down),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: rings aimed outside", tests,
					   NULL, NULL);
}
