/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_RING_RING_H
#define VHB_RING_RING_H

#include <linux/types.h>

#include "memory/memory.h"

/**
 * DOC: virtqueues
 *
 * The device's side of a virtqueue, split or packed, behind one set of calls
 * (VIRTIO 1.2, 2.6 to 2.8). No file, task, address space or eventfd in here:
 * the same sources are built in user space for unit tests and fuzzing.
 *
 * Chains are taken with vhb_ring_pop() and given back, in any order, with
 * vhb_ring_push(); vhb_ring_publish() makes what was pushed since the last time
 * visible to the driver in one go, and vhb_ring_must_call() says whether the
 * driver wants to hear of it.
 *
 * The driver is not trusted. Each value is read from guest memory once. A ring
 * that breaks the rules makes a call fail with an error other than -EAGAIN;
 * from then on pop, push and publish fail with the same error and touch guest
 * memory no more, until vhb_ring_start(). &vhb_ring.fault says what was wrong.
 * -EAGAIN comes from memory (see there): nothing has changed, and the same call
 * can be made again. No loop runs longer than the ring has entries or a table
 * VHB_RING_SEGMENTS_MAX.
 *
 * One caller at a time; the caller's lock is the virtqueue's.
 */

/** Entries a ring can have (VIRTIO 1.2, 2.6 and 2.8.10.1) */
#define VHB_RING_NUM_MAX 32768

/** Segments a chain can have, more than any driver uses */
#define VHB_RING_SEGMENTS_MAX 1024

/**
 * enum vhb_ring_layout - how the ring lies in memory
 * @VHB_RING_SPLIT: descriptor table, available ring, used ring
 * @VHB_RING_PACKED: one ring of descriptors, two event suppression structures
 */
enum vhb_ring_layout {
	VHB_RING_SPLIT,
	VHB_RING_PACKED,
};

/**
 * enum vhb_ring_fault - what broke a ring, as a rule what a driver did wrong
 * @VHB_RING_FAULT_NONE: nothing
 * @VHB_RING_FAULT_MEMORY: ring, table or chain is not in guest memory
 * @VHB_RING_FAULT_AVAIL: the available index jumped by more than the ring has,
 *                        or more chains are in flight than fit
 * @VHB_RING_FAULT_HEAD: a chain starts outside the descriptor table
 * @VHB_RING_FAULT_NEXT: a chain goes on outside its table
 * @VHB_RING_FAULT_LOOP: a chain has more descriptors than the ring, or than the
 *                       indirect table
 * @VHB_RING_FAULT_LONG: a chain has more than VHB_RING_SEGMENTS_MAX segments or
 *                       an indirect table more descriptors than that, or all
 *                       segments together have 4 GiB
 * @VHB_RING_FAULT_INDIRECT: an indirect table where none may be, of a size that
 *                           is not a multiple of a descriptor, or nested
 * @VHB_RING_FAULT_ORDER: a readable descriptor behind a writable one
 * @VHB_RING_FAULT_EMPTY: an indirect table without a descriptor. Data
 *                        descriptors of no length are skipped
 * @VHB_RING_FAULT_LOG: the dirty log cannot be written; not the driver's doing
 * @VHB_RING_FAULT_ACCESS: the IOTLB does not allow it
 *
 * The values are part of the interface to user space (VHOST_BRIDGE_FAULT_*).
 */
enum vhb_ring_fault {
	VHB_RING_FAULT_NONE = 0,
	VHB_RING_FAULT_MEMORY = 1,
	VHB_RING_FAULT_AVAIL = 2,
	VHB_RING_FAULT_HEAD = 3,
	VHB_RING_FAULT_NEXT = 4,
	VHB_RING_FAULT_LOOP = 5,
	VHB_RING_FAULT_LONG = 6,
	VHB_RING_FAULT_INDIRECT = 7,
	VHB_RING_FAULT_ORDER = 8,
	VHB_RING_FAULT_EMPTY = 9,
	VHB_RING_FAULT_LOG = 11,
	VHB_RING_FAULT_ACCESS = 12,
};

/**
 * struct vhb_ring_config - how a ring is set up
 * @layout: split or packed
 * @num: entries; a power of two for split rings, 1 to VHB_RING_NUM_MAX
 * @desc_addr: area address of the descriptor table or ring; 16-aligned
 * @avail_addr: split: available ring, 2-aligned; packed: driver's event
 *              suppression structure, 4-aligned
 * @used_addr: split: used ring, 4-aligned; packed: device's event suppression
 *             structure, 4-aligned
 * @has_indirect: VIRTIO_F_INDIRECT_DESC was negotiated
 * @has_event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @has_in_order: VIRTIO_F_IN_ORDER was negotiated
 * @notify_on_empty: VIRTIO_F_NOTIFY_ON_EMPTY was negotiated (split, legacy)
 */
struct vhb_ring_config {
	enum vhb_ring_layout layout;
	u32 num;
	u64 desc_addr;
	u64 avail_addr;
	u64 used_addr;
	bool has_indirect;
	bool has_event_idx;
	bool has_in_order;
	bool notify_on_empty;
};

/**
 * struct vhb_segment - a piece of a buffer
 * @gpa: guest address
 * @length_bytes: not zero
 * @user_addr: the owner's address; not the ring's business, zero as it gives a
 *             chain away
 */
struct vhb_segment {
	u64 gpa;
	u32 length_bytes;
	u64 user_addr;
};

/**
 * struct vhb_chain - a buffer the driver made available
 * @id: names it when it is given back: the head's index (split) or the buffer
 *      ID (packed)
 * @slot_count: ring entries it occupies, 1 in a split ring; for vhb_ring_push()
 * @readable_count: segments the device may read; they come first
 * @writable_count: segments the device may write
 * @readable_bytes: length of the former
 * @writable_bytes: length of the latter; both together are below 4 GiB
 * @segments: the segments; room for VHB_RING_SEGMENTS_MAX, from the caller
 *
 * Addresses are not checked yet: that is for whoever looks them up in memory.
 */
struct vhb_chain {
	u16 id;
	u16 slot_count;
	u32 readable_count;
	u32 writable_count;
	u32 readable_bytes;
	u32 writable_bytes;
	struct vhb_segment *segments;
};

/**
 * struct vhb_used - a chain that is given back
 * @id: &vhb_chain.id
 * @slot_count: &vhb_chain.slot_count
 * @sequence: &vhb_ring.sequence as it was just before the chain was popped
 * @written_bytes: bytes written to the beginning of its writable segments
 */
struct vhb_used {
	u16 id;
	u16 slot_count;
	u32 sequence;
	u32 written_bytes;
};

/**
 * struct vhb_ring_order - what in-order needs to know of a chain in flight
 * @used: as it was pushed
 * @is_pushed: it was
 */
struct vhb_ring_order {
	struct vhb_used used;
	bool is_pushed;
};

/**
 * struct vhb_ring - a virtqueue
 * @memory: guest memory; the caller may replace it between calls
 * @config: as set up
 * @fault: what the driver did wrong
 * @error: what calls fail with since then; 0 while all is well
 * @sequence: chains popped so far (wraps)
 * @in_flight_count: chains popped and not pushed
 * @in_flight_slots: ring entries those occupy
 * @held_slots: ring entries the driver cannot have back yet: those of chains
 *              popped and not published
 * @unpublished_slots: of those, the ones of used entries that are written
 * @unsignalled_slots: ring entries published since vhb_ring_must_call() last
 *                     answered; U32_MAX when that says nothing
 * @next_avail: split: available index to look at next (free running, 16 bits);
 *              packed: slot to look at next
 * @avail_wrap: packed: wrap counter that goes with @next_avail
 * @next_used: split: used index to write next (free running, 16 bits); packed:
 *             slot to write next
 * @used_wrap: packed: wrap counter that goes with @next_used
 * @known_avail: split: available index as last read from guest memory
 * @published_used: packed: slot (with wrap counter in bit 15) of the first used
 *                  descriptor that is not published yet
 * @withheld_flags: packed: flags of that descriptor, written last so that the
 *                  driver sees all or nothing
 * @kick_flags: what the driver was last told of kicks; KICK_FLAGS_UNKNOWN before
 * @orders: in-order bookkeeping, @config.num entries, rounded up to a power of
 *          two; NULL without
 * @next_push: in-order: sequence of the chain to be written next
 */
struct vhb_ring {
	const struct vhb_memory *memory;
	struct vhb_ring_config config;
	enum vhb_ring_fault fault;
	int error;
	u32 sequence;
	u32 in_flight_count;
	u32 in_flight_slots;
	u32 held_slots;
	u32 unpublished_slots;
	u32 unsignalled_slots;
	u16 next_avail;
	bool avail_wrap;
	u16 next_used;
	bool used_wrap;
	u16 known_avail;
	u16 published_used;
	u16 withheld_flags;
	u16 kick_flags;
	struct vhb_ring_order *orders;
	u32 next_push;
};

/**
 * vhb_ring_holds_any() - was a chain taken that the driver cannot have back yet?
 * @ring: set up
 *
 * Whatever became of it, a base would say that the driver has it.
 */
static inline bool vhb_ring_holds_any(const struct vhb_ring *ring)
{
	return ring->held_slots;
}

/**
 * vhb_ring_check() - is this a ring?
 * @config: as it would be set up
 *
 * Return: 0, or -EINVAL for a size, alignment or address that wraps.
 */
int vhb_ring_check(const struct vhb_ring_config *config);

/**
 * vhb_ring_area_bytes() - how much memory the parts of a ring take
 * @config: as it would be set up
 * @desc_bytes: length of what is at desc_addr
 * @avail_bytes: length of what is at avail_addr, event index included
 * @used_bytes: length of what is at used_addr, event index included
 */
void vhb_ring_area_bytes(const struct vhb_ring_config *config, u64 *desc_bytes,
			 u64 *avail_bytes, u64 *used_bytes);

/**
 * vhb_ring_init() - set a ring up; guest memory is not touched
 * @ring: uninitialized
 * @config: checked with vhb_ring_check()
 *
 * Return: 0 or -ENOMEM (in-order bookkeeping).
 */
int vhb_ring_init(struct vhb_ring *ring, const struct vhb_ring_config *config);

/**
 * vhb_ring_destroy() - free what vhb_ring_init() took
 * @ring: set up, or all zero
 */
void vhb_ring_destroy(struct vhb_ring *ring);

/**
 * vhb_ring_start() - go on from a base
 * @ring: set up, nothing in flight
 * @memory: guest memory
 * @base: as VHOST_SET_VRING_BASE has it. Split: next available index; the used
 *        index is read from the ring. Packed: next available slot and wrap
 *        counter (bit 15) in the low half, the same for used in the high half
 *
 * Clears a fault. Kicks are not asked for yet: vhb_ring_enable_kicks().
 *
 * Return: 0; -EINVAL for a base outside the ring, and nothing has changed; an
 * error of memory.
 */
int vhb_ring_start(struct vhb_ring *ring, const struct vhb_memory *memory,
		   u32 base);

/**
 * vhb_ring_base() - where to go on, as VHOST_GET_VRING_BASE has it
 * @ring: nothing in flight, everything published
 *
 * Return: what vhb_ring_start() takes.
 */
u32 vhb_ring_base(const struct vhb_ring *ring);

/**
 * vhb_ring_pop() - take the next chain
 * @ring: the ring
 * @chain: filled in; its segments member points to room
 *
 * Return: 1 with a chain, 0 when there is none, or -errno (see above).
 */
int vhb_ring_pop(struct vhb_ring *ring, struct vhb_chain *chain);

/**
 * vhb_ring_unpop() - leave the chain that was taken last to who comes next
 * @ring: the ring; may be broken
 * @chain: as vhb_ring_pop() filled it in, and nothing was popped or pushed since
 *
 * The base is again what it was before the chain.
 */
void vhb_ring_unpop(struct vhb_ring *ring, const struct vhb_chain *chain);

/**
 * vhb_ring_push() - give a chain back
 * @ring: the ring
 * @used: which; must be in flight
 *
 * The driver does not see it before vhb_ring_publish(). With in-order, chains
 * that are pushed early wait here for those before them.
 *
 * Return: 0 or -errno; -EINVAL, with nothing changed, for a chain that is not in
 * flight as far as one can tell.
 */
int vhb_ring_push(struct vhb_ring *ring, const struct vhb_used *used);

/**
 * vhb_ring_publish() - show the driver what was pushed
 * @ring: the ring
 *
 * With in-order, what can be shown is what was pushed without a gap. After
 * -EAGAIN the driver has seen nothing; some of it may be written already.
 *
 * Return: 1 when there was something to show, 0 when not, or -errno.
 */
int vhb_ring_publish(struct vhb_ring *ring);

/**
 * vhb_ring_must_call() - does the driver want to hear of what was published?
 * @ring: the ring
 *
 * Call it once after each vhb_ring_publish() that returned 1. Contains the
 * memory barrier between publishing and looking at the driver's wish.
 *
 * Return: 1, 0 or -errno. On an error of memory other than -EAGAIN the ring is
 * broken; on -EAGAIN calling is the safe answer.
 */
int vhb_ring_must_call(struct vhb_ring *ring);

/**
 * vhb_ring_disable_kicks() - tell the driver that we look by ourselves
 * @ring: the ring
 *
 * A hint only: kicks may still come.
 *
 * Return: 0 or -errno.
 */
int vhb_ring_disable_kicks(struct vhb_ring *ring);

/**
 * vhb_ring_enable_kicks() - ask for kicks, and look once more
 * @ring: the ring
 *
 * Contains the memory barrier between asking and looking; what the driver makes
 * available after a 0 is followed by a kick. After -EAGAIN the driver may have
 * been asked already.
 *
 * Return: 1 when a chain is available now (kicks stay enabled), 0 when not, or
 * -errno.
 */
int vhb_ring_enable_kicks(struct vhb_ring *ring);

#endif
