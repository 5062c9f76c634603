// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/handle_state.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/bits.h"
#include "session/device_state.h"
#include "session/handlers.h"

/* The reply to SET_DEVICE_STATE_FD: bits 0-7 are an error, bit 8: no descriptor */
#define FAILED_REPLY 0x101u

void vhb_state_init(struct vhb_state_transfer *transfer)
{
	transfer->kept_fd = -1;
	transfer->result = -ENODATA;
}

void vhb_state_end(struct vhb_state_transfer *transfer)
{
	if (transfer->kept_fd >= 0)
		close(transfer->kept_fd);
	vhb_state_init(transfer);
}

/* The specification has a state only of a device that is suspended. */
static int check_suspended(struct vhb_session *session)
{
	for (unsigned int i = 0; i < session->config.kdev->vring_count; i++)
		if (session->have.vrings[i].is_running)
			return vhb_refuse(session, -EBUSY, "vring %u runs", i);
	return 0;
}

/* A transfer that is refused leaves the one that was. */
static int begin(struct vhb_session *session,
		 const struct vhb_wire_transfer *wanted, int *fd_out)
{
	struct vhb_state_transfer transfer;
	int ret;

	vhb_state_init(&transfer);
	if (wanted->phase != VHB_TRANSFER_STOPPED)
		return vhb_refuse(session, -EINVAL,
				  "phase %u, where only 0 (stopped) is known",
				  wanted->phase);
	ret = check_suspended(session);
	if (ret)
		return ret;
	switch (wanted->direction) {
	case VHB_TRANSFER_SAVE:
		ret = vhb_device_state_save(session->config.kdev, fd_out);
		transfer.result = ret;
		break;
	case VHB_TRANSFER_LOAD:
		ret = vhb_device_state_receive(fd_out, &transfer.kept_fd);
		break;
	default:
		return vhb_refuse(session, -EINVAL,
				  "direction %u is neither 0 (save) nor 1 (load)",
				  wanted->direction);
	}
	if (ret)
		return vhb_refuse(session, ret, "%s", strerrordesc_np(-ret));
	vhb_state_end(&session->transfer);
	session->transfer = transfer;
	return 0;
}

/* The front-end's own channel is closed: ours takes its place. */
size_t vhb_reply_state_fd(struct vhb_session *session,
			  const struct vhb_message *message,
			  union vhb_payload *reply)
{
	int fd;

	reply->u64 = 0;
	if (begin(session, &message->payload.transfer, &fd)) {
		vhb_log_refusal(session, message, false);
		reply->u64 = FAILED_REPLY;
	} else {
		vhb_channel_attach(&session->channel, fd);
	}
	return sizeof(reply->u64);
}

static int load(struct vhb_session *session)
{
	int ret = check_suspended(session);

	if (ret)
		return ret;
	return vhb_device_state_load(session->config.kdev,
				     session->transfer.kept_fd, &session->why);
}

/* A second question gets the same answer. */
size_t vhb_reply_check_state(struct vhb_session *session,
			     const struct vhb_message *message,
			     union vhb_payload *reply)
{
	struct vhb_state_transfer *transfer = &session->transfer;
	int result = transfer->result;

	if (transfer->kept_fd >= 0) {
		result = load(session);
		vhb_state_end(transfer);
		transfer->result = result;
	} else if (result == -ENODATA) {
		vhb_refuse(session, result, "no state was transferred");
	} else if (result) {
		vhb_refuse(session, result,
			   "the state was not transferred: %s",
			   strerrordesc_np(-result));
	}
	if (result)
		vhb_log_refusal(session, message, false);
	reply->u64 = result ? 1 : 0;
	return sizeof(reply->u64);
}
