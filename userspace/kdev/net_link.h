/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_NET_LINK_H
#define VHB_KDEV_NET_LINK_H

#include <stdbool.h>

#include "kdev/kdev.h"
#include "loop/loop.h"
#include "netlink/link.h"
#include "netlink/link_monitor.h"

/**
 * DOC: the guest's cable
 *
 * The guest's link is up when a frame it sends could get anywhere: the tap is up
 * (IFF_UP), has its carrier ('ip link set TAP carrier off' takes it) and, if it is
 * a port of a bridge, the bridge is up. Other masters do not count: Open vSwitch
 * works while the interface ovs-system that it puts above its ports is down.
 *
 * Followed while a session listens, by RTNLGRP_LINK through the loop. Of changes
 * that come together the guest hears once: what it is told is the state, not its
 * history. A tap that is not in our network namespace, or is moved to another one,
 * cannot be followed: its link is up.
 *
 * The MTU is followed as well, for as long as no vring runs: VIRTIO 1.2, 5.1.4.1
 * forbids to change it under a driver.
 */

struct vhb_net;

/**
 * struct vhb_net_link - what is known of the tap's link
 * @loop: where news comes by; NULL until somebody listens
 * @listener: who wants to hear, or NULL
 * @monitor: the source of news, while somebody listens
 * @watch: of it
 * @tap: the tap, as last seen
 * @master: what it is in, as last seen; no index for nothing
 * @is_gone: it was deleted
 * @is_down: the guest reads "link down"
 */
struct vhb_net_link {
	struct vhb_loop *loop;
	const struct vhb_kdev_listener *listener;
	struct vhb_link_monitor *monitor;
	struct vhb_watch_ref watch;
	struct vhb_link tap;
	struct vhb_link master;
	bool is_gone;
	bool is_down;
};

/** vhb_net_listen() - &vhb_kdev_ops.listen: follow the link, or do not */
void vhb_net_listen(struct vhb_kdev *kdev, struct vhb_loop *loop,
		    const struct vhb_kdev_listener *listener);

/** vhb_net_unfollow() - do not follow the link any more: the device closes */
void vhb_net_unfollow(struct vhb_net *net);

/**
 * vhb_net_take_mtu() - the tap's MTU is this
 * @net: the device
 * @tap_mtu: as the kernel has it
 *
 * The device's own is no larger than --mtu.
 */
void vhb_net_take_mtu(struct vhb_net *net, unsigned int tap_mtu);

/**
 * vhb_net_settle_mtu() - tell the guest the tap's MTU from now on, if that may be
 * @net: the device
 *
 * Return: whether it is another one than before.
 */
bool vhb_net_settle_mtu(struct vhb_net *net);

#endif
