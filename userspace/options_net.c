// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/bits.h"
#include "option_row.h"
#include "option_values.h"

/* What the virtio specification allows */
#define MTU_MIN 68
#define MTU_MAX 65535

static int take_interface(struct vhb_parse *parse, const char *option,
			  const char *value, const char **name_out)
{
	if (!vhb_value_is_interface_name(value))
		return vhb_usage(parse, "--%s=%s is no interface name", option,
				 value);
	*name_out = value;
	return 0;
}

static int take_tap(struct vhb_parse *parse, const char *value)
{
	return take_interface(parse, "tap", value,
			      &parse->options->net.tap_name);
}

static int take_bridge(struct vhb_parse *parse, const char *value)
{
	return take_interface(parse, "bridge", value,
			      &parse->options->net.bridge_name);
}

static int take_fds(struct vhb_parse *parse, const char *option, const char *value,
		    int *fds, unsigned int most, unsigned int *count_out)
{
	switch (vhb_value_fds(value, fds, most, count_out)) {
	case 0:
		return 0;
	case -E2BIG:
		return vhb_usage(parse, "--%s takes at most %u descriptors",
				 option, most);
	case -EEXIST:
		return vhb_usage(parse, "--%s=%s names a descriptor twice", option,
				 value);
	default:
		return vhb_usage(parse,
				 "--%s=%s is no list of descriptor numbers, such as 3 or 3,4",
				 option, value);
	}
}

static int take_tap_fd(struct vhb_parse *parse, const char *value)
{
	struct vhb_net_config *net = &parse->options->net;

	return take_fds(parse, "tap-fd", value, net->tap_fds,
			VHB_ARRAY_COUNT(net->tap_fds), &net->tap_fd_count);
}

static int take_vhost_fd(struct vhb_parse *parse, const char *value)
{
	struct vhb_net_config *net = &parse->options->net;

	return take_fds(parse, "vhost-fd", value, net->vhost_fds,
			VHB_ARRAY_COUNT(net->vhost_fds), &net->vhost_fd_count);
}

static int take_vhost_device(struct vhb_parse *parse, const char *value)
{
	if (!*value)
		return vhb_usage(parse, "--vhost-device needs a path, such as /dev/vhost-net");
	parse->options->net.vhost_path = value;
	return 0;
}

static int take_queue_pairs(struct vhb_parse *parse, const char *value)
{
	uint64_t pairs;

	if (vhb_value_number(value, 1, VHB_NET_QUEUE_PAIRS_MAX, &pairs))
		return vhb_usage(parse, "--queue-pairs=%s is not a number from 1 to %d",
				 value, VHB_NET_QUEUE_PAIRS_MAX);
	parse->options->net.queue_pairs = pairs;
	return 0;
}

static int take_mac(struct vhb_parse *parse, const char *value)
{
	struct vhb_net_config *net = &parse->options->net;

	switch (vhb_value_mac(value, net->mac)) {
	case 0:
		net->has_mac = true;
		return 0;
	case -EADDRNOTAVAIL:
		return vhb_usage(parse, "--mac=%s is no station's address, it is zero or a group's",
				 value);
	default:
		return vhb_usage(parse, "--mac=%s is no Ethernet address, such as 52:54:00:12:34:56",
				 value);
	}
}

static int take_mtu(struct vhb_parse *parse, const char *value)
{
	uint64_t mtu;

	if (vhb_value_number(value, MTU_MIN, MTU_MAX, &mtu))
		return vhb_usage(parse, "--mtu=%s is not a number from %d to %d",
				 value, MTU_MIN, MTU_MAX);
	parse->options->net.mtu = mtu;
	return 0;
}

static int take_datapath(struct vhb_parse *parse, const char *value)
{
	if (!strcmp(value, "module"))
		return vhb_usage(parse, "--datapath=module is not in this version, vhost-net is");
	if (strcmp(value, "vhost-net"))
		return vhb_usage(parse, "--datapath=%s is not vhost-net", value);
	return 0;
}

static int take_poll_us(struct vhb_parse *parse, const char *value)
{
	uint64_t poll_us;

	if (vhb_value_number(value, 0, VHB_NET_POLL_US_MAX, &poll_us))
		return vhb_usage(parse, "--poll-us=%s is not a number from 0 to %d",
				 value, VHB_NET_POLL_US_MAX);
	parse->options->net.poll_us = poll_us;
	return 0;
}

static int take_workers(struct vhb_parse *parse, const char *value)
{
	if (!strcmp(value, "per-pair"))
		parse->options->net.workers = VHB_NET_WORKERS_PER_PAIR;
	else if (!strcmp(value, "per-vring"))
		parse->options->net.workers = VHB_NET_WORKERS_PER_VRING;
	else
		return vhb_usage(parse, "--workers=%s is neither per-pair nor per-vring",
				 value);
	return 0;
}

static int take_queue_num_as(struct vhb_parse *parse, const char *value)
{
	if (!strcmp(value, "pairs"))
		parse->options->queue_num_unit = VHB_QUEUE_NUM_PAIRS;
	else if (!strcmp(value, "queues"))
		parse->options->queue_num_unit = VHB_QUEUE_NUM_QUEUES;
	else
		return vhb_usage(parse, "--queue-num-as=%s is neither queues nor pairs",
				 value);
	return 0;
}

static int take_trust_base(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->net.trust_base = true;
	return 0;
}

static const struct vhb_option_row net_rows[] = {
	{ "tap", "NAME", "the host's end: this tap interface, made when missing",
	  .take = take_tap },
	{ "tap-fd", "N[,N]", "the host's end: these open tap queues, one each pair",
	  .take = take_tap_fd },
	{ "queue-pairs", "N", "receive and transmit queue pairs (1)",
	  .take = take_queue_pairs },
	{ "mac", "ADDRESS", "the guest's Ethernet address, where it lets us choose",
	  .take = take_mac },
	{ "mtu", "BYTES", "MTU of the tap, also told to the guest",
	  .take = take_mtu },
	{ "bridge", "NAME", "put the tap into this bridge",
	  .take = take_bridge },
	{ "datapath", "vhost-net", "who moves the packets (vhost-net)",
	  .take = take_datapath },
	{ "vhost-device", "PATH", "the kernel device (/dev/vhost-net)",
	  .take = take_vhost_device },
	{ "vhost-fd", "N[,N]", "the kernel device, open already, once each worker",
	  .take = take_vhost_fd },
	{ "poll-us", "N", "watch an idle virtqueue so long before sleeping (0)",
	  .take = take_poll_us },
	{ "workers", "HOW", "kernel threads: per-pair or per-vring (per-pair)",
	  .take = take_workers },
	{ "queue-num-as", "UNIT", "what GET_QUEUE_NUM counts: queues or pairs (queues)",
	  .take = take_queue_num_as },
	{ "trust-base", NULL, "go on where the front-end says, not where the used ring ends",
	  .take = take_trust_base },
};

static_assert(VHB_ARRAY_COUNT(net_rows) <= VHB_OPTION_SET_ROWS_MAX,
	      "the parser's tables have room");

/* A descriptor has one use. */
static int check_fds(const struct vhb_parse *parse)
{
	const struct vhb_options *options = parse->options;
	const struct vhb_net_config *net = &options->net;
	unsigned int i, j;

	for (i = 0; i < net->tap_fd_count; i++) {
		if (net->tap_fds[i] == options->socket_fd)
			return vhb_usage(parse, "--fd and --tap-fd both name descriptor %d",
					 net->tap_fds[i]);
		for (j = 0; j < net->vhost_fd_count; j++)
			if (net->tap_fds[i] == net->vhost_fds[j])
				return vhb_usage(parse, "--tap-fd and --vhost-fd both name descriptor %d",
					     net->tap_fds[i]);
	}
	for (j = 0; j < net->vhost_fd_count; j++)
		if (net->vhost_fds[j] == options->socket_fd)
			return vhb_usage(parse, "--fd and --vhost-fd both name descriptor %d",
					 net->vhost_fds[j]);
	return 0;
}

/* Ready descriptors tell the number of pairs when nobody else does. */
static int check_pairs(const struct vhb_parse *parse)
{
	struct vhb_net_config *net = &parse->options->net;
	const unsigned int each_pair =
		net->workers == VHB_NET_WORKERS_PER_VRING ? 2 : 1;

	if (!net->queue_pairs)
		net->queue_pairs = net->tap_fd_count;
	if (!net->queue_pairs)
		net->queue_pairs = net->vhost_fd_count / each_pair;
	if (!net->queue_pairs)
		net->queue_pairs = 1;
	if (net->tap_fd_count && net->tap_fd_count != net->queue_pairs)
		return vhb_usage(parse, "--tap-fd has %u descriptors for %u queue pairs",
				 net->tap_fd_count, net->queue_pairs);
	if (net->vhost_fd_count &&
	    net->vhost_fd_count != vhb_net_vhost_count(net))
		return vhb_usage(parse, "--vhost-fd has %u descriptors for %u queue pairs, %u are needed",
				 net->vhost_fd_count, net->queue_pairs,
				 vhb_net_vhost_count(net));
	return 0;
}

static int check_net(const struct vhb_parse *parse)
{
	struct vhb_net_config *net = &parse->options->net;
	int ret;

	if (net->tap_name && net->tap_fd_count)
		return vhb_usage(parse, "--tap and --tap-fd exclude each other");
	if (!net->tap_name && !net->tap_fd_count)
		return vhb_usage(parse,
				 "where do packets go? --tap=NAME or --tap-fd=N[,N] is missing, such as --tap=tap0");
	if (net->vhost_path && net->vhost_fd_count)
		return vhb_usage(parse, "--vhost-device and --vhost-fd exclude each other");
	/* vhost-net watches both vrings of a descriptor, or neither. */
	if (net->poll_us && net->workers == VHB_NET_WORKERS_PER_VRING)
		return vhb_usage(parse, "--poll-us and --workers=per-vring exclude each other");
	ret = check_fds(parse);
	if (ret)
		return ret;
	if (!net->vhost_path)
		net->vhost_path = "/dev/vhost-net";
	return check_pairs(parse);
}

const struct vhb_option_set vhb_net_option_set = {
	.type_name = "net",
	.schema_name = "net",
	.synopsis = "--tap=NAME|--tap-fd=N[,N]",
	.summary = "a network interface, on vhost-net and a tap",
	.about = "A vhost-user network back-end: the host kernel's vhost-net moves the packets\n"
		 "between the guest and a tap interface.\n",
	.rows = net_rows,
	.row_count = VHB_ARRAY_COUNT(net_rows),
	.check = check_net,
};
