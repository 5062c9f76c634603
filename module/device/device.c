// SPDX-License-Identifier: GPL-2.0-only
#include "device/device.h"

#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "device/registry.h"

/* What the ring engine does, for every personality */
#define RING_FEATURES (BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) |		\
		       BIT_ULL(VIRTIO_F_ANY_LAYOUT) |			\
		       BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |		\
		       BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |		\
		       BIT_ULL(VIRTIO_F_VERSION_1) |			\
		       BIT_ULL(VIRTIO_F_RING_PACKED) |			\
		       BIT_ULL(VIRTIO_F_IN_ORDER))

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

int vhb_device_set_features(struct vhb_device *device, u64 features)
{
	if (features & ~vhb_device_features(device))
		return -EOPNOTSUPP;
	if (features != device->features && !vhb_device_is_idle(device))
		return -EBUSY;
	WRITE_ONCE(device->features, features);
	return 0;
}

int vhb_device_set_owner(struct vhb_device *device)
{
	if (device->mm)
		return -EBUSY;
	device->mm = get_task_mm(current);
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
	unsigned int i;

	/* All at once, then wait: they drain side by side. */
	for (i = 0; i < vq_count(device); i++)
		vhb_virtqueue_drain(&device->virtqueues[i]);
	for (i = 0; i < vq_count(device); i++) {
		vhb_virtqueue_stop(&device->virtqueues[i], false);
		vhb_virtqueue_forget(&device->virtqueues[i]);
	}
	vhb_memory_put(device->memory);
	device->memory = NULL;
	WRITE_ONCE(device->features, 0);
	vhb_registry_set_owner(device, NULL);
	if (device->mm)
		mmput(device->mm);
	device->mm = NULL;
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

int vhb_device_set_memory(struct vhb_device *device, struct vhb_memory *memory)
{
	unsigned int i;
	int ret;

	for (i = 0; i < vq_count(device); i++) {
		ret = vhb_virtqueue_check_memory(&device->virtqueues[i],
						 memory);
		if (ret) {
			vhb_memory_put(memory);
			return ret;
		}
	}
	for (i = 0; i < vq_count(device); i++)
		vhb_virtqueue_set_memory(&device->virtqueues[i], memory);
	vhb_memory_put(device->memory);
	device->memory = memory;
	return 0;
}
