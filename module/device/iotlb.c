// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOTLB of a device: who waits for it goes on when it is told, and nobody
 * looks up any more what it is told to forget.
 */
#include <linux/bitops.h>
#include <linux/virtio_config.h>

#include "device/device.h"
#include "device/device_iotlb.h"

static void on_miss(struct vhb_iotlb *iotlb, unsigned int viewer)
{
	struct vhb_device *device = container_of(iotlb, struct vhb_device,
						 iotlb);

	vhb_virtqueue_tell(&device->virtqueues[viewer], VHB_NEWS_MISS);
}

void vhb_device_init_iotlb(struct vhb_device *device)
{
	mutex_init(&device->iotlb_lock);
	vhb_iotlb_init(&device->iotlb, on_miss);
}

static void wake_viewers(struct vhb_device *device, u64 viewers)
{
	while (viewers) {
		const unsigned int index = __ffs64(viewers);

		viewers &= ~BIT_ULL(index);
		vhb_worker_wake(&device->virtqueues[index].worker);
	}
}

int vhb_device_update_iotlb(struct vhb_device *device,
			    const struct vhost_iotlb_msg *message)
{
	u64 viewers;
	int ret;

	ret = vhb_iotlb_update(&device->iotlb, message, &viewers);
	if (!ret)
		wake_viewers(device, viewers);
	return ret;
}

int vhb_device_invalidate_iotlb(struct vhb_device *device,
				const struct vhost_iotlb_msg *message)
{
	unsigned int i;
	int ret;

	ret = vhb_iotlb_invalidate(&device->iotlb, message);
	if (ret)
		return ret;
	/*
	 * A ring's page is used under the same hold of the lock. Buffers of
	 * chains that were taken are not waited for.
	 */
	for (i = 0; i < device->personality->virtqueue_count_max; i++) {
		mutex_lock(&device->virtqueues[i].lock);
		mutex_unlock(&device->virtqueues[i].lock);
	}
	return 0;
}

int vhb_device_refuse_iotlb(struct vhb_device *device,
			    const struct vhost_iotlb_msg *message)
{
	u64 viewers;
	int ret;

	ret = vhb_iotlb_refuse(&device->iotlb, message, &viewers);
	if (!ret)
		wake_viewers(device, viewers);
	return ret;
}

void vhb_virtqueue_forget_miss(struct vhb_virtqueue *vq)
{
	vhb_iotlb_forget(&vq->device->iotlb, vq->index);
}

bool vhb_virtqueue_is_waiting(struct vhb_virtqueue *vq)
{
	return vq->view.iotlb &&
	       vhb_iotlb_is_waiting(vq->view.iotlb, vq->index);
}
