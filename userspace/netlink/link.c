// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink/link.h"

#include <errno.h>
#include <string.h>

#include <net/if.h>

#include <linux/if_link.h>

#include "netlink/link_request.h"

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

static int get_link(const struct vhb_link_request *request, struct vhb_link *link_out)
{
	int ret;

	memset(link_out, 0, sizeof(*link_out));
	ret = vhb_link_converse(request, parse_answer, link_out);
	if (!ret && !link_out->ifindex)
		ret = -ENODEV;
	return ret;
}

int vhb_link_get(const char *name, struct vhb_link *link_out)
{
	struct vhb_link_request request;
	int ret;

	ret = vhb_link_request_by_name(&request, name);
	return ret ? ret : get_link(&request, link_out);
}

int vhb_link_get_by_index(unsigned int ifindex, struct vhb_link *link_out)
{
	struct vhb_link_request request;

	vhb_link_request_init(&request, RTM_GETLINK);
	request.info->ifi_index = ifindex;
	return get_link(&request, link_out);
}

int vhb_link_set_up(unsigned int ifindex)
{
	struct vhb_link_request request;

	vhb_link_request_init(&request, RTM_NEWLINK);
	request.info->ifi_index = ifindex;
	request.info->ifi_flags = IFF_UP;
	request.info->ifi_change = IFF_UP;
	return vhb_link_converse(&request, NULL, NULL);
}

static int set_u32(unsigned int ifindex, uint16_t type, uint32_t value)
{
	struct vhb_link_request request;

	vhb_link_request_init(&request, RTM_NEWLINK);
	request.info->ifi_index = ifindex;
	mnl_attr_put_u32(request.header, type, value);
	return vhb_link_converse(&request, NULL, NULL);
}

int vhb_link_set_mtu(unsigned int ifindex, uint32_t mtu)
{
	return set_u32(ifindex, IFLA_MTU, mtu);
}

int vhb_link_set_master(unsigned int ifindex, unsigned int master_ifindex)
{
	return set_u32(ifindex, IFLA_MASTER, master_ifindex);
}
