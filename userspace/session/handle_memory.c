// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "session/handlers.h"
#include "session/postcopy.h"

/*
 * The copy being edited has no references of its own: it takes the new map's
 * only one, and the session sorts out which of the two maps to put.
 */
int vhb_edit_mem_table(struct vhb_session *session, struct vhb_want *want,
		       struct vhb_message *message)
{
	struct vhb_wire_memory *memory = &message->payload.memory;
	struct vhb_memory_map *map;
	int ret;

	vhb_settle_user_addresses(want, memory->regions, memory->region_count);
	ret = vhb_memory_map_replace(session->space,
				     vhb_postcopy_map(session, want),
				     memory->regions, message->fds,
				     memory->region_count, &session->why, &map);
	return ret ? ret : vhb_postcopy_take_map(session, want, map);
}

int vhb_edit_add_region(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	struct vhb_wire_region *region = &message->payload.single_region.region;
	struct vhb_memory_map *map;
	int ret;

	vhb_settle_user_addresses(want, region, 1);
	ret = vhb_memory_map_add(session->space,
				 vhb_postcopy_map(session, want), region,
				 message->fds[0], &session->why, &map);
	return ret ? ret : vhb_postcopy_take_map(session, want, map);
}

int vhb_edit_remove_region(struct vhb_session *session, struct vhb_want *want,
			   struct vhb_message *message)
{
	struct vhb_wire_region *region = &message->payload.single_region.region;
	struct vhb_memory_map *map;
	int ret;

	vhb_settle_user_addresses(want, region, 1);
	ret = vhb_memory_map_remove(session->space,
				    vhb_postcopy_map(session, want), region,
				    &session->why, &map);
	return ret ? ret : vhb_postcopy_take_map(session, want, map);
}

size_t vhb_reply_mem_slots(struct vhb_session *session,
			   const struct vhb_message *message,
			   union vhb_payload *reply)
{
	(void)session;
	(void)message;
	reply->u64 = VHB_REGION_COUNT_MAX;
	return sizeof(reply->u64);
}
