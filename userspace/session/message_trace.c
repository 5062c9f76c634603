// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/message_trace.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <sys/socket.h>

#include "lib/bits.h"
#include "lib/text.h"
#include "lib/trace.h"
#include "session/state.h"
#include "wire/describe.h"
#include "wire/message_table.h"

#define MESSAGE_BYTES 8000
#define ANSWER_BYTES 2048

static const char *type_of(const struct vhb_session *session)
{
	return session->config.kdev->ops->name;
}

void vhb_message_trace_begin(struct vhb_session *session)
{
	char bytes[MESSAGE_BYTES];
	struct vhb_text text;

	if (!vhb_trace_enabled())
		return;
	/* No reply is under way: what is there at the end is that of this one. */
	memset(session->channel.reply, 0, sizeof(struct vhb_wire_header));
	session->channel.reply_had_fd = false;
	vhb_text_begin(&text, bytes, sizeof(bytes));
	vhb_describe_message(&session->channel.message, type_of(session),
			     &text);
	vhb_trace_begin(bytes);
}

static void add_ack(struct vhb_text *text, const uint8_t *payload)
{
	const char *name;
	uint64_t value;

	memcpy(&value, payload, sizeof(value));
	name = value && value < INT32_MAX ? strerrorname_np(value) : NULL;
	if (name)
		vhb_text_add(text, "ack %s", name);
	else
		vhb_text_add(text, "ack %" PRIu64, value);
}

static void add_answer(struct vhb_text *text,
		       const struct vhb_session *session)
{
	const uint8_t *payload = session->channel.reply +
				 sizeof(struct vhb_wire_header);
	const struct vhb_message_row *row;
	struct vhb_wire_header header;

	memcpy(&header, session->channel.reply, sizeof(header));
	row = vhb_message_row(header.request);
	if (!vhb_has_bit(header.flags, VHB_FLAG_REPLY_BIT))
		vhb_text_add(text, "none");
	else if (row && row->reply_kind == VHB_REPLY_ACK &&
		 header.size_bytes == sizeof(uint64_t))
		add_ack(text, payload);
	else
		vhb_describe_reply(header.request, payload, header.size_bytes,
				   type_of(session), text);
	if (session->channel.reply_had_fd)
		vhb_text_add(text, " with descriptor");
}

void vhb_message_trace_end(struct vhb_session *session, int result)
{
	char bytes[ANSWER_BYTES];
	struct vhb_text text;

	if (!vhb_trace_enabled())
		return;
	vhb_text_begin(&text, bytes, sizeof(bytes));
	add_answer(&text, session);
	if (result)
		vhb_text_add(&text, ", refused (%s: %s)",
			     strerrorname_np(-result), session->why.clause);
	vhb_trace_end(bytes);
}

void vhb_message_trace_failed(struct vhb_session *session, int error)
{
	if (error == -EPROTO)
		vhb_trace_event("malformed: %s", session->channel.why.clause);
	else if (error != -ECONNRESET)
		vhb_trace_event("malformed: %s", strerrorname_np(-error));
}

void vhb_message_trace_connect(struct vhb_session *session)
{
	socklen_t size_bytes = sizeof(struct ucred);
	struct ucred peer = { 0 };

	if (!vhb_trace_enabled())
		return;
	getsockopt(session->channel.fd, SOL_SOCKET, SO_PEERCRED, &peer,
		   &size_bytes);
	vhb_trace_event("front-end connected pid=%d uid=%u", peer.pid,
			peer.uid);
}

void vhb_message_trace_disconnect(struct vhb_session *session)
{
	if (!vhb_trace_enabled())
		return;
	if (session->stage == VHB_SESSION_WAITS)
		vhb_trace_end("none, connection closed");
	vhb_trace_event("front-end disconnected");
}
