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

static int take_regions(struct vhb_memory *memory,
			const struct vhost_memory __user *table)
{
	struct vhost_memory_region region;
	u32 i;
	int ret;

	for (i = 0; i < memory->region_count; i++) {
		if (copy_from_user(&region, &table->regions[i], sizeof(region)))
			return -EFAULT;
		ret = take_region(&memory->regions[i], &region);
		if (ret)
			return ret;
	}

	sort(memory->regions, memory->region_count, sizeof(*memory->regions),
	     compare_regions, NULL);
	for (i = 1; i < memory->region_count; i++) {
		const struct vhb_region *before = &memory->regions[i - 1];

		if (before->gpa + before->size_bytes > memory->regions[i].gpa)
			return -EINVAL;
	}
	return 0;
}

int vhb_memory_create(const struct vhost_memory __user *table,
		      struct vhb_memory **memory_out)
{
	struct vhb_memory *memory;
	struct vhost_memory head;
	int ret;

	if (copy_from_user(&head, table, offsetof(typeof(head), regions)))
		return -EFAULT;
	if (head.padding)
		return -EOPNOTSUPP;
	if (head.nregions > VHB_REGION_COUNT_MAX)
		return -E2BIG;

	memory = kvzalloc(struct_size(memory, regions, head.nregions),
			  GFP_KERNEL_ACCOUNT);
	if (!memory)
		return -ENOMEM;
	kref_init(&memory->kref);
	memory->region_count = head.nregions;
	ret = take_regions(memory, table);
	if (ret) {
		kvfree(memory);
		return ret;
	}
	*memory_out = memory;
	return 0;
}

struct vhb_memory *vhb_memory_get(struct vhb_memory *memory)
{
	if (memory)
		kref_get(&memory->kref);
	return memory;
}

static void free_memory(struct kref *kref)
{
	kvfree(container_of(kref, struct vhb_memory, kref));
}

void vhb_memory_put(struct vhb_memory *memory)
{
	if (memory)
		kref_put(&memory->kref, free_memory);
}

const struct vhb_region *vhb_memory_find(const struct vhb_memory *memory,
					 u64 gpa)
{
	u32 low = 0, high = memory->region_count;

	while (low < high) {
		const u32 middle = low + (high - low) / 2;
		const struct vhb_region *region = &memory->regions[middle];

		if (gpa < region->gpa)
			high = middle;
		else if (gpa - region->gpa >= region->size_bytes)
			low = middle + 1;
		else
			return region;
	}
	return NULL;
}

bool vhb_memory_has_area(const struct vhb_memory *memory, u64 user_addr,
			 u64 size_bytes)
{
	u32 i;

	for (i = 0; i < memory->region_count; i++) {
		const struct vhb_region *region = &memory->regions[i];

		if (user_addr >= region->user_addr &&
		    size_bytes <= region->size_bytes &&
		    user_addr - region->user_addr <=
			    region->size_bytes - size_bytes)
			return true;
	}
	return false;
}
