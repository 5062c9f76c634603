// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where a vring goes on when the front-end and the used ring disagree: a device
 * that keeps nothing back believes the used ring.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_ring.h>

#include "lib/log_capture.h"
#include "lib/session_fixture.h"

#define ok(call) assert_int_equal(call, 0)

/* FIXTURE_PLATFORM: VIRTIO_F_ACCESS_PLATFORM */
#define FIXTURE_PLATFORM UINT64_C(0x200000000)

static void put_used_index(struct session_fixture *fixture, unsigned int index,
			   uint16_t value)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(index);
	struct vring_used *used =
		guest_memory_at(&fixture->memory, addr.used_uva - FIXTURE_UVA,
				sizeof(*used));

	assert_non_null(used);
	used->idx = value;
}

/* A front-end comes whose vring 0 is started at @base */
static void start_at(struct session_fixture *fixture, uint64_t features,
		     unsigned int base)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	struct frontend *frontend = &fixture->frontend;

	fixture_connect(fixture);
	fixture_negotiate(fixture, features, FIXTURE_REPLY_ACK);
	fixture_declare_memory(fixture);
	frontend->need_reply = true;
	ok(frontend_set_vring_num(frontend, 0, FIXTURE_VRING_NUM));
	ok(frontend_set_vring_base(frontend, 0, base));
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
}

#define STARTED(features, base) \
	"SET_OWNER\n" \
	"SET_FEATURES " #features "\n" \
	FIXTURE_TABLE_LINE \
	"SET_VRING_NUM 0 256\n" \
	"SET_VRING_BASE 0 " #base "\n" \
	FIXTURE_ADDR_LINE(0) \
	"SET_VRING_KICK 0 kick0\n" \
	"SET_VRING_ERR 0 none\n" \
	"SET_VRING_CALL 0 none\n" \
	"START 0\n"

static void expect_base(struct session_fixture *fixture, unsigned int expected)
{
	unsigned int base;

	ok(frontend_get_vring_base(&fixture->frontend, 0, &base));
	assert_int_equal(base, expected);
	fixture_forget_calls(fixture);
}

static int setup(void **state)
{
	int ret = session_fixture_setup(state);
	struct session_fixture *fixture = *state;

	recorder_kdev(fixture->recorder)->keeps_nothing = true;
	return ret;
}

/* Cloud Hypervisor, after a pause: what is available, not what was used */
static void a_base_ahead_of_the_used_ring_is_drawn_back(void **state)
{
	struct session_fixture *fixture = *state;
	struct log_capture log;

	put_used_index(fixture, 0, 17);
	log_capture_begin(&log);
	start_at(fixture, FIXTURE_VERSION_1, 20);
	log_capture_end(&log);
	fixture_expect_calls(fixture, STARTED(0x100000000, 17));
	assert_int_equal(log_capture_count(&log, "goes on at 17"), 1);
	assert_int_equal(log_capture_count(&log, "not at 20"), 1);
	assert_int_equal(log_capture_count(&log, "never processed"), 1);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	expect_base(fixture, 17);
}

/* DPDK, after a reconnect: zero */
static void a_base_behind_the_used_ring_is_pushed_on(void **state)
{
	struct session_fixture *fixture = *state;
	struct log_capture log;

	put_used_index(fixture, 0, 3000);
	log_capture_begin(&log);
	start_at(fixture, FIXTURE_VERSION_1, 0);
	log_capture_end(&log);
	fixture_expect_calls(fixture, STARTED(0x100000000, 3000));
	assert_int_equal(log_capture_count(&log, "processed already"), 1);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	expect_base(fixture, 3000);
}

static void indexes_wrap(void **state)
{
	struct session_fixture *fixture = *state;
	struct log_capture log;

	put_used_index(fixture, 0, 65530);
	log_capture_begin(&log);
	start_at(fixture, FIXTURE_VERSION_1, 5);
	log_capture_end(&log);
	fixture_expect_calls(fixture, STARTED(0x100000000, 65530));
	assert_int_equal(log_capture_count(&log, "never processed"), 1);
}

static void a_base_that_agrees_is_no_news(void **state)
{
	struct session_fixture *fixture = *state;
	struct log_capture log;

	put_used_index(fixture, 0, 17);
	log_capture_begin(&log);
	start_at(fixture, FIXTURE_VERSION_1, 17);
	log_capture_end(&log);
	fixture_expect_calls(fixture, STARTED(0x100000000, 17));
	assert_string_equal(log.text, "");
}

/* One that may have requests in flight: what its used ring says is no answer. */
static void another_device_believes_the_front_end(void **state)
{
	struct session_fixture *fixture = *state;

	recorder_kdev(fixture->recorder)->keeps_nothing = false;
	put_used_index(fixture, 0, 17);
	start_at(fixture, FIXTURE_VERSION_1, 20);
	fixture_expect_calls(fixture, STARTED(0x100000000, 20));
}

/* Its memory has other things where a split one has the used index. */
static void a_packed_virtqueue_is_left_alone(void **state)
{
	struct session_fixture *fixture = *state;

	recorder_set_features(fixture->recorder,
			      FIXTURE_FEATURES | FIXTURE_PACKED);
	put_used_index(fixture, 0, 17);
	start_at(fixture, FIXTURE_VERSION_1 | FIXTURE_PACKED, 0x80058005);
	fixture_expect_calls(fixture, STARTED(0x500000000, 2147844101));
}

/* Its addresses are none of ours: what is there is nobody's business. */
static void behind_an_iommu_the_front_end_is_believed(void **state)
{
	struct session_fixture *fixture = *state;

	recorder_make_iotlb(fixture->recorder);
	fixture->has_iommu = true;
	put_used_index(fixture, 0, 17);
	start_at(fixture, FIXTURE_VERSION_1 | FIXTURE_PLATFORM, 20);
	fixture_expect_calls(fixture, "SET_OWNER\n"
			     "SET_FEATURES 0x300000000\n"
			     FIXTURE_TABLE_LINE
			     "SET_VRING_NUM 0 256\n"
			     "SET_VRING_BASE 0 20\n"
			     "SET_VRING_ADDR 0 desc=0x123400100000 avail=0x123400108000 used=0x12340010c000\n"
			     "SET_VRING_KICK 0 kick0\n"
			     "SET_VRING_ERR 0 none\n"
			     "SET_VRING_CALL 0 none\n"
			     "START 0 = EAGAIN\n");
}

/* Reading it would be SIGBUS. */
static void a_ring_whose_file_was_truncated_is_not_read(void **state)
{
	struct session_fixture *fixture = *state;

	put_used_index(fixture, 0, 17);
	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_VERSION_1, FIXTURE_REPLY_ACK);
	fixture_declare_memory(fixture);
	fixture_expect_alive(fixture);
	ok(ftruncate(fixture->memory.fd, 4096));
	fixture_set_up_vring(fixture, 0);
	fixture_expect_alive(fixture);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void a_front_end_that_is_always_wrong_does_not_fill_the_log(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct log_capture log;

	put_used_index(fixture, 0, 17);
	log_capture_begin(&log);
	start_at(fixture, FIXTURE_VERSION_1, 20);
	for (unsigned int i = 0; i < 100; i++) {
		ok(frontend_set_vring_base(frontend, 0, i));
		ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
	}
	log_capture_end(&log);
	assert_in_range(log_capture_count(&log, "\n"), 1, 20);
}

#define base_test(function) \
	cmocka_unit_test_setup_teardown(function, setup, \
					session_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		base_test(a_base_ahead_of_the_used_ring_is_drawn_back),
		base_test(a_base_behind_the_used_ring_is_pushed_on),
		base_test(indexes_wrap),
		base_test(a_base_that_agrees_is_no_news),
		base_test(another_device_believes_the_front_end),
		base_test(a_packed_virtqueue_is_left_alone),
		base_test(behind_an_iommu_the_front_end_is_believed),
		base_test(a_ring_whose_file_was_truncated_is_not_read),
		base_test(a_front_end_that_is_always_wrong_does_not_fill_the_log),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
