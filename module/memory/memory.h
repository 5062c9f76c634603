/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_MEMORY_MEMORY_H
#define VHB_MEMORY_MEMORY_H

#include <linux/types.h>

/**
 * DOC: guest memory
 *
 * The only code that touches guest memory. A &struct vhb_memory is how one
 * virtqueue sees it; who uses it holds that one's lock.
 *
 * Three kinds of addresses come in. *Guest addresses* (GPA) are what descriptors
 * hold; the region table turns them into addresses of the owner. *Area
 * addresses* are what VHOST_SET_VRING_ADDR gave for a ring: addresses of the
 * owner already. With an IOTLB both are the driver's (IOVA), and it is the IOTLB
 * that turns them into addresses of the owner. *Buffers* are pieces of guest
 * memory that were looked up once, by vhb_buffer_resolve(), and then have both,
 * their guest address and that of the owner: what the IOTLB is told afterwards
 * does not touch them. The table does: its owner may use for other things what
 * is in it no more, so once there is another one each access looks whether, and
 * where, a buffer is still in there.
 *
 * All calls that read or write run in a thread that uses the owner's address
 * space, may sleep, and return 0 or -errno:
 *
 * * -EFAULT: outside the table, or the owner has nothing mapped there
 * * -EAGAIN: nothing is known of the address yet (a miss was reported); nothing
 *   was changed, the same call succeeds later
 * * -EACCES: the IOTLB does not allow it
 * * -EIO: it was written, but cannot be marked in the dirty log
 *
 * Each call reads or writes guest memory once. What it returned may be judged;
 * reading again would give a guest the chance to change it in between.
 *
 * Values are little-endian in guest memory and native in arguments. What is
 * written is marked in the dirty log by the call that writes it.
 */

struct vhb_memory;

/**
 * vhb_area_read16() - one naturally aligned 16-bit load from a ring
 * @memory: guest memory
 * @addr: area address
 * @value_out: what was there
 */
int vhb_area_read16(const struct vhb_memory *memory, u64 addr, u16 *value_out);

/**
 * vhb_area_write16() - one naturally aligned 16-bit store to a ring
 * @memory: guest memory
 * @addr: area address
 * @value: what shall be there
 */
int vhb_area_write16(const struct vhb_memory *memory, u64 addr, u16 value);

/**
 * vhb_area_read() - copy from a ring
 * @memory: guest memory
 * @addr: area address
 * @to: where to
 * @size_bytes: how much
 */
int vhb_area_read(const struct vhb_memory *memory, u64 addr, void *to,
		  size_t size_bytes);

/**
 * vhb_area_write() - copy to a ring
 * @memory: guest memory
 * @addr: area address
 * @from: where from
 * @size_bytes: how much
 */
int vhb_area_write(const struct vhb_memory *memory, u64 addr, const void *from,
		   size_t size_bytes);

/**
 * vhb_guest_read() - copy from guest memory, across regions that adjoin
 * @memory: guest memory
 * @gpa: guest address
 * @to: where to
 * @size_bytes: how much
 */
int vhb_guest_read(const struct vhb_memory *memory, u64 gpa, void *to,
		   size_t size_bytes);

/**
 * VHB_BUFFER_NOWHERE - address of the owner of a buffer that is not in memory
 *
 * No user address, nor is one up to 4 GiB behind it. What is done with it fails
 * with -EFAULT, unless the guest address itself is found in the table.
 */
#define VHB_BUFFER_NOWHERE 0xfff0000000000000ull

/**
 * struct vhb_buffer - a piece of guest memory that was looked up
 * @gpa: guest address
 * @user_addr: the owner's address, from vhb_buffer_resolve(), or
 *             VHB_BUFFER_NOWHERE
 * @generation: that of the memory then: as long as it is the same, so is
 *              @user_addr
 */
struct vhb_buffer {
	u64 gpa;
	u64 user_addr;
	u64 generation;
};

/**
 * vhb_buffer_forward() - what comes behind
 * @buffer: the buffer
 * @bytes: so much further on
 */
static inline void vhb_buffer_forward(struct vhb_buffer *buffer, u64 bytes)
{
	buffer->gpa += bytes;
	buffer->user_addr += bytes;
}

/**
 * vhb_buffer_resolve() - look up where a buffer is
 * @memory: guest memory
 * @gpa: guest address
 * @size_bytes: length; not zero
 * @is_writable: by the device
 * @user_addr_out: the owner's address
 * @chunk_bytes_out: how far it goes on from there, at most @size_bytes
 *
 * What the IOTLB says must be in the table, too.
 *
 * Return: 0 or an error of memory.
 */
int vhb_buffer_resolve(const struct vhb_memory *memory, u64 gpa,
		       u32 size_bytes, bool is_writable, u64 *user_addr_out,
		       u32 *chunk_bytes_out);

/**
 * vhb_buffer_read() - copy from a buffer
 * @memory: guest memory
 * @buffer: the buffer
 * @to: where to
 * @size_bytes: how much; not more than vhb_buffer_resolve() found
 */
int vhb_buffer_read(const struct vhb_memory *memory,
		    const struct vhb_buffer *buffer, void *to,
		    size_t size_bytes);

/**
 * vhb_buffer_write() - copy to a buffer
 * @memory: guest memory
 * @buffer: the buffer
 * @from: where from
 * @size_bytes: how much; not more than vhb_buffer_resolve() found
 */
int vhb_buffer_write(const struct vhb_memory *memory,
		     const struct vhb_buffer *buffer, const void *from,
		     size_t size_bytes);

/**
 * vhb_buffer_written() - a buffer was written by other means
 * @memory: guest memory
 * @buffer: the buffer
 * @size_bytes: how much; not more than vhb_buffer_resolve() found
 *
 * Return: 0; -EIO; -EFAULT when some of it is in the table no more, with all the
 * rest marked.
 */
int vhb_buffer_written(const struct vhb_memory *memory,
		       const struct vhb_buffer *buffer, u64 size_bytes);

#endif
