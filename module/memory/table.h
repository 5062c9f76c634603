/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_MEMORY_TABLE_H
#define VHB_MEMORY_TABLE_H

#include <linux/kref.h>
#include <linux/types.h>
#include <linux/vhost_types.h>

/** Regions a table can have; vhost-user front-ends have at most 509 */
#define VHB_REGION_COUNT_MAX 512

/**
 * struct vhb_region - a stretch of guest memory
 * @gpa: guest address
 * @size_bytes: length; neither @gpa nor @user_addr wraps
 * @user_addr: where the owner has it
 */
struct vhb_region {
	u64 gpa;
	u64 size_bytes;
	u64 user_addr;
};

/**
 * struct vhb_memory - guest memory, a snapshot that never changes
 * @kref: references
 * @region_count: how many
 * @regions: by guest address, none overlaps another
 */
struct vhb_memory {
	struct kref kref;
	u32 region_count;
	struct vhb_region regions[];
};

/**
 * vhb_memory_create() - make a snapshot of VHOST_SET_MEM_TABLE's argument
 * @table: the argument
 * @memory_out: the snapshot, one reference
 *
 * Return: 0; -EFAULT when the argument cannot be read or a region is empty,
 * wraps or is no user memory; -E2BIG for too many regions; -EINVAL for regions
 * that overlap (vhost takes them, and then which one counts is chance);
 * -EOPNOTSUPP for padding that is not zero; -ENOMEM.
 */
int vhb_memory_create(const struct vhost_memory __user *table,
		      struct vhb_memory **memory_out);

/**
 * vhb_memory_get() - take a reference
 * @memory: may be NULL
 *
 * Return: @memory.
 */
struct vhb_memory *vhb_memory_get(struct vhb_memory *memory);

/**
 * vhb_memory_put() - give a reference back
 * @memory: may be NULL
 */
void vhb_memory_put(struct vhb_memory *memory);

/**
 * vhb_memory_find() - the region that holds a guest address
 * @memory: guest memory
 * @gpa: the address
 *
 * Return: the region or NULL.
 */
const struct vhb_region *vhb_memory_find(const struct vhb_memory *memory,
					 u64 gpa);

/**
 * vhb_memory_has_area() - does a ring lie in one region?
 * @memory: guest memory
 * @user_addr: area address
 * @size_bytes: length of the area
 */
bool vhb_memory_has_area(const struct vhb_memory *memory, u64 user_addr,
			 u64 size_bytes);

#endif
