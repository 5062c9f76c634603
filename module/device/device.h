/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_DEVICE_DEVICE_H
#define VHB_DEVICE_DEVICE_H

#include <linux/bits.h>
#include <linux/eventfd.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "device/personality.h"
#include "device/request.h"
#include "device/virtqueue.h"
#include "memory/view.h"

/**
 * DOC: devices
 *
 * A &struct vhb_device is one open file of a character device. It belongs to
 * the process that did VHOST_SET_OWNER: the module copies through that one's
 * address space. Each virtqueue has a thread of its own.
 *
 * Lock order: device lock, IOTLB lock, virtqueue lock. Requests of the owner hold the
 * device lock; a worker holds its virtqueue's lock during a turn and never
 * takes the device lock. Size, addresses and features are written under the
 * device lock while the virtqueue is stopped, so the worker reads them as it
 * likes; see Documentation/locking.rst. What the IOTLB is told needs no device
 * lock: who holds that may be waiting for it.
 */

/**
 * struct vhb_device - one open device
 * @id: its number in the registry
 * @personality: its type
 * @private: the personality's
 * @lock: see DOC above
 * @mm: the owner's address space, a reference to its users; NULL without owner
 * @owner: the owner's process, a reference; NULL without owner. Guarded by the
 *         registry's lock
 * @features: what was acked
 * @table: guest memory, a reference; NULL until VHOST_SET_MEM_TABLE
 * @log_base: where the owner has the dirty log; 0 until VHOST_SET_LOG_BASE
 * @log_call: signalled when something is marked there, a reference; NULL for
 *            none
 * @backend_features: VHOST_SET_BACKEND_FEATURES
 * @iotlb: what is known of the driver's addresses, with VIRTIO_F_ACCESS_PLATFORM
 * @iotlb_lock: held while it is told something, so that this is the owner; see
 *              DOC above. Guards changes of @mm and @features, too
 * @on_news: told what user space may want to hear. Virtqueue lock held, but for
 *           VHB_NEWS_CONFIG and VHB_NEWS_DISOWNED, which are of no virtqueue (index
 *           0); must not sleep. May be NULL
 * @on_news_argument: handed to it
 * @virtqueues: @personality->virtqueue_count_max of them
 */
struct vhb_device {
	u32 id;
	const struct vhb_personality *personality;
	void *private;
	struct mutex lock; /* see DOC above */
	struct mm_struct *mm;
	struct pid *owner;
	u64 features;
	struct vhb_table *table;
	u64 log_base;
	struct eventfd_ctx *log_call;
	u64 backend_features;
	struct vhb_iotlb iotlb;
	struct mutex iotlb_lock; /* see DOC above */
	void (*on_news)(void *argument, enum vhb_news news, unsigned int index);
	void *on_news_argument;
	struct vhb_virtqueue virtqueues[];
};

static inline bool vhb_device_has_feature(const struct vhb_device *device,
					  unsigned int bit)
{
	return device->features & BIT_ULL(bit);
}

/**
 * vhb_device_create() - a device without owner
 * @personality: its type
 * @device_out: the device
 *
 * Return: 0 or -errno.
 */
int vhb_device_create(const struct vhb_personality *personality,
		      struct vhb_device **device_out);

/**
 * vhb_device_destroy() - stop, drain and free it
 * @device: the device; nobody else uses it any more
 */
void vhb_device_destroy(struct vhb_device *device);

/**
 * vhb_device_features() - what it offers
 * @device: locked
 */
u64 vhb_device_features(struct vhb_device *device);

/**
 * vhb_device_set_features() - what the driver acked
 * @device: locked
 * @features: a subset of vhb_device_features()
 *
 * Return: 0, -EOPNOTSUPP for other bits, -EBUSY while a virtqueue is not
 * stopped and they differ, but for VHOST_F_LOG_ALL. When that begins to count:
 * -EFAULT when the dirty log cannot be where it is, -EINVAL when a virtqueue
 * runs and there is none.
 */
int vhb_device_set_features(struct vhb_device *device, u64 features);

/**
 * vhb_device_set_owner() - the caller's process becomes the owner
 * @device: locked
 *
 * Return: 0 or -EBUSY when it has one.
 */
int vhb_device_set_owner(struct vhb_device *device);

/**
 * vhb_device_check_owner() - is the caller the owner?
 * @device: locked
 *
 * Return: 0 or -EPERM.
 */
int vhb_device_check_owner(const struct vhb_device *device);

/**
 * vhb_device_reset_owner() - stop and drain, forget owner, memory and virtqueues
 * @device: locked
 *
 * What the personality was told stays. Sleeps until all in flight is done.
 */
void vhb_device_reset_owner(struct vhb_device *device);

/**
 * vhb_device_abandon() - the calling process dies; if it is the owner, forget it
 * @device: the device, not locked; nobody else has a descriptor of it
 *
 * As vhb_device_reset_owner(), and what the owner lent to the personality is let
 * go of, too.
 */
void vhb_device_abandon(struct vhb_device *device);

/**
 * vhb_device_set_table() - give it another guest memory, also while it runs
 * @device: locked
 * @table: a reference that is taken over, also on failure
 *
 * Return: 0, or -EFAULT when a ring in use is not in it, or the dirty log, when
 * that is kept, would not be user memory.
 */
int vhb_device_set_table(struct vhb_device *device, struct vhb_table *table);

/**
 * vhb_device_set_log_base() - where the dirty log is, also while it runs
 * @device: locked
 * @base: an address of the owner's, or 0 for nowhere
 *
 * When this returns nothing is marked in the old one any more.
 *
 * Return: 0; -EFAULT when that cannot be; -EINVAL for 0 while a virtqueue that
 * runs needs one.
 */
int vhb_device_set_log_base(struct vhb_device *device, u64 base);

/**
 * vhb_device_set_log_call() - whom to tell when something is marked
 * @device: locked
 * @call: a reference that is taken over; NULL for nobody
 */
void vhb_device_set_log_call(struct vhb_device *device,
			     struct eventfd_ctx *call);

/**
 * vhb_device_tell_config() - the configuration space has changed by itself
 * @device: the device; no lock is needed
 */
void vhb_device_tell_config(const struct vhb_device *device);

/**
 * vhb_device_is_idle() - are all virtqueues stopped?
 * @device: locked
 */
bool vhb_device_is_idle(struct vhb_device *device);

#endif
