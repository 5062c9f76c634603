// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptor chains to segments, for both layouts.
 *
 * A split ring's chain is a list, in the descriptor table, in an indirect table,
 * or in the former with the latter for its end. A packed ring's chain is a row
 * of descriptors, in the ring or in an indirect table.
 */
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/stddef.h>

#include "ring/chain.h"
#include "ring/ring_internal.h"

/* An indirect table is read in pieces of so many descriptors. */
#define WINDOW_DESCS 16

/* A descriptor of either layout as it lies in memory */
union raw_desc {
	struct vring_desc split;
	struct vring_packed_desc packed;
};

/* A descriptor of either layout as we see it */
struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	/* split: where the chain goes on; packed: buffer ID */
	u16 next_or_id;
};

struct walk {
	struct vhb_ring *ring;
	struct vhb_chain *chain;
	u64 bytes;
	u32 desc_count;
	bool was_writable;
};

/* Part of an indirect table */
struct window {
	u64 table_gpa;
	u32 table_count;
	u32 first;
	u32 count;
	bool is_scattered;
	union raw_desc descs[WINDOW_DESCS];
};

static void decode_split(const struct vring_desc *raw, struct desc *desc)
{
	desc->addr = le64_to_cpu((__force __le64)raw->addr);
	desc->len = le32_to_cpu((__force __le32)raw->len);
	desc->flags = le16_to_cpu((__force __le16)raw->flags);
	desc->next_or_id = le16_to_cpu((__force __le16)raw->next);
}

static void decode_packed(const struct vring_packed_desc *raw,
			  struct desc *desc)
{
	desc->addr = le64_to_cpu(raw->addr);
	desc->len = le32_to_cpu(raw->len);
	desc->flags = le16_to_cpu(raw->flags);
	desc->next_or_id = le16_to_cpu(raw->id);
}

static void start_walk(struct walk *walk, struct vhb_ring *ring,
		       struct vhb_chain *chain)
{
	*walk = (struct walk){ .ring = ring, .chain = chain };
	chain->slot_count = 1;
	chain->readable_count = 0;
	chain->writable_count = 0;
	chain->readable_bytes = 0;
	chain->writable_bytes = 0;
}

static int add_segment(struct walk *walk, const struct desc *desc)
{
	struct vhb_chain *chain = walk->chain;
	const bool is_writable = desc->flags & VRING_DESC_F_WRITE;
	u32 count;

	if (is_writable)
		walk->was_writable = true;
	else if (walk->was_writable)
		return vhb_ring_breach(walk->ring, VHB_RING_FAULT_ORDER);
	/* Also those that hold nothing: each of them takes time. */
	if (walk->desc_count++ == VHB_RING_SEGMENTS_MAX)
		return vhb_ring_breach(walk->ring, VHB_RING_FAULT_LONG);
	if (!desc->len)
		return 0;
	count = chain->readable_count + chain->writable_count;
	walk->bytes += desc->len;
	if (walk->bytes > U32_MAX)
		return vhb_ring_breach(walk->ring, VHB_RING_FAULT_LONG);
	chain->segments[count] = (struct vhb_segment){
		.gpa = desc->addr,
		.length_bytes = desc->len,
	};
	if (is_writable) {
		chain->writable_count++;
		chain->writable_bytes += desc->len;
	} else {
		chain->readable_count++;
		chain->readable_bytes += desc->len;
	}
	return 0;
}

/* From where their list jumps on tables are read one by one. */
static int move_window(struct vhb_ring *ring, struct window *window, u32 index)
{
	u32 count;
	int ret;

	if (index != window->first + window->count)
		window->is_scattered = true;
	count = window->is_scattered ?
			1 :
			min_t(u32, WINDOW_DESCS, window->table_count - index);
	ret = ring_read_guest(ring,
			      window->table_gpa +
				      index * sizeof(*window->descs),
			      window->descs, count * sizeof(*window->descs));
	if (ret)
		return ret;
	window->first = index;
	window->count = count;
	return 0;
}

/* Gets a descriptor of an indirect table, which is read a window at a time. */
static inline int read_table(struct vhb_ring *ring, struct window *window,
			     u32 index, const union raw_desc **raw_out)
{
	int ret;

	if (index - window->first >= window->count) {
		ret = move_window(ring, window, index);
		if (ret)
			return ret;
	}
	/* A guessed branch above must not reach behind the array. */
	*raw_out = &window->descs[array_index_nospec(index - window->first,
						     WINDOW_DESCS)];
	return 0;
}

static int open_table(struct vhb_ring *ring, const struct desc *desc,
		      struct window *window)
{
	const u32 count = desc->len / sizeof(union raw_desc);

	if (!ring->config.has_indirect || desc->len % sizeof(union raw_desc))
		return vhb_ring_breach(ring, VHB_RING_FAULT_INDIRECT);
	if (!count)
		return vhb_ring_breach(ring, VHB_RING_FAULT_EMPTY);
	if (count > VHB_RING_SEGMENTS_MAX)
		return vhb_ring_breach(ring, VHB_RING_FAULT_LONG);
	if (desc->len - 1 > U64_MAX - desc->addr)
		return vhb_ring_fail(ring, VHB_RING_FAULT_MEMORY, -EFAULT);
	window->table_gpa = desc->addr;
	window->table_count = count;
	window->first = 0;
	window->count = 0;
	window->is_scattered = false;
	return 0;
}

static int add_split_table(struct walk *walk, const struct desc *at)
{
	struct vhb_ring *ring = walk->ring;
	const union raw_desc *raw;
	struct window window;
	struct desc desc;
	u32 visited = 0;
	u32 index = 0;
	int ret;

	ret = open_table(ring, at, &window);
	if (ret)
		return ret;
	for (;;) {
		ret = read_table(ring, &window, index, &raw);
		if (ret)
			return ret;
		decode_split(&raw->split, &desc);
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return vhb_ring_breach(ring, VHB_RING_FAULT_INDIRECT);
		ret = add_segment(walk, &desc);
		if (ret)
			return ret;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		index = desc.next_or_id;
		if (index >= window.table_count)
			return vhb_ring_breach(ring, VHB_RING_FAULT_NEXT);
		visited++;
		if (visited == window.table_count)
			return vhb_ring_breach(ring, VHB_RING_FAULT_LOOP);
	}
}

int vhb_chain_read_split(struct vhb_ring *ring, u16 head,
			 struct vhb_chain *chain)
{
	struct vring_desc raw;
	struct walk walk;
	struct desc desc;
	u32 visited = 0;
	u16 index = head;
	int ret;

	start_walk(&walk, ring, chain);
	chain->id = head;
	for (;;) {
		ret = ring_read(ring,
				ring->config.desc_addr + index * sizeof(raw),
				&raw, sizeof(raw));
		if (ret)
			return ret;
		decode_split(&raw, &desc);
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			/* The end of the list; its WRITE flag means nothing */
			if (desc.flags & VRING_DESC_F_NEXT)
				return vhb_ring_breach(ring,
						       VHB_RING_FAULT_INDIRECT);
			return add_split_table(&walk, &desc);
		}
		ret = add_segment(&walk, &desc);
		if (ret)
			return ret;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		index = desc.next_or_id;
		if (index >= ring->config.num)
			return vhb_ring_breach(ring, VHB_RING_FAULT_NEXT);
		visited++;
		if (visited == ring->config.num)
			return vhb_ring_breach(ring, VHB_RING_FAULT_LOOP);
	}
}

static int add_packed_table(struct walk *walk, const struct desc *at)
{
	struct vhb_ring *ring = walk->ring;
	const union raw_desc *raw;
	struct window window;
	struct desc desc;
	u32 index;
	int ret;

	/* A table is all there is of its chain (VIRTIO 1.2, 2.8) */
	if (at->flags & VRING_DESC_F_NEXT)
		return vhb_ring_breach(ring, VHB_RING_FAULT_INDIRECT);
	ret = open_table(ring, at, &window);
	if (ret)
		return ret;
	for (index = 0; index < window.table_count; index++) {
		ret = read_table(ring, &window, index, &raw);
		if (ret)
			return ret;
		decode_packed(&raw->packed, &desc);
		/* Other flags but WRITE mean nothing */
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return vhb_ring_breach(ring, VHB_RING_FAULT_INDIRECT);
		ret = add_segment(walk, &desc);
		if (ret)
			return ret;
	}
	return 0;
}

/* Its flags, which made it available, were read first and are known. */
static int read_first_packed(struct vhb_ring *ring, u16 flags,
			     struct desc *desc)
{
	struct vring_packed_desc raw;
	int ret;

	ret = ring_read(ring, vhb_packed_desc_addr(ring, ring->next_avail),
			&raw, offsetof(struct vring_packed_desc, flags));
	if (ret)
		return ret;
	raw.flags = cpu_to_le16(flags);
	decode_packed(&raw, desc);
	return 0;
}

int vhb_chain_read_packed(struct vhb_ring *ring, u16 flags,
			  struct vhb_chain *chain)
{
	const u32 free_slots = ring->config.num - ring->held_slots;
	struct vring_packed_desc raw;
	u16 slot = ring->next_avail;
	struct walk walk;
	struct desc desc;
	int ret;

	start_walk(&walk, ring, chain);
	ret = read_first_packed(ring, flags, &desc);
	if (ret)
		return ret;
	if (desc.flags & VRING_DESC_F_INDIRECT) {
		chain->id = desc.next_or_id;
		return add_packed_table(&walk, &desc);
	}
	for (;;) {
		ret = add_segment(&walk, &desc);
		if (ret)
			return ret;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			break;
		if (chain->slot_count == free_slots)
			return vhb_ring_breach(ring,
					       ring->held_slots ?
						       VHB_RING_FAULT_AVAIL :
						       VHB_RING_FAULT_LOOP);
		chain->slot_count++;
		slot++;
		if (slot == ring->config.num)
			slot = 0;
		ret = ring_read(ring, vhb_packed_desc_addr(ring, slot), &raw,
				sizeof(raw));
		if (ret)
			return ret;
		decode_packed(&raw, &desc);
		if (desc.flags & VRING_DESC_F_INDIRECT)
			return vhb_ring_breach(ring, VHB_RING_FAULT_INDIRECT);
	}
	chain->id = desc.next_or_id;
	return 0;
}
