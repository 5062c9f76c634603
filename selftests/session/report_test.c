// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of a session, and that telling it does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_ring.h>
#include <sys/mman.h>

#include "lib/session_fixture.h"

static struct vhb_report report;

static uint16_t *index_in_memory(struct session_fixture *fixture, uint64_t uva)
{
	return (uint16_t *)(fixture->memory.base + (uva - FIXTURE_UVA) + 2);
}

static void without_a_front_end_nothing_is_told(void **state)
{
	static const struct vhb_report nothing;
	struct session_fixture *fixture = *state;

	memset(&report, 0xff, sizeof(report));
	fixture_report(fixture, &report);
	assert_memory_equal(&report, &nothing, sizeof(nothing));
}

static void a_front_end_that_said_nothing_yet(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_report(fixture, &report);
	assert_true(report.has_front_end);
	assert_int_equal(report.pid, getpid());
	assert_int_equal(report.uid, getuid());
	assert_string_equal(report.command, "report_test");
	assert_int_equal(report.features_mask, 0);
	assert_int_equal(report.offered_protocol_mask,
			 FIXTURE_PROTOCOL_FEATURES);
	assert_int_equal(report.region_count, 0);
	assert_int_equal(report.vring_count, 0);
}

static void a_session_that_runs(void **state)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(1);
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 2);
	*index_in_memory(fixture, addr.avail_uva) = 40000;
	*index_in_memory(fixture, addr.used_uva) = 39990;
	fixture_report(fixture, &report);
	assert_int_equal(report.features_mask, FIXTURE_VERSION_1);
	assert_int_equal(report.protocol_features_mask,
			 FIXTURE_PROTOCOL_FEATURES);
	assert_int_equal(report.region_count, 1);
	assert_int_equal(report.memory_bytes, FIXTURE_MEMORY_BYTES);
	assert_int_equal(report.vring_count, 2);
	assert_int_equal(report.vrings[1].index, 1);
	assert_int_equal(report.vrings[1].num, FIXTURE_VRING_NUM);
	assert_true(report.vrings[1].is_started);
	assert_true(report.vrings[1].is_enabled);
	assert_true(report.vrings[1].is_running);
	assert_false(report.vrings[1].is_draining);
	assert_true(report.vrings[1].has_indices);
	assert_int_equal(report.vrings[1].avail_index, 40000);
	assert_int_equal(report.vrings[1].used_index, 39990);
	assert_string_equal(report.vrings[1].kick_kind, "eventfd");
	assert_string_equal(report.vrings[1].call_kind, "eventfd");
}

static void a_disabled_vring_has_no_indices(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0,
						   false), 0);
	fixture_report(fixture, &report);
	assert_int_equal(report.vring_count, 1);
	assert_true(report.vrings[0].is_started);
	assert_false(report.vrings[0].is_enabled);
	assert_false(report.vrings[0].is_running);
	assert_false(report.vrings[0].has_indices);
}

static void a_packed_vring_has_no_indices(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, FIXTURE_VERSION_1 | FIXTURE_PACKED |
			  FIXTURE_BIT30, FIXTURE_BLK_PROTOCOL_FEATURES);
	fixture_declare_memory(fixture);
	fixture_start_vring(fixture, 0);
	fixture_report(fixture, &report);
	assert_int_equal(report.vring_count, 1);
	assert_true(report.vrings[0].is_running);
	assert_false(report.vrings[0].has_indices);
}

/* The broker's own reads would end in SIGBUS. */
static void memory_that_is_gone_does_no_harm(void **state)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	*index_in_memory(fixture, addr.avail_uva) = 1;
	*index_in_memory(fixture, addr.used_uva) = 1;
	fixture_report(fixture, &report);
	assert_true(report.vrings[0].has_indices);
	assert_int_equal(ftruncate(fixture->memory.fd, 0), 0);
	fixture_report(fixture, &report);
	assert_true(report.vrings[0].is_running);
	assert_false(report.vrings[0].has_indices);
	fixture_expect_alive(fixture);
}

/* Memory nobody has touched is not fetched: it might never come. */
static void memory_that_was_never_touched_is_left_alone(void **state)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(madvise(fixture->memory.base,
				 FIXTURE_MEMORY_BYTES, MADV_REMOVE), 0);
	fixture_report(fixture, &report);
	assert_false(report.vrings[0].has_indices);
	*index_in_memory(fixture, addr.avail_uva) = 1;
	*index_in_memory(fixture, addr.used_uva) = 1;
	fixture_report(fixture, &report);
	assert_true(report.vrings[0].has_indices);
}

static void a_vring_that_drains(void **state)
{
	const struct vhb_wire_vring_state vring = { .index = 0 };
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_send(&fixture->frontend, VHB_GET_VRING_BASE,
				       VHB_FLAG_VERSION, &vring, sizeof(vring),
				       NULL, 0), 0);
	recorder_wait_draining(fixture->recorder, 1);
	fixture_report(fixture, &report);
	assert_true(report.vrings[0].is_running);
	assert_true(report.vrings[0].is_draining);
	recorder_finish_drain(fixture->recorder, 0);
	assert_int_equal(frontend_receive_reply(&fixture->frontend,
						VHB_GET_VRING_BASE, NULL,
						sizeof(vring)), 0);
	fixture_report(fixture, &report);
	assert_false(report.vrings[0].is_running);
	assert_false(report.vrings[0].is_draining);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		fixture_test(without_a_front_end_nothing_is_told),
		fixture_test(a_front_end_that_said_nothing_yet),
		fixture_test(a_session_that_runs),
		fixture_test(a_disabled_vring_has_no_indices),
		blk_fixture_test(a_packed_vring_has_no_indices),
		fixture_test(memory_that_is_gone_does_no_harm),
		fixture_test(memory_that_was_never_touched_is_left_alone),
		drain_fixture_test(a_vring_that_drains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
