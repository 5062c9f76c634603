/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_DEVICE_RESOLVE_H
#define VHB_DEVICE_RESOLVE_H

#include <linux/types.h>

#include "ring/ring.h"

/**
 * VHB_RESOLVED_MAX - segments a chain can have when it is resolved
 *
 * As many as it can have by itself, and more for those that go across where two
 * regions adjoin. Of 512 regions a chain of different buffers has no more.
 */
#define VHB_RESOLVED_MAX 1536

/**
 * vhb_chain_resolve() - look up where a chain's buffers are, all at once
 * @memory: guest memory
 * @chain: as popped. Each of its segments gets an address of the owner; what is
 *         not in memory gets one that is none, so that who uses it finds out:
 *         VHB_BUFFER_NOWHERE. If some is in more pieces than one its segments
 *         become @room, a segment for each piece.
 * @room: VHB_RESOLVED_MAX of them
 *
 * Afterwards nothing that the IOTLB is told keeps the chain from being finished.
 *
 * Return: 0; -E2BIG for more pieces than that; -EAGAIN or -EACCES as memory has
 * it. On failure the chain is as it was, but for addresses of the owner.
 */
int vhb_chain_resolve(const struct vhb_memory *memory, struct vhb_chain *chain,
		      struct vhb_segment *room);

#endif
