// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink/link_stats.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

#define REQUEST_BYTES 256
#define ANSWER_BYTES 32768

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

static int converse(struct mnl_socket *socket, const struct nlmsghdr *request,
		    struct answer *answer)
{
	struct nlmsghdr buffer[ANSWER_BYTES / sizeof(struct nlmsghdr)];
	ssize_t size_bytes;
	int ret;

	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		size_bytes = mnl_socket_recvfrom(socket, buffer,
						 sizeof(buffer));
		if (size_bytes < 0 && errno == EINTR) {
			ret = MNL_CB_OK;
			continue;
		}
		if (size_bytes < 0)
			return -errno;
		ret = mnl_cb_run(buffer, size_bytes, request->nlmsg_seq,
				 mnl_socket_get_portid(socket), parse_answer,
				 answer);
	} while (ret > MNL_CB_STOP);
	return ret < 0 ? -errno : 0;
}

int vhb_link_stats_get(const char *name, struct vhb_link_stats *stats_out)
{
	union {
		uint8_t bytes[REQUEST_BYTES];
		struct nlmsghdr align;
	} buffer;
	struct answer answer = { 0 };
	struct mnl_socket *socket;
	struct nlmsghdr *header;
	struct ifinfomsg *info;
	int ret;

	if (!*name || strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	header = mnl_nlmsg_put_header(buffer.bytes);
	header->nlmsg_type = RTM_GETLINK;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	header->nlmsg_seq = 1;
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(header, IFLA_IFNAME, name);

	socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket)
		return -errno;
	ret = converse(socket, header, &answer);
	mnl_socket_close(socket);
	if (!ret && !answer.is_found)
		ret = -ENODEV;
	if (!ret)
		*stats_out = answer.stats;
	return ret;
}
