// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "lib/bits.h"
#include "lib/random.h"
#include "ring/ring_fixture.h"

static void empty_ring_has_no_chain(void **state)
{
	struct ring_fixture *f = *state;

	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
	assert_int_equal(vhb_ring_publish(&f->ring), 0);
	assert_int_equal(f->ring.sequence, 0);
	ring_fixture_expect_no_used(f);
}

static void chain_goes_to_the_device_and_back(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used;
	int id;

	id = ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	used = ring_fixture_pop(f);
	assert_int_equal(used.id, id);
	assert_int_equal(used.slot_count, 1);
	assert_int_equal(f->ring.sequence, 1);
	assert_int_equal(f->ring.in_flight_count, 1);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
	used.written_bytes = 7;
	ring_fixture_give(f, used);
	assert_int_equal(f->ring.in_flight_count, 0);
	ring_fixture_expect_used(f, id, 7);
	ring_fixture_expect_no_used(f);
}

static void driver_sees_nothing_before_publish(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used;
	int ids[3];
	u32 i;

	for (i = 0; i < f->config.num / 3 && i < 3; i++)
		ids[i] = ring_fixture_add(f, 1, 1, DRIVER_DIRECT);
	for (i = 0; i < f->config.num / 3 && i < 3; i++) {
		used = ring_fixture_pop(f);
		used.written_bytes = i;
		assert_int_equal(vhb_ring_push(&f->ring, &used), 0);
		ring_fixture_expect_no_used(f);
	}
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	for (i = 0; i < f->config.num / 3 && i < 3; i++)
		ring_fixture_expect_used(f, ids[i], i);
	ring_fixture_expect_no_used(f);
	assert_int_equal(vhb_ring_publish(&f->ring), 0);
}

/* Looks as a driver would that polls between any two of our accesses. */
static void looks_for_used(void *context, const struct test_access *access)
{
	struct ring_fixture *f = context;
	const struct ring_driver before = f->driver;
	const bool is_publish = access->is_write && access->size_bytes == 2;
	u16 id;
	u32 length;

	assert_int_equal(ring_driver_take(&f->driver, &id, &length),
			 is_publish ? 1 : 0);
	if (!is_publish)
		return;
	/* Not taken after all */
	f->driver.chains[id].is_in_flight = true;
	f->driver.next_used = before.next_used;
	f->driver.used_wrap = before.used_wrap;
	f->driver.free_slots = before.free_slots;
	f->driver.free_id_count = before.free_id_count;
}

static void publishing_is_one_write_of_16_bits(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used[16];
	unsigned long access_count;
	int ids[16];
	u32 lap, i;

	for (lap = 0; lap < 5; lap++) {
		const u32 count = f->config.num - 2;

		for (i = 0; i < count; i++) {
			ids[i] = ring_fixture_add(f, 0, 1, DRIVER_DIRECT);
			used[i] = ring_fixture_pop(f);
		}
		f->driver.memory.context = f;
		f->driver.memory.on_access = looks_for_used;
		for (i = 0; i < count; i++)
			assert_int_equal(vhb_ring_push(&f->ring, &used[i]), 0);
		access_count = f->driver.memory.access_count;
		assert_int_equal(vhb_ring_publish(&f->ring), 1);
		assert_int_equal(f->driver.memory.access_count,
				 access_count + 1);
		f->driver.memory.on_access = NULL;
		for (i = 0; i < count; i++)
			ring_fixture_expect_used(f, ids[i], 0);
	}
}

static void whole_ring_is_in_flight_at_once(void **state)
{
	struct ring_fixture *f = *state;
	const u32 num = f->config.num;
	struct vhb_used *used = calloc(num, sizeof(*used));
	u32 lap, i;

	assert_non_null(used);
	for (lap = 0; lap < 3; lap++) {
		for (i = 0; i < num; i++)
			assert_true(ring_fixture_add(f, 1, 0, DRIVER_DIRECT) >=
				    0);
		assert_int_equal(ring_fixture_add(f, 1, 0, DRIVER_DIRECT), -1);
		for (i = 0; i < num; i++)
			used[i] = ring_fixture_pop(f);
		assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
		assert_int_equal(f->ring.in_flight_count, num);
		/* Given back the other way round */
		for (i = num; i-- > 0;) {
			used[i].written_bytes = i;
			assert_int_equal(vhb_ring_push(&f->ring, &used[i]), 0);
		}
		assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
		assert_int_equal(vhb_ring_publish(&f->ring), 1);
		for (i = num; i-- > 0;)
			ring_fixture_expect_used(f, used[i].id, i);
		ring_fixture_expect_no_used(f);
		assert_int_equal(f->ring.in_flight_count, 0);
	}
	free(used);
}

/* Chains of all sizes, given back in any order, until indexes have wrapped. */
static void goes_around_and_around(void **state)
{
	struct ring_fixture *f = *state;
	const u32 chain_count = 150000;
	struct vhb_used in_flight[16];
	struct test_random random = test_random_of(1);
	u32 count = 0, taken = 0;

	while (taken < chain_count) {
		u32 readable = test_random_below(&random, 3);
		u32 writable = test_random_below(&random, 3) + !readable;
		struct vhb_used used;
		u32 victim;

		if (test_random_one_in(&random, 2) &&
		    ring_fixture_add(f, readable, writable,
				     test_random_below(&random, 3)) >= 0) {
			in_flight[count++] = ring_fixture_pop(f);
			assert_int_equal(f->chain.readable_count, readable);
			assert_int_equal(f->chain.writable_count, writable);
		} else if (count) {
			victim = test_random_below(&random, count);
			used = in_flight[victim];
			in_flight[victim] = in_flight[--count];
			used.written_bytes = taken;
			ring_fixture_give(f, used);
			ring_fixture_expect_used(f, used.id, taken);
			taken++;
		}
		assert_int_equal(f->ring.in_flight_count, count);
	}
}

static void a_chain_takes_few_accesses(void **state)
{
	struct ring_fixture *f = *state;
	const bool is_packed = f->config.layout == VHB_RING_PACKED;
	struct test_memory *memory = &f->driver.memory;
	struct vhb_used used;

	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	ring_fixture_add(f, 1, 1, DRIVER_DIRECT);
	ring_fixture_add(f, 2, 2, DRIVER_TABLE);

	/* split: index, entry, descriptor; packed: flags, the rest of them */
	memory->access_count = 0;
	ring_fixture_pop(f);
	assert_int_equal(memory->access_count, is_packed ? 2 : 3);
	memory->access_count = 0;
	/* split: the index is known */
	ring_fixture_pop(f);
	assert_int_equal(memory->access_count, 3);
	memory->access_count = 0;
	/* one more for the table */
	used = ring_fixture_pop(f);
	assert_int_equal(memory->access_count, 3);
	memory->access_count = 0;
	assert_int_equal(vhb_ring_push(&f->ring, &used), 0);
	assert_int_equal(memory->access_count, 1);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	assert_int_equal(memory->access_count, 2);

	/* What enabling kicks has seen, taking need not look for again. */
	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), 1);
	memory->access_count = 0;
	ring_fixture_pop(f);
	assert_int_equal(memory->access_count, 2);
}

static void what_is_not_in_flight_cannot_be_pushed(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used = { .slot_count = 1 };
	struct vhb_used wrong;

	assert_int_equal(vhb_ring_push(&f->ring, &used), -EINVAL);
	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	used = ring_fixture_pop(f);
	wrong = used;
	wrong.slot_count = 0;
	assert_int_equal(vhb_ring_push(&f->ring, &wrong), -EINVAL);
	wrong.slot_count = 2;
	assert_int_equal(vhb_ring_push(&f->ring, &wrong), -EINVAL);
	/* Nothing of this has done any harm */
	assert_int_equal(f->ring.error, 0);
	assert_int_equal(vhb_ring_publish(&f->ring), 0);
	ring_fixture_give(f, used);
	assert_int_equal(vhb_ring_push(&f->ring, &used), -EINVAL);
	ring_fixture_expect_used(f, used.id, 0);
	ring_fixture_expect_no_used(f);
}

/* Whose a descriptor is both flags say; with all four of their values */
static void packed_descriptor_is_available_by_both_flags(void **state)
{
	struct ring_fixture *f = *state;
	const size_t flags_offset = f->driver.desc + 14;

	test_memory_put16(&f->driver.memory, flags_offset, 0x0000);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
	test_memory_put16(&f->driver.memory, flags_offset, 0x8000);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
	test_memory_put16(&f->driver.memory, flags_offset, 0x8080);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 0);
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), 0);
	test_memory_put16(&f->driver.memory, flags_offset, 0x0080);
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), 1);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 1);
}

static void packed_used_flags_tell_of_written_bytes(void **state)
{
	struct ring_fixture *f = *state;
	const size_t flags_offset = f->driver.desc + 14;
	struct vhb_used used;

	ring_fixture_add(f, 0, 1, DRIVER_DIRECT);
	ring_fixture_add(f, 0, 1, DRIVER_DIRECT);
	used = ring_fixture_pop(f);
	ring_fixture_give(f, used);
	assert_int_equal(test_memory_get16(&f->driver.memory, flags_offset),
			 0x8080);
	used = ring_fixture_pop(f);
	used.written_bytes = 1;
	ring_fixture_give(f, used);
	assert_int_equal(test_memory_get16(&f->driver.memory,
					   flags_offset + 16),
			 0x8082);
}

static struct vhb_ring_config good_config(enum vhb_ring_layout layout)
{
	return (struct vhb_ring_config){
		.layout = layout,
		.num = 256,
		.desc_addr = 0x10000,
		.avail_addr = 0x20004,
		.used_addr = 0x30004,
	};
}

static void split_rings_have_a_power_of_two_entries(void **state)
{
	struct vhb_ring_config config = good_config(VHB_RING_SPLIT);

	(void)state;
	for (config.num = 1; config.num <= 65536; config.num++) {
		bool is_good = !(config.num & (config.num - 1)) &&
			       config.num <= 32768;

		assert_int_equal(vhb_ring_check(&config),
				 is_good ? 0 : -EINVAL);
	}
	config.num = 0;
	assert_int_equal(vhb_ring_check(&config), -EINVAL);
	config.num = UINT32_MAX;
	assert_int_equal(vhb_ring_check(&config), -EINVAL);
	config.num = 0x80000000;
	assert_int_equal(vhb_ring_check(&config), -EINVAL);
}

static void packed_rings_have_any_number_of_entries(void **state)
{
	struct vhb_ring_config config = good_config(VHB_RING_PACKED);

	(void)state;
	for (config.num = 1; config.num <= 32768; config.num++)
		assert_int_equal(vhb_ring_check(&config), 0);
	assert_int_equal(vhb_ring_check(&config), -EINVAL);
	config.num = 0;
	assert_int_equal(vhb_ring_check(&config), -EINVAL);
	config.num = UINT32_MAX;
	assert_int_equal(vhb_ring_check(&config), -EINVAL);
}

static void parts_of_a_ring_are_aligned(void **state)
{
	struct vhb_ring_config config;
	unsigned int layout, i;

	(void)state;
	for (layout = VHB_RING_SPLIT; layout <= VHB_RING_PACKED; layout++) {
		const unsigned int avail = layout == VHB_RING_PACKED ? 4 : 2;

		for (i = 0; i < 32; i++) {
			config = good_config(layout);
			config.desc_addr = 0x10000 + i;
			assert_int_equal(vhb_ring_check(&config),
					 i % 16 ? -EINVAL : 0);
			config = good_config(layout);
			config.avail_addr = 0x20000 + i;
			assert_int_equal(vhb_ring_check(&config),
					 i % avail ? -EINVAL : 0);
			config = good_config(layout);
			config.used_addr = 0x30000 + i;
			assert_int_equal(vhb_ring_check(&config),
					 i % 4 ? -EINVAL : 0);
		}
	}
	config = good_config(VHB_RING_PACKED);
	config.layout = 2;
	assert_int_equal(vhb_ring_check(&config), -EINVAL);
}

/* An area may end with the last address there is, but not behind it. */
static void check_end(struct vhb_ring_config *config, u64 *addr, u64 size_bytes,
		      u64 alignment)
{
	const u64 old = *addr;

	*addr = (UINT64_MAX - size_bytes + 1) / alignment * alignment;
	assert_int_equal(vhb_ring_check(config), 0);
	if (size_bytes > alignment) {
		*addr += alignment;
		assert_int_equal(vhb_ring_check(config), -EINVAL);
	}
	*addr = UINT64_MAX / alignment * alignment;
	assert_int_equal(vhb_ring_check(config),
			 size_bytes <= alignment ? 0 : -EINVAL);
	*addr = old;
}

static void no_part_of_a_ring_wraps_around(void **state)
{
	u64 desc_bytes, avail_bytes, used_bytes;
	struct vhb_ring_config config;

	(void)state;
	config = good_config(VHB_RING_SPLIT);
	vhb_ring_area_bytes(&config, &desc_bytes, &avail_bytes, &used_bytes);
	assert_int_equal(desc_bytes, 256 * 16);
	assert_int_equal(avail_bytes, 4 + 256 * 2 + 2);
	assert_int_equal(used_bytes, 4 + 256 * 8 + 2);
	check_end(&config, &config.desc_addr, desc_bytes, 16);
	check_end(&config, &config.avail_addr, avail_bytes, 2);
	check_end(&config, &config.used_addr, used_bytes, 4);

	config = good_config(VHB_RING_PACKED);
	vhb_ring_area_bytes(&config, &desc_bytes, &avail_bytes, &used_bytes);
	assert_int_equal(desc_bytes, 256 * 16);
	assert_int_equal(avail_bytes, 4);
	assert_int_equal(used_bytes, 4);
	check_end(&config, &config.desc_addr, desc_bytes, 16);
	config.num = 1;
	check_end(&config, &config.desc_addr, 16, 16);
}

static void what_was_never_set_up_can_be_destroyed(void **state)
{
	struct vhb_ring ring = { 0 };

	(void)state;
	vhb_ring_destroy(&ring);
	vhb_ring_destroy(&ring);
}

static const struct ring_case cases[] = {
	RING_CASE(empty_ring_has_no_chain, ON_BOTH),
	RING_CASE(chain_goes_to_the_device_and_back, ON_BOTH | ON_ONE | ON_BIG),
	RING_CASE(driver_sees_nothing_before_publish, ON_BOTH),
	RING_CASE(publishing_is_one_write_of_16_bits, ON_BOTH),
	RING_CASE(whole_ring_is_in_flight_at_once, ON_BOTH | ON_ONE | ON_BIG),
	RING_CASE(goes_around_and_around, ON_BOTH | ON_ONE | ON_EVENT_IDX),
	RING_CASE(a_chain_takes_few_accesses, ON_BOTH),
	RING_CASE(what_is_not_in_flight_cannot_be_pushed, ON_BOTH),
	RING_CASE(packed_descriptor_is_available_by_both_flags, ON_PACKED),
	RING_CASE(packed_used_flags_tell_of_written_bytes, ON_PACKED),
	RING_CASE(split_rings_have_a_power_of_two_entries, ON_NOTHING),
	RING_CASE(packed_rings_have_any_number_of_entries, ON_NOTHING),
	RING_CASE(parts_of_a_ring_are_aligned, ON_NOTHING),
	RING_CASE(no_part_of_a_ring_wraps_around, ON_NOTHING),
	RING_CASE(what_was_never_set_up_can_be_destroyed, ON_NOTHING),
};

int main(void)
{
	return ring_fixture_run("ring/ring", cases, VHB_ARRAY_COUNT(cases));
}
