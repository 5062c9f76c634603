// SPDX-License-Identifier: GPL-2.0-only
/*
 * A block device: a file or block device of the host as a virtio disk.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/virtio_ids.h>

#include "personality/blk.h"

static int blk_open(struct vhb_device *device)
{
	struct vhb_blk *blk = kzalloc(sizeof(*blk), GFP_KERNEL_ACCOUNT);

	if (!blk)
		return -ENOMEM;
	blk->slow = alloc_workqueue("vhost-bridge-blk",
				    WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!blk->slow) {
		kfree(blk);
		return -ENOMEM;
	}
	blk->device = device;
	vhb_blk_init_backing(blk);
	device->private = blk;
	return 0;
}

static void blk_release(struct vhb_device *device)
{
	struct vhb_blk *blk = device->private;

	destroy_workqueue(blk->slow);
	vhb_blk_drop_backing(blk);
	kfree(blk);
}

static void blk_abandon(struct vhb_device *device)
{
	vhb_blk_drop_backing(device->private);
}

static u64 blk_features(struct vhb_device *device)
{
	const struct vhb_blk *blk = device->private;
	u64 features = BIT_ULL(VIRTIO_BLK_F_SEG_MAX) |
		       BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) |
		       BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) |
		       BIT_ULL(VIRTIO_BLK_F_FLUSH) |
		       BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE);

	if (!blk->file)
		return features;
	if (blk->vring_count > 1)
		features |= BIT_ULL(VIRTIO_BLK_F_MQ);
	if (blk->is_read_only)
		features |= BIT_ULL(VIRTIO_BLK_F_RO);
	else
		features |= BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES);
	if (blk->can_discard)
		features |= BIT_ULL(VIRTIO_BLK_F_DISCARD);
	if (blk->can_erase)
		features |= BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE);
	return features;
}

/*
 * A driver that took the switch without the flush begins without a cache (VIRTIO
 * 1.2, 5.2.5.2). A legacy one does not: the field must not change under it. The
 * next driver reads the field before its features get here, so what it reads has
 * to be what it will have: the field is changed, not only shown so.
 */
void vhb_blk_acked(struct vhb_device *device)
{
	struct vhb_blk *blk = device->private;

	if (vhb_device_has_feature(device, VIRTIO_F_VERSION_1) &&
	    vhb_device_has_feature(device, VIRTIO_BLK_F_CONFIG_WCE) &&
	    !vhb_device_has_feature(device, VIRTIO_BLK_F_FLUSH))
		WRITE_ONCE(blk->is_writeback, false);
}

static long set_backing(struct vhb_device *device, unsigned long argument)
{
	struct vhost_bridge_blk_backing backing;

	if (copy_from_user(&backing, (const void __user *)argument,
			   sizeof(backing)))
		return -EFAULT;
	if (backing.size_bytes != sizeof(backing) ||
	    backing.flags & ~VHOST_BRIDGE_BLK_READ_ONLY ||
	    memchr_inv(backing.reserved, 0, sizeof(backing.reserved)) ||
	    !backing.vring_count ||
	    backing.vring_count > VHB_BLK_VIRTQUEUE_COUNT_MAX)
		return -EINVAL;
	if (!vhb_device_is_idle(device))
		return -EBUSY;
	return vhb_blk_set_backing(device->private, &backing);
}

static long blk_ioctl(struct vhb_device *device, unsigned int command,
		      unsigned long argument)
{
	int ret;

	if (command != VHOST_BRIDGE_BLK_SET_BACKING)
		return -ENOTTY;
	/* Before there is an owner too: the features depend on it. */
	if (device->mm) {
		ret = vhb_device_check_owner(device);
		if (ret)
			return ret;
	}
	return set_backing(device, argument);
}

/*
 * A driver may write one field: whether writes may stay in a cache. Front-ends
 * pass that on before they pass on what was negotiated, so whether it counts is
 * judged when a write comes.
 */
static int blk_set_config(struct vhb_device *device, u32 offset_bytes,
			  u32 length_bytes, const u8 *data)
{
	struct vhb_blk *blk = device->private;

	if (!length_bytes)
		return 0;
	if (offset_bytes != offsetof(struct virtio_blk_config, wce) ||
	    length_bytes != 1)
		return -EACCES;
	if (data[0] > 1)
		return -EINVAL;
	WRITE_ONCE(blk->is_writeback, data[0]);
	return 0;
}

/* A driver that cannot flush has no cache, whatever it writes (VIRTIO 1.2, 5.2.5.2). */
bool vhb_blk_is_writethrough(const struct vhb_device *device)
{
	const struct vhb_blk *blk = device->private;

	if (!vhb_device_has_feature(device, VIRTIO_BLK_F_FLUSH))
		return true;
	return vhb_device_has_feature(device, VIRTIO_BLK_F_CONFIG_WCE) &&
	       !READ_ONCE(blk->is_writeback);
}

static int blk_start(struct vhb_virtqueue *vq)
{
	const struct vhb_blk *blk = vq->device->private;

	return blk->file ? 0 : -ENODEV;
}

static_assert(VHB_BLK_VIRTQUEUE_COUNT_MAX <= VHB_VIRTQUEUES_MAX);

const struct vhb_personality vhb_blk_personality = {
	.name = "blk",
	.virtio_id = VIRTIO_ID_BLOCK,
	.virtqueue_count_max = VHB_BLK_VIRTQUEUE_COUNT_MAX,
	.open = blk_open,
	.release = blk_release,
	.abandon = blk_abandon,
	.features = blk_features,
	.acked = vhb_blk_acked,
	.ioctl = blk_ioctl,
	.get_config = vhb_blk_get_config,
	.set_config = blk_set_config,
	.start = blk_start,
	.handle = vhb_blk_handle,
	.finish = vhb_blk_finish,
};
