// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/blk_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <linux/virtio_ids.h>

#include "kdev/blk_file.h"
#include "kdev/bridge_ioctl.h"
#include "kdev/module.h"
#include "kdev/vhost_ioctl.h"
#include "lib/log.h"

static_assert(VHB_BLK_SERIAL_BYTES == VHOST_BRIDGE_BLK_SERIAL_BYTES,
	      "virtio's and so the module's");

static const char *device_name(const struct vhb_blk *blk)
{
	return blk->vhost_path ? blk->vhost_path : "the --vhost-fd";
}

/* Other vhost devices do not know the request. */
static int check_device(const struct vhb_blk *blk)
{
	const char *name = device_name(blk);
	struct vhost_bridge_info info;
	int ret;

	ret = vhb_bridge_get_info(blk->vhost_fd, &info);
	if (ret == -EINVAL || (!ret && info.abi != VHOST_BRIDGE_ABI)) {
		vhb_err("%s is of another release of module vhost_bridge%s%s: load the one of %s",
			name, ret ? "" : ", ", ret ? "" : info.version,
			VHOST_BRIDGE_VERSION);
		return -EPROTO;
	}
	if (ret || info.virtio_id != VIRTIO_ID_BLOCK) {
		vhb_err("%s is no block device of module vhost_bridge: use /dev/vhost-bridge-blk",
			name);
		return -EINVAL;
	}
	if (blk->kdev.vring_count > info.vring_count_max) {
		vhb_err("%s can have %u virtqueues, not %u: choose a smaller --num-queues",
			name, info.vring_count_max, blk->kdev.vring_count);
		return -EINVAL;
	}
	return 0;
}

static int own(struct vhb_blk *blk)
{
	int ret = vhb_vhost_set_owner(blk->vhost_fd);

	if (ret == -EBUSY)
		vhb_err("%s is in use by another process: pass a new descriptor, or none",
			device_name(blk));
	else if (ret)
		vhb_err("VHOST_SET_OWNER on %s: %s", device_name(blk),
			strerrordesc_np(-ret));
	else
		blk->is_owned = true;
	return ret;
}

static int set_backing(struct vhb_blk *blk)
{
	int ret = vhb_bridge_blk_set_backing(blk->vhost_fd, blk->file_fd,
					     blk->is_read_only,
					     blk->kdev.vring_count,
					     blk->serial);

	if (ret)
		vhb_err("module vhost_bridge does not take the --blk-file (%s): choose another",
			strerrordesc_np(-ret));
	else
		blk->has_backing = true;
	return ret;
}

int vhb_blk_own(struct vhb_blk *blk)
{
	int ret = 0;

	if (blk->vhost_fd < 0) {
		ret = vhb_kdev_open(blk->vhost_path, "vhost_bridge");
		if (ret < 0)
			return ret;
		blk->vhost_fd = ret;
		ret = 0;
	}
	if (!blk->has_backing)
		ret = check_device(blk);
	if (!ret && !blk->is_owned)
		ret = own(blk);
	if (!ret && !blk->has_backing)
		ret = set_backing(blk);
	return ret;
}

/* The file first: what is wrong with it can be told without the module. */
static int set_up(struct vhb_blk *blk, const struct vhb_blk_config *config)
{
	int ret;

	blk->silent_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (blk->silent_fd < 0) {
		ret = -errno;
		vhb_err("eventfd: %s", strerrordesc_np(-ret));
		return ret;
	}
	ret = vhb_blk_file_open(config->file_path, config->is_read_only,
				config->is_shared);
	if (ret < 0)
		return ret;
	blk->file_fd = ret;
	ret = vhb_blk_own(blk);
	if (ret)
		return ret;
	ret = vhb_vhost_get_features(blk->vhost_fd, &blk->kernel_mask);
	if (ret)
		vhb_err("VHOST_GET_FEATURES of %s: %s", device_name(blk),
			strerrordesc_np(-ret));
	return ret;
}

static struct vhb_blk *alloc_blk(const struct vhb_blk_config *config)
{
	struct vhb_blk *blk = calloc(1, sizeof(*blk));

	if (!blk)
		return NULL;
	blk->kdev.ops = &vhb_blk_ops;
	blk->kdev.vring_count = config->queue_count;
	blk->vhost_fd = config->vhost_fd;
	blk->file_fd = -1;
	blk->silent_fd = -1;
	blk->is_read_only = config->is_read_only;
	blk->poll_us = config->poll_us;
	memcpy(blk->serial, config->serial, sizeof(blk->serial));
	if (!config->vhost_path)
		return blk;
	blk->vhost_path = strdup(config->vhost_path);
	if (blk->vhost_path)
		return blk;
	free(blk);
	return NULL;
}

int vhb_blk_create(const struct vhb_blk_config *config,
		   struct vhb_kdev **kdev_out)
{
	struct vhb_blk *blk;
	int ret;

	blk = alloc_blk(config);
	if (!blk) {
		if (config->vhost_fd >= 0)
			close(config->vhost_fd);
		return -ENOMEM;
	}
	ret = set_up(blk, config);
	if (ret) {
		blk->kdev.ops->destroy(&blk->kdev);
		return ret;
	}
	*kdev_out = &blk->kdev;
	return 0;
}
