/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_NETLINK_GENL_H
#define VHB_NETLINK_GENL_H

#include <stdint.h>

#include <libmnl/libmnl.h>

/** Room for a request: header and a few small attributes */
#define VHB_GENL_REQUEST_BYTES 256

/**
 * struct vhb_genl - a socket to talk to a family of generic netlink
 * @socket: the socket
 * @family_name: the family
 * @family_id: the number it has since it was registered
 * @sequence: of the last request
 */
struct vhb_genl {
	struct mnl_socket *socket;
	const char *family_name;
	uint16_t family_id;
	uint32_t sequence;
};

/**
 * struct vhb_genl_request - a request being built
 * @bytes: the request
 * @header: makes it aligned
 */
union vhb_genl_request {
	uint8_t bytes[VHB_GENL_REQUEST_BYTES];
	struct nlmsghdr header;
};

/**
 * vhb_genl_open() - find a family
 * @genl: the socket
 * @family_name: the family; must stay
 *
 * Return: 0, -ENOENT when the kernel does not have it (in this network
 * namespace), another -errno.
 */
int vhb_genl_open(struct vhb_genl *genl, const char *family_name);

/**
 * vhb_genl_close() - close the socket
 * @genl: was opened
 */
void vhb_genl_close(struct vhb_genl *genl);

/**
 * vhb_genl_begin() - begin a request; attributes can be added to its header
 * @genl: the socket
 * @request: to be built
 * @command: of the family
 * @flags: NLM_F_DUMP, or 0 for one answer
 */
void vhb_genl_begin(struct vhb_genl *genl, union vhb_genl_request *request,
		    uint8_t command, uint16_t flags);

/**
 * vhb_genl_ask() - send a request and wait for its answers
 * @genl: the socket; not one that joined a group
 * @request: the request
 * @on_message: called with each answer
 * @argument: handed to it
 *
 * Return: 0 or -errno, the kernel's too.
 */
int vhb_genl_ask(struct vhb_genl *genl, const union vhb_genl_request *request,
		 mnl_cb_t on_message, void *argument);

/**
 * vhb_genl_join() - listen to a group of the family
 * @genl: the socket; from now on for nothing but vhb_genl_listen()
 * @group_name: the group
 *
 * Return: 0, -ENOENT when there is no such group, -EPERM, another -errno.
 */
int vhb_genl_join(struct vhb_genl *genl, const char *group_name);

/**
 * vhb_genl_listen() - wait for messages of the group
 * @genl: the socket
 * @on_message: called with each
 * @argument: handed to it
 *
 * Return: 0 after messages, if not all were for us also without having called
 * @on_message; -ENOBUFS when some were lost, which is no reason to stop; -ENOENT
 * when the family went away; another -errno.
 */
int vhb_genl_listen(struct vhb_genl *genl, mnl_cb_t on_message, void *argument);

#endif
