// SPDX-License-Identifier: GPL-2.0-only
#include "device/device.h"

#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "device/device_iotlb.h"
#include "device/registry.h"

/* What the ring engine does, for every personality */
#define RING_FEATURES (BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) |		\
		       BIT_ULL(VHOST_F_LOG_ALL) |			\
		       BIT_ULL(VIRTIO_F_ANY_LAYOUT) |			\
		       BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |		\
		       BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |		\
		       BIT_ULL(VIRTIO_F_VERSION_1) |			\
		       BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |		\
		       BIT_ULL(VIRTIO_F_RING_PACKED) |			\
		       BIT_ULL(VIRTIO_F_IN_ORDER))

static_assert(VHB_VIRTQUEUES_MAX <= VHB_IOTLB_VIEWERS_MAX);

static unsigned int vq_count(const struct vhb_device *device)
{
	return device->personality->virtqueue_count_max;
}

int vhb_device_create(const struct vhb_personality *personality,
		      struct vhb_device **device_out)
{
	struct vhb_device *device;
	unsigned int i;
	int ret;

	device = kvzalloc(struct_size(device, virtqueues,
				      personality->virtqueue_count_max),
			  GFP_KERNEL_ACCOUNT);
	if (!device)
		return -ENOMEM;
	device->personality = personality;
	mutex_init(&device->lock);
	vhb_device_init_iotlb(device);
	for (i = 0; i < personality->virtqueue_count_max; i++)
		vhb_virtqueue_init(&device->virtqueues[i], device, i);
	if (personality->open) {
		ret = personality->open(device);
		if (ret)
			goto free_device;
	}
	ret = vhb_registry_add(device);
	if (ret)
		goto release;
	*device_out = device;
	return 0;

release:
	if (personality->release)
		personality->release(device);
free_device:
	kvfree(device);
	return ret;
}

void vhb_device_destroy(struct vhb_device *device)
{
	mutex_lock(&device->lock);
	vhb_device_reset_owner(device);
	mutex_unlock(&device->lock);
	/* Not before: one that drains for long is worth a look. */
	vhb_registry_remove(device);
	if (device->personality->release)
		device->personality->release(device);
	mutex_destroy(&device->iotlb_lock);
	mutex_destroy(&device->lock);
	kvfree(device);
}

u64 vhb_device_features(struct vhb_device *device)
{
	u64 features = RING_FEATURES;

	if (device->personality->features)
		features |= device->personality->features(device);
	return features;
}

void vhb_device_tell_config(const struct vhb_device *device)
{
	if (device->on_news)
		device->on_news(device->on_news_argument, VHB_NEWS_CONFIG, 0);
}

bool vhb_device_is_idle(struct vhb_device *device)
{
	unsigned int i;

	for (i = 0; i < vq_count(device); i++)
		if (READ_ONCE(device->virtqueues[i].state) !=
		    VHOST_BRIDGE_VRING_STOPPED)
			return false;
	return true;
}

/* Is there room for the marks of all of guest memory? */
static int check_log(const struct vhb_table *table, u64 base)
{
	if (!base || !table || !table->region_count)
		return 0;
	return vhb_log_check(base, 0, vhb_table_last_gpa(table) + 1);
}

static void refresh(struct vhb_device *device)
{
	unsigned int i;

	for (i = 0; i < vq_count(device); i++)
		vhb_virtqueue_refresh(&device->virtqueues[i]);
}

int vhb_device_set_features(struct vhb_device *device, u64 features)
{
	const u64 changes = features ^ device->features;
	const bool is_idle = vhb_device_is_idle(device);
	int ret;

	if (features & ~vhb_device_features(device))
		return -EOPNOTSUPP;
	if (changes & ~BIT_ULL(VHOST_F_LOG_ALL) && !is_idle)
		return -EBUSY;
	if (changes & features & BIT_ULL(VHOST_F_LOG_ALL)) {
		if (!is_idle && !device->log_base)
			return -EINVAL;
		ret = check_log(device->table, device->log_base);
		if (ret)
			return ret;
	}
	mutex_lock(&device->iotlb_lock);
	WRITE_ONCE(device->features, features);
	if (changes & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM))
		vhb_iotlb_clear(&device->iotlb);
	mutex_unlock(&device->iotlb_lock);
	if (device->personality->acked)
		device->personality->acked(device);
	refresh(device);
	return 0;
}

int vhb_device_set_owner(struct vhb_device *device)
{
	if (device->mm)
		return -EBUSY;
	WRITE_ONCE(device->mm, get_task_mm(current));
	if (!device->mm)
		return -EPERM;
	vhb_registry_set_owner(device, get_pid(task_tgid(current)));
	return 0;
}

int vhb_device_check_owner(const struct vhb_device *device)
{
	return device->mm && device->mm == current->mm ? 0 : -EPERM;
}

void vhb_device_reset_owner(struct vhb_device *device)
{
	struct mm_struct *mm;
	unsigned int i;

	/* All at once, then wait: they drain side by side. */
	for (i = 0; i < vq_count(device); i++)
		vhb_virtqueue_drain(&device->virtqueues[i], true);
	for (i = 0; i < vq_count(device); i++) {
		vhb_virtqueue_await(&device->virtqueues[i]);
		vhb_virtqueue_forget(&device->virtqueues[i]);
	}
	vhb_table_put(device->table);
	device->table = NULL;
	device->log_base = 0;
	vhb_device_set_log_call(device, NULL);
	vhb_registry_set_owner(device, NULL);
	mm = device->mm;
	/* Whoever is about to tell the IOTLB something finds that it may not. */
	mutex_lock(&device->iotlb_lock);
	WRITE_ONCE(device->mm, NULL);
	WRITE_ONCE(device->features, 0);
	WRITE_ONCE(device->backend_features, 0);
	vhb_iotlb_clear(&device->iotlb);
	mutex_unlock(&device->iotlb_lock);
	if (device->on_news)
		device->on_news(device->on_news_argument, VHB_NEWS_DISOWNED, 0);
	if (mm)
		mmput(mm);
}

void vhb_device_abandon(struct vhb_device *device)
{
	mutex_lock(&device->lock);
	if (device->owner == task_tgid(current)) {
		vhb_device_reset_owner(device);
		if (device->personality->abandon)
			device->personality->abandon(device);
	}
	mutex_unlock(&device->lock);
}

int vhb_device_set_table(struct vhb_device *device, struct vhb_table *table)
{
	unsigned int i;
	int ret = 0;

	if (vhb_device_has_feature(device, VHOST_F_LOG_ALL))
		ret = check_log(table, device->log_base);
	for (i = 0; !ret && i < vq_count(device); i++)
		ret = vhb_virtqueue_check_table(&device->virtqueues[i], table);
	if (ret) {
		vhb_table_put(table);
		return ret;
	}
	vhb_table_put(device->table);
	device->table = table;
	refresh(device);
	return 0;
}

static bool marks_now(const struct vhb_device *device)
{
	unsigned int i;

	for (i = 0; i < vq_count(device); i++) {
		const struct vhb_virtqueue *vq = &device->virtqueues[i];

		if (READ_ONCE(vq->state) == VHOST_BRIDGE_VRING_STOPPED)
			continue;
		if (vhb_device_has_feature(device, VHOST_F_LOG_ALL) ||
		    vhb_virtqueue_marks_ring(vq))
			return true;
	}
	return false;
}

int vhb_device_set_log_base(struct vhb_device *device, u64 base)
{
	unsigned int i;
	int ret;

	if (!base && marks_now(device))
		return -EINVAL;
	ret = check_log(device->table, base);
	for (i = 0; !ret && base && i < vq_count(device); i++) {
		const struct vhb_virtqueue *vq = &device->virtqueues[i];

		if (READ_ONCE(vq->state) != VHOST_BRIDGE_VRING_STOPPED)
			ret = vhb_virtqueue_check_log(vq, &vq->addr, base);
	}
	if (ret)
		return ret;
	device->log_base = base;
	refresh(device);
	return 0;
}

void vhb_device_set_log_call(struct vhb_device *device,
			     struct eventfd_ctx *call)
{
	struct eventfd_ctx *old = device->log_call;

	device->log_call = call;
	refresh(device);
	/* Nobody sees it any more. */
	if (old)
		eventfd_ctx_put(old);
}
