// SPDX-License-Identifier: GPL-2.0-only
#include "device/cursor.h"

#include <linux/minmax.h>

#include "memory/view.h"

void vhb_cursor_readable(struct vhb_cursor *cursor,
			 const struct vhb_chain *chain,
			 const struct vhb_memory *memory)
{
	*cursor = (struct vhb_cursor){
		.segment = chain->segments,
		.left_bytes = chain->readable_bytes,
		.generation = memory->generation,
	};
}

void vhb_cursor_writable(struct vhb_cursor *cursor,
			 const struct vhb_chain *chain,
			 const struct vhb_memory *memory)
{
	*cursor = (struct vhb_cursor){
		.segment = chain->segments + chain->readable_count,
		.left_bytes = chain->writable_bytes,
		.generation = memory->generation,
	};
}

void vhb_cursor_advance(struct vhb_cursor *cursor, u32 bytes)
{
	while (bytes) {
		const u32 step = min(bytes, vhb_cursor_contiguous(cursor));

		bytes -= step;
		cursor->left_bytes -= step;
		cursor->done_bytes += step;
		if (cursor->done_bytes == cursor->segment->length_bytes) {
			cursor->segment++;
			cursor->done_bytes = 0;
		}
	}
}

int vhb_cursor_read(struct vhb_cursor *cursor, const struct vhb_memory *memory,
		    void *to, u32 bytes)
{
	int ret;

	while (bytes) {
		const u32 step = min(bytes, vhb_cursor_contiguous(cursor));
		const struct vhb_buffer here = vhb_cursor_here(cursor);

		ret = vhb_buffer_read(memory, &here, to, step);
		if (ret)
			return ret;
		vhb_cursor_advance(cursor, step);
		to += step;
		bytes -= step;
	}
	return 0;
}

int vhb_cursor_write(struct vhb_cursor *cursor, const struct vhb_memory *memory,
		     const void *from, u32 bytes)
{
	int ret;

	while (bytes) {
		const u32 step = min(bytes, vhb_cursor_contiguous(cursor));
		const struct vhb_buffer here = vhb_cursor_here(cursor);

		ret = vhb_buffer_write(memory, &here, from, step);
		if (ret)
			return ret;
		vhb_cursor_advance(cursor, step);
		from += step;
		bytes -= step;
	}
	return 0;
}

int vhb_cursor_written(struct vhb_cursor *cursor,
		       const struct vhb_memory *memory, u32 bytes)
{
	int ret = 0;

	while (bytes && ret != -EIO) {
		const u32 step = min(bytes, vhb_cursor_contiguous(cursor));
		const struct vhb_buffer here = vhb_cursor_here(cursor);
		int error;

		/* A piece that is gone is no reason not to mark the next. */
		error = vhb_buffer_written(memory, &here, step);
		if (error)
			ret = error;
		vhb_cursor_advance(cursor, step);
		bytes -= step;
	}
	return ret;
}
