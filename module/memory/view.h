/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_MEMORY_VIEW_H
#define VHB_MEMORY_VIEW_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/types.h>

#include "memory/iotlb.h"
#include "memory/log.h"
#include "memory/memory.h"
#include "memory/table.h"

/**
 * struct vhb_memory - guest memory as a virtqueue sees it
 * @table: where guest addresses are, a reference
 * @iotlb: what the driver's addresses mean, rings' included; NULL where they are
 *         guest addresses
 * @viewer: who this is, to @iotlb
 * @log: the dirty log
 * @generation: another one each time that any of this is changed and chains are
 *              taken or in flight
 *
 * Guarded by the virtqueue's lock.
 */
struct vhb_memory {
	struct vhb_table *table;
	struct vhb_iotlb *iotlb;
	unsigned int viewer;
	struct vhb_log log;
	u64 generation;
};

/**
 * vhb_buffer_search() - where a buffer is, when what was found is not to be used
 * @memory: guest memory
 * @buffer: the buffer
 * @size_bytes: length; not zero
 * @user_addr_out: where it is, good until the virtqueue's lock is let go
 * @chunk_bytes_out: how far it goes on from there, at most @size_bytes
 *
 * Return: 0 or -EFAULT.
 */
int vhb_buffer_search(const struct vhb_memory *memory,
		      const struct vhb_buffer *buffer, u64 size_bytes,
		      u64 *user_addr_out, u64 *chunk_bytes_out);

/**
 * vhb_buffer_find() - where a buffer is by now
 * @memory: guest memory
 * @buffer: the buffer
 * @size_bytes: length; not zero, nor more than what vhb_buffer_resolve() found
 * @user_addr_out: where it is, good until the virtqueue's lock is let go
 * @chunk_bytes_out: how far it goes on from there, at most @size_bytes
 *
 * Return: 0 or -EFAULT.
 */
static inline int vhb_buffer_find(const struct vhb_memory *memory,
				  const struct vhb_buffer *buffer,
				  u64 size_bytes, u64 *user_addr_out,
				  u64 *chunk_bytes_out)
{
	/* What begins nowhere may end somewhere. */
	if (unlikely(buffer->generation != memory->generation ||
		     buffer->user_addr >= VHB_BUFFER_NOWHERE))
		return vhb_buffer_search(memory, buffer, size_bytes,
					 user_addr_out, chunk_bytes_out);
	*user_addr_out = buffer->user_addr;
	*chunk_bytes_out = size_bytes;
	return 0;
}

#endif
