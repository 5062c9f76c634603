// SPDX-License-Identifier: GPL-2.0-or-later
/* What a broker says of itself comes back from JSON as it went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/broker.h"
#include "control/broker_print.h"
#include "control/directory.h"
#include "control/meter.h"
#include "lib/bits.h"

static struct vhb_broker broker, again;

static char *text_of(const struct vhb_broker *what)
{
	struct vhb_json json = { 0 };
	size_t size_bytes;
	char *text;

	json.out = open_memstream(&text, &size_bytes);
	assert_non_null(json.out);
	vhb_broker_write(&json, NULL, what);
	assert_int_equal(fclose(json.out), 0);
	return text;
}

static void fill(unsigned int vring_count)
{
	unsigned int i;

	memset(&broker, 0, sizeof(broker));
	strcpy(broker.version, "0.1.0");
	broker.pid = 401;
	strcpy(broker.type, "net");
	strcpy(broker.socket, "/run/a \"b\".sock");
	strcpy(broker.host, "tap0");
	broker.time_ns = 1000000000;
	broker.session.has_front_end = true;
	broker.session.pid = 402;
	broker.session.uid = 1000;
	strcpy(broker.session.command, "qemu-system-x86");
	broker.session.offered_mask = 0x140000001;
	broker.session.features_mask = UINT64_MAX;
	broker.session.offered_protocol_mask = 0xff;
	broker.session.protocol_features_mask = 0x100000009;
	broker.session.region_count = 2;
	broker.session.memory_bytes = 0x20000000;
	broker.session.vring_count = vring_count;
	for (i = 0; i < vring_count; i++) {
		struct vhb_report_vring *vring = &broker.session.vrings[i];

		vring->index = i;
		vring->num = 256;
		vring->base = 7;
		vring->is_started = true;
		vring->is_enabled = i % 2;
		vring->is_running = true;
		vring->has_indices = i % 3;
		vring->avail_index = vring->has_indices ? 65535 : 0;
		vring->used_index = vring->has_indices ? 65530 : 0;
		strcpy(vring->kick_kind, "eventfd");
		strcpy(vring->call_kind, "unix-socket");
	}
	broker.has_stats = true;
	broker.stats.received_packets = 1;
	broker.stats.received_bytes = 2;
	broker.stats.received_dropped = 3;
	broker.stats.sent_packets = 4;
	broker.stats.sent_bytes = UINT64_MAX;
	broker.stats.sent_dropped = 6;
}

static void test_comes_back_as_it_was(void **state)
{
	char *text;

	(void)state;
	fill(VHB_REPORT_VRINGS_MAX);
	text = text_of(&broker);
	/* The most there can be has room. */
	assert_true(strlen(text) < VHB_BROKER_TEXT_MAX / 2);
	assert_int_equal(vhb_broker_read(text, strlen(text), &again), 0);
	assert_memory_equal(&again, &broker, sizeof(broker));
	free(text);
}

static void test_without_a_front_end(void **state)
{
	char *text;

	(void)state;
	fill(0);
	memset(&broker.session, 0, sizeof(broker.session));
	broker.has_stats = false;
	memset(&broker.stats, 0, sizeof(broker.stats));
	text = text_of(&broker);
	assert_non_null(strstr(text, "\"front_end\":null,"));
	assert_non_null(strstr(text, "\"tap\":null}"));
	assert_int_equal(vhb_broker_read(text, strlen(text), &again), 0);
	assert_memory_equal(&again, &broker, sizeof(broker));
	free(text);
}

static void test_names_of_features_are_told(void **state)
{
	char *text;

	(void)state;
	fill(0);
	broker.session.features_mask = 0x100008000;
	text = text_of(&broker);
	assert_non_null(strstr(text, "\"feature_names\":[\"MRG_RXBUF\",\"VERSION_1\"]"));
	assert_non_null(strstr(text, "\"protocol_feature_names\":[\"MQ\",\"REPLY_ACK\",\"32\"]"));
	free(text);
}

static void test_what_makes_no_sense_is_left_out(void **state)
{
	static const char text[] =
		"{\"version\":\"9\",\"type\":\"new\",\"vrings\":["
		"{\"index\":1},{\"index\":1},7,{\"index\":160},"
		"{\"index\":99999999999},{\"index\":2,\"num\":8}],\"tap\":[]}";
	static const char * const none[] = {
		"", "[]", "null", "{}", "{\"version\":\"1\"}", "{\"version\":1,\"type\":2}",
	};
	unsigned int i;

	(void)state;
	assert_int_equal(vhb_broker_read(text, strlen(text), &again), 0);
	assert_int_equal(again.session.vring_count, 2);
	assert_int_equal(again.session.vrings[0].index, 1);
	assert_int_equal(again.session.vrings[1].index, 2);
	assert_int_equal(again.session.vrings[1].num, 8);
	assert_false(again.has_stats);
	for (i = 0; i < VHB_ARRAY_COUNT(none); i++)
		assert_int_equal(vhb_broker_read(none[i], strlen(none[i]),
						 &again), -EBADMSG);
}

static void test_rates_go_on_where_indices_wrap(void **state)
{
	static struct vhb_meter meter;

	(void)state;
	fill(2);
	memset(&meter, 0, sizeof(meter));
	vhb_meter_look(&meter, &broker, NULL);
	assert_int_equal(vhb_meter_vring_rate(&meter, 1), 0);
	broker.time_ns += 500000000;
	broker.session.vrings[1].used_index = 10;
	broker.stats.received_packets += 100;
	vhb_meter_look(&meter, &broker, NULL);
	assert_int_equal(vhb_meter_vring_rate(&meter, 1), 32);
	broker.time_ns += 500000000;
	broker.session.vrings[1].used_index = 60000;
	vhb_meter_look(&meter, &broker, NULL);
	assert_int_equal(vhb_meter_vring_rate(&meter, 1), 16 + 59990);
	assert_int_equal(vhb_meter_tap_rate(&meter, VHB_METER_RECEIVED_PACKETS),
			 100);
	/* Without indices nothing is known. */
	assert_int_equal(vhb_meter_vring_rate(&meter, 0), 0);
	vhb_meter_restart(&meter);
	broker.time_ns += 1000000000;
	vhb_meter_look(&meter, &broker, NULL);
	assert_int_equal(vhb_meter_vring_rate(&meter, 1), 0);
	/* A vring that was gone meanwhile begins anew. */
	broker.session.vring_count = 0;
	vhb_meter_look(&meter, &broker, NULL);
	broker.session.vring_count = 2;
	broker.session.vrings[1].used_index = 5;
	broker.time_ns += 1000000000;
	vhb_meter_look(&meter, &broker, NULL);
	assert_int_equal(vhb_meter_vring_rate(&meter, 1), 0);
}

static void test_what_the_module_counts_goes_before(void **state)
{
	struct vhb_vring_info vring = { .num = 256 };
	const struct vhb_device_info device = {
		.has_owner = true, .owner_pid = 401, .type = "net",
		.vrings = &vring, .vring_count = 1,
	};
	static struct vhb_meter meter;

	(void)state;
	fill(2);
	memset(&meter, 0, sizeof(meter));
	vring.status.index = 1;
	vring.status.chain_count = 1000;
	vhb_meter_look(&meter, &broker, &device);
	broker.time_ns += 1000000000;
	vring.status.chain_count += 70000;
	broker.session.vrings[1].used_index += 4464;
	vhb_meter_look(&meter, &broker, &device);
	assert_int_equal(vhb_meter_vring_rate(&meter, 1), 70000);
}

static void test_meters_go_with_their_brokers(void **state)
{
	struct vhb_broker_list list = { .brokers = &broker, .count = 1 };
	struct vhb_meters meters = { 0 };
	uint32_t pid;

	(void)state;
	fill(0);
	for (pid = 1; pid <= 1000; pid++)
		assert_non_null(vhb_meters_find(&meters, pid));
	vhb_meters_find(&meters, 401)->now_ns = 7;
	vhb_meters_keep(&meters, &list);
	assert_int_equal(meters.count, 1);
	assert_int_equal(meters.meters[0].pid, 401);
	assert_int_equal(vhb_meters_find(&meters, 401)->now_ns, 7);
	list.count = 0;
	vhb_meters_keep(&meters, &list);
	assert_int_equal(meters.count, 0);
	vhb_meters_free(&meters);
}

static void test_is_shown_in_words(void **state)
{
	char *text;
	size_t size_bytes;
	FILE *out = open_memstream(&text, &size_bytes);

	(void)state;
	assert_non_null(out);
	fill(2);
	broker.session.features_mask = 0x100008000;
	broker.session.protocol_features_mask = 9;
	vhb_broker_print(&broker, NULL, NULL, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text,
			    "bridge 401: net, tap0, socket /run/a \"b\".sock\n"
			    "  front-end: qemu-system-x86, pid 402, uid 1000\n"
			    "  memory: 512.0 MiB in 2 regions\n"
			    "  features: MRG_RXBUF, VERSION_1\n"
			    "  protocol features: MQ, REPLY_ACK\n"
			    "  from the guest: 1 packets, 2 B, 3 dropped\n"
			    "  to the guest: 4 packets, 16.0 EiB, 6 dropped\n"
			    "  VRING  STATE     ENTRIES   AVAIL    USED          RATE  KICK         CALL\n"
			    "      0  running       256       -       -             -  eventfd      unix-socket\n"
			    "      1  running       256   65535   65530             -  eventfd      unix-socket\n");
	free(text);
}

static void test_names_of_control_sockets(void **state)
{
	struct vhb_control_directories directories;
	char path[VHB_CONTROL_PATH_BYTES], longest[200];

	(void)state;
	assert_int_equal(vhb_control_pid("401.control"), 401);
	assert_int_equal(vhb_control_pid("net0.sock"), 0);
	assert_int_equal(vhb_control_pid("1.sock"), 0);
	assert_int_equal(vhb_control_pid(".control"), 0);
	assert_int_equal(vhb_control_pid("0.control"), 0);
	assert_int_equal(vhb_control_pid("-1.control"), 0);
	assert_int_equal(vhb_control_pid("1x.control"), 0);
	assert_int_equal(vhb_control_pid("1.control~"), 0);
	assert_int_equal(vhb_control_pid("99999999999999999999.control"), 0);
	assert_int_equal(vhb_control_path("/d", 7, path), 0);
	assert_string_equal(path, "/d/7.control");
	memset(longest, 'd', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(vhb_control_path(longest, 7, path), -ENAMETOOLONG);
	assert_int_equal(vhb_control_directories_find(longest, &directories),
			 -ENAMETOOLONG);
	assert_int_equal(vhb_control_directories_find("/d", &directories), 0);
	assert_int_equal(directories.count, 1);
	unsetenv("XDG_RUNTIME_DIR");
	assert_int_equal(vhb_control_directories_find(NULL, &directories), 0);
	assert_int_equal(directories.count, 1);
	assert_string_equal(directories.paths[0], "/run/vhost-bridge");
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	vhb_control_directories_find(NULL, &directories);
	assert_int_equal(directories.count, 1);
	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	vhb_control_directories_find(NULL, &directories);
	assert_int_equal(directories.count, 2);
	assert_string_equal(directories.paths[1], "/run/user/1/vhost-bridge");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_back_as_it_was),
		cmocka_unit_test(test_without_a_front_end),
		cmocka_unit_test(test_names_of_features_are_told),
		cmocka_unit_test(test_what_makes_no_sense_is_left_out),
		cmocka_unit_test(test_rates_go_on_where_indices_wrap),
		cmocka_unit_test(test_what_the_module_counts_goes_before),
		cmocka_unit_test(test_meters_go_with_their_brokers),
		cmocka_unit_test(test_is_shown_in_words),
		cmocka_unit_test(test_names_of_control_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
