// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink/link_monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

/* Datagrams taken before others get their turn in the loop */
#define DATAGRAMS_PER_TURN 16
/* As large as the kernel makes a message of a link with many virtual functions */
#define DATAGRAM_BYTES 32768

struct vhb_link_monitor {
	struct mnl_socket *socket;
	vhb_link_news_fn on_news;
	void *argument;
};

int vhb_link_monitor_open(struct vhb_link_monitor **monitor_out)
{
	struct vhb_link_monitor *monitor = calloc(1, sizeof(*monitor));
	int ret;

	if (!monitor)
		return -ENOMEM;
	monitor->socket = mnl_socket_open2(NETLINK_ROUTE,
					   SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!monitor->socket) {
		ret = -errno;
		goto free_monitor;
	}
	if (mnl_socket_bind(monitor->socket, RTMGRP_LINK,
			    MNL_SOCKET_AUTOPID) < 0) {
		ret = -errno;
		goto close_socket;
	}
	*monitor_out = monitor;
	return 0;

close_socket:
	mnl_socket_close(monitor->socket);
free_monitor:
	free(monitor);
	return ret;
}

void vhb_link_monitor_close(struct vhb_link_monitor *monitor)
{
	if (!monitor)
		return;
	mnl_socket_close(monitor->socket);
	free(monitor);
}

int vhb_link_monitor_fd(const struct vhb_link_monitor *monitor)
{
	return mnl_socket_get_fd(monitor->socket);
}

int vhb_link_news_parse(const struct nlmsghdr *header,
			struct vhb_link *link_out, bool *is_gone_out)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);

	if (header->nlmsg_type != RTM_NEWLINK &&
	    header->nlmsg_type != RTM_DELLINK)
		return -ENOMSG;
	if (mnl_nlmsg_get_payload_len(header) < sizeof(*info))
		return -EBADMSG;
	if (info->ifi_family != AF_UNSPEC)
		return -ENOMSG;
	*is_gone_out = header->nlmsg_type == RTM_DELLINK;
	return vhb_link_parse(header, link_out);
}

/* One damaged message is no reason to miss those behind it. */
static int on_message(const struct nlmsghdr *header, void *argument)
{
	struct vhb_link_monitor *monitor = argument;
	struct vhb_link link;
	bool is_gone;

	if (!vhb_link_news_parse(header, &link, &is_gone))
		monitor->on_news(monitor->argument, &link, is_gone);
	return MNL_CB_OK;
}

int vhb_link_monitor_read(struct vhb_link_monitor *monitor,
			  vhb_link_news_fn on_news, void *argument)
{
	struct nlmsghdr buffer[DATAGRAM_BYTES / sizeof(struct nlmsghdr)];
	ssize_t size_bytes;
	unsigned int i;

	monitor->on_news = on_news;
	monitor->argument = argument;
	for (i = 0; i < DATAGRAMS_PER_TURN; i++) {
		size_bytes = mnl_socket_recvfrom(monitor->socket, buffer,
						 sizeof(buffer));
		if (size_bytes < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		/* Longer than the buffer: this one is lost as well. */
		if (size_bytes < 0)
			return errno == ENOSPC ? -ENOBUFS : -errno;
		mnl_cb_run(buffer, size_bytes, 0, 0, on_message, monitor);
	}
	return 0;
}
