/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_DIRTY_CHECK_H
#define VHB_SELFTESTS_DIRTY_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/frontend_log.h"
#include "lib/guest_memory.h"

/**
 * DOC: does the dirty log tell the truth?
 *
 * Memory is copied, traffic flows, and the pages that differ then are compared
 * with those marked. What the driver alone writes must not be marked; all else
 * that has changed must be.
 */

/** Regions one check can have */
#define DIRTY_CHECK_REGIONS_MAX 4

/**
 * struct dirty_check - a guest's memory as it was
 * @memory: its regions
 * @region_count: how many
 * @copies: of them
 * @is_drivers: is this page one that the device never writes?
 * @argument: handed to it
 */
struct dirty_check {
	const struct guest_memory *memory[DIRTY_CHECK_REGIONS_MAX];
	unsigned int region_count;
	uint8_t *copies[DIRTY_CHECK_REGIONS_MAX];
	bool (*is_drivers)(void *argument, uint64_t gpa);
	void *argument;
};

/**
 * struct dirty_count - what a check saw
 * @changed: pages that differ, without the driver's
 * @marked: pages marked
 * @missed: changed, but not marked
 * @wrong: the driver's, or of no region, but marked
 */
struct dirty_count {
	unsigned int changed;
	unsigned int marked;
	unsigned int missed;
	unsigned int wrong;
};

/** dirty_check_open() - @memory, @region_count, @is_drivers and @argument are set */
void dirty_check_open(struct dirty_check *check);

/** dirty_check_close() - free the copies */
void dirty_check_close(struct dirty_check *check);

/** dirty_check_take() - copy memory as it is now */
void dirty_check_take(struct dirty_check *check);

/**
 * dirty_check_compare() - with what was marked since the copy
 * @check: the copy
 * @log: what was marked until a moment ago
 * @next: where it is marked now: a page may change while this looks
 *
 * Return: the counts; what is wrong is printed.
 */
struct dirty_count dirty_check_compare(const struct dirty_check *check,
				       const struct frontend_log *log,
				       const struct frontend_log *next);

#endif
