/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_MEMORY_MEMORY_H
#define VHB_MEMORY_MEMORY_H

#include <linux/types.h>

/**
 * DOC: guest memory
 *
 * The only code that touches guest memory. A &struct vhb_memory is a snapshot:
 * it never changes, it is replaced. Who uses one holds a reference or the lock
 * of the virtqueue that does.
 *
 * Two kinds of addresses come in. *Guest addresses* (GPA) are what descriptors
 * hold; the region table turns them into addresses of the owner. *Area
 * addresses* are what VHOST_SET_VRING_ADDR gave for a ring: addresses of the
 * owner already.
 *
 * All calls that read or write run in a thread that uses the owner's address
 * space, may sleep, and return 0 or -errno:
 *
 * * -EFAULT: outside the table, or the owner has nothing mapped there
 * * -EAGAIN: nothing is known of the address yet (a miss was reported); nothing
 *   was changed, the same call succeeds later
 *
 * Each call reads or writes guest memory once. What it returned may be judged;
 * reading again would give a guest the chance to change it in between.
 *
 * Values are little-endian in guest memory and native in arguments.
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
 *
 * Written pages are marked in the dirty log, here and in all calls that write.
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
 * vhb_guest_write() - copy to guest memory, across regions that adjoin
 * @memory: guest memory
 * @gpa: guest address
 * @from: where from
 * @size_bytes: how much
 */
int vhb_guest_write(const struct vhb_memory *memory, u64 gpa, const void *from,
		    size_t size_bytes);

#endif
