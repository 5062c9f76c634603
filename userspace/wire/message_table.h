/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_WIRE_MESSAGE_TABLE_H
#define VHB_WIRE_MESSAGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/why.h"
#include "wire/protocol.h"

/**
 * enum vhb_index_kind - where a message carries its vring index
 * @VHB_INDEX_NONE: nowhere
 * @VHB_INDEX_U32: in the first 32 bits of the payload
 * @VHB_INDEX_U64_NOFD: in bits 0-7 of a u64 whose bit 8 says that no
 *                      descriptor came with it (SET_VRING_KICK, CALL, ERR)
 */
enum vhb_index_kind {
	VHB_INDEX_NONE,
	VHB_INDEX_U32,
	VHB_INDEX_U64_NOFD,
};

/**
 * enum vhb_reply_kind - what answers a message
 * @VHB_REPLY_ACK: nothing, or a u64 status when REPLY_ACK was negotiated and
 *                 the message asks for it
 * @VHB_REPLY_OWN: always a reply of its own, never an acknowledgment besides
 */
enum vhb_reply_kind {
	VHB_REPLY_ACK,
	VHB_REPLY_OWN,
};

/**
 * enum vhb_gate_kind - what must be negotiated before a message is legal
 * @VHB_GATE_NONE: nothing
 * @VHB_GATE_ACKED: its protocol feature was set by SET_PROTOCOL_FEATURES
 * @VHB_GATE_OFFERED: its protocol feature was offered (GET_QUEUE_NUM: the
 *                    specification asks for no more)
 */
enum vhb_gate_kind {
	VHB_GATE_NONE,
	VHB_GATE_ACKED,
	VHB_GATE_OFFERED,
};

/**
 * struct vhb_message_row - the rules of one message
 * @name: as in the specification, without VHOST_USER_
 * @payload_min_bytes: least size of the payload
 * @payload_max_bytes: greatest size of the payload
 * @fd_min: least number of descriptors. With VHB_INDEX_U64_NOFD exactly one
 *          without bit 8 and none with it
 * @fd_max: greatest number of descriptors
 * @index_kind: where the vring index is
 * @reply_kind: how it is answered
 * @gate_kind: what @feature_bit must be for the message to be legal
 * @feature_bit: a &enum vhb_protocol_feature_bit
 */
struct vhb_message_row {
	const char *name;
	uint16_t payload_min_bytes;
	uint16_t payload_max_bytes;
	uint8_t fd_min;
	uint8_t fd_max;
	enum vhb_index_kind index_kind;
	enum vhb_reply_kind reply_kind;
	enum vhb_gate_kind gate_kind;
	enum vhb_protocol_feature_bit feature_bit;
};

/**
 * struct vhb_gate - what a message is checked against
 * @offered_mask: protocol features offered to the front-end
 * @acked_mask: protocol features it has set
 * @vring_count: vring indexes are below this
 */
struct vhb_gate {
	uint64_t offered_mask;
	uint64_t acked_mask;
	unsigned int vring_count;
};

/**
 * vhb_message_row() - look up a message
 * @request: as on the wire
 *
 * Return: its row, or NULL for a number the specification does not have.
 */
const struct vhb_message_row *vhb_message_row(uint32_t request);

/**
 * vhb_message_name() - the name of a message for people
 * @request: as on the wire
 *
 * Return: the name in the specification or "unknown request".
 */
const char *vhb_message_name(uint32_t request);

/**
 * vhb_message_check() - is a complete message well formed and legal now?
 * @message: the message
 * @gate: what was negotiated
 * @why: receives one clause that says what is wrong, for the log line
 *
 * Checks, in this order: known request; negotiated feature; size of the
 * payload (SET_MEM_TABLE: large enough for its region count, which is 1 to
 * VHB_FDS_MAX; GET_CONFIG and SET_CONFIG: the inner size fits the payload and
 * VHB_CONFIG_MAX_BYTES); number of descriptors (SET_MEM_TABLE: one each
 * region); vring index. A handler never sees a message that failed here.
 *
 * Return: 0; -EOPNOTSUPP for an unknown request or one that was not
 * negotiated; -EINVAL for everything else.
 */
int vhb_message_check(const struct vhb_message *message,
		      const struct vhb_gate *gate, struct vhb_why *why);

/**
 * vhb_message_vring_index() - the vring index of a checked message
 * @message: a message that passed vhb_message_check()
 */
unsigned int vhb_message_vring_index(const struct vhb_message *message);

#endif
