// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The most one vhb_text_add() adds, before bytes are escaped */
#define PIECE_BYTES 1024

void vhb_text_begin(struct vhb_text *text, char *bytes, size_t room_bytes)
{
	text->bytes = bytes;
	text->room_bytes = room_bytes;
	text->used_bytes = 0;
	bytes[0] = '\0';
}

/* Whole or not at all; then the text ends in an ellipsis, and stays so. */
static void put(struct vhb_text *text, const char *what, size_t size_bytes)
{
	static const char ellipsis[] = "...";

	if (size_bytes < text->room_bytes - text->used_bytes) {
		memcpy(text->bytes + text->used_bytes, what, size_bytes);
		text->used_bytes += size_bytes;
		text->bytes[text->used_bytes] = '\0';
		return;
	}
	memset(text->bytes + text->used_bytes, '.',
	       text->room_bytes - text->used_bytes);
	text->used_bytes = text->room_bytes - 1;
	memcpy(text->bytes + text->room_bytes - sizeof(ellipsis), ellipsis,
	       sizeof(ellipsis));
}

static void put_byte(struct vhb_text *text, unsigned char byte)
{
	char escaped[5];

	if (byte >= ' ' && byte <= '~') {
		put(text, (const char *)&byte, 1);
		return;
	}
	snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
	put(text, escaped, 4);
}

void vhb_text_add(struct vhb_text *text, const char *format, ...)
{
	char piece[PIECE_BYTES];
	va_list args;
	const char *at;

	va_start(args, format);
	if (vsnprintf(piece, sizeof(piece), format, args) < 0)
		piece[0] = '\0';
	va_end(args);
	for (at = piece; *at; at++)
		put_byte(text, *at);
}

void vhb_text_add_hex(struct vhb_text *text, const uint8_t *bytes,
		      size_t size_bytes, size_t shown_bytes)
{
	size_t i;

	for (i = 0; i < size_bytes && i < shown_bytes; i++)
		vhb_text_add(text, "%02x", bytes[i]);
	if (size_bytes > shown_bytes)
		vhb_text_add(text, "...");
}
