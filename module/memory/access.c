// SPDX-License-Identifier: GPL-2.0-only
#include <linux/minmax.h>
#include <linux/uaccess.h>
#include <uapi/linux/virtio_ring.h>

#include "memory/view.h"

/* How far memory of the table goes on at an address of the owner */
static int clip(const struct vhb_memory *memory, u64 user_addr, u64 size_bytes,
		u64 *chunk_bytes_out)
{
	const struct vhb_region *region =
		vhb_table_find_user(memory->table, user_addr);

	if (!region)
		return -EFAULT;
	*chunk_bytes_out = min(size_bytes, region->size_bytes -
					   (user_addr - region->user_addr));
	return 0;
}

/* The owner's address of the driver's, as the IOTLB and the table have it */
static noinline int translate(const struct vhb_memory *memory, u64 addr,
			      u64 size_bytes, u8 access, u64 *user_addr_out,
			      u64 *chunk_bytes_out)
{
	int ret;

	ret = vhb_iotlb_translate(memory->iotlb, memory->viewer, addr,
				  size_bytes, access, user_addr_out,
				  chunk_bytes_out);
	if (ret)
		return ret;
	return clip(memory, *user_addr_out, *chunk_bytes_out, chunk_bytes_out);
}

/* The owner's address of a ring's, and how far it goes on from there */
static __always_inline int locate(const struct vhb_memory *memory, u64 addr,
				  u64 size_bytes, u8 access, u64 *user_addr_out,
				  u64 *chunk_bytes_out)
{
	if (unlikely(memory->iotlb))
		return translate(memory, addr, size_bytes, access,
				 user_addr_out, chunk_bytes_out);
	*user_addr_out = addr;
	*chunk_bytes_out = size_bytes;
	return 0;
}

/*
 * Where it does not know the length, CONFIG_HARDENED_USERCOPY looks what our end
 * of the copy is, which takes longer than to copy. Most of what is copied has one
 * of these: descriptors, a split ring's used entries, headers of requests, status.
 */
static unsigned long copy_in(void *to, u64 user_addr, size_t size_bytes)
{
	const void __user *from = u64_to_user_ptr(user_addr);

	if (size_bytes == sizeof(struct vring_desc))
		return copy_from_user(to, from, sizeof(struct vring_desc));
	return copy_from_user(to, from, size_bytes);
}

static unsigned long copy_out(u64 user_addr, const void *from,
			      size_t size_bytes)
{
	void __user *to = u64_to_user_ptr(user_addr);

	if (size_bytes == sizeof(struct vring_used_elem))
		return copy_to_user(to, from, sizeof(struct vring_used_elem));
	if (size_bytes == sizeof(u8))
		return put_user(*(const u8 *)from, (u8 __user *)to) ? 1 : 0;
	return copy_to_user(to, from, size_bytes);
}

int vhb_area_read16(const struct vhb_memory *memory, u64 addr, u16 *value_out)
{
	u64 user_addr, chunk;
	__le16 value;
	int ret;

	ret = locate(memory, addr, sizeof(value), VHOST_ACCESS_RO, &user_addr,
		     &chunk);
	if (ret)
		return ret;
	if (unlikely(chunk < sizeof(value))) {
		/* Whoever cuts it apart has it read in two pieces. */
		ret = vhb_area_read(memory, addr, &value, sizeof(value));
		if (ret)
			return ret;
	} else if (get_user(value, (__le16 __user *)u64_to_user_ptr(user_addr))) {
		return -EFAULT;
	}
	*value_out = le16_to_cpu(value);
	return 0;
}

int vhb_area_write16(const struct vhb_memory *memory, u64 addr, u16 value)
{
	const __le16 raw = cpu_to_le16(value);
	u64 user_addr, chunk;
	int ret;

	ret = locate(memory, addr, sizeof(raw), VHOST_ACCESS_WO, &user_addr,
		     &chunk);
	if (ret)
		return ret;
	if (unlikely(chunk < sizeof(raw)))
		return vhb_area_write(memory, addr, &raw, sizeof(raw));
	if (put_user(raw, (__le16 __user *)u64_to_user_ptr(user_addr)))
		return -EFAULT;
	return vhb_log_area(memory, user_addr, sizeof(raw));
}

int vhb_area_read(const struct vhb_memory *memory, u64 addr, void *to,
		  size_t size_bytes)
{
	u64 user_addr, chunk;
	int ret;

	for (; size_bytes; size_bytes -= chunk, addr += chunk, to += chunk) {
		ret = locate(memory, addr, size_bytes, VHOST_ACCESS_RO,
			     &user_addr, &chunk);
		if (ret)
			return ret;
		if (copy_in(to, user_addr, chunk))
			return -EFAULT;
	}
	return 0;
}

static int look_through(const struct vhb_memory *memory, u64 addr,
			u64 size_bytes, u8 access)
{
	u64 user_addr, chunk;
	int ret;

	for (; size_bytes; size_bytes -= chunk, addr += chunk) {
		ret = locate(memory, addr, size_bytes, access, &user_addr,
			     &chunk);
		if (ret)
			return ret;
	}
	return 0;
}

int vhb_area_write(const struct vhb_memory *memory, u64 addr, const void *from,
		   size_t size_bytes)
{
	u64 user_addr, chunk;
	int ret;

	/* All or nothing. What is forgotten meanwhile is written once more. */
	if (unlikely(memory->iotlb)) {
		ret = look_through(memory, addr, size_bytes, VHOST_ACCESS_WO);
		if (ret)
			return ret;
	}
	for (; size_bytes; size_bytes -= chunk, addr += chunk, from += chunk) {
		ret = locate(memory, addr, size_bytes, VHOST_ACCESS_WO,
			     &user_addr, &chunk);
		if (ret)
			return ret;
		if (copy_out(user_addr, from, chunk))
			return -EFAULT;
		ret = vhb_log_area(memory, user_addr, chunk);
		if (ret)
			return ret;
	}
	return 0;
}

/* Of a guest address, as the region table has it */
static int find_gpa(const struct vhb_memory *memory, u64 gpa, u64 size_bytes,
		    u64 *user_addr_out, u64 *chunk_bytes_out)
{
	const struct vhb_region *region = vhb_table_find(memory->table, gpa);
	u64 offset;

	if (!region)
		return -EFAULT;
	offset = gpa - region->gpa;
	*user_addr_out = region->user_addr + offset;
	*chunk_bytes_out = min(size_bytes, region->size_bytes - offset);
	return 0;
}

int vhb_buffer_resolve(const struct vhb_memory *memory, u64 gpa,
		       u32 size_bytes, bool is_writable, u64 *user_addr_out,
		       u32 *chunk_bytes_out)
{
	u64 chunk;
	int ret;

	if (!memory->iotlb)
		ret = find_gpa(memory, gpa, size_bytes, user_addr_out, &chunk);
	else
		ret = translate(memory, gpa, size_bytes,
				is_writable ? VHOST_ACCESS_WO : VHOST_ACCESS_RO,
				user_addr_out, &chunk);
	if (!ret)
		*chunk_bytes_out = chunk;
	return ret;
}

int vhb_buffer_search(const struct vhb_memory *memory,
		      const struct vhb_buffer *buffer, u64 size_bytes,
		      u64 *user_addr_out, u64 *chunk_bytes_out)
{
	if (!memory->iotlb)
		return find_gpa(memory, buffer->gpa, size_bytes, user_addr_out,
				chunk_bytes_out);
	*user_addr_out = buffer->user_addr;
	return clip(memory, buffer->user_addr, size_bytes, chunk_bytes_out);
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
		if (copy_in(to, user_addr, chunk))
			return -EFAULT;
	}
	return 0;
}

int vhb_buffer_read(const struct vhb_memory *memory,
		    const struct vhb_buffer *buffer, void *to,
		    size_t size_bytes)
{
	struct vhb_buffer at = *buffer;
	u64 now, chunk;
	int ret;

	for (; size_bytes; size_bytes -= chunk, to += chunk) {
		ret = vhb_buffer_find(memory, &at, size_bytes, &now, &chunk);
		if (ret)
			return ret;
		if (copy_in(to, now, chunk))
			return -EFAULT;
		vhb_buffer_forward(&at, chunk);
	}
	return 0;
}

int vhb_buffer_write(const struct vhb_memory *memory,
		     const struct vhb_buffer *buffer, const void *from,
		     size_t size_bytes)
{
	struct vhb_buffer at = *buffer;
	u64 now, chunk;
	bool is_copied;
	int ret;

	for (; size_bytes; size_bytes -= chunk, from += chunk) {
		ret = vhb_buffer_find(memory, &at, size_bytes, &now, &chunk);
		if (ret)
			return ret;
		is_copied = !copy_out(now, from, chunk);
		/* Some of it may be there even when it is not all. */
		ret = vhb_log_buffer(memory, at.gpa, now, chunk);
		if (!is_copied)
			return -EFAULT;
		if (ret)
			return ret;
		vhb_buffer_forward(&at, chunk);
	}
	return 0;
}

/* What is in the table no more has no place in the bitmap either. */
static int log_what_is_there(const struct vhb_memory *memory,
			     const struct vhb_buffer *buffer, u64 size_bytes)
{
	const struct vhb_table *table = memory->table;
	const u64 gpa = buffer->gpa;
	u32 i;
	int ret;

	if (memory->iotlb)
		return vhb_log_buffer(memory, gpa, buffer->user_addr,
				      size_bytes);
	for (i = 0; i < table->region_count; i++) {
		const struct vhb_region *region = &table->regions[i];
		const u64 first = max(gpa, region->gpa);
		const u64 last = min(gpa + (size_bytes - 1),
				     region->gpa + (region->size_bytes - 1));

		if (first > last)
			continue;
		ret = vhb_log_buffer(memory, first, 0, last - first + 1);
		if (ret)
			return ret;
	}
	return 0;
}

int vhb_buffer_written(const struct vhb_memory *memory,
		       const struct vhb_buffer *buffer, u64 size_bytes)
{
	struct vhb_buffer at = *buffer;
	u64 now, chunk;
	int ret;

	if (!memory->log.marks_buffers || !size_bytes)
		return 0;
	ret = log_what_is_there(memory, buffer, size_bytes);
	if (ret)
		return ret;
	for (; size_bytes; size_bytes -= chunk) {
		ret = vhb_buffer_find(memory, &at, size_bytes, &now, &chunk);
		if (ret)
			return ret;
		vhb_buffer_forward(&at, chunk);
	}
	return 0;
}
