/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SHIM_LINUX_SLAB_H
#define VHB_SHIM_LINUX_SLAB_H

#include <stdlib.h>

#define GFP_KERNEL_ACCOUNT 0

#define kvcalloc(count, size, flags) ((void)(flags), calloc(count, size))
#define kvfree(memory) free(memory)

#endif
