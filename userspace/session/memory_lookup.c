// SPDX-License-Identifier: GPL-2.0-or-later
/* What a memory map has to say, once it is there. */
#include <errno.h>

#include "session/memory_map_private.h"

unsigned int vhb_memory_map_region_count(const struct vhb_memory_map *map)
{
	return map ? map->region_count : 0;
}

/* The mapping that holds a user address, or NULL */
static const struct vhb_mapping *find_uva(const struct vhb_memory_map *map,
					  uint64_t uva)
{
	const struct vhb_wire_region *region;
	unsigned int begin = 0;
	unsigned int end = vhb_memory_map_region_count(map);
	unsigned int middle;

	while (begin < end) {
		middle = (begin + end) / 2;
		region = &map->by_uva[middle]->region;
		if (uva < region->uva)
			end = middle;
		else if (uva - region->uva >= region->size_bytes)
			begin = middle + 1;
		else
			return map->by_uva[middle];
	}
	return NULL;
}

uint64_t vhb_memory_map_bytes(const struct vhb_memory_map *map)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < vhb_memory_map_region_count(map); i++)
		bytes += map->by_gpa[i]->region.size_bytes;
	return bytes;
}

int vhb_memory_map_translate_first(const struct vhb_memory_map *map,
				   uint64_t uva, uint64_t size_bytes,
				   uint64_t *hva_out, uint64_t *chunk_bytes_out)
{
	const struct vhb_mapping *mapping = find_uva(map, uva);
	uint64_t distance_bytes, left_bytes;

	if (!mapping || !size_bytes)
		return -EFAULT;
	distance_bytes = uva - mapping->region.uva;
	left_bytes = mapping->region.size_bytes - distance_bytes;
	*hva_out = mapping->hva + distance_bytes;
	*chunk_bytes_out = size_bytes < left_bytes ? size_bytes : left_bytes;
	return 0;
}

int vhb_memory_map_translate(const struct vhb_memory_map *map, uint64_t uva,
			     uint64_t size_bytes, uint64_t *hva_out)
{
	uint64_t hva, chunk_bytes;

	if (vhb_memory_map_translate_first(map, uva, size_bytes, &hva,
					   &chunk_bytes) ||
	    chunk_bytes != size_bytes)
		return -EFAULT;
	*hva_out = hva;
	return 0;
}

bool vhb_memory_map_includes(const struct vhb_memory_map *map,
			     const struct vhb_memory_map *other)
{
	const unsigned int count = vhb_memory_map_region_count(map);
	const unsigned int other_count = vhb_memory_map_region_count(other);
	unsigned int i = 0;
	unsigned int j;

	/* Both are sorted by guest address; mappings that stay are shared. */
	for (j = 0; j < other_count; j++) {
		while (i < count && map->by_gpa[i] != other->by_gpa[j])
			i++;
		if (i == count)
			return false;
	}
	return true;
}

const struct vhost_memory *
vhb_memory_map_table(const struct vhb_memory_map *map)
{
	return map->table;
}
