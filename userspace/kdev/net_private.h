/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_NET_PRIVATE_H
#define VHB_KDEV_NET_PRIVATE_H

#include <net/ethernet.h>

#include "kdev/iotlb.h"
#include "kdev/kdev.h"
#include "kdev/net.h"
#include "kdev/net_control.h"
#include "kdev/net_link.h"
#include "kdev/tap.h"

/**
 * struct vhb_net - vhost-net on a tap
 * @kdev: what the session sees
 * @vhost_path: where to open vhost descriptors; NULL when they were given
 * @vhost_fds: one each pair or, see &enum vhb_net_workers, each vring. Each knows
 *             two vrings, 0 receive and 1 transmit. -1 for one that could not be
 *             reset and is opened again
 * @vhost_count: how many
 * @is_owned: VHOST_SET_OWNER was done on this descriptor
 * @iotlbs: of @vhost_fds; open while VIRTIO_F_ACCESS_PLATFORM is acked
 * @pair_count: how many
 * @is_owner: set_owner was done on all of them
 * @is_running: vrings that have a back-end
 * @poll_us: see &struct vhb_net_config
 * @kernel_mask: feature bits that every vhost descriptor knows
 * @tap: the other side
 * @control: the control queue, where the front-end leaves it to us
 * @link: the tap's link
 * @mtu_limit: --mtu, or 0
 * @own_mtu: the tap's MTU, but no more than @mtu_limit
 * @asked_mtu: what the front-end asked for in this session, or 0
 * @mtu: what the guest is told; 0 when the tap's is not known
 * @has_mac: the guest is told an address
 * @own_mac: the address at the start of each session
 * @mac: the address, as far as a legacy driver did not write another
 */
struct vhb_net {
	struct vhb_kdev kdev;
	char *vhost_path;
	int vhost_fds[2 * VHB_NET_QUEUE_PAIRS_MAX];
	unsigned int vhost_count;
	struct vhb_iotlb_port iotlbs[2 * VHB_NET_QUEUE_PAIRS_MAX];
	bool is_owned[2 * VHB_NET_QUEUE_PAIRS_MAX];
	unsigned int pair_count;
	bool is_owner;
	bool is_running[2 * VHB_NET_QUEUE_PAIRS_MAX];
	uint32_t poll_us;
	uint64_t kernel_mask;
	struct vhb_tap tap;
	struct vhb_net_control control;
	struct vhb_net_link link;
	uint16_t mtu_limit;
	uint16_t own_mtu;
	uint16_t asked_mtu;
	uint16_t mtu;
	bool has_mac;
	uint8_t own_mac[ETH_ALEN];
	uint8_t mac[ETH_ALEN];
};

static inline struct vhb_net *vhb_net_of(struct vhb_kdev *kdev)
{
	return (struct vhb_net *)kdev;
}

/** vhb_net_vhost_of() - which vhost descriptor a front-end's vring has */
static inline unsigned int vhb_net_vhost_of(const struct vhb_net *net,
					    unsigned int index)
{
	return index * net->vhost_count / (2 * net->pair_count);
}

/* The rest of &struct vhb_kdev_ops: features and configuration space */
uint64_t vhb_net_features(struct vhb_kdev *kdev);
uint64_t vhb_net_protocol_features(struct vhb_kdev *kdev);
int vhb_net_get_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
		       uint32_t size_bytes, uint8_t *data);
int vhb_net_set_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
		       uint32_t size_bytes, const uint8_t *data);
int vhb_net_set_mtu(struct vhb_kdev *kdev, uint64_t mtu);

/* Its state: net_state.c */
int vhb_net_save_state(struct vhb_kdev *kdev, uint8_t *data);
int vhb_net_load_state(struct vhb_kdev *kdev, const uint8_t *data,
		       size_t size_bytes);
int vhb_net_reset_state(struct vhb_kdev *kdev);

/** vhb_net_send_rarp() - &vhb_kdev_ops.send_rarp */
int vhb_net_send_rarp(struct vhb_kdev *kdev, const uint8_t *mac);

/**
 * vhb_net_kernel_bits() - the bits that mean the same to vhost-net and a guest
 * @mask: feature bits of either
 *
 * Return: those of them.
 */
uint64_t vhb_net_kernel_bits(uint64_t mask);

/**
 * vhb_net_open_vhost() - open a vhost descriptor by path
 * @net: the device
 * @vhost: which; must be -1
 *
 * Return: 0 or -errno (reported).
 */
int vhb_net_open_vhost(struct vhb_net *net, unsigned int vhost);

/**
 * vhb_net_settle_pairs() - attach the tap queues that are in use, and no others
 * @net: the device
 *
 * Return: 0 or -errno of TUNSETQUEUE.
 */
int vhb_net_settle_pairs(struct vhb_net *net);

/* The IOTLBs, in net_iotlb.c */

/**
 * vhb_net_set_iotlb() - have IOTLBs, or have none
 * @net: the device; its descriptors are owned
 * @is_on: VIRTIO_F_ACCESS_PLATFORM is about to be acked
 *
 * Return: 0 or -errno.
 */
int vhb_net_set_iotlb(struct vhb_net *net, bool is_on);

/** vhb_net_has_iotlb() - was it set? */
bool vhb_net_has_iotlb(const struct vhb_net *net);

/** vhb_net_listen_iotlb() - misses are for this listener, or for nobody */
void vhb_net_listen_iotlb(struct vhb_net *net, struct vhb_loop *loop,
			  const struct vhb_kdev_listener *listener);

/** vhb_net_iotlb_write() - &vhb_kdev_ops.iotlb_write */
int vhb_net_iotlb_write(struct vhb_kdev *kdev,
			const struct vhost_iotlb_msg *message);

extern const struct vhb_kdev_ops vhb_net_ops;

#endif
