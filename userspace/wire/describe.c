// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/describe.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "lib/bits.h"
#include "lib/fd_kind.h"
#include "lib/feature_names.h"
#include "wire/message_table.h"

/* Bytes of configuration space, or of what has no fields, that are shown */
#define SHOWN_BYTES 64
#define FIELDS_MAX 7

/**
 * enum style - how a field is shown
 * @END: there is none
 * @DEC: as decimal number
 * @HEX: as hexadecimal number
 * @SKIP: not at all: padding
 * @VRING: low byte is a vring index, bit 8 says that no descriptor came
 * @FEATURES: feature bits
 * @PROTOCOL: protocol feature bits
 * @STATUS: bits of the device status
 * @MAC: Ethernet address in the low bytes, first byte lowest
 * @REGION: a &struct vhb_wire_region
 * @TABLE: so many regions as the 32 bits before these four bytes of padding say
 * @DATA: bytes to the end of the payload
 * @PERMISSION: enum of an IOTLB message
 * @IOTLB: likewise
 * @DIRECTION: of a device's state
 */
enum style {
	END, DEC, HEX, SKIP, VRING, FEATURES, PROTOCOL, STATUS, MAC, REGION,
	TABLE, DATA, PERMISSION, IOTLB, DIRECTION,
};

struct field {
	const char *name;
	uint8_t size_bytes;
	enum style style;
};

struct layout {
	struct field fields[FIELDS_MAX];
};

#define REGION_BYTES sizeof(struct vhb_wire_region)

#define NUMBER(name) { { { name, 8, DEC } } }
#define STATE(name) { { { "vring", 4, DEC }, { name, 4, DEC } } }
#define FD_INDEX { { { "vring", 8, VRING } } }
#define CONFIG { { { "offset", 4, DEC }, { "size", 4, DEC }, \
		   { "flags", 4, HEX }, { "data", 0, DATA } } }
#define INFLIGHT { { { "size", 8, HEX }, { "offset", 8, HEX }, \
		     { "queues", 2, DEC }, { "entries", 2, DEC } } }
#define ONE_REGION { { { NULL, 8, SKIP }, { "region", REGION_BYTES, REGION } } }
#define IOTLB_FIELDS { { { "iova", 8, HEX }, { "size", 8, HEX }, \
			 { "uva", 8, HEX }, { "perm", 1, PERMISSION }, \
			 { "type", 1, IOTLB }, { NULL, 6, SKIP } } }
#define BYTES { { { "data", 0, DATA } } }

/* What is not here has no payload. */
static const struct layout requests[VHB_REQUEST_COUNT] = {
	[VHB_SET_FEATURES] = { { { "features", 8, FEATURES } } },
	[VHB_SET_MEM_TABLE] = { { { "regions", 4, DEC },
				  { "region", 4, TABLE } } },
	[VHB_SET_LOG_BASE] = { { { "size", 8, HEX }, { "offset", 8, HEX } } },
	[VHB_SET_VRING_NUM] = STATE("num"),
	[VHB_SET_VRING_ADDR] = { { { "vring", 4, DEC }, { "flags", 4, HEX },
				   { "desc", 8, HEX }, { "used", 8, HEX },
				   { "avail", 8, HEX }, { "log", 8, HEX } } },
	[VHB_SET_VRING_BASE] = { { { "vring", 4, DEC }, { "base", 4, HEX } } },
	[VHB_GET_VRING_BASE] = STATE("num"),
	[VHB_SET_VRING_KICK] = FD_INDEX,
	[VHB_SET_VRING_CALL] = FD_INDEX,
	[VHB_SET_VRING_ERR] = FD_INDEX,
	[VHB_SET_PROTOCOL_FEATURES] = { { { "features", 8, PROTOCOL } } },
	[VHB_SET_VRING_ENABLE] = STATE("enable"),
	[VHB_SEND_RARP] = { { { "mac", 8, MAC } } },
	[VHB_NET_SET_MTU] = NUMBER("mtu"),
	[VHB_IOTLB_MSG] = IOTLB_FIELDS,
	[VHB_SET_VRING_ENDIAN] = STATE("big"),
	[VHB_GET_CONFIG] = CONFIG,
	[VHB_SET_CONFIG] = CONFIG,
	[VHB_CREATE_CRYPTO_SESSION] = BYTES,
	[VHB_CLOSE_CRYPTO_SESSION] = NUMBER("session"),
	[VHB_GET_INFLIGHT_FD] = INFLIGHT,
	[VHB_SET_INFLIGHT_FD] = INFLIGHT,
	[VHB_VRING_KICK] = STATE("num"),
	[VHB_ADD_MEM_REG] = ONE_REGION,
	[VHB_REM_MEM_REG] = ONE_REGION,
	[VHB_SET_STATUS] = { { { "status", 8, STATUS } } },
	[VHB_GET_SHARED_OBJECT] = { { { "uuid", 0, DATA } } },
	[VHB_SET_DEVICE_STATE_FD] = { { { "direction", 4, DIRECTION },
					{ "phase", 4, DEC } } },
};

/* Replies that are no plain number */
static const struct layout replies[VHB_REQUEST_COUNT] = {
	[VHB_GET_FEATURES] = { { { "features", 8, FEATURES } } },
	[VHB_GET_PROTOCOL_FEATURES] = { { { "features", 8, PROTOCOL } } },
	[VHB_GET_VRING_BASE] = { { { "vring", 4, DEC }, { "base", 4, HEX } } },
	[VHB_GET_CONFIG] = CONFIG,
	[VHB_GET_INFLIGHT_FD] = INFLIGHT,
	[VHB_GET_QUEUE_NUM] = NUMBER("queues"),
	[VHB_GET_MAX_MEM_SLOTS] = NUMBER("slots"),
	[VHB_GET_STATUS] = { { { "status", 8, STATUS } } },
	/* Postcopy: where the regions are mapped here */
	[VHB_SET_MEM_TABLE] = { { { "regions", 4, DEC },
				  { "region", 4, TABLE } } },
	[VHB_ADD_MEM_REG] = ONE_REGION,
	[VHB_GET_SHMEM_CONFIG] = BYTES,
	[VHB_CREATE_CRYPTO_SESSION] = BYTES,
};

static const struct {
	const char *name;
	struct layout layout;
} backend[] = {
	[VHB_BACKEND_IOTLB_MSG] = { "IOTLB_MSG", IOTLB_FIELDS },
	[VHB_BACKEND_CONFIG_CHANGE_MSG] = { "CONFIG_CHANGE_MSG", { } },
	[VHB_BACKEND_VRING_CALL] = { "VRING_CALL", STATE("num") },
	[VHB_BACKEND_VRING_ERR] = { "VRING_ERR", STATE("num") },
};

/**
 * struct reader - a payload being read
 * @at: what comes next
 * @left_bytes: how much there is of it
 */
struct reader {
	const uint8_t *at;
	size_t left_bytes;
};

/* Zero for what is not there; the caller has asked before. */
static uint64_t take(struct reader *reader, size_t size_bytes)
{
	uint64_t value = 0;

	if (size_bytes > reader->left_bytes)
		size_bytes = reader->left_bytes;
	/* Little or big endian, as long as this machine speaks to itself. */
	if (size_bytes == 1) {
		value = *reader->at;
	} else if (size_bytes == 2) {
		uint16_t half;

		memcpy(&half, reader->at, sizeof(half));
		value = half;
	} else if (size_bytes == 4) {
		uint32_t word;

		memcpy(&word, reader->at, sizeof(word));
		value = word;
	} else if (size_bytes == 8) {
		memcpy(&value, reader->at, sizeof(value));
	}
	reader->at += size_bytes;
	reader->left_bytes -= size_bytes;
	return value;
}

static void add_choice(struct vhb_text *text, uint64_t value,
		       const char * const *names, size_t count)
{
	if (value < count && names[value])
		vhb_text_add(text, "%s", names[value]);
	else
		vhb_text_add(text, "%" PRIu64, value);
}

static void add_region(struct vhb_text *text, struct reader *reader)
{
	const uint64_t gpa = take(reader, 8);
	const uint64_t size = take(reader, 8);
	const uint64_t uva = take(reader, 8);
	const uint64_t offset = take(reader, 8);

	vhb_text_add(text, "{gpa=0x%" PRIx64 " size=0x%" PRIx64 " uva=0x%"
		     PRIx64 " offset=0x%" PRIx64 "}", gpa, size, uva, offset);
}

static void add_mac(struct vhb_text *text, uint64_t value)
{
	uint8_t bytes[8];

	memcpy(bytes, &value, sizeof(bytes));
	vhb_text_add(text, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
		     bytes[2], bytes[3], bytes[4], bytes[5]);
}

static void add_fd_index(struct vhb_text *text, uint64_t value)
{
	vhb_text_add(text, "%" PRIu64, value & VHB_VRING_INDEX_MASK);
	if (vhb_has_bit(value, VHB_VRING_NOFD_BIT))
		vhb_text_add(text, " nofd");
	value &= ~(VHB_VRING_INDEX_MASK | vhb_bit(VHB_VRING_NOFD_BIT));
	if (value)
		vhb_text_add(text, " unknown=0x%" PRIx64, value);
}

static void add_value(struct vhb_text *text, enum style style, uint64_t value,
		      const char *type_name)
{
	static const char * const permissions[] = { "none", "ro", "wo", "rw" };
	static const char * const iotlb_types[] = {
		[1] = "MISS", [2] = "UPDATE", [3] = "INVALIDATE",
		[4] = "ACCESS_FAIL",
	};
	static const char * const directions[] = { "save", "load" };

	switch (style) {
	case VRING:
		add_fd_index(text, value);
		break;
	case FEATURES:
		vhb_features_add(text, type_name, value);
		break;
	case PROTOCOL:
		vhb_protocol_features_add(text, value);
		break;
	case STATUS:
		vhb_status_bits_add(text, value);
		break;
	case MAC:
		add_mac(text, value);
		break;
	case PERMISSION:
		add_choice(text, value, permissions,
			   VHB_ARRAY_COUNT(permissions));
		break;
	case IOTLB:
		add_choice(text, value, iotlb_types,
			   VHB_ARRAY_COUNT(iotlb_types));
		break;
	case DIRECTION:
		add_choice(text, value, directions,
			   VHB_ARRAY_COUNT(directions));
		break;
	case HEX:
		vhb_text_add(text, "0x%" PRIx64, value);
		break;
	default:
		vhb_text_add(text, "%" PRIu64, value);
	}
}

/* @count is the front-end's: more than there can be are not there. */
static void add_table(struct vhb_text *text, struct reader *reader,
		      uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count && reader->left_bytes >= REGION_BYTES; i++) {
		vhb_text_add(text, " ");
		add_region(text, reader);
	}
	if (i < count)
		vhb_text_add(text, " missing=%" PRIu64, count - i);
}

static void add_data(struct vhb_text *text, const char *name,
		     struct reader *reader)
{
	if (reader->left_bytes) {
		vhb_text_add(text, " %s=", name);
		vhb_text_add_hex(text, reader->at, reader->left_bytes,
				 SHOWN_BYTES);
	}
	reader->left_bytes = 0;
}

static void add_fields(struct vhb_text *text, const struct layout *layout,
		       const void *payload, size_t size_bytes,
		       const char *type_name)
{
	struct reader reader = { .at = payload, .left_bytes = size_bytes };
	const struct field *field = layout->fields;
	uint64_t value = 0;

	for (; field < layout->fields + FIELDS_MAX && field->style != END;
	     field++) {
		if (reader.left_bytes < field->size_bytes) {
			vhb_text_add(text, " truncated=%zu", size_bytes);
			return;
		}
		if (field->style == DATA) {
			add_data(text, field->name, &reader);
			return;
		}
		if (field->style == TABLE) {
			take(&reader, field->size_bytes);
			add_table(text, &reader, value);
			continue;
		}
		if (field->style == SKIP) {
			take(&reader, field->size_bytes);
			continue;
		}
		vhb_text_add(text, " %s=", field->name);
		if (field->style == REGION) {
			add_region(text, &reader);
			continue;
		}
		value = take(&reader, field->size_bytes);
		add_value(text, field->style, value, type_name);
	}
	if (reader.left_bytes)
		vhb_text_add(text, " +%zu bytes", reader.left_bytes);
}

static void add_fds(struct vhb_text *text, const struct vhb_message *message)
{
	unsigned int i;

	if (!message->fd_count)
		return;
	vhb_text_add(text, " fds=%u[", message->fd_count);
	for (i = 0; i < message->fd_count && i < VHB_FDS_MAX; i++) {
		if (i)
			vhb_text_add(text, " ");
		vhb_fd_add_kind(message->fds[i], text);
	}
	vhb_text_add(text, "]");
}

/* The 8 bytes of a front-end without LOG_SHMFD are an address of its own. */
static const struct layout *layout_of(uint32_t request, size_t size_bytes)
{
	static const struct layout log_base = { { { "base", 8, HEX } } };

	if (request == VHB_SET_LOG_BASE && size_bytes == sizeof(uint64_t))
		return &log_base;
	return &requests[request];
}

void vhb_describe_message(const struct vhb_message *message,
			  const char *type_name, struct vhb_text *text)
{
	static const struct layout unknown = BYTES;
	const struct vhb_wire_header *header = &message->header;
	const struct vhb_message_row *row = vhb_message_row(header->request);
	size_t size_bytes = header->size_bytes;

	if (size_bytes > sizeof(message->payload))
		size_bytes = sizeof(message->payload);
	if (row)
		vhb_text_add(text, "%s", row->name);
	else
		vhb_text_add(text, "REQUEST_%" PRIu32, header->request);
	if (vhb_has_bit(header->flags, VHB_FLAG_NEED_REPLY_BIT))
		vhb_text_add(text, " need_reply");
	add_fields(text, row ? layout_of(header->request, size_bytes) : &unknown,
		   &message->payload, size_bytes, type_name);
	add_fds(text, message);
}

void vhb_describe_reply(uint32_t request, const void *payload,
			size_t size_bytes, const char *type_name,
			struct vhb_text *text)
{
	static const struct layout number = { { { "value", 8, HEX } } };
	const struct layout *layout = &number;

	vhb_text_add(text, "reply");
	if (!size_bytes) {
		vhb_text_add(text, " empty");
		return;
	}
	if (request < VHB_REQUEST_COUNT && replies[request].fields[0].style)
		layout = &replies[request];
	add_fields(text, layout, payload, size_bytes, type_name);
}

void vhb_describe_backend(uint32_t request, const void *payload,
			  size_t size_bytes, struct vhb_text *text)
{
	static const struct layout unknown = BYTES;
	const bool is_known = request < VHB_ARRAY_COUNT(backend) &&
			      backend[request].name;

	vhb_text_add(text, "backend ");
	if (is_known)
		vhb_text_add(text, "%s", backend[request].name);
	else
		vhb_text_add(text, "REQUEST_%" PRIu32, request);
	add_fields(text, is_known ? &backend[request].layout : &unknown,
		   payload, size_bytes, NULL);
}
