/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_DEVICE_PERSONALITY_H
#define VHB_DEVICE_PERSONALITY_H

#include <linux/types.h>

#include "ring/ring.h"

struct vhb_device;
struct vhb_request;
struct vhb_virtqueue;

/**
 * struct vhb_personality - a device type
 * @name: /dev/vhost-bridge-NAME
 * @virtio_id: <linux/virtio_ids.h>, or 0
 * @virtqueue_count_max: virtqueues a device can have
 * @open: a device was opened: make &vhb_device.private. Optional
 * @release: the reverse; nothing runs any more. Optional
 * @abandon: the owner has died: let go of what it lent. Device lock held, all
 *           virtqueues stopped. Optional
 * @features: bits to offer besides those of the ring. Device lock held
 * @acked: the owner has set features; &vhb_device.features has them. Device lock
 *         held. Optional
 * @ioctl: a request the device does not know itself; -ENOTTY for one that is
 *         not this personality's either. Device lock held; whether the caller is
 *         the owner it asks itself. Optional
 * @get_config: copy the configuration space, all of VHB_CONFIG_BYTES; what the
 *              device has no field for stays zero. Device lock held. Optional
 * @set_config: write to it; -EACCES for what is read-only. Range is checked.
 *              Device lock held. Optional
 * @start: may this virtqueue start? -errno when something is missing. Device
 *         lock held. Optional
 * @handle: take a chain. Worker, virtqueue lock held. Returns 0 when
 *          vhb_request_complete() was or will be called, or the fault that the
 *          chain is. The chain's segments are gone when it returns
 * @finish: a request that vhb_request_complete() was called for: give the guest
 *          its answer, tell how many bytes of the chain's writable segments are
 *          written, free the request. Worker, virtqueue lock held. Returns 0;
 *          -EINPROGRESS when there is more to do and vhb_request_complete() was
 *          or will be called again; another -errno when guest memory could not
 *          be written, which breaks the virtqueue. One that is broken already
 *          must not be written for: vhb_virtqueue_can_write()
 *
 * The table of all is in device/personality.c.
 */
struct vhb_personality {
	const char *name;
	u32 virtio_id;
	unsigned int virtqueue_count_max;
	int (*open)(struct vhb_device *device);
	void (*release)(struct vhb_device *device);
	void (*abandon)(struct vhb_device *device);
	u64 (*features)(struct vhb_device *device);
	void (*acked)(struct vhb_device *device);
	long (*ioctl)(struct vhb_device *device, unsigned int command,
		      unsigned long argument);
	void (*get_config)(struct vhb_device *device, u8 *space);
	int (*set_config)(struct vhb_device *device, u32 offset_bytes,
			  u32 length_bytes, const u8 *data);
	int (*start)(struct vhb_virtqueue *vq);
	enum vhost_bridge_fault (*handle)(struct vhb_virtqueue *vq,
					  const struct vhb_chain *chain);
	int (*finish)(struct vhb_virtqueue *vq, struct vhb_request *request,
		      u32 *written_bytes_out);
};

/** Virtqueues a device can have: a bit each in 64 */
#define VHB_VIRTQUEUES_MAX 64

/** Bytes of configuration space a device can have */
#define VHB_CONFIG_BYTES 256

extern const struct vhb_personality vhb_blk_personality;
extern const struct vhb_personality vhb_loop_personality;

/**
 * vhb_personality_count() - how many there are
 */
unsigned int vhb_personality_count(void);

/**
 * vhb_personality_at() - one of them
 * @position: below vhb_personality_count()
 */
const struct vhb_personality *vhb_personality_at(unsigned int position);

#endif
