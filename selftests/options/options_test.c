// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line: what is accepted, and what is said of what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capabilities.h"
#include "lib/bits.h"
#include "lib/command_line.h"

static void test_least_command_line(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --socket-path=/s --tap=tap0", &options);
	assert_int_equal(options.action, VHB_ACTION_RUN);
	assert_string_equal(options.type_name, "net");
	assert_string_equal(options.socket_path, "/s");
	assert_int_equal(options.socket_fd, -1);
	assert_false(options.once);
	assert_false(options.has_postcopy);
	assert_int_equal(options.verbosity, 0);
	assert_int_equal(options.queue_num_unit, VHB_QUEUE_NUM_QUEUES);
	assert_string_equal(options.net.tap_name, "tap0");
	assert_string_equal(options.net.vhost_path, "/dev/vhost-net");
	assert_int_equal(options.net.vhost_fd_count, 0);
	assert_int_equal(options.net.tap_fd_count, 0);
	assert_int_equal(options.net.queue_pairs, 1);
	assert_false(options.net.has_mac);
	assert_int_equal(options.net.mtu, 0);
	assert_null(options.net.bridge_name);
	assert_int_equal(options.net.poll_us, 0);
	assert_int_equal(options.net.workers, VHB_NET_WORKERS_PER_PAIR);
}

static void test_every_option(void **state)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 0xab, 0xCD, 0xef };
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --fd 7 --tap tap1 --queue-pairs=4 --mac=52:54:00:ab:CD:ef --mtu 9000 --bridge br0 --datapath=vhost-net --vhost-device /dev/x --poll-us 50 --workers=per-pair --queue-num-as pairs --log-reply=16 --trust-base --postcopy --once --verbose -v",
		 &options);
	assert_null(options.socket_path);
	assert_int_equal(options.socket_fd, 7);
	assert_true(options.once);
	assert_true(options.has_postcopy);
	assert_int_equal(options.verbosity, 2);
	assert_int_equal(options.queue_num_unit, VHB_QUEUE_NUM_PAIRS);
	assert_int_equal(options.log_reply_bytes, 16);
	assert_string_equal(options.net.tap_name, "tap1");
	assert_int_equal(options.net.queue_pairs, 4);
	assert_true(options.net.trust_base);
	assert_true(options.net.has_mac);
	assert_memory_equal(options.net.mac, mac, sizeof(mac));
	assert_int_equal(options.net.mtu, 9000);
	assert_string_equal(options.net.bridge_name, "br0");
	assert_int_equal(options.net.poll_us, 50);
	assert_int_equal(options.net.workers, VHB_NET_WORKERS_PER_PAIR);
	assert_string_equal(options.net.vhost_path, "/dev/x");
}

static void test_protocol_features(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --fd=3 --tap=t", &options);
	assert_int_equal(options.protocol_features_mask, 0);
	parse_ok("vhost-bridge net --fd=3 --tap=t --protocol-features=inband-notifications",
		 &options);
	assert_int_equal(options.protocol_features_mask, 1 << 14);
	parse_ok("vhost-bridge net --fd=3 --tap=t --protocol-features=gpa-addresses,inband-notifications",
		 &options);
	assert_int_equal(options.protocol_features_mask, 1 << 21 | 1 << 14);
}

static void test_control(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --fd=7 --tap=t", &options);
	assert_null(options.control_dir);
	assert_false(options.no_control);
	parse_ok("vhost-bridge blk --fd=7 --blk-file=f --control-dir=/d",
		 &options);
	assert_string_equal(options.control_dir, "/d");
	parse_ok("vhost-bridge net --fd=7 --tap=t --no-control", &options);
	assert_true(options.no_control);
	check_complaint("vhost-bridge net --fd=7 --tap=t --no-control --control-dir=/d",
			"--control-dir and --no-control exclude each other",
			"(see vhost-bridge net --help)");
	check_complaint("vhost-bridge net --fd=7 --tap=t --control-dir=",
			"--control-dir needs the path of a directory",
			"(see vhost-bridge net --help)");
}

static void test_trace(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --fd=7 --tap=t", &options);
	assert_false(options.has_trace);
	parse_ok("vhost-bridge net --fd=7 --tap=t --trace=protocol", &options);
	assert_true(options.has_trace);
	assert_null(options.trace_path);
	parse_ok("vhost-bridge blk --fd=7 --blk-file=f --trace=protocol,/tmp/a,b",
		 &options);
	assert_true(options.has_trace);
	assert_string_equal(options.trace_path, "/tmp/a,b");
	check_complaint("vhost-bridge net --fd=7 --tap=t --trace=packets",
			"--trace=packets is neither protocol nor protocol,FILE",
			"(see vhost-bridge net --help)");
	check_complaint("vhost-bridge net --fd=7 --tap=t --trace=protocols",
			"--trace=protocols is neither",
			"(see vhost-bridge net --help)");
	check_complaint("vhost-bridge net --fd=7 --tap=t --trace=protocol,",
			"needs the path of a file",
			"(see vhost-bridge net --help)");
	check_complaint("vhost-bridge status --trace=protocol",
			"unknown option '--trace'",
			"(see vhost-bridge status --help)");
}

static void test_ready_descriptors(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --fd=3 --tap-fd=4,5 --vhost-fd=6,7",
		 &options);
	assert_null(options.net.tap_name);
	assert_int_equal(options.net.tap_fd_count, 2);
	assert_int_equal(options.net.tap_fds[0], 4);
	assert_int_equal(options.net.tap_fds[1], 5);
	assert_int_equal(options.net.vhost_fd_count, 2);
	assert_int_equal(options.net.vhost_fds[0], 6);
	assert_int_equal(options.net.vhost_fds[1], 7);
	/* They tell the number of pairs. */
	assert_int_equal(options.net.queue_pairs, 2);
}

static void test_vhost_descriptors_tell_pairs(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --fd=3 --tap=t --vhost-fd=6,7,8", &options);
	assert_int_equal(options.net.queue_pairs, 3);
	parse_ok("vhost-bridge net --fd=3 --tap=t --vhost-fd=6,7,8,9 --workers=per-vring",
		 &options);
	assert_int_equal(options.net.queue_pairs, 2);
	assert_int_equal(options.net.workers, VHB_NET_WORKERS_PER_VRING);
}

static void test_most_descriptors(void **state)
{
	char line[OUTPUT_BYTES] = "vhost-bridge net --socket-path=/s --tap-fd=10";
	struct vhb_options options;
	unsigned int i;

	(void)state;
	for (i = 1; i < VHB_NET_QUEUE_PAIRS_MAX; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line),
			 ",%u", 10 + i);
	parse_ok(line, &options);
	assert_int_equal(options.net.queue_pairs, VHB_NET_QUEUE_PAIRS_MAX);

	strcat(line, ",1000");
	assert_int_equal(parse(line, &options), -EINVAL);
	assert_non_null(strstr(said, "--tap-fd takes at most 64 descriptors"));
}

static void test_type_in_program_name(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("/usr/bin/vhost-bridge-net --socket-path=/s --tap=t",
		 &options);
	assert_string_equal(options.type_name, "net");
	assert_string_equal(options.socket_path, "/s");
}

static void test_help(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge --help", &options);
	assert_int_equal(options.action, VHB_ACTION_HELP);
	assert_null(options.type_name);
	parse_ok("vhost-bridge -h", &options);
	assert_int_equal(options.action, VHB_ACTION_HELP);
	parse_ok("vhost-bridge net --help", &options);
	assert_int_equal(options.action, VHB_ACTION_HELP);
	assert_string_equal(options.type_name, "net");
	parse_ok("vhost-bridge-net --once -h", &options);
	assert_int_equal(options.action, VHB_ACTION_HELP);
}

static void test_version(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge --version", &options);
	assert_int_equal(options.action, VHB_ACTION_VERSION);
	parse_ok("vhost-bridge net --version", &options);
	assert_int_equal(options.action, VHB_ACTION_VERSION);
	parse_ok("vhost-bridge-net --version", &options);
	assert_int_equal(options.action, VHB_ACTION_VERSION);
}

static void test_capabilities_ignore_the_rest(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --print-capabilities", &options);
	assert_int_equal(options.action, VHB_ACTION_CAPABILITIES);
	parse_ok("vhost-bridge-net --nonsense --mtu=x extra --print-capabilities",
		 &options);
	assert_int_equal(options.action, VHB_ACTION_CAPABILITIES);
	assert_string_equal(options.type_name, "net");
}

static void print_net_capabilities(FILE *out)
{
	assert_int_equal(vhb_capabilities_print("net", out), 0);
}

static void print_net_help(FILE *out)
{
	const struct vhb_options options = { .type_name = "net" };

	vhb_options_print_help(&options, out);
}

static void print_blk_capabilities(FILE *out)
{
	assert_int_equal(vhb_capabilities_print("blk", out), 0);
}

static void print_blk_help(FILE *out)
{
	const struct vhb_options options = { .type_name = "blk" };

	vhb_options_print_help(&options, out);
}

static void print_general_help(FILE *out)
{
	const struct vhb_options options = { 0 };

	vhb_options_print_help(&options, out);
}

static void test_capabilities_are_json(void **state)
{
	static const char start[] = "{\n  \"type\": \"net\",\n  \"features\": [\n    \"";
	static const char end[] = "\"\n  ]\n}\n";
	char *text = print(print_net_capabilities);

	(void)state;
	assert_true(strlen(text) > strlen(start) + strlen(end));
	assert_memory_equal(text, start, strlen(start));
	assert_string_equal(text + strlen(text) - strlen(end), end);
	free(text);
}

/* Nobody needs to be told that a back-end has these. */
static bool is_convention(const char *name)
{
	static const char * const names[] = {
		"socket-path", "fd", "print-capabilities", "verbose", "version",
		"help",
	};
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static void expect_capabilities_of(void (*print_capabilities)(FILE *out),
				   void (*print_help)(FILE *out))
{
	char *text = print(print_capabilities), *help = print(print_help);
	unsigned int quote_count = 0, count = 0;
	char *line, *rest = help, *at;
	char name[40], quoted[48];

	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, "  --%39[a-z0-9-]", name) != 1)
			continue;
		snprintf(quoted, sizeof(quoted), "\n    \"%s\"", name);
		if (!!strstr(text, quoted) == is_convention(name))
			fail_msg("--%s", name);
		count += !is_convention(name);
	}
	/* Nothing else: each name, and "type", its value and "features" */
	for (at = text; (at = strchr(at, '"')); at++)
		quote_count++;
	assert_int_equal(quote_count, 2 * (count + 3));
	assert_true(count > 10);
	free(help);
	free(text);
}

static void test_capabilities_are_options(void **state)
{
	(void)state;
	expect_capabilities_of(print_net_capabilities, print_net_help);
	expect_capabilities_of(print_blk_capabilities, print_blk_help);
}

static void test_capabilities_of_unknown_type(void **state)
{
	(void)state;
	assert_int_equal(vhb_capabilities_print("vsock", stdout), -EINVAL);
}

static void test_capabilities_tell_write_errors(void **state)
{
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	assert_int_equal(vhb_capabilities_print("net", full), -EIO);
	fclose(full);
}

static void test_help_of_all(void **state)
{
	char *text = print(print_general_help);

	(void)state;
	assert_non_null(strstr(text, "vhost-bridge TYPE"));
	free(text);
}

static void test_connect(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --socket-path=/s --connect --tap=t",
		 &options);
	assert_true(options.is_client);
	parse_ok("vhost-bridge net --socket-path=/s --tap=t", &options);
	assert_false(options.is_client);
}

static void test_length_of_the_reply_to_set_log_base(void **state)
{
	struct vhb_options options;

	(void)state;
	parse_ok("vhost-bridge net --fd=5 --tap=t", &options);
	assert_int_equal(options.log_reply_bytes, 0);
	parse_ok("vhost-bridge net --fd=5 --tap=t --log-reply=auto", &options);
	assert_int_equal(options.log_reply_bytes, 0);
	parse_ok("vhost-bridge blk --fd=5 --blk-file=f --log-reply 8", &options);
	assert_int_equal(options.log_reply_bytes, 8);
}

static void test_second_command_line(void **state)
{
	struct vhb_options options;

	(void)state;
	/* getopt's state must not leak from one to the next. */
	parse_ok("vhost-bridge net -vv --fd=5 --tap=t", &options);
	parse_ok("vhost-bridge net --tap=u --socket-path=/s", &options);
	assert_int_equal(options.verbosity, 0);
	assert_int_equal(options.socket_fd, -1);
	assert_string_equal(options.net.tap_name, "u");
}

/* What stands behind "vhost-bridge net", and what must be said of it */
struct bad_line {
	const char *line;
	const char *complaint;
};

#define GOOD " --socket-path=/s --tap=tap0"

static const struct bad_line bad_lines[] = {
	{ "--x" GOOD, "unknown option '--x'" },
	{ "--x=3" GOOD, "unknown option '--x'" },
	{ "-x" GOOD, "unknown option '-x'" },
	{ "--ta=t --socket-path=/s", "unknown option '--ta'" },
	{ "--socket /s --tap=t", "unknown option '--socket'" },
	{ "extra" GOOD, "unexpected argument 'extra'" },
	{ GOOD " extra", "unexpected argument 'extra'" },
	{ GOOD " -- extra", "unexpected argument 'extra'" },
	{ GOOD " --mtu", "option '--mtu' needs a value, --mtu=BYTES" },
	{ GOOD " --once=1", "option '--once' takes no value" },
	{ GOOD " --protocol-features=",
	  "--protocol-features= is no list of inband-notifications" },
	{ GOOD " --protocol-features=mq", "--protocol-features=mq is no list" },
	{ GOOD " --protocol-features=inband-notifications,",
	  "inband-notifications, is no list" },
	{ GOOD " --protocol-features=inband-notification",
	  "inband-notification is no list" },
	{ GOOD " --protocol-features=inband-notifications,inband-notifications",
	  "names one twice" },
	{ GOOD " --tap=tap1", "option '--tap' is given twice" },
	{ GOOD " --log-reply=12", "--log-reply=12 is neither auto nor 8 nor 16" },
	{ GOOD " --log-reply=", "--log-reply= is neither auto nor 8 nor 16" },
	{ "--tap=tap0", "--socket-path=PATH or --fd=N is missing, such as" },
	{ "--fd=3" GOOD, "--socket-path and --fd exclude each other" },
	{ "--fd=3 --connect --tap=t", "--connect goes with --socket-path" },
	{ "--connect --tap=t", "--socket-path=PATH or --fd=N is missing" },
	{ "--connect=/s --tap=t", "option '--connect' takes no value" },
	{ "--socket-path= --tap=t", "--socket-path needs the path" },
	{ "--fd= --tap=t", "--fd= is no descriptor number" },
	{ "--fd=-1 --tap=t", "--fd=-1 is no descriptor number" },
	{ "--fd=+3 --tap=t", "--fd=+3 is no descriptor number" },
	{ "--fd=3x --tap=t", "--fd=3x is no descriptor number" },
	{ "--fd=0x3 --tap=t", "--fd=0x3 is no descriptor number" },
	{ "--fd=2147483648 --tap=t", "--fd=2147483648 is no descriptor" },
	{ "--fd=99999999999999999999 --tap=t", "is no descriptor number" },
	{ "--fd=3", "--tap=NAME or --tap-fd=N[,N] is missing, such as" },
	{ "--fd=3 --tap=t --tap-fd=4", "--tap and --tap-fd exclude" },
	{ "--fd=3 --tap=", "--tap= is no interface name" },
	{ "--fd=3 --tap=a/b", "--tap=a/b is no interface name" },
	{ "--fd=3 --tap=..", "--tap=.. is no interface name" },
	{ "--fd=3 --tap=tap%d", "--tap=tap%d is no interface name" },
	{ "--fd=3 --tap=sixteen-letters0", "is no interface name" },
	{ "--bridge=br:0" GOOD, "--bridge=br:0 is no interface name" },
	{ "--fd=3 --tap-fd=", "--tap-fd= is no list of descriptor numbers" },
	{ "--fd=3 --tap-fd=4,", "--tap-fd=4, is no list" },
	{ "--fd=3 --tap-fd=,4", "--tap-fd=,4 is no list" },
	{ "--fd=3 --tap-fd=4;5", "--tap-fd=4;5 is no list" },
	{ "--fd=3 --tap-fd=000000000004", "is no list" },
	{ "--fd=3 --tap-fd=4,4", "--tap-fd=4,4 names a descriptor twice" },
	{ "--fd=3 --tap-fd=3", "--fd and --tap-fd both name descriptor 3" },
	{ "--fd=3 --tap=t --vhost-fd=3", "--fd and --vhost-fd both name" },
	{ "--fd=3 --tap-fd=4 --vhost-fd=4", "--tap-fd and --vhost-fd both" },
	{ "--fd=3 --tap-fd=4 --queue-pairs=2", "1 descriptors for 2 queue" },
	{ "--fd=3 --tap-fd=4,5 --vhost-fd=6", "--vhost-fd has 1 descriptors" },
	{ "--vhost-fd=4 --vhost-device=/x" GOOD, "exclude each other" },
	{ "--fd=3 --tap=t --workers=per-vring --vhost-fd=6,7,8",
	  "--vhost-fd has 3 descriptors for 1 queue pairs, 2 are needed" },
	{ "--workers=some" GOOD, "--workers=some is neither per-pair nor" },
	{ "--poll-us=1 --workers=per-vring" GOOD,
	  "--poll-us and --workers=per-vring exclude" },
	{ "--poll-us=-1" GOOD, "--poll-us=-1 is not a number from 0 to" },
	{ "--poll-us=1000001" GOOD, "--poll-us=1000001 is not a number" },
	{ "--vhost-device=" GOOD, "--vhost-device needs a path" },
	{ "--queue-pairs=0" GOOD, "--queue-pairs=0 is not a number from 1" },
	{ "--queue-pairs=65" GOOD, "--queue-pairs=65 is not a number from 1" },
	{ "--queue-pairs=two" GOOD, "--queue-pairs=two is not a number" },
	{ "--mtu=67" GOOD, "--mtu=67 is not a number from 68 to 65535" },
	{ "--mtu=65536" GOOD, "--mtu=65536 is not a number from 68" },
	{ "--mtu=1500b" GOOD, "--mtu=1500b is not a number from 68" },
	{ "--mac=52:54:00:12:34" GOOD, "is no Ethernet address" },
	{ "--mac=52:54:00:12:34:56:78" GOOD, "is no Ethernet address" },
	{ "--mac=52:54:00:12:34:5" GOOD, "is no Ethernet address" },
	{ "--mac=52:54:00:12:34:5g" GOOD, "is no Ethernet address" },
	{ "--mac=52-54-00-12-34-56" GOOD, "is no Ethernet address" },
	{ "--mac=" GOOD, "--mac= is no Ethernet address" },
	{ "--mac=01:00:5e:00:00:01" GOOD, "is no station's address" },
	{ "--mac=00:00:00:00:00:00" GOOD, "is no station's address" },
	{ "--datapath=module" GOOD, "--datapath=module is not in this version" },
	{ "--datapath=dpdk" GOOD, "--datapath=dpdk is not vhost-net" },
	{ "--queue-num-as=both" GOOD, "--queue-num-as=both is neither" },
};

static void test_bad_line(void **state)
{
	const struct bad_line *bad = *state;
	char line[OUTPUT_BYTES];

	snprintf(line, sizeof(line), "vhost-bridge net %s", bad->line);
	check_complaint(line, bad->complaint, "(see vhost-bridge net --help)");
}

static void test_no_type(void **state)
{
	static const char help[] = "(see vhost-bridge --help)";

	(void)state;
	check_complaint("vhost-bridge", "no device type", help);
	check_complaint("vhost-bridge --tap=t", "the device type comes first",
			help);
}

static void test_other_types(void **state)
{
	static const char * const types[] = {
		"vsock", "scsi", "vdpa",
	};
	static const char help[] = "(see vhost-bridge --help)";
	char complaint[64];
	char line[64];
	unsigned int i;

	(void)state;
	for (i = 0; i < VHB_ARRAY_COUNT(types); i++) {
		snprintf(complaint, sizeof(complaint),
			 "'%s' is not in this version", types[i]);
		snprintf(line, sizeof(line), "vhost-bridge %s", types[i]);
		check_complaint(line, complaint, help);
		snprintf(line, sizeof(line), "vhost-bridge-%s --help",
			 types[i]);
		check_complaint(line, complaint, help);
	}
	check_complaint("vhost-bridge tun", "unknown device type 'tun'", help);
	check_complaint("vhost-bridge-tun", "unknown device type 'tun'", help);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_least_command_line),
	cmocka_unit_test(test_every_option),
	cmocka_unit_test(test_protocol_features),
	cmocka_unit_test(test_control),
	cmocka_unit_test(test_trace),
	cmocka_unit_test(test_ready_descriptors),
	cmocka_unit_test(test_vhost_descriptors_tell_pairs),
	cmocka_unit_test(test_most_descriptors),
	cmocka_unit_test(test_type_in_program_name),
	cmocka_unit_test(test_help),
	cmocka_unit_test(test_version),
	cmocka_unit_test(test_capabilities_ignore_the_rest),
	cmocka_unit_test(test_capabilities_are_json),
	cmocka_unit_test(test_capabilities_are_options),
	cmocka_unit_test(test_capabilities_of_unknown_type),
	cmocka_unit_test(test_capabilities_tell_write_errors),
	cmocka_unit_test(test_help_of_all),
	cmocka_unit_test(test_connect),
	cmocka_unit_test(test_length_of_the_reply_to_set_log_base),
	cmocka_unit_test(test_second_command_line),
	cmocka_unit_test(test_no_type),
	cmocka_unit_test(test_other_types),
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
	failed = cmocka_run_group_tests_name("command line", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("usage errors", bad, NULL, NULL);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
