// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/message_table.h"

#include <errno.h>

#include "lib/bits.h"

/* Payload sizes, in bytes, and short words that keep a row on one line */
enum {
	U64 = sizeof(uint64_t),
	STATE = sizeof(struct vhb_wire_vring_state),
	ADDR = sizeof(struct vhb_wire_vring_addr),
	TABLE1 = offsetof(struct vhb_wire_memory, regions[1]),
	TABLE = sizeof(struct vhb_wire_memory),
	REGION = sizeof(struct vhb_wire_single_region),
	CONF0 = VHB_WIRE_CONFIG_HEADER_BYTES,
	CONF = sizeof(struct vhb_wire_config),
	LOG = sizeof(struct vhb_wire_log),
	IOTLB = sizeof(struct vhb_wire_iotlb),
	/* 20 in the specification, 24 where the compiler pads the structure */
	INFLIGHT0 = 20,
	INFLIGHT = 24,
	UUID = 16,
	TRANSFER = 8,
	ANY = VHB_PAYLOAD_MAX_BYTES,
	FDS = VHB_FDS_MAX,
};

#define NOIDX VHB_INDEX_NONE
#define IDX32 VHB_INDEX_U32
#define IDXFD VHB_INDEX_U64_NOFD

#define ACK VHB_REPLY_ACK
#define OWN VHB_REPLY_OWN

#define FREE VHB_GATE_NONE
#define ACKED VHB_GATE_ACKED
#define OFFER VHB_GATE_OFFERED

#define F(name) VHB_PROTOCOL_F_##name

/*
 * Columns: name; payload from and to; descriptors from and to; vring index;
 * reply; gate and its feature.
 */
static const struct vhb_message_row rows[VHB_REQUEST_COUNT] = {
	[VHB_GET_FEATURES] = { "GET_FEATURES", 0, 0, 0, 0,
		NOIDX, OWN, FREE, 0 },
	[VHB_SET_FEATURES] = { "SET_FEATURES", U64, U64, 0, 0,
		NOIDX, ACK, FREE, 0 },
	[VHB_SET_OWNER] = { "SET_OWNER", 0, 0, 0, 0,
		NOIDX, ACK, FREE, 0 },
	[VHB_RESET_OWNER] = { "RESET_OWNER", 0, 0, 0, 0,
		NOIDX, ACK, FREE, 0 },
	[VHB_SET_MEM_TABLE] = { "SET_MEM_TABLE", TABLE1, TABLE, 1, FDS,
		NOIDX, ACK, FREE, 0 },
	[VHB_SET_LOG_BASE] = { "SET_LOG_BASE", U64, LOG, 0, 1,
		NOIDX, OWN, FREE, 0 },
	[VHB_SET_LOG_FD] = { "SET_LOG_FD", 0, 0, 1, 1,
		NOIDX, ACK, FREE, 0 },
	[VHB_SET_VRING_NUM] = { "SET_VRING_NUM", STATE, STATE, 0, 0,
		IDX32, ACK, FREE, 0 },
	[VHB_SET_VRING_ADDR] = { "SET_VRING_ADDR", ADDR, ADDR, 0, 0,
		IDX32, ACK, FREE, 0 },
	[VHB_SET_VRING_BASE] = { "SET_VRING_BASE", STATE, STATE, 0, 0,
		IDX32, ACK, FREE, 0 },
	[VHB_GET_VRING_BASE] = { "GET_VRING_BASE", STATE, STATE, 0, 0,
		IDX32, OWN, FREE, 0 },
	[VHB_SET_VRING_KICK] = { "SET_VRING_KICK", U64, U64, 0, 1,
		IDXFD, ACK, FREE, 0 },
	[VHB_SET_VRING_CALL] = { "SET_VRING_CALL", U64, U64, 0, 1,
		IDXFD, ACK, FREE, 0 },
	[VHB_SET_VRING_ERR] = { "SET_VRING_ERR", U64, U64, 0, 1,
		IDXFD, ACK, FREE, 0 },
	[VHB_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", 0, 0, 0, 0,
		NOIDX, OWN, FREE, 0 },
	[VHB_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", U64, U64, 0, 0,
		NOIDX, ACK, FREE, 0 },
	[VHB_GET_QUEUE_NUM] = { "GET_QUEUE_NUM", 0, 0, 0, 0,
		NOIDX, OWN, OFFER, F(MQ) },
	[VHB_SET_VRING_ENABLE] = { "SET_VRING_ENABLE", STATE, STATE, 0, 0,
		IDX32, ACK, FREE, 0 },
	[VHB_SEND_RARP] = { "SEND_RARP", U64, U64, 0, 0,
		NOIDX, ACK, OFFER, F(RARP) },
	[VHB_NET_SET_MTU] = { "NET_SET_MTU", U64, U64, 0, 0,
		NOIDX, ACK, OFFER, F(MTU) },
	[VHB_SET_BACKEND_REQ_FD] = { "SET_BACKEND_REQ_FD", 0, 0, 1, 1,
		NOIDX, ACK, OFFER, F(BACKEND_REQ) },
	/*
	 * The specification has a reply of its own here; QEMU, the only
	 * front-end that sends it, waits for one when it has set need_reply.
	 */
	[VHB_IOTLB_MSG] = { "IOTLB_MSG", IOTLB, IOTLB, 0, 0,
		NOIDX, ACK, FREE, 0 },
	[VHB_SET_VRING_ENDIAN] = { "SET_VRING_ENDIAN", STATE, STATE, 0, 0,
		IDX32, ACK, ACKED, F(CROSS_ENDIAN) },
	[VHB_GET_CONFIG] = { "GET_CONFIG", CONF0, CONF, 0, 0,
		NOIDX, OWN, ACKED, F(CONFIG) },
	[VHB_SET_CONFIG] = { "SET_CONFIG", CONF0, CONF, 0, 0,
		NOIDX, ACK, ACKED, F(CONFIG) },
	[VHB_CREATE_CRYPTO_SESSION] = { "CREATE_CRYPTO_SESSION", 1, ANY, 0, 0,
		NOIDX, OWN, ACKED, F(CRYPTO_SESSION) },
	[VHB_CLOSE_CRYPTO_SESSION] = { "CLOSE_CRYPTO_SESSION", U64, U64, 0, 0,
		NOIDX, ACK, ACKED, F(CRYPTO_SESSION) },
	[VHB_POSTCOPY_ADVISE] = { "POSTCOPY_ADVISE", 0, 0, 0, 0,
		NOIDX, OWN, ACKED, F(PAGEFAULT) },
	[VHB_POSTCOPY_LISTEN] = { "POSTCOPY_LISTEN", 0, 0, 0, 0,
		NOIDX, ACK, ACKED, F(PAGEFAULT) },
	[VHB_POSTCOPY_END] = { "POSTCOPY_END", 0, 0, 0, 0,
		NOIDX, OWN, ACKED, F(PAGEFAULT) },
	[VHB_GET_INFLIGHT_FD] = { "GET_INFLIGHT_FD", INFLIGHT0, INFLIGHT, 0, 0,
		NOIDX, OWN, ACKED, F(INFLIGHT_SHMFD) },
	[VHB_SET_INFLIGHT_FD] = { "SET_INFLIGHT_FD", INFLIGHT0, INFLIGHT, 1, 1,
		NOIDX, ACK, ACKED, F(INFLIGHT_SHMFD) },
	[VHB_GPU_SET_SOCKET] = { "GPU_SET_SOCKET", 0, 0, 1, 1,
		NOIDX, ACK, FREE, 0 },
	[VHB_RESET_DEVICE] = { "RESET_DEVICE", 0, 0, 0, 0,
		NOIDX, ACK, OFFER, F(RESET_DEVICE) },
	[VHB_VRING_KICK] = { "VRING_KICK", STATE, STATE, 0, 0,
		IDX32, ACK, ACKED, F(INBAND_NOTIFICATIONS) },
	[VHB_GET_MAX_MEM_SLOTS] = { "GET_MAX_MEM_SLOTS", 0, 0, 0, 0,
		NOIDX, OWN, ACKED, F(CONFIGURE_MEM_SLOTS) },
	[VHB_ADD_MEM_REG] = { "ADD_MEM_REG", REGION, REGION, 1, 1,
		NOIDX, ACK, ACKED, F(CONFIGURE_MEM_SLOTS) },
	[VHB_REM_MEM_REG] = { "REM_MEM_REG", REGION, REGION, 0, 1,
		NOIDX, ACK, ACKED, F(CONFIGURE_MEM_SLOTS) },
	[VHB_SET_STATUS] = { "SET_STATUS", U64, U64, 0, 0,
		NOIDX, ACK, ACKED, F(STATUS) },
	[VHB_GET_STATUS] = { "GET_STATUS", 0, 0, 0, 0,
		NOIDX, OWN, ACKED, F(STATUS) },
	[VHB_GET_SHARED_OBJECT] = { "GET_SHARED_OBJECT", UUID, UUID, 0, 0,
		NOIDX, OWN, ACKED, F(SHARED_OBJECT) },
	[VHB_SET_DEVICE_STATE_FD] = { "SET_DEVICE_STATE_FD", TRANSFER, TRANSFER, 1, 1,
		NOIDX, OWN, ACKED, F(DEVICE_STATE) },
	[VHB_CHECK_DEVICE_STATE] = { "CHECK_DEVICE_STATE", 0, 0, 0, 0,
		NOIDX, OWN, ACKED, F(DEVICE_STATE) },
	[VHB_GET_SHMEM_CONFIG] = { "GET_SHMEM_CONFIG", 0, 0, 0, 0,
		NOIDX, OWN, ACKED, F(SHMEM) },
};

const struct vhb_message_row *vhb_message_row(uint32_t request)
{
	if (request >= VHB_REQUEST_COUNT || !rows[request].name)
		return NULL;
	return &rows[request];
}

const char *vhb_message_name(uint32_t request)
{
	const struct vhb_message_row *row = vhb_message_row(request);

	return row ? row->name : "unknown request";
}

static int gate_check(const struct vhb_message_row *row,
		      const struct vhb_gate *gate, struct vhb_why *why)
{
	switch (row->gate_kind) {
	case VHB_GATE_ACKED:
		if (!vhb_has_bit(gate->acked_mask, row->feature_bit))
			return vhb_wrong(why, -EOPNOTSUPP,
					 "protocol feature %u is not negotiated",
					 row->feature_bit);
		break;
	case VHB_GATE_OFFERED:
		if (!vhb_has_bit(gate->offered_mask, row->feature_bit))
			return vhb_wrong(why, -EOPNOTSUPP,
					 "protocol feature %u was not offered",
					 row->feature_bit);
		break;
	case VHB_GATE_NONE:
		break;
	}
	return 0;
}

static int size_check(uint32_t size_bytes, unsigned int min, unsigned int max,
		      struct vhb_why *why)
{
	if (size_bytes >= min && size_bytes <= max)
		return 0;
	if (min == max)
		return vhb_wrong(why, -EINVAL,
				 "payload of %u bytes where %u are due",
				 size_bytes, min);
	return vhb_wrong(why, -EINVAL,
			 "payload of %u bytes where %u to %u are due",
			 size_bytes, min, max);
}

static int fd_check(unsigned int fd_count, unsigned int min, unsigned int max,
		    struct vhb_why *why)
{
	if (fd_count >= min && fd_count <= max)
		return 0;
	if (min == max)
		return vhb_wrong(why, -EINVAL,
				 "%u descriptors where %u are due", fd_count,
				 min);
	return vhb_wrong(why, -EINVAL, "%u descriptors where %u to %u are due",
			 fd_count, min, max);
}

static int table_size_check(const struct vhb_message *message,
			    struct vhb_why *why)
{
	uint32_t count = message->payload.memory.region_count;
	uint32_t due_bytes;

	if (count < 1 || count > VHB_FDS_MAX)
		return vhb_wrong(why, -EINVAL,
				 "%u regions where 1 to %u are allowed", count,
				 VHB_FDS_MAX);

	/* Some front-ends always send a table of fixed size: ignore the tail */
	due_bytes = offsetof(struct vhb_wire_memory, regions) +
		    count * sizeof(struct vhb_wire_region);
	if (message->header.size_bytes < due_bytes)
		return vhb_wrong(why, -EINVAL,
				 "payload of %u bytes where %u regions need %u",
				 message->header.size_bytes, count, due_bytes);
	return 0;
}

static int config_size_check(const struct vhb_message *message,
			     struct vhb_why *why)
{
	uint32_t room = message->header.size_bytes -
			VHB_WIRE_CONFIG_HEADER_BYTES;

	if (message->payload.config.size_bytes > room)
		return vhb_wrong(why, -EINVAL,
				 "%u bytes of configuration space in room for %u",
				 message->payload.config.size_bytes, room);
	return 0;
}

static int payload_check(const struct vhb_message *message,
			 const struct vhb_message_row *row,
			 const struct vhb_gate *gate, struct vhb_why *why)
{
	unsigned int min = row->payload_min_bytes;
	unsigned int max = row->payload_max_bytes;
	int ret;

	if (message->header.request == VHB_SET_LOG_BASE) {
		if (vhb_has_bit(gate->acked_mask, VHB_PROTOCOL_F_LOG_SHMFD))
			min = max;
		else
			max = min;
	}
	ret = size_check(message->header.size_bytes, min, max, why);
	if (ret)
		return ret;

	switch (message->header.request) {
	case VHB_SET_MEM_TABLE:
		return table_size_check(message, why);
	case VHB_GET_CONFIG:
	case VHB_SET_CONFIG:
		return config_size_check(message, why);
	}
	return 0;
}

static int fds_check(const struct vhb_message *message,
		     const struct vhb_message_row *row,
		     const struct vhb_gate *gate, struct vhb_why *why)
{
	unsigned int due;

	if (row->index_kind == VHB_INDEX_U64_NOFD)
		due = !vhb_has_bit(message->payload.u64, VHB_VRING_NOFD_BIT);
	else if (message->header.request == VHB_SET_MEM_TABLE)
		due = message->payload.memory.region_count;
	else if (message->header.request == VHB_SET_LOG_BASE)
		due = vhb_has_bit(gate->acked_mask, VHB_PROTOCOL_F_LOG_SHMFD);
	else
		return fd_check(message->fd_count, row->fd_min, row->fd_max,
				why);
	return fd_check(message->fd_count, due, due, why);
}

int vhb_message_check(const struct vhb_message *message,
		      const struct vhb_gate *gate, struct vhb_why *why)
{
	const struct vhb_message_row *row;
	unsigned int index;
	int ret;

	row = vhb_message_row(message->header.request);
	if (!row)
		return vhb_wrong(why, -EOPNOTSUPP,
				 "the specification has no request %u",
				 message->header.request);

	ret = gate_check(row, gate, why);
	if (ret)
		return ret;
	ret = payload_check(message, row, gate, why);
	if (ret)
		return ret;
	ret = fds_check(message, row, gate, why);
	if (ret)
		return ret;

	if (row->index_kind == VHB_INDEX_NONE)
		return 0;
	index = vhb_message_vring_index(message);
	if (index >= gate->vring_count)
		return vhb_wrong(why, -EINVAL,
				 "vring %u of a device that has %u", index,
				 gate->vring_count);
	return 0;
}

unsigned int vhb_message_vring_index(const struct vhb_message *message)
{
	const struct vhb_message_row *row;

	row = vhb_message_row(message->header.request);
	if (row && row->index_kind == VHB_INDEX_U64_NOFD)
		return message->payload.u64 & VHB_VRING_INDEX_MASK;
	return message->payload.vring_state.index;
}
