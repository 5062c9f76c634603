// SPDX-License-Identifier: GPL-2.0-only
/*
 * What split and packed rings share: setting up, the rules of use, bookkeeping
 * of chains in flight, and in-order.
 */
#include <linux/align.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/barrier.h>

#include "ring/ring_internal.h"

int vhb_ring_fail(struct vhb_ring *ring, enum vhb_ring_fault fault, int error)
{
	if (error == -EAGAIN)
		return error;
	ring->fault = fault;
	ring->error = error;
	return error;
}

void vhb_ring_area_bytes(const struct vhb_ring_config *config, u64 *desc_bytes,
			 u64 *avail_bytes, u64 *used_bytes)
{
	const u64 num = config->num;

	if (config->layout == VHB_RING_PACKED) {
		*desc_bytes = num * sizeof(struct vring_packed_desc);
		*avail_bytes = sizeof(struct vring_packed_desc_event);
		*used_bytes = sizeof(struct vring_packed_desc_event);
		return;
	}
	*desc_bytes = num * sizeof(struct vring_desc);
	*avail_bytes = sizeof(struct vring_avail) + (num + 1) * sizeof(u16);
	*used_bytes = sizeof(struct vring_used) +
		      num * sizeof(struct vring_used_elem) + sizeof(u16);
}

static bool is_area(u64 addr, u64 size_bytes, u32 alignment)
{
	return IS_ALIGNED(addr, alignment) && size_bytes - 1 <= U64_MAX - addr;
}

int vhb_ring_check(const struct vhb_ring_config *config)
{
	u64 desc_bytes, avail_bytes, used_bytes;
	u32 avail_alignment;

	if (!config->num || config->num > VHB_RING_NUM_MAX)
		return -EINVAL;
	switch (config->layout) {
	case VHB_RING_SPLIT:
		if (!is_power_of_2(config->num))
			return -EINVAL;
		avail_alignment = VRING_AVAIL_ALIGN_SIZE;
		break;
	case VHB_RING_PACKED:
		avail_alignment = sizeof(struct vring_packed_desc_event);
		break;
	default:
		return -EINVAL;
	}
	vhb_ring_area_bytes(config, &desc_bytes, &avail_bytes, &used_bytes);
	if (!is_area(config->desc_addr, desc_bytes, VRING_DESC_ALIGN_SIZE) ||
	    !is_area(config->avail_addr, avail_bytes, avail_alignment) ||
	    !is_area(config->used_addr, used_bytes, VRING_USED_ALIGN_SIZE))
		return -EINVAL;
	return 0;
}

/* A power of two: chains keep their entries when the sequence wraps. */
static u32 order_count(const struct vhb_ring *ring)
{
	return roundup_pow_of_two(ring->config.num);
}

int vhb_ring_init(struct vhb_ring *ring, const struct vhb_ring_config *config)
{
	memset(ring, 0, sizeof(*ring));
	ring->config = *config;
	if (!config->has_in_order)
		return 0;
	ring->orders = kvcalloc(order_count(ring), sizeof(*ring->orders),
				GFP_KERNEL_ACCOUNT);
	return ring->orders ? 0 : -ENOMEM;
}

void vhb_ring_destroy(struct vhb_ring *ring)
{
	kvfree(ring->orders);
	ring->orders = NULL;
}

static bool is_packed(const struct vhb_ring *ring)
{
	return ring->config.layout == VHB_RING_PACKED;
}

int vhb_ring_start(struct vhb_ring *ring, const struct vhb_memory *memory,
		   u32 base)
{
	const struct vhb_memory *const old_memory = ring->memory;
	int ret;

	ring->memory = memory;
	if (is_packed(ring))
		ret = vhb_packed_start(ring, base);
	else
		ret = vhb_split_start(ring, base);
	if (ret) {
		ring->memory = old_memory;
		return ret;
	}
	ring->fault = VHB_RING_FAULT_NONE;
	ring->error = 0;
	ring->sequence = 0;
	ring->next_push = 0;
	ring->in_flight_count = 0;
	ring->in_flight_slots = 0;
	ring->held_slots = 0;
	ring->unpublished_slots = 0;
	ring->unsignalled_slots = U32_MAX;
	ring->kick_flags = KICK_FLAGS_UNKNOWN;
	if (ring->orders)
		memset(ring->orders, 0,
		       order_count(ring) * sizeof(*ring->orders));
	return 0;
}

u32 vhb_ring_base(const struct vhb_ring *ring)
{
	return is_packed(ring) ? vhb_packed_base(ring) : vhb_split_base(ring);
}

int vhb_ring_pop(struct vhb_ring *ring, struct vhb_chain *chain)
{
	int ret;

	if (unlikely(ring->error))
		return ring->error;
	if (is_packed(ring))
		ret = vhb_packed_pop(ring, chain);
	else
		ret = vhb_split_pop(ring, chain);
	if (ret != 1)
		return ret;
	ring->sequence++;
	ring->in_flight_count++;
	ring->in_flight_slots += chain->slot_count;
	ring->held_slots += chain->slot_count;
	return 1;
}

void vhb_ring_unpop(struct vhb_ring *ring, const struct vhb_chain *chain)
{
	if (is_packed(ring))
		vhb_packed_unpop(ring, chain);
	else
		vhb_split_unpop(ring);
	ring->sequence--;
	ring->in_flight_count--;
	ring->in_flight_slots -= chain->slot_count;
	ring->held_slots -= chain->slot_count;
}

static int write_used(struct vhb_ring *ring, const struct vhb_used *used)
{
	int ret;

	if (is_packed(ring))
		ret = vhb_packed_write_used(ring, used);
	else
		ret = vhb_split_write_used(ring, used);
	if (ret)
		return ret;
	ring->unpublished_slots += used->slot_count;
	return 0;
}

/* No more than num chains are in flight or wait: each has an entry of its own. */
static struct vhb_ring_order *order_of(struct vhb_ring *ring, u32 sequence)
{
	return &ring->orders[sequence & (order_count(ring) - 1)];
}

static bool is_in_flight(struct vhb_ring *ring, const struct vhb_used *used)
{
	if (!ring->in_flight_count || !used->slot_count ||
	    used->slot_count > ring->in_flight_slots)
		return false;
	if (!is_packed(ring) && used->slot_count != 1)
		return false;
	if (!ring->orders)
		return true;
	return used->sequence - ring->next_push <
		       ring->sequence - ring->next_push &&
	       !order_of(ring, used->sequence)->is_pushed;
}

int vhb_ring_push(struct vhb_ring *ring, const struct vhb_used *used)
{
	int ret;

	if (unlikely(ring->error))
		return ring->error;
	if (unlikely(!is_in_flight(ring, used)))
		return -EINVAL;
	if (ring->orders) {
		struct vhb_ring_order *order = order_of(ring, used->sequence);

		order->used = *used;
		order->is_pushed = true;
	} else {
		ret = write_used(ring, used);
		if (ret)
			return ret;
	}
	ring->in_flight_count--;
	ring->in_flight_slots -= used->slot_count;
	return 0;
}

/*
 * In-order: write what is pushed without a gap. When it stops in the middle the
 * next call goes on from there; the driver has seen none of it.
 */
static int write_orders(struct vhb_ring *ring)
{
	int ret;

	while (ring->next_push != ring->sequence) {
		struct vhb_ring_order *order = order_of(ring, ring->next_push);

		if (!order->is_pushed)
			break;
		ret = write_used(ring, &order->used);
		if (ret)
			return ret;
		order->is_pushed = false;
		ring->next_push++;
	}
	return 0;
}

int vhb_ring_publish(struct vhb_ring *ring)
{
	int ret;

	if (unlikely(ring->error))
		return ring->error;
	if (ring->orders) {
		ret = write_orders(ring);
		if (ret)
			return ret;
	}
	if (!ring->unpublished_slots)
		return 0;
	if (is_packed(ring))
		ret = vhb_packed_publish(ring);
	else
		ret = vhb_split_publish(ring);
	if (ret)
		return ret;
	/*
	 * Indexes of 16 bits: an event index tells nothing of more than that.
	 * So much is published only when calls go unanswered or are not made.
	 */
	if (ring->unsignalled_slots <= U16_MAX - ring->unpublished_slots)
		ring->unsignalled_slots += ring->unpublished_slots;
	else
		ring->unsignalled_slots = U32_MAX;
	ring->held_slots -= ring->unpublished_slots;
	ring->unpublished_slots = 0;
	return 1;
}

int vhb_ring_must_call(struct vhb_ring *ring)
{
	int ret;

	if (unlikely(ring->error))
		return ring->error;
	/*
	 * Pairs with the driver's barrier between asking for calls and looking
	 * for used entries: one of us sees what the other wrote.
	 */
	smp_mb();
	if (is_packed(ring))
		ret = vhb_packed_wants_call(ring);
	else
		ret = vhb_split_wants_call(ring);
	if (ret >= 0)
		ring->unsignalled_slots = 0;
	return ret;
}

int vhb_ring_disable_kicks(struct vhb_ring *ring)
{
	if (unlikely(ring->error))
		return ring->error;
	return is_packed(ring) ? vhb_packed_disable_kicks(ring) :
				 vhb_split_disable_kicks(ring);
}

int vhb_ring_enable_kicks(struct vhb_ring *ring)
{
	if (unlikely(ring->error))
		return ring->error;
	return is_packed(ring) ? vhb_packed_enable_kicks(ring) :
				 vhb_split_enable_kicks(ring);
}
