// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/net_private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "lib/log.h"

void vhb_net_take_mtu(struct vhb_net *net, unsigned int tap_mtu)
{
	const unsigned int most = net->mtu_limit ? net->mtu_limit : UINT16_MAX;

	net->own_mtu = tap_mtu > most ? most : tap_mtu;
}

bool vhb_net_settle_mtu(struct vhb_net *net)
{
	const uint16_t old_mtu = net->mtu;
	unsigned int i;

	for (i = 0; i < 2 * net->pair_count; i++)
		if (net->is_running[i])
			return false;
	net->mtu = net->own_mtu;
	if (net->asked_mtu && net->asked_mtu < net->mtu)
		net->mtu = net->asked_mtu;
	return net->mtu != old_mtu;
}

static bool is_down(const struct vhb_net_link *link)
{
	if (link->is_gone || !(link->tap.flags & IFF_UP) ||
	    !link->tap.has_carrier)
		return true;
	return link->master.is_bridge && !(link->master.flags & IFF_UP);
}

static void ask_for_master(struct vhb_net_link *link)
{
	memset(&link->master, 0, sizeof(link->master));
	/* If it went away meanwhile, there is news of the tap as well. */
	if (link->tap.master_ifindex)
		vhb_link_get_by_index(link->tap.master_ifindex, &link->master);
}

static void take_tap(struct vhb_net *net, const struct vhb_link *tap)
{
	struct vhb_net_link *link = &net->link;

	link->tap = *tap;
	if (link->master.ifindex != tap->master_ifindex)
		ask_for_master(link);
	vhb_net_take_mtu(net, tap->mtu);
}

/* Not to be followed (any more): whoever has it there sees to it. */
static void lose_sight(struct vhb_net *net)
{
	vhb_info("tap %s has left this network namespace: its link counts as up",
		 net->tap.name);
	net->tap.ifindex = 0;
}

static void on_news(void *argument, const struct vhb_link *news, bool is_gone)
{
	struct vhb_net *net = argument;
	struct vhb_net_link *link = &net->link;

	if (!net->tap.ifindex)
		return;
	if (news->ifindex == net->tap.ifindex) {
		if (!is_gone)
			take_tap(net, news);
		else if (vhb_tap_has_interface(&net->tap))
			lose_sight(net);
		else
			link->is_gone = true;
	} else if (news->ifindex == link->tap.master_ifindex && !is_gone) {
		link->master = *news;
	}
}

static void ask_for_all(struct vhb_net *net)
{
	struct vhb_net_link *link = &net->link;
	struct vhb_link tap;
	int ret;

	if (!net->tap.ifindex)
		return;
	ret = vhb_link_get_by_index(net->tap.ifindex, &tap);
	if (!ret) {
		memset(&link->master, 0, sizeof(link->master));
		take_tap(net, &tap);
	} else if (ret != -ENODEV) {
		vhb_warn("link of tap %s: %s", net->tap.name,
			 strerrordesc_np(-ret));
	} else if (vhb_tap_has_interface(&net->tap)) {
		lose_sight(net);
	} else {
		link->is_gone = true;
	}
}

/* Is the guest to be told something else than before? */
static bool settle(struct vhb_net *net)
{
	struct vhb_net_link *link = &net->link;
	const bool was_down = link->is_down;
	const uint16_t told_mtu = net->mtu;
	const bool is_mtu_new = vhb_net_settle_mtu(net);

	link->is_down = net->tap.ifindex && is_down(link);
	if (link->is_down != was_down)
		vhb_info("link of tap %s is %s", net->tap.name,
			 link->is_down ? "down" : "up");
	if (is_mtu_new)
		vhb_info("MTU of tap %s: the guest is told %u instead of %u",
			 net->tap.name, net->mtu, told_mtu);
	return link->is_down != was_down || is_mtu_new;
}

static void on_ready(void *argument, unsigned int events);

static int watch(struct vhb_net *net)
{
	struct vhb_net_link *link = &net->link;

	return vhb_loop_watch(link->loop, vhb_link_monitor_fd(link->monitor),
			      POLLIN, on_ready, net, &link->watch);
}

void vhb_net_unfollow(struct vhb_net *net)
{
	struct vhb_net_link *link = &net->link;

	if (link->loop)
		vhb_loop_unwatch(link->loop, &link->watch);
	vhb_link_monitor_close(link->monitor);
	link->monitor = NULL;
}

static void report(struct vhb_net *net, int error)
{
	vhb_warn("link of tap %s cannot be followed, the guest goes on with what it was told: %s",
		 net->tap.name, strerrordesc_np(-error));
	vhb_net_unfollow(net);
}

static void follow(struct vhb_net *net)
{
	struct vhb_net_link *link = &net->link;
	int ret;

	if (!net->tap.ifindex)
		return;
	ret = vhb_link_monitor_open(&link->monitor);
	if (!ret)
		ret = watch(net);
	if (ret)
		report(net, ret);
	/* After the monitor was opened, so that no change is missed. */
	ask_for_all(net);
}

static void on_ready(void *argument, unsigned int events)
{
	struct vhb_net *net = argument;
	const struct vhb_kdev_listener *listener = net->link.listener;
	int ret;

	(void)events;
	net->link.watch.value = 0;
	ret = vhb_link_monitor_read(net->link.monitor, on_news, net);
	if (!ret)
		ret = watch(net);
	if (ret == -ENOBUFS) {
		/* What is still in the queue is older than what we would ask. */
		vhb_net_unfollow(net);
		follow(net);
	} else if (ret) {
		report(net, ret);
	}
	/* Last: whoever hears may end it all. */
	if (settle(net) && listener)
		listener->on_config(listener->argument);
}

void vhb_net_listen(struct vhb_kdev *kdev, struct vhb_loop *loop,
		    const struct vhb_kdev_listener *listener)
{
	struct vhb_net *net = vhb_net_of(kdev);

	vhb_net_unfollow(net);
	net->link.loop = loop;
	net->link.listener = listener;
	if (!listener)
		return;
	follow(net);
	settle(net);
}
