/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_JSON_H
#define VHB_CONTROL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/**
 * struct vhb_json - JSON (RFC 8259) being written, without white space
 * @out: where to
 * @needs_comma: something stands before in this object or array
 *
 * Keys come from the program, values from anywhere. A NULL key is for what is in
 * an array or outermost.
 */
struct vhb_json {
	FILE *out;
	bool needs_comma;
};

/**
 * vhb_json_open() - begin an object or array
 * @json: the writer
 * @key: its name, or NULL
 * @bracket: { or [
 */
void vhb_json_open(struct vhb_json *json, const char *key, char bracket);

/**
 * vhb_json_close() - end it
 * @json: the writer
 * @bracket: } or ]
 */
void vhb_json_close(struct vhb_json *json, char bracket);

/**
 * vhb_json_number() - write a number
 * @json: the writer
 * @key: its name, or NULL
 * @value: the number
 */
void vhb_json_number(struct vhb_json *json, const char *key, uint64_t value);

/**
 * vhb_json_string() - write a string
 * @json: the writer
 * @key: its name, or NULL
 * @value: any bytes: other than ASCII are written as if they were Latin-1, so
 *         that the result is valid whatever they are; NULL for null
 */
void vhb_json_string(struct vhb_json *json, const char *key, const char *value);

/**
 * vhb_json_null() - write null
 * @json: the writer
 * @key: its name, or NULL
 */
void vhb_json_null(struct vhb_json *json, const char *key);

/**
 * vhb_json_true() - write true
 * @json: the writer
 * @key: its name, or NULL
 */
void vhb_json_true(struct vhb_json *json, const char *key);

/**
 * vhb_json_bool() - write true or false
 * @json: the writer
 * @key: its name, or NULL
 * @value: which
 */
void vhb_json_bool(struct vhb_json *json, const char *key, bool value);

#endif
