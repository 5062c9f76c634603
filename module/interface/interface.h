/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_INTERFACE_INTERFACE_H
#define VHB_INTERFACE_INTERFACE_H

#include <linux/poll.h>
#include <linux/types.h>

#include "interface/uring_slot.h"

struct io_uring_cmd;
struct iov_iter;
struct kiocb;

/**
 * struct vhb_handle - an open file of a character device
 * @device: its device
 * @slots: commands of io_uring that wait
 */
struct vhb_handle {
	struct vhb_device *device;
	struct vhb_slots slots;
};

/**
 * vhb_chardevs_register() - make /dev/vhost-bridge-*
 * @with_loop: the loop device too
 *
 * Return: 0 or -errno.
 */
int vhb_chardevs_register(bool with_loop);

/**
 * vhb_chardevs_unregister() - the reverse
 */
void vhb_chardevs_unregister(void);

/**
 * vhb_ioctl() - carry out one request
 * @device: the device, not locked
 * @command: VHOST_* or VHOST_BRIDGE_*
 * @argument: as user space gave it
 *
 * Return: 0 or -errno, as documented in <linux/vhost_bridge.h>.
 */
long vhb_ioctl(struct vhb_device *device, unsigned int command,
	       unsigned long argument);

/**
 * vhb_vring_ioctl() - the requests that name a vring by number
 * @device: locked
 * @command: VHOST_*_VRING_*
 * @argument: as user space gave it
 *
 * Return: 0 or -errno; -EPERM for a caller that is not the owner, where it must
 * be; -ENOTTY for another request.
 */
long vhb_vring_ioctl(struct vhb_device *device, unsigned int command,
		     unsigned long argument);

/**
 * vhb_uring_cmd() - carry out one command of io_uring
 * @handle: the file
 * @command: the command
 * @issue_flags: as io_uring gave them
 *
 * Return: the command's result, or -EIOCBQUEUED or -EAGAIN as io_uring wants
 * them.
 */
int vhb_uring_cmd(struct vhb_handle *handle, struct io_uring_cmd *command,
		  unsigned int issue_flags);

/**
 * vhb_iotlb_read() - hand a miss to the owner
 * @device: the device, not locked
 * @iocb: whether it may wait
 * @to: room for a &struct vhost_msg_v2
 *
 * Return: the message's size; 0 when there is no room for it; -EAGAIN when there
 * is no miss and it may not wait; -EINTR or what makes the call start again;
 * -EBADFD without an IOTLB; -EPERM; -EFAULT.
 */
ssize_t vhb_iotlb_read(struct vhb_device *device, struct kiocb *iocb,
		       struct iov_iter *to);

/**
 * vhb_iotlb_write() - what the owner says
 * @device: the device, not locked
 * @iocb: not used
 * @from: a &struct vhost_msg_v2
 *
 * Return: the message's size; -EFAULT without an IOTLB; -errno.
 */
ssize_t vhb_iotlb_write(struct vhb_device *device, struct kiocb *iocb,
			struct iov_iter *from);

/**
 * vhb_iotlb_poll() - is there a miss?
 * @device: the device, not locked
 * @file: its file
 * @wait: where to wait
 */
__poll_t vhb_iotlb_poll(struct vhb_device *device, struct file *file,
			poll_table *wait);

#endif
