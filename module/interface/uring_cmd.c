// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands of io_uring (IORING_OP_URING_CMD) to a device.
 */
#include <linux/errno.h>
#include <linux/nospec.h>

#include "compat/compat_uring.h"
#include "interface/interface.h"
#include "interface/uring_slot.h"
#include "trace/trace.h"

/* A command that would sleep goes to a thread of io_uring's that may. */
static int lock_device(struct vhb_device *device, unsigned int issue_flags)
{
	if (!(issue_flags & IO_URING_F_NONBLOCK))
		return mutex_lock_interruptible(&device->lock);
	return mutex_trylock(&device->lock) ? 0 : -EAGAIN;
}

static int kick(struct vhb_virtqueue *vq)
{
	if (READ_ONCE(vq->state) != VHOST_BRIDGE_VRING_RUNNING)
		return -ESRCH;
	trace_vhb_kick(vq->device->id, vq->index);
	vhb_worker_wake(&vq->worker);
	return 0;
}

static int drain(struct vhb_handle *handle, struct vhb_virtqueue *vq,
		 bool gives_up, struct io_uring_cmd *command,
		 unsigned int issue_flags)
{
	int ret;

	/* A turn of the worker may take long: its file may block. */
	if (issue_flags & IO_URING_F_NONBLOCK)
		return -EAGAIN;
	/* The device lock keeps it from starting again. */
	if (READ_ONCE(vq->state) == VHOST_BRIDGE_VRING_STOPPED)
		return -ESRCH;
	/*
	 * Not under the virtqueue's lock: io_uring takes a lock of its own here,
	 * under which somebody may be telling our IOTLB, which takes that one.
	 */
	ret = vhb_slots_wait_drain(&handle->slots, vq->index, command,
				   issue_flags);
	/* It stopped meanwhile, and may have told nobody: the command waits. */
	if (ret == -EIOCBQUEUED && vhb_virtqueue_drain(vq, gives_up))
		vhb_slots_tell(&handle->slots, VHB_NEWS_STOPPED, vq->index);
	return ret;
}

static int carry_out(struct vhb_handle *handle, struct io_uring_cmd *command,
		     u32 index, u32 flags, unsigned int issue_flags)
{
	struct vhb_device *device = handle->device;
	int ret;

	ret = vhb_device_check_owner(device);
	if (ret)
		return ret;
	if (command->cmd_op == VHOST_BRIDGE_URING_EVENT)
		return index ? -EINVAL :
			       vhb_slots_wait_event(&handle->slots, command,
						    issue_flags);
	if (index >= device->personality->virtqueue_count_max)
		return -ENOBUFS;
	/* A guessed branch must not reach behind the array. */
	index = array_index_nospec(index,
				   device->personality->virtqueue_count_max);
	if (command->cmd_op == VHOST_BRIDGE_URING_KICK)
		return kick(&device->virtqueues[index]);
	return drain(handle, &device->virtqueues[index],
		     flags & VHOST_BRIDGE_VRING_GIVE_UP, command, issue_flags);
}

int vhb_uring_cmd(struct vhb_handle *handle, struct io_uring_cmd *command,
		  unsigned int issue_flags)
{
	/* Shared with user space, so each member is read once. */
	const struct vhost_bridge_uring *area;
	u32 allowed_flags = 0;
	u32 index, flags;
	int ret;

	if (issue_flags & IO_URING_F_CANCEL) {
		vhb_slots_cancel(command, issue_flags);
		return 0;
	}
	switch (command->cmd_op) {
	case VHOST_BRIDGE_URING_DRAIN:
		allowed_flags = VHOST_BRIDGE_VRING_GIVE_UP;
		break;
	case VHOST_BRIDGE_URING_EVENT:
	case VHOST_BRIDGE_URING_KICK:
		break;
	default:
		return -ENOTTY;
	}
	area = vhb_uring_area(command);
	index = READ_ONCE(area->index);
	flags = READ_ONCE(area->flags);
	if (flags & ~allowed_flags || READ_ONCE(area->reserved))
		return -EINVAL;

	ret = lock_device(handle->device, issue_flags);
	if (ret)
		return ret;
	ret = carry_out(handle, command, index, flags, issue_flags);
	mutex_unlock(&handle->device->lock);
	return ret;
}
