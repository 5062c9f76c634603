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
 * struct vhb_table - guest memory, a snapshot that never changes
 * @kref: references
 * @region_count: how many
 * @regions: by guest address, none overlaps another
 */
struct vhb_table {
	struct kref kref;
	u32 region_count;
	struct vhb_region regions[];
};

/**
 * vhb_table_create() - make a snapshot of VHOST_SET_MEM_TABLE's argument
 * @argument: the argument
 * @table_out: the snapshot, one reference
 *
 * Return: 0; -EFAULT when the argument cannot be read or a region is empty,
 * wraps or is no user memory; -E2BIG for too many regions; -EINVAL for regions
 * that overlap (vhost takes them, and then which one counts is chance);
 * -EOPNOTSUPP for padding that is not zero; -ENOMEM.
 */
int vhb_table_create(const struct vhost_memory __user *argument,
		     struct vhb_table **table_out);

/**
 * vhb_table_get() - take a reference
 * @table: may be NULL
 *
 * Return: @table.
 */
struct vhb_table *vhb_table_get(struct vhb_table *table);

/**
 * vhb_table_put() - give a reference back
 * @table: may be NULL
 */
void vhb_table_put(struct vhb_table *table);

/**
 * vhb_table_find() - the region that holds a guest address
 * @table: guest memory
 * @gpa: the address
 *
 * Return: the region or NULL.
 */
const struct vhb_region *vhb_table_find(const struct vhb_table *table, u64 gpa);

/**
 * vhb_table_find_user() - the region that holds an address of the owner
 * @table: guest memory
 * @user_addr: the address
 *
 * Return: the region, the first by guest address if there are several; or NULL.
 */
const struct vhb_region *vhb_table_find_user(const struct vhb_table *table,
					     u64 user_addr);

/**
 * vhb_table_has_area() - does a ring lie in one region?
 * @table: guest memory
 * @user_addr: area address
 * @size_bytes: length of the area
 */
bool vhb_table_has_area(const struct vhb_table *table, u64 user_addr,
			u64 size_bytes);

/**
 * vhb_table_last_gpa() - the highest guest address there is
 * @table: guest memory; has a region
 */
u64 vhb_table_last_gpa(const struct vhb_table *table);

#endif
