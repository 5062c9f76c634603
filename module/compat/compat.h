/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_COMPAT_COMPAT_H
#define VHB_COMPAT_COMPAT_H

#include <linux/version.h>

/*
 * Included before every file of the module. What differs between kernels is
 * made equal in this folder and nowhere else, and always by giving an old
 * kernel what the newest one has.
 */

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "vhost-bridge needs Linux 6.1 or newer"
#endif

#include "compat_eventfd.h"
#include "compat_fs.h"

#endif
