/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_RING_RING_INTERNAL_H
#define VHB_RING_RING_INTERNAL_H

#include <linux/errno.h>
#include <linux/types.h>
#include <uapi/linux/virtio_ring.h>

#include "ring/ring.h"

/**
 * DOC: inside the ring
 *
 * ring.c has what both layouts share: rules of use, bookkeeping of chains in
 * flight, in-order. ring_split.c and ring_packed.c have what differs, one
 * function each where ring.c switches on the layout. chain.c reads chains.
 *
 * A function reads all it needs first and changes the ring last, so that
 * -EAGAIN in between has changed nothing.
 */

/** No flags at all have this value */
#define KICK_FLAGS_UNKNOWN 0xffff

/** Bit of the wrap counter beside a slot number of 15 bits */
#define WRAP_BIT 15

/**
 * vhb_ring_fail() - the only way a ring breaks
 * @ring: the ring
 * @fault: what was wrong
 * @error: what calls fail with from now on; -EAGAIN breaks nothing
 *
 * Return: @error.
 */
int vhb_ring_fail(struct vhb_ring *ring, enum vhb_ring_fault fault, int error);

/**
 * vhb_ring_breach() - the driver broke a rule
 * @ring: the ring
 * @fault: which
 *
 * Return: the error that says so.
 */
static inline int vhb_ring_breach(struct vhb_ring *ring,
				  enum vhb_ring_fault fault)
{
	return vhb_ring_fail(ring, fault, -EPROTO);
}

/*
 * Memory's accessors, so that its errors break the ring.
 */

static inline int ring_read16(struct vhb_ring *ring, u64 addr, u16 *value_out)
{
	int ret = vhb_area_read16(ring->memory, addr, value_out);

	return likely(!ret) ? 0 :
			      vhb_ring_fail(ring, VHB_RING_FAULT_MEMORY, ret);
}

static inline int ring_write16(struct vhb_ring *ring, u64 addr, u16 value)
{
	int ret = vhb_area_write16(ring->memory, addr, value);

	return likely(!ret) ? 0 :
			      vhb_ring_fail(ring, VHB_RING_FAULT_MEMORY, ret);
}

static inline int ring_read(struct vhb_ring *ring, u64 addr, void *to,
			    size_t size_bytes)
{
	int ret = vhb_area_read(ring->memory, addr, to, size_bytes);

	return likely(!ret) ? 0 :
			      vhb_ring_fail(ring, VHB_RING_FAULT_MEMORY, ret);
}

static inline int ring_write(struct vhb_ring *ring, u64 addr, const void *from,
			     size_t size_bytes)
{
	int ret = vhb_area_write(ring->memory, addr, from, size_bytes);

	return likely(!ret) ? 0 :
			      vhb_ring_fail(ring, VHB_RING_FAULT_MEMORY, ret);
}

static inline int ring_read_guest(struct vhb_ring *ring, u64 gpa, void *to,
				  size_t size_bytes)
{
	int ret = vhb_guest_read(ring->memory, gpa, to, size_bytes);

	return likely(!ret) ? 0 :
			      vhb_ring_fail(ring, VHB_RING_FAULT_MEMORY, ret);
}

/*
 * One set for each layout; what they do and return is in ring.h, but for:
 *
 * start() gets a base that is judged here; changes positions only.
 * pop() changes positions only, and unpop() changes them back.
 * write_used() writes the next used entry and moves next_used.
 * publish() shows the driver all of them; only called when there are some.
 * wants_call() judges event indexes by unsignalled_slots and leaves it alone.
 */

int vhb_split_start(struct vhb_ring *ring, u32 base);
u32 vhb_split_base(const struct vhb_ring *ring);
int vhb_split_pop(struct vhb_ring *ring, struct vhb_chain *chain);
void vhb_split_unpop(struct vhb_ring *ring);
int vhb_split_write_used(struct vhb_ring *ring, const struct vhb_used *used);
int vhb_split_publish(struct vhb_ring *ring);
int vhb_split_wants_call(struct vhb_ring *ring);
int vhb_split_disable_kicks(struct vhb_ring *ring);
int vhb_split_enable_kicks(struct vhb_ring *ring);

int vhb_packed_start(struct vhb_ring *ring, u32 base);
u32 vhb_packed_base(const struct vhb_ring *ring);
int vhb_packed_pop(struct vhb_ring *ring, struct vhb_chain *chain);
void vhb_packed_unpop(struct vhb_ring *ring, const struct vhb_chain *chain);
int vhb_packed_write_used(struct vhb_ring *ring, const struct vhb_used *used);
int vhb_packed_publish(struct vhb_ring *ring);
int vhb_packed_wants_call(struct vhb_ring *ring);
int vhb_packed_disable_kicks(struct vhb_ring *ring);
int vhb_packed_enable_kicks(struct vhb_ring *ring);

#endif
