/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BLK_VARIANTS_H
#define SELFTESTS_LIB_BLK_VARIANTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/bridge_blk.h"

/**
 * DOC: the same tests of the block device on several disks and both layouts
 */

/**
 * struct blk_variant - what a test runs on: its state
 * @disk: the disk, which may be missing: disk_need()
 * @is_packed: layout of the rings
 */
struct blk_variant {
	struct disk *disk;
	bool is_packed;
};

/**
 * struct blk_case - a test
 * @name: its name
 * @function: the test
 */
struct blk_case {
	const char *name;
	CMUnitTestFunction function;
};

#define BLK_CASE(function) { #function, function }

/**
 * struct blk_suite - tests, and what they run on
 * @name: of the group
 * @cases: the tests
 * @case_count: how many
 * @kinds: the disks
 * @kind_count: how many
 * @set_up: before each test
 * @tear_down: after each
 */
struct blk_suite {
	const char *name;
	const struct blk_case *cases;
	size_t case_count;
	const enum disk_kind *kinds;
	size_t kind_count;
	CMFixtureFunction set_up;
	CMFixtureFunction tear_down;
};

/** blk_run_suite() - each test on each disk, split and packed; as cmocka's runner */
int blk_run_suite(const struct blk_suite *suite);

#endif
