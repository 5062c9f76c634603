/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_MEMORY_PAGES_H
#define VHB_SESSION_MEMORY_PAGES_H

#include <stdint.h>

#include "session/memory_map.h"

/**
 * DOC: the pages behind a memory map
 *
 * For who has to know which pages of the broker's address space belong to a
 * guest (userfaultfd), not what lies in them. Each mapping is whole pages of
 * its file, with what surrounds the region in its first and last one.
 */

/**
 * typedef vhb_pages_fn - something about pages of a guest
 * @argument: as given
 * @hva: their address in the broker
 * @size_bytes: how much; both are multiples of the page size of the file
 */
typedef void (*vhb_pages_fn)(void *argument, uint64_t hva, uint64_t size_bytes);

/**
 * vhb_address_space_on_unmap() - tell when pages leave the address space
 * @space: the address space
 * @function: called before they are unmapped; NULL to tell nobody
 * @argument: handed to @function
 */
void vhb_address_space_on_unmap(struct vhb_address_space *space,
				vhb_pages_fn function, void *argument);

/**
 * vhb_memory_map_for_each() - visit the pages of every region of a map
 * @map: the map; may be NULL
 * @function: called for each
 * @argument: handed to @function
 */
void vhb_memory_map_for_each(const struct vhb_memory_map *map,
			     vhb_pages_fn function, void *argument);

#endif
