// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "session/handlers.h"
#include "session/vring.h"

/* How large its vrings are does not matter to a region of ours. */
static int check_counts(struct vhb_session *session,
			const struct vhb_wire_inflight *inflight)
{
	const unsigned int vring_count = session->config.kdev->vring_count;

	if (!inflight->queue_count || inflight->queue_count > vring_count)
		return vhb_refuse(session, -EINVAL,
				  "%u queues of a device that has %u",
				  inflight->queue_count, vring_count);
	if (!inflight->queue_entries ||
	    inflight->queue_entries > VHB_VRING_NUM_MAX)
		return vhb_refuse(session, -EINVAL,
				  "queues of %u entries: 1 to %u are possible",
				  inflight->queue_entries, VHB_VRING_NUM_MAX);
	return 0;
}

/*
 * Not in the reply, where it is too late to fail: front-ends wait for a payload
 * of full length.
 */
int vhb_edit_inflight_offer(struct vhb_session *session, struct vhb_want *want,
			    struct vhb_message *message)
{
	struct vhb_wire_inflight *inflight = &message->payload.inflight;
	int fd, ret;

	(void)want;
	ret = check_counts(session, inflight);
	if (ret)
		return ret;
	ret = vhb_inflight_create(inflight->queue_count, inflight, &fd);
	if (ret)
		return vhb_refuse(session, ret, "memfd: %s",
				  strerrordesc_np(-ret));
	vhb_channel_attach(&session->channel, fd);
	return 0;
}

/* With or without the padding, as it was asked for */
size_t vhb_reply_inflight(struct vhb_session *session,
			  const struct vhb_message *message,
			  union vhb_payload *reply)
{
	(void)session;
	reply->inflight = message->payload.inflight;
	return message->header.size_bytes;
}

int vhb_edit_inflight(struct vhb_session *session, struct vhb_want *want,
		      struct vhb_message *message)
{
	const struct vhb_wire_inflight *description =
		&message->payload.inflight;
	struct vhb_inflight *inflight;
	int ret;

	ret = check_counts(session, description);
	if (ret)
		return ret;
	ret = vhb_inflight_map(description, message->fds[0], &session->why,
			       &inflight);
	if (ret)
		return ret;

	want->inflight = inflight;
	/* Of vrings that run the kernel knows best. */
	for (unsigned int i = 0; i < session->config.kdev->vring_count; i++)
		want->vrings[i].has_unread_slot =
			!session->have.vrings[i].is_running;
	return 0;
}
