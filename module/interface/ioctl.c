// SPDX-License-Identifier: GPL-2.0-only
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>
#include <linux/vhost_bridge.h>

#include "device/device.h"
#include "interface/interface.h"

static long get_info(struct vhb_device *device, unsigned long argument)
{
	struct vhost_bridge_info __user *user = (void __user *)argument;
	struct vhost_bridge_info info;

	if (copy_from_user(&info, user, sizeof(info)))
		return -EFAULT;
	if (info.size_bytes != sizeof(info) ||
	    memchr_inv(info.reserved, 0, sizeof(info.reserved)))
		return -EINVAL;
	info = (struct vhost_bridge_info){
		.size_bytes = sizeof(info),
		.abi = VHOST_BRIDGE_ABI,
		.virtio_id = device->personality->virtio_id,
		.vring_count_max = device->personality->virtqueue_count_max,
		.version = VHOST_BRIDGE_VERSION,
	};
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static long get_features(struct vhb_device *device, unsigned long argument)
{
	const u64 features = vhb_device_features(device);

	return put_user(features, (u64 __user *)argument);
}

static long set_owner(struct vhb_device *device, unsigned long argument)
{
	return vhb_device_set_owner(device);
}

static long reset_owner(struct vhb_device *device, unsigned long argument)
{
	vhb_device_reset_owner(device);
	return 0;
}

static long set_features(struct vhb_device *device, unsigned long argument)
{
	u64 features;

	if (get_user(features, (u64 __user *)argument))
		return -EFAULT;
	return vhb_device_set_features(device, features);
}

/* Which version of its messages the owner can read */
static long get_backend_features(struct vhb_device *device,
				 unsigned long argument)
{
	const u64 features = BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2);

	return copy_to_user((void __user *)argument, &features,
			    sizeof(features)) ? -EFAULT : 0;
}

static long set_backend_features(struct vhb_device *device,
				 unsigned long argument)
{
	u64 features;

	if (copy_from_user(&features, (const void __user *)argument,
			   sizeof(features)))
		return -EFAULT;
	if (features & ~BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2))
		return -EOPNOTSUPP;
	WRITE_ONCE(device->backend_features, features);
	return 0;
}

static long set_mem_table(struct vhb_device *device, unsigned long argument)
{
	struct vhb_table *table;
	int ret;

	ret = vhb_table_create((const void __user *)argument, &table);
	if (ret)
		return ret;
	return vhb_device_set_table(device, table);
}

static long set_log_base(struct vhb_device *device, unsigned long argument)
{
	u64 base;

	if (copy_from_user(&base, (const void __user *)argument, sizeof(base)))
		return -EFAULT;
	return vhb_device_set_log_base(device, base);
}

static long set_log_fd(struct vhb_device *device, unsigned long argument)
{
	struct eventfd_ctx *call = NULL;
	int fd;

	if (copy_from_user(&fd, (const void __user *)argument, sizeof(fd)))
		return -EFAULT;
	if (fd != -1) {
		call = eventfd_ctx_fdget(fd);
		if (IS_ERR(call))
			return PTR_ERR(call);
	}
	vhb_device_set_log_call(device, call);
	return 0;
}

/* Reads and checks the argument of the configuration space's requests. */
static int take_config(unsigned long argument,
		       struct vhost_bridge_config *config)
{
	if (copy_from_user(config, (const void __user *)argument,
			   sizeof(*config)))
		return -EFAULT;
	if (config->size_bytes != sizeof(*config) || config->reserved)
		return -EINVAL;
	if (config->offset_bytes > VHB_CONFIG_BYTES ||
	    config->length_bytes > VHB_CONFIG_BYTES - config->offset_bytes)
		return -EINVAL;
	return 0;
}

static long get_config(struct vhb_device *device, unsigned long argument)
{
	u8 space[VHB_CONFIG_BYTES] = {};
	struct vhost_bridge_config config;
	int ret;

	ret = take_config(argument, &config);
	if (ret)
		return ret;
	if (device->personality->get_config)
		device->personality->get_config(device, space);
	if (copy_to_user(u64_to_user_ptr(config.data_addr),
			 space + config.offset_bytes, config.length_bytes))
		return -EFAULT;
	return 0;
}

static long set_config(struct vhb_device *device, unsigned long argument)
{
	struct vhost_bridge_config config;
	u8 data[VHB_CONFIG_BYTES];
	int ret;

	ret = take_config(argument, &config);
	if (ret)
		return ret;
	if (copy_from_user(data, u64_to_user_ptr(config.data_addr),
			   config.length_bytes))
		return -EFAULT;
	if (!device->personality->set_config)
		return -EACCES;
	return device->personality->set_config(device, config.offset_bytes,
					       config.length_bytes, data);
}

/**
 * struct request_row - a request
 * @command: its number
 * @needs_owner: only the owner may
 * @function: device lock held
 */
struct request_row {
	unsigned int command;
	bool needs_owner;
	long (*function)(struct vhb_device *device, unsigned long argument);
};

static const struct request_row rows[] = {
	{ VHOST_BRIDGE_GET_INFO, false, get_info },
	{ VHOST_GET_FEATURES, false, get_features },
	{ VHOST_SET_OWNER, false, set_owner },
	{ VHOST_RESET_OWNER, true, reset_owner },
	{ VHOST_SET_FEATURES, true, set_features },
	{ VHOST_GET_BACKEND_FEATURES, false, get_backend_features },
	{ VHOST_SET_BACKEND_FEATURES, true, set_backend_features },
	{ VHOST_SET_MEM_TABLE, true, set_mem_table },
	{ VHOST_SET_LOG_BASE, true, set_log_base },
	{ VHOST_SET_LOG_FD, true, set_log_fd },
	{ VHOST_BRIDGE_GET_CONFIG, false, get_config },
	{ VHOST_BRIDGE_SET_CONFIG, true, set_config },
};

static long carry_out(struct vhb_device *device, unsigned int command,
		      unsigned long argument)
{
	unsigned int i;
	long ret;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].command != command)
			continue;
		if (rows[i].needs_owner) {
			ret = vhb_device_check_owner(device);
			if (ret)
				return ret;
		}
		return rows[i].function(device, argument);
	}
	ret = vhb_vring_ioctl(device, command, argument);
	if (ret == -ENOTTY && device->personality->ioctl)
		ret = device->personality->ioctl(device, command, argument);
	return ret;
}

long vhb_ioctl(struct vhb_device *device, unsigned int command,
	       unsigned long argument)
{
	long ret;

	if (mutex_lock_interruptible(&device->lock))
		return -EINTR;
	ret = carry_out(device, command, argument);
	mutex_unlock(&device->lock);
	return ret;
}
