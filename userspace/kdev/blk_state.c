// SPDX-License-Identifier: GPL-2.0-or-later
/* What a driver has changed in a block device: the write cache mode. */
#include <errno.h>
#include <stddef.h>

#include <linux/virtio_blk.h>

#include "kdev/blk_private.h"

#define WCE_OFFSET offsetof(struct virtio_blk_config, wce)

int vhb_blk_save_state(struct vhb_kdev *kdev, uint8_t *data)
{
	int ret = kdev->ops->get_config(kdev, WCE_OFFSET, 1, data);

	return ret ? ret : 1;
}

/* The module judges the mode. */
int vhb_blk_load_state(struct vhb_kdev *kdev, const uint8_t *data,
		       size_t size_bytes)
{
	if (size_bytes != 1)
		return -EINVAL;
	return kdev->ops->set_config(kdev, WCE_OFFSET, 1, data);
}
