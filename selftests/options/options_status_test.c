// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of vhost-bridge status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/command_line.h"

static void test_nothing_else_is_needed(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge status", &options);
	assert_int_equal(options.action, VHB_ACTION_STATUS);
	assert_string_equal(options.type_name, "status");
	assert_false(options.status.json);
	assert_false(options.status.monitor);
	assert_int_equal(options.verbosity, 0);
	parse_ok("/usr/bin/vhost-bridge-status", &options);
	assert_int_equal(options.action, VHB_ACTION_STATUS);
}

static void test_every_option(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge status --json", &options);
	assert_true(options.status.json);
	assert_false(options.status.monitor);
	parse_ok("vhost-bridge status --monitor -v --verbose --json", &options);
	assert_int_equal(options.action, VHB_ACTION_STATUS);
	assert_true(options.status.json);
	assert_true(options.status.monitor);
	assert_int_equal(options.verbosity, 2);
	assert_null(options.status.control_dir);
	parse_ok("vhost-bridge status --control-dir=/d", &options);
	assert_string_equal(options.status.control_dir, "/d");
}

static void test_help_and_version(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge status -h", &options);
	assert_int_equal(options.action, VHB_ACTION_HELP);
	parse_ok("vhost-bridge status --json --help", &options);
	assert_int_equal(options.action, VHB_ACTION_HELP);
	assert_string_equal(options.type_name, "status");
	parse_ok("vhost-bridge status --version", &options);
	assert_int_equal(options.action, VHB_ACTION_VERSION);
}

/* What only back-ends have */
static void test_unknown_options(void **state)
{
	static const char help[] = "(see vhost-bridge status --help)";

	(void)state;
	check_complaint("vhost-bridge status --socket-path=/s",
			"unknown option '--socket-path'", help);
	check_complaint("vhost-bridge status --fd=3", "unknown option '--fd'",
			help);
	check_complaint("vhost-bridge status --once", "unknown option '--once'",
			help);
	check_complaint("vhost-bridge status --print-capabilities",
			"unknown option '--print-capabilities'", help);
	check_complaint("vhost-bridge status --tap=t", "unknown option '--tap'",
			help);
	check_complaint("vhost-bridge status --js", "unknown option '--js'",
			help);
	check_complaint("vhost-bridge status --json=1",
			"option '--json' takes no value", help);
	check_complaint("vhost-bridge status --json --json",
			"option '--json' is given twice", help);
	check_complaint("vhost-bridge status blk", "unexpected argument 'blk'",
			help);
}

static void print_help(FILE *out)
{
	struct vhb_options options;

	parse_ok("vhost-bridge status --help", &options);
	vhb_options_print_help(&options, out);
}

static void test_help_says_what_there_is(void **state)
{
	char *help = print(print_help);

	(void)state;
	assert_non_null(strstr(help, "Usage: vhost-bridge status [--json]"));
	assert_non_null(strstr(help, "--monitor"));
	assert_non_null(strstr(help, "--verbose"));
	assert_null(strstr(help, "--socket-path"));
	assert_null(strstr(help, "--print-capabilities"));
	free(help);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_nothing_else_is_needed),
	cmocka_unit_test(test_every_option),
	cmocka_unit_test(test_help_and_version),
	cmocka_unit_test(test_unknown_options),
	cmocka_unit_test(test_help_says_what_there_is),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
