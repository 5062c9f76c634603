// SPDX-License-Identifier: GPL-2.0-or-later
/* How devices, vrings and events are shown, with made-up ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/names.h"
#include "control/status.h"
#include "lib/bits.h"

static char *shown;

static FILE *begin(void)
{
	static size_t size;
	FILE *out;

	free(shown);
	out = open_memstream(&shown, &size);
	assert_non_null(out);
	return out;
}

static int forget(void **state)
{
	(void)state;
	free(shown);
	shown = NULL;
	return 0;
}

static int set_zone(void **state)
{
	(void)state;
	return setenv("TZ", "UTC", 1);
}

static void show(const struct vhb_device_list *list)
{
	FILE *out = begin();

	vhb_status_print(list, out);
	fclose(out);
}

static const struct vhb_broker_list no_brokers;

static void show_json(const struct vhb_device_list *list)
{
	FILE *out = begin();

	vhb_status_print_json(&no_brokers, list, out);
	fclose(out);
}

static void assert_shows(const char *text)
{
	if (!strstr(shown, text))
		fail_msg("\"%s\" is not in:\n%s", text, shown);
}

static struct vhb_vring_info busy_vring(void)
{
	return (struct vhb_vring_info){
		.num = 128,
		.status = {
			.index = 0,
			.state = VHOST_BRIDGE_VRING_RUNNING,
			.in_flight_count = 7,
			.chain_count = 40000,
			.read_bytes = 163840000,
			.written_bytes = 1024,
			.error_count = 3,
			.kick_count = 39000,
			.call_count = 20000,
			.call_suppressed_count = 11,
			.drain_count = 2,
		},
	};
}

static struct vhb_device_info blk_device(struct vhb_vring_info *vrings,
					 unsigned int count)
{
	return (struct vhb_device_info){
		.id = 12,
		.type = "blk",
		.has_owner = true,
		.owner_pid = 1234,
		.features = UINT64_C(0x100000000),
		.vring_count_max = 16,
		.vrings = vrings,
		.vring_count = count,
	};
}

static void test_no_device(void **state)
{
	const struct vhb_device_list list = { 0 };

	(void)state;
	show(&list);
	assert_string_equal(shown, "no device of module vhost_bridge is open\n");
	show_json(&list);
	assert_string_equal(shown, "{\"bridges\":[],\"devices\":[]}\n");
	/* Not known is not none. */
	show_json(NULL);
	assert_string_equal(shown, "{\"bridges\":[],\"devices\":null}\n");
}

static void test_busy_device(void **state)
{
	struct vhb_vring_info vrings[3] = { busy_vring() };
	struct vhb_device_info device = blk_device(vrings, 3);
	const struct vhb_device_list list = { &device, 1 };

	(void)state;
	vrings[1].status.index = 1;
	vrings[2].status.index = 2;
	vrings[2].num = 4;
	vrings[2].status.state = VHOST_BRIDGE_VRING_BROKEN;
	vrings[2].status.fault = VHOST_BRIDGE_FAULT_INDIRECT;
	show(&list);
	/* Vring 1 was never used. */
	assert_string_equal(shown,
			    "device 12: blk, owner 1234, features 0x100000000, 2 of 16 vrings used\n"
			    "  VRING  STATE              ENTRIES  IN-FLIGHT  CHAINS       READ  WRITTEN  ERRORS  KICKS  CALLS  SUPPRESSED  STOPS\n"
			    "      0  running                128          7   40000  156.2 MiB  1.0 KiB       3  39000  20000          11      2\n"
			    "      2  broken (indirect)        4          0       0        0 B      0 B       0      0      0           0      0\n");
}

static void test_busy_device_json(void **state)
{
	struct vhb_vring_info vrings[3] = { busy_vring() };
	struct vhb_device_info device = blk_device(vrings, 3);
	const struct vhb_device_list list = { &device, 1 };

	(void)state;
	vrings[1].status.index = 1;
	vrings[2].status.index = 2;
	vrings[2].status.state = VHOST_BRIDGE_VRING_BROKEN;
	vrings[2].status.fault = VHOST_BRIDGE_FAULT_HEAD;
	vrings[2].status.chain_count = UINT64_MAX;
	show_json(&list);
	assert_string_equal(shown,
			    "{\"bridges\":[],\"devices\":[{\"id\":12,\"type\":\"blk\",\"owner_pid\":1234,\"features\":\"0x100000000\",\"vring_count_max\":16,\"vrings\":["
			    "{\"index\":0,\"state\":\"running\",\"fault\":null,\"num\":128,\"in_flight_count\":7,\"chain_count\":40000,\"read_bytes\":163840000,\"written_bytes\":1024,\"error_count\":3,\"kick_count\":39000,\"call_count\":20000,\"call_suppressed_count\":11,\"drain_count\":2},"
			    "{\"index\":2,\"state\":\"broken\",\"fault\":\"head\",\"num\":0,\"in_flight_count\":0,\"chain_count\":18446744073709551615,\"read_bytes\":0,\"written_bytes\":0,\"error_count\":0,\"kick_count\":0,\"call_count\":0,\"call_suppressed_count\":0,\"drain_count\":0}"
			    "]}]}\n");
}

static void test_unused_device(void **state)
{
	struct vhb_vring_info vring = { 0 };
	struct vhb_device_info devices[2] = {
		blk_device(&vring, 1), blk_device(NULL, 0),
	};
	const struct vhb_device_list list = { devices, 2 };

	(void)state;
	devices[0].has_owner = false;
	devices[0].owner_pid = 0;
	devices[1].id = 13;
	devices[1].owner_pid = 0;
	show(&list);
	assert_string_equal(shown,
			    "device 12: blk, no owner, features 0x100000000, 0 of 16 vrings used\n"
			    "device 13: blk, owner in another PID namespace, features 0x100000000, 0 of 16 vrings used\n");
	show_json(&list);
	assert_shows("\"id\":12,\"type\":\"blk\",\"owner_pid\":null,");
	assert_shows("\"vrings\":[]},{\"id\":13,\"type\":\"blk\",\"owner_pid\":0,");
	assert_shows("\"vrings\":[]}]}");
}

/* One that is stopped is shown as long as it tells something. */
static void test_stopped_vrings(void **state)
{
	struct vhb_vring_info vrings[2] = { 0 };
	struct vhb_device_info device = blk_device(vrings, 2);
	const struct vhb_device_list list = { &device, 1 };

	(void)state;
	vrings[0].num = 256;
	vrings[1].status.index = 1;
	vrings[1].status.drain_count = 1;
	vrings[1].status.fault = VHOST_BRIDGE_FAULT_LOOP;
	show(&list);
	assert_shows("2 of 16 vrings used");
	assert_shows("\n      0  stopped             256 ");
	assert_shows("\n      1  stopped (loop)        0 ");
}

static void test_units(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, " 0 B " },
		{ 1023, " 1023 B " },
		{ 1024, " 1.0 KiB " },
		{ 1048524, " 1023.9 KiB " },
		{ 1048525, " 1.0 MiB " },
		{ UINT64_C(5) << 30, " 5.0 GiB " },
		{ UINT64_C(3) << 40, " 3.0 TiB " },
		{ UINT64_C(9) << 49, " 4.5 PiB " },
		{ UINT64_MAX, " 16.0 EiB " },
	};
	struct vhb_vring_info vring = busy_vring();
	struct vhb_device_info device = blk_device(&vring, 1);
	const struct vhb_device_list list = { &device, 1 };
	unsigned int i;

	(void)state;
	for (i = 0; i < VHB_ARRAY_COUNT(rows); i++) {
		vring.status.read_bytes = rows[i].bytes;
		show(&list);
		assert_shows(rows[i].text);
	}
}

/* What a newer module may have; and no number reads behind a table. */
static void test_names(void **state)
{
	static const uint32_t numbers[] = {
		4, VHOST_BRIDGE_FAULT_ACCESS + 1, 1000, UINT32_MAX,
	};
	unsigned int i;

	(void)state;
	assert_string_equal(vhb_vring_state_name(VHOST_BRIDGE_VRING_DRAINING),
			    "draining");
	for (i = VHOST_BRIDGE_VRING_STOPPED; i <= VHOST_BRIDGE_VRING_BROKEN; i++)
		assert_string_not_equal(vhb_vring_state_name(i), "unknown");
	assert_null(vhb_fault_name(VHOST_BRIDGE_FAULT_NONE));
	for (i = VHOST_BRIDGE_FAULT_MEMORY; i <= VHOST_BRIDGE_FAULT_ACCESS; i++)
		assert_string_not_equal(vhb_fault_name(i), "unknown");
	for (i = 0; i < VHB_ARRAY_COUNT(numbers); i++)
		assert_string_equal(vhb_vring_state_name(numbers[i]), "unknown");
	for (i = 1; i < VHB_ARRAY_COUNT(numbers); i++)
		assert_string_equal(vhb_fault_name(numbers[i]), "unknown");
}

static const struct timespec when = { 1764001234, 56999999 };

static void show_event(const struct vhb_vring_event *event)
{
	FILE *out = begin();

	vhb_status_print_event(event, &when, out);
	vhb_status_print_event_json(event, &when, out);
	fclose(out);
}

static void test_events(void **state)
{
	struct vhb_vring_event event = {
		.device_id = 3,
		.type = "blk",
		.index = 1,
		.state = VHOST_BRIDGE_VRING_RUNNING,
	};

	(void)state;
	show_event(&event);
	assert_string_equal(shown,
			    "2025-11-24 16:20:34.056 device 3 (blk) vring 1: running\n"
			    "{\"time_ms\":1764001234056,\"device\":3,\"type\":\"blk\",\"vring\":1,\"state\":\"running\",\"fault\":null}\n");
	event.state = VHOST_BRIDGE_VRING_BROKEN;
	event.fault = VHOST_BRIDGE_FAULT_AVAIL;
	show_event(&event);
	assert_shows("vring 1: broken (avail)\n");
	assert_shows("\"state\":\"broken\",\"fault\":\"avail\"}\n");
}

static void test_lost_events(void **state)
{
	(void)state;
	show_event(NULL);
	assert_string_equal(shown,
			    "2025-11-24 16:20:34.056 events were lost\n"
			    "{\"time_ms\":1764001234056,\"lost\":true}\n");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_teardown(test_no_device, forget),
	cmocka_unit_test_teardown(test_busy_device, forget),
	cmocka_unit_test_teardown(test_busy_device_json, forget),
	cmocka_unit_test_teardown(test_unused_device, forget),
	cmocka_unit_test_teardown(test_stopped_vrings, forget),
	cmocka_unit_test_teardown(test_units, forget),
	cmocka_unit_test(test_names),
	cmocka_unit_test_teardown(test_events, forget),
	cmocka_unit_test_teardown(test_lost_events, forget),
};

int main(void)
{
	return cmocka_run_group_tests(tests, set_zone, NULL);
}
