/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_BLK_H
#define VHB_KDEV_BLK_H

#include <stdbool.h>
#include <stdint.h>

#include "kdev/kdev.h"

/** Virtqueues one block device can have */
#define VHB_BLK_QUEUES_MAX 64

/** Bytes of a serial number (VIRTIO 1.2, 5.2.6, VIRTIO_BLK_T_GET_ID) */
#define VHB_BLK_SERIAL_BYTES 20

/** Longest time to poll, in microseconds; the module takes no more */
#define VHB_BLK_POLL_US_MAX 1000000

/**
 * struct vhb_blk_config - how to set up a block device
 * @vhost_path: /dev/vhost-bridge-blk or what stands in for it; NULL when
 *              @vhost_fd is given
 * @vhost_fd: a ready descriptor instead, or -1; owned by the device from
 *            vhb_blk_create() on, also when it fails
 * @file_path: block device or regular file
 * @is_read_only: the guest may not write
 * @is_shared: others may write to the file meanwhile
 * @queue_count: virtqueues, 1 to VHB_BLK_QUEUES_MAX
 * @serial: padded with zeros
 * @poll_us: how long an idle virtqueue is watched before its thread sleeps
 */
struct vhb_blk_config {
	const char *vhost_path;
	int vhost_fd;
	const char *file_path;
	bool is_read_only;
	bool is_shared;
	unsigned int queue_count;
	uint8_t serial[VHB_BLK_SERIAL_BYTES];
	uint32_t poll_us;
};

/**
 * vhb_blk_create() - a block device on our module and a file
 * @config: how; nothing of it is kept but the descriptor
 * @kdev_out: the device
 *
 * Opens /dev/vhost-bridge-blk (loading vhost_bridge when it is missing and that
 * is allowed) and the file, which is locked against other users. Says on
 * failure, in one line, what is wrong and what to do about it.
 *
 * Return: 0 or -errno (already reported).
 */
int vhb_blk_create(const struct vhb_blk_config *config,
		   struct vhb_kdev **kdev_out);

#endif
