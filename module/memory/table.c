// SPDX-License-Identifier: GPL-2.0-only
#include "memory/table.h"

#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

static int compare_regions(const void *a, const void *b)
{
	const struct vhb_region *left = a;
	const struct vhb_region *right = b;

	if (left->gpa == right->gpa)
		return 0;
	return left->gpa < right->gpa ? -1 : 1;
}

static int take_region(struct vhb_region *region,
		       const struct vhost_memory_region *from)
{
	u64 end;

	if (from->flags_padding)
		return -EOPNOTSUPP;
	/* The very last byte must have an address behind it. */
	if (!from->memory_size ||
	    check_add_overflow(from->guest_phys_addr, from->memory_size, &end) ||
	    check_add_overflow(from->userspace_addr, from->memory_size, &end))
		return -EFAULT;
	if (!access_ok(u64_to_user_ptr(from->userspace_addr),
		       from->memory_size))
		return -EFAULT;
	region->gpa = from->guest_phys_addr;
	region->size_bytes = from->memory_size;
	region->user_addr = from->userspace_addr;
	return 0;
}

static int take_regions(struct vhb_table *table,
			const struct vhost_memory __user *argument)
{
	struct vhost_memory_region region;
	u32 i;
	int ret;

	for (i = 0; i < table->region_count; i++) {
		if (copy_from_user(&region, &argument->regions[i],
				   sizeof(region)))
			return -EFAULT;
		ret = take_region(&table->regions[i], &region);
		if (ret)
			return ret;
	}

	sort(table->regions, table->region_count, sizeof(*table->regions),
	     compare_regions, NULL);
	for (i = 1; i < table->region_count; i++) {
		const struct vhb_region *before = &table->regions[i - 1];

		if (before->gpa + before->size_bytes > table->regions[i].gpa)
			return -EINVAL;
	}
	return 0;
}

int vhb_table_create(const struct vhost_memory __user *argument,
		     struct vhb_table **table_out)
{
	struct vhb_table *table;
	struct vhost_memory head;
	int ret;

	if (copy_from_user(&head, argument, offsetof(typeof(head), regions)))
		return -EFAULT;
	if (head.padding)
		return -EOPNOTSUPP;
	if (head.nregions > VHB_REGION_COUNT_MAX)
		return -E2BIG;

	table = kvzalloc(struct_size(table, regions, head.nregions),
			 GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	kref_init(&table->kref);
	table->region_count = head.nregions;
	ret = take_regions(table, argument);
	if (ret) {
		kvfree(table);
		return ret;
	}
	*table_out = table;
	return 0;
}

struct vhb_table *vhb_table_get(struct vhb_table *table)
{
	if (table)
		kref_get(&table->kref);
	return table;
}

static void free_table(struct kref *kref)
{
	kvfree(container_of(kref, struct vhb_table, kref));
}

void vhb_table_put(struct vhb_table *table)
{
	if (table)
		kref_put(&table->kref, free_table);
}

const struct vhb_region *vhb_table_find(const struct vhb_table *table, u64 gpa)
{
	u32 low = 0, high = table->region_count;

	while (low < high) {
		const u32 middle = low + (high - low) / 2;
		const struct vhb_region *region = &table->regions[middle];

		if (gpa < region->gpa)
			high = middle;
		else if (gpa - region->gpa >= region->size_bytes)
			low = middle + 1;
		else
			return region;
	}
	return NULL;
}

const struct vhb_region *vhb_table_find_user(const struct vhb_table *table,
					     u64 user_addr)
{
	u32 i;

	for (i = 0; i < table->region_count; i++) {
		const struct vhb_region *region = &table->regions[i];

		if (user_addr >= region->user_addr &&
		    user_addr - region->user_addr < region->size_bytes)
			return region;
	}
	return NULL;
}

bool vhb_table_has_area(const struct vhb_table *table, u64 user_addr,
			u64 size_bytes)
{
	u32 i;

	for (i = 0; i < table->region_count; i++) {
		const struct vhb_region *region = &table->regions[i];

		if (user_addr >= region->user_addr &&
		    size_bytes <= region->size_bytes &&
		    user_addr - region->user_addr <=
			    region->size_bytes - size_bytes)
			return true;
	}
	return false;
}

u64 vhb_table_last_gpa(const struct vhb_table *table)
{
	const struct vhb_region *last =
		&table->regions[table->region_count - 1];

	return last->gpa + (last->size_bytes - 1);
}
