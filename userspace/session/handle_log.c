// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "lib/bits.h"
#include "lib/fd.h"
#include "session/handlers.h"

static bool has_protocol_feature(const struct vhb_session *session,
				 unsigned int bit)
{
	return vhb_has_bit(session->want.protocol_features_mask, bit);
}

static int check_is_negotiated(struct vhb_session *session)
{
	if (has_protocol_feature(session, VHB_PROTOCOL_F_LOG_SHMFD))
		return 0;
	return vhb_refuse(session, -EOPNOTSUPP,
			  "a dirty log that is not in shared memory (protocol feature %u)",
			  VHB_PROTOCOL_F_LOG_SHMFD);
}

int vhb_edit_log_base(struct vhb_session *session, struct vhb_want *want,
		      struct vhb_message *message)
{
	int ret = check_is_negotiated(session);

	if (ret)
		return ret;
	return vhb_dirty_log_map(&message->payload.log, message->fds[0],
				 &session->why, &want->log);
}

int vhb_edit_log_fd(struct vhb_session *session, struct vhb_want *want,
		    struct vhb_message *message)
{
	int ret = check_is_negotiated(session);

	if (ret)
		return ret;
	if (!vhb_fd_is_eventfd(message->fds[0]))
		return vhb_refuse(session, -EINVAL,
				  "the descriptor is no eventfd");
	want->log_fd = message->fds[0];
	message->fds[0] = -1;
	return 0;
}

static bool asks_for_reply(const struct vhb_session *session,
			   const struct vhb_message *message)
{
	return has_protocol_feature(session, VHB_PROTOCOL_F_REPLY_ACK) &&
	       vhb_has_bit(message->header.flags, VHB_FLAG_NEED_REPLY_BIT);
}

/*
 * The specification does not say. QEMU reads what comes and asks for no reply.
 * rust-vmm's front-ends (Cloud Hypervisor) read 16 bytes since 0.16, and wait or
 * lose the thread with any other number; they ask for a reply to everything, and
 * SET_OWNER is the first thing they say. Their older ones, which read eight, look
 * the same: there is an option for them.
 */
static size_t reply_bytes(const struct vhb_session *session,
			  const struct vhb_message *message)
{
	if (session->config.log_reply_bytes)
		return session->config.log_reply_bytes;
	if (asks_for_reply(session, message) || session->is_owner_first)
		return sizeof(struct vhb_wire_log);
	return sizeof(uint64_t);
}

bool vhb_log_base_has_own_reply(const struct vhb_session *session,
				const struct vhb_message *message)
{
	if (!has_protocol_feature(session, VHB_PROTOCOL_F_LOG_SHMFD))
		return false;
	return reply_bytes(session, message) != sizeof(uint64_t) ||
	       !asks_for_reply(session, message);
}

size_t vhb_reply_log_base(struct vhb_session *session,
			  const struct vhb_message *message,
			  union vhb_payload *reply)
{
	const size_t size_bytes = reply_bytes(session, message);

	if (size_bytes == sizeof(reply->log))
		reply->log = message->payload.log;
	else
		reply->u64 = 0;
	return size_bytes;
}
