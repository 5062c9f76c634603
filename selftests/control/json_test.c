// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON is valid whatever is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "control/json.h"

static char *written;
static size_t written_bytes;
static struct vhb_json json;

static int set_up(void **state)
{
	(void)state;
	json = (struct vhb_json){
		.out = open_memstream(&written, &written_bytes),
	};
	return json.out ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(written);
	return 0;
}

static void assert_written(const char *text)
{
	fclose(json.out);
	assert_string_equal(written, text);
}

static void test_nothing_in_it(void **state)
{
	(void)state;
	vhb_json_open(&json, NULL, '{');
	vhb_json_close(&json, '}');
	assert_written("{}");
}

static void test_commas(void **state)
{
	(void)state;
	vhb_json_open(&json, NULL, '{');
	vhb_json_number(&json, "a", 1);
	vhb_json_open(&json, "b", '[');
	vhb_json_number(&json, NULL, 0);
	vhb_json_open(&json, NULL, '[');
	vhb_json_close(&json, ']');
	vhb_json_open(&json, NULL, '{');
	vhb_json_true(&json, "c");
	vhb_json_close(&json, '}');
	vhb_json_close(&json, ']');
	vhb_json_null(&json, "d");
	vhb_json_string(&json, "e", NULL);
	vhb_json_close(&json, '}');
	assert_written("{\"a\":1,\"b\":[0,[],{\"c\":true}],\"d\":null,\"e\":null}");
}

static void test_numbers(void **state)
{
	(void)state;
	vhb_json_open(&json, NULL, '[');
	vhb_json_number(&json, NULL, 0);
	vhb_json_number(&json, NULL, UINT64_MAX);
	vhb_json_close(&json, ']');
	assert_written("[0,18446744073709551615]");
}

static void test_text(void **state)
{
	(void)state;
	vhb_json_open(&json, NULL, '[');
	vhb_json_string(&json, NULL, "");
	vhb_json_string(&json, NULL, "say \"a\\b\" / ~");
	vhb_json_string(&json, NULL, "\x01\n\t\x1b[0m\x7f");
	vhb_json_string(&json, NULL, "\xff\xc3\xa4");
	vhb_json_close(&json, ']');
	assert_written("[\"\",\"say \\\"a\\\\b\\\" / ~\",\"\\u0001\\u000a\\u0009\\u001b[0m\\u007f\",\"\\u00ff\\u00c3\\u00a4\"]");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_nothing_in_it, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_commas, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
