/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_DEVICE_STATE_H
#define VHB_SESSION_DEVICE_STATE_H

#include <stddef.h>

#include "kdev/kdev.h"
#include "lib/why.h"

/**
 * DOC: a device's state as a stream
 *
 * What a device knows that no message will tell the next back-end: see
 * &vhb_kdev_ops.save_state. Little-endian:
 *
 *	 0	8	"vhbstate"
 *	 8	2	version, 1
 *	10	2	length of the device's own bytes
 *	12	8	device type, padded with zeros
 *	20	...	the device's own bytes
 *	...	4	vhb_crc32() of all before
 *
 * It travels in a memfd of ours, which the specification lets a back-end offer in
 * place of the front-end's pipe: reading a pipe can wait for its writer, who holds
 * the pipe's lock as long as he likes, also where O_NONBLOCK was asked for.
 */

/**
 * vhb_device_state_save() - the stream of a device
 * @kdev: the device; no vring runs
 * @fd_out: a memfd to read it from, which cannot be written any more
 *
 * Return: 0 or -errno.
 */
int vhb_device_state_save(struct vhb_kdev *kdev, int *fd_out);

/**
 * vhb_device_state_receive() - where a stream may be written to
 * @fd_out: an empty memfd for the front-end
 * @kept_fd_out: the same for vhb_device_state_load()
 *
 * Return: 0 or -errno.
 */
int vhb_device_state_receive(int *fd_out, int *kept_fd_out);

/**
 * vhb_device_state_load() - take over what the stream says
 * @kdev: the device; no vring runs. As before when this fails
 * @fd: what vhb_device_state_receive() kept; stays open
 * @why: receives one clause that says what is wrong
 *
 * Return: 0; -EINVAL for what is no stream of such a device; another -errno.
 */
int vhb_device_state_load(struct vhb_kdev *kdev, int fd, struct vhb_why *why);

#endif
