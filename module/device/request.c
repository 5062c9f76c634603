// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: where they come from, and what becomes of them when they are done.
 */
#include <linux/kconfig.h>
#include <linux/lockdep.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "device/device.h"

/*
 * Requests kept for the next chains. Many kernels zero what they allocate, and
 * that and the allocation take longer than to look a request's buffers up. Not
 * with KASAN, which is to see who uses a request that is gone.
 */
#define IDLE_COUNT_MAX (IS_ENABLED(CONFIG_KASAN) ? 0 : 64)

struct vhb_request *vhb_request_alloc(struct vhb_virtqueue *vq,
				      size_t size_bytes)
{
	struct llist_node *node = vq->idle;

	lockdep_assert_held(&vq->lock);
	if (node) {
		vq->idle = node->next;
		vq->idle_count--;
		return llist_entry(node, struct vhb_request, node);
	}
	/*
	 * Small, at most one for each entry of the ring, and there is nothing
	 * sensible to answer without it.
	 */
	return kmalloc(size_bytes, GFP_KERNEL | __GFP_NOFAIL);
}

void vhb_request_free(struct vhb_virtqueue *vq, struct vhb_request *request)
{
	lockdep_assert_held(&vq->lock);
	if (vq->idle_count >= IDLE_COUNT_MAX) {
		kfree(request);
		return;
	}
	request->node.next = vq->idle;
	vq->idle = &request->node;
	vq->idle_count++;
}

void vhb_request_drop_idle(struct vhb_virtqueue *vq)
{
	struct vhb_request *request, *next;

	llist_for_each_entry_safe(request, next, vq->idle, node)
		kfree(request);
	vq->idle = NULL;
	vq->idle_count = 0;
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
