// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "lib/bits.h"
#include "ring/ring_fixture.h"

/* First slot 0, wrap counter 1, for both halves */
#define PACKED_START 0x80008000u

struct kind {
	unsigned int mask;
	const char *name;
	struct vhb_ring_config config;
};

static const struct kind kinds[] = {
	{ ON_SPLIT, "split", { .layout = VHB_RING_SPLIT, .num = 8 } },
	{ ON_PACKED, "packed", { .layout = VHB_RING_PACKED, .num = 8 } },
	{ ON_PACKED_ODD, "packed_odd", { .layout = VHB_RING_PACKED, .num = 7 } },
	{ ON_SPLIT_EVENT_IDX,
	  "split_event_idx",
	  { .layout = VHB_RING_SPLIT, .num = 8, .has_event_idx = true } },
	{ ON_PACKED_EVENT_IDX,
	  "packed_event_idx",
	  { .layout = VHB_RING_PACKED, .num = 7, .has_event_idx = true } },
	{ ON_SPLIT_IN_ORDER,
	  "split_in_order",
	  { .layout = VHB_RING_SPLIT, .num = 8, .has_in_order = true } },
	{ ON_PACKED_IN_ORDER,
	  "packed_in_order",
	  { .layout = VHB_RING_PACKED, .num = 7, .has_in_order = true } },
	{ ON_SPLIT_BIG,
	  "split_big",
	  { .layout = VHB_RING_SPLIT, .num = VHB_RING_NUM_MAX } },
	{ ON_PACKED_BIG,
	  "packed_big",
	  { .layout = VHB_RING_PACKED, .num = VHB_RING_NUM_MAX } },
	{ ON_SPLIT_ONE, "split_one", { .layout = VHB_RING_SPLIT, .num = 1 } },
	{ ON_PACKED_ONE,
	  "packed_one",
	  { .layout = VHB_RING_PACKED, .num = 1 } },
};

#define TESTS_MAX 256
#define NAME_BYTES 96

static struct CMUnitTest tests[TESTS_MAX];
static char names[TESTS_MAX][NAME_BYTES];
static size_t test_count;

static void add_test(const struct ring_case *c, const struct kind *kind)
{
	struct CMUnitTest *test = &tests[test_count];

	if (test_count == TESTS_MAX)
		abort();
	snprintf(names[test_count], NAME_BYTES, "%s%s%s",
		 kind ? kind->name : "", kind ? "_" : "", c->name);
	test->name = names[test_count];
	test->test_func = c->function;
	test_count++;
	if (!kind)
		return;
	test->initial_state = (void *)&kind->config;
	if (c->is_bare)
		return;
	test->setup_func = ring_fixture_setup;
	test->teardown_func = ring_fixture_teardown;
}

int ring_fixture_run(const char *name, const struct ring_case *cases,
		     size_t count)
{
	size_t i, k;

	for (i = 0; i < count; i++) {
		if (cases[i].kinds == ON_NOTHING)
			add_test(&cases[i], NULL);
		for (k = 0; k < VHB_ARRAY_COUNT(kinds); k++) {
			if (cases[i].kinds & kinds[k].mask)
				add_test(&cases[i], &kinds[k]);
		}
	}
	return _cmocka_run_group_tests(name, tests, test_count, NULL, NULL);
}

int ring_fixture_setup(void **state)
{
	const struct vhb_ring_config *kind = *state;
	struct ring_fixture *f = calloc(1, sizeof(*f));
	u32 base = kind->layout == VHB_RING_PACKED ? PACKED_START : 0;

	if (!f)
		return -1;
	f->config = *kind;
	f->config.has_indirect = true;
	f->chain.segments = f->segments;
	ring_driver_init(&f->driver, &f->config);
	*state = f;
	if (vhb_ring_check(&f->config))
		return -1;
	if (vhb_ring_init(&f->ring, &f->config))
		return -1;
	return vhb_ring_start(&f->ring, &f->driver.memory.handle, base);
}

int ring_fixture_teardown(void **state)
{
	struct ring_fixture *f = *state;
	unsigned long stray_count = f->driver.memory.stray_count;

	vhb_ring_destroy(&f->ring);
	ring_driver_destroy(&f->driver);
	free(f);
	if (stray_count)
		print_error("%lu stray accesses\n", stray_count);
	return stray_count ? -1 : 0;
}

struct driver_buffer ring_fixture_buffer(u32 number, bool is_writable)
{
	return (struct driver_buffer){
		.gpa = 0x1000000000ull + number * 0x10001ull,
		.length_bytes = 100 + number,
		.is_writable = is_writable,
	};
}

int ring_fixture_add(struct ring_fixture *f, u32 readable_count,
		     u32 writable_count, enum driver_form form)
{
	const u32 count = readable_count + writable_count;
	struct driver_buffer *buffers = calloc(count, sizeof(*buffers));
	u32 i;
	int id;

	assert_non_null(buffers);
	for (i = 0; i < count; i++)
		buffers[i] = ring_fixture_buffer(i, i >= readable_count);
	id = ring_driver_add(&f->driver, buffers, count, form);
	free(buffers);
	return id;
}

struct vhb_used ring_fixture_pop(struct ring_fixture *f)
{
	struct vhb_used used = { .sequence = f->ring.sequence };

	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), 1);
	used.id = f->chain.id;
	used.slot_count = f->chain.slot_count;
	return used;
}

void ring_fixture_give(struct ring_fixture *f, struct vhb_used used)
{
	assert_int_equal(vhb_ring_push(&f->ring, &used), 0);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
}

void ring_fixture_expect_used(struct ring_fixture *f, u16 id, u32 written_bytes)
{
	u16 used_id = 0;
	u32 length = 0;

	assert_int_equal(ring_driver_take(&f->driver, &used_id, &length), 1);
	assert_int_equal(used_id, id);
	assert_int_equal(length, written_bytes);
}

void ring_fixture_expect_no_used(struct ring_fixture *f)
{
	u16 id;
	u32 length;

	assert_int_equal(ring_driver_take(&f->driver, &id, &length), 0);
}

void ring_fixture_expect_broken(struct ring_fixture *f,
				enum vhb_ring_fault fault)
{
	const unsigned long access_count = f->driver.memory.access_count;
	const struct vhb_used used = { .slot_count = 1 };
	const int error = f->ring.error;

	assert_int_equal(f->ring.fault, fault);
	assert_true(error < 0);
	assert_int_not_equal(error, -EAGAIN);
	assert_int_equal(vhb_ring_pop(&f->ring, &f->chain), error);
	assert_int_equal(vhb_ring_push(&f->ring, &used), error);
	assert_int_equal(vhb_ring_publish(&f->ring), error);
	assert_int_equal(vhb_ring_must_call(&f->ring), error);
	assert_int_equal(vhb_ring_disable_kicks(&f->ring), error);
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), error);
	assert_int_equal(f->ring.fault, fault);
	assert_int_equal(f->driver.memory.access_count, access_count);
}
