/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_TRACE_H
#define VHB_LIB_TRACE_H

#include <stdbool.h>

/**
 * DOC: --trace=protocol
 *
 * Where the trace goes; its format is in Documentation/observability.rst. An
 * event is a line with the time of day; a note is a line below it, indented. What
 * happens while a message is handled stands below that message's line, which is
 * written when it has been answered.
 *
 * Whoever has something to tell asks vhb_trace_enabled() first: as long as there
 * is no trace that is all it costs. Only the broker's one thread may call this.
 */

/** What vhb_trace_enabled() reads; nobody else's business */
extern bool vhb_trace_is_on;

/** vhb_trace_enabled() - is there a trace at all? */
static inline bool vhb_trace_enabled(void)
{
	return vhb_trace_is_on;
}

/**
 * vhb_trace_open() - begin to trace
 * @path: a file, which is made, or added to; NULL for standard error
 * @type_name: device type of this process, for the names of features
 *
 * Return: 0 or -errno of open().
 */
int vhb_trace_open(const char *path, const char *type_name);

/** vhb_trace_type() - as given to vhb_trace_open() */
const char *vhb_trace_type(void);

/** vhb_trace_close() - end it; may have ended */
void vhb_trace_close(void);

/**
 * vhb_trace_begin() - a message begins to be handled
 * @message: what it says
 *
 * From now on what happens is kept, in bounded room.
 */
void vhb_trace_begin(const char *message);

/**
 * vhb_trace_end() - it has been handled: write it down, with all that happened
 * @answer: what was answered
 */
void vhb_trace_end(const char *answer);

/**
 * vhb_trace_event() - something happened
 * @format: as in printf(), one line
 *
 * A note while a message is handled.
 */
void vhb_trace_event(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/**
 * vhb_trace_note() - what belongs to the event or message before
 * @format: as in printf(), one line
 */
void vhb_trace_note(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
