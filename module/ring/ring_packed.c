// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packed rings (VIRTIO 1.2, 2.8): one ring of descriptors that the driver makes
 * available and we overwrite with used ones. Flags in them and wrap counters,
 * which change each time around, say whose a descriptor is.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/stddef.h>
#include <asm/barrier.h>

#include "ring/chain.h"
#include "ring/ring_internal.h"

#define AVAIL_FLAG BIT(VRING_PACKED_DESC_F_AVAIL)
#define USED_FLAG BIT(VRING_PACKED_DESC_F_USED)

/* The part of a descriptor that we write */
struct used_desc {
	__le32 len;
	__le16 id;
	__le16 flags;
};

static u64 used_desc_addr(const struct vhb_ring *ring, u16 slot)
{
	return vhb_packed_desc_addr(ring, slot) +
	       offsetof(struct vring_packed_desc, len);
}

static u64 desc_flags_addr(const struct vhb_ring *ring, u16 slot)
{
	return vhb_packed_desc_addr(ring, slot) +
	       offsetof(struct vring_packed_desc, flags);
}

static u64 event_flags_addr(u64 event_addr)
{
	return event_addr + offsetof(struct vring_packed_desc_event, flags);
}

static u64 event_off_wrap_addr(u64 event_addr)
{
	return event_addr + offsetof(struct vring_packed_desc_event, off_wrap);
}

/* A slot and its wrap counter, as event structures and bases have them */
static u16 position(u16 slot, bool wrap)
{
	return slot | (u16)wrap << WRAP_BIT;
}

static u16 slot_of(u16 position)
{
	return position & ~BIT(WRAP_BIT);
}

static bool wrap_of(u16 position)
{
	return position & BIT(WRAP_BIT);
}

static void advance(const struct vhb_ring *ring, u16 *slot, bool *wrap,
		    u16 slot_count)
{
	u32 next = *slot + slot_count;

	if (next >= ring->config.num) {
		next -= ring->config.num;
		*wrap = !*wrap;
	}
	*slot = next;
}

int vhb_packed_start(struct vhb_ring *ring, u32 base)
{
	const u16 avail = base & U16_MAX;
	const u16 used = base >> 16;

	if (slot_of(avail) >= ring->config.num ||
	    slot_of(used) >= ring->config.num)
		return -EINVAL;
	ring->next_avail = slot_of(avail);
	ring->avail_wrap = wrap_of(avail);
	ring->next_used = slot_of(used);
	ring->used_wrap = wrap_of(used);
	ring->published_used = used;
	return 0;
}

u32 vhb_packed_base(const struct vhb_ring *ring)
{
	return position(ring->next_avail, ring->avail_wrap) |
	       (u32)ring->published_used << 16;
}

/* Returns 1 and the flags when there is a chain, 0 when not, or an error. */
static int read_avail_flags(struct vhb_ring *ring, u16 *flags_out)
{
	const bool wrap = ring->avail_wrap;
	u16 flags;
	int ret;

	ret = ring_read16(ring, desc_flags_addr(ring, ring->next_avail),
			  &flags);
	if (ret)
		return ret;
	if (!!(flags & AVAIL_FLAG) != wrap || !!(flags & USED_FLAG) == wrap)
		return 0;
	/*
	 * Pairs with the driver's write barrier between filling in the chain
	 * and writing the flags of its first descriptor.
	 */
	smp_rmb();
	*flags_out = flags;
	return 1;
}

int vhb_packed_pop(struct vhb_ring *ring, struct vhb_chain *chain)
{
	u16 flags;
	int ret;

	ret = read_avail_flags(ring, &flags);
	if (ret <= 0)
		return ret;
	if (ring->held_slots >= ring->config.num)
		return vhb_ring_breach(ring, VHB_RING_FAULT_AVAIL);
	ret = vhb_chain_read_packed(ring, flags, chain);
	if (ret)
		return ret;
	advance(ring, &ring->next_avail, &ring->avail_wrap, chain->slot_count);
	return 1;
}

void vhb_packed_unpop(struct vhb_ring *ring, const struct vhb_chain *chain)
{
	u32 next = ring->next_avail;

	if (next < chain->slot_count) {
		next += ring->config.num;
		ring->avail_wrap = !ring->avail_wrap;
	}
	ring->next_avail = next - chain->slot_count;
}

int vhb_packed_write_used(struct vhb_ring *ring, const struct vhb_used *used)
{
	struct used_desc desc = {
		.len = cpu_to_le32(used->written_bytes),
		.id = cpu_to_le16(used->id),
	};
	size_t size_bytes = sizeof(desc);
	u16 flags = 0;
	int ret;

	if (ring->used_wrap)
		flags |= AVAIL_FLAG | USED_FLAG;
	if (used->written_bytes)
		flags |= VRING_DESC_F_WRITE;
	desc.flags = cpu_to_le16(flags);
	/*
	 * As long as the first descriptor is not used the driver looks at none
	 * behind it, so only that one's flags have to wait.
	 */
	if (!ring->unpublished_slots)
		size_bytes = offsetof(struct used_desc, flags);
	ret = ring_write(ring, used_desc_addr(ring, ring->next_used), &desc,
			 size_bytes);
	if (ret)
		return ret;
	if (!ring->unpublished_slots)
		ring->withheld_flags = flags;
	advance(ring, &ring->next_used, &ring->used_wrap, used->slot_count);
	return 0;
}

int vhb_packed_publish(struct vhb_ring *ring)
{
	int ret;

	/*
	 * Pairs with the driver's read barrier between looking at the flags and
	 * reading the descriptor, those behind it, and what was written to
	 * buffers.
	 */
	smp_wmb();
	ret = ring_write16(ring,
			   desc_flags_addr(ring, slot_of(ring->published_used)),
			   ring->withheld_flags);
	if (ret)
		return ret;
	ring->published_used = position(ring->next_used, ring->used_wrap);
	return 0;
}

int vhb_packed_wants_call(struct vhb_ring *ring)
{
	const u64 event_addr = ring->config.avail_addr;
	u16 flags, off_wrap, event;
	int ret;

	ret = ring_read16(ring, event_flags_addr(event_addr), &flags);
	if (ret)
		return ret;
	flags &= VRING_PACKED_EVENT_FLAG_DESC | VRING_PACKED_EVENT_FLAG_DISABLE;
	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return 0;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC ||
	    !ring->config.has_event_idx ||
	    ring->unsignalled_slots > ring->config.num)
		return 1;
	/*
	 * Pairs with the driver's write barrier between the offset and the
	 * flags.
	 */
	smp_rmb();
	ret = ring_read16(ring, event_off_wrap_addr(event_addr), &off_wrap);
	if (ret)
		return ret;
	event = slot_of(off_wrap);
	/* The other wrap counter means last time around: below slot 0 */
	if (wrap_of(off_wrap) != ring->used_wrap)
		event -= ring->config.num;
	return vring_need_event(event, ring->next_used,
				ring->next_used - ring->unsignalled_slots);
}

static int write_kick_flags(struct vhb_ring *ring, u16 flags)
{
	int ret;

	if (ring->kick_flags == flags)
		return 0;
	ret = ring_write16(ring, event_flags_addr(ring->config.used_addr),
			   flags);
	if (ret)
		return ret;
	ring->kick_flags = flags;
	return 0;
}

int vhb_packed_disable_kicks(struct vhb_ring *ring)
{
	return write_kick_flags(ring, VRING_PACKED_EVENT_FLAG_DISABLE);
}

int vhb_packed_enable_kicks(struct vhb_ring *ring)
{
	u16 flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	int ret;

	if (ring->config.has_event_idx) {
		flags = VRING_PACKED_EVENT_FLAG_DESC;
		ret = ring_write16(ring,
				   event_off_wrap_addr(ring->config.used_addr),
				   position(ring->next_avail,
					    ring->avail_wrap));
		if (ret)
			return ret;
		/*
		 * Pairs with the driver's read barrier between the flags and
		 * the offset, or its one read of both.
		 */
		smp_wmb();
	}
	ret = write_kick_flags(ring, flags);
	if (ret)
		return ret;
	/*
	 * Pairs with the driver's barrier between making a descriptor available
	 * and looking whether we want a kick: one of us sees what the other
	 * wrote.
	 */
	smp_mb();
	return read_avail_flags(ring, &flags);
}
