// SPDX-License-Identifier: GPL-2.0-only
#include <linux/minmax.h>
#include <linux/uaccess.h>

#include "memory/view.h"

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
	return vhb_log_area(memory, addr, sizeof(value));
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
	if (copy_to_user(u64_to_user_ptr(addr), from, size_bytes))
		return -EFAULT;
	return vhb_log_area(memory, addr, size_bytes);
}

int vhb_buffer_resolve(const struct vhb_memory *memory, u64 gpa,
		       u32 size_bytes, bool is_writable, u64 *user_addr_out,
		       u32 *chunk_bytes_out)
{
	const struct vhb_region *region = vhb_table_find(memory->table, gpa);
	u64 offset;

	if (!region)
		return -EFAULT;
	offset = gpa - region->gpa;
	*user_addr_out = region->user_addr + offset;
	*chunk_bytes_out = min_t(u64, size_bytes, region->size_bytes - offset);
	return 0;
}

int vhb_guest_read(const struct vhb_memory *memory, u64 gpa, void *to,
		   size_t size_bytes)
{
	u64 user_addr;
	u32 chunk;
	int ret;

	for (; size_bytes; size_bytes -= chunk, gpa += chunk, to += chunk) {
		ret = vhb_buffer_resolve(memory, gpa, size_bytes, false,
					 &user_addr, &chunk);
		if (ret)
			return ret;
		ret = vhb_buffer_read(memory, user_addr, to, chunk);
		if (ret)
			return ret;
	}
	return 0;
}

int vhb_buffer_read(const struct vhb_memory *memory, u64 user_addr, void *to,
		    size_t size_bytes)
{
	return copy_from_user(to, u64_to_user_ptr(user_addr), size_bytes) ?
		       -EFAULT :
		       0;
}

int vhb_buffer_write(const struct vhb_memory *memory, u64 gpa, u64 user_addr,
		     const void *from, size_t size_bytes)
{
	const bool is_copied = !copy_to_user(u64_to_user_ptr(user_addr), from,
					     size_bytes);
	int ret;

	/* Some of it may be there even when it is not all. */
	ret = vhb_buffer_written(memory, gpa, user_addr, size_bytes);
	return is_copied ? ret : -EFAULT;
}

int vhb_buffer_written(const struct vhb_memory *memory, u64 gpa, u64 user_addr,
		       u64 size_bytes)
{
	/* Nothing is there, and the guest address may be any. */
	if (user_addr >= VHB_BUFFER_NOWHERE)
		return 0;
	return vhb_log_buffer(memory, gpa, size_bytes);
}
