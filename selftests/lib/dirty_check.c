// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/dirty_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/dirty_log.h"

#define PAGE VHB_DIRTY_LOG_PAGE_BYTES
#define SHOWN_MAX 8

void dirty_check_open(struct dirty_check *check)
{
	for (unsigned int i = 0; i < check->region_count; i++) {
		check->copies[i] = malloc(check->memory[i]->region.size_bytes);
		if (!check->copies[i])
			abort();
	}
}

void dirty_check_close(struct dirty_check *check)
{
	for (unsigned int i = 0; i < DIRTY_CHECK_REGIONS_MAX; i++) {
		free(check->copies[i]);
		check->copies[i] = NULL;
	}
}

void dirty_check_take(struct dirty_check *check)
{
	for (unsigned int i = 0; i < check->region_count; i++)
		memcpy(check->copies[i], check->memory[i]->base,
		       check->memory[i]->region.size_bytes);
}

static void say(const struct dirty_count *count, const char *what, uint64_t gpa)
{
	if (count->missed + count->wrong <= SHOWN_MAX)
		printf("# page %#llx: %s\n", (unsigned long long)gpa, what);
}

static void look_at(const struct dirty_check *check, uint64_t gpa,
		    bool has_changed, bool is_marked, struct dirty_count *count)
{
	if (check->is_drivers(check->argument, gpa)) {
		if (is_marked) {
			count->wrong++;
			say(count, "the driver's, but marked", gpa);
		}
		return;
	}
	count->changed += has_changed;
	if (has_changed && !is_marked) {
		count->missed++;
		say(count, "has changed, but is not marked", gpa);
	}
}

struct dirty_count dirty_check_compare(const struct dirty_check *check,
				       const struct frontend_log *log,
				       const struct frontend_log *next)
{
	struct dirty_count count = { .marked = frontend_log_count(log) };
	unsigned int seen = 0;

	for (unsigned int i = 0; i < check->region_count; i++) {
		const struct guest_memory *memory = check->memory[i];

		for (uint64_t at = 0; at < memory->region.size_bytes;
		     at += PAGE) {
			const uint64_t gpa = memory->region.gpa + at;
			const bool has_changed = memcmp(check->copies[i] + at,
							memory->base + at,
							PAGE);
			const bool is_marked = frontend_log_has(log, gpa);

			seen += is_marked;
			look_at(check, gpa, has_changed,
				is_marked || frontend_log_has(next, gpa),
				&count);
		}
	}
	if (seen != count.marked) {
		printf("# %u pages are marked that are in no region\n",
		       count.marked - seen);
		count.wrong += count.marked - seen;
	}
	return count;
}
