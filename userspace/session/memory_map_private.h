/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_MEMORY_MAP_PRIVATE_H
#define VHB_SESSION_MEMORY_MAP_PRIVATE_H

#include <sys/types.h>

#include "session/memory_map.h"
#include "session/memory_pages.h"
#include "session/window.h"

/* Shared by memory_map.c, which builds maps, and those that look into them */

/**
 * struct vhb_address_space - the windows shared by successive maps
 * @windows: they
 * @on_unmap: called before pages leave the address space; may be NULL
 * @argument: handed to it
 */
struct vhb_address_space {
	struct vhb_window *windows;
	vhb_pages_fn on_unmap;
	void *argument;
};

/**
 * struct vhb_mapping - a region and where it is mapped
 * @reference_count: maps that have it
 * @region: as declared
 * @device: where its file lives
 * @inode: and which one it is there
 * @page_bytes: page size of its file
 * @fd: its descriptor, not owned; used only until it is mapped
 * @footprint: the pages it takes up in a window
 * @hva: address of its first byte in the broker
 */
struct vhb_mapping {
	unsigned int reference_count;
	struct vhb_wire_region region;
	dev_t device;
	uint64_t inode;
	uint64_t page_bytes;
	int fd;
	struct vhb_footprint footprint;
	uint64_t hva;
};

/**
 * struct vhb_memory_map - an immutable, reference-counted set of regions
 * @reference_count: users of it
 * @space: where its mappings live
 * @region_count: how many there are
 * @by_gpa: the mappings, one reference each, sorted by guest address once the
 *          map is complete
 * @by_uva: the same, sorted by user address
 * @table: what the kernel gets
 */
struct vhb_memory_map {
	unsigned int reference_count;
	struct vhb_address_space *space;
	unsigned int region_count;
	struct vhb_mapping *by_gpa[VHB_REGION_COUNT_MAX];
	struct vhb_mapping *by_uva[VHB_REGION_COUNT_MAX];
	struct vhost_memory *table;
};

#endif
