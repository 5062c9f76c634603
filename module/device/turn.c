// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker's turn: finish what is done, take what is new, show the driver both.
 */
#include <linux/blkdev.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>

#include "device/device.h"
#include "device/device_iotlb.h"
#include "device/resolve.h"
#include "trace/trace.h"

static_assert((int)VHB_RING_FAULT_MEMORY == VHOST_BRIDGE_FAULT_MEMORY);
static_assert((int)VHB_RING_FAULT_EMPTY == VHOST_BRIDGE_FAULT_EMPTY);
static_assert((int)VHB_RING_FAULT_LOG == VHOST_BRIDGE_FAULT_LOG);
static_assert((int)VHB_RING_FAULT_ACCESS == VHOST_BRIDGE_FAULT_ACCESS);

/* The driver broke the rules. Its ring is not touched any more. */
static void break_virtqueue(struct vhb_virtqueue *vq,
			    enum vhost_bridge_fault fault)
{
	if (!vq->ring.error)
		vq->ring.error = -EPROTO;
	vq->fault = fault;
	vhb_virtqueue_forget_miss(vq);
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

/* False when the IOTLB does not know the ring's page: try again */
static bool give_back(struct vhb_virtqueue *vq, const struct vhb_used *used)
{
	int ret = 0;

	if (vhb_virtqueue_can_write(vq)) {
		ret = vhb_ring_push(&vq->ring, used);
		if (ret == -EAGAIN)
			return false;
		check_ring(vq, ret);
		if (!ret)
			trace_vhb_used(vq->device->id, vq->index, used->id,
				       used->written_bytes);
	}
	/* It is done, but the driver does not come to know: no base says both. */
	if (!vhb_virtqueue_can_write(vq))
		vq->has_given_up = true;
	vq->in_flight_count--;
	vq->counters.chain_count++;
	return true;
}

/* False when it is not finished, as far as giving back goes */
static bool finish(struct vhb_virtqueue *vq, struct vhb_request *request)
{
	struct vhb_used used = request->used;
	int ret;

	ret = vq->device->personality->finish(vq, request,
					      &used.written_bytes);
	if (ret == -EINPROGRESS)
		return true;
	if (ret)
		break_virtqueue(vq, vhb_fault_of(ret));
	if (give_back(vq, &used))
		return true;
	/* The request is gone, and what follows has to wait. */
	vq->unpushed = used;
	vq->has_unpushed = true;
	return false;
}

/*
 * False when there was nothing to finish, or when it has to wait. What is
 * completed meanwhile is the next turn's: long requests go in many slices, and
 * others want the virtqueue's lock.
 */
static bool finish_some(struct vhb_virtqueue *vq)
{
	if (vq->has_unpushed) {
		if (!give_back(vq, &vq->unpushed))
			return false;
		vq->has_unpushed = false;
	}
	/* The list is last in, first out. */
	if (!vq->unfinished)
		vq->unfinished =
			llist_reverse_order(llist_del_all(&vq->completed));
	if (!vq->unfinished)
		return false;
	while (vq->unfinished) {
		struct vhb_request *request =
			llist_entry(vq->unfinished, struct vhb_request, node);

		vq->unfinished = vq->unfinished->next;
		if (!finish(vq, request))
			return false;
		cond_resched();
	}
	return true;
}

static int resolve(struct vhb_virtqueue *vq, struct vhb_chain *chain)
{
	int ret;

	ret = vhb_chain_resolve(&vq->view, chain, vq->resolved);
	if (!ret)
		return 0;
	vhb_ring_unpop(&vq->ring, chain);
	if (ret == -E2BIG)
		break_virtqueue(vq, VHOST_BRIDGE_FAULT_LONG);
	else if (ret != -EAGAIN)
		break_virtqueue(vq, vhb_fault_of(ret));
	return ret;
}

/* Returns how many */
static unsigned int take_chains(struct vhb_virtqueue *vq)
{
	struct vhb_chain chain;
	struct blk_plug plug;
	unsigned int count = 0;
	int ret = 0;

	blk_start_plug(&plug);
	while (count < VHB_VIRTQUEUE_BUDGET) {
		enum vhost_bridge_fault fault;

		cond_resched();
		chain.segments = vq->segments;
		ret = vhb_ring_pop(&vq->ring, &chain);
		if (ret <= 0)
			break;
		if (resolve(vq, &chain))
			break;
		count++;
		trace_vhb_chain(vq->device->id, vq->index, chain.id,
				chain.readable_bytes, chain.writable_bytes);
		/* Also at the start, when nobody knows what the driver sees. */
		if (count == 1) {
			vq->kicks_enabled = false;
			ret = vhb_ring_disable_kicks(&vq->ring);
			if (ret && ret != -EAGAIN) {
				vhb_ring_unpop(&vq->ring, &chain);
				break;
			}
		}
		vq->in_flight_count++;
		fault = vq->device->personality->handle(vq, &chain);
		if (fault) {
			vq->in_flight_count--;
			/* Nothing was done of it: the base stays before it. */
			vhb_ring_unpop(&vq->ring, &chain);
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

/*
 * False when it has to be tried again. A driver that got something and wants no
 * call is at work.
 */
static bool publish(struct vhb_virtqueue *vq, bool *is_driver_at_work)
{
	int ret;

	if (!vhb_virtqueue_can_write(vq))
		return true;
	ret = vhb_ring_publish(&vq->ring);
	if (ret <= 0) {
		check_ring(vq, ret);
		return ret != -EAGAIN;
	}
	ret = vhb_ring_must_call(&vq->ring);
	check_ring(vq, ret);
	trace_vhb_call(vq->device->id, vq->index, !ret);
	if (ret)
		call_driver(vq);
	else
		vq->counters.call_suppressed_count++;
	*is_driver_at_work = !ret;
	return true;
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
	if (vq->save_addr && !vq->has_given_up &&
	    copy_to_user(u64_to_user_ptr(vq->save_addr), &saved, sizeof(saved)))
		pr_debug("base of virtqueue %u is not saved\n", vq->index);
}

static void become_stopped(struct vhb_virtqueue *vq)
{
	vq->base = vhb_ring_base(&vq->ring);
	/* Taken, done, and not shown to the driver: no base says that. */
	if (vhb_ring_holds_any(&vq->ring))
		vq->has_given_up = true;
	vhb_virtqueue_forget_miss(vq);
	save_base(vq);
	vhb_ring_destroy(&vq->ring);
	vhb_request_drop_idle(vq);
	vhb_table_put(vq->view.table);
	vq->view.table = NULL;
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
 * It drains and nobody is there to tell the IOTLB anything. What is done stays
 * done, but the driver does not come to know; nor has who comes next a base.
 */
static void give_up(struct vhb_virtqueue *vq)
{
	vq->has_given_up = true;
	vq->ring.error = -ECANCELED;
}

static void finish_draining(struct vhb_virtqueue *vq, bool is_published)
{
	WRITE_ONCE(vq->is_stuck, vq->has_unpushed || !is_published);
	if (is_published && !vq->in_flight_count)
		become_stopped(vq);
	else if (vq->is_stuck)
		wake_up_all(&vq->stopped);
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
	bool is_driver_at_work = false;
	bool was_busy, is_published;

	was_busy = finish_some(vq);
	if (vq->state == VHOST_BRIDGE_VRING_RUNNING)
		taken = take_chains(vq);
	was_busy |= finish_some(vq);
	is_published = publish(vq, &is_driver_at_work);
	if (vq->gives_up && (vq->has_unpushed || !is_published))
		give_up(vq);
	/* What could not be given back never will be. */
	if (!vhb_virtqueue_can_write(vq)) {
		finish_some(vq);
		is_published = true;
	}
	if (vq->state == VHOST_BRIDGE_VRING_DRAINING)
		finish_draining(vq, is_published);
	if (vq->state != VHOST_BRIDGE_VRING_RUNNING)
		return false;
	if (taken == VHB_VIRTQUEUE_BUDGET)
		return true;
	/* Whoever tells the IOTLB asks for the next turn. */
	if (vhb_virtqueue_is_waiting(vq))
		return false;
	if (is_driver_at_work && has_only_this_cpu()) {
		*before_us = vhb_kick_waiting_kicker(&vq->kick);
		if (*before_us)
			return true;
	}
	return settle(vq, was_busy || taken);
}

/*
 * What is completed before handle() or finish() return wakes nobody. Nor does I/O
 * that touching guest memory takes further, which may be of a file on this very
 * disk.
 */
static bool has_new_completions(struct vhb_virtqueue *vq)
{
	return vq->state != VHOST_BRIDGE_VRING_STOPPED &&
	       !llist_empty(&vq->completed) &&
	       !(vq->has_unpushed && vhb_virtqueue_is_waiting(vq));
}

bool vhb_virtqueue_turn(void *argument)
{
	struct vhb_virtqueue *vq = argument;
	struct task_struct *before_us = NULL;
	bool again = false;

	mutex_lock(&vq->lock);
	if (vq->state != VHOST_BRIDGE_VRING_STOPPED)
		again = take_turn(vq, &before_us) || has_new_completions(vq);
	mutex_unlock(&vq->lock);
	if (before_us) {
		yield_to(before_us, false);
		put_task_struct(before_us);
	}
	return again;
}
