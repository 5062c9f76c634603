/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_MESSAGE_TRACE_H
#define VHB_SESSION_MESSAGE_TRACE_H

struct vhb_session;

/**
 * DOC: --trace=protocol, as far as a session sees it
 *
 * All of these do nothing without a trace.
 */

/**
 * vhb_message_trace_begin() - a complete message is about to be handled
 * @session: the session, with the message and its descriptors in the channel
 */
void vhb_message_trace_begin(struct vhb_session *session);

/**
 * vhb_message_trace_end() - it was handled, and answered if that was due
 * @session: the session, with the message still in the channel
 * @result: 0 or -errno, then with session->why
 */
void vhb_message_trace_end(struct vhb_session *session, int result);

/**
 * vhb_message_trace_failed() - no message came
 * @session: the session
 * @error: as of vhb_channel_receive()
 */
void vhb_message_trace_failed(struct vhb_session *session, int error);

/** vhb_message_trace_connect() - a front-end has come */
void vhb_message_trace_connect(struct vhb_session *session);

/**
 * vhb_message_trace_disconnect() - the connection is about to be closed
 * @session: the session
 *
 * A message that is still being handled gets no answer any more.
 */
void vhb_message_trace_disconnect(struct vhb_session *session);

#endif
