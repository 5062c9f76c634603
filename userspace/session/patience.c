// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/patience.h"

#include "lib/log.h"
#include "session/state.h"

static unsigned int limit_ms(const struct vhb_session *session)
{
	unsigned int ms = session->config.patience_ms;

	if (!ms)
		ms = VHB_PATIENCE_MS;
	if (session->patience.reason == VHB_PATIENCE_REPLY)
		ms *= VHB_PATIENCE_REPLY_FACTOR;
	return ms;
}

static bool is_wanted(const struct vhb_session *session)
{
	const struct vhb_session_config *config = &session->config;

	return config->is_wanted && config->is_wanted(config->argument);
}

static bool is_over(const struct vhb_session *session)
{
	const unsigned int limit = limit_ms(session);

	switch (session->patience.reason) {
	case VHB_PATIENCE_MESSAGE:
		vhb_warn("a message was not complete after %u ms; connection closed",
			 limit);
		return true;
	case VHB_PATIENCE_FIRST:
		if (!is_wanted(session))
			return false;
		vhb_warn("nothing was said for %u ms and another front-end waits; connection closed",
			 limit);
		return true;
	case VHB_PATIENCE_REPLY:
		if (!is_wanted(session))
			return false;
		vhb_warn("replies were not read for %u ms and another front-end waits; connection closed",
			 limit);
		return true;
	default:
		return false;
	}
}

static void on_timer(void *argument)
{
	struct vhb_session *session = argument;
	struct vhb_patience *patience = &session->patience;

	/* The message came, and something else is waited for (a disk). */
	if (session->stage != VHB_SESSION_SERVES ||
	    patience->message_number != session->message_number)
		return;
	if (is_over(session) ||
	    vhb_timer_set(&patience->timer, limit_ms(session)))
		vhb_session_end(session);
}

void vhb_patience_init(struct vhb_session *session)
{
	vhb_timer_init(&session->patience.timer, session->config.loop, on_timer,
		       session);
}

static enum vhb_patience_reason find_reason(const struct vhb_session *session,
					    bool waits_for_room)
{
	if (waits_for_room)
		return VHB_PATIENCE_REPLY;
	if (session->channel.received_bytes)
		return VHB_PATIENCE_MESSAGE;
	return session->message_number ? VHB_PATIENCE_NOTHING :
					 VHB_PATIENCE_FIRST;
}

int vhb_patience_begin(struct vhb_session *session, bool waits_for_room)
{
	const enum vhb_patience_reason reason =
		find_reason(session, waits_for_room);
	struct vhb_patience *patience = &session->patience;

	/* Or a byte now and then would be enough. */
	if (patience->reason == reason &&
	    patience->message_number == session->message_number &&
	    vhb_timer_runs(&patience->timer))
		return 0;
	patience->reason = reason;
	patience->message_number = session->message_number;
	vhb_timer_stop(&patience->timer);
	return reason == VHB_PATIENCE_NOTHING ?
		       0 :
		       vhb_timer_set(&patience->timer, limit_ms(session));
}

void vhb_patience_end(struct vhb_session *session)
{
	vhb_timer_close(&session->patience.timer);
}
