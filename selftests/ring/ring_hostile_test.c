// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/random.h"
#include "ring/ring_fixture.h"

static bool is_packed(const struct ring_fixture *f)
{
	return f->config.layout == VHB_RING_PACKED;
}

static void set_avail_index(struct ring_fixture *f, u16 index)
{
	test_memory_put16(&f->driver.memory, f->driver.avail + 2, index);
}

static void split_index_that_jumps_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;

	set_avail_index(f, f->config.num + 1);
	assert_true(vhb_ring_pop(&f->ring, &f->chain) < 0);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_AVAIL);
}

static void split_index_that_goes_back_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;

	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	ring_fixture_give(f, ring_fixture_pop(f));
	set_avail_index(f, 0);
	assert_true(vhb_ring_pop(&f->ring, &f->chain) < 0);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_AVAIL);
}

static void split_index_is_judged_when_kicks_are_enabled(void **state)
{
	struct ring_fixture *f = *state;

	set_avail_index(f, f->config.num + 1);
	assert_true(vhb_ring_enable_kicks(&f->ring) < 0);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_AVAIL);
}

static void split_index_may_move_by_the_whole_ring(void **state)
{
	struct ring_fixture *f = *state;
	u32 i;

	set_avail_index(f, f->config.num);
	for (i = 0; i < f->config.num; i++)
		ring_fixture_pop(f);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
}

static void more_chains_in_flight_than_fit_are_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc desc = { 0x1000, 1, 0, 0 };
	unsigned long access_count;
	u32 i;

	for (i = 0; i < f->config.num; i++) {
		ring_driver_offer(&f->driver, &desc, 1);
		ring_fixture_pop(f);
	}
	ring_driver_offer(&f->driver, &desc, 1);
	access_count = f->driver.memory.access_count;
	assert_true(vhb_ring_pop(&f->ring, &f->chain) < 0);
	/* Seen from the index or the flags */
	assert_int_equal(f->driver.memory.access_count, access_count + 1);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_AVAIL);
}

/* The driver cannot know that it is free. */
static void what_is_not_published_is_not_free(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc desc = { 0x1000, 1, 0, 0 };
	struct vhb_used used;
	u32 i;

	for (i = 0; i < f->config.num; i++) {
		ring_driver_offer(&f->driver, &desc, 1);
		used = ring_fixture_pop(f);
		assert_int_equal(vhb_ring_push(&f->ring, &used), 0);
	}
	ring_driver_offer(&f->driver, &desc, 1);
	assert_true(vhb_ring_pop(&f->ring, &f->chain) < 0);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_AVAIL);
}

static void packed_chain_over_one_in_flight_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	struct driver_desc descs[8];
	u32 i;

	ring_driver_offer(&f->driver, &(struct driver_desc){ 0x1000, 1, 0, 0 },
			  1);
	ring_fixture_pop(f);
	for (i = 0; i < f->config.num; i++)
		descs[i] = (struct driver_desc){ 0x1000, 1, DRIVER_NEXT, 0 };
	descs[f->config.num - 1].flags = 0;
	ring_driver_offer(&f->driver, descs, f->config.num);
	assert_true(vhb_ring_pop(&f->ring, &f->chain) < 0);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_AVAIL);
}

/* Bad for the driver, but no harm to us */
static void a_chain_may_be_made_available_twice(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc desc = { 0x1000, 1, 0, 5 };
	struct vhb_used first, second;

	ring_driver_offer(&f->driver, &desc, 1);
	ring_driver_offer(&f->driver, &desc, 1);
	first = ring_fixture_pop(f);
	second = ring_fixture_pop(f);
	assert_int_equal(first.id, second.id);
	assert_int_equal(vhb_ring_push(&f->ring, &first), 0);
	assert_int_equal(vhb_ring_push(&f->ring, &second), 0);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	assert_int_equal(f->ring.in_flight_count, 0);
	assert_int_equal(f->ring.held_slots, 0);
}

/* Changes every bit of what was read, at once. */
static void scribbles(void *context, const struct test_access *access)
{
	struct ring_fixture *f = context;
	u64 offset = access->addr -
		     (access->is_area ? TEST_AREA_BASE : TEST_GUEST_BASE);
	size_t i;

	if (access->is_write)
		return;
	for (i = 0; i < access->size_bytes; i++)
		f->driver.memory.bytes[offset + i] ^= 0xff;
}

static void pop_scribbled(struct ring_fixture *f, u32 readable, u32 writable,
			  enum driver_form form)
{
	const int id = ring_fixture_add(f, readable, writable, form);
	u32 i;

	assert_true(id >= 0);
	f->driver.memory.context = f;
	f->driver.memory.on_access = scribbles;
	ring_fixture_pop(f);
	f->driver.memory.on_access = NULL;
	assert_int_equal(f->chain.id, id);
	assert_int_equal(f->chain.readable_count, readable);
	assert_int_equal(f->chain.writable_count, writable);
	for (i = 0; i < readable + writable; i++) {
		assert_int_equal(f->chain.segments[i].gpa,
				 ring_fixture_buffer(i, false).gpa);
		assert_int_equal(f->chain.segments[i].length_bytes,
				 ring_fixture_buffer(i, false).length_bytes);
	}
}

static void a_direct_chain_is_judged_as_it_was_read(void **state)
{
	pop_scribbled(*state, 3, 4, DRIVER_DIRECT);
}

static void an_indirect_chain_is_judged_as_it_was_read(void **state)
{
	pop_scribbled(*state, 30, 40, DRIVER_TABLE);
}

static void a_mixed_chain_is_judged_as_it_was_read(void **state)
{
	pop_scribbled(*state, 30, 40, DRIVER_MIXED);
}

/* One garbled read of a wish or an index at most */
static void wishes_are_read_once(void **state)
{
	struct ring_fixture *f = *state;
	struct test_memory *memory = &f->driver.memory;
	u32 i;

	for (i = 0; i < 2 * f->config.num; i++) {
		ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
		test_memory_forget_reads(memory);
		assert_int_equal(vhb_ring_enable_kicks(&f->ring), 1);
		assert_int_equal(memory->most_reads, 1);
		ring_fixture_give(f, ring_fixture_pop(f));
		test_memory_forget_reads(memory);
		assert_true(vhb_ring_must_call(&f->ring) >= 0);
		assert_true(memory->most_reads <= 1);
		test_memory_forget_reads(memory);
		assert_int_equal(vhb_ring_enable_kicks(&f->ring), 0);
		assert_int_equal(memory->most_reads, 1);
		ring_fixture_expect_used(f, f->chain.id, 0);
	}
}

/* What the device wrote is the device's to know. */
static void nothing_the_device_wrote_is_read_back(void **state)
{
	struct ring_fixture *f = *state;
	struct test_memory *memory = &f->driver.memory;
	u32 i;

	for (i = 0; i < 3 * f->config.num; i++) {
		ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
		ring_fixture_give(f, ring_fixture_pop(f));
		assert_true(vhb_ring_must_call(&f->ring) >= 0);
		ring_fixture_expect_used(f, f->chain.id, 0);
		if (is_packed(f))
			memset(memory->bytes + f->driver.used, 0xff, 4);
		else
			memset(memory->bytes + f->driver.used, 0xff,
			       6 + 8 * f->config.num);
		assert_int_equal(vhb_ring_disable_kicks(&f->ring), 0);
		assert_int_equal(vhb_ring_enable_kicks(&f->ring), 0);
		if (!is_packed(f))
			test_memory_put16(memory, f->driver.used + 2,
					  f->driver.next_used);
	}
}

/* A driver that fills the ring with what comes to mind */
static void fill_with_noise(struct ring_fixture *f, struct test_random *random)
{
	struct test_memory *memory = &f->driver.memory;
	const u32 num = f->config.num;
	u32 i;

	for (i = 0; i < num; i++) {
		const struct driver_desc desc = {
			.addr = TEST_GUEST_BASE + f->driver.tables +
				16 * test_random_below(random, 100),
			.len = 16 * test_random_below(random, 60),
			/* Mostly what makes sense */
			.flags = test_random_below(random, 8) |
				 (test_random_one_in(random, 2) ? 0x8000 :
								  0x0080),
			.next_or_id = test_random_below(random, num + 1),
		};

		ring_driver_put_desc(&f->driver, f->driver.desc + i * 16,
				     &desc);
	}
	for (i = 0; i < 200; i++) {
		const struct driver_desc desc = {
			.addr = test_random_next(random),
			.len = test_random_below(random, 10) * 1000,
			.flags = test_random_below(random, 4),
			.next_or_id = i + 1 - !test_random_below(random, 20),
		};

		ring_driver_put_desc(&f->driver, f->driver.tables + i * 16,
				     &desc);
	}
	if (is_packed(f))
		return;
	for (i = 0; i < num; i++)
		test_memory_put16(memory, f->driver.avail + 4 + i * 2,
				  test_random_below(random, num + 1));
	set_avail_index(f, f->ring.next_avail +
				   test_random_below(random, num + 2));
}

/* However it ends, it ends soon, and nothing but the ring is touched. */
static void noise_does_no_harm(void **state)
{
	struct ring_fixture *f = *state;
	struct test_random random = test_random_of(test_random_seed());
	const u32 base = vhb_ring_base(&f->ring);
	u32 taken = 0, broken = 0;
	u32 i, n;

	for (i = 0; i < 20000; i++) {
		const unsigned long access_count =
			f->driver.memory.access_count;
		struct vhb_used used;
		int ret = 1;

		test_memory_put16(&f->driver.memory, f->driver.used + 2, 0);
		assert_int_equal(vhb_ring_start(&f->ring,
						&f->driver.memory.handle,
						base),
				 0);
		fill_with_noise(f, &random);
		for (n = 0; ret == 1; n++) {
			used.sequence = f->ring.sequence;
			ret = vhb_ring_pop(&f->ring, &f->chain);
			if (ret != 1)
				break;
			used.id = f->chain.id;
			used.slot_count = f->chain.slot_count;
			used.written_bytes = 0;
			taken++;
			/* Some of them stay in flight. */
			if (n % 2)
				assert_int_equal(vhb_ring_push(&f->ring,
							       &used),
						 0);
		}
		assert_true(n <= f->config.num);
		assert_true(f->driver.memory.access_count - access_count <
			    2 + f->config.num * (4 + f->config.num + 64));
		if (ret < 0) {
			broken++;
			ring_fixture_expect_broken(f, f->ring.fault);
		}
	}
	assert_true(taken > 1000);
	assert_true(broken > 1000);
}

/* Whoever walks it would be kept for as long as its driver likes. */
static void a_table_of_nothing_is_bounded(void **state)
{
	static struct driver_desc descs[2 * VHB_RING_SEGMENTS_MAX];
	struct ring_fixture *f = *state;
	struct driver_desc table = {
		.len = sizeof(struct vring_desc) * VHB_ARRAY_COUNT(descs),
		.flags = DRIVER_INDIRECT,
	};
	u32 i;

	for (i = 0; i + 1 < VHB_ARRAY_COUNT(descs); i++)
		descs[i] = (struct driver_desc){ 0x1000, 0, DRIVER_NEXT, i + 1 };
	table.addr = ring_driver_put_table(&f->driver, descs,
					   VHB_ARRAY_COUNT(descs));
	ring_driver_offer(&f->driver, &table, 1);
	assert_true(vhb_ring_pop(&f->ring, &f->chain) < 0);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_LONG);
}

static const struct ring_case cases[] = {
	RING_CASE(split_index_that_jumps_is_a_fault,
		  ON_SPLIT | ON_SPLIT_ONE | ON_SPLIT_BIG),
	RING_CASE(split_index_that_goes_back_is_a_fault, ON_SPLIT),
	RING_CASE(split_index_is_judged_when_kicks_are_enabled,
		  ON_SPLIT | ON_SPLIT_EVENT_IDX),
	RING_CASE(split_index_may_move_by_the_whole_ring,
		  ON_SPLIT | ON_SPLIT_BIG),
	RING_CASE(more_chains_in_flight_than_fit_are_a_fault,
		  ON_BOTH | ON_ONE | ON_IN_ORDER),
	RING_CASE(what_is_not_published_is_not_free, ON_BOTH | ON_IN_ORDER),
	RING_CASE(packed_chain_over_one_in_flight_is_a_fault,
		  ON_PACKED | ON_PACKED_ODD),
	RING_CASE(a_chain_may_be_made_available_twice, ON_BOTH | ON_IN_ORDER),
	RING_CASE(a_direct_chain_is_judged_as_it_was_read, ON_BOTH),
	RING_CASE(a_table_of_nothing_is_bounded, ON_BOTH),
	RING_CASE(an_indirect_chain_is_judged_as_it_was_read, ON_BOTH),
	RING_CASE(a_mixed_chain_is_judged_as_it_was_read, ON_BOTH),
	RING_CASE(wishes_are_read_once, ON_BOTH | ON_EVENT_IDX),
	RING_CASE(nothing_the_device_wrote_is_read_back,
		  ON_BOTH | ON_EVENT_IDX),
	RING_CASE(noise_does_no_harm, ON_BOTH | ON_EVENT_IDX | ON_IN_ORDER),
};

int main(void)
{
	return ring_fixture_run("ring/hostile", cases, VHB_ARRAY_COUNT(cases));
}
