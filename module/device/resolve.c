// SPDX-License-Identifier: GPL-2.0-only
#include "device/resolve.h"

#include "memory/memory.h"

/**
 * struct pieces - what is resolved so far
 * @memory: guest memory
 * @room: where it goes
 * @count: how many that are
 */
struct pieces {
	const struct vhb_memory *memory;
	struct vhb_segment *room;
	u32 count;
};

static int resolve_one(struct pieces *pieces, const struct vhb_segment *segment,
		       bool is_writable)
{
	u64 gpa = segment->gpa;
	u32 left = segment->length_bytes;
	struct vhb_segment *piece;
	int ret;

	for (; left; left -= piece->length_bytes, gpa += piece->length_bytes) {
		if (pieces->count == VHB_RESOLVED_MAX)
			return -E2BIG;
		piece = &pieces->room[pieces->count++];
		piece->gpa = gpa;
		ret = vhb_buffer_resolve(pieces->memory, gpa, left, is_writable,
					 &piece->user_addr,
					 &piece->length_bytes);
		if (ret == -EFAULT) {
			piece->user_addr = VHB_BUFFER_NOWHERE;
			piece->length_bytes = left;
		} else if (ret) {
			return ret;
		}
	}
	return 0;
}

static int resolve_all(const struct vhb_memory *memory, struct vhb_chain *chain,
		       struct vhb_segment *room)
{
	const u32 segment_count = chain->readable_count + chain->writable_count;
	struct pieces pieces = { memory, room };
	u32 readable_count = 0;
	u32 i;
	int ret;

	for (i = 0; i < segment_count; i++) {
		const bool is_writable = i >= chain->readable_count;

		ret = resolve_one(&pieces, &chain->segments[i], is_writable);
		if (ret)
			return ret;
		if (!is_writable)
			readable_count = pieces.count;
	}
	chain->segments = room;
	chain->readable_count = readable_count;
	chain->writable_count = pieces.count - readable_count;
	return 0;
}

int vhb_chain_resolve(const struct vhb_memory *memory, struct vhb_chain *chain,
		      struct vhb_segment *room)
{
	const u32 segment_count = chain->readable_count + chain->writable_count;
	struct vhb_segment *segment = chain->segments;
	u32 i, bytes;
	int ret;

	/* As a rule each is in one piece and can stay where it is. */
	for (i = 0; i < segment_count; i++, segment++) {
		ret = vhb_buffer_resolve(memory, segment->gpa,
					 segment->length_bytes,
					 i >= chain->readable_count,
					 &segment->user_addr, &bytes);
		if (ret == -EFAULT)
			segment->user_addr = VHB_BUFFER_NOWHERE;
		else if (ret)
			return ret;
		else if (bytes != segment->length_bytes)
			return resolve_all(memory, chain, room);
	}
	return 0;
}
