/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_NET_H
#define VHB_KDEV_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "kdev/kdev.h"

/** Queue pairs one net device can have */
#define VHB_NET_QUEUE_PAIRS_MAX 64

/**
 * struct vhb_net_config - how to set up a net device
 * @vhost_path: /dev/vhost-net or what stands in for it
 * @vhost_fds: ready descriptors instead, one each pair; owned by the device
 *             from vhb_net_create() on, also when it fails
 * @vhost_fd_count: how many; 0 to open @vhost_path
 * @tap_name: interface to use, made when missing; NULL when @tap_fds are given
 * @tap_fds: ready tap queues instead, one each pair; owned likewise
 * @tap_fd_count: how many
 * @queue_pairs: receive and transmit queue pairs, 1 to VHB_NET_QUEUE_PAIRS_MAX
 * @has_mac: @mac is meant
 * @mac: the guest's address, offered with VIRTIO_NET_F_MAC
 * @mtu: MTU to give to the tap and to report; 0 to leave the tap's own
 * @bridge_name: bridge to put the tap into; NULL for none
 * @trust_base: the front-end knows best where a vring goes on
 */
struct vhb_net_config {
	const char *vhost_path;
	int vhost_fds[VHB_NET_QUEUE_PAIRS_MAX];
	unsigned int vhost_fd_count;
	const char *tap_name;
	int tap_fds[VHB_NET_QUEUE_PAIRS_MAX];
	unsigned int tap_fd_count;
	unsigned int queue_pairs;
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu;
	const char *bridge_name;
	bool trust_base;
};

/**
 * vhb_net_create() - a net device on vhost-net and a tap
 * @config: how; nothing of it is kept but the descriptors
 * @kdev_out: the device
 *
 * Opens /dev/vhost-net once each pair (loading vhost_net and tun when they are
 * missing and that is allowed), opens or makes the tap with one queue each
 * pair, sets MTU, bridge and link up. Says on failure, in one line, what is
 * wrong and what to do about it.
 *
 * Return: 0 or -errno (already reported).
 */
int vhb_net_create(const struct vhb_net_config *config,
		   struct vhb_kdev **kdev_out);

#endif
