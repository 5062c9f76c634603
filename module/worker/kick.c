// SPDX-License-Identifier: GPL-2.0-only
#include "worker/kick.h"

#include <linux/preempt.h>
#include <linux/sched/task.h>
#include <linux/smp.h>

#include "trace/trace.h"

static void remember_kicker(struct vhb_kick *kick)
{
	struct pid *kicker = in_task() ? task_pid(current) : NULL;

	if (kick->kicker == kicker)
		return;
	put_pid(kick->kicker);
	kick->kicker = get_pid(kicker);
}

static int on_kick(wait_queue_entry_t *entry, unsigned int mode, int sync,
		   void *key)
{
	struct vhb_kick *kick = container_of(entry, struct vhb_kick, entry);

	if (!(key_to_poll(key) & EPOLLIN))
		return 0;
	WRITE_ONCE(kick->kick_count, kick->kick_count + 1);
	remember_kicker(kick);
	trace_vhb_kick(kick->worker->device_id, kick->worker->index);
	vhb_worker_wake(kick->worker);
	return 0;
}

static void on_queue(struct file *file, struct wait_queue_head *queue,
		     poll_table *table)
{
	struct vhb_kick *kick = container_of(table, struct vhb_kick, table);

	kick->queue = queue;
	add_wait_queue(queue, &kick->entry);
}

void vhb_kick_init(struct vhb_kick *kick, struct vhb_worker *worker)
{
	*kick = (struct vhb_kick){ .worker = worker };
	init_waitqueue_func_entry(&kick->entry, on_kick);
	init_poll_funcptr(&kick->table, on_queue);
}

static void enter_queue(struct vhb_kick *kick)
{
	if (kick->file && vfs_poll(kick->file, &kick->table) & EPOLLIN)
		vhb_worker_wake(kick->worker);
}

static void leave_queue(struct vhb_kick *kick)
{
	if (!kick->queue)
		return;
	remove_wait_queue(kick->queue, &kick->entry);
	kick->queue = NULL;
	put_pid(kick->kicker);
	kick->kicker = NULL;
}

struct file *vhb_kick_set(struct vhb_kick *kick, struct file *file)
{
	struct file *old = kick->file;

	leave_queue(kick);
	kick->file = file;
	if (kick->listens)
		enter_queue(kick);
	return old;
}

void vhb_kick_listen(struct vhb_kick *kick)
{
	if (kick->listens)
		return;
	kick->listens = true;
	enter_queue(kick);
}

void vhb_kick_ignore(struct vhb_kick *kick)
{
	kick->listens = false;
	leave_queue(kick);
}

struct task_struct *vhb_kick_waiting_kicker(struct vhb_kick *kick)
{
	struct task_struct *task;

	if (!kick->queue)
		return NULL;
	/* on_kick() may be about to replace it. */
	spin_lock_irq(&kick->queue->lock);
	task = get_pid_task(kick->kicker, PIDTYPE_PID);
	spin_unlock_irq(&kick->queue->lock);
	if (!task)
		return NULL;
	if (task_is_running(task) && task_cpu(task) == raw_smp_processor_id())
		return task;
	put_task_struct(task);
	return NULL;
}
