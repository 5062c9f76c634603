/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_MEMORY_VIEW_H
#define VHB_MEMORY_VIEW_H

#include <linux/types.h>

#include "memory/log.h"
#include "memory/memory.h"
#include "memory/table.h"

/**
 * struct vhb_memory - guest memory as a virtqueue sees it
 * @table: where guest addresses are, a reference
 * @log: the dirty log
 *
 * Guarded by the virtqueue's lock.
 */
struct vhb_memory {
	struct vhb_table *table;
	struct vhb_log log;
};

#endif
