/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SHIM_LINUX_TYPES_H
#define VHB_SHIM_LINUX_TYPES_H

/*
 * What the kernel's header of this name has and the one for user space has not.
 * With the others here it lets module/ring be built as it is, for the broker's own
 * virtqueues and for tests.
 */

#include <stdbool.h>
#include <stddef.h>

#include_next <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define __force

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
