/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_NET_H
#define VHB_KDEV_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "kdev/kdev.h"

/** Queue pairs one net device can have */
#define VHB_NET_QUEUE_PAIRS_MAX 64

/** Longest time to poll, in microseconds; the same as of a block device */
#define VHB_NET_POLL_US_MAX 1000000

/**
 * enum vhb_net_workers - kernel threads of a net device
 * @VHB_NET_WORKERS_PER_PAIR: one for both vrings of a queue pair
 * @VHB_NET_WORKERS_PER_VRING: one for each vring
 *
 * vhost-net has one worker each descriptor, and no way to give it more
 * (VHOST_NEW_WORKER is vhost-scsi's alone as of Linux 6.12). With a descriptor of
 * its own for each vring, of which the other half is never set up, every kernel
 * can do it.
 */
enum vhb_net_workers {
	VHB_NET_WORKERS_PER_PAIR,
	VHB_NET_WORKERS_PER_VRING,
};

/**
 * struct vhb_net_config - how to set up a net device
 * @vhost_path: /dev/vhost-net or what stands in for it
 * @vhost_fds: ready descriptors instead, one each pair, or each vring if
 *             @workers says so; owned by the device from vhb_net_create() on,
 *             also when it fails
 * @vhost_fd_count: how many; 0 to open @vhost_path
 * @tap_name: interface to use, made when missing; NULL when @tap_fds are given
 * @tap_fds: ready tap queues instead, one each pair; owned likewise
 * @tap_fd_count: how many
 * @queue_pairs: receive and transmit queue pairs, 1 to VHB_NET_QUEUE_PAIRS_MAX
 * @has_mac: @mac is meant
 * @mac: the guest's address, offered with VIRTIO_NET_F_MAC
 * @mtu: MTU to give to the tap and to report; 0 to leave the tap's own
 * @bridge_name: bridge to put the tap into; NULL for none
 * @poll_us: how long an idle virtqueue is watched before its thread sleeps; needs
 *           both vrings of a pair on one descriptor
 * @workers: how many threads
 * @trust_base: the front-end knows best where a vring goes on
 */
struct vhb_net_config {
	const char *vhost_path;
	int vhost_fds[2 * VHB_NET_QUEUE_PAIRS_MAX];
	unsigned int vhost_fd_count;
	const char *tap_name;
	int tap_fds[VHB_NET_QUEUE_PAIRS_MAX];
	unsigned int tap_fd_count;
	unsigned int queue_pairs;
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu;
	const char *bridge_name;
	uint32_t poll_us;
	enum vhb_net_workers workers;
	bool trust_base;
};

/** vhb_net_vhost_count() - vhost descriptors that this takes */
static inline unsigned int
vhb_net_vhost_count(const struct vhb_net_config *config)
{
	return config->workers == VHB_NET_WORKERS_PER_VRING ?
		       2 * config->queue_pairs :
		       config->queue_pairs;
}

/**
 * vhb_net_create() - a net device on vhost-net and a tap
 * @config: how; nothing of it is kept but the descriptors
 * @kdev_out: the device
 *
 * Opens /dev/vhost-net once each pair or vring (loading vhost_net and tun when they are
 * missing and that is allowed), opens or makes the tap with one queue each
 * pair, sets MTU, bridge and link up. Says on failure, in one line, what is
 * wrong and what to do about it.
 *
 * Return: 0 or -errno (already reported).
 */
int vhb_net_create(const struct vhb_net_config *config,
		   struct vhb_kdev **kdev_out);

/**
 * vhb_net_tap_name() - the interface that a net device is on
 * @kdev: made by vhb_net_create()
 *
 * Return: its name, as it was at first; lives as long as the device.
 */
const char *vhb_net_tap_name(struct vhb_kdev *kdev);

/**
 * vhb_net_has_tap_here() - is that interface in this network namespace?
 * @kdev: made by vhb_net_create()
 *
 * If not, its name means nothing here, or something else.
 */
bool vhb_net_has_tap_here(struct vhb_kdev *kdev);

#endif
