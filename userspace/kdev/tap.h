/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_TAP_H
#define VHB_KDEV_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include <net/if.h>

#include "kdev/net.h"

/**
 * struct vhb_tap - a tap interface, one descriptor each queue
 * @name: its name, read back from the kernel
 * @ifindex: its index
 * @fds: its queues; owned
 * @queue_count: how many
 * @is_multi_queue: queues can be attached and detached one by one
 * @attached_mask: queues that are attached (bit each queue)
 * @offload_mask: TUN_F_* bits the kernel's tun driver takes
 */
struct vhb_tap {
	char name[IFNAMSIZ];
	unsigned int ifindex;
	int fds[VHB_NET_QUEUE_PAIRS_MAX];
	unsigned int queue_count;
	bool is_multi_queue;
	uint64_t attached_mask;
	unsigned int offload_mask;
};

/**
 * vhb_tap_open() - use or make an interface by name
 * @tap: set up by this
 * @name: the interface; made (and gone again with the broker) when missing
 * @queue_count: queues; with more than one all but the first start detached
 *
 * Return: 0 or -errno (reported, with the remedy): EBUSY when another process
 * has it, EPERM without CAP_NET_ADMIN, ENODEV without the tun module, EINVAL
 * when the interface is no tap or has too few queues.
 */
int vhb_tap_open(struct vhb_tap *tap, const char *name,
		 unsigned int queue_count);

/**
 * vhb_tap_adopt() - use ready descriptors
 * @tap: set up by this
 * @fds: tap queues of one interface with IFF_VNET_HDR; owned also on failure
 * @fd_count: how many
 *
 * Return: 0 or -errno (reported): EINVAL when one is no tap queue, lacks
 * IFF_VNET_HDR or belongs to another interface than the first.
 */
int vhb_tap_adopt(struct vhb_tap *tap, const int *fds, unsigned int fd_count);

/**
 * vhb_tap_features() - virtio-net feature bits this tap can honour
 * @tap: the tap
 *
 * Return: CSUM, HOST_* and, where TUNSETOFFLOAD takes them, GUEST_* bits.
 */
uint64_t vhb_tap_features(const struct vhb_tap *tap);

/**
 * vhb_tap_set_features() - header size, byte order and offloads
 * @tap: the tap
 * @acked_mask: virtio feature bits the front-end acked
 *
 * Return: 0 or -errno of the ioctl.
 */
int vhb_tap_set_features(struct vhb_tap *tap, uint64_t acked_mask);

/**
 * vhb_tap_attach() - let a queue take packets, or not
 * @tap: the tap
 * @queue: its number
 * @attach: or detach. Nothing happens on a tap with a single queue
 *
 * Return: 0 or -errno of TUNSETQUEUE.
 */
int vhb_tap_attach(struct vhb_tap *tap, unsigned int queue, bool attach);

/**
 * vhb_tap_has_interface() - does it still exist, in whatever network namespace?
 * @tap: the tap
 */
bool vhb_tap_has_interface(const struct vhb_tap *tap);

/**
 * vhb_tap_close() - close all queues; an interface we made goes with them
 * @tap: the tap
 */
void vhb_tap_close(struct vhb_tap *tap);

#endif
