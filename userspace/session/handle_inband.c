// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/handle_inband.h"

#include <errno.h>
#include <string.h>

#include <sys/eventfd.h>

#include "lib/bits.h"
#include "session/handlers.h"
#include "wire/message_table.h"

int vhb_create_inband(struct vhb_session *session)
{
	if (!vhb_has_bit(session->offered_protocol_mask,
			 VHB_PROTOCOL_F_INBAND_NOTIFICATIONS))
		return 0;
	return vhb_inband_create(session->config.loop,
				 session->config.kdev->vring_count,
				 &session->inband);
}

bool vhb_is_inband(const struct vhb_want *want)
{
	return vhb_has_bit(want->protocol_features_mask,
			   VHB_PROTOCOL_F_INBAND_NOTIFICATIONS);
}

int vhb_inband_channel(const struct vhb_want *want)
{
	return vhb_is_inband(want) ? want->backend_fd : -1;
}

int vhb_check_inband(struct vhb_session *session, const struct vhb_want *want)
{
	const uint64_t mask = want->protocol_features_mask;

	if (!vhb_is_inband(want) ||
	    (vhb_has_bit(mask, VHB_PROTOCOL_F_BACKEND_REQ) &&
	     vhb_has_bit(mask, VHB_PROTOCOL_F_REPLY_ACK)))
		return 0;
	return vhb_refuse(session, -ENOTRECOVERABLE,
			  "INBAND_NOTIFICATIONS without BACKEND_REQ and REPLY_ACK");
}

int vhb_start_inband(struct vhb_session *session, struct vhb_vring_want *vring)
{
	vring->kick_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vring->kick_fd < 0)
		return vhb_refuse(session, -errno, "an eventfd for kicks: %s",
				  strerrordesc_np(errno));
	vring->has_own_kick = true;
	return 0;
}

/*
 * The acknowledgment says that the kernel was told, not that the requests are
 * done. Our own counter nobody reads, but it would take centuries to fill; the
 * front-end's it may have filled on purpose, so the loop writes there.
 */
int vhb_act_inband_kick(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	struct vhb_vring_want *vring =
		&want->vrings[vhb_message_vring_index(message)];

	if (message->payload.vring_state.num)
		return vhb_refuse(session, -EINVAL,
				  "num is %u, where only 0 means something",
				  message->payload.vring_state.num);
	if (vring->kick_fd < 0)
		return vhb_start_inband(session, vring);
	if (vring->has_own_kick)
		eventfd_write(vring->kick_fd, 1);
	else
		vhb_loop_signal(session->config.loop, vring->kick_fd);
	return 0;
}
