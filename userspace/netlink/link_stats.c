// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink/link_stats.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <linux/if_link.h>

#include "netlink/link_request.h"

/**
 * struct answer - what is looked for
 * @stats: the counters
 * @is_found: they were there
 */
struct answer {
	struct vhb_link_stats stats;
	bool is_found;
};

static int parse_attribute(const struct nlattr *attribute, void *argument)
{
	struct rtnl_link_stats64 counters;
	struct answer *answer = argument;

	/* Later kernels have more of them behind. */
	if (mnl_attr_get_type(attribute) != IFLA_STATS64 ||
	    mnl_attr_get_payload_len(attribute) <
		    offsetof(struct rtnl_link_stats64, rx_compressed))
		return MNL_CB_OK;
	/* Not aligned to 8 in a message */
	memset(&counters, 0, sizeof(counters));
	memcpy(&counters, mnl_attr_get_payload(attribute),
	       offsetof(struct rtnl_link_stats64, rx_compressed));
	answer->stats = (struct vhb_link_stats){
		.received_packets = counters.rx_packets,
		.received_bytes = counters.rx_bytes,
		.received_dropped = counters.rx_dropped,
		.sent_packets = counters.tx_packets,
		.sent_bytes = counters.tx_bytes,
		.sent_dropped = counters.tx_dropped,
	};
	answer->is_found = true;
	return MNL_CB_OK;
}

static int parse_answer(const struct nlmsghdr *header, void *argument)
{
	if (header->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	return mnl_attr_parse(header, sizeof(struct ifinfomsg), parse_attribute,
			      argument);
}

int vhb_link_stats_get(const char *name, struct vhb_link_stats *stats_out)
{
	struct vhb_link_request request;
	struct answer answer = { 0 };
	int ret;

	ret = vhb_link_request_by_name(&request, name);
	if (ret)
		return ret;
	ret = vhb_link_converse(&request, parse_answer, &answer);
	if (!ret && !answer.is_found)
		ret = -ENODEV;
	if (!ret)
		*stats_out = answer.stats;
	return ret;
}
