// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/json.h"

#include <inttypes.h>

static void put_text(const struct vhb_json *json, const char *text)
{
	const unsigned char *at;

	putc('"', json->out);
	for (at = (const unsigned char *)text; *at; at++) {
		if (*at == '"' || *at == '\\')
			fprintf(json->out, "\\%c", *at);
		else if (*at >= ' ' && *at <= '~')
			putc(*at, json->out);
		else
			fprintf(json->out, "\\u%04x", *at);
	}
	putc('"', json->out);
}

/* What stands before a value */
static void put_key(struct vhb_json *json, const char *key)
{
	if (json->needs_comma)
		putc(',', json->out);
	json->needs_comma = true;
	if (!key)
		return;
	put_text(json, key);
	putc(':', json->out);
}

void vhb_json_open(struct vhb_json *json, const char *key, char bracket)
{
	put_key(json, key);
	putc(bracket, json->out);
	json->needs_comma = false;
}

void vhb_json_close(struct vhb_json *json, char bracket)
{
	putc(bracket, json->out);
	json->needs_comma = true;
}

void vhb_json_number(struct vhb_json *json, const char *key, uint64_t value)
{
	put_key(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void vhb_json_string(struct vhb_json *json, const char *key, const char *value)
{
	put_key(json, key);
	if (value)
		put_text(json, value);
	else
		fputs("null", json->out);
}

void vhb_json_null(struct vhb_json *json, const char *key)
{
	vhb_json_string(json, key, NULL);
}

void vhb_json_true(struct vhb_json *json, const char *key)
{
	vhb_json_bool(json, key, true);
}

void vhb_json_bool(struct vhb_json *json, const char *key, bool value)
{
	put_key(json, key);
	fputs(value ? "true" : "false", json->out);
}
