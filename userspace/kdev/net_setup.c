// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/net_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_net.h>

#include "kdev/module.h"
#include "kdev/vhost_ioctl.h"
#include "lib/bits.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "netlink/link.h"

/* Of a front-end: kick, call and error descriptor, and our relay of calls */
#define FDS_EACH_VRING 4
/* Sockets, the loop, what one message brings, and some to spare */
#define FDS_BESIDES 64

/* The module behind a device node: one of ours or the kernel's own */
static const char *module_of(const char *vhost_path)
{
	return strstr(vhost_path, "vhost-bridge") ? "vhost_bridge" :
						    "vhost_net";
}

int vhb_net_open_vhost(struct vhb_net *net, unsigned int vhost)
{
	int fd = vhb_kdev_open(net->vhost_path, module_of(net->vhost_path));

	if (fd < 0)
		return fd;
	net->vhost_fds[vhost] = fd;
	return 0;
}

/*
 * Other vhost devices answer VHOST_GET_FEATURES too, but only a network device
 * has ever known mergeable receive buffers.
 */
static int check_vhost(struct vhb_net *net, unsigned int vhost)
{
	const int fd = net->vhost_fds[vhost];
	uint64_t mask;
	int ret;

	ret = vhb_vhost_get_features(fd, &mask);
	if (ret || !vhb_has_bit(mask, VIRTIO_NET_F_MRG_RXBUF)) {
		if (net->vhost_path)
			vhb_err("%s is no vhost-net", net->vhost_path);
		else
			vhb_err("descriptor %d is no vhost-net%s%s", fd,
				ret ? ": " : "",
				ret ? strerrordesc_np(-ret) : "");
		return ret && ret != -ENOTTY ? ret : -EINVAL;
	}
	net->kernel_mask &= mask;
	return 0;
}

/* As with taps: close once what is in the list twice. */
static int refuse_twins(struct vhb_net *net)
{
	unsigned int i, k;

	for (i = 1; i < net->vhost_count; i++) {
		for (k = 0; k < i; k++) {
			if (net->vhost_fds[i] != net->vhost_fds[k])
				continue;
			vhb_err("descriptor %d is given twice",
				net->vhost_fds[i]);
			net->vhost_fds[i] = -1;
			return -EINVAL;
		}
	}
	return 0;
}

static int open_vhosts(struct vhb_net *net, const struct vhb_net_config *config)
{
	unsigned int i;
	int ret;

	if (!config->vhost_fd_count) {
		net->vhost_path = strdup(config->vhost_path);
		if (!net->vhost_path)
			return -ENOMEM;
	} else {
		ret = refuse_twins(net);
		if (ret)
			return ret;
	}

	net->kernel_mask = UINT64_MAX;
	for (i = 0; i < net->vhost_count; i++) {
		if (net->vhost_path) {
			ret = vhb_net_open_vhost(net, i);
			if (ret)
				return ret;
		}
		ret = check_vhost(net, i);
		if (ret)
			return ret;
	}
	return 0;
}

static int join_bridge(const struct vhb_net *net, const struct vhb_link *link,
		       const char *name)
{
	const char *tap_name = net->tap.name;
	struct vhb_link bridge;
	int ret;

	ret = vhb_link_get(name, &bridge);
	if (ret == -ENODEV) {
		vhb_err("bridge %s does not exist: do 'ip link add %s type bridge && ip link set %s up'",
			name, name, name);
		return ret;
	}
	if (ret) {
		vhb_err("bridge %s: %s", name, strerrordesc_np(-ret));
		return ret;
	}
	if (!bridge.is_bridge) {
		vhb_err("interface %s is not a bridge: choose another --bridge",
			name);
		return -EINVAL;
	}
	if (link->master_ifindex == bridge.ifindex)
		return 0;

	ret = vhb_link_set_master(net->tap.ifindex, bridge.ifindex);
	if (ret == -EPERM)
		vhb_err("tap %s may not be put into bridge %s: run with CAP_NET_ADMIN, or do 'ip link set %s master %s' before",
			tap_name, name, tap_name, name);
	else if (ret)
		vhb_err("tap %s does not go into bridge %s: %s", tap_name, name,
			strerrordesc_np(-ret));
	return ret;
}

static int set_mtu(struct vhb_net *net, unsigned int mtu)
{
	const char *name = net->tap.name;
	int ret = vhb_link_set_mtu(net->tap.ifindex, mtu);

	/* Larger than the guest's is as good; only that cannot be changed. */
	if (ret == -EPERM && net->mtu >= mtu)
		ret = 0;
	if (ret == -EINVAL)
		vhb_err("tap %s does not take an MTU of %u: choose another --mtu",
			name, mtu);
	else if (ret == -EPERM)
		vhb_err("MTU of tap %s may not be changed: run with CAP_NET_ADMIN, or do 'ip link set %s mtu %u' before",
			name, name, mtu);
	else if (ret)
		vhb_err("MTU of tap %s cannot be set to %u: %s", name, mtu,
			strerrordesc_np(-ret));
	else
		net->mtu = mtu;
	return ret;
}

static int set_up(const struct vhb_net *net, const struct vhb_link *link)
{
	const char *name = net->tap.name;
	int ret;

	if (link->flags & IFF_UP)
		return 0;
	ret = vhb_link_set_up(net->tap.ifindex);
	if (ret == -EPERM)
		vhb_err("tap %s is down and may not be set up: run with CAP_NET_ADMIN, or do 'ip link set %s up' before",
			name, name);
	else if (ret)
		vhb_err("tap %s does not go up: %s", name,
			strerrordesc_np(-ret));
	return ret;
}

static int set_up_link(struct vhb_net *net, const struct vhb_net_config *config)
{
	const char *name = net->tap.name;
	struct vhb_link link;
	int ret;

	if (!net->tap.ifindex) {
		if (config->mtu || config->bridge_name) {
			vhb_err("tap %s is not in this network namespace: set its MTU and bridge there, not here",
				name);
			return -ENODEV;
		}
		vhb_info("tap %s is not in this network namespace: it must be up there",
			 name);
		return 0;
	}

	ret = vhb_link_get(name, &link);
	if (ret) {
		vhb_err("tap %s: %s", name, strerrordesc_np(-ret));
		return ret;
	}
	net->mtu = link.mtu > UINT16_MAX ? UINT16_MAX : link.mtu;

	if (config->mtu && config->mtu != link.mtu) {
		ret = set_mtu(net, config->mtu);
		if (ret)
			return ret;
	}
	net->mtu_limit = config->mtu;
	net->own_mtu = net->mtu;
	if (config->bridge_name) {
		ret = join_bridge(net, &link, config->bridge_name);
		if (ret)
			return ret;
	}
	return set_up(net, &link);
}

/*
 * Said now, and not when a front-end has set up half of its vrings: what it sends
 * besides is the kick, call and error descriptor of each.
 */
static int check_limit(const struct vhb_net_config *config)
{
	const unsigned int vring_count = 2 * config->queue_pairs + 1;
	const unsigned int needed = config->queue_pairs +
				    vhb_net_vhost_count(config) +
				    FDS_EACH_VRING * vring_count + FDS_BESIDES;
	const uint64_t limit = vhb_fd_raise_limit();

	if (needed <= limit)
		return 0;
	vhb_err("%u queue pairs take up to %u descriptors, this process may have %llu: raise the limit ('ulimit -n %u', or LimitNOFILE= of a systemd unit), or use fewer --queue-pairs",
		config->queue_pairs, needed, (unsigned long long)limit, needed);
	return -EMFILE;
}

static int check_counts(const struct vhb_net_config *config)
{
	const unsigned int pairs = config->queue_pairs;

	if (!pairs || pairs > VHB_NET_QUEUE_PAIRS_MAX) {
		vhb_err("%u queue pairs: 1 to %u are possible", pairs,
			VHB_NET_QUEUE_PAIRS_MAX);
		return -EINVAL;
	}
	if (config->vhost_fd_count &&
	    config->vhost_fd_count != vhb_net_vhost_count(config)) {
		vhb_err("%u vhost descriptors for %u queue pairs, %u are needed",
			config->vhost_fd_count, pairs,
			vhb_net_vhost_count(config));
		return -EINVAL;
	}
	if (config->tap_fd_count && config->tap_fd_count != pairs) {
		vhb_err("%u tap descriptors for %u queue pairs",
			config->tap_fd_count, pairs);
		return -EINVAL;
	}
	return check_limit(config);
}

static void close_all(const int *fds, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		close(fds[i]);
}

static struct vhb_net *alloc_net(const struct vhb_net_config *config)
{
	struct vhb_net *net = calloc(1, sizeof(*net));
	unsigned int i;

	if (!net)
		return NULL;
	net->kdev.ops = &vhb_net_ops;
	/* And the control queue, whose front-end may leave it to us */
	net->kdev.vring_count = 2 * config->queue_pairs + 1;
	vhb_net_control_init(net);
	/*
	 * vhost-net ends its turn with all it took in the used ring, and when it
	 * is stopped or closed it waits for packets sent without a copy.
	 */
	net->kdev.keeps_nothing = !config->trust_base;
	net->pair_count = config->queue_pairs;
	net->vhost_count = vhb_net_vhost_count(config);
	net->poll_us = config->poll_us;
	for (i = 0; i < VHB_ARRAY_COUNT(net->vhost_fds); i++)
		net->vhost_fds[i] = i < config->vhost_fd_count ?
				    config->vhost_fds[i] : -1;
	if (config->has_mac) {
		net->has_mac = true;
		memcpy(net->own_mac, config->mac, sizeof(net->own_mac));
		memcpy(net->mac, config->mac, sizeof(net->mac));
	}
	return net;
}

int vhb_net_create(const struct vhb_net_config *config,
		   struct vhb_kdev **kdev_out)
{
	struct vhb_net *net;
	int ret;

	ret = check_counts(config);
	if (ret)
		goto close_given;
	net = alloc_net(config);
	if (!net) {
		ret = -ENOMEM;
		goto close_given;
	}

	/* Whatever happens, the tap closes the descriptors it was given. */
	if (config->tap_fd_count)
		ret = vhb_tap_adopt(&net->tap, config->tap_fds,
				    config->tap_fd_count);
	else
		ret = vhb_tap_open(&net->tap, config->tap_name,
				   config->queue_pairs);
	if (ret)
		goto destroy_net;
	ret = open_vhosts(net, config);
	if (ret)
		goto destroy_net;
	ret = set_up_link(net, config);
	if (ret)
		goto destroy_net;

	*kdev_out = &net->kdev;
	return 0;

destroy_net:
	net->kdev.ops->destroy(&net->kdev);
	return ret;
close_given:
	close_all(config->vhost_fds, config->vhost_fd_count);
	close_all(config->tap_fds, config->tap_fd_count);
	return ret;
}
