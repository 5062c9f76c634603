// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split rings (VIRTIO 1.2, 2.7): an available ring with a free running index
 * that the driver writes, a used ring with one that we write.
 */
#include <linux/kernel.h>
#include <linux/stddef.h>
#include <asm/barrier.h>

#include "ring/chain.h"
#include "ring/ring_internal.h"

static u64 avail_entry_addr(const struct vhb_ring *ring, u32 entry)
{
	return ring->config.avail_addr + offsetof(struct vring_avail, ring) +
	       entry * sizeof(u16);
}

/* Behind the available ring: the event index at which the driver wants a call */
static u64 used_event_addr(const struct vhb_ring *ring)
{
	return avail_entry_addr(ring, ring->config.num);
}

static u64 used_entry_addr(const struct vhb_ring *ring, u32 entry)
{
	return ring->config.used_addr + offsetof(struct vring_used, ring) +
	       entry * sizeof(struct vring_used_elem);
}

/* Behind the used ring: the event index at which we want a kick */
static u64 avail_event_addr(const struct vhb_ring *ring)
{
	return used_entry_addr(ring, ring->config.num);
}

static u64 used_idx_addr(const struct vhb_ring *ring)
{
	return ring->config.used_addr + offsetof(struct vring_used, idx);
}

static u64 used_flags_addr(const struct vhb_ring *ring)
{
	return ring->config.used_addr + offsetof(struct vring_used, flags);
}

static u32 entry_of(const struct vhb_ring *ring, u16 index)
{
	return index & (ring->config.num - 1);
}

int vhb_split_start(struct vhb_ring *ring, u32 base)
{
	u16 used;
	int ret;

	if (base > U16_MAX)
		return -EINVAL;
	ret = ring_read16(ring, used_idx_addr(ring), &used);
	if (ret)
		return ret;
	ring->next_avail = base;
	ring->known_avail = base;
	ring->next_used = used;
	return 0;
}

u32 vhb_split_base(const struct vhb_ring *ring)
{
	return ring->next_avail;
}

static int read_avail(struct vhb_ring *ring, u16 *avail_out)
{
	u16 avail;
	int ret;

	ret = ring_read16(ring,
			  ring->config.avail_addr +
				  offsetof(struct vring_avail, idx),
			  &avail);
	if (ret)
		return ret;
	if ((u16)(avail - ring->next_avail) > ring->config.num)
		return vhb_ring_breach(ring, VHB_RING_FAULT_AVAIL);
	/*
	 * Pairs with the driver's write barrier between filling in entries and
	 * descriptors and moving the index.
	 */
	smp_rmb();
	*avail_out = avail;
	return 0;
}

int vhb_split_pop(struct vhb_ring *ring, struct vhb_chain *chain)
{
	u16 avail = ring->known_avail;
	u16 head;
	int ret;

	if (avail == ring->next_avail) {
		ret = read_avail(ring, &avail);
		if (ret)
			return ret;
		if (avail == ring->next_avail)
			return 0;
	}
	if (ring->held_slots >= ring->config.num)
		return vhb_ring_breach(ring, VHB_RING_FAULT_AVAIL);
	ret = ring_read16(ring,
			  avail_entry_addr(ring,
					   entry_of(ring, ring->next_avail)),
			  &head);
	if (ret)
		return ret;
	if (head >= ring->config.num)
		return vhb_ring_breach(ring, VHB_RING_FAULT_HEAD);
	ret = vhb_chain_read_split(ring, head, chain);
	if (ret)
		return ret;
	ring->known_avail = avail;
	ring->next_avail++;
	return 1;
}

void vhb_split_unpop(struct vhb_ring *ring)
{
	ring->next_avail--;
}

int vhb_split_write_used(struct vhb_ring *ring, const struct vhb_used *used)
{
	const struct {
		__le32 id;
		__le32 len;
	} elem = {
		.id = cpu_to_le32(used->id),
		.len = cpu_to_le32(used->written_bytes),
	};
	int ret;

	BUILD_BUG_ON(sizeof(elem) != sizeof(struct vring_used_elem));
	ret = ring_write(ring,
			 used_entry_addr(ring, entry_of(ring, ring->next_used)),
			 &elem, sizeof(elem));
	if (ret)
		return ret;
	ring->next_used++;
	return 0;
}

int vhb_split_publish(struct vhb_ring *ring)
{
	/*
	 * Pairs with the driver's read barrier between looking at the index and
	 * reading entries, and what was written to buffers.
	 */
	smp_wmb();
	return ring_write16(ring, used_idx_addr(ring), ring->next_used);
}

int vhb_split_wants_call(struct vhb_ring *ring)
{
	u16 value;
	int ret;

	if (ring->config.notify_on_empty &&
	    ring->known_avail == ring->next_avail)
		return 1;
	if (!ring->config.has_event_idx) {
		ret = ring_read16(ring,
				  ring->config.avail_addr +
					  offsetof(struct vring_avail, flags),
				  &value);
		if (ret)
			return ret;
		return !(value & VRING_AVAIL_F_NO_INTERRUPT);
	}
	if (ring->unsignalled_slots > U16_MAX)
		return 1;
	ret = ring_read16(ring, used_event_addr(ring), &value);
	if (ret)
		return ret;
	return vring_need_event(value, ring->next_used,
				ring->next_used - ring->unsignalled_slots);
}

static int write_kick_flags(struct vhb_ring *ring, u16 flags)
{
	int ret;

	if (ring->kick_flags == flags)
		return 0;
	ret = ring_write16(ring, used_flags_addr(ring), flags);
	if (ret)
		return ret;
	ring->kick_flags = flags;
	return 0;
}

int vhb_split_disable_kicks(struct vhb_ring *ring)
{
	/* The driver asks the event index alone, and that stays behind. */
	if (ring->config.has_event_idx)
		return 0;
	return write_kick_flags(ring, VRING_USED_F_NO_NOTIFY);
}

int vhb_split_enable_kicks(struct vhb_ring *ring)
{
	u16 avail;
	int ret;

	if (ring->config.has_event_idx) {
		ret = ring_write16(ring, avail_event_addr(ring),
				   ring->next_avail);
		if (ret)
			return ret;
	}
	/* Zero, too, where only the event index counts */
	ret = write_kick_flags(ring, 0);
	if (ret)
		return ret;
	/*
	 * Pairs with the driver's barrier between moving the available index
	 * and looking whether we want a kick: one of us sees what the other
	 * wrote.
	 */
	smp_mb();
	ret = read_avail(ring, &avail);
	if (ret)
		return ret;
	ring->known_avail = avail;
	return avail != ring->next_avail;
}
