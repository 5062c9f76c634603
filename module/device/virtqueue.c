// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "device/device.h"
#include "device/device_iotlb.h"
#include "device/resolve.h"
#include "trace/trace.h"

void vhb_virtqueue_init(struct vhb_virtqueue *vq, struct vhb_device *device,
			unsigned int index)
{
	vq->device = device;
	vq->index = index;
	mutex_init(&vq->lock);
	init_llist_head(&vq->completed);
	init_waitqueue_head(&vq->stopped);
	vq->worker.index = index;
	vq->worker.run = vhb_virtqueue_turn;
	vq->worker.argument = vq;
	vhb_kick_init(&vq->kick, &vq->worker);
}

void vhb_virtqueue_tell(const struct vhb_virtqueue *vq, enum vhb_news news)
{
	const struct vhb_device *device = vq->device;

	if (device->on_news)
		device->on_news(device->on_news_argument, news, vq->index);
}

void vhb_virtqueue_enter(struct vhb_virtqueue *vq,
			 enum vhost_bridge_vring_state state)
{
	static const enum vhb_news news[] = {
		[VHOST_BRIDGE_VRING_STOPPED] = VHB_NEWS_STOPPED,
		[VHOST_BRIDGE_VRING_RUNNING] = VHB_NEWS_STARTED,
		[VHOST_BRIDGE_VRING_DRAINING] = VHB_NEWS_DRAINING,
		[VHOST_BRIDGE_VRING_BROKEN] = VHB_NEWS_BROKEN,
	};

	/* Pairs with is_stopped(): who waits sees all that was done before. */
	smp_store_release(&vq->state, state);
	trace_vhb_state(vq->device->id, vq->index, state);
	vhb_virtqueue_tell(vq, news[state]);
}

void vhb_virtqueue_get_status(const struct vhb_virtqueue *vq,
			      struct vhost_bridge_vring_status *status)
{
	const struct vhb_virtqueue_counters *counters = &vq->counters;

	*status = (struct vhost_bridge_vring_status){
		.size_bytes = sizeof(*status),
		.index = vq->index,
		.state = READ_ONCE(vq->state),
		.fault = READ_ONCE(vq->fault),
		.in_flight_count = READ_ONCE(vq->in_flight_count),
		.chain_count = READ_ONCE(counters->chain_count),
		.read_bytes = READ_ONCE(counters->read_bytes),
		.written_bytes = READ_ONCE(counters->written_bytes),
		.error_count = READ_ONCE(counters->error_count),
		.kick_count = READ_ONCE(vq->kick.kick_count),
		.call_count = READ_ONCE(counters->call_count),
		.call_suppressed_count =
			READ_ONCE(counters->call_suppressed_count),
		.drain_count = READ_ONCE(counters->drain_count),
	};
}

static bool has_iotlb(const struct vhb_virtqueue *vq)
{
	return vhb_device_has_feature(vq->device, VIRTIO_F_ACCESS_PLATFORM);
}

/*
 * The log address that the owner gave is that of the used ring. Packed rings are
 * written in two places, and with an IOTLB a ring may be anywhere: their guest
 * addresses are looked up.
 */
static bool has_ring_gpa(const struct vhb_virtqueue *vq)
{
	return !vhb_device_has_feature(vq->device, VIRTIO_F_RING_PACKED) &&
	       !has_iotlb(vq);
}

static void describe_ring(const struct vhb_virtqueue *vq,
			  struct vhb_ring_config *config)
{
	const struct vhb_device *device = vq->device;

	*config = (struct vhb_ring_config){
		.layout = vhb_device_has_feature(device, VIRTIO_F_RING_PACKED) ?
				  VHB_RING_PACKED :
				  VHB_RING_SPLIT,
		.num = vq->num,
		.desc_addr = vq->addr.desc_user_addr,
		.avail_addr = vq->addr.avail_user_addr,
		.used_addr = vq->addr.used_user_addr,
		.has_indirect = vhb_device_has_feature(device,
						       VIRTIO_RING_F_INDIRECT_DESC),
		.has_event_idx = vhb_device_has_feature(device,
							VIRTIO_RING_F_EVENT_IDX),
		.has_in_order = vhb_device_has_feature(device,
						       VIRTIO_F_IN_ORDER),
		.notify_on_empty = vhb_device_has_feature(device,
							  VIRTIO_F_NOTIFY_ON_EMPTY),
	};
}

static int check_areas(const struct vhb_virtqueue *vq,
		       const struct vhb_ring_config *config,
		       const struct vhb_table *table)
{
	u64 desc_bytes, avail_bytes, used_bytes;

	/* Nobody knows yet where they are. */
	if (has_iotlb(vq))
		return 0;
	vhb_ring_area_bytes(config, &desc_bytes, &avail_bytes, &used_bytes);
	if (!vhb_table_has_area(table, config->desc_addr, desc_bytes) ||
	    !vhb_table_has_area(table, config->avail_addr, avail_bytes) ||
	    !vhb_table_has_area(table, config->used_addr, used_bytes))
		return -EFAULT;
	return 0;
}

/* What a worker needs; kept when the start fails later, for the next one */
static int hire_worker(struct vhb_virtqueue *vq)
{
	char name[TASK_COMM_LEN];

	if (!vq->segments) {
		vq->segments = kvmalloc_array(VHB_RING_SEGMENTS_MAX,
					      sizeof(*vq->segments),
					      GFP_KERNEL_ACCOUNT);
		if (!vq->segments)
			return -ENOMEM;
	}
	if (!vq->resolved) {
		vq->resolved = kvmalloc_array(VHB_RESOLVED_MAX,
					      sizeof(*vq->resolved),
					      GFP_KERNEL_ACCOUNT);
		if (!vq->resolved)
			return -ENOMEM;
	}
	if (vq->worker.task)
		return 0;
	vq->worker.device_id = vq->device->id;
	snprintf(name, sizeof(name), "vhb-%d-%u", task_tgid_nr(current),
		 vq->index);
	return vhb_worker_start(&vq->worker, vq->device->mm, name);
}

static int save_nothing(u64 save_addr)
{
	const struct vhost_bridge_saved_base saved = {};

	if (!save_addr)
		return 0;
	if (!IS_ALIGNED(save_addr, 8))
		return -EINVAL;
	if (copy_to_user(u64_to_user_ptr(save_addr), &saved, sizeof(saved)))
		return -EFAULT;
	return 0;
}

/* What there is to be marked can be */
static int check_log(const struct vhb_virtqueue *vq)
{
	const struct vhb_device *device = vq->device;

	if (!vhb_device_has_feature(device, VHOST_F_LOG_ALL) &&
	    !vhb_virtqueue_marks_ring(vq))
		return 0;
	if (!device->log_base)
		return -EINVAL;
	return vhb_virtqueue_check_log(vq, &vq->addr, device->log_base);
}

/* Lock held. The table that was seen before is let go of. */
static void look(struct vhb_virtqueue *vq)
{
	const struct vhb_device *device = vq->device;
	struct vhb_table *old = vq->view.table;

	vq->view = (struct vhb_memory){
		.table = vhb_table_get(device->table),
		.iotlb = has_iotlb(vq) ? &vq->device->iotlb : NULL,
		.viewer = vq->index,
		.log = {
			.base = device->log_base,
			.call = device->log_call,
			.marks_buffers = vhb_device_has_feature(device,
								VHOST_F_LOG_ALL),
			.marks_ring = vhb_virtqueue_marks_ring(vq),
			.has_ring_gpa = has_ring_gpa(vq),
			.ring_gpa = vq->addr.log_guest_addr,
			.ring_addr = vq->addr.used_user_addr,
		},
		.generation = vq->view.generation + 1,
	};
	vhb_table_put(old);
}

static int start_ring(struct vhb_virtqueue *vq,
		      const struct vhb_ring_config *config, u64 save_addr)
{
	int ret;

	ret = vhb_ring_init(&vq->ring, config);
	if (ret)
		return ret;
	look(vq);
	ret = vhb_ring_start(&vq->ring, &vq->view, vq->base);
	if (ret)
		goto destroy_ring;
	ret = save_nothing(save_addr);
	if (ret)
		goto destroy_ring;

	vq->save_addr = save_addr;
	vq->kicks_enabled = false;
	vq->fault = VHOST_BRIDGE_FAULT_NONE;
	vq->is_stuck = false;
	vq->gives_up = false;
	vq->has_given_up = false;
	vhb_virtqueue_enter(vq, VHOST_BRIDGE_VRING_RUNNING);
	vhb_kick_listen(&vq->kick);
	return 0;

destroy_ring:
	vhb_ring_destroy(&vq->ring);
	vhb_table_put(vq->view.table);
	vq->view.table = NULL;
	return ret;
}

int vhb_virtqueue_start(struct vhb_virtqueue *vq, u64 save_addr)
{
	struct vhb_device *device = vq->device;
	struct vhb_ring_config config;
	int ret;

	if (READ_ONCE(vq->state) != VHOST_BRIDGE_VRING_STOPPED)
		return -EBUSY;
	if (!vq->num || !vq->has_addr || !device->table)
		return -EINVAL;
	describe_ring(vq, &config);
	ret = vhb_ring_check(&config);
	if (ret)
		return ret;
	ret = check_areas(vq, &config, device->table);
	if (ret)
		return ret;
	ret = check_log(vq);
	if (ret)
		return ret;
	if (device->personality->start) {
		ret = device->personality->start(vq);
		if (ret)
			return ret;
	}
	ret = hire_worker(vq);
	if (ret)
		return ret;

	mutex_lock(&vq->lock);
	ret = start_ring(vq, &config, save_addr);
	mutex_unlock(&vq->lock);
	/* Whatever is in the ring already comes without a kick. */
	if (!ret)
		vhb_worker_wake(&vq->worker);
	return ret;
}

int vhb_virtqueue_drain(struct vhb_virtqueue *vq, bool gives_up)
{
	int ret = 0;

	mutex_lock(&vq->lock);
	if (vq->state == VHOST_BRIDGE_VRING_STOPPED) {
		ret = -ESRCH;
	} else if (vq->state != VHOST_BRIDGE_VRING_DRAINING) {
		/* What it needs to drain it may miss again; the rest, no more. */
		vhb_virtqueue_forget_miss(vq);
		vhb_virtqueue_enter(vq, VHOST_BRIDGE_VRING_DRAINING);
		vhb_kick_ignore(&vq->kick);
	}
	vq->gives_up |= gives_up;
	mutex_unlock(&vq->lock);
	if (!ret)
		vhb_worker_wake(&vq->worker);
	return ret;
}

static bool is_stopped(const struct vhb_virtqueue *vq)
{
	/* Pairs with the release in vhb_virtqueue_enter(). */
	return smp_load_acquire(&vq->state) == VHOST_BRIDGE_VRING_STOPPED;
}

/* Until the IOTLB is told what is missed, and that moment ends it already */
static bool is_stuck(struct vhb_virtqueue *vq)
{
	return READ_ONCE(vq->is_stuck) && vhb_virtqueue_is_waiting(vq);
}

int vhb_virtqueue_stop(struct vhb_virtqueue *vq, bool gives_up)
{
	int ret;

	ret = vhb_virtqueue_drain(vq, gives_up);
	if (ret)
		return ret;
	/* Who asks may be the one who has to tell the IOTLB: let it do so. */
	if (wait_event_interruptible(vq->stopped,
				     is_stopped(vq) ||
				     (!gives_up && is_stuck(vq))))
		return -EINTR;
	return is_stopped(vq) ? 0 : -EAGAIN;
}

void vhb_virtqueue_await(struct vhb_virtqueue *vq)
{
	/* A disk may take any time; that is no fault of the kernel's. */
	wait_event_idle(vq->stopped, is_stopped(vq));
}

static void replace_eventfd(struct eventfd_ctx **slot, struct eventfd_ctx *ctx)
{
	if (*slot)
		eventfd_ctx_put(*slot);
	*slot = ctx;
}

void vhb_virtqueue_forget(struct vhb_virtqueue *vq)
{
	struct file *kick;

	/* Whoever woke us may still hold the lock: not after this. */
	mutex_lock(&vq->lock);
	kick = vhb_kick_set(&vq->kick, NULL);
	replace_eventfd(&vq->call, NULL);
	replace_eventfd(&vq->err, NULL);
	WRITE_ONCE(vq->num, 0);
	vq->has_addr = false;
	vq->base = 0;
	vq->poll_us = 0;
	vq->fault = VHOST_BRIDGE_FAULT_NONE;
	mutex_unlock(&vq->lock);

	if (kick)
		fput(kick);
	vhb_worker_stop(&vq->worker);
	kvfree(vq->segments);
	vq->segments = NULL;
	kvfree(vq->resolved);
	vq->resolved = NULL;
}

int vhb_virtqueue_check_table(struct vhb_virtqueue *vq,
			      const struct vhb_table *table)
{
	int ret = 0;

	mutex_lock(&vq->lock);
	if (vq->state != VHOST_BRIDGE_VRING_STOPPED)
		ret = check_areas(vq, &vq->ring.config, table);
	mutex_unlock(&vq->lock);
	return ret;
}

void vhb_virtqueue_refresh(struct vhb_virtqueue *vq)
{
	mutex_lock(&vq->lock);
	if (vq->state != VHOST_BRIDGE_VRING_STOPPED)
		look(vq);
	mutex_unlock(&vq->lock);
}

int vhb_virtqueue_check_log(const struct vhb_virtqueue *vq,
			    const struct vhost_vring_addr *addr, u64 base)
{
	u64 desc_bytes, avail_bytes, used_bytes;
	struct vhb_ring_config config;

	if (!(addr->flags & BIT(VHOST_VRING_F_LOG)) || !has_ring_gpa(vq))
		return 0;
	describe_ring(vq, &config);
	vhb_ring_area_bytes(&config, &desc_bytes, &avail_bytes, &used_bytes);
	if (used_bytes - 1 > U64_MAX - addr->log_guest_addr)
		return -EFAULT;
	return vhb_log_check(base, addr->log_guest_addr, used_bytes);
}

static bool is_same_ring(const struct vhost_vring_addr *a,
			 const struct vhost_vring_addr *b)
{
	return a->desc_user_addr == b->desc_user_addr &&
	       a->avail_user_addr == b->avail_user_addr &&
	       a->used_user_addr == b->used_user_addr;
}

int vhb_virtqueue_set_addr(struct vhb_virtqueue *vq,
			   const struct vhost_vring_addr *addr)
{
	const u64 base = vq->device->log_base;
	int ret;

	if (READ_ONCE(vq->state) == VHOST_BRIDGE_VRING_STOPPED) {
		vq->addr = *addr;
		vq->has_addr = true;
		return 0;
	}
	if (!is_same_ring(&vq->addr, addr))
		return -EBUSY;
	if (addr->flags & BIT(VHOST_VRING_F_LOG) && !base)
		return -EINVAL;
	ret = vhb_virtqueue_check_log(vq, addr, base);
	if (ret)
		return ret;
	vq->addr = *addr;
	vhb_virtqueue_refresh(vq);
	return 0;
}
