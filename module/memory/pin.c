// SPDX-License-Identifier: GPL-2.0-only
#include "memory/pin.h"

#include <linux/mm.h>

#include "memory/view.h"

/* Pages pinned in one go: what fits on the stack */
#define BATCH_PAGES 32

/* Whether a page follows right behind the last piece, in memory and in the guest */
static bool adjoins(const struct bio_vec *last, const struct page *page,
		    u32 offset)
{
	const u64 end = ((u64)page_to_pfn(last->bv_page) << PAGE_SHIFT) +
			last->bv_offset + last->bv_len;

	return end == ((u64)page_to_pfn(page) << PAGE_SHIFT) + offset &&
	       !offset;
}

/**
 * struct pieces - what is pinned so far
 * @bvecs: room for it
 * @count: entries in use
 * @room: entries there are
 */
struct pieces {
	struct bio_vec *bvecs;
	u32 count;
	u32 room;
};

/*
 * An entry that grows must still be unpinned page by page as it was pinned: it
 * only does by whole pages (the new piece begins at a page's start), so the
 * pages it spans are those that were pinned, each once.
 */
static void add_piece(struct pieces *pieces, struct page *page, u32 offset,
		      u32 length)
{
	struct bio_vec *last = pieces->bvecs + pieces->count - 1;

	if (pieces->count && adjoins(last, page, offset)) {
		last->bv_len += length;
		return;
	}
	pieces->bvecs[pieces->count++] = (struct bio_vec){
		.bv_page = page,
		.bv_offset = offset,
		.bv_len = length,
	};
}

/* Pins from one address of the owner on: a batch, or less when room is short */
static int pin_some(struct pieces *pieces, u64 user_addr, u32 size_bytes,
		    bool to_guest, u32 *pinned_bytes_out)
{
	struct page *pages[BATCH_PAGES];
	u32 offset = offset_in_page(user_addr);
	u32 page_count, i;
	int pinned;

	page_count = min3(DIV_ROUND_UP(offset + (u64)size_bytes, PAGE_SIZE),
			  (u64)BATCH_PAGES, (u64)pieces->room - pieces->count);
	size_bytes = min_t(u64, size_bytes, page_count * PAGE_SIZE - offset);
	pinned = pin_user_pages_fast(user_addr & PAGE_MASK, page_count,
				     to_guest ? FOLL_WRITE : 0, pages);
	if (pinned != page_count) {
		if (pinned > 0)
			unpin_user_pages(pages, pinned);
		return -EFAULT;
	}

	*pinned_bytes_out = size_bytes;
	for (i = 0; i < page_count; i++) {
		const u32 length = min_t(u32, size_bytes, PAGE_SIZE - offset);

		add_piece(pieces, pages[i], offset, length);
		size_bytes -= length;
		offset = 0;
	}
	return 0;
}

int vhb_buffer_pin(const struct vhb_memory *memory,
		   const struct vhb_buffer *buffer, u32 size_bytes,
		   bool to_guest, struct bio_vec *bvecs, u32 *bvec_count,
		   u32 bvec_room, u32 *pinned_bytes_out)
{
	struct vhb_buffer at = *buffer;
	struct pieces pieces = { bvecs, *bvec_count, bvec_room };
	u32 left = size_bytes, pinned;
	int ret = 0;

	while (left && pieces.count < pieces.room) {
		u64 now, chunk;

		ret = vhb_buffer_find(memory, &at, left, &now, &chunk);
		if (ret)
			break;
		ret = pin_some(&pieces, now, chunk, to_guest, &pinned);
		if (ret)
			break;
		vhb_buffer_forward(&at, pinned);
		left -= pinned;
	}
	*bvec_count = pieces.count;
	*pinned_bytes_out = size_bytes - left;
	return ret;
}

void vhb_buffer_unpin(struct bio_vec *bvecs, u32 bvec_count, bool to_guest)
{
	u32 i;

	for (i = 0; i < bvec_count; i++) {
		const u32 page_count = DIV_ROUND_UP(bvecs[i].bv_offset +
						    bvecs[i].bv_len, PAGE_SIZE);

		unpin_user_page_range_dirty_lock(bvecs[i].bv_page, page_count,
						 to_guest);
	}
}
