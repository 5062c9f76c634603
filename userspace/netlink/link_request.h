/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_NETLINK_LINK_REQUEST_H
#define VHB_NETLINK_LINK_REQUEST_H

#include <stdint.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

/**
 * DOC: a conversation with rtnetlink about one link
 *
 * For the files of this folder.
 */

/** Room for any request made here; none carries more than a name */
#define VHB_LINK_REQUEST_BYTES 256

/**
 * struct vhb_link_request - an RTM_*LINK message being built
 * @buffer: where it is
 * @header: the message
 * @info: its fixed part
 */
struct vhb_link_request {
	union {
		uint8_t bytes[VHB_LINK_REQUEST_BYTES];
		struct nlmsghdr align;
	} buffer;
	struct nlmsghdr *header;
	struct ifinfomsg *info;
};

/** vhb_link_request_init() - begin a message of a type, RTM_*LINK */
void vhb_link_request_init(struct vhb_link_request *request, uint16_t type);

/**
 * vhb_link_request_by_name() - RTM_GETLINK of the link of this name
 *
 * Return: 0, or -ENODEV for what can be no name.
 */
int vhb_link_request_by_name(struct vhb_link_request *request,
			     const char *name);

/**
 * vhb_link_converse() - send it and take the answer
 * @request: the message
 * @on_message: is given each message of the answer; may be NULL
 * @argument: handed to it
 *
 * Return: 0 or -errno, the kernel's or that of @on_message.
 */
int vhb_link_converse(const struct vhb_link_request *request,
		      mnl_cb_t on_message, void *argument);

#endif
