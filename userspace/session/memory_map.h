/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_MEMORY_MAP_H
#define VHB_SESSION_MEMORY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vhost_types.h>

#include "lib/why.h"
#include "wire/protocol.h"

/**
 * DOC: guest memory in the broker's address space
 *
 * The vhost kernel threads copy through the address space of the process that
 * owns the vhost descriptor, so every region a front-end declares is mapped
 * here. The broker itself never touches the mappings (a device that has to look at
 * guest memory does it by way of the kernel, see virtqueue/virtqueue.h
 * and session/base.c).
 *
 * Regions are mapped into *windows*: reserved (PROT_NONE) stretches of address
 * space in which a guest physical address keeps its distance from the start.
 * Neighbours in one window look like one region to the kernel, holes included
 * (the worker faults there as it should), so front-ends with hundreds of
 * memory slots stay under the kernel's limit of 64 (max_mem_regions of
 * vhost.ko).
 *
 * A shared window covers an aligned VHB_WINDOW_BYTES of guest physical
 * address space. A region that cannot live in one gets a private window of its
 * own: it crosses the boundary, its file offset is not congruent to its guest
 * address modulo the page size of its file (hugetlbfs), or its page-rounded
 * footprint meets that of a region already mapped there (also of the map that
 * is still in force while its successor is built).
 *
 * A memory map is immutable. A change builds a successor that shares the
 * mappings which stay (same addresses, same size, same file and offset), so
 * their addresses in the broker do not move and running vrings go on. Nothing
 * of the old map changes until its last reference is put.
 */

/** Guest physical address space covered by one shared window: 1 TiB */
#define VHB_WINDOW_BYTES (UINT64_C(1) << 40)

/** Regions one map can hold; what GET_MAX_MEM_SLOTS answers */
#define VHB_REGION_COUNT_MAX 509

/** Entries the kernel takes in VHOST_SET_MEM_TABLE (vhost.ko's default) */
#define VHB_KERNEL_REGION_COUNT_MAX 64

/** struct vhb_memory_map - an immutable, reference-counted set of regions */
struct vhb_memory_map;

/** struct vhb_address_space - the windows shared by successive maps */
struct vhb_address_space;

/**
 * vhb_address_space_create() - an address space without windows
 * @space_out: the address space
 *
 * Return: 0 or -ENOMEM.
 */
int vhb_address_space_create(struct vhb_address_space **space_out);

/**
 * vhb_address_space_destroy() - free it
 * @space: no map may be left in it; may be NULL
 */
void vhb_address_space_destroy(struct vhb_address_space *space);

/**
 * vhb_memory_map_replace() - build a map from a whole table (SET_MEM_TABLE)
 * @space: where to map
 * @old: the map in force, whose equal mappings are shared; may be NULL
 * @regions: the regions; any alignment
 * @fds: one descriptor each region; not kept, the caller closes them
 * @count: how many, 1 to VHB_REGION_COUNT_MAX
 * @why: receives one clause that says what is wrong
 * @map_out: the new map, with one reference
 *
 * Return: 0; -EINVAL (size zero, a range that wraps, regions that overlap in
 * guest or user addresses, a file that is shorter than offset + size, a
 * descriptor that is no regular file or shared memory), -E2BIG (more
 * than VHB_KERNEL_REGION_COUNT_MAX entries for the kernel), -EACCES (file not
 * open for writing), -ENOMEM, or another -errno of mmap(). On failure nothing
 * has changed.
 */
int vhb_memory_map_replace(struct vhb_address_space *space,
			   struct vhb_memory_map *old,
			   const struct vhb_wire_region *regions,
			   const int *fds, unsigned int count,
			   struct vhb_why *why,
			   struct vhb_memory_map **map_out);

/**
 * vhb_memory_map_add() - build a map with one region more (ADD_MEM_REG)
 * @space: where to map
 * @old: the map in force; may be NULL
 * @region: the region
 * @fd: its descriptor; not kept
 * @why: receives one clause that says what is wrong
 * @map_out: the new map, with one reference
 *
 * Return: as vhb_memory_map_replace(), and -ENOSPC beyond
 * VHB_REGION_COUNT_MAX.
 */
int vhb_memory_map_add(struct vhb_address_space *space,
		       struct vhb_memory_map *old,
		       const struct vhb_wire_region *region, int fd,
		       struct vhb_why *why, struct vhb_memory_map **map_out);

/**
 * vhb_memory_map_remove() - build a map with one region less (REM_MEM_REG)
 * @space: where the map lives
 * @old: the map in force; may be NULL
 * @region: named by guest address, user address and size; the offset is
 *          ignored
 * @why: receives one clause that says what is wrong
 * @map_out: the new map (it may be empty), with one reference
 *
 * Return: 0, -ENOENT when there is no such region, -ENOMEM.
 */
int vhb_memory_map_remove(struct vhb_address_space *space,
			  struct vhb_memory_map *old,
			  const struct vhb_wire_region *region,
			  struct vhb_why *why, struct vhb_memory_map **map_out);

/**
 * vhb_memory_map_get() - take a reference
 * @map: may be NULL
 *
 * Return: @map.
 */
struct vhb_memory_map *vhb_memory_map_get(struct vhb_memory_map *map);

/**
 * vhb_memory_map_put() - drop a reference; the last one unmaps
 * @map: may be NULL
 *
 * A mapping in a shared window is replaced by PROT_NONE in one step, never
 * unmapped: a later mmap() of the process must not land where a guest reaches.
 */
void vhb_memory_map_put(struct vhb_memory_map *map);

/**
 * vhb_memory_map_region_count() - how many regions a map has
 * @map: may be NULL (0)
 */
unsigned int vhb_memory_map_region_count(const struct vhb_memory_map *map);

/**
 * vhb_memory_map_bytes() - how much memory that is
 * @map: may be NULL (0)
 */
uint64_t vhb_memory_map_bytes(const struct vhb_memory_map *map);

/**
 * vhb_memory_map_translate() - user address to address in the broker
 * @map: the map; may be NULL
 * @uva: the front-end's user address
 * @size_bytes: how much must lie there, at least 1
 * @hva_out: the address in the broker
 *
 * Return: 0, or -EFAULT unless one single region holds the whole range.
 */
int vhb_memory_map_translate(const struct vhb_memory_map *map, uint64_t uva,
			     uint64_t size_bytes, uint64_t *hva_out);

/**
 * vhb_memory_map_translate_first() - the same, as far as one region goes
 * @map: the map; may be NULL
 * @uva: the front-end's user address
 * @size_bytes: how much, at least 1
 * @hva_out: the address in the broker
 * @chunk_bytes_out: how much of it is in the region that holds @uva
 *
 * Return: 0, or -EFAULT when no region holds @uva.
 */
int vhb_memory_map_translate_first(const struct vhb_memory_map *map,
				   uint64_t uva, uint64_t size_bytes,
				   uint64_t *hva_out,
				   uint64_t *chunk_bytes_out);

/**
 * vhb_memory_map_includes() - does a map keep all another one has?
 * @map: the map; may be NULL
 * @other: likewise
 *
 * Return: whether everything that @other has mapped stays mapped, at the same
 * addresses in the broker, as long as there is @map.
 */
bool vhb_memory_map_includes(const struct vhb_memory_map *map,
			     const struct vhb_memory_map *other);

/**
 * vhb_memory_map_table() - what VHOST_SET_MEM_TABLE gets
 * @map: the map; never NULL
 *
 * Return: the table, sorted by guest address; lives as long as the map.
 */
const struct vhost_memory *vhb_memory_map_table(const struct vhb_memory_map *map);

#endif
