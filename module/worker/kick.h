/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_WORKER_KICK_H
#define VHB_WORKER_KICK_H

#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "worker/worker.h"

/**
 * struct vhb_kick - an eventfd whose writes wake a worker
 * @file: the eventfd, a reference; NULL for none
 * @worker: who is woken
 * @kick_count: how often
 * @kicker: who did it last, a reference; NULL for nobody, or an interrupt
 * @listens: between vhb_kick_listen() and vhb_kick_ignore()
 * @queue: the eventfd's wait queue while we wait in it
 * @entry: our place in it
 * @table: how we get there
 *
 * The counter in the eventfd is never read: it would cost a call for each kick.
 * Guarded by the virtqueue's lock, but for @kick_count and @kicker, which the
 * eventfd's wait queue lock guards.
 */
struct vhb_kick {
	struct file *file;
	struct vhb_worker *worker;
	u64 kick_count;
	struct pid *kicker;
	bool listens;
	struct wait_queue_head *queue;
	wait_queue_entry_t entry;
	poll_table table;
};

/**
 * vhb_kick_init() - no eventfd yet
 * @kick: the kick
 * @worker: who shall be woken
 */
void vhb_kick_init(struct vhb_kick *kick, struct vhb_worker *worker);

/**
 * vhb_kick_set() - take another eventfd
 * @kick: the kick
 * @file: an eventfd, a reference that is taken over; NULL for none
 *
 * Listens to it at once if it listened before.
 *
 * Return: the file it had, a reference; or NULL.
 */
struct file *vhb_kick_set(struct vhb_kick *kick, struct file *file);

/**
 * vhb_kick_listen() - let writes to the eventfd wake the worker
 * @kick: the kick; without an eventfd that happens as soon as there is one
 *
 * One that was written already wakes it now.
 */
void vhb_kick_listen(struct vhb_kick *kick);

/**
 * vhb_kick_ignore() - the reverse; afterwards the worker is not woken any more
 * @kick: the kick
 */
void vhb_kick_ignore(struct vhb_kick *kick);

/**
 * vhb_kick_waiting_kicker() - who kicked last, if it waits for the caller's CPU
 * @kick: the kick
 *
 * Return: a task that wants to run where the caller runs, a reference; or NULL.
 */
struct task_struct *vhb_kick_waiting_kicker(struct vhb_kick *kick);

#endif
