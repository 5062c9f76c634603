// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GPA_ADDRESSES: a front-end that does not tell where in its own address space
 * guest memory is. Its user addresses are guest addresses, in the memory table, of
 * rings and in the IOTLB. So it is enough to see to it in the memory table.
 */
#include <errno.h>

#include "lib/bits.h"
#include "session/handlers.h"
#include "session/postcopy.h"

static bool has_gpa_addresses(const struct vhb_want *want)
{
	return vhb_has_bit(want->protocol_features_mask,
			   VHB_PROTOCOL_F_GPA_ADDRESSES);
}

void vhb_settle_user_addresses(const struct vhb_want *want,
			       struct vhb_wire_region *regions,
			       unsigned int count)
{
	if (!has_gpa_addresses(want))
		return;
	for (unsigned int i = 0; i < count; i++)
		regions[i].uva = regions[i].gpa;
}

int vhb_check_gpa_addresses(struct vhb_session *session,
			    const struct vhb_want *want)
{
	if (!vhb_postcopy_map(session, want) ||
	    has_gpa_addresses(want) == has_gpa_addresses(&session->want))
		return 0;
	return vhb_refuse(session, -EBUSY,
			  "GPA_ADDRESSES cannot change while there is memory");
}
