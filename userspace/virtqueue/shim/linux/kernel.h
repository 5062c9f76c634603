/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SHIM_LINUX_KERNEL_H
#define VHB_SHIM_LINUX_KERNEL_H

#include <endian.h>
#include <stdint.h>

#include <linux/types.h>

#define U16_MAX UINT16_MAX
#define U32_MAX UINT32_MAX
#define U64_MAX UINT64_MAX

#define BIT(n) (1UL << (n))
#define IS_ALIGNED(x, alignment) (!((x) & ((alignment) - 1)))
#define BUILD_BUG_ON(condition) \
	_Static_assert(!(condition), "BUILD_BUG_ON(" #condition ")")

#define min_t(type, x, y)           \
	({                          \
		type x_ = (x);      \
		type y_ = (y);      \
		x_ < y_ ? x_ : y_;  \
	})

#define cpu_to_le16(x) htole16(x)
#define cpu_to_le32(x) htole32(x)
#define cpu_to_le64(x) htole64(x)
#define le16_to_cpu(x) le16toh(x)
#define le32_to_cpu(x) le32toh(x)
#define le64_to_cpu(x) le64toh(x)

#endif
