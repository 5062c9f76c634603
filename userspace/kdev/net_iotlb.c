// SPDX-License-Identifier: GPL-2.0-or-later
/* vhost-net has an IOTLB each descriptor; the front-end knows of one. */
#include "kdev/net_private.h"

#include <string.h>

#include "kdev/vhost_ioctl.h"
#include "lib/log.h"

/*
 * Without a back-end a vring misses nothing, and the kernel forgets what it did. One
 * that waits for the IOTLB has none, but misses its used ring each time it is tried:
 * that it shall have none is said all the same.
 */
static void on_flood(struct vhb_iotlb_port *port)
{
	const struct vhb_net *net = port->device;
	const unsigned int vhost = port - net->iotlbs;
	bool is_any_running = false;
	unsigned int index;
	int ret;

	for (index = 0; index < 2 * net->pair_count; index++) {
		if (!net->is_running[index] || !port->listener ||
		    vhb_net_vhost_of(net, index) != vhost)
			continue;
		is_any_running = true;
		port->listener->on_unanswered(port->listener->argument, index);
	}
	if (is_any_running)
		return;
	ret = vhb_vhost_net_set_backend(net->vhost_fds[vhost], 0, -1);
	if (ret)
		vhb_warn("misses of the IOTLB are not forgotten: %s",
			 strerrordesc_np(-ret));
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
