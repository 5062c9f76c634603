// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker's turn: finish what is done, take what is new, show the driver both.
 */
#include <linux/blkdev.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/ktime.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

#include "device/device.h"
#include "trace/trace.h"

static_assert((int)VHB_RING_FAULT_MEMORY == VHOST_BRIDGE_FAULT_MEMORY);
static_assert((int)VHB_RING_FAULT_EMPTY == VHOST_BRIDGE_FAULT_EMPTY);

/* The driver broke the rules. Its ring is not touched any more. */
static void break_virtqueue(struct vhb_virtqueue *vq,
			    enum vhost_bridge_fault fault)
{
	if (!vq->ring.error)
		vq->ring.error = -EPROTO;
	vq->fault = fault;
	trace_vhb_fault(vq->device->id, vq->index, fault);
	/* One that drains goes on to; its requests are finished all the same. */
	if (vq->state != VHOST_BRIDGE_VRING_RUNNING)
		return;
	vhb_virtqueue_enter(vq, VHOST_BRIDGE_VRING_BROKEN);
	vhb_kick_ignore(&vq->kick);
	if (vq->err)
		eventfd_signal(vq->err);
}

static void check_ring(struct vhb_virtqueue *vq, int error)
{
	if (error < 0 && error != -EAGAIN)
		break_virtqueue(vq, (enum vhost_bridge_fault)vq->ring.fault);
}

/* False when there was nothing to finish */
static bool finish_some(struct vhb_virtqueue *vq)
{
	struct llist_node *nodes = llist_del_all(&vq->completed);
	struct vhb_request *request, *next;

	if (!nodes)
		return false;
	/* The list is last in, first out. */
	nodes = llist_reverse_order(nodes);
	llist_for_each_entry_safe(request, next, nodes, node) {
		struct vhb_used used = request->used;
		int ret;

		ret = vq->device->personality->finish(vq, request,
						      &used.written_bytes);
		if (ret == -EINPROGRESS)
			continue;
		vq->in_flight_count--;
		vq->counters.chain_count++;
		if (ret)
			break_virtqueue(vq, VHOST_BRIDGE_FAULT_MEMORY);
		if (!vhb_virtqueue_can_write(vq))
			continue;
		trace_vhb_used(vq->device->id, vq->index, used.id,
			       used.written_bytes);
		check_ring(vq, vhb_ring_push(&vq->ring, &used));
	}
	return true;
}

/*
 * What is completed before handle() or finish() return asks for no turn, so we
 * look again. It ends: each round takes requests further, and none is added.
 */
static bool finish_completed(struct vhb_virtqueue *vq)
{
	bool was_busy = false;

	while (finish_some(vq)) {
		was_busy = true;
		cond_resched();
	}
	return was_busy;
}

/* Returns how many */
static unsigned int take_chains(struct vhb_virtqueue *vq)
{
	struct vhb_chain chain = { .segments = vq->segments };
	struct blk_plug plug;
	unsigned int count = 0;
	int ret = 0;

	blk_start_plug(&plug);
	while (count < VHB_VIRTQUEUE_BUDGET) {
		enum vhost_bridge_fault fault;

		ret = vhb_ring_pop(&vq->ring, &chain);
		if (ret <= 0)
			break;
		count++;
		trace_vhb_chain(vq->device->id, vq->index, chain.id,
				chain.readable_bytes, chain.writable_bytes);
		/* Also at the start, when nobody knows what the driver sees. */
		if (count == 1) {
			vq->kicks_enabled = false;
			ret = vhb_ring_disable_kicks(&vq->ring);
			if (ret && ret != -EAGAIN)
				break;
		}
		vq->in_flight_count++;
		fault = vq->device->personality->handle(vq, &chain);
		if (fault) {
			vq->in_flight_count--;
			break_virtqueue(vq, fault);
			break;
		}
	}
	blk_finish_plug(&plug);
	check_ring(vq, ret);
	return count;
}

static void call_driver(struct vhb_virtqueue *vq)
{
	vq->counters.call_count++;
	if (vq->call)
		eventfd_signal(vq->call);
	else
		vhb_virtqueue_tell(vq, VHB_NEWS_CALL);
}

/* True when the driver got something and is at work, as it wants no call. */
static bool publish(struct vhb_virtqueue *vq)
{
	int ret;

	if (!vhb_virtqueue_can_write(vq))
		return false;
	ret = vhb_ring_publish(&vq->ring);
	if (ret <= 0) {
		check_ring(vq, ret);
		return false;
	}
	ret = vhb_ring_must_call(&vq->ring);
	check_ring(vq, ret);
	trace_vhb_call(vq->device->id, vq->index, !ret);
	if (ret)
		call_driver(vq);
	else
		vq->counters.call_suppressed_count++;
	return !ret;
}

/* Nothing left to do: poll a little, or ask for a kick. True to go on at once. */
static bool settle(struct vhb_virtqueue *vq, bool was_busy)
{
	const u32 poll_us = READ_ONCE(vq->poll_us);
	int ret;

	if (poll_us) {
		const u64 now_ns = ktime_get_ns();

		if (was_busy)
			vq->poll_until_ns = now_ns + (u64)poll_us * NSEC_PER_USEC;
		if (now_ns < vq->poll_until_ns) {
			cpu_relax();
			return true;
		}
	}
	if (vq->kicks_enabled)
		return false;
	ret = vhb_ring_enable_kicks(&vq->ring);
	check_ring(vq, ret);
	vq->kicks_enabled = ret >= 0;
	return ret == 1;
}

static void save_base(const struct vhb_virtqueue *vq)
{
	const struct vhost_bridge_saved_base saved = {
		.base = vq->base,
		.is_saved = 1,
	};

	/* Nobody to tell when it fails: whoever comes next has no base then. */
	if (vq->save_addr &&
	    copy_to_user(u64_to_user_ptr(vq->save_addr), &saved, sizeof(saved)))
		pr_debug("base of virtqueue %u is not saved\n", vq->index);
}

static void become_stopped(struct vhb_virtqueue *vq)
{
	vq->base = vhb_ring_base(&vq->ring);
	save_base(vq);
	vhb_ring_destroy(&vq->ring);
	vhb_memory_put(vq->memory);
	vq->memory = NULL;
	vq->counters.drain_count++;
	vhb_virtqueue_enter(vq, VHOST_BRIDGE_VRING_STOPPED);
	wake_up_all(&vq->stopped);
}

/* Elsewhere a kick wakes us where a CPU is idle: that is better than waiting. */
static bool has_only_this_cpu(void)
{
	return num_online_cpus() == 1 || current->nr_cpus_allowed == 1;
}

/*
 * Who kicks may be waiting for the CPU, because we are on it. If it was in the
 * midst of its work, as a driver is that wants no call, there is more to come:
 * asked for kicks now it would kick for each chain, and each time we would take
 * its CPU away for that one. So it goes first, @before_us, and we look again.
 */
static bool take_turn(struct vhb_virtqueue *vq, struct task_struct **before_us)
{
	unsigned int taken = 0;
	bool was_busy, is_driver_at_work;

	was_busy = finish_completed(vq);
	if (vq->state == VHOST_BRIDGE_VRING_RUNNING)
		taken = take_chains(vq);
	was_busy |= finish_completed(vq);
	is_driver_at_work = publish(vq);
	if (vq->state == VHOST_BRIDGE_VRING_DRAINING && !vq->in_flight_count)
		become_stopped(vq);
	if (vq->state != VHOST_BRIDGE_VRING_RUNNING)
		return false;
	if (taken == VHB_VIRTQUEUE_BUDGET)
		return true;
	if (is_driver_at_work && has_only_this_cpu()) {
		*before_us = vhb_kick_waiting_kicker(&vq->kick);
		if (*before_us)
			return true;
	}
	return settle(vq, was_busy || taken);
}

bool vhb_virtqueue_turn(void *argument)
{
	struct vhb_virtqueue *vq = argument;
	struct task_struct *before_us = NULL;
	bool again = false;

	mutex_lock(&vq->lock);
	if (vq->state != VHOST_BRIDGE_VRING_STOPPED)
		again = take_turn(vq, &before_us);
	mutex_unlock(&vq->lock);
	if (before_us) {
		yield_to(before_us, false);
		put_task_struct(before_us);
	}
	return again;
}

void vhb_request_init(struct vhb_request *request, struct vhb_virtqueue *vq,
		      const struct vhb_chain *chain)
{
	request->vq = vq;
	request->used = (struct vhb_used){
		.id = chain->id,
		.slot_count = chain->slot_count,
		.sequence = vq->ring.sequence - 1,
	};
}

void vhb_request_complete(struct vhb_request *request)
{
	struct vhb_virtqueue *vq = request->vq;

	/*
	 * As soon as the request is in the list the virtqueue may stop and go.
	 * Pairs with synchronize_rcu() in vhb_worker_stop().
	 */
	rcu_read_lock();
	/*
	 * In its own turn, in handle(), the worker looks at the list by itself.
	 * An interrupt that happens to hit it may come too late for that.
	 */
	if (llist_add(&request->node, &vq->completed) &&
	    !(in_task() && vhb_worker_is_current(&vq->worker)))
		vhb_worker_wake(&vq->worker);
	rcu_read_unlock();
}
