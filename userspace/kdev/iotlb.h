/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_IOTLB_H
#define VHB_KDEV_IOTLB_H

#include <stdbool.h>
#include <stdint.h>

#include "kdev/kdev.h"
#include "loop/loop.h"

/**
 * DOC: the IOTLB of a vhost descriptor
 *
 * With VIRTIO_F_ACCESS_PLATFORM a device's addresses mean what its IOTLB says.
 * The kernel tells by read() what it misses there and is told by write(). That is
 * the same for the kernel's own vhost devices and our module's, so they share
 * this.
 */

/** Addresses whose misses are counted one by one */
#define VHB_IOTLB_ADDRESSES_MAX 64

/**
 * Misses without an answer that one descriptor may have. vhost keeps each of them
 * (112 bytes in Linux 6.12), also when a vring misses the same again with its next
 * kick, and knows no limit of its own.
 */
#define VHB_IOTLB_UNANSWERED_MAX 8192

/**
 * struct vhb_iotlb_address - misses of an address that were not answered
 * @iova: the address
 * @miss_count: how many; 0 for a place that is free
 */
struct vhb_iotlb_address {
	uint64_t iova;
	uint32_t miss_count;
};

/**
 * struct vhb_iotlb_port - the IOTLB of a vhost descriptor
 * @fd: the descriptor; only meaningful while @is_open
 * @is_open: it is watched for misses
 * @loop: where it is watched; NULL until somebody listens
 * @listener: who is told; NULL when nobody is
 * @on_flood: called when it has more misses without an answer than it may: the
 *            vrings of the descriptor must be stopped, which has the kernel
 *            forget them all. NULL for a device that knows a limit of its own
 * @device: whose it is, for @on_flood
 * @watch: it is watched
 * @addresses: what was missed and not answered yet
 * @other_count: misses of addresses that found no place there
 * @unanswered_count: all of them
 */
struct vhb_iotlb_port {
	int fd;
	bool is_open;
	struct vhb_loop *loop;
	const struct vhb_kdev_listener *listener;
	void (*on_flood)(struct vhb_iotlb_port *port);
	void *device;
	struct vhb_watch_ref watch;
	struct vhb_iotlb_address addresses[VHB_IOTLB_ADDRESSES_MAX];
	uint32_t other_count;
	uint32_t unanswered_count;
};

/**
 * vhb_iotlb_port_listen() - who is to be told
 * @port: open or not
 * @loop: where it is watched
 * @listener: not copied; NULL for nobody any more
 */
void vhb_iotlb_port_listen(struct vhb_iotlb_port *port, struct vhb_loop *loop,
			   const struct vhb_kdev_listener *listener);

/**
 * vhb_iotlb_port_open() - from now on the descriptor has an IOTLB
 * @port: not open, or open for the same descriptor
 * @fd: not owned. Must stay open until vhb_iotlb_port_close()
 *
 * To be called before VHOST_SET_FEATURES makes it one. Without a loop nobody
 * hears of misses.
 *
 * Return: 0 or -errno.
 */
int vhb_iotlb_port_open(struct vhb_iotlb_port *port, int fd);

/** vhb_iotlb_port_close() - it has none any more; may be closed already */
void vhb_iotlb_port_close(struct vhb_iotlb_port *port);

/**
 * vhb_iotlb_port_forget() - the kernel has forgotten all misses
 * @port: the port
 */
void vhb_iotlb_port_forget(struct vhb_iotlb_port *port);

/**
 * vhb_iotlb_port_write() - tell the IOTLB something
 * @port: open
 * @message: VHOST_IOTLB_UPDATE, VHOST_IOTLB_INVALIDATE and what else the device
 *           knows
 *
 * Return: 0 or -errno.
 */
int vhb_iotlb_port_write(struct vhb_iotlb_port *port,
			 const struct vhost_iotlb_msg *message);

#endif
