// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ring/test_memory.h"

void test_memory_init(struct test_memory *memory, size_t size_bytes)
{
	memset(memory, 0, sizeof(*memory));
	memory->handle.test = memory;
	memory->bytes = calloc(1, size_bytes);
	memory->read_counts = calloc(1, size_bytes);
	if (!memory->bytes || !memory->read_counts)
		abort();
	memory->size_bytes = size_bytes;
	memory->read_low = size_bytes;
}

void test_memory_destroy(struct test_memory *memory)
{
	free(memory->bytes);
	free(memory->read_counts);
}

void test_memory_fail_in(struct test_memory *memory, unsigned long count,
			 int error)
{
	memory->fail_at = memory->access_count + count;
	memory->fail_error = error;
}

void test_memory_forget_reads(struct test_memory *memory)
{
	if (memory->most_reads)
		memset(memory->read_counts + memory->read_low, 0,
		       memory->read_high - memory->read_low);
	memory->most_reads = 0;
	memory->read_low = memory->size_bytes;
	memory->read_high = 0;
}

static bool is_in_area(const struct test_memory *memory, u64 addr,
		       size_t size_bytes, bool is_write)
{
	const struct test_area *area;

	for (area = memory->areas; area < memory->areas + TEST_AREAS; area++) {
		if (addr >= area->addr &&
		    addr - area->addr < area->size_bytes &&
		    size_bytes <= area->size_bytes - (addr - area->addr) &&
		    (area->is_writable || !is_write))
			return true;
	}
	return false;
}

static void count_reads(struct test_memory *memory, size_t offset,
			size_t size_bytes)
{
	size_t i;

	for (i = offset; i < offset + size_bytes; i++) {
		if (memory->read_counts[i] < UINT8_MAX)
			memory->read_counts[i]++;
		if (memory->read_counts[i] > memory->most_reads)
			memory->most_reads = memory->read_counts[i];
	}
	if (offset < memory->read_low)
		memory->read_low = offset;
	if (offset + size_bytes > memory->read_high)
		memory->read_high = offset + size_bytes;
}

static int touch(const struct vhb_memory *handle, struct test_access access,
		 void *to)
{
	struct test_memory *memory = handle->test;
	u64 offset = access.addr -
		     (access.is_area ? TEST_AREA_BASE : TEST_GUEST_BASE);

	if (access.is_area
		    ? !is_in_area(memory, access.addr, access.size_bytes,
				  access.is_write)
		    : access.is_write)
		memory->stray_count++;
	if (memory->access_count++ == memory->fail_at && memory->fail_error)
		return memory->fail_error;
	if (offset >= memory->size_bytes ||
	    access.size_bytes > memory->size_bytes - offset)
		return -EFAULT;
	if (access.is_write) {
		memcpy(memory->bytes + offset, access.bytes, access.size_bytes);
	} else {
		memcpy(to, memory->bytes + offset, access.size_bytes);
		count_reads(memory, offset, access.size_bytes);
		access.bytes = to;
	}
	if (memory->on_access)
		memory->on_access(memory->context, &access);
	return 0;
}

static void must_be_aligned(const struct vhb_memory *handle, u64 addr)
{
	if (addr & 1)
		handle->test->stray_count++;
}

int vhb_area_read16(const struct vhb_memory *memory, u64 addr, u16 *value_out)
{
	u16 value;
	int ret;

	must_be_aligned(memory, addr);
	ret = touch(memory,
		    (struct test_access){ .addr = addr,
					  .size_bytes = sizeof(value),
					  .is_area = true },
		    &value);
	if (!ret)
		*value_out = le16toh(value);
	return ret;
}

int vhb_area_write16(const struct vhb_memory *memory, u64 addr, u16 value)
{
	u16 raw = htole16(value);

	must_be_aligned(memory, addr);
	return touch(memory,
		     (struct test_access){ .addr = addr,
					   .size_bytes = sizeof(raw),
					   .is_area = true,
					   .is_write = true,
					   .bytes = &raw },
		     NULL);
}

int vhb_area_read(const struct vhb_memory *memory, u64 addr, void *to,
		  size_t size_bytes)
{
	return touch(memory,
		     (struct test_access){ .addr = addr,
					   .size_bytes = size_bytes,
					   .is_area = true },
		     to);
}

int vhb_area_write(const struct vhb_memory *memory, u64 addr, const void *from,
		   size_t size_bytes)
{
	return touch(memory,
		     (struct test_access){ .addr = addr,
					   .size_bytes = size_bytes,
					   .is_area = true,
					   .is_write = true,
					   .bytes = from },
		     NULL);
}

int vhb_guest_read(const struct vhb_memory *memory, u64 gpa, void *to,
		   size_t size_bytes)
{
	return touch(memory,
		     (struct test_access){ .addr = gpa,
					   .size_bytes = size_bytes },
		     to);
}

int vhb_guest_write(const struct vhb_memory *memory, u64 gpa, const void *from,
		    size_t size_bytes)
{
	return touch(memory,
		     (struct test_access){ .addr = gpa,
					   .size_bytes = size_bytes,
					   .is_write = true,
					   .bytes = from },
		     NULL);
}

u16 test_memory_get16(const struct test_memory *memory, size_t offset)
{
	u16 value;

	memcpy(&value, memory->bytes + offset, sizeof(value));
	return le16toh(value);
}

u32 test_memory_get32(const struct test_memory *memory, size_t offset)
{
	u32 value;

	memcpy(&value, memory->bytes + offset, sizeof(value));
	return le32toh(value);
}

void test_memory_put16(struct test_memory *memory, size_t offset, u16 value)
{
	value = htole16(value);
	memcpy(memory->bytes + offset, &value, sizeof(value));
}

void test_memory_put32(struct test_memory *memory, size_t offset, u32 value)
{
	value = htole32(value);
	memcpy(memory->bytes + offset, &value, sizeof(value));
}

void test_memory_put64(struct test_memory *memory, size_t offset, u64 value)
{
	value = htole64(value);
	memcpy(memory->bytes + offset, &value, sizeof(value));
}
