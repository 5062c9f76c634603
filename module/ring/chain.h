/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_RING_CHAIN_H
#define VHB_RING_CHAIN_H

#include <linux/types.h>
#include <uapi/linux/virtio_ring.h>

#include "ring/ring.h"

/**
 * DOC: descriptor chains
 *
 * From descriptors, direct and in indirect tables, to segments. A descriptor is
 * read once and judged from our copy. Nothing but the chain that is filled in
 * changes, and the ring when it breaks.
 */

/**
 * vhb_packed_desc_addr() - where a packed ring's descriptor is
 * @ring: the ring
 * @slot: below the number of entries
 *
 * Return: the area address.
 */
static inline u64 vhb_packed_desc_addr(const struct vhb_ring *ring, u16 slot)
{
	return ring->config.desc_addr + slot * sizeof(struct vring_packed_desc);
}

/**
 * vhb_chain_read_split() - read a split ring's chain
 * @ring: the ring
 * @head: where it starts; below the number of entries
 * @chain: filled in
 *
 * Return: 0 or -errno.
 */
int vhb_chain_read_split(struct vhb_ring *ring, u16 head,
			 struct vhb_chain *chain);

/**
 * vhb_chain_read_packed() - read the packed ring's chain that comes next
 * @ring: the ring; it has a free slot
 * @flags: those of the chain's first descriptor, which were read already
 * @chain: filled in
 *
 * Return: 0 or -errno.
 */
int vhb_chain_read_packed(struct vhb_ring *ring, u16 flags,
			  struct vhb_chain *chain);

#endif
