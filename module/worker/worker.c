// SPDX-License-Identifier: GPL-2.0-only
#include "worker/worker.h"

#include <linux/cgroup.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>

static int run_worker(void *argument)
{
	struct vhb_worker *worker = argument;
	const struct cred *kernel_cred = override_creds(worker->cred);

	kthread_use_mm(worker->mm);
	for (;;) {
		/*
		 * The barrier in here pairs with the xchg() of
		 * vhb_worker_wake(): either we see has_work or the waker sees
		 * us asleep.
		 */
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (!xchg(&worker->has_work, false)) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		if (worker->run(worker->argument))
			WRITE_ONCE(worker->has_work, true);
		cond_resched();
	}
	__set_current_state(TASK_RUNNING);
	kthread_unuse_mm(worker->mm);
	revert_creds(kernel_cred);
	return 0;
}

int vhb_worker_start(struct vhb_worker *worker, struct mm_struct *mm,
		     const char *name)
{
	struct task_struct *task;
	int ret;

	worker->mm = mm;
	worker->has_work = false;
	task = kthread_create(run_worker, worker, "%s", name);
	if (IS_ERR(task))
		return PTR_ERR(task);
	ret = cgroup_attach_task_all(current, task);
	if (ret) {
		kthread_stop(task);
		return ret;
	}
	set_user_nice(task, task_nice(current));
	worker->cred = get_current_cred();
	/* kthread_stop() must find it even if it ends first. */
	get_task_struct(task);
	WRITE_ONCE(worker->task, task);
	wake_up_process(task);
	return 0;
}

void vhb_worker_stop(struct vhb_worker *worker)
{
	struct task_struct *task = worker->task;

	if (!task)
		return;
	WRITE_ONCE(worker->task, NULL);
	synchronize_rcu();
	kthread_stop(task);
	put_task_struct(task);
	put_cred(worker->cred);
}

void vhb_worker_wake(struct vhb_worker *worker)
{
	struct task_struct *task;

	rcu_read_lock();
	task = READ_ONCE(worker->task);
	if (task && !xchg(&worker->has_work, true))
		wake_up_process(task);
	rcu_read_unlock();
}
