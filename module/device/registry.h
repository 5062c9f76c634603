/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_DEVICE_REGISTRY_H
#define VHB_DEVICE_REGISTRY_H

#include <linux/types.h>

struct pid;
struct vhb_device;

/**
 * DOC: all open devices
 *
 * For who watches. The registry's lock is taken with a device's lock held and
 * none is taken under it, so to look at a device never waits for one that is
 * busy: what may change meanwhile is read with READ_ONCE(). A device does not go
 * as long as the lock is held.
 */

/**
 * vhb_registry_add() - a device is open
 * @device: gets its @id; found from now on
 *
 * Return: 0 or -errno.
 */
int vhb_registry_add(struct vhb_device *device);

/**
 * vhb_registry_remove() - it is not found any more, and nobody looks at it
 * @device: was added
 */
void vhb_registry_remove(struct vhb_device *device);

/**
 * vhb_registry_set_owner() - a device has another owner
 * @device: locked
 * @owner: a reference that is taken over, or NULL
 */
void vhb_registry_set_owner(struct vhb_device *device, struct pid *owner);

/**
 * vhb_registry_lock() - keep all devices, and their owners' numbers
 */
void vhb_registry_lock(void);

/**
 * vhb_registry_unlock() - the reverse
 */
void vhb_registry_unlock(void);

/**
 * vhb_registry_from() - look for devices, the registry locked
 * @id: where to begin
 *
 * Return: the device with this number, else the next one; NULL when there are no
 * more.
 */
struct vhb_device *vhb_registry_from(unsigned long id);

#endif
