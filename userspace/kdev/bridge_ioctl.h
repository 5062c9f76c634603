/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_BRIDGE_IOCTL_H
#define VHB_KDEV_BRIDGE_IOCTL_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost_bridge.h>

/**
 * DOC: our module's own ioctls, typed
 *
 * The only place that issues them. All take a descriptor of a device of
 * vhost_bridge and return 0 or -errno; see <linux/vhost_bridge.h>.
 */

/** vhb_bridge_get_info() - fails with -ENOTTY for any other kind of file */
int vhb_bridge_get_info(int fd, struct vhost_bridge_info *info);

/**
 * vhb_bridge_start_vring() - take chains from the ring
 * @fd: a descriptor of the device
 * @index: the vring
 * @slot_addr: of a &struct vhost_bridge_saved_base, or 0
 */
int vhb_bridge_start_vring(int fd, unsigned int index, uint64_t slot_addr);

/**
 * vhb_bridge_stop_vring() - take no more, wait until all that was taken is done
 *
 * However long that takes, signals or not. What the IOTLB does not know where to
 * give back is not: a front-end that waits for us cannot tell.
 */
int vhb_bridge_stop_vring(int fd, unsigned int index);

int vhb_bridge_get_vring_status(int fd, unsigned int index,
				struct vhost_bridge_vring_status *status);

int vhb_bridge_get_config(int fd, uint32_t offset_bytes, uint32_t size_bytes,
			  uint8_t *data);
int vhb_bridge_set_config(int fd, uint32_t offset_bytes, uint32_t size_bytes,
			  const uint8_t *data);

/**
 * vhb_bridge_blk_set_backing() - what a block device shows
 * @fd: a descriptor of the device
 * @file_fd: block device or regular file
 * @is_read_only: @file_fd need not be open for writing
 * @queue_count: what the guest is told
 * @serial: of VHOST_BRIDGE_BLK_SERIAL_BYTES, padded with zeros
 */
int vhb_bridge_blk_set_backing(int fd, int file_fd, bool is_read_only,
			       unsigned int queue_count, const uint8_t *serial);

#endif
