/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_NETLINK_LINK_H
#define VHB_NETLINK_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct nlmsghdr;

/**
 * struct vhb_link - what the kernel says of a network interface
 * @ifindex: its index
 * @flags: IFF_*
 * @mtu: its MTU in bytes
 * @max_mtu: the largest it takes, 0 when the kernel does not say
 * @master_ifindex: the bridge it is in, 0 for none
 * @is_bridge: it is a bridge itself
 * @has_carrier: of a tap: some process has a queue of it open
 */
struct vhb_link {
	unsigned int ifindex;
	unsigned int flags;
	uint32_t mtu;
	uint32_t max_mtu;
	unsigned int master_ifindex;
	bool is_bridge;
	bool has_carrier;
};

/**
 * vhb_link_get() - look an interface up (RTM_GETLINK)
 * @name: its name
 * @link_out: what was found
 *
 * Return: 0, -ENODEV when there is none, another -errno.
 */
int vhb_link_get(const char *name, struct vhb_link *link_out);

/**
 * vhb_link_get_by_index() - the same by its index, which a rename leaves alone
 * @ifindex: the interface
 * @link_out: what was found
 *
 * Return: 0, -ENODEV when there is none, another -errno.
 */
int vhb_link_get_by_index(unsigned int ifindex, struct vhb_link *link_out);

/**
 * vhb_link_parse() - what an RTM_NEWLINK or RTM_DELLINK says
 * @header: a whole message, of address family AF_UNSPEC
 * @link_out: the interface
 *
 * Return: 0, or -EBADMSG when it is damaged.
 */
int vhb_link_parse(const struct nlmsghdr *header, struct vhb_link *link_out);

/**
 * vhb_link_set_up() - IFF_UP (RTM_NEWLINK)
 * @ifindex: the interface
 *
 * Return: 0, -EPERM without CAP_NET_ADMIN, another -errno.
 */
int vhb_link_set_up(unsigned int ifindex);

/**
 * vhb_link_set_mtu() - change the MTU
 * @ifindex: the interface
 * @mtu: in bytes
 *
 * Return: 0, -EPERM, -EINVAL out of the device's range, another -errno.
 */
int vhb_link_set_mtu(unsigned int ifindex, uint32_t mtu);

/**
 * vhb_link_set_master() - put an interface into a bridge
 * @ifindex: the interface
 * @master_ifindex: the bridge, or 0 to take it out
 *
 * Return: 0 or -errno.
 */
int vhb_link_set_master(unsigned int ifindex, unsigned int master_ifindex);

#endif
