// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink/link.h"

#include <errno.h>
#include <string.h>

#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

/* Room for any request made here; none carries more than a name. */
#define REQUEST_BYTES 256
#define ANSWER_BYTES 32768

/*
 * struct request - an RTM_*LINK message being built
 * @header: the message
 * @info: its fixed part
 */
struct request {
	union {
		uint8_t bytes[REQUEST_BYTES];
		struct nlmsghdr align;
	} buffer;
	struct nlmsghdr *header;
	struct ifinfomsg *info;
};

static void init_request(struct request *request, uint16_t type)
{
	request->header = mnl_nlmsg_put_header(request->buffer.bytes);
	request->header->nlmsg_type = type;
	/* With an acknowledgment every conversation ends in the same way. */
	request->header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request->header->nlmsg_seq = 1;
	request->info = mnl_nlmsg_put_extra_header(request->header,
						   sizeof(*request->info));
	request->info->ifi_family = AF_UNSPEC;
}

static int receive_answer(struct mnl_socket *socket, mnl_cb_t on_message,
			  void *argument)
{
	unsigned int port_id = mnl_socket_get_portid(socket);
	struct nlmsghdr buffer[ANSWER_BYTES / sizeof(struct nlmsghdr)];
	ssize_t size_bytes;
	int ret = MNL_CB_OK;

	while (ret > MNL_CB_STOP) {
		size_bytes = mnl_socket_recvfrom(socket, buffer,
						 sizeof(buffer));
		if (size_bytes < 0 && errno == EINTR)
			continue;
		if (size_bytes < 0)
			return -errno;
		ret = mnl_cb_run(buffer, size_bytes, 1, port_id, on_message,
				 argument);
	}
	return ret < 0 ? -errno : 0;
}

static int converse(const struct request *request, mnl_cb_t on_message,
		    void *argument)
{
	struct mnl_socket *socket;
	int ret;

	socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request->header,
			      request->header->nlmsg_len) < 0)
		ret = -errno;
	else
		ret = receive_answer(socket, on_message, argument);
	mnl_socket_close(socket);
	return ret;
}

static int parse_link_info(const struct nlattr *attribute, void *argument)
{
	struct vhb_link *link = argument;

	if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND &&
	    !mnl_attr_validate(attribute, MNL_TYPE_STRING))
		link->is_bridge = !strcmp(mnl_attr_get_str(attribute),
					  "bridge");
	return MNL_CB_OK;
}

static int parse_attribute(const struct nlattr *attribute, void *argument)
{
	const uint16_t type = mnl_attr_get_type(attribute);
	struct vhb_link *link = argument;

	if (type == IFLA_LINKINFO)
		return mnl_attr_parse_nested(attribute, parse_link_info, link);
	if (type == IFLA_CARRIER) {
		if (mnl_attr_validate(attribute, MNL_TYPE_U8) < 0)
			return MNL_CB_ERROR;
		link->has_carrier = mnl_attr_get_u8(attribute);
		return MNL_CB_OK;
	}
	if (type != IFLA_MTU && type != IFLA_MAX_MTU && type != IFLA_MASTER)
		return MNL_CB_OK;
	if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
		return MNL_CB_ERROR;
	if (type == IFLA_MTU)
		link->mtu = mnl_attr_get_u32(attribute);
	else if (type == IFLA_MAX_MTU)
		link->max_mtu = mnl_attr_get_u32(attribute);
	else
		link->master_ifindex = mnl_attr_get_u32(attribute);
	return MNL_CB_OK;
}

int vhb_link_parse(const struct nlmsghdr *header, struct vhb_link *link_out)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);

	memset(link_out, 0, sizeof(*link_out));
	if (mnl_nlmsg_get_payload_len(header) < sizeof(*info))
		return -EBADMSG;
	link_out->ifindex = info->ifi_index;
	link_out->flags = info->ifi_flags;
	return mnl_attr_parse(header, sizeof(*info), parse_attribute,
			      link_out) < 0 ? -EBADMSG : 0;
}

static int parse_answer(const struct nlmsghdr *header, void *argument)
{
	if (header->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	return vhb_link_parse(header, argument) ? MNL_CB_ERROR : MNL_CB_OK;
}

static int get_link(const struct request *request, struct vhb_link *link_out)
{
	int ret;

	memset(link_out, 0, sizeof(*link_out));
	ret = converse(request, parse_answer, link_out);
	if (!ret && !link_out->ifindex)
		ret = -ENODEV;
	return ret;
}

int vhb_link_get(const char *name, struct vhb_link *link_out)
{
	struct request request;

	/* Longer names are alternative names (IFLA_ALT_IFNAME). */
	if (!*name || strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	init_request(&request, RTM_GETLINK);
	mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
	return get_link(&request, link_out);
}

int vhb_link_get_by_index(unsigned int ifindex, struct vhb_link *link_out)
{
	struct request request;

	init_request(&request, RTM_GETLINK);
	request.info->ifi_index = ifindex;
	return get_link(&request, link_out);
}

int vhb_link_set_up(unsigned int ifindex)
{
	struct request request;

	init_request(&request, RTM_NEWLINK);
	request.info->ifi_index = ifindex;
	request.info->ifi_flags = IFF_UP;
	request.info->ifi_change = IFF_UP;
	return converse(&request, NULL, NULL);
}

static int set_u32(unsigned int ifindex, uint16_t type, uint32_t value)
{
	struct request request;

	init_request(&request, RTM_NEWLINK);
	request.info->ifi_index = ifindex;
	mnl_attr_put_u32(request.header, type, value);
	return converse(&request, NULL, NULL);
}

int vhb_link_set_mtu(unsigned int ifindex, uint32_t mtu)
{
	return set_u32(ifindex, IFLA_MTU, mtu);
}

int vhb_link_set_master(unsigned int ifindex, unsigned int master_ifindex)
{
	return set_u32(ifindex, IFLA_MASTER, master_ifindex);
}
