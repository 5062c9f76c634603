/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_MEMORY_VIEW_H
#define VHB_MEMORY_VIEW_H

#include <linux/types.h>

#include "memory/iotlb.h"
#include "memory/log.h"
#include "memory/memory.h"
#include "memory/table.h"

/**
 * struct vhb_memory - guest memory as a virtqueue sees it
 * @table: where guest addresses are, a reference
 * @iotlb: what the driver's addresses mean, rings' included; NULL where they are
 *         guest addresses
 * @viewer: who this is, to @iotlb
 * @log: the dirty log
 *
 * Guarded by the virtqueue's lock.
 */
struct vhb_memory {
	struct vhb_table *table;
	struct vhb_iotlb *iotlb;
	unsigned int viewer;
	struct vhb_log log;
};

#endif
