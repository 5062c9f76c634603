// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of vhost-bridge top. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/command_line.h"

static void test_nothing_else_is_needed(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge top", &options);
	assert_int_equal(options.action, VHB_ACTION_TOP);
	assert_int_equal(options.top.interval_s, 1);
	assert_int_equal(options.top.count, 0);
	assert_null(options.top.control_dir);
	parse_ok("/usr/bin/vhost-bridge-top", &options);
	assert_int_equal(options.action, VHB_ACTION_TOP);
}

static void test_every_option(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge top --interval=5 --count=10 --control-dir=/d -v",
		 &options);
	assert_int_equal(options.top.interval_s, 5);
	assert_int_equal(options.top.count, 10);
	assert_string_equal(options.top.control_dir, "/d");
	assert_int_equal(options.verbosity, 1);
}

static void test_wrong_usage(void **state)
{
	static const char help[] = "(see vhost-bridge top --help)";

	(void)state;
	check_complaint("vhost-bridge top --interval=0",
			"--interval=0 is not a number of seconds", help);
	check_complaint("vhost-bridge top --interval=0.5",
			"--interval=0.5 is not a number of seconds", help);
	check_complaint("vhost-bridge top --interval=3601",
			"--interval=3601 is not a number of seconds", help);
	check_complaint("vhost-bridge top --count=0",
			"--count=0 is not a number", help);
	check_complaint("vhost-bridge top --count=-1",
			"--count=-1 is not a number", help);
	check_complaint("vhost-bridge top --control-dir=",
			"--control-dir needs the path", help);
	check_complaint("vhost-bridge top --json", "unknown option '--json'",
			help);
	check_complaint("vhost-bridge top blk", "unexpected argument 'blk'",
			help);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_else_is_needed),
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_wrong_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
