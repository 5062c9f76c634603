// SPDX-License-Identifier: GPL-2.0-only
#include "interface/uring_slot.h"

#include <linux/bitops.h>
#include <linux/string.h>

#include "compat/compat_uring.h"

/**
 * struct slot_ref - what a command remembers: its slot
 * @slot: the slot
 */
struct slot_ref {
	struct vhb_slot *slot;
};

void vhb_slots_init(struct vhb_slots *slots)
{
	unsigned int i;

	spin_lock_init(&slots->lock);
	for (i = 0; i < ARRAY_SIZE(slots->events); i++)
		slots->events[i].slots = slots;
	for (i = 0; i < ARRAY_SIZE(slots->drains); i++)
		slots->drains[i].slots = slots;
}

static struct vhb_slot *slot_of(struct io_uring_cmd *command)
{
	return READ_ONCE(io_uring_cmd_to_pdu(command, struct slot_ref)->slot);
}

static void set_slot(struct io_uring_cmd *command, struct vhb_slot *slot)
{
	WRITE_ONCE(io_uring_cmd_to_pdu(command, struct slot_ref)->slot, slot);
}

/* In the submitter's thread; the state keeps everybody else off the slot. */
static void give_answer(struct io_uring_cmd *command, unsigned int issue_flags)
{
	struct vhb_slot *slot = slot_of(command);
	struct vhb_slots *slots = slot->slots;
	int result;

	spin_lock_irq(&slots->lock);
	result = slot->result;
	slot->command = NULL;
	slot->state = VHB_SLOT_IDLE;
	spin_unlock_irq(&slots->lock);
	/* The last reference to the file may go with the command. */
	io_uring_cmd_done(command, result, 0, issue_flags);
}

/* @slot is armed, the lock held. */
static void answer(struct vhb_slot *slot, int result)
{
	slot->state = VHB_SLOT_COMPLETING;
	slot->result = result;
	io_uring_cmd_complete_in_task(slot->command, give_answer);
}

/*
 * Before it is armed: as soon as it is, it may be answered in another thread, and
 * io_uring must not hear of a command that is gone. One that it wants to cancel
 * meanwhile has no slot; it asks again.
 */
static void make_cancelable(struct io_uring_cmd *command,
			    unsigned int issue_flags)
{
	set_slot(command, NULL);
	io_uring_cmd_mark_cancelable(command, issue_flags);
}

static void arm(struct vhb_slot *slot, struct io_uring_cmd *command)
{
	set_slot(command, slot);
	slot->command = command;
	slot->state = VHB_SLOT_ARMED;
}

static struct vhb_slot *find_event(struct vhb_slots *slots,
				   enum vhb_slot_state state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slots->events); i++)
		if (slots->events[i].state == state)
			return &slots->events[i];
	return NULL;
}

static int make_event(enum vhost_bridge_event_kind kind, unsigned int index)
{
	return kind | index << 8;
}

static void tell_event(struct vhb_slots *slots,
		       enum vhost_bridge_event_kind kind, unsigned int index)
{
	struct vhb_slot *slot = find_event(slots, VHB_SLOT_ARMED);

	if (slot)
		answer(slot, make_event(kind, index));
	else
		slots->pending[kind] |= BIT_ULL(index);
}

/* The lock is held. */
static void cancel_all(struct vhb_slots *slots)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(slots->events); i++)
		if (slots->events[i].state == VHB_SLOT_ARMED)
			answer(&slots->events[i], -ECANCELED);
	for (i = 0; i < ARRAY_SIZE(slots->drains); i++)
		if (slots->drains[i].state == VHB_SLOT_ARMED)
			answer(&slots->drains[i], -ECANCELED);
}

void vhb_slots_tell(struct vhb_slots *slots, enum vhb_news news,
		    unsigned int index)
{
	unsigned long flags;

	spin_lock_irqsave(&slots->lock, flags);
	switch (news) {
	case VHB_NEWS_BROKEN:
		tell_event(slots, VHOST_BRIDGE_EVENT_VRING_BROKEN, index);
		break;
	case VHB_NEWS_CONFIG:
		tell_event(slots, VHOST_BRIDGE_EVENT_CONFIG, 0);
		break;
	case VHB_NEWS_CALL:
		tell_event(slots, VHOST_BRIDGE_EVENT_CALL, index);
		break;
	case VHB_NEWS_MISS:
		tell_event(slots, VHOST_BRIDGE_EVENT_MISS, index);
		break;
	case VHB_NEWS_STOPPED:
		if (slots->drains[index].state == VHB_SLOT_ARMED)
			answer(&slots->drains[index], 0);
		break;
	case VHB_NEWS_DISOWNED:
		cancel_all(slots);
		memset(slots->pending, 0, sizeof(slots->pending));
		break;
	case VHB_NEWS_STARTED:
	case VHB_NEWS_DRAINING:
		break;
	}
	spin_unlock_irqrestore(&slots->lock, flags);
}

/* The next one that nobody has heard of, or 0 */
static int take_pending(struct vhb_slots *slots)
{
	enum vhost_bridge_event_kind kind;

	for (kind = VHOST_BRIDGE_EVENT_VRING_BROKEN;
	     kind <= VHOST_BRIDGE_EVENT_MISS; kind++) {
		if (slots->pending[kind]) {
			const unsigned int index = __ffs64(slots->pending[kind]);

			slots->pending[kind] &= ~BIT_ULL(index);
			return make_event(kind, index);
		}
	}
	return 0;
}

int vhb_slots_wait_event(struct vhb_slots *slots, struct io_uring_cmd *command,
			 unsigned int issue_flags)
{
	struct vhb_slot *slot;
	int event;

	spin_lock_irq(&slots->lock);
	slot = find_event(slots, VHB_SLOT_IDLE);
	spin_unlock_irq(&slots->lock);
	if (!slot)
		return -EBUSY;

	make_cancelable(command, issue_flags);
	spin_lock_irq(&slots->lock);
	arm(slot, command);
	/*
	 * Not returned: some kernels never complete a command that returns more
	 * than zero in a worker of io_uring's.
	 */
	event = take_pending(slots);
	if (event)
		answer(slot, event);
	spin_unlock_irq(&slots->lock);
	return -EIOCBQUEUED;
}

int vhb_slots_wait_drain(struct vhb_slots *slots, unsigned int index,
			 struct io_uring_cmd *command,
			 unsigned int issue_flags)
{
	struct vhb_slot *slot = &slots->drains[index];
	bool is_idle;

	spin_lock_irq(&slots->lock);
	is_idle = slot->state == VHB_SLOT_IDLE;
	spin_unlock_irq(&slots->lock);
	if (!is_idle)
		return -EBUSY;

	make_cancelable(command, issue_flags);
	spin_lock_irq(&slots->lock);
	arm(slot, command);
	spin_unlock_irq(&slots->lock);
	return -EIOCBQUEUED;
}

void vhb_slots_cancel(struct io_uring_cmd *command, unsigned int issue_flags)
{
	struct vhb_slot *slot = slot_of(command);
	struct vhb_slots *slots;
	bool is_armed;

	if (!slot)
		return;
	slots = slot->slots;
	spin_lock_irq(&slots->lock);
	is_armed = slot->state == VHB_SLOT_ARMED && slot->command == command;
	if (is_armed) {
		slot->command = NULL;
		slot->state = VHB_SLOT_IDLE;
	}
	spin_unlock_irq(&slots->lock);
	if (is_armed)
		io_uring_cmd_done(command, -ECANCELED, 0, issue_flags);
}

unsigned int vhb_slots_count(struct vhb_slots *slots)
{
	unsigned int count = 0, i;

	spin_lock_irq(&slots->lock);
	for (i = 0; i < ARRAY_SIZE(slots->events); i++)
		count += slots->events[i].state != VHB_SLOT_IDLE;
	for (i = 0; i < ARRAY_SIZE(slots->drains); i++)
		count += slots->drains[i].state != VHB_SLOT_IDLE;
	spin_unlock_irq(&slots->lock);
	return count;
}

void vhb_slots_flush(struct vhb_slots *slots)
{
	spin_lock_irq(&slots->lock);
	cancel_all(slots);
	spin_unlock_irq(&slots->lock);
}
