// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/vring.h"

#include <errno.h>

#include <linux/virtio_config.h>

#include "lib/bits.h"
#include "lib/log.h"
#include "lib/own_memory.h"
#include "session/logging.h"

/* A split virtqueue's base is a 16-bit index. */
#define SPLIT_BASE_MAX 0xffffu

/* Each half of a packed virtqueue's base: a slot and a wrap counter */
#define PACKED_SLOT_MASK 0x7fffu
#define PACKED_HALF_BITS 16
/* Both wrap counters begin as one (VIRTIO 1.2, 2.8.1). */
#define PACKED_BASE_FIRST 0x80008000u
/* struct pvirtq_event_suppress (VIRTIO 1.2, 2.8.14) */
#define PACKED_EVENT_BYTES 4

#define DESCRIPTOR_BYTES 16

static bool is_packed(const struct vhb_want *want)
{
	return want->has_features &&
	       vhb_has_bit(want->features_mask, VIRTIO_F_RING_PACKED);
}

bool vhb_vring_may_be_iova(const struct vhb_session *session,
			   const struct vhb_want *want)
{
	return vhb_has_bit(want->has_features ? want->features_mask :
						session->offered_mask,
			   VIRTIO_F_ACCESS_PLATFORM);
}

bool vhb_vring_may_be_packed(const struct vhb_session *session,
			     const struct vhb_want *want)
{
	return vhb_has_bit(want->has_features ? want->features_mask :
						session->offered_mask,
			   VIRTIO_F_RING_PACKED);
}

static bool are_aligned(uint64_t desc, uint64_t avail, uint64_t used,
			bool packed)
{
	return !(desc % 16 || avail % (packed ? 4 : 2) || used % 4);
}

int vhb_vring_locate(struct vhb_session *session, const struct vhb_want *want,
		     unsigned int index, struct vhost_vring_addr *addr_out)
{
	const struct vhb_wire_vring_addr *addr = &want->vrings[index].addr;
	const uint64_t num = want->vrings[index].num;
	const bool packed = is_packed(want);
	uint64_t avail_bytes = 6 + 2 * num;
	uint64_t used_bytes = 6 + 8 * num;
	uint64_t desc, avail, used;
	bool looks_up;

	if (packed) {
		avail_bytes = PACKED_EVENT_BYTES;
		used_bytes = PACKED_EVENT_BYTES;
	}
	if (!packed && num & (num - 1))
		return vhb_refuse(session, -EINVAL,
				  "vring %u has %u entries: a split one has a power of two",
				  index, want->vrings[index].num);
	if (!are_aligned(addr->desc_uva, addr->avail_uva, addr->used_uva,
			 packed))
		return vhb_refuse(session, -EINVAL,
				  "addresses of vring %u are not aligned",
				  index);
	if (vhb_iotlb_is_wanted(want)) {
		/* See session/iotlb.h: they can be anywhere. */
		if (vhb_range_wraps(addr->desc_uva, DESCRIPTOR_BYTES * num) ||
		    vhb_range_wraps(addr->avail_uva, avail_bytes) ||
		    vhb_range_wraps(addr->used_uva, used_bytes))
			return vhb_refuse(session, -EINVAL,
					  "addresses of vring %u wrap", index);
		desc = addr->desc_uva;
		avail = addr->avail_uva;
		used = addr->used_uva;
	} else if (vhb_memory_map_translate(want->map, addr->desc_uva,
				     DESCRIPTOR_BYTES * num, &desc) ||
	    vhb_memory_map_translate(want->map, addr->avail_uva, avail_bytes,
				     &avail) ||
	    vhb_memory_map_translate(want->map, addr->used_uva, used_bytes,
				     &used))
		return vhb_refuse(session, -EFAULT,
				  "vring %u with %u entries is not in one region of guest memory",
				  index, want->vrings[index].num);

	/* A region may begin anywhere, also at an odd address. */
	if (!are_aligned(desc, avail, used, packed))
		return vhb_refuse(session, -EINVAL,
				  "addresses of vring %u are not aligned in the file behind them",
				  index);

	*addr_out = (struct vhost_vring_addr){
		.index = index,
		.desc_user_addr = desc,
		.avail_user_addr = avail,
		.used_user_addr = used,
	};
	/*
	 * Parts of a packed one are written that no log address was given for,
	 * and with an IOMMU front-ends give one of the driver's (QEMU).
	 */
	looks_up = packed || vhb_has_bit(want->features_mask,
					 VIRTIO_F_ACCESS_PLATFORM);
	return vhb_logging_locate(session, want, looks_up ? 0 : used_bytes,
				  addr_out);
}

uint32_t vhb_vring_base(const struct vhb_want *want, unsigned int index)
{
	const struct vhb_vring_want *vring = &want->vrings[index];

	if (!is_packed(want))
		return vring->base;
	if (!vring->has_base)
		return PACKED_BASE_FIRST;
	if (!(vring->base >> PACKED_HALF_BITS))
		return vring->base << PACKED_HALF_BITS | vring->base;
	return vring->base;
}

int vhb_vring_check_base(struct vhb_session *session,
			 const struct vhb_want *want, unsigned int index,
			 uint32_t base)
{
	const uint32_t num = want->vrings[index].num;

	if (!is_packed(want)) {
		if (base <= SPLIT_BASE_MAX)
			return 0;
		return vhb_refuse(session, -EINVAL,
				  "base %#x of vring %u is no index of a split virtqueue",
				  base, index);
	}
	if (!num)
		return 0;
	if ((base & PACKED_SLOT_MASK) < num &&
	    (base >> PACKED_HALF_BITS & PACKED_SLOT_MASK) < num)
		return 0;
	return vhb_refuse(session, -EINVAL,
			  "base %#x of vring %u is beyond its %u entries", base,
			  index, num);
}

void vhb_vring_take_saved_base(struct vhb_session *session,
			       struct vhb_want *want, unsigned int index)
{
	struct vhb_vring_want *vring = &want->vrings[index];
	const uint32_t given = vhb_vring_base(want, index);
	uint32_t base;

	if (!vring->has_unread_slot ||
	    !vhb_inflight_base(want->inflight, index, &base))
		return;
	vring->has_unread_slot = false;
	if (want->has_features &&
	    vhb_vring_check_base(session, want, index, base)) {
		vhb_warn("what was saved is not used: %s", session->why.clause);
		return;
	}
	if (base != given)
		vhb_info("vring %u goes on at the saved base %#x, not at %#x",
			 index, base, given);
	vring->base = base;
	vring->has_base = true;
}

bool vhb_vring_is_cut_off(const struct vhb_session *session,
			  unsigned int index)
{
	const struct vhb_vring_have *have = &session->have.vrings[index];
	const uint64_t addrs[] = { have->addr.desc_user_addr,
				   have->addr.avail_user_addr,
				   have->addr.used_user_addr };
	unsigned int i;
	uint8_t byte;

	/* Behind an IOMMU these are none of our addresses. */
	if (!have->is_running ||
	    vhb_has_bit(session->have.features_mask, VIRTIO_F_ACCESS_PLATFORM))
		return false;
	for (i = 0; i < VHB_ARRAY_COUNT(addrs); i++)
		if (vhb_own_memory_read(addrs[i], &byte, sizeof(byte)) ==
		    -EFAULT)
			return true;
	return false;
}
