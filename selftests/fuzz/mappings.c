// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/mappings.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz/must.h"

/* Each region may leave a stretch of nothing between it and the next. */
#define AREA_COUNT_MAX 4096

/** struct area - addresses from @start to before @end */
struct area {
	uint64_t start;
	uint64_t end;
	bool is_file;
};

static struct area areas[AREA_COUNT_MAX];
static unsigned int area_count;
static unsigned int fail_nth;

void mappings_fail_nth(unsigned int nth)
{
	fail_nth = nth;
}

uint64_t mappings_bytes(void)
{
	uint64_t size_bytes = 0;

	for (unsigned int i = 0; i < area_count; i++)
		size_bytes += areas[i].end - areas[i].start;
	return size_bytes;
}

/* Sorted, so that one look from the first to the last is enough */
static bool is_covered(uint64_t start, uint64_t size_bytes, bool by_files)
{
	const uint64_t end = start + size_bytes;

	if (end < start)
		return false;
	for (unsigned int i = 0; i < area_count && start < end; i++) {
		if (areas[i].end <= start)
			continue;
		if (areas[i].start > start || (by_files && !areas[i].is_file))
			return false;
		start = areas[i].end;
	}
	return start >= end;
}

bool mappings_are_ours(uint64_t start, uint64_t size_bytes)
{
	return is_covered(start, size_bytes, false);
}

bool mappings_are_files(uint64_t start, uint64_t size_bytes)
{
	return is_covered(start, size_bytes, true);
}

static void insert(unsigned int at, struct area area)
{
	must(area_count < AREA_COUNT_MAX);
	memmove(&areas[at + 1], &areas[at],
		(area_count - at) * sizeof(areas[0]));
	areas[at] = area;
	area_count++;
}

static void remove_at(unsigned int at)
{
	area_count--;
	memmove(&areas[at], &areas[at + 1],
		(area_count - at) * sizeof(areas[0]));
}

/* Return: where a new area for it belongs. */
static unsigned int carve(uint64_t start, uint64_t end)
{
	unsigned int i = 0;

	while (i < area_count && areas[i].end <= start)
		i++;
	if (i < area_count && areas[i].start < start) {
		const struct area rest = areas[i];

		areas[i++].end = start;
		if (rest.end > end)
			insert(i, (struct area){ end, rest.end, rest.is_file });
	}
	while (i < area_count && areas[i].end <= end)
		remove_at(i);
	if (i < area_count && areas[i].start < end)
		areas[i].start = end;
	return i;
}

void *fuzz_mmap(void *address, size_t size_bytes, int protection, int flags,
		int fd, off_t offset_bytes)
{
	uint64_t start;
	void *mapped;

	if (fail_nth && !--fail_nth) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	if (flags & MAP_FIXED)
		must(mappings_are_ours((uintptr_t)address, size_bytes));
	mapped = mmap(address, size_bytes, protection, flags, fd, offset_bytes);
	if (mapped == MAP_FAILED)
		return mapped;
	start = (uintptr_t)mapped;
	/* The kernel counts in pages. */
	size_bytes = (size_bytes + 4095) & ~UINT64_C(4095);
	insert(carve(start, start + size_bytes),
	       (struct area){ start, start + size_bytes, fd >= 0 });
	return mapped;
}

int fuzz_munmap(void *address, size_t size_bytes)
{
	const uint64_t start = (uintptr_t)address;
	int ret;

	must(mappings_are_ours(start, size_bytes));
	ret = munmap(address, size_bytes);
	must(!ret);
	size_bytes = (size_bytes + 4095) & ~UINT64_C(4095);
	carve(start, start + size_bytes);
	return ret;
}
