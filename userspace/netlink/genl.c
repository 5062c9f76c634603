// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink/genl.h"

#include <errno.h>
#include <string.h>

#include <sys/socket.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "lib/bits.h"

#define ANSWER_BYTES 32768

/* A union, for the alignment of messages */
union answer {
	uint8_t bytes[ANSWER_BYTES];
	struct nlmsghdr header;
};

/*
 * struct lookup - what is wanted to know of a family
 * @group_name: the group, or NULL
 * @group_id: its number; 0 while it was not found
 * @family_id: the family's number
 */
struct lookup {
	const char *group_name;
	uint32_t group_id;
	uint16_t family_id;
};

/* libmnl takes any end of a dump for a good one. */
static int on_done(const struct nlmsghdr *header, void *argument)
{
	const int *error = mnl_nlmsg_get_payload(header);

	(void)argument;
	if (mnl_nlmsg_get_payload_len(header) < sizeof(*error) || !*error)
		return MNL_CB_STOP;
	errno = -*error;
	return MNL_CB_ERROR;
}

static int on_error(const struct nlmsghdr *header, void *argument)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);

	(void)argument;
	if (mnl_nlmsg_get_payload_len(header) < sizeof(*error)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (!error->error)
		return MNL_CB_STOP;
	errno = -error->error;
	return MNL_CB_ERROR;
}

/* All or nothing: libmnl does not look at its own for what is missing here. */
static mnl_cb_t on_control[] = {
	[NLMSG_ERROR] = on_error,
	[NLMSG_DONE] = on_done,
};

static ssize_t receive(const struct vhb_genl *genl, union answer *answer)
{
	ssize_t size_bytes;

	do
		size_bytes = mnl_socket_recvfrom(genl->socket, answer->bytes,
						 sizeof(answer->bytes));
	while (size_bytes < 0 && errno == EINTR);
	return size_bytes < 0 ? -errno : size_bytes;
}

void vhb_genl_begin(struct vhb_genl *genl, union vhb_genl_request *request,
		    uint8_t command, uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(request->bytes);
	struct genlmsghdr *genl_header;

	header->nlmsg_type = genl->family_id;
	/* A dump ends with a message of its own, everything else with this. */
	header->nlmsg_flags = NLM_F_REQUEST | (flags ? flags : NLM_F_ACK);
	header->nlmsg_seq = ++genl->sequence;
	genl_header = mnl_nlmsg_put_extra_header(header, sizeof(*genl_header));
	genl_header->cmd = command;
	genl_header->version = 1;
}

int vhb_genl_ask(struct vhb_genl *genl, const union vhb_genl_request *request,
		 mnl_cb_t on_message, void *argument)
{
	const unsigned int port_id = mnl_socket_get_portid(genl->socket);
	union answer answer;
	ssize_t size_bytes;
	int ret;

	if (mnl_socket_sendto(genl->socket, request->bytes,
			      request->header.nlmsg_len) < 0)
		return -errno;
	do {
		size_bytes = receive(genl, &answer);
		if (size_bytes < 0)
			return size_bytes;
		ret = mnl_cb_run2(answer.bytes, size_bytes,
				  request->header.nlmsg_seq, port_id,
				  on_message, argument, on_control,
				  VHB_ARRAY_COUNT(on_control));
	} while (ret > MNL_CB_STOP);
	return ret < 0 ? -errno : 0;
}

static void parse_group(const struct nlattr *group, struct lookup *lookup)
{
	const struct nlattr *attribute;
	const char *name = "";
	uint32_t id = 0;

	mnl_attr_for_each_nested(attribute, group) {
		switch (mnl_attr_get_type(attribute)) {
		case CTRL_ATTR_MCAST_GRP_NAME:
			if (!mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING))
				name = mnl_attr_get_str(attribute);
			break;
		case CTRL_ATTR_MCAST_GRP_ID:
			if (!mnl_attr_validate(attribute, MNL_TYPE_U32))
				id = mnl_attr_get_u32(attribute);
			break;
		}
	}
	if (lookup->group_name && !strcmp(name, lookup->group_name))
		lookup->group_id = id;
}

static int parse_family(const struct nlmsghdr *header, void *argument)
{
	const struct nlattr *attribute, *group;
	struct lookup *lookup = argument;

	mnl_attr_for_each(attribute, header, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attribute)) {
		case CTRL_ATTR_FAMILY_ID:
			if (mnl_attr_validate(attribute, MNL_TYPE_U16))
				return MNL_CB_ERROR;
			lookup->family_id = mnl_attr_get_u16(attribute);
			break;
		case CTRL_ATTR_MCAST_GROUPS:
			mnl_attr_for_each_nested(group, attribute)
				parse_group(group, lookup);
			break;
		}
	}
	return MNL_CB_OK;
}

static int look_up(struct vhb_genl *genl, struct lookup *lookup)
{
	struct vhb_genl controller = {
		.socket = genl->socket,
		.family_id = GENL_ID_CTRL,
		.sequence = genl->sequence,
	};
	union vhb_genl_request request;
	int ret;

	vhb_genl_begin(&controller, &request, CTRL_CMD_GETFAMILY, 0);
	mnl_attr_put_strz(&request.header, CTRL_ATTR_FAMILY_NAME,
			  genl->family_name);
	ret = vhb_genl_ask(&controller, &request, parse_family, lookup);
	genl->sequence = controller.sequence;
	return ret;
}

int vhb_genl_open(struct vhb_genl *genl, const char *family_name)
{
	struct lookup lookup = { 0 };
	int ret;

	*genl = (struct vhb_genl){ .family_name = family_name };
	genl->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!genl->socket)
		return -errno;
	ret = mnl_socket_bind(genl->socket, 0, MNL_SOCKET_AUTOPID) < 0 ?
		      -errno :
		      look_up(genl, &lookup);
	if (ret) {
		vhb_genl_close(genl);
		return ret;
	}
	genl->family_id = lookup.family_id;
	return 0;
}

void vhb_genl_close(struct vhb_genl *genl)
{
	mnl_socket_close(genl->socket);
	genl->socket = NULL;
}

static int join_group(const struct vhb_genl *genl, uint32_t group_id)
{
	int group = group_id;

	return mnl_socket_setsockopt(genl->socket, NETLINK_ADD_MEMBERSHIP,
				     &group, sizeof(group)) < 0 ? -errno : 0;
}

int vhb_genl_join(struct vhb_genl *genl, const char *group_name)
{
	struct lookup lookup = { .group_name = group_name };
	int ret;

	ret = look_up(genl, &lookup);
	if (ret)
		return ret;
	if (!lookup.group_id)
		return -ENOENT;
	ret = join_group(genl, lookup.group_id);
	if (ret)
		return ret;
	/* The controller's own, "notify": it tells when the family goes. */
	return join_group(genl, GENL_ID_CTRL);
}

static bool is_end_of_family(const struct nlmsghdr *header, uint16_t family_id)
{
	const struct genlmsghdr *genl_header = mnl_nlmsg_get_payload(header);
	struct lookup lookup = { 0 };

	return genl_header->cmd == CTRL_CMD_DELFAMILY &&
	       parse_family(header, &lookup) == MNL_CB_OK &&
	       lookup.family_id == family_id;
}

/*
 * struct listener - who hears of the group's messages
 * @genl: the socket
 * @on_message: the callback
 * @argument: handed to it
 */
struct listener {
	const struct vhb_genl *genl;
	mnl_cb_t on_message;
	void *argument;
};

static int hear(const struct nlmsghdr *header, void *argument)
{
	const struct listener *listener = argument;

	if (mnl_nlmsg_get_payload_len(header) < sizeof(struct genlmsghdr))
		return MNL_CB_OK;
	if (header->nlmsg_type == listener->genl->family_id)
		return listener->on_message(header, listener->argument);
	if (header->nlmsg_type == GENL_ID_CTRL &&
	    is_end_of_family(header, listener->genl->family_id)) {
		errno = ENOENT;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

int vhb_genl_listen(struct vhb_genl *genl, mnl_cb_t on_message, void *argument)
{
	struct listener listener = { genl, on_message, argument };
	union answer answer;
	ssize_t size_bytes;
	int ret;

	size_bytes = receive(genl, &answer);
	if (size_bytes < 0)
		return size_bytes;
	/* Nobody asked for them: no sequence, and no port of ours. */
	ret = mnl_cb_run(answer.bytes, size_bytes, 0, 0, hear, &listener);
	return ret < 0 ? -errno : 0;
}
