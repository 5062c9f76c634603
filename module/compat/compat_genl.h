/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_COMPAT_COMPAT_GENL_H
#define VHB_COMPAT_COMPAT_GENL_H

#include <net/genetlink.h>

/*
 * Not included everywhere: only who speaks generic netlink needs it.
 *
 * 6.6: a dump has a struct genl_info too. Before, its attributes are where all
 * is that it has.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define genl_info_dump(cb) genl_dumpit_info(cb)
#endif

#endif
