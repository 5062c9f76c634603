/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_MEMORY_PIN_H
#define VHB_MEMORY_PIN_H

#include <linux/bvec.h>
#include <linux/types.h>

struct vhb_buffer;
struct vhb_memory;

/**
 * vhb_buffer_pin() - pin the pages behind a buffer for direct I/O
 * @memory: guest memory
 * @buffer: the buffer
 * @size_bytes: how much; not zero, nor more than vhb_buffer_resolve() found
 * @to_guest: the device will write it: vhb_buffer_written() when it has
 * @bvecs: filled in; neighbouring pages become one entry
 * @bvec_count: entries in use, updated; a piece that adjoins the last entry is
 *              added to it
 * @bvec_room: entries there are
 * @pinned_bytes_out: how much is pinned: less than @size_bytes when @bvecs is
 *                    full
 *
 * On failure what this call pinned stays in @bvecs, to be unpinned with the
 * rest.
 *
 * Return: 0 or an error of memory.
 */
int vhb_buffer_pin(const struct vhb_memory *memory,
		   const struct vhb_buffer *buffer, u32 size_bytes,
		   bool to_guest, struct bio_vec *bvecs, u32 *bvec_count,
		   u32 bvec_room, u32 *pinned_bytes_out);

/**
 * vhb_buffer_unpin() - let go of pinned pages
 * @bvecs: as vhb_buffer_pin() filled it in
 * @bvec_count: entries
 * @to_guest: they were written
 *
 * May sleep; any thread.
 */
void vhb_buffer_unpin(struct bio_vec *bvecs, u32 bvec_count, bool to_guest);

#endif
