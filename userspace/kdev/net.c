// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/net_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kdev/vhost_ioctl.h"
#include "lib/log.h"

static unsigned int pair_of(unsigned int index)
{
	return index / 2;
}

/* The vhost descriptor of a front-end's vring, and the kernel's index in it */
static int vring_fd(const struct vhb_net *net, unsigned int index)
{
	return net->vhost_fds[pair_of(index)];
}

static unsigned int vring_index(unsigned int index)
{
	return index & 1;
}

static void reset_vhost(struct vhb_net *net, unsigned int pair)
{
	unsigned int index;
	int ret;

	if (!net->is_owned[pair])
		return;
	ret = vhb_vhost_reset_owner(net->vhost_fds[pair]);
	if (!ret) {
		net->is_owned[pair] = false;
		return;
	}
	vhb_warn("VHOST_RESET_OWNER for queue pair %u: %s", pair,
		 strerrordesc_np(-ret));
	/* What it runs on is about to be unmapped. */
	for (index = 2 * pair; index < 2 * pair + 2; index++)
		if (net->is_running[index])
			vhb_vhost_net_set_backend(vring_fd(net, index),
						  vring_index(index), -1);
	/* A given descriptor cannot be replaced: set_owner tries once more. */
	if (!net->vhost_path)
		return;
	close(net->vhost_fds[pair]);
	net->vhost_fds[pair] = -1;
	net->is_owned[pair] = false;
}

static int own_vhost(struct vhb_net *net, unsigned int pair)
{
	int ret;

	reset_vhost(net, pair);
	if (net->vhost_fds[pair] < 0) {
		ret = vhb_net_open_vhost(net, pair);
		if (ret)
			return ret;
	}
	ret = vhb_vhost_set_owner(net->vhost_fds[pair]);
	if (!ret)
		net->is_owned[pair] = true;
	return ret;
}

static int set_owner(struct vhb_kdev *kdev)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;
	int ret;

	if (net->is_owner)
		return -EBUSY;
	for (i = 0; i < net->pair_count; i++) {
		ret = own_vhost(net, i);
		if (ret)
			goto reset_owned;
	}
	net->is_owner = true;
	return 0;

reset_owned:
	while (i-- > 0)
		reset_vhost(net, i);
	return ret;
}

static void reset(struct vhb_kdev *kdev)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;

	for (i = 0; i < net->pair_count; i++) {
		reset_vhost(net, i);
		/* The first queue is attached when idle, as at the start. */
		vhb_tap_attach(&net->tap, i, i == 0);
	}
	memset(net->is_running, 0, sizeof(net->is_running));
	net->is_owner = false;
	vhb_tap_set_features(&net->tap, 0);
	memcpy(net->mac, net->own_mac, sizeof(net->mac));
	net->mtu = net->own_mtu;
}

static int set_features(struct vhb_kdev *kdev, uint64_t acked_mask)
{
	struct vhb_net *net = vhb_net_of(kdev);
	uint64_t kernel_mask =
		vhb_net_kernel_bits(acked_mask) & net->kernel_mask;
	unsigned int i;
	int ret;

	if (acked_mask & ~vhb_net_features(kdev))
		return -EINVAL;
	for (i = 0; i < net->pair_count; i++) {
		ret = vhb_vhost_set_features(net->vhost_fds[i], kernel_mask);
		if (ret)
			return ret;
	}
	return vhb_tap_set_features(&net->tap, acked_mask);
}

static int set_mem_table(struct vhb_kdev *kdev,
			 const struct vhost_memory *table)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;
	int ret;

	for (i = 0; i < net->pair_count; i++) {
		ret = vhb_vhost_set_mem_table(net->vhost_fds[i], table);
		if (ret)
			return ret;
	}
	return 0;
}

static int set_vring_num(struct vhb_kdev *kdev, unsigned int index,
			 uint32_t num)
{
	return vhb_vhost_set_vring_num(vring_fd(vhb_net_of(kdev), index),
				       vring_index(index), num);
}

static int set_vring_base(struct vhb_kdev *kdev, unsigned int index,
			  uint32_t base)
{
	return vhb_vhost_set_vring_base(vring_fd(vhb_net_of(kdev), index),
					vring_index(index), base);
}

static int set_vring_addr(struct vhb_kdev *kdev,
			  const struct vhost_vring_addr *addr)
{
	struct vhost_vring_addr kernel_addr = *addr;

	kernel_addr.index = vring_index(addr->index);
	return vhb_vhost_set_vring_addr(vring_fd(vhb_net_of(kdev), addr->index),
					&kernel_addr);
}

static int set_vring_kick(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	return vhb_vhost_set_vring_kick(vring_fd(vhb_net_of(kdev), index),
					vring_index(index), fd);
}

static int set_vring_call(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	return vhb_vhost_set_vring_call(vring_fd(vhb_net_of(kdev), index),
					vring_index(index), fd);
}

static int set_vring_err(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	return vhb_vhost_set_vring_err(vring_fd(vhb_net_of(kdev), index),
				       vring_index(index), fd);
}

/* A queue that nobody reads would swallow its share of the packets. */
static void detach_idle_pair(struct vhb_net *net, unsigned int pair)
{
	if (!net->is_running[2 * pair] && !net->is_running[2 * pair + 1])
		vhb_tap_attach(&net->tap, pair, false);
}

static int start_vring(struct vhb_kdev *kdev, unsigned int index)
{
	struct vhb_net *net = vhb_net_of(kdev);
	const unsigned int pair = pair_of(index);
	int ret;

	/* vhost would take a detached queue too, one that never gets a frame. */
	ret = vhb_tap_attach(&net->tap, pair, true);
	if (ret)
		return ret;
	ret = vhb_vhost_net_set_backend(vring_fd(net, index),
					vring_index(index),
					net->tap.fds[pair]);
	if (ret)
		detach_idle_pair(net, pair);
	else
		net->is_running[index] = true;
	return ret;
}

static int stop_vring(struct vhb_kdev *kdev, unsigned int index,
		      uint32_t *base_out)
{
	struct vhb_net *net = vhb_net_of(kdev);
	const int fd = vring_fd(net, index);
	int ret;

	/*
	 * Only where there is one: without a memory table the kernel refuses
	 * even to take the back-end away (EFAULT, seen in 6.1 to 6.12).
	 */
	if (net->is_running[index]) {
		ret = vhb_vhost_net_set_backend(fd, vring_index(index), -1);
		if (ret)
			return ret;
		net->is_running[index] = false;
	}
	detach_idle_pair(net, pair_of(index));
	return vhb_vhost_get_vring_base(fd, vring_index(index), base_out);
}

static void destroy(struct vhb_kdev *kdev)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;

	for (i = 0; i < net->pair_count; i++) {
		if (net->vhost_fds[i] >= 0)
			close(net->vhost_fds[i]);
	}
	vhb_tap_close(&net->tap);
	free(net->vhost_path);
	free(net);
}

const struct vhb_kdev_ops vhb_net_ops = {
	.name = "net",
	.features = vhb_net_features,
	.protocol_features = vhb_net_protocol_features,
	.set_owner = set_owner,
	.reset = reset,
	.set_features = set_features,
	.set_mem_table = set_mem_table,
	.set_vring_num = set_vring_num,
	.set_vring_base = set_vring_base,
	.set_vring_addr = set_vring_addr,
	.set_vring_kick = set_vring_kick,
	.set_vring_call = set_vring_call,
	.set_vring_err = set_vring_err,
	.start_vring = start_vring,
	.stop_vring = stop_vring,
	.get_config = vhb_net_get_config,
	.set_config = vhb_net_set_config,
	.set_mtu = vhb_net_set_mtu,
	.save_state = vhb_net_save_state,
	.load_state = vhb_net_load_state,
	.destroy = destroy,
};
