// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/net_private.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "lib/bits.h"
#include "lib/log.h"

#define HEADER_BYTES sizeof(struct virtio_net_ctrl_hdr)

/**
 * struct command - what the guest asks for
 * @net: the device
 * @queue: where its argument is read
 * @code: what; the command within its class
 * @size_bytes: length of the argument
 */
struct command {
	struct vhb_net *net;
	struct vhb_virtqueue *queue;
	uint8_t code;
	uint32_t size_bytes;
};

static int read_argument(const struct command *command, uint32_t offset_bytes,
			 void *to, uint32_t size_bytes)
{
	return vhb_virtqueue_read(command->queue, HEADER_BYTES + offset_bytes,
				  to, size_bytes);
}

/* An argument that is exactly this long */
static int read_whole(const struct command *command, void *to,
		      uint32_t size_bytes)
{
	if (command->size_bytes != size_bytes)
		return -EINVAL;
	return read_argument(command, 0, to, size_bytes);
}

static int read_le16(const struct command *command, uint16_t *value_out)
{
	uint16_t value;
	int ret = read_whole(command, &value, sizeof(value));

	*value_out = le16toh(value);
	return ret;
}

static int set_receive_mode(const struct command *command)
{
	struct vhb_net_filter *filter = &command->net->control.filter;
	uint8_t on;
	int ret = read_whole(command, &on, sizeof(on));

	if (ret)
		return ret;
	if (command->code == VIRTIO_NET_CTRL_RX_PROMISC)
		filter->is_promiscuous = on;
	else if (command->code == VIRTIO_NET_CTRL_RX_ALLMULTI)
		filter->is_all_multicast = on;
	else
		return -EOPNOTSUPP;
	return 0;
}

/* Two tables, each with a count before it: only these are looked at. */
static int set_address_tables(const struct command *command)
{
	struct vhb_net_filter *filter = &command->net->control.filter;
	uint32_t counts[2];
	uint64_t offset = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < 2; i++) {
		if (offset > command->size_bytes)
			return -EINVAL;
		ret = read_argument(command, offset, &counts[i],
				    sizeof(counts[i]));
		if (ret)
			return ret;
		counts[i] = le32toh(counts[i]);
		offset += sizeof(counts[i]) + (uint64_t)counts[i] * ETH_ALEN;
	}
	if (offset != command->size_bytes)
		return -EINVAL;
	filter->unicast_count = counts[0];
	filter->multicast_count = counts[1];
	return 0;
}

static int set_own_address(const struct command *command)
{
	static const uint8_t zero[ETH_ALEN];
	uint8_t mac[ETH_ALEN];
	int ret = read_whole(command, mac, sizeof(mac));

	if (ret)
		return ret;
	/* No station has a group's address, or none. */
	if (mac[0] & 1 || !memcmp(mac, zero, sizeof(mac)))
		return -EINVAL;
	memcpy(command->net->mac, mac, sizeof(mac));
	return 0;
}

static int set_addresses(const struct command *command)
{
	const uint64_t features_mask = command->net->control.features_mask;

	if (command->code == VIRTIO_NET_CTRL_MAC_TABLE_SET &&
	    vhb_has_bit(features_mask, VIRTIO_NET_F_CTRL_RX))
		return set_address_tables(command);
	if (command->code == VIRTIO_NET_CTRL_MAC_ADDR_SET &&
	    vhb_has_bit(features_mask, VIRTIO_NET_F_CTRL_MAC_ADDR))
		return set_own_address(command);
	return -EOPNOTSUPP;
}

static int set_vlan(const struct command *command)
{
	uint8_t *bits = command->net->control.filter.vlan_bits;
	uint16_t vlan;
	int ret = read_le16(command, &vlan);

	if (ret)
		return ret;
	if (vlan >= VHB_NET_VLANS)
		return -EINVAL;
	if (command->code == VIRTIO_NET_CTRL_VLAN_ADD)
		bits[vlan / 8] |= 1 << vlan % 8;
	else if (command->code == VIRTIO_NET_CTRL_VLAN_DEL)
		bits[vlan / 8] &= ~(1 << vlan % 8);
	else
		return -EOPNOTSUPP;
	return 0;
}

static int acknowledge_announce(const struct command *command)
{
	if (command->code != VIRTIO_NET_CTRL_ANNOUNCE_ACK)
		return -EOPNOTSUPP;
	command->net->control.must_announce = false;
	command->net->control.is_announce_new = false;
	return 0;
}

static int set_pairs(const struct command *command)
{
	struct vhb_net *net = command->net;
	const unsigned int old_pairs = net->control.active_pairs;
	uint16_t pairs;
	int ret;

	if (command->code != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET)
		return -EOPNOTSUPP;
	ret = read_le16(command, &pairs);
	if (ret)
		return ret;
	if (!pairs || pairs > net->pair_count)
		return -EINVAL;
	/* The kernel takes its time for each tap queue. */
	vhb_control_queue_yield(&net->control.queue);
	net->control.active_pairs = pairs;
	ret = vhb_net_settle_pairs(net);
	if (ret) {
		net->control.active_pairs = old_pairs;
		vhb_net_settle_pairs(net);
	}
	return ret;
}

/* Classes of commands, and the feature each of them comes with */
static const struct {
	uint8_t class;
	unsigned int feature_bit;
	int (*serve)(const struct command *command);
} classes[] = {
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_F_CTRL_RX, set_receive_mode },
	/* Of these the tables come with CTRL_RX, one's own with CTRL_MAC_ADDR. */
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_F_CTRL_VQ, set_addresses },
	{ VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_F_CTRL_VLAN, set_vlan },
	{ VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_F_GUEST_ANNOUNCE,
	  acknowledge_announce },
	{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_F_MQ, set_pairs },
};

static int serve_class(const struct command *command, uint8_t class)
{
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(classes); i++)
		if (classes[i].class == class &&
		    vhb_has_bit(command->net->control.features_mask,
				classes[i].feature_bit))
			return classes[i].serve(command);
	return -EOPNOTSUPP;
}

static uint8_t serve(void *argument, struct vhb_virtqueue *queue,
		     uint32_t readable_bytes)
{
	struct virtio_net_ctrl_hdr header;
	struct command command = {
		.net = argument,
		.queue = queue,
	};
	int ret;

	ret = vhb_virtqueue_read(queue, 0, &header, sizeof(header));
	if (ret) {
		vhb_debug("control command of %u bytes: %s", readable_bytes,
			  strerrordesc_np(-ret));
		return VIRTIO_NET_ERR;
	}
	command.code = header.cmd;
	command.size_bytes = readable_bytes - sizeof(header);
	ret = serve_class(&command, header.class);
	vhb_debug("control command %u.%u: %s", header.class, header.cmd,
		  strerrordesc_np(-ret));
	return ret ? VIRTIO_NET_ERR : VIRTIO_NET_OK;
}

static void on_memory(void *argument, bool begins)
{
	const struct vhb_net *net = argument;
	const struct vhb_kdev_listener *listener = net->link.listener;

	if (listener && listener->on_memory)
		listener->on_memory(listener->argument, begins);
}

static void on_turn(void *argument)
{
	struct vhb_net *net = argument;
	const struct vhb_kdev_listener *listener = net->link.listener;

	if (!net->control.is_announce_new)
		return;
	net->control.is_announce_new = false;
	if (listener)
		listener->on_config(listener->argument);
}

static unsigned int index_of(const struct vhb_net *net)
{
	return vhb_has_bit(net->control.features_mask, VIRTIO_NET_F_MQ) ?
		       2 * net->pair_count : 2;
}

static void on_broken(void *argument, const char *fault)
{
	struct vhb_net *net = argument;
	const struct vhb_kdev_listener *listener = net->link.listener;

	if (listener)
		listener->on_broken(listener->argument, index_of(net), fault);
}

void vhb_net_control_init(struct vhb_net *net)
{
	const struct vhb_control_handler handler = {
		.serve = serve,
		.on_memory = on_memory,
		.on_turn = on_turn,
		.on_broken = on_broken,
		.argument = net,
	};

	vhb_control_queue_init(&net->control.queue, &handler);
}

void vhb_net_control_reset(struct vhb_net *net)
{
	vhb_control_queue_reset(&net->control.queue);
	memset(&net->control, 0, sizeof(net->control));
	vhb_net_control_init(net);
}

void vhb_net_control_set_features(struct vhb_net *net, uint64_t acked_mask)
{
	const uint64_t changed_mask = net->control.features_mask ^ acked_mask;

	net->control.features_mask = acked_mask;
	vhb_control_queue_set_logging(&net->control.queue,
				      vhb_has_bit(acked_mask, VHOST_F_LOG_ALL));
	/* Another driver, if it is not migration that has begun or ended */
	if (changed_mask & ~vhb_bit(VHOST_F_LOG_ALL))
		net->control.is_ours = false;
}

bool vhb_net_control_has(const struct vhb_net *net, unsigned int index)
{
	return vhb_has_bit(net->control.features_mask, VIRTIO_NET_F_CTRL_VQ) &&
	       index == index_of(net);
}

bool vhb_net_control_allows(const struct vhb_net *net, unsigned int pair)
{
	return !net->control.is_ours || pair < net->control.active_pairs;
}

static void begin_anew(struct vhb_net_control *control)
{
	memset(&control->filter, 0, sizeof(control->filter));
	control->active_pairs = 1;
	control->must_announce = false;
}

void vhb_net_control_forget(struct vhb_net *net)
{
	begin_anew(&net->control);
	net->control.is_announce_new = false;
	net->control.is_ours = false;
}

int vhb_net_control_start(struct vhb_net *net)
{
	struct vhb_net_control *control = &net->control;
	const uint32_t base = control->queue.config.base;
	const bool was_elsewhere = !control->is_ours && base;
	int ret;

	/* Its addresses would be the IOMMU's, of which only the kernel knows. */
	if (vhb_has_bit(control->features_mask, VIRTIO_F_ACCESS_PLATFORM))
		return -EOPNOTSUPP;

	ret = vhb_control_queue_start(&control->queue, net->link.loop,
				      control->features_mask);
	if (ret)
		return ret;
	if (!control->is_ours || base != control->base)
		begin_anew(control);
	control->is_ours = true;
	/*
	 * What a guest that was somewhere else has set there is not known here:
	 * better every pair it may use than one too few.
	 */
	if (was_elsewhere)
		control->active_pairs = net->pair_count;
	if (was_elsewhere && vhb_has_bit(control->features_mask,
					 VIRTIO_NET_F_GUEST_ANNOUNCE)) {
		control->must_announce = true;
		control->is_announce_new = true;
	}
	ret = vhb_net_settle_pairs(net);
	if (ret)
		vhb_control_queue_stop(&control->queue);
	return ret;
}

uint32_t vhb_net_control_stop(struct vhb_net *net)
{
	net->control.base = vhb_control_queue_stop(&net->control.queue);
	return net->control.base;
}
