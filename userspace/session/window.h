/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_WINDOW_H
#define VHB_SESSION_WINDOW_H

#include <stdint.h>

/**
 * DOC: windows
 *
 * A window is a reserved (PROT_NONE) stretch of address space into which whole
 * pages of files are mapped. What they are for is said in
 * session/memory_map.h; here is only how they are reserved, filled and given
 * back. A window exists as long as something is mapped in it.
 */

/** Pages of files up to this size, one GiB, can be mapped in a shared window */
#define VHB_WINDOW_ALIGN_BYTES (UINT64_C(1) << 30)

/** struct vhb_window - a reserved stretch of address space */
struct vhb_window;

/**
 * struct vhb_footprint - the pages something takes up in a window
 * @window: where; NULL while nothing is mapped
 * @next: the next in the same window
 * @start_bytes: distance from the start of the window
 * @size_bytes: how much
 */
struct vhb_footprint {
	struct vhb_window *window;
	struct vhb_footprint *next;
	uint64_t start_bytes;
	uint64_t size_bytes;
};

/**
 * struct vhb_file_pages - whole pages of a file
 * @fd: the file; needed only for the call
 * @page_bytes: size of its pages, a power of two
 * @start_bytes: where in the file they begin, a multiple of @page_bytes
 * @size_bytes: how much, a multiple of @page_bytes
 */
struct vhb_file_pages {
	int fd;
	uint64_t page_bytes;
	uint64_t start_bytes;
	uint64_t size_bytes;
};

/**
 * vhb_window_map_shared() - map pages into a window that others use too
 * @windows: the list of shared windows; the window is made when missing
 * @number: which window
 * @start_bytes: where in the window, a multiple of pages->page_bytes
 * @pages: what; page_bytes at most VHB_WINDOW_ALIGN_BYTES and within
 *         VHB_WINDOW_BYTES from @start_bytes on
 * @footprint: set up by this
 *
 * Return: 0, -EEXIST when something is mapped there already, -ENOMEM also when
 * no address space is left for the window, or another -errno of mmap().
 */
int vhb_window_map_shared(struct vhb_window **windows, uint64_t number,
			  uint64_t start_bytes,
			  const struct vhb_file_pages *pages,
			  struct vhb_footprint *footprint);

/**
 * vhb_window_map_private() - map pages into a window of their own
 * @pages: what
 * @footprint: set up by this
 *
 * Return: 0 or -errno of mmap().
 */
int vhb_window_map_private(const struct vhb_file_pages *pages,
			   struct vhb_footprint *footprint);

/**
 * vhb_window_unmap() - undo either
 * @windows: the list of shared windows
 * @footprint: what; nothing happens while it is not mapped
 *
 * The last one to leave a window takes the window along. Else PROT_NONE
 * replaces the pages in one step, so the address space stays ours.
 */
void vhb_window_unmap(struct vhb_window **windows,
		      struct vhb_footprint *footprint);

/**
 * vhb_window_hva() - where a footprint begins
 * @footprint: must be mapped
 *
 * Return: an address of this process.
 */
uint64_t vhb_window_hva(const struct vhb_footprint *footprint);

#endif
