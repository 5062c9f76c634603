// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "lib/bits.h"
#include "lib/fd.h"
#include "session/handlers.h"
#include "session/program.h"
#include "wire/message_table.h"

/* VIRTIO 1.2, 2.7: a split virtqueue has at most this many entries */
#define VRING_NUM_MAX 32768u
/* A split virtqueue's base is a 16-bit index; there are no packed ones here */
#define VRING_BASE_MAX 0xffffu

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
	int ret;

	if (!vring->has_addr || !vring->num || !want->map)
		return 0;
	ret = vhb_vring_translate(want, index, &addr);
	if (ret == -EINVAL)
		return vhb_refuse(session, ret,
				  "addresses of vring %u are not aligned",
				  index);
	if (ret)
		return vhb_refuse(session, ret,
				  "vring %u with %u entries is not in one region of guest memory",
				  index, vring->num);
	return 0;
}

int vhb_edit_vring_num(struct vhb_session *session, struct vhb_want *want,
		       struct vhb_message *message)
{
	struct vhb_vring_want *vring = vring_of(want, message);
	const uint32_t num = message->payload.vring_state.num;

	if (!num || num > VRING_NUM_MAX || num & (num - 1))
		return vhb_refuse(session, -EINVAL,
				  "%u entries: must be a power of two up to %u",
				  num, VRING_NUM_MAX);
	stop_implicitly(session, want, message->payload.vring_state.index);
	vring->num = num;
	return 0;
}

int vhb_edit_vring_addr(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	const struct vhb_wire_vring_addr *addr = &message->payload.vring_addr;
	struct vhb_vring_want *vring = vring_of(want, message);

	if (addr->flags)
		return vhb_refuse(session, -EOPNOTSUPP,
				  "flags %#x, but no dirty log was offered",
				  addr->flags);
	vring->addr = *addr;
	vring->has_addr = true;
	return check_addresses(session, want, addr->index);
}

int vhb_edit_vring_base(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	struct vhb_vring_want *vring = vring_of(want, message);
	const uint32_t base = message->payload.vring_state.num;

	if (base > VRING_BASE_MAX)
		return vhb_refuse(session, -EINVAL,
				  "base %#x is no index of a split virtqueue",
				  base);
	stop_implicitly(session, want, message->payload.vring_state.index);
	vring->base = base;
	vring->base_is_new = true;
	return 0;
}

int vhb_edit_vring_stop(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	(void)session;
	vring_of(want, message)->kick_fd = -1;
	return 0;
}

size_t vhb_reply_vring_base(struct vhb_session *session,
			    const struct vhb_message *message,
			    union vhb_payload *reply)
{
	const unsigned int index = vhb_message_vring_index(message);

	reply->vring_state.index = index;
	reply->vring_state.num = session->want.vrings[index].base;
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
 * waits until it gets a descriptor.
 */
int vhb_edit_vring_kick(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	return take_fd(session, message, false,
		       &vring_of(want, message)->kick_fd);
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
