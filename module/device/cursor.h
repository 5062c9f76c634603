/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_DEVICE_CURSOR_H
#define VHB_DEVICE_CURSOR_H

#include <linux/minmax.h>
#include <linux/types.h>

#include "memory/memory.h"
#include "ring/ring.h"

/**
 * struct vhb_cursor - a place in a chain's segments, going forward
 * @segment: the segment it is in
 * @done_bytes: bytes of that segment behind it
 * @left_bytes: bytes before it, in all segments
 * @generation: of guest memory when the segments were looked up there
 *
 * How data lies in segments means nothing (VIRTIO 1.2, 2.6.4): headers and data
 * may share one or span several.
 */
struct vhb_cursor {
	const struct vhb_segment *segment;
	u32 done_bytes;
	u32 left_bytes;
	u64 generation;
};

/**
 * vhb_cursor_readable() - begin where a chain's readable segments do
 * @cursor: the cursor
 * @chain: the chain
 * @memory: guest memory as it was when the chain was resolved
 */
void vhb_cursor_readable(struct vhb_cursor *cursor,
			 const struct vhb_chain *chain,
			 const struct vhb_memory *memory);

/**
 * vhb_cursor_writable() - begin where a chain's writable segments do
 * @cursor: the cursor
 * @chain: the chain
 * @memory: guest memory as it was when the chain was resolved
 */
void vhb_cursor_writable(struct vhb_cursor *cursor,
			 const struct vhb_chain *chain,
			 const struct vhb_memory *memory);

/**
 * vhb_cursor_left() - bytes from here to the end
 * @cursor: the cursor
 */
static inline u32 vhb_cursor_left(const struct vhb_cursor *cursor)
{
	return cursor->left_bytes;
}

/**
 * vhb_cursor_here() - what is here
 * @cursor: not at the end
 *
 * Return: a buffer that goes on for vhb_cursor_contiguous() bytes.
 */
static inline struct vhb_buffer
vhb_cursor_here(const struct vhb_cursor *cursor)
{
	return (struct vhb_buffer){
		.gpa = cursor->segment->gpa + cursor->done_bytes,
		.user_addr = cursor->segment->user_addr + cursor->done_bytes,
		.generation = cursor->generation,
	};
}

/**
 * vhb_cursor_contiguous() - bytes from here to the end of the segment
 * @cursor: not at the end
 */
static inline u32 vhb_cursor_contiguous(const struct vhb_cursor *cursor)
{
	return min(cursor->segment->length_bytes - cursor->done_bytes,
		   cursor->left_bytes);
}

/**
 * vhb_cursor_advance() - go forward
 * @cursor: the cursor
 * @bytes: at most vhb_cursor_left()
 */
void vhb_cursor_advance(struct vhb_cursor *cursor, u32 bytes);

/**
 * vhb_cursor_read() - copy from guest memory and go forward
 * @cursor: the cursor
 * @memory: guest memory
 * @to: where to
 * @bytes: at most vhb_cursor_left()
 *
 * Return: 0 or an error of memory; the cursor is anywhere then.
 */
int vhb_cursor_read(struct vhb_cursor *cursor, const struct vhb_memory *memory,
		    void *to, u32 bytes);

/**
 * vhb_cursor_write() - copy to guest memory and go forward
 * @cursor: the cursor
 * @memory: guest memory
 * @from: where from
 * @bytes: at most vhb_cursor_left()
 *
 * Return: 0 or an error of memory; the cursor is anywhere then.
 */
int vhb_cursor_write(struct vhb_cursor *cursor, const struct vhb_memory *memory,
		     const void *from, u32 bytes);

/**
 * vhb_cursor_written() - what follows was written by other means; go forward
 * @cursor: the cursor
 * @memory: guest memory
 * @bytes: at most vhb_cursor_left()
 *
 * Return: 0; -EIO, and the cursor is anywhere then; -EFAULT when some of it is in
 * the table no more, with all the rest marked.
 */
int vhb_cursor_written(struct vhb_cursor *cursor,
		       const struct vhb_memory *memory, u32 bytes);

#endif
