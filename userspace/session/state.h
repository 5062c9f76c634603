/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_STATE_H
#define VHB_SESSION_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost_types.h>

#include "session/call_relay.h"
#include "session/dirty_log.h"
#include "session/handle_state.h"
#include "session/inband.h"
#include "session/inflight.h"
#include "session/iotlb.h"
#include "session/memory_map.h"
#include "session/patience.h"
#include "session/session.h"
#include "wire/channel.h"
#include "wire/protocol.h"

/**
 * DOC: what is wanted and what there is
 *
 * A message edits a copy of &struct vhb_want;
 * vhb_program() then compares the copy with &struct vhb_have and moves the
 * kernel there. If that works the copy becomes what is wanted; if not, the
 * kernel is moved back and the message has failed without a trace. So the order
 * and repetition of messages, in which front-ends differ, do not matter.
 */

/**
 * struct vhb_vring_want - a vring as the front-end describes it
 * @num: entries; 0 until SET_VRING_NUM
 * @base: where to go on; kept up to date when the vring stops
 * @has_base: @base was given or found; else the vring is a new one
 * @base_is_new: @base was set by the message under way, so the base of a vring
 *               that this message stops does not replace it
 * @has_unread_slot: what the slot in &vhb_want.inflight says counts more than
 *                   @base: the vring has not run since SET_INFLIGHT_FD
 * @is_slot_stale: the message under way makes it worthless: the front-end learns
 *                 the base, or the vring becomes another one
 * @has_addr: @addr was given
 * @addr: SET_VRING_ADDR, addresses of the front-end
 * @kick_fd: owned, or -1; the vring is *started* in the words of the
 *           specification while there is one
 * @has_own_kick: @kick_fd is an eventfd of ours, for in-band kicks
 * @call_fd: owned, or -1; any kind of file the front-end can read
 * @err_fd: owned, or -1
 * @is_enabled: SET_VRING_ENABLE, or features acked without bit 30
 */
struct vhb_vring_want {
	uint32_t num;
	uint32_t base;
	bool has_base;
	bool base_is_new;
	bool has_unread_slot;
	bool is_slot_stale;
	bool has_addr;
	struct vhb_wire_vring_addr addr;
	int kick_fd;
	bool has_own_kick;
	int call_fd;
	int err_fd;
	bool is_enabled;
};

/**
 * struct vhb_want - the device as the front-end wants it
 * @has_features: SET_FEATURES was received
 * @features_mask: what it acked, without bit 30
 * @protocol_features_mask: SET_PROTOCOL_FEATURES
 * @status: SET_STATUS
 * @must_reset: the device is to forget what the guest has changed in it
 * @map: guest memory, one reference; NULL until a region was declared
 * @inflight: SET_INFLIGHT_FD; owned, or NULL
 * @log: SET_LOG_BASE, one reference; NULL until there is one
 * @log_fd: SET_LOG_FD; owned, or -1
 * @backend_fd: SET_BACKEND_REQ_FD, our way to send requests; owned, or -1
 * @vrings: the first kdev->vring_count are used
 */
struct vhb_want {
	bool has_features;
	uint64_t features_mask;
	uint64_t protocol_features_mask;
	uint8_t status;
	bool must_reset;
	struct vhb_memory_map *map;
	struct vhb_inflight *inflight;
	struct vhb_dirty_log *log;
	int log_fd;
	int backend_fd;
	struct vhb_vring_want vrings[VHB_VRING_COUNT_MAX];
};

/**
 * In place of a call or error descriptor of the front-end: told by vhb_inband_open()
 */
#define VHB_FD_INBAND (-2)

/**
 * struct vhb_vring_have - a vring as the kernel has it
 * @is_running: the kernel processes it; the rest is meaningful only then, or while
 *              it is waiting
 * @is_waiting: it was set up like this but could not start, as the IOTLB does not
 *              know its used ring; it is tried again when more is known
 * @is_draining: it was begun to be stopped, and is not waited for yet
 * @num: entries
 * @addr: addresses in the broker
 * @slot_addr: where it was told to save its base; 0 for nowhere
 * @kick_fd: number of the descriptor it was given
 * @call_fd: number of the front-end's descriptor behind @relay or itself given,
 *           or VHB_FD_INBAND
 * @err_fd: likewise
 * @relay: stands between the kernel and a @call_fd that is no eventfd, or NULL
 */
struct vhb_vring_have {
	bool is_running;
	bool is_waiting;
	bool is_draining;
	uint32_t num;
	struct vhost_vring_addr addr;
	uint64_t slot_addr;
	int kick_fd;
	int call_fd;
	int err_fd;
	struct vhb_call_relay *relay;
};

/**
 * struct vhb_have - the device as the kernel has it
 * @is_owner: VHOST_SET_OWNER was done
 * @has_features: VHOST_SET_FEATURES was done
 * @features_mask: with this
 * @may_have_iotlb: it was given VIRTIO_F_ACCESS_PLATFORM once, be it in vain
 * @map: VHOST_SET_MEM_TABLE was done with it; one reference
 * @is_map_unsure: but has failed with another one since
 * @log: VHOST_SET_LOG_BASE was done with it; one reference
 * @has_log_fd: VHOST_SET_LOG_FD was done
 * @log_fd: number of the descriptor it was given
 * @draining_count: vrings that drain
 * @vrings: the first kdev->vring_count are used
 */
struct vhb_have {
	bool is_owner;
	bool has_features;
	uint64_t features_mask;
	bool may_have_iotlb;
	struct vhb_memory_map *map;
	bool is_map_unsure;
	struct vhb_dirty_log *log;
	bool has_log_fd;
	int log_fd;
	unsigned int draining_count;
	struct vhb_vring_have vrings[VHB_VRING_COUNT_MAX];
};

/**
 * enum vhb_session_stage - what a session does next
 * @VHB_SESSION_SERVES: handle the next message
 * @VHB_SESSION_WAITS: go on with the message in the channel as soon as the vrings
 *                     that it stops have drained; until then none is received
 * @VHB_SESSION_ENDS: end as soon as all vrings have drained; the connection is
 *                    closed
 */
enum vhb_session_stage {
	VHB_SESSION_SERVES,
	VHB_SESSION_WAITS,
	VHB_SESSION_ENDS,
};

struct vhb_postcopy;

/**
 * struct vhb_session - one front-end's connection
 * @config: as given to vhb_session_create()
 * @stage: what it does next
 * @listener: what the kernel device tells
 * @channel: its socket
 * @watch: the socket is watched for a message or for room for a reply
 * @message_number: how many messages have come
 * @patience: how long that may take
 * @space: where its memory is mapped
 * @postcopy: a migration into this guest that is under way, or NULL
 * @inband: calls and errors as messages; NULL when that was not offered
 * @transfer: of the device's state
 * @offered_mask: answer to GET_FEATURES
 * @offered_protocol_mask: answer to GET_PROTOCOL_FEATURES
 * @is_owner_first: SET_OWNER came before anything was asked
 * @has_asked: GET_FEATURES was received
 * @want: what the front-end wants and got
 * @next: the same with the edit of the message under way
 * @have: what the kernel has
 * @misses: what the IOTLB misses and the front-end was not asked yet
 * @why: what was wrong with the message under way
 * @refusal_count: messages answered with an error, to keep the log short
 * @break_count: vrings that broke, likewise
 * @base_count: bases that were wrong, likewise
 */
struct vhb_session {
	struct vhb_session_config config;
	enum vhb_session_stage stage;
	struct vhb_kdev_listener listener;
	struct vhb_channel channel;
	struct vhb_watch_ref watch;
	uint64_t message_number;
	struct vhb_patience patience;
	struct vhb_address_space *space;
	struct vhb_postcopy *postcopy;
	struct vhb_inband *inband;
	struct vhb_state_transfer transfer;
	uint64_t offered_mask;
	uint64_t offered_protocol_mask;
	bool is_owner_first;
	bool has_asked;
	struct vhb_want want;
	struct vhb_want next;
	struct vhb_have have;
	struct vhb_miss_queue misses;
	struct vhb_why why;
	unsigned int refusal_count;
	unsigned int break_count;
	unsigned int base_count;
};

/**
 * vhb_refuse() - say what is wrong with the message under way
 * @session: the session
 * @error: -errno
 * @format: one clause, as in printf()
 *
 * Return: @error.
 */
int vhb_refuse(struct vhb_session *session, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * vhb_log_refusal() - write session->why to the log, unless there is enough there
 * @session: the session
 * @message: what is refused
 * @is_over: the session ends, which is always said
 */
void vhb_log_refusal(struct vhb_session *session,
		     const struct vhb_message *message, bool is_over);

#endif
