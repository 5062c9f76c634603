// SPDX-License-Identifier: GPL-2.0-only
#include "memory/log.h"

#include <linux/bitops.h>
#include <linux/eventfd.h>
#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "memory/view.h"

#define BITS_PER_PAGE (PAGE_SIZE * BITS_PER_BYTE)

int vhb_log_check(u64 base, u64 gpa, u64 size_bytes)
{
	const u64 first = gpa / VHB_LOG_PAGE_BYTES / BITS_PER_BYTE;
	const u64 last = (gpa + (size_bytes - 1)) / VHB_LOG_PAGE_BYTES /
			 BITS_PER_BYTE;

	if (last > U64_MAX - base)
		return -EFAULT;
	return access_ok(u64_to_user_ptr(base + first), last - first + 1) ?
		       0 :
		       -EFAULT;
}

/* Sets bits that share a page of the bitmap. */
static int set_bits(u64 byte_addr, u32 bit, u32 count)
{
	struct page *page;
	void *bits;

	if (pin_user_pages_fast(byte_addr & PAGE_MASK, 1, FOLL_WRITE, &page) !=
	    1)
		return -EIO;
	bit += offset_in_page(byte_addr) * BITS_PER_BYTE;
	bits = kmap_local_page(page);
	/* Pairs with the reader taking bits out: then it sees what we wrote. */
	smp_mb__before_atomic();
	for (; count; count--, bit++)
		set_bit_le(bit, bits);
	kunmap_local(bits);
	unpin_user_pages_dirty_lock(&page, 1, true);
	return 0;
}

static int mark(const struct vhb_log *log, u64 gpa, u64 size_bytes)
{
	u64 page = gpa / VHB_LOG_PAGE_BYTES;
	u64 left, byte_addr;
	u32 count;
	int ret;

	if (!size_bytes)
		return 0;
	left = (gpa + (size_bytes - 1)) / VHB_LOG_PAGE_BYTES - page + 1;
	for (; left; left -= count, page += count) {
		const u32 bit = page % BITS_PER_BYTE;

		if (page / BITS_PER_BYTE > U64_MAX - log->base)
			return -EIO;
		byte_addr = log->base + page / BITS_PER_BYTE;
		count = min_t(u64, left,
			      BITS_PER_PAGE -
				      offset_in_page(byte_addr) * BITS_PER_BYTE -
				      bit);
		ret = set_bits(byte_addr, bit, count);
		if (ret)
			return ret;
	}
	if (log->call)
		eventfd_signal(log->call);
	return 0;
}

/* All guest addresses that memory of the owner has; some has none. */
static int mark_user(const struct vhb_memory *memory, u64 user_addr,
		     u64 size_bytes)
{
	u32 i;
	int ret;

	for (i = 0; i < memory->table->region_count; i++) {
		const struct vhb_region *region = &memory->table->regions[i];
		const u64 first = max(user_addr, region->user_addr);
		const u64 end = min(user_addr + size_bytes,
				    region->user_addr + region->size_bytes);

		if (first >= end)
			continue;
		ret = mark(&memory->log,
			   region->gpa + (first - region->user_addr),
			   end - first);
		if (ret)
			return ret;
	}
	return 0;
}

int vhb_log_buffer(const struct vhb_memory *memory, u64 gpa, u64 user_addr,
		   u64 size_bytes)
{
	if (likely(!memory->log.marks_buffers))
		return 0;
	if (memory->iotlb)
		return mark_user(memory, user_addr, size_bytes);
	return mark(&memory->log, gpa, size_bytes);
}

int vhb_log_area(const struct vhb_memory *memory, u64 user_addr,
		 u64 size_bytes)
{
	const struct vhb_log *log = &memory->log;

	if (likely(!log->marks_ring))
		return 0;
	if (log->has_ring_gpa)
		return mark(log, log->ring_gpa + (user_addr - log->ring_addr),
			    size_bytes);
	return mark_user(memory, user_addr, size_bytes);
}
