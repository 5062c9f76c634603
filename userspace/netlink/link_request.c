// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink/link_request.h"

#include <errno.h>
#include <string.h>

#include <net/if.h>
#include <sys/socket.h>

#define ANSWER_BYTES 32768

void vhb_link_request_init(struct vhb_link_request *request, uint16_t type)
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

int vhb_link_request_by_name(struct vhb_link_request *request,
			     const char *name)
{
	/* Longer names are alternative names (IFLA_ALT_IFNAME). */
	if (!*name || strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	vhb_link_request_init(request, RTM_GETLINK);
	mnl_attr_put_strz(request->header, IFLA_IFNAME, name);
	return 0;
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

int vhb_link_converse(const struct vhb_link_request *request,
		      mnl_cb_t on_message, void *argument)
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
