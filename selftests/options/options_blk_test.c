// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of block devices */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capabilities.h"
#include "lib/bits.h"
#include "lib/command_line.h"

static void test_least_command_line(void **state)
{
	static const uint8_t no_serial[VHB_BLK_SERIAL_BYTES];
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge blk --socket-path=/s --blk-file=/d", &options);
	assert_int_equal(options.action, VHB_ACTION_RUN);
	assert_string_equal(options.type_name, "blk");
	assert_string_equal(options.socket_path, "/s");
	assert_int_equal(options.queue_num_unit, VHB_QUEUE_NUM_QUEUES);
	assert_string_equal(options.blk.file_path, "/d");
	assert_string_equal(options.blk.vhost_path, "/dev/vhost-bridge-blk");
	assert_int_equal(options.blk.vhost_fd, -1);
	assert_false(options.blk.is_read_only);
	assert_false(options.blk.is_shared);
	assert_int_equal(options.blk.queue_count, 1);
	assert_int_equal(options.blk.poll_us, 0);
	assert_memory_equal(options.blk.serial, no_serial, sizeof(no_serial));
}

static void test_every_option(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge blk --fd 7 --blk-file /d --read-only --share-rw --num-queues=8 --serial abc --poll-us 50 --vhost-device=/dev/x --once -vv",
		 &options);
	assert_int_equal(options.socket_fd, 7);
	assert_true(options.once);
	assert_int_equal(options.verbosity, 2);
	assert_true(options.blk.is_read_only);
	assert_true(options.blk.is_shared);
	assert_int_equal(options.blk.queue_count, 8);
	assert_memory_equal(options.blk.serial, "abc\0\0", 5);
	assert_int_equal(options.blk.poll_us, 50);
	assert_string_equal(options.blk.vhost_path, "/dev/x");
	assert_int_equal(options.blk.vhost_fd, -1);
}

static void test_limits(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge blk --fd=3 --blk-file=d --num-queues=64 --poll-us=1000000 --serial=12345678901234567890 --vhost-fd=0",
		 &options);
	assert_int_equal(options.blk.queue_count, VHB_BLK_QUEUES_MAX);
	assert_int_equal(options.blk.poll_us, VHB_BLK_POLL_US_MAX);
	/* All of it, without a zero behind */
	assert_memory_equal(options.blk.serial, "12345678901234567890", 20);
	assert_int_equal(options.blk.vhost_fd, 0);
	assert_null(options.blk.vhost_path);
}

static void test_type_in_program_name(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("/usr/bin/vhost-bridge-blk --socket-path=/s --blk-file=/d",
		 &options);
	assert_string_equal(options.type_name, "blk");
	parse_ok("vhost-bridge-blk --help", &options);
	assert_int_equal(options.action, VHB_ACTION_HELP);
	assert_string_equal(options.type_name, "blk");
	parse_ok("vhost-bridge-blk --nonsense --print-capabilities", &options);
	assert_int_equal(options.action, VHB_ACTION_CAPABILITIES);
}

static void print_capabilities(FILE *out)
{
	assert_int_equal(vhb_capabilities_print("blk", out), 0);
}

static void print_general_help(FILE *out)
{
	const struct vhb_options options = { 0 };

	vhb_options_print_help(&options, out);
}

/* The specification: its type and the two features it has for it */
static void test_capabilities_are_the_specifications(void **state)
{
	static const char start[] =
		"{\n"
		"  \"type\": \"block\",\n"
		"  \"features\": [\n";
	char *text = print(print_capabilities);

	(void)state;
	assert_int_equal(strncmp(text, start, strlen(start)), 0);
	assert_non_null(strstr(text, "    \"blk-file\",\n"));
	assert_non_null(strstr(text, "    \"read-only\",\n"));
	free(text);
}

static void test_help_of_all(void **state)
{
	char *text = print(print_general_help);

	(void)state;
	assert_non_null(strstr(text, "\n  net   "));
	assert_non_null(strstr(text, "\n  blk   "));
	free(text);
}

/* The types do not get into each other's way. */
static void test_another_type_before(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --socket-path=/s --tap=t --vhost-fd=4",
		 &options);
	parse_ok("vhost-bridge blk --socket-path=/s --blk-file=/d", &options);
	assert_int_equal(options.blk.vhost_fd, -1);
	assert_int_equal(options.net.vhost_fd_count, 0);
}

/* What stands behind "vhost-bridge blk", and what must be said of it */
struct bad_line {
	const char *line;
	const char *complaint;
};

#define GOOD " --socket-path=/s --blk-file=/d"

static const struct bad_line bad_lines[] = {
	{ "--tap=t" GOOD, "unknown option '--tap'" },
	{ "--blk /d --socket-path=/s", "unknown option '--blk'" },
	{ "--blk-file=/d", "--socket-path=/run/vhost-bridge/blk0.sock" },
	{ "--socket-path=/s", "--blk-file=PATH is missing, such as" },
	{ "--socket-path=/s --blk-file=", "--blk-file needs the path" },
	{ "--socket-path=/s --blk-file", "--blk-file=PATH" },
	{ GOOD " --blk-file=/e", "option '--blk-file' is given twice" },
	{ GOOD " --read-only=yes", "'--read-only' takes no value" },
	{ GOOD " --share-rw=on", "'--share-rw' takes no value" },
	{ GOOD " --num-queues=0", "--num-queues=0 is not a number from 1 to 64" },
	{ GOOD " --num-queues=65", "--num-queues=65 is not a number from 1" },
	{ GOOD " --num-queues=-1", "--num-queues=-1 is not a number" },
	{ GOOD " --num-queues=2q", "--num-queues=2q is not a number" },
	{ GOOD " --serial=", "--serial= is not of visible ASCII" },
	{ GOOD " --serial=a/b", "--serial=a/b is not of visible ASCII" },
	{ GOOD " --serial=tab\there", "is not of visible ASCII" },
	{ GOOD " --serial=\303\274ber", "is not of visible ASCII" },
	{ GOOD " --serial=123456789012345678901", "has 21 characters, 20 are" },
	{ GOOD " --poll-us=-1", "--poll-us=-1 is not a number from 0 to" },
	{ GOOD " --poll-us=1000001", "--poll-us=1000001 is not a number" },
	{ GOOD " --poll-us=50us", "--poll-us=50us is not a number" },
	{ GOOD " --vhost-device=", "--vhost-device needs a path" },
	{ GOOD " --vhost-fd=3,4", "--vhost-fd=3,4 is no descriptor number" },
	{ GOOD " --vhost-fd=", "--vhost-fd= is no descriptor number" },
	{ GOOD " --vhost-fd=2147483648", "is no descriptor number" },
	{ GOOD " --vhost-fd=3 --vhost-device=/x", "exclude each other" },
	{ "--fd=3 --vhost-fd=3 --blk-file=/d", "both name descriptor 3" },
	{ GOOD " extra", "unexpected argument 'extra'" },
};

static void test_bad_line(void **state)
{
	const struct bad_line *bad = *state;
	char line[OUTPUT_BYTES];

	snprintf(line, sizeof(line), "vhost-bridge blk %s", bad->line);
	check_complaint(line, bad->complaint, "(see vhost-bridge blk --help)");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_least_command_line),
	cmocka_unit_test(test_every_option),
	cmocka_unit_test(test_limits),
	cmocka_unit_test(test_type_in_program_name),
	cmocka_unit_test(test_capabilities_are_the_specifications),
	cmocka_unit_test(test_help_of_all),
	cmocka_unit_test(test_another_type_before),
};

int main(void)
{
	struct CMUnitTest bad[VHB_ARRAY_COUNT(bad_lines)] = { 0 };
	unsigned int i;
	int failed;

	for (i = 0; i < VHB_ARRAY_COUNT(bad_lines); i++) {
		bad[i].name = bad_lines[i].line;
		bad[i].test_func = test_bad_line;
		bad[i].initial_state = (void *)&bad_lines[i];
	}
	failed = cmocka_run_group_tests_name("blk's command line", tests, NULL,
					     NULL);
	failed += cmocka_run_group_tests_name("blk's usage errors", bad, NULL,
					      NULL);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
