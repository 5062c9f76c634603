// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/base.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/log.h"
#include "lib/own_memory.h"

/* Lines each session: a front-end can do it a thousand times a second. */
#define LINES_MAX 20

/* With VIRTIO_F_ACCESS_PLATFORM the addresses are the IOMMU's, not ours. */
static bool is_readable(const struct vhb_session *session,
			const struct vhb_want *want)
{
	return session->config.kdev->keeps_nothing &&
	       !vhb_has_bit(want->features_mask, VIRTIO_F_RING_PACKED) &&
	       !vhb_has_bit(want->features_mask, VIRTIO_F_ACCESS_PLATFORM);
}

void vhb_base_correct(struct vhb_session *session, struct vhb_want *want,
		      const struct vhost_vring_addr *addr)
{
	struct vhb_vring_want *vring = &want->vrings[addr->index];
	uint16_t used;
	int ret;

	if (!is_readable(session, want))
		return;
	ret = vhb_own_memory_read(addr->used_user_addr +
				  offsetof(struct vring_used, idx),
				  &used, sizeof(used));
	if (ret) {
		vhb_debug("used ring of vring %u: %s", addr->index,
			  strerrordesc_np(-ret));
		return;
	}
	if (vhb_has_bit(want->features_mask, VIRTIO_F_VERSION_1))
		used = le16toh(used);
	if (vring->base == used)
		return;
	if (session->base_count++ < LINES_MAX)
		vhb_warn("vring %u goes on at %u, where its used ring ends, not at %u as the front-end says: %s",
			 addr->index, used, vring->base,
			 (uint16_t)(vring->base - used) <= vring->num ?
				 "what lies between was never processed" :
				 "what lies between was processed already");
	vring->base = used;
	vring->has_base = true;
}
