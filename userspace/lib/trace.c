// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/text.h"

#define LINE_BYTES 8192
/* What may be kept while a message is handled */
#define NOTES_BYTES 65536

static const char indent[] = "    ";

bool vhb_trace_is_on;

/**
 * struct trace - the trace
 * @fd: where it goes
 * @type_name: device type of this process, or NULL
 * @is_held: a message is being handled
 * @begun: when that began, on the monotonic clock
 * @message: what it says
 * @notes: lines to come below it
 * @notes_bytes: how much of @notes is used
 * @dropped_notes: notes there was no room for
 */
static struct trace {
	int fd;
	const char *type_name;
	bool is_held;
	struct timespec begun;
	char message[LINE_BYTES];
	char notes[NOTES_BYTES];
	size_t notes_bytes;
	unsigned int dropped_notes;
} trace = { .fd = -1 };

static void write_all(const char *bytes, size_t size_bytes)
{
	ssize_t written;

	while (size_bytes) {
		written = write(trace.fd, bytes, size_bytes);
		if (written < 0 && errno == EINTR)
			continue;
		/* A trace with a hole is better than no back-end. */
		if (written <= 0)
			return;
		bytes += written;
		size_bytes -= written;
	}
}

static void write_notes(void)
{
	char line[80];

	write_all(trace.notes, trace.notes_bytes);
	trace.notes_bytes = 0;
	if (!trace.dropped_notes)
		return;
	snprintf(line, sizeof(line), "%s... and %u lines more\n", indent,
		 trace.dropped_notes);
	write_all(line, strlen(line));
	trace.dropped_notes = 0;
}

/* @line has room for a newline behind the text. */
static void write_line(struct vhb_text *line)
{
	line->bytes[line->used_bytes] = '\n';
	write_all(line->bytes, line->used_bytes + 1);
}

static void add_time(struct vhb_text *line)
{
	struct timespec now;
	struct tm local;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!localtime_r(&now.tv_sec, &local))
		memset(&local, 0, sizeof(local));
	vhb_text_add(line, "%02d:%02d:%02d.%06ld ", local.tm_hour, local.tm_min,
		     local.tm_sec, now.tv_nsec / 1000);
}

const char *vhb_trace_type(void)
{
	return trace.type_name;
}

int vhb_trace_open(const char *path, const char *type_name)
{
	int fd = STDERR_FILENO;

	vhb_trace_close();
	if (path) {
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
	}
	trace.fd = fd;
	trace.type_name = type_name;
	vhb_trace_is_on = true;
	return 0;
}

void vhb_trace_close(void)
{
	if (!vhb_trace_is_on)
		return;
	if (trace.is_held)
		vhb_trace_end("none");
	if (trace.fd != STDERR_FILENO)
		close(trace.fd);
	trace.fd = -1;
	vhb_trace_is_on = false;
}

void vhb_trace_begin(const char *message)
{
	if (!vhb_trace_is_on)
		return;
	if (trace.is_held)
		vhb_trace_end("none");
	snprintf(trace.message, sizeof(trace.message), "%s", message);
	clock_gettime(CLOCK_MONOTONIC, &trace.begun);
	trace.is_held = true;
}

void vhb_trace_end(const char *answer)
{
	char bytes[LINE_BYTES + 512];
	struct timespec now;
	struct vhb_text line;
	int64_t us;

	if (!trace.is_held)
		return;
	trace.is_held = false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	us = (now.tv_sec - trace.begun.tv_sec) * INT64_C(1000000) +
	     (now.tv_nsec - trace.begun.tv_nsec) / 1000;

	vhb_text_begin(&line, bytes, sizeof(bytes));
	add_time(&line);
	/* In pieces: vhb_text_add() takes no more at once. */
	for (const char *at = trace.message; *at;
	     at += strnlen(at, 1000))
		vhb_text_add(&line, "%.1000s", at);
	vhb_text_add(&line, " -> %s (%lld us)", answer, (long long)us);
	write_line(&line);
	write_notes();
}

static void keep_note(const char *bytes, size_t size_bytes)
{
	if (size_bytes > sizeof(trace.notes) - trace.notes_bytes) {
		trace.dropped_notes++;
		return;
	}
	memcpy(trace.notes + trace.notes_bytes, bytes, size_bytes);
	trace.notes_bytes += size_bytes;
}

static void add_line(bool is_event, const char *format, va_list args)
{
	char bytes[LINE_BYTES], text[LINE_BYTES - 128];
	struct vhb_text line;

	vhb_text_begin(&line, bytes, sizeof(bytes));
	if (is_event && !trace.is_held)
		add_time(&line);
	else
		vhb_text_add(&line, "%s", indent);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		text[0] = '\0';
	for (const char *at = text; *at; at += strnlen(at, 1000))
		vhb_text_add(&line, "%.1000s", at);
	if (!trace.is_held) {
		write_line(&line);
		return;
	}
	line.bytes[line.used_bytes] = '\n';
	keep_note(line.bytes, line.used_bytes + 1);
}

void vhb_trace_event(const char *format, ...)
{
	va_list args;

	if (!vhb_trace_is_on)
		return;
	va_start(args, format);
	add_line(true, format, args);
	va_end(args);
}

void vhb_trace_note(const char *format, ...)
{
	va_list args;

	if (!vhb_trace_is_on)
		return;
	va_start(args, format);
	add_line(false, format, args);
	va_end(args);
}
