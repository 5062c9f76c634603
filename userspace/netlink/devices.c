// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink/devices.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>
#include <linux/vhost_bridge_netlink.h>

#include "lib/bits.h"

/*
 * struct field - where a number of a message goes
 * @attribute: VHOST_BRIDGE_ATTR_*
 * @type: MNL_TYPE_U32 or MNL_TYPE_U64
 * @offset: of the member
 */
struct field {
	uint16_t attribute;
	enum mnl_attr_data_type type;
	size_t offset;
};

#define DEVICE_FIELD(attribute, type, member) \
	{ VHOST_BRIDGE_ATTR_##attribute, MNL_TYPE_##type, \
	  offsetof(struct vhb_device_info, member) }

static const struct field device_fields[] = {
	DEVICE_FIELD(DEVICE_ID, U32, id),
	DEVICE_FIELD(OWNER_PID, U32, owner_pid),
	DEVICE_FIELD(FEATURES, U64, features),
	DEVICE_FIELD(VRING_COUNT, U32, vring_count_max),
};

#define VRING_FIELD(attribute, type, member) \
	{ VHOST_BRIDGE_ATTR_##attribute, MNL_TYPE_##type, \
	  offsetof(struct vhb_vring_info, member) }

static const struct field vring_fields[] = {
	VRING_FIELD(VRING_INDEX, U32, status.index),
	VRING_FIELD(VRING_STATE, U32, status.state),
	VRING_FIELD(VRING_FAULT, U32, status.fault),
	VRING_FIELD(VRING_NUM, U32, num),
	VRING_FIELD(IN_FLIGHT_COUNT, U32, status.in_flight_count),
	VRING_FIELD(CHAIN_COUNT, U64, status.chain_count),
	VRING_FIELD(READ_BYTES, U64, status.read_bytes),
	VRING_FIELD(WRITTEN_BYTES, U64, status.written_bytes),
	VRING_FIELD(ERROR_COUNT, U64, status.error_count),
	VRING_FIELD(KICK_COUNT, U64, status.kick_count),
	VRING_FIELD(CALL_COUNT, U64, status.call_count),
	VRING_FIELD(CALL_SUPPRESSED_COUNT, U64, status.call_suppressed_count),
	VRING_FIELD(DRAIN_COUNT, U64, status.drain_count),
};

#define EVENT_FIELD(attribute, member) \
	{ VHOST_BRIDGE_ATTR_##attribute, MNL_TYPE_U32, \
	  offsetof(struct vhb_vring_event, member) }

static const struct field event_fields[] = {
	EVENT_FIELD(DEVICE_ID, device_id),
	EVENT_FIELD(VRING_INDEX, index),
	EVENT_FIELD(VRING_STATE, state),
	EVENT_FIELD(VRING_FAULT, fault),
};

/* What is no such number is left alone: newer modules may tell more. */
static void take_number(const struct nlattr *attribute,
			const struct field *fields, unsigned int count,
			void *target)
{
	unsigned int i;
	uint64_t u64;
	uint32_t u32;

	for (i = 0; i < count; i++) {
		if (fields[i].attribute != mnl_attr_get_type(attribute) ||
		    mnl_attr_validate(attribute, fields[i].type) < 0)
			continue;
		if (fields[i].type == MNL_TYPE_U64) {
			u64 = mnl_attr_get_u64(attribute);
			memcpy((uint8_t *)target + fields[i].offset, &u64,
			       sizeof(u64));
		} else {
			u32 = mnl_attr_get_u32(attribute);
			memcpy((uint8_t *)target + fields[i].offset, &u32,
			       sizeof(u32));
		}
	}
}

static void take_numbers(const struct nlmsghdr *header,
			 const struct field *fields, unsigned int count,
			 void *target)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct genlmsghdr))
		take_number(attribute, fields, count, target);
}

static const struct nlattr *find_attribute(const struct nlmsghdr *header,
					   uint16_t type)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attribute) == type)
			return attribute;
	return NULL;
}

static void take_type(const struct nlmsghdr *header, char *type)
{
	const struct nlattr *attribute;

	attribute = find_attribute(header, VHOST_BRIDGE_ATTR_DEVICE_TYPE);
	if (attribute && !mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING))
		strncat(type, mnl_attr_get_str(attribute),
			VHB_DEVICE_TYPE_BYTES - 1);
}

static int parse_device(const struct nlmsghdr *header, void *argument)
{
	struct vhb_device_list *list = argument;
	struct vhb_device_info *device;

	device = reallocarray(list->devices, list->count + 1, sizeof(*device));
	if (!device)
		return MNL_CB_ERROR;
	list->devices = device;
	device += list->count++;
	memset(device, 0, sizeof(*device));
	take_numbers(header, device_fields, VHB_ARRAY_COUNT(device_fields),
		     device);
	take_type(header, device->type);
	device->has_owner = find_attribute(header, VHOST_BRIDGE_ATTR_OWNER_PID);
	return MNL_CB_OK;
}

static struct vhb_device_info *find_device(struct vhb_device_list *list,
					   const struct nlmsghdr *header)
{
	const struct nlattr *attribute;
	unsigned int i;
	uint32_t id;

	attribute = find_attribute(header, VHOST_BRIDGE_ATTR_DEVICE_ID);
	if (!attribute || mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
		return NULL;
	id = mnl_attr_get_u32(attribute);
	for (i = 0; i < list->count; i++)
		if (list->devices[i].id == id)
			return &list->devices[i];
	return NULL;
}

static int parse_vring(const struct nlmsghdr *header, void *argument)
{
	struct vhb_device_info *device = find_device(argument, header);
	struct vhb_vring_info *vring;

	/* Opened since the devices were told: not this time. */
	if (!device)
		return MNL_CB_OK;
	vring = reallocarray(device->vrings, device->vring_count + 1,
			     sizeof(*vring));
	if (!vring)
		return MNL_CB_ERROR;
	device->vrings = vring;
	vring += device->vring_count++;
	memset(vring, 0, sizeof(*vring));
	take_numbers(header, vring_fields, VHB_ARRAY_COUNT(vring_fields),
		     vring);
	return MNL_CB_OK;
}

static int dump(struct vhb_genl *genl, uint8_t command, mnl_cb_t on_message,
		struct vhb_device_list *list)
{
	union vhb_genl_request request;

	vhb_genl_begin(genl, &request, command, NLM_F_DUMP);
	return vhb_genl_ask(genl, &request, on_message, list);
}

int vhb_device_list_read(struct vhb_device_list *list)
{
	struct vhb_genl genl;
	int ret;

	*list = (struct vhb_device_list){ 0 };
	ret = vhb_genl_open(&genl, VHOST_BRIDGE_GENL_NAME);
	if (ret)
		return ret;
	ret = dump(&genl, VHOST_BRIDGE_CMD_GET_DEVICE, parse_device, list);
	if (!ret)
		ret = dump(&genl, VHOST_BRIDGE_CMD_GET_VRING, parse_vring,
			   list);
	vhb_genl_close(&genl);
	if (ret)
		vhb_device_list_free(list);
	return ret;
}

void vhb_device_list_free(struct vhb_device_list *list)
{
	unsigned int i;

	for (i = 0; i < list->count; i++)
		free(list->devices[i].vrings);
	free(list->devices);
	*list = (struct vhb_device_list){ 0 };
}

int vhb_vring_events_open(struct vhb_genl *genl)
{
	int ret;

	ret = vhb_genl_open(genl, VHOST_BRIDGE_GENL_NAME);
	if (ret)
		return ret;
	ret = vhb_genl_join(genl, VHOST_BRIDGE_GENL_GROUP_EVENTS);
	if (ret)
		vhb_genl_close(genl);
	return ret;
}

/*
 * struct reader - who reads events
 * @on_event: the callback
 * @argument: handed to it
 */
struct reader {
	void (*on_event)(void *argument, const struct vhb_vring_event *event);
	void *argument;
};

static int parse_event(const struct nlmsghdr *header, void *argument)
{
	const struct genlmsghdr *genl_header = mnl_nlmsg_get_payload(header);
	const struct reader *reader = argument;
	struct vhb_vring_event event = { 0 };

	if (genl_header->cmd != VHOST_BRIDGE_CMD_VRING_EVENT)
		return MNL_CB_OK;
	take_numbers(header, event_fields, VHB_ARRAY_COUNT(event_fields),
		     &event);
	take_type(header, event.type);
	reader->on_event(reader->argument, &event);
	return MNL_CB_OK;
}

int vhb_vring_events_wait(struct vhb_genl *genl,
			  void (*on_event)(void *argument,
					   const struct vhb_vring_event *event),
			  void *argument)
{
	struct reader reader = { on_event, argument };

	return vhb_genl_listen(genl, parse_event, &reader);
}
