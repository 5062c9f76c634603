// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/bits.h"

#define TEXT_BYTES 512
#define ESCAPE_BYTES 4
#define LINE_BYTES (64 + TEXT_BYTES * ESCAPE_BYTES)

/* Lines of a level at once, and how long until there may be one more */
#define BURST_LINES 100
#define LINE_INTERVAL_S 10

/**
 * struct budget - lines of one level
 * @spent_lines: lines that were written and are not made up for yet
 * @since_s: what was made up for until then
 * @dropped_lines: lines that were not written since the last that was
 */
struct budget {
	unsigned int spent_lines;
	time_t since_s;
	unsigned long dropped_lines;
};

static const char * const prefixes[] = {
	[VHB_LOG_ERROR] = "vhost-bridge: error: ",
	[VHB_LOG_WARNING] = "vhost-bridge: warning: ",
	[VHB_LOG_INFO] = "vhost-bridge: ",
	[VHB_LOG_DEBUG] = "vhost-bridge: debug: ",
};

static enum vhb_log_level shown_level = VHB_LOG_WARNING;
static struct budget budgets[VHB_ARRAY_COUNT(prefixes)];

void vhb_log_set_level(enum vhb_log_level level)
{
	shown_level = level;
}

/*
 * What a front-end sent may be quoted in a line, so nothing but printable ASCII
 * goes out as it is: escape sequences, also those spelled with 8-bit control
 * characters, must not reach the administrator's terminal.
 */
static size_t escape(char *line, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 0;

	for (; *text; text++) {
		unsigned char byte = *text;

		if (byte >= ' ' && byte <= '~') {
			line[used++] = byte;
			continue;
		}
		line[used++] = '\\';
		line[used++] = 'x';
		line[used++] = digits[byte >> 4];
		line[used++] = digits[byte & 0xf];
	}
	return used;
}

/*
 * A front-end that comes again and again, or sends what is refused, must not
 * fill the disk. Who wants to see each message gets it.
 */
static bool is_within_budget(enum vhb_log_level level)
{
	struct budget *budget = &budgets[level];
	struct timespec now;
	time_t regained;

	if (level == VHB_LOG_DEBUG || clock_gettime(CLOCK_MONOTONIC, &now))
		return true;
	regained = (now.tv_sec - budget->since_s) / LINE_INTERVAL_S;
	budget->since_s += regained * LINE_INTERVAL_S;
	budget->spent_lines -= regained < budget->spent_lines ?
				       regained : budget->spent_lines;
	if (budget->spent_lines == BURST_LINES) {
		budget->dropped_lines++;
		return false;
	}
	budget->spent_lines++;
	return true;
}

static void write_line(enum vhb_log_level level, const char *text)
{
	char line[LINE_BYTES];
	ssize_t written;
	size_t used;

	used = strlen(prefixes[level]);
	memcpy(line, prefixes[level], used);
	used += escape(line + used, text);
	line[used++] = '\n';

	do {
		written = write(STDERR_FILENO, line, used);
	} while (written < 0 && errno == EINTR);
}

static void write_dropped(enum vhb_log_level level)
{
	struct budget *budget = &budgets[level];
	char text[64];

	if (!budget->dropped_lines)
		return;
	snprintf(text, sizeof(text), "%lu more like the next were not logged",
		 budget->dropped_lines);
	budget->dropped_lines = 0;
	write_line(level, text);
}

void vhb_log(enum vhb_log_level level, const char *format, ...)
{
	static const char ellipsis[] = "...";
	int saved_errno = errno;
	char text[TEXT_BYTES];
	va_list args;
	int length;

	if (level > shown_level || level >= VHB_ARRAY_COUNT(prefixes))
		return;
	if (!is_within_budget(level))
		goto restore_errno;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0)
		snprintf(text, sizeof(text), "unprintable message");
	else if ((size_t)length >= sizeof(text))
		memcpy(text + sizeof(text) - sizeof(ellipsis), ellipsis,
		       sizeof(ellipsis));
	write_dropped(level);
	write_line(level, text);
restore_errno:
	errno = saved_errno;
}
