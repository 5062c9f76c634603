// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/refusal.h"
#include "lib/session_fixture.h"

/* Packed virtqueues: sizes, layout, base. Addresses and base are a format's. */

#define ok(call) assert_int_equal(call, 0)

#define SPLIT (FIXTURE_VERSION_1 | FIXTURE_BIT30)
#define PACKED (SPLIT | FIXTURE_PACKED)
#define END (FIXTURE_UVA + FIXTURE_MEMORY_BYTES)

#define PACKED_DEVICE_LINES \
	"SET_OWNER\n" \
	"SET_FEATURES 0x500000000\n" \
	FIXTURE_TABLE_LINE

static void connect_packed(struct session_fixture *fixture)
{
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, PACKED, FIXTURE_BLK_PROTOCOL_FEATURES);
	fixture_declare_memory(fixture);
}

/* All of a vring; its base was given before, if at all */
static void set_up(struct session_fixture *fixture, unsigned int num,
		   const struct vhb_wire_vring_addr *addr)
{
	struct frontend *frontend = &fixture->frontend;

	ok(frontend_set_vring_num(frontend, 0, num));
	ok(frontend_set_vring_addr(frontend, addr));
	ok(frontend_set_vring_call(frontend, 0, fixture->call_fds[0]));
	ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
}

static void set_up_and_enable(struct session_fixture *fixture, unsigned int num,
			      uint32_t base)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	ok(frontend_set_vring_base(&fixture->frontend, 0, base));
	set_up(fixture, num, &addr);
	ok(frontend_set_vring_enable(&fixture->frontend, 0, true));
}

static void a_packed_vring_starts_with_both_halves_of_its_base(void **state)
{
	struct session_fixture *fixture = *state;

	connect_packed(fixture);
	set_up_and_enable(fixture, 256, 0x00108020);
	fixture_expect_calls(fixture,
			     PACKED_DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 1081376, kick0, call0));
}

static void any_size_up_to_32768_is_possible(void **state)
{
	static const unsigned int sizes[] = { 1, 3, 255, 1000, 32767, 32768 };
	struct session_fixture *fixture = *state;
	unsigned int base;

	connect_packed(fixture);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(sizes); i++) {
		struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

		addr.avail_uva = FIXTURE_UVA;
		addr.used_uva = FIXTURE_UVA + 4;
		ok(frontend_set_vring_base(&fixture->frontend, 0, 0x80008000));
		set_up(fixture, sizes[i], &addr);
		ok(frontend_set_vring_enable(&fixture->frontend, 0, true));
		assert_true(recorder_is_running(fixture->recorder, 0));
		ok(frontend_get_vring_base(&fixture->frontend, 0, &base));
	}
}

static void sizes_beyond_are_refused(void **state)
{
	struct session_fixture *fixture = *state;

	connect_packed(fixture);
	assert_int_equal(frontend_set_vring_num(&fixture->frontend, 0, 0),
			 -EREMOTEIO);
	assert_int_equal(frontend_set_vring_num(&fixture->frontend, 0, 32769),
			 -EREMOTEIO);
	assert_int_equal(frontend_set_vring_num(&fixture->frontend, 0,
						UINT32_MAX), -EREMOTEIO);
}

/* Descriptors of 16 bytes, and four bytes at both event structures */
static void the_parts_fit_the_end_of_memory_to_the_byte(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	connect_packed(fixture);
	addr.desc_uva = END - 16 * 10;
	addr.avail_uva = END - 4;
	addr.used_uva = END - 4;
	set_up(fixture, 10, &addr);
	ok(frontend_set_vring_enable(frontend, 0, true));
	assert_true(recorder_is_running(fixture->recorder, 0));

	addr.desc_uva += 16;
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), -EREMOTEIO);
	addr.desc_uva -= 16;
	addr.avail_uva += 4;
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), -EREMOTEIO);
	addr.avail_uva -= 4;
	addr.used_uva += 4;
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), -EREMOTEIO);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void event_structures_are_aligned_to_four(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	connect_packed(fixture);
	ok(frontend_set_vring_num(frontend, 0, 16));
	addr.avail_uva += 2;
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), -EREMOTEIO);
	addr.avail_uva += 2;
	ok(frontend_set_vring_addr(frontend, &addr));
	addr.used_uva += 2;
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), -EREMOTEIO);
}

/* VIRTIO 1.2, 2.8.1: both wrap counters begin as one. */
static void a_vring_without_a_base_begins_at_the_beginning(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	unsigned int base;

	connect_packed(fixture);
	set_up(fixture, 256, &addr);
	ok(frontend_get_vring_base(&fixture->frontend, 1, &base));
	assert_int_equal(base, 0x80008000);
	ok(frontend_set_vring_enable(&fixture->frontend, 0, true));
	fixture_expect_calls(fixture,
			     PACKED_DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 2147516416, kick0, call0));
}

/* DPDK gives the half of available descriptors alone. */
static void half_a_base_goes_for_both_halves(void **state)
{
	struct session_fixture *fixture = *state;

	connect_packed(fixture);
	set_up_and_enable(fixture, 256, 0x8000);
	fixture_expect_calls(fixture,
			     PACKED_DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 2147516416, kick0, call0));
}

/* Zero is a place like any other: the beginning, the second time round. */
static void a_base_of_zero_is_a_base(void **state)
{
	struct session_fixture *fixture = *state;

	connect_packed(fixture);
	set_up_and_enable(fixture, 256, 0);
	fixture_expect_calls(fixture,
			     PACKED_DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
}

/* But not for User-Mode Linux, which says zero of a new vring. */
static void user_mode_linux_means_the_beginning(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, PACKED,
			  vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
			  vhb_bit(VHB_PROTOCOL_F_BACKEND_REQ) |
			  vhb_bit(VHB_PROTOCOL_F_CONFIG));
	fixture_declare_memory(fixture);
	set_up_and_enable(fixture, 256, 0);
	fixture_expect_calls(fixture,
			     PACKED_DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 2147516416, kick0, call0));
	/* What the kernel says is meant, zero too. */
	recorder_set_base(fixture->recorder, 0, 0);
	ok(frontend_set_vring_enable(&fixture->frontend, 0, false));
	ok(frontend_set_vring_enable(&fixture->frontend, 0, true));
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
}

static void the_base_of_a_stopped_vring_is_told_whole(void **state)
{
	struct session_fixture *fixture = *state;
	unsigned int base;

	connect_packed(fixture);
	set_up_and_enable(fixture, 256, 0x80008000);
	recorder_set_base(fixture->recorder, 0, 0x00118011);
	ok(frontend_get_vring_base(&fixture->frontend, 0, &base));
	assert_int_equal(base, 0x00118011);
	fixture_forget_calls(fixture);
	set_up_and_enable(fixture, 256, base);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void a_base_beyond_the_ring_is_refused(void **state)
{
	static const uint32_t bases[] = {
		0x8100, 0x01008000, 0x7fff, 0x7fff0000, UINT32_MAX,
	};
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(bases); i++) {
		const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

		connect_packed(fixture);
		set_up(fixture, 256, &addr);
		ok(frontend_set_vring_base(frontend, 0, bases[i]));
		assert_int_equal(frontend_set_vring_enable(frontend, 0, true),
				 -EREMOTEIO);
		fixture_expect_alive(fixture);
		fixture_disconnect(fixture);
	}
	fixture_expect_calls(fixture,
			     "RESET\nRESET\nRESET\nRESET\nRESET\n");
}

/* Order is free: the format may come last. */
static void numbers_before_the_features_are_judged_with_them(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	ok(frontend_set_protocol_features(frontend,
					  FIXTURE_BLK_PROTOCOL_FEATURES));
	fixture_declare_memory(fixture);
	/* As a split one it would not lie in memory. */
	addr.used_uva = END - 4;
	set_up(fixture, 100, &addr);
	ok(frontend_set_vring_base(frontend, 0, 0x00058005));
	ok(frontend_set_vring_enable(frontend, 0, true));
	fixture_expect_calls(fixture, "");
	assert_int_equal(frontend_set_features(frontend, SPLIT), -EREMOTEIO);
	fixture_expect_calls(fixture, "");
	ok(frontend_set_features(frontend, PACKED));
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void split_rules_hold_when_packed_was_not_acked(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, SPLIT, FIXTURE_BLK_PROTOCOL_FEATURES);
	assert_int_equal(frontend_set_vring_num(frontend, 0, 100), -EREMOTEIO);
	assert_int_equal(frontend_set_vring_base(frontend, 0, 0x10000),
			 -EREMOTEIO);
	ok(frontend_set_vring_num(frontend, 0, 128));
	ok(frontend_set_vring_base(frontend, 0, 0xffff));
}

/* Firmware with the one, the operating system with the other */
static void the_next_driver_may_choose_the_other_format(void **state)
{
	struct session_fixture *fixture = *state;
	unsigned int base;

	connect_packed(fixture);
	set_up_and_enable(fixture, 256, 0x80008000);
	ok(frontend_get_vring_base(&fixture->frontend, 0, &base));
	fixture_forget_calls(fixture);
	ok(frontend_set_features(&fixture->frontend, SPLIT));
	set_up_and_enable(fixture, 256, 0);
	fixture_expect_calls(fixture,
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
}

/* Nobody does that; the kernel must not get one layout's base for the other. */
static void a_vring_that_changes_its_format_while_it_runs_begins_anew(void **state)
{
	struct session_fixture *fixture = *state;

	connect_packed(fixture);
	set_up_and_enable(fixture, 256, 0x00108020);
	fixture_forget_calls(fixture);
	ok(frontend_set_features(&fixture->frontend, SPLIT));
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
	recorder_advance(fixture->recorder, 0, 1000);
	ok(frontend_set_features(&fixture->frontend, PACKED));
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     "SET_FEATURES 0x500000000\n"
			     FIXTURE_START_LINES(0, 256, 2147516416, kick0, call0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		blk_fixture_test(a_packed_vring_starts_with_both_halves_of_its_base),
		blk_fixture_test(any_size_up_to_32768_is_possible),
		blk_fixture_test(sizes_beyond_are_refused),
		blk_fixture_test(the_parts_fit_the_end_of_memory_to_the_byte),
		blk_fixture_test(event_structures_are_aligned_to_four),
		blk_fixture_test(a_vring_without_a_base_begins_at_the_beginning),
		blk_fixture_test(half_a_base_goes_for_both_halves),
		blk_fixture_test(a_base_of_zero_is_a_base),
		blk_fixture_test(user_mode_linux_means_the_beginning),
		blk_fixture_test(the_base_of_a_stopped_vring_is_told_whole),
		blk_fixture_test(a_base_beyond_the_ring_is_refused),
		blk_fixture_test(numbers_before_the_features_are_judged_with_them),
		blk_fixture_test(split_rules_hold_when_packed_was_not_acked),
		blk_fixture_test(the_next_driver_may_choose_the_other_format),
		blk_fixture_test(a_vring_that_changes_its_format_while_it_runs_begins_anew),
	};

	return cmocka_run_group_tests_name("packed virtqueues", tests, NULL,
					   NULL);
}
