// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/memory_map_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/bits.h"
#include "lib/fd.h"

static int refuse(struct vhb_why *why, const struct vhb_wire_region *region,
		  int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int refuse(struct vhb_why *why, const struct vhb_wire_region *region,
		  int error, const char *format, ...)
{
	struct vhb_why what;
	va_list args;

	va_start(args, format);
	vhb_vwrong(&what, error, format, args);
	va_end(args);
	return vhb_wrong(why, error, "region at guest address 0x%llx: %s",
			 (unsigned long long)region->gpa, what.clause);
}

static int check_region(const struct vhb_wire_region *region,
			struct vhb_why *why)
{
	if (!region->size_bytes)
		return refuse(why, region, -EINVAL, "empty");
	if (vhb_range_wraps(region->gpa, region->size_bytes))
		return refuse(why, region, -EINVAL, "guest addresses wrap");
	if (vhb_range_wraps(region->uva, region->size_bytes))
		return refuse(why, region, -EINVAL, "user addresses wrap");
	if (vhb_range_wraps(region->offset_bytes, region->size_bytes))
		return refuse(why, region, -EINVAL, "file offsets wrap");
	return 0;
}

static int identify_file(struct vhb_mapping *mapping, struct vhb_why *why)
{
	const struct vhb_wire_region *region = &mapping->region;
	struct statx file;
	int ret;

	if (statx(mapping->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_SIZE | STATX_INO, &file)) {
		ret = -errno;
		return refuse(why, region, ret, "cannot examine its file: %s",
			      strerrordesc_np(-ret));
	}
	if (!S_ISREG(file.stx_mode))
		return refuse(why, region, -EINVAL,
			      "neither a regular file nor shared memory");
	if (file.stx_size < region->offset_bytes + region->size_bytes)
		return refuse(why, region, -EINVAL,
			      "its file is too short (%llu bytes)",
			      (unsigned long long)file.stx_size);

	ret = vhb_fd_page_bytes(mapping->fd, &mapping->page_bytes);
	if (ret)
		return refuse(why, region, ret,
			      "cannot find its file's page size: %s",
			      strerrordesc_np(-ret));
	mapping->device = makedev(file.stx_dev_major, file.stx_dev_minor);
	mapping->inode = file.stx_ino;
	return 0;
}

/* Checked, but not mapped yet. */
static int mapping_create(const struct vhb_wire_region *region, int fd,
			  struct vhb_why *why, struct vhb_mapping **mapping_out)
{
	struct vhb_mapping *mapping;
	int ret;

	ret = check_region(region, why);
	if (ret)
		return ret;

	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return refuse(why, region, -ENOMEM, "no memory");
	mapping->reference_count = 1;
	mapping->region = *region;
	mapping->fd = fd;

	ret = identify_file(mapping, why);
	if (ret)
		goto free_mapping;
	*mapping_out = mapping;
	return 0;

free_mapping:
	free(mapping);
	return ret;
}

static struct vhb_mapping *mapping_get(struct vhb_mapping *mapping)
{
	mapping->reference_count++;
	return mapping;
}

static void mapping_put(struct vhb_address_space *space,
			struct vhb_mapping *mapping)
{
	if (--mapping->reference_count)
		return;
	if (space->on_unmap && mapping->footprint.window)
		space->on_unmap(space->argument,
				vhb_window_hva(&mapping->footprint),
				mapping->footprint.size_bytes);
	vhb_window_unmap(&space->windows, &mapping->footprint);
	free(mapping);
}

static bool fits_shared_window(const struct vhb_mapping *mapping)
{
	const struct vhb_wire_region *region = &mapping->region;
	uint64_t last = region->gpa + region->size_bytes - 1;

	if (region->gpa / VHB_WINDOW_BYTES != last / VHB_WINDOW_BYTES)
		return false;
	if (mapping->page_bytes > VHB_WINDOW_ALIGN_BYTES)
		return false;
	return !((region->gpa ^ region->offset_bytes) &
		 (mapping->page_bytes - 1));
}

/*
 * Without address space for a whole shared window (RLIMIT_AS, or a table of
 * regions far apart while its equal is still in force) a small one may do.
 */
static int mapping_place(struct vhb_address_space *space,
			 struct vhb_mapping *mapping)
{
	const struct vhb_wire_region *region = &mapping->region;
	uint64_t page_mask = mapping->page_bytes - 1;
	uint64_t lead_bytes = region->offset_bytes & page_mask;
	struct vhb_file_pages pages = {
		.fd = mapping->fd,
		.page_bytes = mapping->page_bytes,
		.start_bytes = region->offset_bytes - lead_bytes,
		.size_bytes = (lead_bytes + region->size_bytes + page_mask) &
			      ~page_mask,
	};
	int ret = -EEXIST;

	if (fits_shared_window(mapping))
		ret = vhb_window_map_shared(&space->windows,
					    region->gpa / VHB_WINDOW_BYTES,
					    region->gpa % VHB_WINDOW_BYTES -
					    lead_bytes, &pages,
					    &mapping->footprint);
	if (ret == -EEXIST || ret == -ENOMEM)
		ret = vhb_window_map_private(&pages, &mapping->footprint);
	if (ret)
		return ret;
	mapping->hva = vhb_window_hva(&mapping->footprint) + lead_bytes;
	mapping->fd = -1;
	return 0;
}

static int map_create(struct vhb_address_space *space, struct vhb_why *why,
		      struct vhb_memory_map **map_out)
{
	struct vhb_memory_map *map;

	map = calloc(1, sizeof(*map));
	if (!map)
		goto no_memory;
	map->reference_count = 1;
	map->space = space;
	map->table = calloc(1, sizeof(*map->table) +
			       VHB_KERNEL_REGION_COUNT_MAX *
			       sizeof(map->table->regions[0]));
	if (!map->table)
		goto free_map;
	*map_out = map;
	return 0;

free_map:
	free(map);
no_memory:
	return vhb_wrong(why, -ENOMEM, "no memory for a memory map");
}

static void map_append(struct vhb_memory_map *map, struct vhb_mapping *mapping)
{
	map->by_gpa[map->region_count++] = mapping;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_gpa(const void *a, const void *b)
{
	const struct vhb_mapping * const *first = a;
	const struct vhb_mapping * const *second = b;

	return compare((*first)->region.gpa, (*second)->region.gpa);
}

static int compare_uva(const void *a, const void *b)
{
	const struct vhb_mapping * const *first = a;
	const struct vhb_mapping * const *second = b;

	return compare((*first)->region.uva, (*second)->region.uva);
}

static void map_sort(struct vhb_memory_map *map)
{
	memcpy(map->by_uva, map->by_gpa,
	       map->region_count * sizeof(map->by_gpa[0]));
	qsort(map->by_gpa, map->region_count, sizeof(map->by_gpa[0]),
	      compare_gpa);
	qsort(map->by_uva, map->region_count, sizeof(map->by_uva[0]),
	      compare_uva);
}

static int map_check_overlap(const struct vhb_memory_map *map,
			     struct vhb_why *why)
{
	const struct vhb_wire_region *before;
	const struct vhb_wire_region *region;
	unsigned int i;

	for (i = 1; i < map->region_count; i++) {
		before = &map->by_gpa[i - 1]->region;
		region = &map->by_gpa[i]->region;
		if (before->gpa + before->size_bytes > region->gpa)
			return refuse(why, region, -EINVAL,
				      "overlaps another in guest addresses");

		before = &map->by_uva[i - 1]->region;
		region = &map->by_uva[i]->region;
		if (before->uva + before->size_bytes > region->uva)
			return refuse(why, region, -EINVAL,
				      "overlaps another in user addresses");
	}
	return 0;
}

static int map_place(struct vhb_memory_map *map, struct vhb_why *why)
{
	struct vhb_mapping *mapping;
	unsigned int i;
	int ret;

	for (i = 0; i < map->region_count; i++) {
		mapping = map->by_gpa[i];
		if (mapping->footprint.window)
			continue;
		ret = mapping_place(map->space, mapping);
		if (ret)
			return refuse(why, &mapping->region, ret,
				      "cannot map its file: %s",
				      strerrordesc_np(-ret));
	}
	return 0;
}

/*
 * Neighbours in the same window become one entry with the hole in between,
 * unless the rest of a page that is mapped but not declared lies there.
 */
static bool joins(const struct vhb_mapping *before,
		  const struct vhb_mapping *mapping)
{
	const struct vhb_wire_region *region = &before->region;

	return before->footprint.window == mapping->footprint.window &&
	       !((region->gpa + region->size_bytes) % before->page_bytes) &&
	       !(mapping->region.gpa % mapping->page_bytes);
}

static int map_fill_table(struct vhb_memory_map *map, struct vhb_why *why)
{
	struct vhost_memory *table = map->table;
	struct vhost_memory_region *entry = NULL;
	const struct vhb_mapping *mapping;
	unsigned int i;

	for (i = 0; i < map->region_count; i++) {
		mapping = map->by_gpa[i];
		if (!entry || !joins(map->by_gpa[i - 1], mapping)) {
			if (table->nregions == VHB_KERNEL_REGION_COUNT_MAX)
				return refuse(why, &mapping->region, -E2BIG,
					      "more than %d pieces of memory too far apart",
					      VHB_KERNEL_REGION_COUNT_MAX);
			entry = &table->regions[table->nregions++];
			entry->guest_phys_addr = mapping->region.gpa;
			entry->userspace_addr = mapping->hva;
		}
		entry->memory_size = mapping->region.gpa +
				     mapping->region.size_bytes -
				     entry->guest_phys_addr;
	}
	return 0;
}

/* From a list of mappings to a map; drops it on failure. */
static int map_complete(struct vhb_memory_map *map, struct vhb_why *why,
			struct vhb_memory_map **map_out)
{
	int ret;

	map_sort(map);
	ret = map_check_overlap(map, why);
	if (ret)
		goto put_map;
	ret = map_place(map, why);
	if (ret)
		goto put_map;
	ret = map_fill_table(map, why);
	if (ret)
		goto put_map;
	*map_out = map;
	return 0;

put_map:
	vhb_memory_map_put(map);
	return ret;
}

/* The old map's mapping where nothing has changed, else @mapping itself. */
static struct vhb_mapping *reuse_mapping(struct vhb_memory_map *old,
					 struct vhb_mapping *mapping)
{
	struct vhb_mapping **found;

	if (!old)
		return mapping;
	found = bsearch(&mapping, old->by_gpa, old->region_count,
			sizeof(old->by_gpa[0]), compare_gpa);
	if (!found || (*found)->device != mapping->device ||
	    (*found)->inode != mapping->inode ||
	    memcmp(&(*found)->region, &mapping->region,
		   sizeof(mapping->region)))
		return mapping;
	mapping_put(old->space, mapping);
	return mapping_get(*found);
}

int vhb_address_space_create(struct vhb_address_space **space_out)
{
	struct vhb_address_space *space;

	space = calloc(1, sizeof(*space));
	if (!space)
		return -ENOMEM;
	*space_out = space;
	return 0;
}

void vhb_address_space_destroy(struct vhb_address_space *space)
{
	free(space);
}

int vhb_memory_map_replace(struct vhb_address_space *space,
			   struct vhb_memory_map *old,
			   const struct vhb_wire_region *regions,
			   const int *fds, unsigned int count,
			   struct vhb_why *why, struct vhb_memory_map **map_out)
{
	struct vhb_memory_map *map;
	struct vhb_mapping *mapping;
	unsigned int i;
	int ret;

	if (!count || count > VHB_REGION_COUNT_MAX)
		return vhb_wrong(why, -EINVAL, "%u regions instead of 1 to %d",
				 count, VHB_REGION_COUNT_MAX);

	ret = map_create(space, why, &map);
	if (ret)
		return ret;
	for (i = 0; i < count; i++) {
		ret = mapping_create(&regions[i], fds[i], why, &mapping);
		if (ret)
			goto put_map;
		map_append(map, reuse_mapping(old, mapping));
	}
	return map_complete(map, why, map_out);

put_map:
	vhb_memory_map_put(map);
	return ret;
}

int vhb_memory_map_add(struct vhb_address_space *space,
		       struct vhb_memory_map *old,
		       const struct vhb_wire_region *region, int fd,
		       struct vhb_why *why, struct vhb_memory_map **map_out)
{
	unsigned int old_count = vhb_memory_map_region_count(old);
	struct vhb_memory_map *map;
	struct vhb_mapping *mapping;
	unsigned int i;
	int ret;

	if (old_count == VHB_REGION_COUNT_MAX)
		return refuse(why, region, -ENOSPC, "more than %d regions",
			      VHB_REGION_COUNT_MAX);

	ret = map_create(space, why, &map);
	if (ret)
		return ret;
	ret = mapping_create(region, fd, why, &mapping);
	if (ret)
		goto put_map;
	map_append(map, mapping);
	for (i = 0; i < old_count; i++)
		map_append(map, mapping_get(old->by_gpa[i]));
	return map_complete(map, why, map_out);

put_map:
	vhb_memory_map_put(map);
	return ret;
}

int vhb_memory_map_remove(struct vhb_address_space *space,
			  struct vhb_memory_map *old,
			  const struct vhb_wire_region *region,
			  struct vhb_why *why, struct vhb_memory_map **map_out)
{
	unsigned int old_count = vhb_memory_map_region_count(old);
	struct vhb_memory_map *map;
	struct vhb_mapping *mapping;
	unsigned int i;
	int ret;

	ret = map_create(space, why, &map);
	if (ret)
		return ret;
	for (i = 0; i < old_count; i++) {
		mapping = old->by_gpa[i];
		if (mapping->region.gpa == region->gpa &&
		    mapping->region.uva == region->uva &&
		    mapping->region.size_bytes == region->size_bytes)
			continue;
		map_append(map, mapping_get(mapping));
	}
	if (map->region_count == old_count) {
		ret = refuse(why, region, -ENOENT, "not there");
		goto put_map;
	}
	return map_complete(map, why, map_out);

put_map:
	vhb_memory_map_put(map);
	return ret;
}

struct vhb_memory_map *vhb_memory_map_get(struct vhb_memory_map *map)
{
	if (map)
		map->reference_count++;
	return map;
}

void vhb_memory_map_put(struct vhb_memory_map *map)
{
	unsigned int i;

	if (!map || --map->reference_count)
		return;
	for (i = 0; i < map->region_count; i++)
		mapping_put(map->space, map->by_gpa[i]);
	free(map->table);
	free(map);
}
