/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_IOCTL_TRACE_H
#define VHB_KDEV_IOCTL_TRACE_H

#include <linux/vhost_types.h>

#include "lib/text.h"

/**
 * vhb_ioctl_describe() - an ioctl of vhost or of our module in words
 * @fd: what it was issued on
 * @request: which
 * @argument: its argument; as the kernel left it where that is a result
 * @result: 0 or -errno; then no result is looked at
 * @text: receives NAME fd=N FIELD=VALUE... = 0, or = ERRNO
 */
void vhb_ioctl_describe(int fd, unsigned long request, const void *argument,
			int result, struct vhb_text *text);

/**
 * vhb_ioctl_trace() - the same, as a line of the trace
 * @fd: what it was issued on
 * @request: which
 * @argument: its argument
 * @result: 0 or -errno
 *
 * Only to be called when there is a trace.
 */
void vhb_ioctl_trace(int fd, unsigned long request, const void *argument,
		     int result);

/**
 * vhb_iotlb_trace() - a message to or from the IOTLB of a vhost descriptor
 * @fd: the descriptor
 * @message: the message
 * @result: of writing an update or invalidation: 0 or -errno; 0 for a miss
 *
 * Only to be called when there is a trace.
 */
void vhb_iotlb_trace(int fd, const struct vhost_iotlb_msg *message, int result);

#endif
