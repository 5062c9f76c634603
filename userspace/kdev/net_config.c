// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/net_private.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "netlink/link.h"
#include "wire/protocol.h"

/* Kernel headers before 6.2 (the first) and before 5.17 (the second) */
#ifndef VIRTIO_F_RING_RESET
#define VIRTIO_F_RING_RESET 40
#endif
#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

/* Smallest MTU that virtio-net may show (VIRTIO 1.2, 5.1.4) */
#define MTU_MIN 68

/*
 * What is passed through between front-end and vhost-net. Left out on purpose:
 * VIRTIO_F_ANY_LAYOUT, see below.
 */
static const unsigned int kernel_bits[] = {
	VIRTIO_NET_F_MRG_RXBUF,
	VIRTIO_F_NOTIFY_ON_EMPTY,
	VHOST_F_LOG_ALL,
	VIRTIO_RING_F_INDIRECT_DESC,
	VIRTIO_RING_F_EVENT_IDX,
	VIRTIO_F_VERSION_1,
	VIRTIO_F_ACCESS_PLATFORM,
	VIRTIO_F_IN_ORDER,
	VIRTIO_F_RING_RESET,
};

/*
 * What comes with a control queue. Who serves it in most VMMs is the front-end; the
 * bits say that this back-end copes with the outcome, and does the work where the
 * front-end leaves it to us (net_control.h). CTRL_GUEST_OFFLOADS is not offered:
 * where the front-end serves the queue, vhost-user has no message that would
 * bring new offloads to the tap.
 */
static const unsigned int control_bits[] = {
	VIRTIO_NET_F_CTRL_VQ,
	VIRTIO_NET_F_CTRL_RX,
	VIRTIO_NET_F_CTRL_VLAN,
	VIRTIO_NET_F_CTRL_MAC_ADDR,
	VIRTIO_NET_F_GUEST_ANNOUNCE,
};

uint64_t vhb_net_kernel_bits(uint64_t mask)
{
	uint64_t kernel_mask = 0;
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(kernel_bits); i++)
		kernel_mask |= mask & vhb_bit(kernel_bits[i]);
	return kernel_mask;
}

uint64_t vhb_net_features(struct vhb_kdev *kdev)
{
	const struct vhb_net *net = vhb_net_of(kdev);
	uint64_t mask;
	unsigned int i;

	mask = vhb_net_kernel_bits(net->kernel_mask) |
	       vhb_tap_features(&net->tap) | vhb_bit(VIRTIO_NET_F_STATUS);
	/*
	 * The kernel copes with any layout. But to vhost-net this bit is
	 * VHOST_NET_F_VIRTIO_NET_HDR, "make the header up yourself", so it is
	 * ours to offer and never goes down.
	 */
	mask |= vhb_bit(VIRTIO_F_ANY_LAYOUT);
	if (net->mtu)
		mask |= vhb_bit(VIRTIO_NET_F_MTU);
	if (net->has_mac)
		mask |= vhb_bit(VIRTIO_NET_F_MAC);
	if (net->pair_count > 1)
		mask |= vhb_bit(VIRTIO_NET_F_MQ);
	for (i = 0; i < VHB_ARRAY_COUNT(control_bits); i++)
		mask |= vhb_bit(control_bits[i]);
	return mask;
}

/* Workers of vhost-net wait for a page as any process does. */
uint64_t vhb_net_protocol_features(struct vhb_kdev *kdev)
{
	const struct vhb_net *net = vhb_net_of(kdev);
	uint64_t mask = vhb_bit(VHB_PROTOCOL_F_RARP) |
			vhb_bit(VHB_PROTOCOL_F_PAGEFAULT);

	if (vhb_has_bit(net->kernel_mask, VHOST_F_LOG_ALL))
		mask |= vhb_bit(VHB_PROTOCOL_F_LOG_SHMFD);
	if (net->mtu)
		mask |= vhb_bit(VHB_PROTOCOL_F_MTU);
	return mask;
}

#define CONFIG_OFFSET(field) offsetof(struct virtio_net_config, field)

/*
 * Little-endian, as VIRTIO 1 wants it; a legacy driver on a big-endian machine
 * is not served.
 */
static void put_le16(uint8_t *data, uint16_t value)
{
	data[0] = value & 0xff;
	data[1] = value >> 8;
}

static uint16_t status_of(const struct vhb_net *net)
{
	uint16_t status = 0;

	if (!net->link.is_down)
		status |= VIRTIO_NET_S_LINK_UP;
	if (net->control.must_announce)
		status |= VIRTIO_NET_S_ANNOUNCE;
	return status;
}

int vhb_net_get_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
		       uint32_t size_bytes, uint8_t *data)
{
	struct vhb_net *net = vhb_net_of(kdev);
	uint8_t space[VHB_CONFIG_MAX_BYTES] = { 0 };

	if (!vhb_range_contains(0, sizeof(space), offset_bytes, size_bytes))
		return -EINVAL;
	vhb_net_settle_mtu(net);
	memcpy(space + CONFIG_OFFSET(mac), net->mac, sizeof(net->mac));
	put_le16(space + CONFIG_OFFSET(status), status_of(net));
	put_le16(space + CONFIG_OFFSET(max_virtqueue_pairs), net->pair_count);
	put_le16(space + CONFIG_OFFSET(mtu), net->mtu);
	/* All ones: speed (32 bits) and duplex (8 bits) are not known. */
	memset(space + CONFIG_OFFSET(speed), 0xff, 5);
	memcpy(data, space + offset_bytes, size_bytes);
	return 0;
}

/* Legacy drivers write their address; everything else is read-only. */
int vhb_net_set_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
		       uint32_t size_bytes, const uint8_t *data)
{
	struct vhb_net *net = vhb_net_of(kdev);

	if (!vhb_range_contains(CONFIG_OFFSET(mac), sizeof(net->mac),
				offset_bytes, size_bytes))
		return -EACCES;
	memcpy(net->mac + offset_bytes, data, size_bytes);
	return 0;
}

/*
 * Changes nothing on the host: an MTU of 68 would drag a whole bridge down with
 * it, for good. What the guest may use is what the tap takes already, and larger
 * than the guest's is as good. The operator has --mtu.
 */
int vhb_net_set_mtu(struct vhb_kdev *kdev, uint64_t mtu)
{
	struct vhb_net *net = vhb_net_of(kdev);
	struct vhb_link link;

	if (mtu < MTU_MIN || mtu > UINT16_MAX)
		return -EINVAL;
	if (!net->tap.ifindex)
		return -ENODEV;
	if (vhb_link_get_by_index(net->tap.ifindex, &link) || mtu > link.mtu)
		return -EINVAL;
	net->asked_mtu = mtu;
	net->mtu = mtu;
	return 0;
}
