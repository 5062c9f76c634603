/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_MEMORY_IOTLB_H
#define VHB_MEMORY_IOTLB_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vhost_types.h>
#include <linux/wait.h>

/**
 * DOC: the IOTLB
 *
 * What the driver's addresses (IOVA) mean when there is an IOMMU before the
 * device. The owner tells it piece by piece; what it has not told is a *miss*,
 * and whoever came across it waits until it has. A viewer (a virtqueue) waits
 * for one at a time, so there are never more misses than viewers.
 *
 *	NONE --translate--> NEW --take--> TOLD
 *	  ^                  |             |
 *	  +-----update-------+-------------+--refuse--> REFUSED --translate--> NONE
 *
 * Entries do not overlap. When there are too many the oldest goes; whoever needs
 * it misses it again.
 */

/** Entries there can be; as many as vhost has by default */
#define VHB_IOTLB_ENTRIES_MAX 2048

/** Virtqueues of a device */
#define VHB_IOTLB_VIEWERS_MAX 64

/**
 * enum vhb_miss_state - what is known of a miss
 * @VHB_MISS_NONE: there is none
 * @VHB_MISS_NEW: the owner has not been told
 * @VHB_MISS_TOLD: it has
 * @VHB_MISS_REFUSED: it will not say
 */
enum vhb_miss_state {
	VHB_MISS_NONE,
	VHB_MISS_NEW,
	VHB_MISS_TOLD,
	VHB_MISS_REFUSED,
};

/**
 * struct vhb_miss - what a viewer waits for
 * @iova: an address nothing is known of
 * @access: VHOST_ACCESS_*: what for
 * @state: see there
 */
struct vhb_miss {
	u64 iova;
	u8 access;
	enum vhb_miss_state state;
};

/**
 * struct vhb_iotlb - what is known
 * @lock: guards all of this but @readers; taken with any other lock held
 * @entries: by address
 * @by_age: the same, oldest first
 * @entry_count: how many
 * @misses: by viewer
 * @readers: woken when a miss is new
 * @on_miss: told that a viewer's miss is new; what locks it has are the caller's
 *           of vhb_iotlb_translate(). Must not sleep
 */
struct vhb_iotlb {
	spinlock_t lock; /* see above */
	struct rb_root entries;
	struct list_head by_age;
	u32 entry_count;
	struct vhb_miss misses[VHB_IOTLB_VIEWERS_MAX];
	wait_queue_head_t readers;
	void (*on_miss)(struct vhb_iotlb *iotlb, unsigned int viewer);
};

/**
 * vhb_iotlb_init() - nothing is known
 * @iotlb: zeroed
 * @on_miss: see there
 */
void vhb_iotlb_init(struct vhb_iotlb *iotlb,
		    void (*on_miss)(struct vhb_iotlb *iotlb,
				    unsigned int viewer));

/**
 * vhb_iotlb_clear() - nothing is known any more, and nobody waits
 * @iotlb: the IOTLB
 */
void vhb_iotlb_clear(struct vhb_iotlb *iotlb);

/**
 * vhb_iotlb_update() - this is known now
 * @iotlb: the IOTLB
 * @message: where, how much, where the owner has it, what is allowed
 * @viewers_out: mask of the viewers that waited for it
 *
 * Takes the place of what was known of these addresses.
 *
 * Return: 0; -EINVAL for no length, one that wraps, or no access at all;
 * -EFAULT for what is no user memory; -ENOMEM.
 */
int vhb_iotlb_update(struct vhb_iotlb *iotlb,
		     const struct vhost_iotlb_msg *message, u64 *viewers_out);

/**
 * vhb_iotlb_invalidate() - this is known no more
 * @iotlb: the IOTLB
 * @message: where and how much
 *
 * Return: 0; -EINVAL for no length or one that wraps.
 */
int vhb_iotlb_invalidate(struct vhb_iotlb *iotlb,
			 const struct vhost_iotlb_msg *message);

/**
 * vhb_iotlb_refuse() - this will never be known
 * @iotlb: the IOTLB
 * @message: where and how much; of no length for one address
 * @viewers_out: mask of the viewers that waited for it
 *
 * Return: 0; -EINVAL for a length that wraps.
 */
int vhb_iotlb_refuse(struct vhb_iotlb *iotlb,
		     const struct vhost_iotlb_msg *message, u64 *viewers_out);

/**
 * vhb_iotlb_translate() - where the owner has it
 * @iotlb: the IOTLB
 * @viewer: who asks
 * @iova: the address
 * @size_bytes: how much; not zero
 * @access: VHOST_ACCESS_RO or _WO: what for
 * @user_addr_out: the owner's address
 * @chunk_bytes_out: how far it goes on from there, at most @size_bytes
 *
 * Return: 0; -EAGAIN when nothing is known, and @viewer waits from now on;
 * -EACCES when it is not allowed.
 */
int vhb_iotlb_translate(struct vhb_iotlb *iotlb, unsigned int viewer, u64 iova,
			u64 size_bytes, u8 access, u64 *user_addr_out,
			u64 *chunk_bytes_out);

/**
 * vhb_iotlb_forget() - a viewer waits no more
 * @iotlb: the IOTLB
 * @viewer: which
 */
void vhb_iotlb_forget(struct vhb_iotlb *iotlb, unsigned int viewer);

/**
 * vhb_iotlb_is_waiting() - does a viewer wait?
 * @iotlb: the IOTLB
 * @viewer: which
 */
bool vhb_iotlb_is_waiting(struct vhb_iotlb *iotlb, unsigned int viewer);

/**
 * vhb_iotlb_has_miss() - is there one the owner has not been told?
 * @iotlb: the IOTLB
 */
bool vhb_iotlb_has_miss(struct vhb_iotlb *iotlb);

/**
 * vhb_iotlb_take_miss() - tell the owner one
 * @iotlb: the IOTLB
 * @miss_out: the miss
 *
 * Others that wait for just the same count as told, too.
 *
 * Return: whether there was one.
 */
bool vhb_iotlb_take_miss(struct vhb_iotlb *iotlb, struct vhb_miss *miss_out);

/**
 * vhb_iotlb_return_miss() - the owner could not be told
 * @iotlb: the IOTLB
 * @miss: from vhb_iotlb_take_miss()
 */
void vhb_iotlb_return_miss(struct vhb_iotlb *iotlb,
			   const struct vhb_miss *miss);

#endif
