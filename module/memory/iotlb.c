// SPDX-License-Identifier: GPL-2.0-only
#include "memory/iotlb.h"

#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

/**
 * struct entry - a stretch that is known
 * @node: in the tree
 * @age_node: in the list
 * @start: first address
 * @last: last address
 * @user_addr: where the owner has @start
 * @perm: VHOST_ACCESS_*: what is allowed
 */
struct entry {
	struct rb_node node;
	struct list_head age_node;
	u64 start;
	u64 last;
	u64 user_addr;
	u8 perm;
};

/* All below: lock held, where it does not take it. */

static struct entry *entry_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct entry, node);
}

/* The first entry that does not end before an address */
static struct entry *find_from(const struct vhb_iotlb *iotlb, u64 iova)
{
	struct rb_node *node = iotlb->entries.rb_node;
	struct entry *found = NULL;

	while (node) {
		struct entry *entry = entry_of(node);

		if (entry->last < iova) {
			node = node->rb_right;
		} else {
			found = entry;
			node = node->rb_left;
		}
	}
	return found;
}

static void insert(struct vhb_iotlb *iotlb, struct entry *entry)
{
	struct rb_node **place = &iotlb->entries.rb_node;
	struct rb_node *parent = NULL;

	while (*place) {
		parent = *place;
		place = entry->start < entry_of(parent)->start ?
				&parent->rb_left :
				&parent->rb_right;
	}
	rb_link_node(&entry->node, parent, place);
	rb_insert_color(&entry->node, &iotlb->entries);
	list_add_tail(&entry->age_node, &iotlb->by_age);
	iotlb->entry_count++;
}

static void drop(struct vhb_iotlb *iotlb, struct entry *entry)
{
	rb_erase(&entry->node, &iotlb->entries);
	list_del(&entry->age_node);
	iotlb->entry_count--;
	kfree(entry);
}

/* The oldest first */
static void forget_beyond(struct vhb_iotlb *iotlb, unsigned int count_max)
{
	while (iotlb->entry_count > count_max)
		drop(iotlb, list_first_entry(&iotlb->by_age, struct entry,
					     age_node));
}

/* Takes the middle out. Without @spare what is behind goes with it. */
static void split(struct vhb_iotlb *iotlb, struct entry *entry, u64 start,
		  u64 last, struct entry **spare)
{
	struct entry *behind = *spare;

	if (behind) {
		behind->start = last + 1;
		behind->last = entry->last;
		behind->user_addr = entry->user_addr +
				    (behind->start - entry->start);
		behind->perm = entry->perm;
		*spare = NULL;
	}
	entry->last = start - 1;
	if (behind)
		insert(iotlb, behind);
}

/*
 * Nothing is known from start to last. What an entry has besides stays: two
 * pieces that a chain needs at once must not keep throwing each other out.
 */
static void carve(struct vhb_iotlb *iotlb, u64 start, u64 last,
		  struct entry **spare)
{
	struct entry *entry = find_from(iotlb, start);

	while (entry && entry->start <= last) {
		struct entry *next = entry_of(rb_next(&entry->node));

		if (entry->start < start && entry->last > last) {
			split(iotlb, entry, start, last, spare);
		} else if (entry->start < start) {
			entry->last = start - 1;
		} else if (entry->last > last) {
			/* It stays between its neighbours. */
			entry->user_addr += last + 1 - entry->start;
			entry->start = last + 1;
		} else {
			drop(iotlb, entry);
		}
		entry = next;
	}
}

static bool is_pending(const struct vhb_miss *miss)
{
	return miss->state == VHB_MISS_NEW || miss->state == VHB_MISS_TOLD;
}

static bool is_same(const struct vhb_miss *a, const struct vhb_miss *b)
{
	return a->iova == b->iova && a->access == b->access;
}

/* Returns the mask of the viewers that waited for something in there. */
static u64 answer(struct vhb_iotlb *iotlb, u64 start, u64 last,
		  enum vhb_miss_state state)
{
	unsigned int i;
	u64 viewers = 0;

	for (i = 0; i < VHB_IOTLB_VIEWERS_MAX; i++) {
		struct vhb_miss *miss = &iotlb->misses[i];

		if (miss->iova < start || miss->iova > last)
			continue;
		if (!is_pending(miss)) {
			/* What was refused and is told now is refused no more. */
			if (state == VHB_MISS_NONE)
				miss->state = VHB_MISS_NONE;
			continue;
		}
		miss->state = state;
		viewers |= BIT_ULL(i);
	}
	return viewers;
}

void vhb_iotlb_init(struct vhb_iotlb *iotlb,
		    void (*on_miss)(struct vhb_iotlb *iotlb,
				    unsigned int viewer))
{
	spin_lock_init(&iotlb->lock);
	iotlb->entries = RB_ROOT;
	INIT_LIST_HEAD(&iotlb->by_age);
	init_waitqueue_head(&iotlb->readers);
	iotlb->on_miss = on_miss;
}

void vhb_iotlb_clear(struct vhb_iotlb *iotlb)
{
	struct entry *entry, *next;

	spin_lock(&iotlb->lock);
	list_for_each_entry_safe(entry, next, &iotlb->by_age, age_node)
		drop(iotlb, entry);
	memset(iotlb->misses, 0, sizeof(iotlb->misses));
	spin_unlock(&iotlb->lock);
	/* Who reads finds that there is nothing to be read any more. */
	wake_up_interruptible_all(&iotlb->readers);
}

static int check_range(const struct vhost_iotlb_msg *message)
{
	if (!message->size || message->size - 1 > U64_MAX - message->iova)
		return -EINVAL;
	return 0;
}

static int check_update(const struct vhost_iotlb_msg *message)
{
	u64 end;
	int ret;

	ret = check_range(message);
	if (ret)
		return ret;
	if (!message->perm || message->perm & ~VHOST_ACCESS_RW)
		return -EINVAL;
	if (check_add_overflow(message->uaddr, message->size, &end) ||
	    !access_ok(u64_to_user_ptr(message->uaddr), message->size))
		return -EFAULT;
	return 0;
}

int vhb_iotlb_update(struct vhb_iotlb *iotlb,
		     const struct vhost_iotlb_msg *message, u64 *viewers_out)
{
	struct entry *entry, *spare;
	int ret;

	ret = check_update(message);
	if (ret)
		return ret;
	entry = kmalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	spare = kmalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!spare) {
		kfree(entry);
		return -ENOMEM;
	}
	entry->start = message->iova;
	entry->last = message->iova + (message->size - 1);
	entry->user_addr = message->uaddr;
	entry->perm = message->perm;

	spin_lock(&iotlb->lock);
	carve(iotlb, entry->start, entry->last, &spare);
	forget_beyond(iotlb, VHB_IOTLB_ENTRIES_MAX - 1);
	insert(iotlb, entry);
	*viewers_out = answer(iotlb, entry->start, entry->last, VHB_MISS_NONE);
	spin_unlock(&iotlb->lock);
	kfree(spare);
	return 0;
}

int vhb_iotlb_invalidate(struct vhb_iotlb *iotlb,
			 const struct vhost_iotlb_msg *message)
{
	struct entry *spare;
	int ret;

	ret = check_range(message);
	if (ret)
		return ret;
	/* It must not fail for want of memory: then more is forgotten. */
	spare = kmalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	spin_lock(&iotlb->lock);
	carve(iotlb, message->iova, message->iova + (message->size - 1),
	      &spare);
	/* What was one entry may be two now. */
	forget_beyond(iotlb, VHB_IOTLB_ENTRIES_MAX);
	spin_unlock(&iotlb->lock);
	kfree(spare);
	return 0;
}

int vhb_iotlb_refuse(struct vhb_iotlb *iotlb,
		     const struct vhost_iotlb_msg *message, u64 *viewers_out)
{
	const u64 size_bytes = max_t(u64, message->size, 1);

	if (size_bytes - 1 > U64_MAX - message->iova)
		return -EINVAL;
	spin_lock(&iotlb->lock);
	*viewers_out = answer(iotlb, message->iova,
			      message->iova + (size_bytes - 1),
			      VHB_MISS_REFUSED);
	spin_unlock(&iotlb->lock);
	return 0;
}

/* Whether the owner has been told just this, for somebody else */
static bool was_told(const struct vhb_iotlb *iotlb, const struct vhb_miss *miss)
{
	unsigned int i;

	for (i = 0; i < VHB_IOTLB_VIEWERS_MAX; i++)
		if (iotlb->misses[i].state == VHB_MISS_TOLD &&
		    is_same(&iotlb->misses[i], miss))
			return true;
	return false;
}

static int miss_it(struct vhb_iotlb *iotlb, unsigned int viewer, u64 iova,
		   u8 access, bool *is_new)
{
	struct vhb_miss *miss = &iotlb->misses[viewer];
	const struct vhb_miss now = { .iova = iova, .access = access };

	if (is_same(miss, &now)) {
		if (miss->state == VHB_MISS_REFUSED) {
			miss->state = VHB_MISS_NONE;
			return -EACCES;
		}
		if (is_pending(miss))
			return -EAGAIN;
	}
	*miss = now;
	*is_new = !was_told(iotlb, &now);
	miss->state = *is_new ? VHB_MISS_NEW : VHB_MISS_TOLD;
	return -EAGAIN;
}

int vhb_iotlb_translate(struct vhb_iotlb *iotlb, unsigned int viewer, u64 iova,
			u64 size_bytes, u8 access, u64 *user_addr_out,
			u64 *chunk_bytes_out)
{
	const struct entry *entry;
	bool is_new = false;
	int ret = 0;

	spin_lock(&iotlb->lock);
	entry = find_from(iotlb, iova);
	if (!entry || entry->start > iova) {
		ret = miss_it(iotlb, viewer, iova, access, &is_new);
	} else if (access & ~entry->perm) {
		ret = -EACCES;
	} else {
		*user_addr_out = entry->user_addr + (iova - entry->start);
		*chunk_bytes_out = min(size_bytes, entry->last - iova + 1);
	}
	spin_unlock(&iotlb->lock);

	if (is_new) {
		wake_up_interruptible_poll(&iotlb->readers,
					   EPOLLIN | EPOLLRDNORM);
		iotlb->on_miss(iotlb, viewer);
	}
	return ret;
}

void vhb_iotlb_forget(struct vhb_iotlb *iotlb, unsigned int viewer)
{
	spin_lock(&iotlb->lock);
	iotlb->misses[viewer].state = VHB_MISS_NONE;
	spin_unlock(&iotlb->lock);
}

bool vhb_iotlb_is_waiting(struct vhb_iotlb *iotlb, unsigned int viewer)
{
	bool is_waiting;

	spin_lock(&iotlb->lock);
	is_waiting = is_pending(&iotlb->misses[viewer]);
	spin_unlock(&iotlb->lock);
	return is_waiting;
}

static struct vhb_miss *find_new(struct vhb_iotlb *iotlb)
{
	unsigned int i;

	for (i = 0; i < VHB_IOTLB_VIEWERS_MAX; i++)
		if (iotlb->misses[i].state == VHB_MISS_NEW)
			return &iotlb->misses[i];
	return NULL;
}

bool vhb_iotlb_has_miss(struct vhb_iotlb *iotlb)
{
	bool has_miss;

	spin_lock(&iotlb->lock);
	has_miss = find_new(iotlb);
	spin_unlock(&iotlb->lock);
	return has_miss;
}

/* All that are just this, from one state to another */
static void change_same(struct vhb_iotlb *iotlb, const struct vhb_miss *miss,
			enum vhb_miss_state from, enum vhb_miss_state to)
{
	unsigned int i;

	for (i = 0; i < VHB_IOTLB_VIEWERS_MAX; i++)
		if (iotlb->misses[i].state == from &&
		    is_same(&iotlb->misses[i], miss))
			iotlb->misses[i].state = to;
}

bool vhb_iotlb_take_miss(struct vhb_iotlb *iotlb, struct vhb_miss *miss_out)
{
	const struct vhb_miss *miss;

	spin_lock(&iotlb->lock);
	miss = find_new(iotlb);
	if (miss) {
		*miss_out = *miss;
		change_same(iotlb, miss_out, VHB_MISS_NEW, VHB_MISS_TOLD);
	}
	spin_unlock(&iotlb->lock);
	return miss;
}

void vhb_iotlb_return_miss(struct vhb_iotlb *iotlb, const struct vhb_miss *miss)
{
	spin_lock(&iotlb->lock);
	change_same(iotlb, miss, VHB_MISS_TOLD, VHB_MISS_NEW);
	spin_unlock(&iotlb->lock);
}
