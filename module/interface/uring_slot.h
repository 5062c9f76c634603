/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_INTERFACE_URING_SLOT_H
#define VHB_INTERFACE_URING_SLOT_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vhost_bridge.h>

#include "device/device.h"

struct io_uring_cmd;

/**
 * DOC: commands that wait
 *
 * A command of io_uring that cannot be answered at once waits in a slot. Who
 * has the answer puts it into the slot and asks io_uring for a turn in the
 * submitter's thread; there the command is completed and the slot is free.
 *
 *	IDLE --arm--> ARMED --answer--> COMPLETING --(submitter's turn)--> IDLE
 *	                |
 *	                +--cancel--> IDLE
 *
 * io_uring holds a reference to the file while a command waits, so the slots
 * outlive it.
 */

/**
 * enum vhb_slot_state - what a slot is doing
 * @VHB_SLOT_IDLE: nothing
 * @VHB_SLOT_ARMED: a command waits in it
 * @VHB_SLOT_COMPLETING: its answer is under way; it cannot be cancelled any more
 */
enum vhb_slot_state {
	VHB_SLOT_IDLE,
	VHB_SLOT_ARMED,
	VHB_SLOT_COMPLETING,
};

struct vhb_slots;

/**
 * struct vhb_slot - a place for a command that waits
 * @slots: those it is one of
 * @state: what it is doing
 * @command: the command, unless it is idle
 * @result: its answer, while it is completing
 */
struct vhb_slot {
	struct vhb_slots *slots;
	enum vhb_slot_state state;
	struct io_uring_cmd *command;
	int result;
};

/**
 * struct vhb_slots - all commands of a device that wait
 * @lock: guards all of this; taken with any other lock held, interrupts off
 * @pending: news nobody has heard of, by kind, a bit for each vring
 * @events: commands that wait for news
 * @drains: one for each vring: the command that waits until it is stopped
 */
struct vhb_slots {
	spinlock_t lock; /* guards all of this */
	u64 pending[VHOST_BRIDGE_EVENT_MISS + 1];
	struct vhb_slot events[VHOST_BRIDGE_URING_SLOTS];
	struct vhb_slot drains[VHB_VIRTQUEUES_MAX];
};

/**
 * vhb_slots_init() - nothing waits
 * @slots: zeroed
 */
void vhb_slots_init(struct vhb_slots *slots);

/**
 * vhb_slots_tell() - answer who waits for this
 * @slots: the slots
 * @news: what
 * @index: which vring
 */
void vhb_slots_tell(struct vhb_slots *slots, enum vhb_news news,
		    unsigned int index);

/**
 * vhb_slots_wait_event() - VHOST_BRIDGE_URING_EVENT
 * @slots: the slots; the caller keeps others from arming one
 * @command: the command
 * @issue_flags: as io_uring gave them
 *
 * Return: -EIOCBQUEUED when the command waits, or was answered with what was
 * pending; or -EBUSY.
 */
int vhb_slots_wait_event(struct vhb_slots *slots, struct io_uring_cmd *command,
			 unsigned int issue_flags);

/**
 * vhb_slots_wait_drain() - first half of VHOST_BRIDGE_URING_DRAIN
 * @slots: the slots; as above
 * @index: the vring, which is not stopped; the caller keeps it from changing
 *         that
 * @command: the command
 * @issue_flags: as io_uring gave them
 *
 * Return: -EIOCBQUEUED when the command waits; -EBUSY when another one does.
 */
int vhb_slots_wait_drain(struct vhb_slots *slots, unsigned int index,
			 struct io_uring_cmd *command,
			 unsigned int issue_flags);

/**
 * vhb_slots_cancel() - io_uring wants one command to end
 * @command: it waits, or its answer is under way
 * @issue_flags: as io_uring gave them
 */
void vhb_slots_cancel(struct io_uring_cmd *command, unsigned int issue_flags);

/**
 * vhb_slots_count() - commands that wait or whose answer is under way
 * @slots: the slots
 */
unsigned int vhb_slots_count(struct vhb_slots *slots);

/**
 * vhb_slots_flush() - a descriptor of the file is being closed
 * @slots: the slots
 *
 * Ends all that wait: before 6.7 nobody else would, and the file would never
 * go.
 */
void vhb_slots_flush(struct vhb_slots *slots);

#endif
