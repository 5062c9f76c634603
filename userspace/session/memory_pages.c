// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/memory_pages.h"

#include "session/memory_map_private.h"

void vhb_address_space_on_unmap(struct vhb_address_space *space,
				vhb_pages_fn function, void *argument)
{
	space->on_unmap = function;
	space->argument = argument;
}

void vhb_memory_map_for_each(const struct vhb_memory_map *map,
			     vhb_pages_fn function, void *argument)
{
	for (unsigned int i = 0; i < vhb_memory_map_region_count(map); i++) {
		const struct vhb_footprint *footprint =
			&map->by_gpa[i]->footprint;

		function(argument, vhb_window_hva(footprint),
			 footprint->size_bytes);
	}
}
