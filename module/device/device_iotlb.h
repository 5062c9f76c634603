/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_DEVICE_DEVICE_IOTLB_H
#define VHB_DEVICE_DEVICE_IOTLB_H

#include <linux/types.h>
#include <linux/vhost_types.h>

struct vhb_device;
struct vhb_virtqueue;

/**
 * vhb_device_init_iotlb() - an IOTLB that knows nothing
 * @device: zeroed
 */
void vhb_device_init_iotlb(struct vhb_device *device);

/**
 * vhb_device_update_iotlb() - the owner says where something is
 * @device: IOTLB lock held
 * @message: what
 *
 * Who waits for it goes on.
 *
 * Return: as vhb_iotlb_update().
 */
int vhb_device_update_iotlb(struct vhb_device *device,
			    const struct vhost_iotlb_msg *message);

/**
 * vhb_device_invalidate_iotlb() - the owner says that something is there no more
 * @device: IOTLB lock held
 * @message: what
 *
 * When this returns no chain is looked up there, and no ring is touched there,
 * as the IOTLB had it. Buffers of chains that were taken before stay in use until
 * those are given back. Sleeps until turns that are being taken end.
 *
 * Return: as vhb_iotlb_invalidate().
 */
int vhb_device_invalidate_iotlb(struct vhb_device *device,
				const struct vhost_iotlb_msg *message);

/**
 * vhb_device_refuse_iotlb() - the owner will not say where something is
 * @device: IOTLB lock held
 * @message: what
 *
 * Who waits for it is broken.
 *
 * Return: as vhb_iotlb_refuse().
 */
int vhb_device_refuse_iotlb(struct vhb_device *device,
			    const struct vhost_iotlb_msg *message);

/**
 * vhb_virtqueue_forget_miss() - it waits for the IOTLB no more
 * @vq: the virtqueue
 */
void vhb_virtqueue_forget_miss(struct vhb_virtqueue *vq);

/**
 * vhb_virtqueue_is_waiting() - does it wait for the IOTLB?
 * @vq: the virtqueue; not necessarily locked
 */
bool vhb_virtqueue_is_waiting(struct vhb_virtqueue *vq);

#endif
