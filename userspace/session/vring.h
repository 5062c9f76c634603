/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_VRING_H
#define VHB_SESSION_VRING_H

#include "session/state.h"

/**
 * DOC: what a vring's numbers mean
 *
 * Size, base and layout depend on the format, split or packed, and the format is
 * a feature. Front-ends may give the numbers before the features: then what
 * could be valid is taken, and judged when the vring is to start.
 */

/** Most entries of a virtqueue of either format (VIRTIO 1.2, 2.7 and 2.8) */
#define VHB_VRING_NUM_MAX 32768u

/**
 * vhb_vring_may_be_packed() - can the vrings be packed virtqueues?
 * @session: what was offered
 * @want: what was acked, if anything was
 */
bool vhb_vring_may_be_packed(const struct vhb_session *session,
			     const struct vhb_want *want);

/**
 * vhb_vring_may_be_iova() - can their addresses be an IOMMU's?
 * @session: what was offered
 * @want: what was acked, if anything was
 */
bool vhb_vring_may_be_iova(const struct vhb_session *session,
			   const struct vhb_want *want);

/**
 * vhb_vring_locate() - where a vring is in the broker
 * @session: gets the reason of a refusal
 * @want: features, memory and vrings
 * @index: the vring; its size and addresses are set
 * @addr_out: what VHOST_SET_VRING_ADDR gets
 *
 * Sizes are those of VIRTIO 1.2: 2.7 for split virtqueues, each part with its
 * event index field whether or not VIRTIO_F_EVENT_IDX was negotiated, for the
 * kernel may touch it; 2.8 for packed ones, where the driver's event suppression
 * structure stands in for the available ring and the device's for the used one.
 *
 * With VIRTIO_F_ACCESS_PLATFORM the addresses are an IOMMU's, and go down as they
 * are: see session/iotlb.h.
 *
 * Return: 0; -EFAULT when a part does not lie wholly in one region; -EINVAL for
 * a size or an alignment that VIRTIO does not allow, or one that wraps.
 */
int vhb_vring_locate(struct vhb_session *session, const struct vhb_want *want,
		     unsigned int index, struct vhost_vring_addr *addr_out);

/**
 * vhb_vring_base() - where a vring goes on, as VHOST_SET_VRING_BASE has it
 * @want: features and vrings
 * @index: the vring
 *
 * A vring that nobody gave a base begins at the beginning. For a packed one that
 * means both wrap counters set, and a base of which only the half for available
 * descriptors was given (DPDK) goes for both: nothing is in flight in a vring
 * that starts.
 */
uint32_t vhb_vring_base(const struct vhb_want *want, unsigned int index);

/**
 * vhb_vring_check_base() - does it fit the vring?
 * @session: gets the reason of a refusal
 * @want: features and vrings
 * @index: the vring; without a size any slot fits
 * @base: as VHOST_SET_VRING_BASE has it
 *
 * Return: 0 or -EINVAL.
 */
int vhb_vring_check_base(struct vhb_session *session,
			 const struct vhb_want *want, unsigned int index,
			 uint32_t base);

/**
 * vhb_vring_take_saved_base() - go on where the last owner stopped
 * @session: the session
 * @want: its base of the vring is replaced
 * @index: the vring; it does not run
 *
 * Once after SET_INFLIGHT_FD, for what is in the region: it knows better than a
 * front-end that sees used and available indexes only, or none (packed).
 */
void vhb_vring_take_saved_base(struct vhb_session *session,
			       struct vhb_want *want, unsigned int index);

/**
 * vhb_vring_is_cut_off() - was the file under a vring shortened?
 * @session: the session
 * @index: a vring that was started and is broken
 */
bool vhb_vring_is_cut_off(const struct vhb_session *session,
			  unsigned int index);

#endif
