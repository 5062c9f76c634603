/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SHIM_LINUX_STDDEF_H
#define VHB_SHIM_LINUX_STDDEF_H

#include <stddef.h>

#include_next <linux/stddef.h>

#endif
