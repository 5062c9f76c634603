/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_WORKER_WORKER_H
#define VHB_WORKER_WORKER_H

#include <linux/cred.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/types.h>

/**
 * struct vhb_worker - a kernel thread that works for one owner
 * @device_id: the device it works for, and
 * @index: the virtqueue; for traces
 * @task: the thread; NULL while there is none. Read without a lock by
 *        vhb_worker_wake()
 * @has_work: somebody asked for a turn
 * @mm: the owner's address space, used by the thread; not a reference
 * @cred: the owner's, a reference: what the thread may do
 * @run: one turn; true asks for another one right away. May sleep
 * @argument: handed to @run
 *
 * The thread is in the owner's cgroups from the moment it starts and has no more
 * rights than the owner: it writes to files.
 */
struct vhb_worker {
	u32 device_id;
	unsigned int index;
	struct task_struct *task;
	bool has_work;
	struct mm_struct *mm;
	const struct cred *cred;
	bool (*run)(void *argument);
	void *argument;
};

/**
 * vhb_worker_start() - start the thread
 * @worker: @run and @argument set, no thread
 * @mm: address space to use, must outlive the thread
 * @name: what ps shows
 *
 * Called by the owner: cgroups, nice value and credentials are the caller's.
 *
 * Return: 0 or -errno.
 */
int vhb_worker_start(struct vhb_worker *worker, struct mm_struct *mm,
		     const char *name);

/**
 * vhb_worker_stop() - end the thread and wait for it
 * @worker: may have no thread
 *
 * Nobody may call vhb_worker_wake() any more, but for calls that are in an RCU
 * read-side section: those are waited for. May sleep.
 */
void vhb_worker_stop(struct vhb_worker *worker);

/**
 * vhb_worker_wake() - ask for a turn
 * @worker: may have no thread
 *
 * Any context. What the caller did before is seen by the turn.
 */
void vhb_worker_wake(struct vhb_worker *worker);

/**
 * vhb_worker_is_current() - is this the thread?
 * @worker: may have no thread
 */
static inline bool vhb_worker_is_current(const struct vhb_worker *worker)
{
	return READ_ONCE(worker->task) == current;
}

#endif
