// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/net_private.h"

#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/log.h"
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
 * VHOST_F_LOG_ALL and VIRTIO_F_ACCESS_PLATFORM, as the session neither keeps a
 * dirty log nor serves an IOMMU yet; VIRTIO_F_ANY_LAYOUT, see below.
 */
static const unsigned int kernel_bits[] = {
	VIRTIO_NET_F_MRG_RXBUF,
	VIRTIO_F_NOTIFY_ON_EMPTY,
	VIRTIO_RING_F_INDIRECT_DESC,
	VIRTIO_RING_F_EVENT_IDX,
	VIRTIO_F_VERSION_1,
	VIRTIO_F_IN_ORDER,
	VIRTIO_F_RING_RESET,
};

/*
 * What several pairs need. Who drives the control queue in most VMMs is the
 * front-end; the bits say that this back-end copes with the outcome. Front-ends
 * that would pass the control queue on to the back-end (User-Mode Linux) wait
 * for ever for an answer, so with one pair, all they can use, none of these
 * are offered. CTRL_GUEST_OFFLOADS never is: vhost-user has no message that
 * would bring new offloads to the tap.
 */
static const unsigned int multi_queue_bits[] = {
	VIRTIO_NET_F_MQ,
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
	if (net->pair_count > 1) {
		for (i = 0; i < VHB_ARRAY_COUNT(multi_queue_bits); i++)
			mask |= vhb_bit(multi_queue_bits[i]);
	}
	return mask;
}

uint64_t vhb_net_protocol_features(struct vhb_kdev *kdev)
{
	return vhb_net_of(kdev)->mtu ? vhb_bit(VHB_PROTOCOL_F_MTU) : 0;
}

/*
 * Little-endian, as VIRTIO 1 wants it; a legacy driver on a big-endian machine
 * is not served.
 */
int vhb_net_get_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
		       uint32_t size_bytes, uint8_t *data)
{
	const struct vhb_net *net = vhb_net_of(kdev);
	uint8_t space[VHB_CONFIG_MAX_BYTES] = { 0 };
	struct virtio_net_config config = {
		.status = htole16(VIRTIO_NET_S_LINK_UP),
		.max_virtqueue_pairs = htole16(net->pair_count),
		.mtu = htole16(net->mtu),
		.speed = htole32(UINT32_MAX),
		.duplex = UINT8_MAX,
	};

	if (!vhb_range_contains(0, sizeof(space), offset_bytes, size_bytes))
		return -EINVAL;
	memcpy(config.mac, net->mac, sizeof(config.mac));
	memcpy(space, &config, sizeof(config));
	memcpy(data, space + offset_bytes, size_bytes);
	return 0;
}

/* Legacy drivers write their address; everything else is read-only. */
int vhb_net_set_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
		       uint32_t size_bytes, const uint8_t *data)
{
	struct vhb_net *net = vhb_net_of(kdev);

	if (!vhb_range_contains(offsetof(struct virtio_net_config, mac),
				sizeof(net->mac), offset_bytes, size_bytes))
		return -EACCES;
	memcpy(net->mac + offset_bytes, data, size_bytes);
	return 0;
}

int vhb_net_set_mtu(struct vhb_kdev *kdev, uint64_t mtu)
{
	struct vhb_net *net = vhb_net_of(kdev);
	const char *name = net->tap.name;
	struct vhb_link link;
	int ret;

	if (mtu < MTU_MIN || mtu > UINT16_MAX ||
	    (net->max_mtu && mtu > net->max_mtu)) {
		vhb_err("MTU %llu is not between %u and %u, what tap %s takes",
			(unsigned long long)mtu, MTU_MIN,
			net->max_mtu ? net->max_mtu : UINT16_MAX, name);
		return -EINVAL;
	}
	if (!net->tap.ifindex) {
		vhb_err("tap %s is not in this network namespace: set its MTU there",
			name);
		return -ENODEV;
	}
	ret = vhb_link_set_mtu(net->tap.ifindex, mtu);
	/* Larger than the guest's is as good; only that cannot be changed. */
	if (ret == -EPERM && !vhb_link_get(name, &link) && link.mtu >= mtu)
		ret = 0;
	if (ret == -EPERM)
		vhb_err("MTU of tap %s may not be changed: run with CAP_NET_ADMIN, or do 'ip link set %s mtu %llu' before",
			name, name, (unsigned long long)mtu);
	else if (ret)
		vhb_err("MTU of tap %s cannot be set to %llu: %s", name,
			(unsigned long long)mtu, strerrordesc_np(-ret));
	else
		net->mtu = mtu;
	return ret;
}
