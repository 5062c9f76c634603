/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SHIM_LINUX_STRING_H
#define VHB_SHIM_LINUX_STRING_H

#include <string.h>

#endif
