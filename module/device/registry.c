// SPDX-License-Identifier: GPL-2.0-only
#include "device/registry.h"

#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/xarray.h>

#include "device/device.h"

static DEFINE_MUTEX(registry_lock);
static DEFINE_XARRAY_ALLOC1(devices);
/* A number is not given to another device at once: it might be taken for this. */
static u32 next_id;

int vhb_registry_add(struct vhb_device *device)
{
	int ret;

	mutex_lock(&registry_lock);
	ret = xa_alloc_cyclic(&devices, &device->id, device,
			      XA_LIMIT(1, INT_MAX), &next_id, GFP_KERNEL);
	mutex_unlock(&registry_lock);
	return ret < 0 ? ret : 0;
}

void vhb_registry_remove(struct vhb_device *device)
{
	mutex_lock(&registry_lock);
	xa_erase(&devices, device->id);
	mutex_unlock(&registry_lock);
}

void vhb_registry_set_owner(struct vhb_device *device, struct pid *owner)
{
	struct pid *old;

	mutex_lock(&registry_lock);
	old = device->owner;
	device->owner = owner;
	mutex_unlock(&registry_lock);
	put_pid(old);
}

void vhb_registry_lock(void)
{
	mutex_lock(&registry_lock);
}

void vhb_registry_unlock(void)
{
	mutex_unlock(&registry_lock);
}

struct vhb_device *vhb_registry_from(unsigned long id)
{
	lockdep_assert_held(&registry_lock);
	return xa_find(&devices, &id, ULONG_MAX, XA_PRESENT);
}
