/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_JSON_READ_H
#define VHB_CONTROL_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * DOC: reading JSON (RFC 8259)
 *
 * For what another vhost-bridge wrote with control/json.h, but nothing is taken
 * for granted: any bytes may come.
 */

/** How deep objects and arrays may be in each other */
#define VHB_JSON_DEPTH_MAX 16

/** enum vhb_json_kind - what a value is */
enum vhb_json_kind {
	VHB_JSON_NULL,
	VHB_JSON_FALSE,
	VHB_JSON_TRUE,
	VHB_JSON_NUMBER,
	VHB_JSON_STRING,
	VHB_JSON_ARRAY,
	VHB_JSON_OBJECT,
};

/**
 * struct vhb_json_value - a value that was read
 * @kind: what it is
 * @text: of a number or string: its first byte; not behind its quote
 * @length: how many bytes that is, escapes as they were written
 * @span: values from this to the next beside it: 1, and those in an array or
 *        object, where each name is a value too
 */
struct vhb_json_value {
	enum vhb_json_kind kind;
	const char *text;
	size_t length;
	unsigned int span;
};

/**
 * vhb_json_parse() - read a whole text
 * @text: the text
 * @size_bytes: its length
 * @values: receives the values, outermost first; they point into @text
 * @values_max: room in @values
 *
 * Return: how many there are, -EBADMSG for what is no JSON, -E2BIG for too many
 * or too deep.
 */
int vhb_json_parse(const char *text, size_t size_bytes,
		   struct vhb_json_value *values, unsigned int values_max);

/**
 * vhb_json_member() - a value of an object
 * @object: the object; NULL, or what is none, has no members
 * @name: of letters, digits and underscores
 *
 * Return: the first of that name, or NULL.
 */
const struct vhb_json_value *vhb_json_member(const struct vhb_json_value *object,
					     const char *name);

/** vhb_json_get_number() - a whole number; 0 for anything else */
uint64_t vhb_json_get_number(const struct vhb_json_value *object,
			     const char *name);

/** vhb_json_get_mask() - a string of "0x" and digits; 0 for anything else */
uint64_t vhb_json_get_mask(const struct vhb_json_value *object,
			   const char *name);

/** vhb_json_get_bool() - true; anything else is false */
bool vhb_json_get_bool(const struct vhb_json_value *object, const char *name);

/**
 * vhb_json_get_string() - a string
 * @object: what it is in
 * @name: its name
 * @string: receives what fits of it; empty when it is none. What is no printable ASCII
 *          becomes a question mark, so that it may go to a terminal
 * @string_bytes: room in @string
 */
void vhb_json_get_string(const struct vhb_json_value *object, const char *name,
			 char *string, size_t string_bytes);

#endif
