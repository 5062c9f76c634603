/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_RING_FIXTURE_H
#define VHB_RING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "ring/ring_driver.h"

/**
 * DOC: a ring and its driver for each case
 *
 * A case gets a started ring and a driver that has added nothing, in the variant
 * of its initial state. When it ends, memory must not have been touched where
 * the ring has no business.
 */

/**
 * struct ring_fixture - what a case works with
 * @config: how the ring was set up
 * @driver: the driver's side
 * @ring: the device's side
 * @segments: room for @chain
 * @chain: for vhb_ring_pop()
 */
struct ring_fixture {
	struct vhb_ring_config config;
	struct ring_driver driver;
	struct vhb_ring ring;
	struct vhb_segment segments[VHB_RING_SEGMENTS_MAX];
	struct vhb_chain chain;
};

/*
 * Kinds of rings to run cases on, as a mask.
 */
#define ON_SPLIT 0x001
#define ON_PACKED 0x002
#define ON_PACKED_ODD 0x004 /* of a size no split ring has */
#define ON_SPLIT_EVENT_IDX 0x008
#define ON_PACKED_EVENT_IDX 0x010
#define ON_SPLIT_IN_ORDER 0x020
#define ON_PACKED_IN_ORDER 0x040
#define ON_SPLIT_BIG 0x080
#define ON_PACKED_BIG 0x100
#define ON_SPLIT_ONE 0x200
#define ON_PACKED_ONE 0x400
/* On none: without a ring, once */
#define ON_NOTHING 0

#define ON_BOTH (ON_SPLIT | ON_PACKED | ON_PACKED_ODD)
#define ON_EVENT_IDX (ON_SPLIT_EVENT_IDX | ON_PACKED_EVENT_IDX)
#define ON_IN_ORDER (ON_SPLIT_IN_ORDER | ON_PACKED_IN_ORDER)
#define ON_BIG (ON_SPLIT_BIG | ON_PACKED_BIG)
#define ON_ONE (ON_SPLIT_ONE | ON_PACKED_ONE)

/**
 * struct ring_case - a case, to be run on kinds of rings
 * @name: what holds
 * @function: checks it
 * @kinds: ON_...
 * @is_bare: @function gets its kind of ring (struct vhb_ring_config) and makes
 *           fixtures as it likes, instead of one
 */
struct ring_case {
	const char *name;
	CMUnitTestFunction function;
	unsigned int kinds;
	bool is_bare;
};

#define RING_CASE(function, kinds) { #function, function, kinds, false }
#define BARE_RING_CASE(function, kinds) { #function, function, kinds, true }

/**
 * ring_fixture_run() - run cases
 * @name: of the group
 * @cases: the cases
 * @count: how many
 *
 * Return: for main().
 */
int ring_fixture_run(const char *name, const struct ring_case *cases,
		     size_t count);

/**
 * ring_fixture_setup() - make a fixture
 * @state: points to the kind of ring (struct vhb_ring_config), then to the
 *         fixture
 *
 * Return: 0 or -1.
 */
int ring_fixture_setup(void **state);

/**
 * ring_fixture_teardown() - the end of a fixture
 * @state: points to the fixture
 *
 * Return: 0, or -1 when memory was touched where it must not be.
 */
int ring_fixture_teardown(void **state);

/**
 * ring_fixture_buffer() - a buffer of its own for each number
 * @number: any
 * @is_writable: by the device
 *
 * Return: the buffer.
 */
struct driver_buffer ring_fixture_buffer(u32 number, bool is_writable);

/**
 * ring_fixture_add() - make a chain available
 * @f: fixture
 * @readable_count: buffers the device may read
 * @writable_count: buffers the device may write
 * @form: how it is laid out
 *
 * Its buffers are those of ring_fixture_buffer() from 0 on.
 *
 * Return: its ID, or -1 when there is no room.
 */
int ring_fixture_add(struct ring_fixture *f, u32 readable_count,
		     u32 writable_count, enum driver_form form);

/**
 * ring_fixture_pop() - take a chain that must be there
 * @f: fixture; its chain is filled in
 *
 * Return: for vhb_ring_push(), nothing written.
 */
struct vhb_used ring_fixture_pop(struct ring_fixture *f);

/**
 * ring_fixture_give() - push and publish what must be pushed without error
 * @f: fixture
 * @used: what
 */
void ring_fixture_give(struct ring_fixture *f, struct vhb_used used);

/**
 * ring_fixture_expect_used() - the driver must find this chain next
 * @f: fixture
 * @id: its ID
 * @written_bytes: its length
 */
void ring_fixture_expect_used(struct ring_fixture *f, u16 id,
			      u32 written_bytes);

/**
 * ring_fixture_expect_no_used() - the driver must find nothing
 * @f: fixture
 */
void ring_fixture_expect_no_used(struct ring_fixture *f);

/**
 * ring_fixture_expect_broken() - all calls must fail and leave memory alone
 * @f: fixture
 * @fault: what must be said to be wrong
 */
void ring_fixture_expect_broken(struct ring_fixture *f,
				enum vhb_ring_fault fault);

#endif
