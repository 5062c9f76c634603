// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "lib/bits.h"
#include "lib/fd.h"
#include "session/handle_inband.h"
#include "session/handlers.h"
#include "session/vring.h"
#include "wire/message_table.h"

static struct vhb_vring_want *vring_of(struct vhb_want *want,
				       const struct vhb_message *message)
{
	return &want->vrings[vhb_message_vring_index(message)];
}

/*
 * A vring that runs and is set up anew was stopped without GET_VRING_BASE (UML
 * when the driver is bound again). It starts again with its next kick
 * descriptor, like any other.
 */
static void stop_implicitly(const struct vhb_session *session,
			    struct vhb_want *want, unsigned int index)
{
	if (session->have.vrings[index].is_running)
		want->vrings[index].kick_fd = -1;
}

/* Early, when it can be told already: a better moment for an error */
static int check_addresses(struct vhb_session *session,
			   const struct vhb_want *want, unsigned int index)
{
	const struct vhb_vring_want *vring = &want->vrings[index];
	struct vhost_vring_addr addr;

	if (!vring->has_addr || !vring->num || !want->map)
		return 0;
	if (!want->has_features && (vhb_vring_may_be_packed(session, want) ||
				    vhb_vring_may_be_iova(session, want)))
		return 0;
	return vhb_vring_locate(session, want, index, &addr);
}

int vhb_edit_vring_num(struct vhb_session *session, struct vhb_want *want,
		       struct vhb_message *message)
{
	struct vhb_vring_want *vring = vring_of(want, message);
	const uint32_t num = message->payload.vring_state.num;

	if (!num || num > VHB_VRING_NUM_MAX)
		return vhb_refuse(session, -EINVAL,
				  "%u entries: 1 to %u are possible", num,
				  VHB_VRING_NUM_MAX);
	if (num & (num - 1) && !vhb_vring_may_be_packed(session, want))
		return vhb_refuse(session, -EINVAL,
				  "%u entries: a split virtqueue has a power of two",
				  num);
	stop_implicitly(session, want, message->payload.vring_state.index);
	vring->num = num;
	return 0;
}

int vhb_edit_vring_addr(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	const struct vhb_wire_vring_addr *addr = &message->payload.vring_addr;
	struct vhb_vring_want *vring = vring_of(want, message);
	const uint32_t known_mask =
		vhb_has_bit(session->offered_mask, VHOST_F_LOG_ALL) ?
			vhb_bit(VHB_VRING_F_LOG_BIT) : 0;

	if (addr->flags & ~known_mask)
		return vhb_refuse(session, -EOPNOTSUPP,
				  "flags %#x of which %#x were offered",
				  addr->flags, known_mask);
	vring->addr = *addr;
	vring->has_addr = true;
	return check_addresses(session, want, addr->index);
}

/*
 * User-Mode Linux says zero of every vring, and so of a packed one that its
 * guest has just set up, where zero would mean the second time round. It never
 * goes on with an old one. All others that know packed virtqueues know MQ too.
 */
static bool knows_packed_bases(const struct vhb_want *want)
{
	return vhb_has_bit(want->protocol_features_mask, VHB_PROTOCOL_F_MQ);
}

int vhb_edit_vring_base(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	const unsigned int index = message->payload.vring_state.index;
	const uint32_t base = message->payload.vring_state.num;
	struct vhb_vring_want *vring = &want->vrings[index];
	int ret;

	if (!vhb_vring_may_be_packed(session, want)) {
		ret = vhb_vring_check_base(session, want, index, base);
		if (ret)
			return ret;
	}
	stop_implicitly(session, want, index);
	vring->base = base;
	vring->has_base = base || knows_packed_bases(want);
	vring->base_is_new = true;
	/* It ran already, so this is a new vring in its place. */
	if (!vring->has_unread_slot)
		vring->is_slot_stale = true;
	return 0;
}

int vhb_edit_vring_stop(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	const unsigned int index = vhb_message_vring_index(message);
	struct vhb_vring_want *vring = &want->vrings[index];

	/* For one that does not run; the kernel tells of one that does. */
	vhb_vring_take_saved_base(session, want, index);
	vring->has_unread_slot = false;
	vring->is_slot_stale = true;
	vring->kick_fd = -1;
	return 0;
}

size_t vhb_reply_vring_base(struct vhb_session *session,
			    const struct vhb_message *message,
			    union vhb_payload *reply)
{
	const unsigned int index = vhb_message_vring_index(message);

	reply->vring_state.index = index;
	reply->vring_state.num = vhb_vring_base(&session->want, index);
	return sizeof(reply->vring_state);
}

/*
 * Judged now and not when the vring starts: what is kept must be nothing that
 * can keep us in turn, like the other end of our own connection, which would
 * then never end.
 */
static int take_fd(struct vhb_session *session, struct vhb_message *message,
		   bool may_be_socket, int *fd_out)
{
	const int fd = message->fds[0];

	*fd_out = -1;
	if (vhb_has_bit(message->payload.u64, VHB_VRING_NOFD_BIT))
		return 0;
	if (!vhb_fd_is_eventfd(fd) &&
	    !(may_be_socket && vhb_fd_is_unix_socket(fd)))
		return vhb_refuse(session, -EINVAL,
				  "the descriptor is no eventfd%s",
				  may_be_socket ? " or UNIX socket" : "");
	message->fds[0] = -1;
	*fd_out = fd;
	return 0;
}

/*
 * "No descriptor" asks the back-end to poll. A kernel device cannot: the vring
 * waits until it gets a descriptor, or begins with in-band kicks.
 */
int vhb_edit_vring_kick(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	struct vhb_vring_want *vring = vring_of(want, message);
	int ret = take_fd(session, message, false, &vring->kick_fd);

	vring->has_own_kick = false;
	if (ret || vring->kick_fd >= 0 || !vhb_is_inband(want))
		return ret;
	return vhb_start_inband(session, vring);
}

int vhb_edit_vring_call(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	return take_fd(session, message, true,
		       &vring_of(want, message)->call_fd);
}

int vhb_edit_vring_err(struct vhb_session *session, struct vhb_want *want,
		       struct vhb_message *message)
{
	return take_fd(session, message, false,
		       &vring_of(want, message)->err_fd);
}

int vhb_edit_vring_enable(struct vhb_session *session, struct vhb_want *want,
			  struct vhb_message *message)
{
	const uint32_t enable = message->payload.vring_state.num;

	if (enable > 1)
		return vhb_refuse(session, -EINVAL,
				  "%u is neither 0 (disable) nor 1 (enable)",
				  enable);
	vring_of(want, message)->is_enabled = enable;
	return 0;
}
