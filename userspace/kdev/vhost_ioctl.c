// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/vhost_ioctl.h"

#include <errno.h>
#include <stddef.h>

#include <sys/ioctl.h>

#include <linux/vhost.h>

#include "kdev/ioctl_trace.h"
#include "lib/trace.h"

static int vhost_ioctl(int fd, unsigned long request, const void *argument)
{
	int ret = ioctl(fd, request, argument) < 0 ? -errno : 0;

	if (vhb_trace_enabled())
		vhb_ioctl_trace(fd, request, argument, ret);
	return ret;
}

static int set_vring_state(int fd, unsigned long request, unsigned int index,
			   uint32_t num)
{
	const struct vhost_vring_state state = { .index = index, .num = num };

	return vhost_ioctl(fd, request, &state);
}

static int set_vring_file(int fd, unsigned long request, unsigned int index,
			  int file_fd)
{
	const struct vhost_vring_file file = { .index = index, .fd = file_fd };

	return vhost_ioctl(fd, request, &file);
}

int vhb_vhost_set_owner(int fd)
{
	return vhost_ioctl(fd, VHOST_SET_OWNER, NULL);
}

int vhb_vhost_reset_owner(int fd)
{
	return vhost_ioctl(fd, VHOST_RESET_OWNER, NULL);
}

static int get_mask(int fd, unsigned long request, uint64_t *mask_out)
{
	__u64 mask = 0;
	int ret;

	ret = vhost_ioctl(fd, request, &mask);
	if (!ret)
		*mask_out = mask;
	return ret;
}

int vhb_vhost_get_features(int fd, uint64_t *mask_out)
{
	return get_mask(fd, VHOST_GET_FEATURES, mask_out);
}

int vhb_vhost_set_features(int fd, uint64_t mask)
{
	const __u64 features = mask;

	return vhost_ioctl(fd, VHOST_SET_FEATURES, &features);
}

int vhb_vhost_get_backend_features(int fd, uint64_t *mask_out)
{
	return get_mask(fd, VHOST_GET_BACKEND_FEATURES, mask_out);
}

int vhb_vhost_set_backend_features(int fd, uint64_t mask)
{
	const __u64 features = mask;

	return vhost_ioctl(fd, VHOST_SET_BACKEND_FEATURES, &features);
}

int vhb_vhost_set_mem_table(int fd, const struct vhost_memory *table)
{
	return vhost_ioctl(fd, VHOST_SET_MEM_TABLE, table);
}

int vhb_vhost_set_log_base(int fd, uint64_t address)
{
	const __u64 base = address;

	return vhost_ioctl(fd, VHOST_SET_LOG_BASE, &base);
}

int vhb_vhost_set_log_fd(int fd, int eventfd)
{
	return vhost_ioctl(fd, VHOST_SET_LOG_FD, &eventfd);
}

int vhb_vhost_set_vring_num(int fd, unsigned int index, uint32_t num)
{
	return set_vring_state(fd, VHOST_SET_VRING_NUM, index, num);
}

int vhb_vhost_set_vring_base(int fd, unsigned int index, uint32_t base)
{
	return set_vring_state(fd, VHOST_SET_VRING_BASE, index, base);
}

int vhb_vhost_get_vring_base(int fd, unsigned int index, uint32_t *base_out)
{
	struct vhost_vring_state state = { .index = index };
	int ret;

	ret = vhost_ioctl(fd, VHOST_GET_VRING_BASE, &state);
	if (!ret)
		*base_out = state.num;
	return ret;
}

int vhb_vhost_set_vring_addr(int fd, const struct vhost_vring_addr *addr)
{
	return vhost_ioctl(fd, VHOST_SET_VRING_ADDR, addr);
}

int vhb_vhost_set_vring_kick(int fd, unsigned int index, int eventfd)
{
	return set_vring_file(fd, VHOST_SET_VRING_KICK, index, eventfd);
}

int vhb_vhost_set_vring_call(int fd, unsigned int index, int eventfd)
{
	return set_vring_file(fd, VHOST_SET_VRING_CALL, index, eventfd);
}

int vhb_vhost_set_vring_err(int fd, unsigned int index, int eventfd)
{
	return set_vring_file(fd, VHOST_SET_VRING_ERR, index, eventfd);
}

int vhb_vhost_set_vring_poll_us(int fd, unsigned int index, uint32_t poll_us)
{
	return set_vring_state(fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, index,
			       poll_us);
}

int vhb_vhost_net_set_backend(int fd, unsigned int index, int backend_fd)
{
	return set_vring_file(fd, VHOST_NET_SET_BACKEND, index, backend_fd);
}
