// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the owner and the IOTLB have to say to each other, read from and written
 * to the device's file as with the kernel's own vhost devices.
 */
#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/uio.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>

#include "device/device_iotlb.h"
#include "interface/interface.h"

/* Both versions lie the same way, so the second stands for both. */
static_assert(sizeof(struct vhost_msg) == sizeof(struct vhost_msg_v2));
static_assert(offsetof(struct vhost_msg, iotlb) ==
	      offsetof(struct vhost_msg_v2, iotlb));

static bool is_second_version(const struct vhb_device *device)
{
	return READ_ONCE(device->backend_features) &
	       BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2);
}

static bool has_iotlb(const struct vhb_device *device)
{
	return READ_ONCE(device->features) &
	       BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
}

static bool is_owner(const struct vhb_device *device)
{
	const struct mm_struct *mm = READ_ONCE(device->mm);

	return mm && mm == current->mm;
}

static ssize_t take_miss(struct vhb_device *device, bool may_wait,
			 struct vhb_miss *miss)
{
	struct vhb_iotlb *iotlb = &device->iotlb;
	int ret;

	for (;;) {
		if (!has_iotlb(device))
			return -EBADFD;
		/* There may be another one since it began to wait. */
		if (!is_owner(device))
			return -EPERM;
		if (vhb_iotlb_take_miss(iotlb, miss))
			return 0;
		if (!may_wait)
			return -EAGAIN;
		ret = wait_event_interruptible(iotlb->readers,
					       vhb_iotlb_has_miss(iotlb) ||
					       !has_iotlb(device) ||
					       !is_owner(device));
		if (ret)
			return ret;
	}
}

ssize_t vhb_iotlb_read(struct vhb_device *device, struct kiocb *iocb,
		       struct iov_iter *to)
{
	const bool may_wait = !(iocb->ki_filp->f_flags & O_NONBLOCK) &&
			      !(iocb->ki_flags & IOCB_NOWAIT);
	struct vhost_msg_v2 message = {};
	struct vhb_miss miss;
	ssize_t ret;

	if (!is_owner(device))
		return -EPERM;
	if (iov_iter_count(to) < sizeof(message))
		return 0;
	ret = take_miss(device, may_wait, &miss);
	if (ret)
		return ret;
	message.type = is_second_version(device) ? VHOST_IOTLB_MSG_V2 :
						   VHOST_IOTLB_MSG;
	message.iotlb.type = VHOST_IOTLB_MISS;
	message.iotlb.iova = miss.iova;
	message.iotlb.perm = miss.access;
	if (copy_to_iter(&message, sizeof(message), to) == sizeof(message))
		return sizeof(message);
	vhb_iotlb_return_miss(&device->iotlb, &miss);
	return -EFAULT;
}

static int carry_out(struct vhb_device *device,
		     const struct vhost_iotlb_msg *message)
{
	switch (message->type) {
	case VHOST_IOTLB_UPDATE:
		return vhb_device_update_iotlb(device, message);
	case VHOST_IOTLB_INVALIDATE:
		return vhb_device_invalidate_iotlb(device, message);
	case VHOST_IOTLB_ACCESS_FAIL:
		return vhb_device_refuse_iotlb(device, message);
	default:
		return -EINVAL;
	}
}

ssize_t vhb_iotlb_write(struct vhb_device *device, struct kiocb *iocb,
			struct iov_iter *from)
{
	struct vhost_msg_v2 message;
	int ret;

	if (!copy_from_iter_full(&message, sizeof(message), from))
		return iov_iter_count(from) < sizeof(message) ? -EINVAL :
								-EFAULT;
	switch (message.type) {
	case VHOST_IOTLB_MSG:
		/* What the second version has a number in is padding there. */
		break;
	case VHOST_IOTLB_MSG_V2:
		if (message.asid)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (mutex_lock_interruptible(&device->iotlb_lock))
		return -EINTR;
	if (!is_owner(device))
		ret = -EPERM;
	else if (!has_iotlb(device))
		ret = -EFAULT;
	else
		ret = carry_out(device, &message.iotlb);
	mutex_unlock(&device->iotlb_lock);
	return ret ? ret : sizeof(message);
}

__poll_t vhb_iotlb_poll(struct vhb_device *device, struct file *file,
			poll_table *wait)
{
	poll_wait(file, &device->iotlb.readers, wait);
	/* Else io_uring would wait for ever before it writes to us. */
	return EPOLLOUT | EPOLLWRNORM |
	       (vhb_iotlb_has_miss(&device->iotlb) ? EPOLLIN | EPOLLRDNORM : 0);
}
