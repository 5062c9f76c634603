// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON from who knows where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/json_read.h"
#include "lib/bits.h"

#define VALUES_MAX 64

static struct vhb_json_value values[VALUES_MAX];
static char *copy;

/* The heap's, without an end, so that a sanitizer sees one byte too many. */
static int parse(const char *text)
{
	const size_t length = strlen(text);

	free(copy);
	copy = malloc(length + !length);
	assert_non_null(copy);
	memcpy(copy, text, length);
	return vhb_json_parse(copy, length, values, VALUES_MAX);
}

static void test_values_are_found_by_name(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(parse(" {\"a\": 12, \"b\":{\"a\":[1,{\"a\":2},[]]},\n\"c\":\"x\",\"d\":true,"
			       "\"e\":false,\"f\":null,\"g\":\"0x1f\"} "), 22);
	assert_int_equal(vhb_json_get_number(values, "a"), 12);
	assert_int_equal(vhb_json_get_number(values, "b"), 0);
	assert_int_equal(vhb_json_member(values, "b")->kind, VHB_JSON_OBJECT);
	assert_int_equal(vhb_json_member(vhb_json_member(values, "b"),
					 "a")->span, 6);
	vhb_json_get_string(values, "c", text, sizeof(text));
	assert_string_equal(text, "x");
	assert_true(vhb_json_get_bool(values, "d"));
	assert_false(vhb_json_get_bool(values, "e"));
	assert_int_equal(vhb_json_member(values, "f")->kind, VHB_JSON_NULL);
	assert_int_equal(vhb_json_get_mask(values, "g"), 0x1f);
	assert_null(vhb_json_member(values, "h"));
	assert_null(vhb_json_member(NULL, "a"));
	assert_null(vhb_json_member(vhb_json_member(values, "a"), "a"));
	assert_int_equal(vhb_json_get_number(values, "h"), 0);
	assert_false(vhb_json_get_bool(values, "h"));
	vhb_json_get_string(values, "a", text, sizeof(text));
	assert_string_equal(text, "");
}

static void test_what_is_no_json(void **state)
{
	static const char * const texts[] = {
		"", " ", "{", "[", "\"", "\"a", "\"a\\", "\"a\\\"", "nul",
		"truth", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,",
		"{\"a\":1,}", "{a:1}", "{1:1}", "[1", "[1,", "[1,]", "[1 2]",
		"1 2", "{}}", "]", "}", ",", ":", "[1]x", "{\"a\" 1}", "\\",
		"{\"a\":1}{", "x", "[\"a\":1]",
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < VHB_ARRAY_COUNT(texts); i++)
		assert_int_equal(parse(texts[i]), -EBADMSG);
}

static void test_too_much_is_refused(void **state)
{
	char text[4096];
	unsigned int i;

	(void)state;
	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(parse(text), -E2BIG);
	strcpy(text, "[0");
	for (i = 2; i < VALUES_MAX; i++)
		strcat(text, ",0");
	strcat(text, "]");
	assert_int_equal(parse(text), VALUES_MAX);
	strcpy(text + strlen(text) - 1, ",0]");
	assert_int_equal(parse(text), -E2BIG);
}

static void test_numbers_are_whole_and_fit(void **state)
{
	(void)state;
	assert_true(parse("{\"a\":18446744073709551615,"
			  "\"b\":18446744073709551616,"
			  "\"c\":-1,\"d\":1.5,\"e\":1e3,"
			  "\"f\":99999999999999999999999999999999999999999,"
			  "\"g\":+1,\"h\":\"7\"}") > 0);
	assert_int_equal(vhb_json_get_number(values, "a"), UINT64_MAX);
	assert_int_equal(vhb_json_get_number(values, "b"), 0);
	assert_int_equal(vhb_json_get_number(values, "c"), 0);
	assert_int_equal(vhb_json_get_number(values, "d"), 0);
	assert_int_equal(vhb_json_get_number(values, "e"), 0);
	assert_int_equal(vhb_json_get_number(values, "f"), 0);
	assert_int_equal(vhb_json_get_number(values, "g"), 0);
	assert_int_equal(vhb_json_get_number(values, "h"), 0);
	assert_int_equal(vhb_json_get_mask(values, "a"), 0);
}

/* Strings go to a terminal. */
static void test_strings_are_harmless_and_cut(void **state)
{
	char text[8];

	(void)state;
	assert_true(parse("{\"a\":\"\\u001b[2J\","
			  "\"b\":\"\033\\n\\\"\\\\\\/\",\"c\":\"123456789\",\"d\":\"\\u00\"}") > 0);
	vhb_json_get_string(values, "a", text, sizeof(text));
	assert_string_equal(text, "?[2J");
	vhb_json_get_string(values, "b", text, sizeof(text));
	assert_string_equal(text, "??\"\\/");
	vhb_json_get_string(values, "c", text, sizeof(text));
	assert_string_equal(text, "1234567");
	vhb_json_get_string(values, "d", text, sizeof(text));
	assert_string_equal(text, "?");
}

/* Any byte in place of any other: an answer, or none, but nothing else. */
static void test_damage_does_no_harm(void **state)
{
	static const char whole[] = "{\"a\":[1,{\"b\":\"\\u0041\"},null],\"c\":true}";
	char text[sizeof(whole)];
	unsigned int at, byte;
	int ret;

	(void)state;
	for (at = 0; at < sizeof(whole) - 1; at++) {
		for (byte = 1; byte < 256; byte++) {
			strcpy(text, whole);
			text[at] = byte;
			ret = parse(text);
			assert_true(ret > 0 || ret == -EBADMSG);
			if (ret <= 0)
				continue;
			vhb_json_get_number(values, "a");
			vhb_json_get_bool(values, "c");
		}
		strcpy(text, whole);
		text[at] = '\0';
		assert_int_equal(parse(text), -EBADMSG);
	}
	free(copy);
	copy = NULL;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_found_by_name),
		cmocka_unit_test(test_what_is_no_json),
		cmocka_unit_test(test_too_much_is_refused),
		cmocka_unit_test(test_numbers_are_whole_and_fit),
		cmocka_unit_test(test_strings_are_harmless_and_cut),
		cmocka_unit_test(test_damage_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
