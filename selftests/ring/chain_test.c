// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "lib/bits.h"
#include "ring/ring_fixture.h"

#define DESC_BYTES 16

static bool is_packed(const struct ring_fixture *f)
{
	return f->config.layout == VHB_RING_PACKED;
}

/* The chain is what ring_fixture_add() made of these numbers. */
static void expect_chain(const struct ring_fixture *f, int id,
			 u32 readable_count, u32 writable_count)
{
	const struct vhb_chain *chain = &f->chain;
	u64 readable_bytes = 0, writable_bytes = 0;
	u32 i;

	assert_int_equal(chain->id, id);
	assert_int_equal(chain->readable_count, readable_count);
	assert_int_equal(chain->writable_count, writable_count);
	for (i = 0; i < readable_count + writable_count; i++) {
		const struct driver_buffer buffer =
			ring_fixture_buffer(i, i >= readable_count);

		assert_int_equal(chain->segments[i].gpa, buffer.gpa);
		assert_int_equal(chain->segments[i].length_bytes,
				 buffer.length_bytes);
		if (buffer.is_writable)
			writable_bytes += buffer.length_bytes;
		else
			readable_bytes += buffer.length_bytes;
	}
	assert_int_equal(chain->readable_bytes, readable_bytes);
	assert_int_equal(chain->writable_bytes, writable_bytes);
}

/* Makes a chain of each shape up to a size and looks at what comes out. */
static void try_all_shapes(struct ring_fixture *f, u32 max, u32 step,
			   enum driver_form form)
{
	struct test_memory *memory = &f->driver.memory;
	struct vhb_used used;
	u32 count, readable;
	int id;

	for (count = 1; count <= max; count++) {
		for (readable = 0; readable <= count; readable += step) {
			id = ring_fixture_add(f, readable, count - readable,
					      form);
			assert_true(id >= 0);
			test_memory_forget_reads(memory);
			used = ring_fixture_pop(f);
			assert_int_equal(memory->most_reads, 1);
			expect_chain(f, id, readable, count - readable);
			assert_int_equal(used.slot_count,
					 is_packed(f) && form == DRIVER_DIRECT ?
						 count :
						 1);
			ring_fixture_give(f, used);
			ring_fixture_expect_used(f, id, 0);
		}
	}
}

static void direct_chains_have_up_to_all_descriptors(void **state)
{
	struct ring_fixture *f = *state;

	try_all_shapes(f, f->config.num, 1, DRIVER_DIRECT);
}

static void indirect_chains_may_be_longer_than_the_ring(void **state)
{
	try_all_shapes(*state, 40, 3, DRIVER_TABLE);
}

static void a_table_may_end_a_direct_chain(void **state)
{
	try_all_shapes(*state, 40, 3, DRIVER_MIXED);
}

/* A chain of so many buffers is fine, with one more it is not. */
static void try_limit(struct ring_fixture *f, enum driver_form form)
{
	int id;

	id = ring_fixture_add(f, 500, VHB_RING_SEGMENTS_MAX - 500, form);
	assert_true(id >= 0);
	test_memory_forget_reads(&f->driver.memory);
	ring_fixture_pop(f);
	assert_int_equal(f->driver.memory.most_reads, 1);
	expect_chain(f, id, 500, VHB_RING_SEGMENTS_MAX - 500);
	id = ring_fixture_add(f, 500, VHB_RING_SEGMENTS_MAX - 499, form);
	assert_true(id >= 0);
	assert_true(vhb_ring_pop(&f->ring, &f->chain) < 0);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_LONG);
}

static void direct_chains_have_up_to_1024_segments(void **state)
{
	try_limit(*state, DRIVER_DIRECT);
}

static void indirect_chains_have_up_to_1024_segments(void **state)
{
	try_limit(*state, DRIVER_TABLE);
}

static void mixed_chains_have_up_to_1024_segments(void **state)
{
	try_limit(*state, DRIVER_MIXED);
}

/* Takes the chain these descriptors make. */
static int pop_descs(struct ring_fixture *f, const struct driver_desc *descs,
		     u32 count)
{
	ring_driver_offer(&f->driver, descs, count);
	return vhb_ring_pop(&f->ring, &f->chain);
}

static void expect_fault(struct ring_fixture *f,
			 const struct driver_desc *descs, u32 count,
			 enum vhb_ring_fault fault)
{
	const u32 sequence = f->ring.sequence;

	assert_true(pop_descs(f, descs, count) < 0);
	assert_int_equal(f->ring.sequence, sequence);
	ring_fixture_expect_broken(f, fault);
}

/* Takes the chain of a table with these descriptors. */
static int pop_table(struct ring_fixture *f, const struct driver_desc *descs,
		     u32 count)
{
	const struct driver_desc desc = {
		.addr = ring_driver_put_table(&f->driver, descs, count),
		.len = count * DESC_BYTES,
		.flags = DRIVER_INDIRECT,
	};

	return pop_descs(f, &desc, 1);
}

static void expect_table_fault(struct ring_fixture *f,
			       const struct driver_desc *descs, u32 count,
			       enum vhb_ring_fault fault)
{
	assert_true(pop_table(f, descs, count) < 0);
	ring_fixture_expect_broken(f, fault);
}

static void packed_chains_have_the_id_of_their_last_descriptor(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc descs[] = {
		{ 0x1000, 1, DRIVER_NEXT, 0x1111 },
		{ 0x2000, 1, DRIVER_NEXT, 0x2222 },
		{ 0x3000, 1, 0, 0xfffe },
	};

	assert_int_equal(pop_descs(f, descs, 3), 1);
	assert_int_equal(f->chain.id, 0xfffe);
	assert_int_equal(f->chain.slot_count, 3);
	assert_int_equal(f->chain.readable_count, 3);
}

static void split_chains_go_through_the_table_in_any_order(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc descs[] = {
		{ 0x1000, 1, DRIVER_NEXT, 7 }, { 0x2000, 2, 0, 1 },
		{ 0, 0, DRIVER_INDIRECT, 0 },  { 0x4000, 4, DRIVER_NEXT, 1 },
		{ 0, 0, DRIVER_INDIRECT, 0 },  { 0x6000, 6, DRIVER_NEXT, 3 },
		{ 0, 0, DRIVER_INDIRECT, 0 },  { 0x8000, 8, DRIVER_NEXT, 5 },
	};
	static const u64 gpas[] = { 0x1000, 0x8000, 0x6000, 0x4000, 0x2000 };
	u32 i;

	assert_int_equal(pop_descs(f, descs, 8), 1);
	assert_int_equal(f->chain.readable_count, 5);
	assert_int_equal(f->chain.readable_bytes, 1 + 8 + 6 + 4 + 2);
	for (i = 0; i < 5; i++)
		assert_int_equal(f->chain.segments[i].gpa, gpas[i]);
}

/* From 0 over the last one back to 1: all of them, one by one */
static void split_tables_are_lists_in_any_order(void **state)
{
	struct ring_fixture *f = *state;
	struct driver_desc descs[100];
	u32 i;

	for (i = 0; i < 100; i++) {
		descs[i] = (struct driver_desc){
			.addr = i,
			.len = 1,
			.flags = i == 1 ? 0 : DRIVER_NEXT,
			.next_or_id = i ? i - 1 : 99,
		};
	}
	assert_int_equal(pop_table(f, descs, 100), 1);
	assert_int_equal(f->chain.readable_count, 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(f->chain.segments[i].gpa, (100 - i) % 100);
}

static void split_tables_may_have_more_than_the_chain_needs(void **state)
{
	struct ring_fixture *f = *state;
	struct driver_desc descs[VHB_RING_SEGMENTS_MAX] = {
		{ 0x1000, 1, DRIVER_NEXT, 500 },
		[500] = { 0x2000, 1, DRIVER_NEXT, 1023 },
		[1023] = { 0x3000, 1, 0, 0 },
	};

	assert_int_equal(pop_table(f, descs, VHB_RING_SEGMENTS_MAX), 1);
	assert_int_equal(f->chain.readable_count, 3);
	assert_int_equal(f->chain.segments[2].gpa, 0x3000);
}

static void packed_tables_ignore_next_and_id(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc descs[] = {
		{ 0x1000, 1, 0, 0x1111 },
		{ 0x2000, 2, DRIVER_NEXT | 0x8080, 0x2222 },
		{ 0x3000, 3, DRIVER_WRITE, 0x3333 },
	};

	assert_int_equal(pop_table(f, descs, 3), 1);
	assert_int_equal(f->chain.id, 0);
	assert_int_equal(f->chain.readable_count, 2);
	assert_int_equal(f->chain.writable_count, 1);
}

static void write_flag_of_a_reference_to_a_table_is_ignored(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc inner = { 0x1000, 5, 0, 0 };
	const struct driver_desc desc = {
		.addr = ring_driver_put_table(&f->driver, &inner, 1),
		.len = DESC_BYTES,
		.flags = DRIVER_INDIRECT | DRIVER_WRITE,
	};

	assert_int_equal(pop_descs(f, &desc, 1), 1);
	assert_int_equal(f->chain.readable_bytes, 5);
	assert_int_equal(f->chain.writable_count, 0);
}

static void descriptors_without_length_are_no_segments(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc descs[] = {
		{ 0x1000, 0, DRIVER_NEXT, 1 },
		{ 0x2000, 2, DRIVER_NEXT, 2 },
		{ 0x3000, 0, DRIVER_NEXT, 3 },
		{ 0x4000, 0, DRIVER_NEXT | DRIVER_WRITE, 4 },
		{ 0x5000, 5, DRIVER_WRITE, 0 },
	};
	struct driver_desc table[5];

	assert_int_equal(pop_descs(f, descs, 5), 1);
	assert_int_equal(f->chain.slot_count, is_packed(f) ? 5 : 1);
	assert_int_equal(f->chain.readable_count, 1);
	assert_int_equal(f->chain.writable_count, 1);
	assert_int_equal(f->chain.segments[0].gpa, 0x2000);
	assert_int_equal(f->chain.segments[1].gpa, 0x5000);

	memcpy(table, descs, sizeof(table));
	assert_int_equal(pop_table(f, table, 5), 1);
	assert_int_equal(f->chain.slot_count, 1);
	assert_int_equal(f->chain.readable_count, 1);
	assert_int_equal(f->chain.writable_count, 1);
}

static void a_chain_may_have_no_segment_at_all(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc desc = { 0x1000, 0, DRIVER_WRITE, 0 };

	assert_int_equal(pop_descs(f, &desc, 1), 1);
	assert_int_equal(f->chain.readable_count, 0);
	assert_int_equal(f->chain.writable_count, 0);
	assert_int_equal(f->chain.readable_bytes, 0);
	assert_int_equal(f->chain.writable_bytes, 0);
	assert_int_equal(f->ring.in_flight_count, 1);
}

static void a_chain_is_shorter_than_4_gib(void **state)
{
	struct ring_fixture *f = *state;
	struct driver_desc descs[] = {
		{ 0x1000, 0xffff0000, DRIVER_NEXT, 1 },
		{ 0x2000, 0xffff, DRIVER_WRITE, 0 },
	};
	struct driver_desc one = { 0x1000, UINT32_MAX, 0, 0 };

	assert_int_equal(pop_descs(f, descs, 2), 1);
	assert_int_equal(f->chain.readable_bytes, 0xffff0000);
	assert_int_equal(f->chain.writable_bytes, 0xffff);
	assert_int_equal(pop_descs(f, &one, 1), 1);
	assert_int_equal(f->chain.readable_bytes, UINT32_MAX);
	descs[1].len++;
	expect_fault(f, descs, 2, VHB_RING_FAULT_LONG);
}

static void lengths_of_a_table_do_not_overflow(void **state)
{
	struct ring_fixture *f = *state;
	struct driver_desc descs[VHB_RING_SEGMENTS_MAX];
	u32 i;

	for (i = 0; i < VHB_RING_SEGMENTS_MAX; i++) {
		descs[i] = (struct driver_desc){
			.addr = 0x1000,
			.len = 0x80000000,
			.flags = DRIVER_WRITE | DRIVER_NEXT,
			.next_or_id = i + 1,
		};
	}
	expect_table_fault(f, descs, VHB_RING_SEGMENTS_MAX,
			   VHB_RING_FAULT_LONG);
}

static void readable_behind_writable_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc descs[] = {
		{ 0x1000, 1, DRIVER_NEXT | DRIVER_WRITE, 1 },
		{ 0x2000, 1, 0, 0 },
	};

	expect_fault(f, descs, 2, VHB_RING_FAULT_ORDER);
}

static void readable_behind_writable_in_a_table_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc descs[] = {
		{ 0x1000, 1, DRIVER_NEXT, 1 },
		{ 0x2000, 0, DRIVER_NEXT | DRIVER_WRITE, 2 },
		{ 0x3000, 1, 0, 0 },
	};

	expect_table_fault(f, descs, 3, VHB_RING_FAULT_ORDER);
}

static void readable_in_a_table_behind_writable_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc inner = { 0x1000, 1, 0, 0 };
	const struct driver_desc descs[] = {
		{ 0x2000, 1, DRIVER_NEXT | DRIVER_WRITE, 1 },
		{ ring_driver_put_table(&f->driver, &inner, 1), DESC_BYTES,
		  DRIVER_INDIRECT, 0 },
	};

	expect_fault(f, descs, 2, VHB_RING_FAULT_ORDER);
}

static void a_table_that_was_not_negotiated_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc desc = { 0x1000, 1, 0, 0 };

	f->ring.config.has_indirect = false;
	assert_int_equal(pop_descs(f, &desc, 1), 1);
	expect_table_fault(f, &desc, 1, VHB_RING_FAULT_INDIRECT);
}

static void a_table_in_a_table_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc descs[] = {
		{ 0x1000, 1, DRIVER_NEXT, 1 },
		{ TEST_GUEST_BASE + f->driver.tables, DESC_BYTES,
		  DRIVER_INDIRECT, 0 },
	};

	expect_table_fault(f, descs, 2, VHB_RING_FAULT_INDIRECT);
}

static void what_follows_a_table_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc inner = { 0x1000, 1, 0, 0 };
	const struct driver_desc descs[] = {
		{ ring_driver_put_table(&f->driver, &inner, 1), DESC_BYTES,
		  DRIVER_INDIRECT | DRIVER_NEXT, 1 },
		{ 0x2000, 1, DRIVER_WRITE, 0 },
	};

	expect_fault(f, descs, 2, VHB_RING_FAULT_INDIRECT);
}

static void packed_table_behind_a_descriptor_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc inner = { 0x1000, 1, 0, 0 };
	const struct driver_desc descs[] = {
		{ 0x2000, 1, DRIVER_NEXT, 0 },
		{ ring_driver_put_table(&f->driver, &inner, 1), DESC_BYTES,
		  DRIVER_INDIRECT, 0 },
	};

	expect_fault(f, descs, 2, VHB_RING_FAULT_INDIRECT);
}

static void try_table_length(struct ring_fixture *f, u32 length_bytes,
			     enum vhb_ring_fault fault)
{
	const struct driver_desc desc = {
		.addr = TEST_GUEST_BASE + f->driver.tables,
		.len = length_bytes,
		.flags = DRIVER_INDIRECT,
	};

	expect_fault(f, &desc, 1, fault);
	/* Go on with what was not taken */
	f->ring.error = 0;
	f->ring.fault = VHB_RING_FAULT_NONE;
	if (is_packed(f)) {
		f->driver.next_avail = f->ring.next_avail;
		f->driver.avail_wrap = f->ring.avail_wrap;
	} else {
		f->driver.next_avail = f->ring.next_avail;
	}
}

static void a_table_has_whole_descriptors(void **state)
{
	struct ring_fixture *f = *state;
	u32 i;

	for (i = 1; i < 200; i++) {
		if (i % DESC_BYTES)
			try_table_length(f, i, VHB_RING_FAULT_INDIRECT);
	}
	try_table_length(f, UINT32_MAX, VHB_RING_FAULT_INDIRECT);
}

static void a_table_has_1_to_1024_descriptors(void **state)
{
	struct ring_fixture *f = *state;

	try_table_length(f, 0, VHB_RING_FAULT_EMPTY);
	try_table_length(f, 1025 * DESC_BYTES, VHB_RING_FAULT_LONG);
	try_table_length(f, 0xfffffff0, VHB_RING_FAULT_LONG);
}

static void a_table_is_in_guest_memory(void **state)
{
	struct ring_fixture *f = *state;
	const u64 end = TEST_GUEST_BASE + f->driver.memory.size_bytes;
	const struct driver_desc desc = { end - 3 * DESC_BYTES, 4 * DESC_BYTES,
					  DRIVER_INDIRECT, 0 };

	expect_fault(f, &desc, 1, VHB_RING_FAULT_MEMORY);
	assert_int_equal(f->ring.error, -EFAULT);
}

static void a_table_does_not_wrap_around(void **state)
{
	struct ring_fixture *f = *state;
	const unsigned long access_count = f->driver.memory.access_count;
	const struct driver_desc desc = { -DESC_BYTES, 2 * DESC_BYTES,
					  DRIVER_INDIRECT, 0 };

	expect_fault(f, &desc, 1, VHB_RING_FAULT_MEMORY);
	assert_int_equal(f->ring.error, -EFAULT);
	/* No try to read it: index, entry, descriptor or flags, descriptor */
	assert_int_equal(f->driver.memory.access_count,
			 access_count + (is_packed(f) ? 2 : 3));
}

static void split_chain_starts_in_the_table(void **state)
{
	struct ring_fixture *f = *state;

	ring_driver_offer_head(&f->driver, f->config.num - 1);
	ring_fixture_pop(f);
	ring_driver_offer_head(&f->driver, f->config.num);
	assert_true(vhb_ring_pop(&f->ring, &f->chain) < 0);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_HEAD);
}

static void split_chain_goes_on_in_the_table(void **state)
{
	struct ring_fixture *f = *state;
	struct driver_desc desc = { 0x1000, 1, DRIVER_NEXT, 7 };

	assert_int_equal(pop_descs(f, &desc, 1), 1);
	desc.next_or_id = 8;
	expect_fault(f, &desc, 1, VHB_RING_FAULT_NEXT);
}

static void split_chain_goes_on_in_the_indirect_table(void **state)
{
	struct ring_fixture *f = *state;
	struct driver_desc descs[20] = { { 0x1000, 1, DRIVER_NEXT, 19 } };

	assert_int_equal(pop_table(f, descs, 20), 1);
	descs[0].next_or_id = 20;
	expect_table_fault(f, descs, 20, VHB_RING_FAULT_NEXT);
}

static void split_chain_that_meets_itself_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	const struct driver_desc descs[] = {
		{ 0x1000, 1, DRIVER_NEXT, 1 },
		{ 0x2000, 0, DRIVER_NEXT, 1 },
	};
	const unsigned long access_count = f->driver.memory.access_count;

	expect_fault(f, descs, 2, VHB_RING_FAULT_LOOP);
	assert_int_equal(f->driver.memory.access_count,
			 access_count + 2 + f->config.num);
}

static void split_table_that_meets_itself_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	struct driver_desc descs[VHB_RING_SEGMENTS_MAX] = {
		{ 0x1000, 1, DRIVER_NEXT, 1000 },
		[1000] = { 0x2000, 0, DRIVER_NEXT, 3 },
		[3] = { 0x2000, 0, DRIVER_NEXT, 1000 },
	};
	const unsigned long access_count = f->driver.memory.access_count;

	expect_table_fault(f, descs, VHB_RING_SEGMENTS_MAX,
			   VHB_RING_FAULT_LOOP);
	/* Index, entry, descriptor; one by one, as the list jumps */
	assert_int_equal(f->driver.memory.access_count,
			 access_count + 3 + VHB_RING_SEGMENTS_MAX);
}

static void packed_chain_longer_than_the_ring_is_a_fault(void **state)
{
	struct ring_fixture *f = *state;
	struct driver_desc descs[8];
	u32 i;

	for (i = 0; i < f->config.num; i++)
		descs[i] = (struct driver_desc){ 0x1000, 1, DRIVER_NEXT, 0 };
	expect_fault(f, descs, f->config.num, VHB_RING_FAULT_LOOP);
}

static const struct ring_case cases[] = {
	RING_CASE(direct_chains_have_up_to_all_descriptors, ON_BOTH | ON_ONE),
	RING_CASE(indirect_chains_may_be_longer_than_the_ring,
		  ON_BOTH | ON_ONE),
	RING_CASE(a_table_may_end_a_direct_chain, ON_BOTH),
	RING_CASE(direct_chains_have_up_to_1024_segments, ON_BIG),
	RING_CASE(indirect_chains_have_up_to_1024_segments, ON_BOTH),
	RING_CASE(mixed_chains_have_up_to_1024_segments, ON_BOTH),
	RING_CASE(packed_chains_have_the_id_of_their_last_descriptor,
		  ON_PACKED),
	RING_CASE(split_chains_go_through_the_table_in_any_order, ON_SPLIT),
	RING_CASE(split_tables_are_lists_in_any_order, ON_SPLIT),
	RING_CASE(split_tables_may_have_more_than_the_chain_needs, ON_SPLIT),
	RING_CASE(packed_tables_ignore_next_and_id, ON_PACKED),
	RING_CASE(write_flag_of_a_reference_to_a_table_is_ignored, ON_BOTH),
	RING_CASE(descriptors_without_length_are_no_segments, ON_BOTH),
	RING_CASE(a_chain_may_have_no_segment_at_all, ON_BOTH),
	RING_CASE(a_chain_is_shorter_than_4_gib, ON_BOTH),
	RING_CASE(lengths_of_a_table_do_not_overflow, ON_BOTH),
	RING_CASE(readable_behind_writable_is_a_fault, ON_BOTH),
	RING_CASE(readable_behind_writable_in_a_table_is_a_fault, ON_BOTH),
	RING_CASE(readable_in_a_table_behind_writable_is_a_fault, ON_SPLIT),
	RING_CASE(a_table_that_was_not_negotiated_is_a_fault, ON_BOTH),
	RING_CASE(a_table_in_a_table_is_a_fault, ON_BOTH),
	RING_CASE(what_follows_a_table_is_a_fault, ON_BOTH),
	RING_CASE(packed_table_behind_a_descriptor_is_a_fault, ON_PACKED),
	RING_CASE(a_table_has_whole_descriptors, ON_BOTH),
	RING_CASE(a_table_has_1_to_1024_descriptors, ON_BOTH),
	RING_CASE(a_table_is_in_guest_memory, ON_BOTH),
	RING_CASE(a_table_does_not_wrap_around, ON_BOTH),
	RING_CASE(split_chain_starts_in_the_table, ON_SPLIT),
	RING_CASE(split_chain_goes_on_in_the_table, ON_SPLIT),
	RING_CASE(split_chain_goes_on_in_the_indirect_table, ON_SPLIT),
	RING_CASE(split_chain_that_meets_itself_is_a_fault, ON_SPLIT),
	RING_CASE(split_table_that_meets_itself_is_a_fault, ON_SPLIT),
	RING_CASE(packed_chain_longer_than_the_ring_is_a_fault,
		  ON_PACKED | ON_PACKED_ODD),
};

int main(void)
{
	return ring_fixture_run("ring/chain", cases, VHB_ARRAY_COUNT(cases));
}
