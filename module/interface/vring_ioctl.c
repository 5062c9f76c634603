// SPDX-License-Identifier: GPL-2.0-only
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>
#include <linux/vhost_bridge.h>
#include <linux/virtio_config.h>

#include "device/device.h"
#include "interface/interface.h"

static struct vhb_virtqueue *find_vq(struct vhb_device *device, u32 index)
{
	if (index >= device->personality->virtqueue_count_max)
		return NULL;
	/* A guessed branch must not reach behind the array. */
	index = array_index_nospec(index,
				   device->personality->virtqueue_count_max);
	return &device->virtqueues[index];
}

static bool is_running(const struct vhb_virtqueue *vq)
{
	return READ_ONCE(vq->state) != VHOST_BRIDGE_VRING_STOPPED;
}

static long set_num(struct vhb_virtqueue *vq, u32 num)
{
	if (is_running(vq))
		return -EBUSY;
	/* Whether it must be a power of two depends on the features. */
	if (!num || num > VHB_RING_NUM_MAX)
		return -EINVAL;
	WRITE_ONCE(vq->num, num);
	return 0;
}

static long set_base(struct vhb_virtqueue *vq, u32 base)
{
	if (is_running(vq))
		return -EBUSY;
	if (!vhb_device_has_feature(vq->device, VIRTIO_F_RING_PACKED) &&
	    base > U16_MAX)
		return -EINVAL;
	vq->base = base;
	return 0;
}

static long set_poll(struct vhb_virtqueue *vq, u32 poll_us)
{
	if (poll_us > VHB_POLL_US_MAX)
		return -EINVAL;
	WRITE_ONCE(vq->poll_us, poll_us);
	return 0;
}

static long vring_state_ioctl(struct vhb_device *device, unsigned int command,
			      unsigned long argument)
{
	struct vhost_vring_state __user *user = (void __user *)argument;
	struct vhost_vring_state state;
	struct vhb_virtqueue *vq;

	if (copy_from_user(&state, user, sizeof(state)))
		return -EFAULT;
	vq = find_vq(device, state.index);
	if (!vq)
		return -ENOBUFS;
	switch (command) {
	case VHOST_SET_VRING_NUM:
		return set_num(vq, state.num);
	case VHOST_SET_VRING_BASE:
		return set_base(vq, state.num);
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
		return set_poll(vq, state.num);
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
		state.num = vq->poll_us;
		break;
	default: /* VHOST_GET_VRING_BASE */
		if (is_running(vq))
			return -EBUSY;
		state.num = vq->base;
	}
	return copy_to_user(user, &state, sizeof(state)) ? -EFAULT : 0;
}

static long set_addr(struct vhb_device *device, unsigned int command,
		     unsigned long argument)
{
	struct vhost_vring_addr addr;
	struct vhb_virtqueue *vq;

	if (copy_from_user(&addr, (const void __user *)argument, sizeof(addr)))
		return -EFAULT;
	vq = find_vq(device, addr.index);
	if (!vq)
		return -ENOBUFS;
	if (addr.flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (!IS_ALIGNED(addr.desc_user_addr, 16) ||
	    !IS_ALIGNED(addr.avail_user_addr, 2) ||
	    !IS_ALIGNED(addr.used_user_addr, 4) ||
	    !IS_ALIGNED(addr.log_guest_addr, 4))
		return -EINVAL;
	return vhb_virtqueue_set_addr(vq, &addr);
}

static long set_kick(struct vhb_virtqueue *vq, int fd)
{
	struct file *file = NULL, *old;

	if (fd != -1) {
		file = eventfd_fget(fd);
		if (IS_ERR(file))
			return PTR_ERR(file);
	}
	mutex_lock(&vq->lock);
	old = vhb_kick_set(&vq->kick, file);
	mutex_unlock(&vq->lock);
	if (old)
		fput(old);
	return 0;
}

static long set_signal(struct vhb_virtqueue *vq, struct eventfd_ctx **slot,
		       int fd)
{
	struct eventfd_ctx *ctx = NULL, *old;

	if (fd != -1) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	mutex_lock(&vq->lock);
	old = *slot;
	*slot = ctx;
	mutex_unlock(&vq->lock);
	if (old)
		eventfd_ctx_put(old);
	return 0;
}

static long vring_file_ioctl(struct vhb_device *device, unsigned int command,
			     unsigned long argument)
{
	struct vhost_vring_file file;
	struct vhb_virtqueue *vq;

	if (copy_from_user(&file, (const void __user *)argument, sizeof(file)))
		return -EFAULT;
	vq = find_vq(device, file.index);
	if (!vq)
		return -ENOBUFS;
	switch (command) {
	case VHOST_SET_VRING_KICK:
		return set_kick(vq, file.fd);
	case VHOST_SET_VRING_CALL:
		return set_signal(vq, &vq->call, file.fd);
	default: /* VHOST_SET_VRING_ERR */
		return set_signal(vq, &vq->err, file.fd);
	}
}

static long start_or_stop(struct vhb_device *device, unsigned int command,
			  unsigned long argument)
{
	struct vhost_bridge_vring vring;
	struct vhb_virtqueue *vq;
	u32 allowed_flags = 0;

	if (copy_from_user(&vring, (const void __user *)argument,
			   sizeof(vring)))
		return -EFAULT;
	if (command == VHOST_BRIDGE_STOP_VRING)
		allowed_flags = VHOST_BRIDGE_VRING_GIVE_UP;
	if (vring.size_bytes != sizeof(vring) ||
	    vring.flags & ~allowed_flags || vring.reserved0 ||
	    memchr_inv(vring.reserved, 0, sizeof(vring.reserved)))
		return -EINVAL;
	vq = find_vq(device, vring.index);
	if (!vq)
		return -ENOBUFS;
	if (command == VHOST_BRIDGE_START_VRING)
		return vhb_virtqueue_start(vq, vring.base_addr);
	if (vring.base_addr)
		return -EINVAL;
	return vhb_virtqueue_stop(vq,
				  vring.flags & VHOST_BRIDGE_VRING_GIVE_UP);
}

static long get_status(struct vhb_device *device, unsigned long argument)
{
	struct vhost_bridge_vring_status __user *user = (void __user *)argument;
	struct vhost_bridge_vring_status status;
	struct vhb_virtqueue *vq;

	if (copy_from_user(&status, user, sizeof(status)))
		return -EFAULT;
	if (status.size_bytes != sizeof(status) || status.reserved0 ||
	    memchr_inv(status.reserved, 0, sizeof(status.reserved)))
		return -EINVAL;
	vq = find_vq(device, status.index);
	if (!vq)
		return -ENOBUFS;

	mutex_lock(&vq->lock);
	vhb_virtqueue_get_status(vq, &status);
	mutex_unlock(&vq->lock);
	return copy_to_user(user, &status, sizeof(status)) ? -EFAULT : 0;
}

/**
 * struct vring_row - a request of the owner
 * @command: its number
 * @function: device lock held
 */
struct vring_row {
	unsigned int command;
	long (*function)(struct vhb_device *device, unsigned int command,
			 unsigned long argument);
};

static const struct vring_row rows[] = {
	{ VHOST_SET_VRING_NUM, vring_state_ioctl },
	{ VHOST_SET_VRING_BASE, vring_state_ioctl },
	{ VHOST_GET_VRING_BASE, vring_state_ioctl },
	{ VHOST_SET_VRING_BUSYLOOP_TIMEOUT, vring_state_ioctl },
	{ VHOST_GET_VRING_BUSYLOOP_TIMEOUT, vring_state_ioctl },
	{ VHOST_SET_VRING_ADDR, set_addr },
	{ VHOST_SET_VRING_KICK, vring_file_ioctl },
	{ VHOST_SET_VRING_CALL, vring_file_ioctl },
	{ VHOST_SET_VRING_ERR, vring_file_ioctl },
	{ VHOST_BRIDGE_START_VRING, start_or_stop },
	{ VHOST_BRIDGE_STOP_VRING, start_or_stop },
};

long vhb_vring_ioctl(struct vhb_device *device, unsigned int command,
		     unsigned long argument)
{
	unsigned int i;
	long ret;

	if (command == VHOST_BRIDGE_GET_VRING_STATUS)
		return get_status(device, argument);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].command != command)
			continue;
		ret = vhb_device_check_owner(device);
		return ret ? ret : rows[i].function(device, command, argument);
	}
	return -ENOTTY;
}
