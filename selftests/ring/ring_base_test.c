// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bits.h"
#include "ring/ring_fixture.h"

static int start(struct ring_fixture *f, u32 base)
{
	return vhb_ring_start(&f->ring, &f->driver.memory.handle, base);
}

static void use(struct ring_fixture *f)
{
	struct vhb_used used;
	int id;

	id = ring_fixture_add(f, 1, 1, DRIVER_DIRECT);
	assert_true(id >= 0);
	used = ring_fixture_pop(f);
	assert_int_equal(used.id, id);
	used.written_bytes = 3;
	ring_fixture_give(f, used);
	ring_fixture_expect_used(f, id, 3);
}

/* As from one back-end to the next, after each chain */
static void a_ring_goes_on_where_it_stopped(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_ring_config config = f->ring.config;
	u32 i, base;

	for (i = 0; i < 5 * f->config.num; i++) {
		base = vhb_ring_base(&f->ring);
		vhb_ring_destroy(&f->ring);
		memset(&f->ring, 0xa5, sizeof(f->ring));
		assert_int_equal(vhb_ring_init(&f->ring, &config), 0);
		assert_int_equal(start(f, base), 0);
		assert_int_equal(vhb_ring_base(&f->ring), base);
		use(f);
	}
}

static void a_chain_not_taken_is_there_after_a_restart(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used;
	int id;

	use(f);
	id = ring_fixture_add(f, 2, 1, DRIVER_DIRECT);
	assert_int_equal(start(f, vhb_ring_base(&f->ring)), 0);
	used = ring_fixture_pop(f);
	assert_int_equal(used.id, id);
	assert_int_equal(f->chain.readable_count, 2);
	ring_fixture_give(f, used);
	ring_fixture_expect_used(f, id, 0);
}

/* As for a request that makes no sense: whoever comes next finds it again. */
static void a_chain_put_back_was_never_taken(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_ring before;
	u32 i;
	int id;

	for (i = 0; i < 3 * f->config.num; i++) {
		id = ring_fixture_add(f, 1, 1, DRIVER_DIRECT);
		before = f->ring;
		assert_int_equal(ring_fixture_pop(f).id, id);
		assert_true(vhb_ring_base(&f->ring) != vhb_ring_base(&before));
		vhb_ring_unpop(&f->ring, &f->chain);
		f->ring.known_avail = before.known_avail;
		assert_memory_equal(&f->ring, &before, sizeof(before));
		ring_fixture_give(f, ring_fixture_pop(f));
		ring_fixture_expect_used(f, id, 0);
	}
}

static void split_base_is_the_available_index(void **state)
{
	struct ring_fixture *f = *state;
	u32 base;

	for (base = 0; base <= UINT16_MAX; base++) {
		f->driver.next_avail = base;
		f->driver.next_used = base;
		test_memory_put16(&f->driver.memory, f->driver.avail + 2, base);
		test_memory_put16(&f->driver.memory, f->driver.used + 2, base);
		assert_int_equal(start(f, base), 0);
		assert_int_equal(vhb_ring_base(&f->ring), base);
		assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
		use(f);
		assert_int_equal(vhb_ring_base(&f->ring), (base + 1) & 0xffff);
	}
}

/* The other back-end had taken two chains and given neither back. */
static void split_used_index_is_read_from_the_ring(void **state)
{
	struct ring_fixture *f = *state;

	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	assert_int_equal(start(f, 2), 0);
	use(f);
	assert_int_equal(test_memory_get16(&f->driver.memory,
					   f->driver.used + 2),
			 1);
	assert_int_equal(vhb_ring_base(&f->ring), 3);
}

static void split_base_has_16_bits(void **state)
{
	struct ring_fixture *f = *state;
	const struct vhb_ring before = f->ring;

	assert_int_equal(start(f, 0x10000), -EINVAL);
	assert_int_equal(start(f, 0x80000000), -EINVAL);
	assert_int_equal(start(f, UINT32_MAX), -EINVAL);
	assert_memory_equal(&f->ring, &before, sizeof(before));
	use(f);
}

static void packed_base_has_slots_and_wrap_counters(void **state)
{
	struct ring_fixture *f = *state;
	const u32 num = f->config.num;
	u32 wraps, slot, half, base;

	for (wraps = 0; wraps < 2; wraps++) {
		for (slot = 0; slot < num; slot++) {
			memset(f->driver.memory.bytes + f->driver.desc,
			       wraps ? 0 : 0xff, num * 16);
			f->driver.next_avail = slot;
			f->driver.next_used = slot;
			f->driver.avail_wrap = wraps;
			f->driver.used_wrap = wraps;
			half = slot | wraps << 15;
			assert_int_equal(start(f, half | half << 16), 0);
			assert_int_equal(vhb_ring_base(&f->ring),
					 half | half << 16);
			use(f);
			half = (slot + 2) % num |
			       (slot + 2 >= num ? !wraps : wraps) << 15;
			base = vhb_ring_base(&f->ring);
			assert_int_equal(base & 0xffff, half);
			assert_int_equal(base >> 16, half);
		}
	}
}

static void packed_base_is_in_the_ring(void **state)
{
	struct ring_fixture *f = *state;
	const struct vhb_ring before = f->ring;
	const u32 num = f->config.num;
	u32 slot;

	for (slot = num; slot < 0x8000; slot++) {
		assert_int_equal(start(f, slot), -EINVAL);
		assert_int_equal(start(f, slot | 0x8000), -EINVAL);
		assert_int_equal(start(f, slot << 16), -EINVAL);
		assert_int_equal(start(f, (slot | 0x8000) << 16), -EINVAL);
	}
	assert_memory_equal(&f->ring, &before, sizeof(before));
	use(f);
}

static void packed_halves_of_a_base_may_differ(void **state)
{
	struct ring_fixture *f = *state;
	u32 base = 0x8000 | 3 | 0x80010000;

	assert_int_equal(start(f, base), 0);
	assert_int_equal(vhb_ring_base(&f->ring), base);
}

/* What never was published is still to be used for who comes next. */
static void packed_base_leaves_unpublished_chains_out(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used;

	use(f);
	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	used = ring_fixture_pop(f);
	assert_int_equal(vhb_ring_push(&f->ring, &used), 0);
	assert_int_equal(vhb_ring_base(&f->ring),
			 0x8000 | 3 | 0x80020000);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	assert_int_equal(vhb_ring_base(&f->ring),
			 0x8000 | 3 | 0x80030000);
}

static void start_clears_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const u32 base = vhb_ring_base(&f->ring);

	ring_fixture_add(f, 1, 1, DRIVER_DIRECT);
	test_memory_fail_in(&f->driver.memory, 0, -EFAULT);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), -EFAULT);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_MEMORY);
	assert_int_equal(vhb_ring_base(&f->ring), base);
	assert_int_equal(start(f, base), 0);
	assert_int_equal(f->ring.fault, VHB_RING_FAULT_NONE);
	assert_int_equal(f->ring.error, 0);
	ring_fixture_give(f, ring_fixture_pop(f));
}

static void start_starts_counting_anew(void **state)
{
	struct ring_fixture *f = *state;

	ring_fixture_add(f, 1, 1, DRIVER_DIRECT);
	ring_fixture_pop(f);
	assert_int_equal(f->ring.sequence, 1);
	assert_int_equal(start(f, vhb_ring_base(&f->ring)), 0);
	assert_int_equal(f->ring.sequence, 0);
	assert_int_equal(f->ring.in_flight_count, 0);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
}

static void start_that_must_wait_changes_nothing(void **state)
{
	struct ring_fixture *f = *state;
	const struct vhb_memory other = { &f->driver.memory };
	struct vhb_ring before;

	use(f);
	before = f->ring;
	test_memory_fail_in(&f->driver.memory, 0, -EAGAIN);
	assert_int_equal(vhb_ring_start(&f->ring, &other, 1), -EAGAIN);
	assert_memory_equal(&f->ring, &before, sizeof(before));
	use(f);
	assert_int_equal(vhb_ring_start(&f->ring, &other, 2), 0);
	assert_ptr_equal(f->ring.memory, &other);
	f->ring.memory = &f->driver.memory.handle;
}

static void start_outside_of_memory_fails(void **state)
{
	struct ring_fixture *f = *state;

	test_memory_fail_in(&f->driver.memory, 0, -EFAULT);
	assert_int_equal(start(f, 0), -EFAULT);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_MEMORY);
	assert_int_equal(start(f, 0), 0);
	use(f);
}

/* A packed ring's start has nothing to read. */
static void packed_start_leaves_memory_alone(void **state)
{
	struct ring_fixture *f = *state;

	assert_int_equal(f->driver.memory.access_count, 0);
	use(f);
}

static const struct ring_case cases[] = {
	RING_CASE(a_ring_goes_on_where_it_stopped,
		  ON_BOTH | ON_IN_ORDER | ON_EVENT_IDX),
	RING_CASE(a_chain_not_taken_is_there_after_a_restart, ON_BOTH),
	RING_CASE(a_chain_put_back_was_never_taken,
		  ON_BOTH | ON_IN_ORDER | ON_EVENT_IDX),
	RING_CASE(split_base_is_the_available_index, ON_SPLIT),
	RING_CASE(split_used_index_is_read_from_the_ring, ON_SPLIT),
	RING_CASE(split_base_has_16_bits, ON_SPLIT),
	RING_CASE(packed_base_has_slots_and_wrap_counters,
		  ON_PACKED | ON_PACKED_ODD),
	RING_CASE(packed_base_is_in_the_ring, ON_PACKED | ON_PACKED_ODD),
	RING_CASE(packed_halves_of_a_base_may_differ, ON_PACKED),
	RING_CASE(packed_base_leaves_unpublished_chains_out, ON_PACKED),
	RING_CASE(start_clears_a_fault, ON_BOTH),
	RING_CASE(start_starts_counting_anew, ON_BOTH),
	RING_CASE(start_that_must_wait_changes_nothing, ON_SPLIT),
	RING_CASE(start_outside_of_memory_fails, ON_SPLIT),
	RING_CASE(packed_start_leaves_memory_alone, ON_PACKED),
};

int main(void)
{
	return ring_fixture_run("ring/base", cases, VHB_ARRAY_COUNT(cases));
}
