// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/bridge_ioctl.h"

#include <errno.h>
#include <string.h>

#include <sys/ioctl.h>

#include "kdev/ioctl_trace.h"
#include "lib/trace.h"

static int bridge_ioctl(int fd, unsigned long request, const void *argument)
{
	int ret = ioctl(fd, request, argument) < 0 ? -errno : 0;

	if (vhb_trace_enabled())
		vhb_ioctl_trace(fd, request, argument, ret);
	return ret;
}

int vhb_bridge_get_info(int fd, struct vhost_bridge_info *info)
{
	int ret;

	*info = (struct vhost_bridge_info){ .size_bytes = sizeof(*info) };
	ret = bridge_ioctl(fd, VHOST_BRIDGE_GET_INFO, info);
	info->version[sizeof(info->version) - 1] = '\0';
	return ret;
}

int vhb_bridge_start_vring(int fd, unsigned int index, uint64_t slot_addr)
{
	const struct vhost_bridge_vring vring = {
		.size_bytes = sizeof(vring),
		.index = index,
		.base_addr = slot_addr,
	};

	return bridge_ioctl(fd, VHOST_BRIDGE_START_VRING, &vring);
}

int vhb_bridge_stop_vring(int fd, unsigned int index)
{
	const struct vhost_bridge_vring vring = {
		.size_bytes = sizeof(vring),
		.index = index,
		.flags = VHOST_BRIDGE_VRING_GIVE_UP,
	};
	int ret;

	do {
		ret = bridge_ioctl(fd, VHOST_BRIDGE_STOP_VRING, &vring);
	} while (ret == -EINTR);
	return ret;
}

int vhb_bridge_get_vring_status(int fd, unsigned int index,
				struct vhost_bridge_vring_status *status)
{
	*status = (struct vhost_bridge_vring_status){
		.size_bytes = sizeof(*status),
		.index = index,
	};
	return bridge_ioctl(fd, VHOST_BRIDGE_GET_VRING_STATUS, status);
}

static int access_config(int fd, unsigned long request, uint32_t offset_bytes,
			 uint32_t size_bytes, const void *data)
{
	const struct vhost_bridge_config config = {
		.size_bytes = sizeof(config),
		.offset_bytes = offset_bytes,
		.length_bytes = size_bytes,
		.data_addr = (uintptr_t)data,
	};

	return bridge_ioctl(fd, request, &config);
}

int vhb_bridge_get_config(int fd, uint32_t offset_bytes, uint32_t size_bytes,
			  uint8_t *data)
{
	return access_config(fd, VHOST_BRIDGE_GET_CONFIG, offset_bytes,
			     size_bytes, data);
}

int vhb_bridge_set_config(int fd, uint32_t offset_bytes, uint32_t size_bytes,
			  const uint8_t *data)
{
	return access_config(fd, VHOST_BRIDGE_SET_CONFIG, offset_bytes,
			     size_bytes, data);
}

int vhb_bridge_blk_set_backing(int fd, int file_fd, bool is_read_only,
			       unsigned int queue_count, const uint8_t *serial)
{
	struct vhost_bridge_blk_backing backing = {
		.size_bytes = sizeof(backing),
		.fd = file_fd,
		.flags = is_read_only ? VHOST_BRIDGE_BLK_READ_ONLY : 0,
		.vring_count = queue_count,
	};

	memcpy(backing.serial, serial, sizeof(backing.serial));
	return bridge_ioctl(fd, VHOST_BRIDGE_BLK_SET_BACKING, &backing);
}
