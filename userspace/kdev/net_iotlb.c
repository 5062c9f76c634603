// SPDX-License-Identifier: GPL-2.0-or-later
/* vhost-net has an IOTLB each descriptor; the front-end knows of one. */
#include "kdev/net_private.h"

/* Without a back-end a vring misses nothing, and the kernel forgets what it did. */
static void on_flood(struct vhb_iotlb_port *port)
{
	const struct vhb_net *net = port->device;
	const unsigned int vhost = port - net->iotlbs;
	unsigned int index;

	for (index = 0; index < 2 * net->pair_count; index++)
		if (net->is_running[index] && port->listener &&
		    vhb_net_vhost_of(net, index) == vhost)
			port->listener->on_unanswered(port->listener->argument,
						      index);
}

int vhb_net_set_iotlb(struct vhb_net *net, bool is_on)
{
	unsigned int i;
	int ret;

	/* What it waits for the kernel keeps, and so must the count of it. */
	if (is_on && vhb_net_has_iotlb(net))
		return 0;
	for (i = 0; i < net->vhost_count; i++)
		vhb_iotlb_port_close(&net->iotlbs[i]);
	if (!is_on)
		return 0;
	for (i = 0; i < net->vhost_count; i++) {
		net->iotlbs[i].device = net;
		net->iotlbs[i].on_flood = on_flood;
		ret = vhb_iotlb_port_open(&net->iotlbs[i], net->vhost_fds[i]);
		if (ret)
			return ret;
	}
	return 0;
}

bool vhb_net_has_iotlb(const struct vhb_net *net)
{
	return net->iotlbs[0].is_open;
}

void vhb_net_listen_iotlb(struct vhb_net *net, struct vhb_loop *loop,
			  const struct vhb_kdev_listener *listener)
{
	unsigned int i;

	for (i = 0; i < net->vhost_count; i++)
		vhb_iotlb_port_listen(&net->iotlbs[i], loop, listener);
}

int vhb_net_iotlb_write(struct vhb_kdev *kdev,
			const struct vhost_iotlb_msg *message)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;
	int ret;

	for (i = 0; i < net->vhost_count; i++) {
		ret = vhb_iotlb_port_write(&net->iotlbs[i], message);
		if (ret)
			return ret;
	}
	return 0;
}
