// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/refusal.h"

/* Rings at bad addresses; bad memory itself is in bad_memory_test.c */

#define ok(call) assert_int_equal(call, 0)

/* One behind the last byte of guest memory, as the front-end sees it */
#define END (FIXTURE_UVA + FIXTURE_MEMORY_BYTES)

static void refuse_addr(struct session_fixture *fixture,
			const struct vhb_wire_vring_addr *addr)
{
	const struct bad_message bad = {
		.request = VHB_SET_VRING_ADDR,
		.payload = addr,
		.size_bytes = sizeof(*addr),
	};

	refusal_expect(fixture, &bad);
}

/* Each part of a ring in turn at a bad address */
static void refuse_parts(struct session_fixture *fixture, uint64_t uva)
{
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	addr.desc_uva = uva;
	refuse_addr(fixture, &addr);
	addr = fixture_vring_addr(0);
	addr.avail_uva = uva;
	refuse_addr(fixture, &addr);
	addr = fixture_vring_addr(0);
	addr.used_uva = uva;
	refuse_addr(fixture, &addr);
}

static void a_ring_outside_every_region_never_reaches_the_kernel(void **state)
{
	static const uint64_t addresses[] = {
		0, 0x1000, FIXTURE_UVA - 0x10000, END, END + 0x10000,
		/* A guest address, mistaken for a user address */
		0x100000,
	};

	refusal_begin(*state);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(addresses); i++)
		refuse_parts(*state, addresses[i]);
}

static void a_ring_that_wraps_never_reaches_the_kernel(void **state)
{
	refusal_begin(*state);
	refuse_parts(*state, UINT64_MAX - 15);
	refuse_parts(*state, -(uint64_t)0x1000);
	refuse_parts(*state, INT64_MAX - 15);
}

static void a_ring_half_outside_never_reaches_the_kernel(void **state)
{
	refusal_begin(*state);
	/* Inside are all but the last bytes, or only the last ones. */
	refuse_parts(*state, END - 16);
	refuse_parts(*state, END - 512);
	refuse_parts(*state, FIXTURE_UVA - 16);
}

static void a_ring_may_end_where_its_region_ends_and_no_byte_later(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	refusal_begin(fixture);
	addr.desc_uva = END - 16 * FIXTURE_VRING_NUM;
	ok(frontend_set_vring_addr(frontend, &addr));
	fixture_forget_calls(fixture);
	addr.desc_uva += 16;
	refuse_addr(fixture, &addr);

	addr = fixture_vring_addr(0);
	addr.avail_uva = END - (6 + 2 * FIXTURE_VRING_NUM);
	ok(frontend_set_vring_addr(frontend, &addr));
	fixture_forget_calls(fixture);
	addr.avail_uva += 2;
	refuse_addr(fixture, &addr);

	addr = fixture_vring_addr(0);
	/* 6 + 8 * num bytes, of which the end is 4-aligned downwards */
	addr.used_uva = (END - (6 + 8 * FIXTURE_VRING_NUM)) & ~UINT64_C(3);
	ok(frontend_set_vring_addr(frontend, &addr));
	fixture_forget_calls(fixture);
	addr.used_uva += 4;
	refuse_addr(fixture, &addr);
}

/* Sizes that are no multiple of anything, as far as the specification goes */
static void a_region_may_end_at_any_byte(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	const struct vhb_wire_region region = {
		.gpa = 0x40000000,
		.size_bytes = 16 * FIXTURE_VRING_NUM + 0xfff,
		.uva = 0x40000000,
	};

	refusal_begin(fixture);
	ok(frontend_add_mem_reg(&fixture->frontend, &region,
				fixture->memory.fd));
	fixture_forget_calls(fixture);
	addr.desc_uva = region.uva + 0x1000;
	assert_int_not_equal(frontend_set_vring_addr(&fixture->frontend, &addr),
			     0);
	fixture_expect_calls(fixture, "");
	addr.desc_uva -= 16;
	ok(frontend_set_vring_addr(&fixture->frontend, &addr));
}

static void a_ring_across_two_regions_never_reaches_the_kernel(void **state)
{
	struct session_fixture *fixture = *state;
	struct guest_memory next;

	refusal_begin(fixture);
	/* Neighbours in guest and in user addresses, in different files */
	ok(guest_memory_create(&next, 2, FIXTURE_MEMORY_BYTES, END));
	for (unsigned int i = 0; i < 3; i++) {
		struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

		if (i == 0)
			addr.desc_uva = END - 16;
		else if (i == 1)
			addr.avail_uva = END - 16;
		else
			addr.used_uva = END - 16;
		ok(frontend_add_mem_reg(&fixture->frontend, &next.region,
					next.fd));
		fixture_forget_calls(fixture);
		assert_int_not_equal(frontend_set_vring_addr(&fixture->frontend,
							     &addr), 0);
		fixture_expect_calls(fixture, "");
		ok(frontend_rem_mem_reg(&fixture->frontend, &next.region));
	}
	guest_memory_destroy(&next);
}

static void a_ring_that_is_not_aligned_never_reaches_the_kernel(void **state)
{
	struct vhb_wire_vring_addr addr;

	refusal_begin(*state);
	for (unsigned int more = 1; more < 16; more++) {
		addr = fixture_vring_addr(0);
		addr.desc_uva += more;
		refuse_addr(*state, &addr);
	}
	addr = fixture_vring_addr(0);
	addr.avail_uva++;
	refuse_addr(*state, &addr);
	for (unsigned int more = 1; more < 4; more++) {
		addr = fixture_vring_addr(0);
		addr.used_uva += more;
		refuse_addr(*state, &addr);
	}
}

/* Aligned for the front-end, but its regions begin at odd places of their files. */
static void a_ring_that_an_odd_region_misaligns_never_reaches_the_kernel(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = {
		.index = 1,
		.desc_uva = FIXTURE_UVA + 0x10000000,
		.avail_uva = FIXTURE_UVA + 0x10008000,
		.used_uva = FIXTURE_UVA + 0x1000c000,
	};
	struct vhb_wire_region region;
	struct guest_memory odd;

	refusal_begin(fixture);
	ok(frontend_set_vring_num(&fixture->frontend, 1, 256));
	for (unsigned int more = 1; more < 16; more++) {
		ok(guest_memory_create(&odd, 2, 2 * FIXTURE_MEMORY_BYTES,
				       FIXTURE_UVA + 0x10000000));
		region = odd.region;
		region.size_bytes -= 4096;
		region.gpa += more;
		region.offset_bytes = more;
		ok(frontend_add_mem_reg(&fixture->frontend, &region, odd.fd));
		fixture_forget_calls(fixture);
		assert_int_not_equal(frontend_set_vring_addr(&fixture->frontend,
							     &addr), 0);
		fixture_expect_calls(fixture, "");
		ok(frontend_rem_mem_reg(&fixture->frontend, &region));
		guest_memory_destroy(&odd);
	}
}

/* Set up in an order in which no single message is wrong */
static void a_bad_ring_is_found_at_the_latest_when_it_would_start(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(1);

	refusal_begin(fixture);
	addr.used_uva = END - 64;
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_num(frontend, 1, 256));
	ok(frontend_set_vring_kick(frontend, 1, fixture->kick_fds[1]));
	assert_int_not_equal(frontend_set_vring_enable(frontend, 1, true), 0);
	fixture_expect_calls(fixture, "");
	/* One that fits makes it good. */
	ok(frontend_set_vring_num(frontend, 1, 4));
	ok(frontend_set_vring_enable(frontend, 1, true));
	assert_true(recorder_is_running(fixture->recorder, 1));
}

static void a_size_that_no_longer_fits_is_found_when_it_would_start(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	refusal_begin(fixture);
	addr.desc_uva = END - 16 * FIXTURE_VRING_NUM;
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_num(frontend, 0, 32768));
	fixture_forget_calls(fixture);
	assert_int_not_equal(frontend_set_vring_kick(frontend, 0,
						     fixture->kick_fds[0]), 0);
	fixture_expect_calls(fixture, "");
	assert_false(recorder_is_running(fixture->recorder, 0));
}

/* The hole is in the kernel's region but in none of the front-end's. */
static void a_ring_in_a_hole_between_regions_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	struct guest_memory next;

	refusal_begin(fixture);
	ok(guest_memory_create(&next, 2, 2 * FIXTURE_MEMORY_BYTES,
			       FIXTURE_UVA + 2 * FIXTURE_MEMORY_BYTES));
	ok(frontend_add_mem_reg(&fixture->frontend, &next.region, next.fd));
	fixture_forget_calls(fixture);
	addr.used_uva = END + 0x1000;
	assert_int_not_equal(frontend_set_vring_addr(&fixture->frontend, &addr),
			     0);
	fixture_expect_calls(fixture, "");
	guest_memory_destroy(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_ring_outside_every_region_never_reaches_the_kernel),
		fixture_test(a_ring_that_wraps_never_reaches_the_kernel),
		fixture_test(a_ring_half_outside_never_reaches_the_kernel),
		fixture_test(a_ring_may_end_where_its_region_ends_and_no_byte_later),
		fixture_test(a_region_may_end_at_any_byte),
		fixture_test(a_ring_across_two_regions_never_reaches_the_kernel),
		fixture_test(a_ring_that_is_not_aligned_never_reaches_the_kernel),
		fixture_test(a_ring_that_an_odd_region_misaligns_never_reaches_the_kernel),
		fixture_test(a_bad_ring_is_found_at_the_latest_when_it_would_start),
		fixture_test(a_size_that_no_longer_fits_is_found_when_it_would_start),
		fixture_test(a_ring_in_a_hole_between_regions_is_refused),
	};

	return cmocka_run_group_tests_name("bad rings", tests, NULL, NULL);
}
