// SPDX-License-Identifier: GPL-2.0-only
#include <linux/minmax.h>
#include <linux/uaccess.h>

#include "memory/memory.h"
#include "memory/table.h"

int vhb_area_read16(const struct vhb_memory *memory, u64 addr, u16 *value_out)
{
	__le16 value;

	if (get_user(value, (__le16 __user *)u64_to_user_ptr(addr)))
		return -EFAULT;
	*value_out = le16_to_cpu(value);
	return 0;
}

int vhb_area_write16(const struct vhb_memory *memory, u64 addr, u16 value)
{
	if (put_user(cpu_to_le16(value), (__le16 __user *)u64_to_user_ptr(addr)))
		return -EFAULT;
	return 0;
}

int vhb_area_read(const struct vhb_memory *memory, u64 addr, void *to,
		  size_t size_bytes)
{
	return copy_from_user(to, u64_to_user_ptr(addr), size_bytes) ? -EFAULT :
								       0;
}

int vhb_area_write(const struct vhb_memory *memory, u64 addr, const void *from,
		   size_t size_bytes)
{
	return copy_to_user(u64_to_user_ptr(addr), from, size_bytes) ? -EFAULT :
								       0;
}

/* The owner's address of a guest address, and how far it goes on from there */
static int translate(const struct vhb_memory *memory, u64 gpa,
		     size_t size_bytes, void __user **user_out,
		     size_t *chunk_bytes_out)
{
	const struct vhb_region *region = vhb_memory_find(memory, gpa);
	u64 offset;

	if (!region)
		return -EFAULT;
	offset = gpa - region->gpa;
	*user_out = u64_to_user_ptr(region->user_addr + offset);
	*chunk_bytes_out = min_t(u64, size_bytes, region->size_bytes - offset);
	return 0;
}

int vhb_guest_read(const struct vhb_memory *memory, u64 gpa, void *to,
		   size_t size_bytes)
{
	void __user *user;
	size_t chunk;
	int ret;

	for (; size_bytes; size_bytes -= chunk, gpa += chunk, to += chunk) {
		ret = translate(memory, gpa, size_bytes, &user, &chunk);
		if (ret)
			return ret;
		if (copy_from_user(to, user, chunk))
			return -EFAULT;
	}
	return 0;
}

int vhb_guest_write(const struct vhb_memory *memory, u64 gpa, const void *from,
		    size_t size_bytes)
{
	void __user *user;
	size_t chunk;
	int ret;

	for (; size_bytes; size_bytes -= chunk, gpa += chunk, from += chunk) {
		ret = translate(memory, gpa, size_bytes, &user, &chunk);
		if (ret)
			return ret;
		if (copy_to_user(user, from, chunk))
			return -EFAULT;
	}
	return 0;
}
