/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_PATIENCE_H
#define VHB_SESSION_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/timer.h"

/**
 * DOC: how long a front-end may keep us waiting
 *
 * One front-end is served at a time, so one that stops halfway keeps others out.
 * A message that has begun has to be complete before long. Who never says
 * anything, or does not read what it asked for until there is no room for more,
 * is left alone until another one waits: it may be stopped in a debugger. Who has
 * nothing to say any more is a virtual machine that runs, and is never bothered;
 * so no timer runs then.
 */

/** How long it takes when &vhb_session_config.patience_ms is zero */
#define VHB_PATIENCE_MS 10000

/** Unread replies may take as many times as long */
#define VHB_PATIENCE_REPLY_FACTOR 3

/**
 * enum vhb_patience_reason - what is waited for
 * @VHB_PATIENCE_NOTHING: the next message, if there is one
 * @VHB_PATIENCE_FIRST: the very first message
 * @VHB_PATIENCE_MESSAGE: the rest of a message
 * @VHB_PATIENCE_REPLY: room for a reply
 */
enum vhb_patience_reason {
	VHB_PATIENCE_NOTHING,
	VHB_PATIENCE_FIRST,
	VHB_PATIENCE_MESSAGE,
	VHB_PATIENCE_REPLY,
};

/**
 * struct vhb_patience - of a session
 * @timer: runs unless nothing is waited for
 * @reason: what is
 * @message_number: which message it is about
 */
struct vhb_patience {
	struct vhb_timer timer;
	enum vhb_patience_reason reason;
	uint64_t message_number;
};

struct vhb_session;

/** vhb_patience_init() - for a new session: no timer runs */
void vhb_patience_init(struct vhb_session *session);

/**
 * vhb_patience_begin() - the session goes to sleep
 * @session: the session; ended by this when it takes too long
 * @waits_for_room: a reply could not be sent
 *
 * Time goes on to run for what was waited for before already.
 *
 * Return: 0 or -errno of the timer.
 */
int vhb_patience_begin(struct vhb_session *session, bool waits_for_room);

/** vhb_patience_end() - nothing is waited for any more; frees what it holds */
void vhb_patience_end(struct vhb_session *session);

#endif
