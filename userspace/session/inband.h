/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_INBAND_H
#define VHB_SESSION_INBAND_H

#include "loop/loop.h"

/**
 * DOC: calls and errors as messages
 *
 * With in-band notifications, which simulators want, a vring whose front-end gave
 * no call or error descriptor gets an eventfd of ours, and what the kernel signals
 * there becomes a message on the back-end channel: BACKEND_VRING_CALL or
 * BACKEND_VRING_ERR. By then the used ring is written.
 *
 * Each message asks for a reply, and the next one leaves when that has come: one
 * is under way, however fast the kernel and however slow the front-end is. What is
 * signalled meanwhile stays in the eventfd, where many signals are one, and wakes
 * nobody. So nothing is lost, and nothing grows.
 */
struct vhb_inband;

/**
 * enum vhb_inband_kind - what is told
 * @VHB_INBAND_CALL: buffers were used
 * @VHB_INBAND_ERR: the vring is broken
 * @VHB_INBAND_KIND_COUNT: how many kinds
 */
enum vhb_inband_kind {
	VHB_INBAND_CALL,
	VHB_INBAND_ERR,
	VHB_INBAND_KIND_COUNT,
};

/**
 * vhb_inband_create() - no channel, no vring yet
 * @loop: the loop
 * @vring_count: vring indexes are below this
 * @inband_out: where it goes
 *
 * Return: 0 or -ENOMEM.
 */
int vhb_inband_create(struct vhb_loop *loop, unsigned int vring_count,
		      struct vhb_inband **inband_out);

/**
 * vhb_inband_destroy() - close all vrings and free
 * @inband: may be NULL
 */
void vhb_inband_destroy(struct vhb_inband *inband);

/**
 * vhb_inband_use_channel() - send here from now on
 * @inband: may be NULL
 * @fd: SET_BACKEND_REQ_FD, open until the next call of this; -1 for none: what is
 *      signalled waits for one
 *
 * What the front-end has not answered on the channel before is told again.
 */
void vhb_inband_use_channel(struct vhb_inband *inband, int fd);

/**
 * vhb_inband_open() - begin to tell of a vring
 * @inband: what to tell by
 * @index: the vring
 * @kind: of what; may be open already
 *
 * Return: the eventfd to give to the kernel, or -errno.
 */
int vhb_inband_open(struct vhb_inband *inband, unsigned int index,
		    enum vhb_inband_kind kind);

/**
 * vhb_inband_close() - tell of it no more
 * @inband: may be NULL
 * @index: the vring
 * @kind: of what; may be closed already
 *
 * What the kernel has signalled before is told first, without waiting for any
 * reply, if the channel has room: once the vring has stopped nothing may come.
 */
void vhb_inband_close(struct vhb_inband *inband, unsigned int index,
		      enum vhb_inband_kind kind);

#endif
