/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SHIM_LINUX_ALIGN_H
#define VHB_SHIM_LINUX_ALIGN_H

#include <linux/kernel.h>

#endif
