/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_TEST_MEMORY_H
#define VHB_TEST_MEMORY_H

#include <linux/types.h>

#include "memory/memory.h"

/**
 * DOC: guest memory for tests
 *
 * Implements memory/memory.h on a piece of the heap. It counts accesses, can
 * let one fail, tells a hook of each, and knows which of them were none of the
 * ring's business: outside its areas, not aligned, or writing where it has
 * nothing to write.
 *
 * Guest and area addresses differ, and neither starts at 0: what takes one for
 * the other or forgets to add is outside.
 */

/** Guest address of the first byte */
#define TEST_GUEST_BASE 0x100000000ull

/** Area address of the first byte */
#define TEST_AREA_BASE 0x7f0000000000ull

/** Areas a ring has */
#define TEST_AREAS 3

/**
 * struct test_access - what happened
 * @addr: area or guest address
 * @size_bytes: how much
 * @is_area: @addr is an area address
 * @is_write: written rather than read
 * @bytes: what was read or written
 */
struct test_access {
	u64 addr;
	size_t size_bytes;
	bool is_area;
	bool is_write;
	const void *bytes;
};

/**
 * struct test_area - where a ring may be touched
 * @addr: area address
 * @size_bytes: length
 * @is_writable: by the device
 */
struct test_area {
	u64 addr;
	u64 size_bytes;
	bool is_writable;
};

struct test_memory;

/**
 * struct vhb_memory - what the ring is given
 * @test: what it stands for
 */
struct vhb_memory {
	struct test_memory *test;
};

/**
 * struct test_memory - guest memory
 * @handle: for the ring
 * @bytes: the memory
 * @size_bytes: its length
 * @areas: where the ring may be touched
 * @access_count: accesses so far, failed ones too
 * @fail_at: @access_count at which one fails; once
 * @fail_error: with this error; 0 for never
 * @stray_count: accesses that must not be; those outside memory fail as well
 * @read_counts: for each byte, how often it was read
 * @most_reads: the largest of those; since test_memory_forget_reads()
 * @read_low: no byte below was read
 * @read_high: nor one from here on
 * @on_access: called after each access that succeeded; NULL for none
 * @context: for @on_access
 */
struct test_memory {
	struct vhb_memory handle;
	u8 *bytes;
	size_t size_bytes;
	struct test_area areas[TEST_AREAS];
	unsigned long access_count;
	unsigned long fail_at;
	int fail_error;
	unsigned long stray_count;
	u8 *read_counts;
	u8 most_reads;
	size_t read_low;
	size_t read_high;
	void (*on_access)(void *context, const struct test_access *access);
	void *context;
};

/**
 * test_memory_init() - zeroed memory without areas
 * @memory: uninitialized
 * @size_bytes: its length
 */
void test_memory_init(struct test_memory *memory, size_t size_bytes);

/**
 * test_memory_destroy() - free it
 * @memory: initialized
 */
void test_memory_destroy(struct test_memory *memory);

/**
 * test_memory_fail_in() - let an access fail, once
 * @memory: the memory
 * @count: how many accesses succeed before it
 * @error: what it fails with
 */
void test_memory_fail_in(struct test_memory *memory, unsigned long count,
			 int error);

/**
 * test_memory_forget_reads() - count anew how often bytes are read
 * @memory: the memory
 */
void test_memory_forget_reads(struct test_memory *memory);

/*
 * The driver's own access, by offset; not counted.
 */

u16 test_memory_get16(const struct test_memory *memory, size_t offset);
u32 test_memory_get32(const struct test_memory *memory, size_t offset);
void test_memory_put16(struct test_memory *memory, size_t offset, u16 value);
void test_memory_put32(struct test_memory *memory, size_t offset, u32 value);
void test_memory_put64(struct test_memory *memory, size_t offset, u64 value);

#endif
