/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_INTERFACE_NETLINK_H
#define VHB_INTERFACE_NETLINK_H

#include <linux/types.h>

#include "device/device.h"

/**
 * DOC: the generic netlink family
 *
 * See <linux/vhost_bridge_netlink.h>. Answers come from the registry of devices,
 * without a device's or virtqueue's lock.
 */

/**
 * vhb_netlink_register() - be there for who watches
 *
 * Return: 0 or -errno.
 */
int vhb_netlink_register(void);

/**
 * vhb_netlink_unregister() - the reverse; no device is open any more
 */
void vhb_netlink_unregister(void);

/**
 * vhb_netlink_tell() - tell who listens of a state
 * @vq: locked when @news is a state
 * @news: what has happened; only states are told
 *
 * Does not sleep.
 */
void vhb_netlink_tell(const struct vhb_virtqueue *vq, enum vhb_news news);

#endif
