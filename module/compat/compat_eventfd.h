/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_COMPAT_COMPAT_EVENTFD_H
#define VHB_COMPAT_COMPAT_EVENTFD_H

/* 6.8: eventfd_signal() always adds one. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#include <linux/eventfd.h>

static inline void vhb_eventfd_signal(struct eventfd_ctx *ctx)
{
	eventfd_signal(ctx, 1);
}

#define eventfd_signal(ctx) vhb_eventfd_signal(ctx)
#endif

#endif
