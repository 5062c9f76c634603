// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/json_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * struct reader - a text being read
 * @at: what comes next
 * @end: behind its last byte
 * @values: those read so far
 * @count: how many
 * @max: room in @values
 * @depth: arrays and objects that are open
 */
struct reader {
	const char *at;
	const char *end;
	struct vhb_json_value *values;
	unsigned int count;
	unsigned int max;
	unsigned int depth;
};

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && memchr(" \t\n\r", *reader->at, 4))
		reader->at++;
}

static bool take(struct reader *reader, char byte)
{
	skip_space(reader);
	if (reader->at == reader->end || *reader->at != byte)
		return false;
	reader->at++;
	return true;
}

static struct vhb_json_value *add(struct reader *reader,
				  enum vhb_json_kind kind)
{
	struct vhb_json_value *value;

	if (reader->count == reader->max)
		return NULL;
	value = &reader->values[reader->count++];
	*value = (struct vhb_json_value){ .kind = kind, .span = 1 };
	return value;
}

static int read_word(struct reader *reader, const char *word,
		     enum vhb_json_kind kind)
{
	const size_t length = strlen(word);

	if ((size_t)(reader->end - reader->at) < length ||
	    memcmp(reader->at, word, length))
		return -EBADMSG;
	reader->at += length;
	return add(reader, kind) ? 0 : -E2BIG;
}

/* Signs, fractions and exponents are read, and are no whole number later. */
static int read_number(struct reader *reader)
{
	struct vhb_json_value *value = add(reader, VHB_JSON_NUMBER);

	if (!value)
		return -E2BIG;
	value->text = reader->at;
	while (reader->at < reader->end &&
	       memchr("+-.0123456789Ee", *reader->at, 15))
		reader->at++;
	value->length = reader->at - value->text;
	return value->length ? 0 : -EBADMSG;
}

static int read_string(struct reader *reader)
{
	struct vhb_json_value *value;

	if (!take(reader, '"'))
		return -EBADMSG;
	value = add(reader, VHB_JSON_STRING);
	if (!value)
		return -E2BIG;
	value->text = reader->at;
	for (; reader->at < reader->end; reader->at++) {
		if (*reader->at == '"') {
			value->length = reader->at++ - value->text;
			return 0;
		}
		if (*reader->at == '\\' && ++reader->at == reader->end)
			break;
	}
	return -EBADMSG;
}

static int read_value(struct reader *reader);

static int read_members(struct reader *reader, bool is_object)
{
	const char close = is_object ? '}' : ']';
	int ret;

	if (take(reader, close))
		return 0;
	do {
		if (is_object) {
			ret = read_string(reader);
			if (ret)
				return ret;
			if (!take(reader, ':'))
				return -EBADMSG;
		}
		ret = read_value(reader);
		if (ret)
			return ret;
	} while (take(reader, ','));
	return take(reader, close) ? 0 : -EBADMSG;
}

static int read_container(struct reader *reader, enum vhb_json_kind kind)
{
	const unsigned int first = reader->count;
	int ret;

	if (reader->depth == VHB_JSON_DEPTH_MAX || !add(reader, kind))
		return -E2BIG;
	reader->at++;
	reader->depth++;
	ret = read_members(reader, kind == VHB_JSON_OBJECT);
	reader->depth--;
	reader->values[first].span = reader->count - first;
	return ret;
}

static int read_value(struct reader *reader)
{
	skip_space(reader);
	if (reader->at == reader->end)
		return -EBADMSG;
	switch (*reader->at) {
	case '{':
		return read_container(reader, VHB_JSON_OBJECT);
	case '[':
		return read_container(reader, VHB_JSON_ARRAY);
	case '"':
		return read_string(reader);
	case 'n':
		return read_word(reader, "null", VHB_JSON_NULL);
	case 't':
		return read_word(reader, "true", VHB_JSON_TRUE);
	case 'f':
		return read_word(reader, "false", VHB_JSON_FALSE);
	default:
		return read_number(reader);
	}
}

int vhb_json_parse(const char *text, size_t size_bytes,
		   struct vhb_json_value *values, unsigned int values_max)
{
	struct reader reader = {
		.at = text,
		.end = text + size_bytes,
		.values = values,
		.max = values_max,
	};
	int ret;

	ret = read_value(&reader);
	if (ret)
		return ret;
	skip_space(&reader);
	return reader.at == reader.end ? (int)reader.count : -EBADMSG;
}

const struct vhb_json_value *vhb_json_member(const struct vhb_json_value *object,
					     const char *name)
{
	const size_t length = strlen(name);
	const struct vhb_json_value *key;

	if (!object || object->kind != VHB_JSON_OBJECT)
		return NULL;
	for (key = object + 1; key < object + object->span;
	     key += 1 + key[1].span)
		if (key->length == length && !memcmp(key->text, name, length))
			return key + 1;
	return NULL;
}

/* @digits: room for any number that fits */
static bool copy_short(const struct vhb_json_value *value,
		       enum vhb_json_kind kind, char digits[32])
{
	if (!value || value->kind != kind || value->length >= 32)
		return false;
	memcpy(digits, value->text, value->length);
	digits[value->length] = '\0';
	return true;
}

uint64_t vhb_json_get_number(const struct vhb_json_value *object,
			     const char *name)
{
	char digits[32], *end;
	uint64_t number;

	if (!copy_short(vhb_json_member(object, name), VHB_JSON_NUMBER,
			digits) || digits[0] == '-' || digits[0] == '+')
		return 0;
	errno = 0;
	number = strtoull(digits, &end, 10);
	return errno || *end ? 0 : number;
}

uint64_t vhb_json_get_mask(const struct vhb_json_value *object,
			   const char *name)
{
	char digits[32], *end;
	uint64_t mask;

	if (!copy_short(vhb_json_member(object, name), VHB_JSON_STRING,
			digits) || strncmp(digits, "0x", 2))
		return 0;
	errno = 0;
	mask = strtoull(digits, &end, 16);
	return errno || *end ? 0 : mask;
}

bool vhb_json_get_bool(const struct vhb_json_value *object, const char *name)
{
	const struct vhb_json_value *value = vhb_json_member(object, name);

	return value && value->kind == VHB_JSON_TRUE;
}

/* One character of a string; \uXXXX is none that can be shown. */
static char next_character(const char **at, const char *end)
{
	char byte = *(*at)++;

	if (byte == '\\' && *at < end) {
		byte = *(*at)++;
		if (byte == 'u') {
			*at = end - *at < 4 ? end : *at + 4;
			return '?';
		}
		if (byte != '"' && byte != '\\' && byte != '/')
			return '?';
	}
	return byte >= ' ' && byte <= '~' ? byte : '?';
}

void vhb_json_get_string(const struct vhb_json_value *object, const char *name,
			 char *string, size_t string_bytes)
{
	const struct vhb_json_value *value = vhb_json_member(object, name);
	const char *at, *end;
	size_t used = 0;

	if (value && value->kind == VHB_JSON_STRING) {
		at = value->text;
		end = at + value->length;
		while (at < end && used + 1 < string_bytes)
			string[used++] = next_character(&at, end);
	}
	string[used] = '\0';
}
