/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_MEMORY_LOG_H
#define VHB_MEMORY_LOG_H

#include <linux/types.h>

struct eventfd_ctx;
struct vhb_memory;

/**
 * DOC: the dirty log
 *
 * A bitmap of the owner's, a bit for each 4096 bytes of guest addresses: bit n
 * is bit n % 8 of byte n / 8. Whoever migrates the guest takes bits out (reads
 * and clears them in one step) and copies the pages they stand for.
 *
 * A page is marked *after* it was written. Marked before, the mark could be
 * taken and the page be copied before the write, which then would be lost.
 * Marking is atomic and ordered behind the write, so who takes the mark out sees
 * what was written. And it is done before the chain is shown to the driver as
 * used: when a virtqueue has stopped, all it wrote is marked.
 *
 * A mark is never left out because one is there already: it may be on its way
 * out.
 */

/** Bytes of guest addresses that a bit stands for; as vhost has it */
#define VHB_LOG_PAGE_BYTES 4096

/**
 * struct vhb_log - how a virtqueue marks what it writes
 * @base: where the owner has the bitmap; 0 for nowhere
 * @call: signalled when something was marked; NULL for none. Not a reference
 * @marks_buffers: VHOST_F_LOG_ALL: what is written to buffers is marked
 * @marks_ring: VHOST_VRING_F_LOG: what is written to the ring is marked
 * @has_ring_gpa: by way of @ring_gpa; else its guest addresses are looked up
 * @ring_gpa: guest address of
 * @ring_addr: the used ring, whose area address this is
 */
struct vhb_log {
	u64 base;
	struct eventfd_ctx *call;
	bool marks_buffers;
	bool marks_ring;
	bool has_ring_gpa;
	u64 ring_gpa;
	u64 ring_addr;
};

/**
 * vhb_log_check() - can a bitmap be there?
 * @base: where
 * @gpa: first guest address that may have to be marked
 * @size_bytes: how many; not zero, does not wrap
 *
 * Whether something is mapped there is seen when bits are set.
 *
 * Return: 0 or -EFAULT when the bits are not in user memory.
 */
int vhb_log_check(u64 base, u64 gpa, u64 size_bytes);

/**
 * vhb_log_buffer() - mark what was written to a buffer, if that is wanted
 * @memory: guest memory
 * @gpa: guest address of it; with an IOTLB it is looked up instead, by
 * @user_addr: the owner's address
 * @size_bytes: how much
 *
 * Owner's address space; may sleep.
 *
 * Return: 0 or -EIO when the bitmap cannot be written.
 */
int vhb_log_buffer(const struct vhb_memory *memory, u64 gpa, u64 user_addr,
		   u64 size_bytes);

/**
 * vhb_log_area() - mark what was written to a ring, if that is wanted
 * @memory: guest memory
 * @user_addr: the owner's address of it
 * @size_bytes: how much
 *
 * Owner's address space; may sleep.
 *
 * Return: 0 or -EIO when the bitmap cannot be written.
 */
int vhb_log_area(const struct vhb_memory *memory, u64 user_addr,
		 u64 size_bytes);

#endif
