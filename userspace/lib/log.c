// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/bits.h"

#define TEXT_BYTES 512
#define ESCAPE_BYTES 4
#define LINE_BYTES (64 + TEXT_BYTES * ESCAPE_BYTES)

static const char * const prefixes[] = {
	[VHB_LOG_ERROR] = "vhost-bridge: error: ",
	[VHB_LOG_WARNING] = "vhost-bridge: warning: ",
	[VHB_LOG_INFO] = "vhost-bridge: ",
	[VHB_LOG_DEBUG] = "vhost-bridge: debug: ",
};

static enum vhb_log_level shown_level = VHB_LOG_WARNING;

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

void vhb_log(enum vhb_log_level level, const char *format, ...)
{
	static const char ellipsis[] = "...";
	int saved_errno = errno;
	char text[TEXT_BYTES];
	char line[LINE_BYTES];
	ssize_t written;
	va_list args;
	size_t used;
	int length;

	if (level > shown_level || level >= VHB_ARRAY_COUNT(prefixes))
		return;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0)
		snprintf(text, sizeof(text), "unprintable message");
	else if ((size_t)length >= sizeof(text))
		memcpy(text + sizeof(text) - sizeof(ellipsis), ellipsis,
		       sizeof(ellipsis));

	used = strlen(prefixes[level]);
	memcpy(line, prefixes[level], used);
	used += escape(line + used, text);
	line[used++] = '\n';

	do {
		written = write(STDERR_FILENO, line, used);
	} while (written < 0 && errno == EINTR);
	errno = saved_errno;
}
