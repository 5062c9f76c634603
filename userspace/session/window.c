// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/window.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/bits.h"
#include "lib/log.h"
#include "session/memory_map.h"

static_assert(sizeof(size_t) == sizeof(uint64_t),
	      "windows need a 64-bit address space");

#define RESERVE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/**
 * struct vhb_window - a reserved stretch of address space
 * @next: next in the list of shared windows
 * @is_shared: is in that list
 * @number: its name there
 * @base: first byte
 * @size_bytes: its length
 * @footprints: what is mapped in it; never empty after the window was filled
 */
struct vhb_window {
	struct vhb_window *next;
	bool is_shared;
	uint64_t number;
	uint8_t *base;
	uint64_t size_bytes;
	struct vhb_footprint *footprints;
};

/* Reserves more and trims, as mmap() itself aligns to no more than a page. */
static int reserve(uint64_t size_bytes, uint64_t align_bytes,
		   uint8_t **base_out)
{
	uint64_t head_bytes;
	uint8_t *start;

	start = mmap(NULL, size_bytes + align_bytes, PROT_NONE, RESERVE_FLAGS,
		     -1, 0);
	if (start == MAP_FAILED)
		return -errno;

	head_bytes = -(uint64_t)(uintptr_t)start & (align_bytes - 1);
	if (head_bytes)
		munmap(start, head_bytes);
	munmap(start + head_bytes + size_bytes, align_bytes - head_bytes);
	*base_out = start + head_bytes;
	madvise(*base_out, size_bytes, MADV_DONTDUMP);
	return 0;
}

/*
 * The same madvise() as for the whole reservation lets the kernel merge what is
 * fenced off with it. Without, every region that comes and goes leaves a VMA
 * behind until vm.max_map_count is reached.
 */
static void fence(const struct vhb_window *window,
		  const struct vhb_footprint *footprint)
{
	uint8_t *start = window->base + footprint->start_bytes;

	if (mmap(start, footprint->size_bytes, PROT_NONE,
		 RESERVE_FLAGS | MAP_FIXED, -1, 0) == MAP_FAILED) {
		vhb_warn("cannot take %p away from the guest: %s", start,
			 strerrordesc_np(errno));
		return;
	}
	madvise(start, footprint->size_bytes, MADV_DONTDUMP);
}

static int window_create(uint64_t size_bytes, uint64_t align_bytes,
			 struct vhb_window **window_out)
{
	struct vhb_window *window;
	int ret;

	window = calloc(1, sizeof(*window));
	if (!window)
		return -ENOMEM;

	ret = reserve(size_bytes, align_bytes, &window->base);
	if (ret)
		goto free_window;
	window->size_bytes = size_bytes;
	*window_out = window;
	return 0;

free_window:
	free(window);
	return ret;
}

static void window_destroy(struct vhb_window **windows,
			   struct vhb_window *window)
{
	struct vhb_window **link = windows;

	if (window->is_shared) {
		while (*link != window)
			link = &(*link)->next;
		*link = window->next;
	}
	munmap(window->base, window->size_bytes);
	free(window);
}

static struct vhb_window *window_find(struct vhb_window *windows,
				      uint64_t number)
{
	struct vhb_window *window = windows;

	while (window && window->number != number)
		window = window->next;
	return window;
}

static bool is_taken(const struct vhb_window *window, uint64_t start_bytes,
		     uint64_t size_bytes)
{
	const struct vhb_footprint *other;

	for (other = window->footprints; other; other = other->next) {
		if (vhb_ranges_overlap(start_bytes, size_bytes,
				       other->start_bytes, other->size_bytes))
			return true;
	}
	return false;
}

/*
 * MAP_NORESERVE: a front-end may back a huge page region sparsely (virtio-mem),
 * then hugetlbfs must not set pages aside for all of it.
 */
static int window_fill(struct vhb_window *window, uint64_t start_bytes,
		       const struct vhb_file_pages *pages,
		       struct vhb_footprint *footprint)
{
	uint8_t *start = window->base + start_bytes;
	int ret;

	footprint->start_bytes = start_bytes;
	footprint->size_bytes = pages->size_bytes;
	if (mmap(start, pages->size_bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, pages->fd,
		 pages->start_bytes) == MAP_FAILED) {
		ret = -errno;
		/* Before Linux 6.12 a mmap() that fails may leave a hole. */
		fence(window, footprint);
		return ret;
	}
	madvise(start, pages->size_bytes, MADV_DONTDUMP);
	madvise(start, pages->size_bytes, MADV_DONTFORK);

	footprint->window = window;
	footprint->next = window->footprints;
	window->footprints = footprint;
	return 0;
}

int vhb_window_map_shared(struct vhb_window **windows, uint64_t number,
			  uint64_t start_bytes,
			  const struct vhb_file_pages *pages,
			  struct vhb_footprint *footprint)
{
	struct vhb_window *window = window_find(*windows, number);
	int ret;

	if (!window) {
		ret = window_create(VHB_WINDOW_BYTES, VHB_WINDOW_ALIGN_BYTES,
				    &window);
		if (ret)
			return ret;
		window->is_shared = true;
		window->number = number;
		window->next = *windows;
		*windows = window;
	} else if (is_taken(window, start_bytes, pages->size_bytes)) {
		return -EEXIST;
	}

	ret = window_fill(window, start_bytes, pages, footprint);
	if (ret)
		goto destroy_empty_window;
	return 0;

destroy_empty_window:
	if (!window->footprints)
		window_destroy(windows, window);
	return ret;
}

int vhb_window_map_private(const struct vhb_file_pages *pages,
			   struct vhb_footprint *footprint)
{
	struct vhb_window *window;
	int ret;

	ret = window_create(pages->size_bytes, pages->page_bytes, &window);
	if (ret)
		return ret;

	ret = window_fill(window, 0, pages, footprint);
	if (ret)
		goto destroy_window;
	return 0;

destroy_window:
	window_destroy(NULL, window);
	return ret;
}

void vhb_window_unmap(struct vhb_window **windows,
		      struct vhb_footprint *footprint)
{
	struct vhb_window *window = footprint->window;
	struct vhb_footprint **link;

	if (!window)
		return;

	for (link = &window->footprints; *link != footprint;)
		link = &(*link)->next;
	*link = footprint->next;
	footprint->window = NULL;

	if (window->footprints)
		fence(window, footprint);
	else
		window_destroy(windows, window);
}

uint64_t vhb_window_hva(const struct vhb_footprint *footprint)
{
	return (uint64_t)(uintptr_t)footprint->window->base +
	       footprint->start_bytes;
}
