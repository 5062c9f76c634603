/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_HANDLERS_H
#define VHB_SESSION_HANDLERS_H

#include <stddef.h>

#include "session/state.h"

/**
 * DOC: message handlers
 *
 * A handler sees only messages that passed vhb_message_check(). An *edit*
 * changes a copy of what is wanted and nothing else. It takes over a descriptor by
 * putting -1 in its place, and may attach one to the reply. An *act* may do the
 * same, but has an effect at once as well, which is not part of what is wanted: on
 * the device (its configuration, MTU, IOTLB, a kick, a RARP) or on the session
 * (postcopy). A *reply* is for messages that have a reply of their own; it runs
 * when the kernel has followed. Those of DEVICE_STATE do there what they are for.
 *
 * Edits and acts return 0 or what vhb_refuse() returned. Replies return the length of
 * the payload they filled in, in bytes; 0 after vhb_refuse(), where the
 * specification has an empty reply for an error.
 */

int vhb_edit_features(struct vhb_session *session, struct vhb_want *want,
		      struct vhb_message *message);
int vhb_edit_protocol_features(struct vhb_session *session,
			       struct vhb_want *want,
			       struct vhb_message *message);
int vhb_edit_owner(struct vhb_session *session, struct vhb_want *want,
		   struct vhb_message *message);
int vhb_edit_backend_fd(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message);
int vhb_edit_reset_owner(struct vhb_session *session, struct vhb_want *want,
			 struct vhb_message *message);
int vhb_edit_reset_device(struct vhb_session *session, struct vhb_want *want,
			  struct vhb_message *message);
int vhb_edit_status(struct vhb_session *session, struct vhb_want *want,
		    struct vhb_message *message);
int vhb_act_config(struct vhb_session *session, struct vhb_want *want,
		   struct vhb_message *message);
int vhb_act_mtu(struct vhb_session *session, struct vhb_want *want,
		struct vhb_message *message);
int vhb_act_rarp(struct vhb_session *session, struct vhb_want *want,
		 struct vhb_message *message);
size_t vhb_reply_features(struct vhb_session *session,
			  const struct vhb_message *message,
			  union vhb_payload *reply);
size_t vhb_reply_protocol_features(struct vhb_session *session,
				   const struct vhb_message *message,
				   union vhb_payload *reply);
size_t vhb_reply_queue_num(struct vhb_session *session,
			   const struct vhb_message *message,
			   union vhb_payload *reply);
size_t vhb_reply_config(struct vhb_session *session,
			const struct vhb_message *message,
			union vhb_payload *reply);
size_t vhb_reply_status(struct vhb_session *session,
			const struct vhb_message *message,
			union vhb_payload *reply);

/** vhb_settle_user_addresses() - make them guest addresses, with GPA_ADDRESSES */
void vhb_settle_user_addresses(const struct vhb_want *want,
			       struct vhb_wire_region *regions,
			       unsigned int count);

/**
 * vhb_check_gpa_addresses() - may GPA_ADDRESSES be negotiated now, or no more?
 * @session: what was wanted before; gets the reason of a refusal
 * @want: what is to be negotiated
 *
 * Return: 0, or -EBUSY when the memory has other addresses.
 */
int vhb_check_gpa_addresses(struct vhb_session *session,
			    const struct vhb_want *want);

int vhb_edit_mem_table(struct vhb_session *session, struct vhb_want *want,
		       struct vhb_message *message);
int vhb_edit_add_region(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message);
int vhb_edit_remove_region(struct vhb_session *session, struct vhb_want *want,
			   struct vhb_message *message);
size_t vhb_reply_mem_slots(struct vhb_session *session,
			   const struct vhb_message *message,
			   union vhb_payload *reply);

int vhb_edit_log_base(struct vhb_session *session, struct vhb_want *want,
		      struct vhb_message *message);
int vhb_edit_log_fd(struct vhb_session *session, struct vhb_want *want,
		    struct vhb_message *message);
size_t vhb_reply_log_base(struct vhb_session *session,
			  const struct vhb_message *message,
			  union vhb_payload *reply);

/**
 * vhb_log_base_has_own_reply() - is SET_LOG_BASE not answered like any other?
 * @session: the session
 * @message: SET_LOG_BASE
 *
 * Its reply is its own with VHB_PROTOCOL_F_LOG_SHMFD. But when it is to have
 * eight bytes and a reply was asked for, that reply is the usual one, which can
 * tell of an error.
 */
bool vhb_log_base_has_own_reply(const struct vhb_session *session,
				const struct vhb_message *message);

int vhb_edit_vring_num(struct vhb_session *session, struct vhb_want *want,
		       struct vhb_message *message);
int vhb_edit_vring_addr(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message);
int vhb_edit_vring_base(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message);
int vhb_edit_vring_stop(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message);
int vhb_edit_vring_kick(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message);
int vhb_edit_vring_call(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message);
int vhb_edit_vring_err(struct vhb_session *session, struct vhb_want *want,
		       struct vhb_message *message);
int vhb_edit_vring_enable(struct vhb_session *session, struct vhb_want *want,
			  struct vhb_message *message);
size_t vhb_reply_vring_base(struct vhb_session *session,
			    const struct vhb_message *message,
			    union vhb_payload *reply);

int vhb_act_inband_kick(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message);

size_t vhb_reply_state_fd(struct vhb_session *session,
			  const struct vhb_message *message,
			  union vhb_payload *reply);
size_t vhb_reply_check_state(struct vhb_session *session,
			     const struct vhb_message *message,
			     union vhb_payload *reply);

int vhb_edit_inflight_offer(struct vhb_session *session, struct vhb_want *want,
			    struct vhb_message *message);
int vhb_edit_inflight(struct vhb_session *session, struct vhb_want *want,
		      struct vhb_message *message);
size_t vhb_reply_inflight(struct vhb_session *session,
			  const struct vhb_message *message,
			  union vhb_payload *reply);

int vhb_act_postcopy_advise(struct vhb_session *session, struct vhb_want *want,
			    struct vhb_message *message);
size_t vhb_reply_postcopy_advise(struct vhb_session *session,
				 const struct vhb_message *message,
				 union vhb_payload *reply);
int vhb_act_postcopy_listen(struct vhb_session *session, struct vhb_want *want,
			    struct vhb_message *message);
int vhb_act_postcopy_end(struct vhb_session *session, struct vhb_want *want,
			 struct vhb_message *message);
size_t vhb_reply_postcopy_end(struct vhb_session *session,
			      const struct vhb_message *message,
			      union vhb_payload *reply);
int vhb_edit_postcopy_ack(struct vhb_session *session, struct vhb_want *want,
			  struct vhb_message *message);
size_t vhb_reply_postcopy_table(struct vhb_session *session,
				const struct vhb_message *message,
				union vhb_payload *reply);
size_t vhb_reply_postcopy_region(struct vhb_session *session,
				 const struct vhb_message *message,
				 union vhb_payload *reply);

#endif
