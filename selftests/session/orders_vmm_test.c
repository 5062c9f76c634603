// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/session_fixture.h"

/* Cloud Hypervisor, crosvm, Firecracker, libblkio and an old front-end */

#define ok(call) assert_int_equal(call, 0)

#define FEATURES (FIXTURE_VERSION_1 | FIXTURE_BIT30)
#define DEVICE_LINES \
	"SET_OWNER\n" \
	"SET_FEATURES 0x100000000\n" \
	FIXTURE_TABLE_LINE
#define CONFIG_WRITABLE 1

static uint64_t owner_and_offers(struct session_fixture *fixture)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask;

	fixture_connect(fixture);
	ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	assert_true(mask & FIXTURE_BIT30);
	ok(frontend_get_protocol_features(frontend, &mask));
	return mask;
}

static void set_addr(struct session_fixture *fixture, unsigned int index)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(index);

	ok(frontend_set_vring_addr(&fixture->frontend, &addr));
}

static void enable_all(struct session_fixture *fixture, unsigned int count,
		       bool on)
{
	for (unsigned int i = 0; i < count; i++)
		ok(frontend_set_vring_enable(&fixture->frontend, i, on));
}

/* NEED_REPLY is on every message after SET_PROTOCOL_FEATURES, GET_* included. */
static void connect_cloud_hypervisor(struct session_fixture *fixture)
{
	struct frontend *frontend = &fixture->frontend;
	uint8_t config[60];
	uint64_t mask;

	mask = owner_and_offers(fixture);
	ok(frontend_set_protocol_features(frontend, mask &
			(vhb_bit(VHB_PROTOCOL_F_MQ) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIG) |
			 vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIGURE_MEM_SLOTS))));
	frontend->need_reply = true;
	ok(frontend_get_queue_num(frontend, &mask));
	/* Virtqueues, not pairs */
	assert_int_equal(mask, FIXTURE_VRING_COUNT);
	ok(frontend_get_config(frontend, 0, CONFIG_WRITABLE, config,
			       sizeof(config)));
	free(recorder_take(fixture->recorder));
}

/* All sizes first, the base after the addresses; SET_MEM_TABLE in any case */
static void activate_cloud_hypervisor(struct session_fixture *fixture,
				      const unsigned int *bases)
{
	struct frontend *frontend = &fixture->frontend;

	ok(frontend_set_features(frontend, FEATURES));
	fixture_declare_memory(fixture);
	for (unsigned int i = 0; i < 2; i++)
		ok(frontend_set_vring_num(frontend, i, 256));
	for (unsigned int i = 0; i < 2; i++) {
		set_addr(fixture, i);
		ok(frontend_set_vring_base(frontend, i, bases[i]));
		ok(frontend_set_vring_call(frontend, i, fixture->call_fds[i]));
		ok(frontend_set_vring_kick(frontend, i, fixture->kick_fds[i]));
	}
	enable_all(fixture, 2, true);
	/* Last, when the rings run */
	fixture_give_channel(fixture);
}

static void start_cloud_hypervisor(struct session_fixture *fixture)
{
	connect_cloud_hypervisor(fixture);
	activate_cloud_hypervisor(fixture, (unsigned int[]){ 0, 0 });
}

static void cloud_hypervisor_starts(void **state)
{
	struct session_fixture *fixture = *state;

	start_cloud_hypervisor(fixture);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call1));
}

static void cloud_hypervisor_pauses_and_resumes(void **state)
{
	struct session_fixture *fixture = *state;

	start_cloud_hypervisor(fixture);
	fixture_forget_calls(fixture);
	recorder_advance(fixture->recorder, 0, 5);
	enable_all(fixture, 2, false);
	/* Acknowledged: memory may be copied from now on. */
	assert_int_equal(recorder_running(fixture->recorder), 0);
	enable_all(fixture, 2, true);
	fixture_expect_calls(fixture,
			     "STOP 0\nSTOP 1\n"
			     FIXTURE_START_LINES(0, 256, 5, kick0, call0)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call1));
}

static void cloud_hypervisor_resets_and_activates_again(void **state)
{
	struct session_fixture *fixture = *state;
	unsigned int bases[2];

	start_cloud_hypervisor(fixture);
	fixture_forget_calls(fixture);
	recorder_advance(fixture->recorder, 1, 8);
	for (unsigned int i = 0; i < 2; i++) {
		ok(frontend_set_vring_enable(&fixture->frontend, i, false));
		ok(frontend_get_vring_base(&fixture->frontend, i, &bases[i]));
	}
	assert_int_equal(bases[1], 8);
	fixture_expect_calls(fixture, "STOP 0\nSTOP 1\n");
	activate_cloud_hypervisor(fixture, bases);
	fixture_expect_calls(fixture,
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0)
			     FIXTURE_START_LINES(1, 256, 8, kick1, call1));
}

/* It replays set-up without GET_PROTOCOL_FEATURES. */
static void cloud_hypervisor_reconnects(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t mask;

	start_cloud_hypervisor(fixture);
	fixture_disconnect(fixture);
	free(recorder_take(fixture->recorder));

	fixture_connect(fixture);
	ok(frontend_set_owner(&fixture->frontend));
	ok(frontend_get_features(&fixture->frontend, &mask));
	ok(frontend_set_protocol_features(&fixture->frontend,
					  FIXTURE_REPLY_ACK));
	fixture->frontend.need_reply = true;
	activate_cloud_hypervisor(fixture, (unsigned int[]){ 7, 9 });
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 7, kick0, call0)
			     FIXTURE_START_LINES(1, 256, 9, kick1, call1));
}

static void cloud_hypervisor_adds_memory_while_rings_run(void **state)
{
	struct session_fixture *fixture = *state;
	struct guest_memory more;

	start_cloud_hypervisor(fixture);
	fixture_forget_calls(fixture);
	ok(guest_memory_create(&more, 2, 0x400000, 0));
	ok(frontend_add_mem_reg(&fixture->frontend, &more.region, more.fd));
	fixture_expect_calls(fixture, "SET_MEM_TABLE 1: 0x0+0x600000\n");
	guest_memory_destroy(&more);
}

/* Never asks for replies; takes the number of queues as exact. */
static void connect_crosvm(struct session_fixture *fixture)
{
	uint64_t mask;

	mask = owner_and_offers(fixture);
	ok(frontend_set_protocol_features(&fixture->frontend, mask &
			(vhb_bit(VHB_PROTOCOL_F_MQ) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIG) |
			 vhb_bit(VHB_PROTOCOL_F_BACKEND_REQ) |
			 vhb_bit(VHB_PROTOCOL_F_REPLY_ACK))));
	fixture_give_channel(fixture);
	ok(frontend_get_queue_num(&fixture->frontend, &mask));
	assert_int_equal(mask, FIXTURE_VRING_COUNT);
}

static void set_up_crosvm_vring(struct session_fixture *fixture,
				unsigned int index, unsigned int base)
{
	struct frontend *frontend = &fixture->frontend;

	ok(frontend_set_vring_num(frontend, index, 256));
	set_addr(fixture, index);
	ok(frontend_set_vring_base(frontend, index, base));
	ok(frontend_set_vring_call(frontend, index, fixture->call_fds[index]));
	ok(frontend_set_vring_kick(frontend, index, fixture->kick_fds[index]));
	ok(frontend_set_vring_enable(frontend, index, true));
}

static void activate_crosvm(struct session_fixture *fixture)
{
	ok(frontend_set_features(&fixture->frontend, FEATURES));
	fixture_declare_memory(fixture);
	for (unsigned int i = 0; i < 2; i++)
		set_up_crosvm_vring(fixture, i, 0);
}

static void crosvm_starts(void **state)
{
	struct session_fixture *fixture = *state;

	connect_crosvm(fixture);
	activate_crosvm(fixture);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call1));
}

static void crosvm_sleeps_and_wakes(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	unsigned int bases[2];

	connect_crosvm(fixture);
	activate_crosvm(fixture);
	fixture_forget_calls(fixture);
	recorder_advance(fixture->recorder, 0, 3);
	for (unsigned int i = 0; i < 2; i++) {
		ok(frontend_set_vring_enable(frontend, i, false));
		ok(frontend_get_vring_base(frontend, i, &bases[i]));
	}
	fixture_expect_calls(fixture, "STOP 0\nSTOP 1\n");
	for (unsigned int i = 0; i < 2; i++)
		set_up_crosvm_vring(fixture, i, bases[i]);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(0, 256, 3, kick0, call0)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call1));
}

/* One queue, no feature but CONFIG, 60 bytes asked for as "writable" */
static void firecracker_starts(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	uint8_t config[60];
	uint64_t mask;

	mask = owner_and_offers(fixture);
	ok(frontend_set_protocol_features(frontend,
					  mask & vhb_bit(VHB_PROTOCOL_F_CONFIG)));
	ok(frontend_get_config(frontend, 0, CONFIG_WRITABLE, config,
			       sizeof(config)));
	ok(frontend_set_features(frontend, FEATURES));
	fixture_declare_memory(fixture);
	ok(frontend_set_vring_num(frontend, 0, 256));
	set_addr(fixture, 0);
	ok(frontend_set_vring_base(frontend, 0, 0));
	ok(frontend_set_vring_call(frontend, 0, fixture->call_fds[0]));
	ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
	ok(frontend_set_vring_enable(frontend, 0, true));
	fixture_expect_calls(fixture,
			     "GET_CONFIG 0+60\n"
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
	/* PATCH of the drive */
	ok(frontend_get_config(frontend, 0, CONFIG_WRITABLE, config,
			       sizeof(config)));
	fixture_expect_calls(fixture, "GET_CONFIG 0+60\n");
}

/* The virtqueues are in a region of their own, data regions come and go. */
static void libblkio_maps_buffers_while_rings_run(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct guest_memory buffers;
	uint64_t mask;

	mask = owner_and_offers(fixture);
	ok(frontend_set_protocol_features(frontend, mask &
			(vhb_bit(VHB_PROTOCOL_F_MQ) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIG) |
			 vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIGURE_MEM_SLOTS))));
	frontend->need_reply = true;
	ok(frontend_get_max_mem_slots(frontend, &mask));
	ok(frontend_set_features(frontend, FEATURES));
	ok(frontend_add_mem_reg(frontend, &fixture->memory.region,
				fixture->memory.fd));
	fixture_start_vring(fixture, 0);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));

	ok(guest_memory_create(&buffers, 1, 0x7f0000000000, 0));
	for (unsigned int i = 0; i < 2; i++) {
		ok(frontend_add_mem_reg(frontend, &buffers.region, buffers.fd));
		fixture_expect_calls(fixture,
				     "SET_MEM_TABLE 2: 0x0+0x400000 0x7f0000000000+0x100000\n");
		ok(frontend_rem_mem_reg(frontend, &buffers.region));
		fixture_expect_calls(fixture, FIXTURE_TABLE_LINE);
	}
	guest_memory_destroy(&buffers);
}

static void memory_slots_far_beyond_the_kernels_limit_are_served(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct vhb_wire_region region = { .size_bytes = 0x1000 };

	fixture_start(fixture, 1);
	for (unsigned int i = 0; i < 200; i++) {
		region.gpa = 0x10000000 + i * 0x10000;
		region.uva = region.gpa;
		region.offset_bytes = i * 0x1000;
		ok(frontend_add_mem_reg(frontend, &region, fixture->memory.fd));
	}
	recorder_assert_no_fault(fixture->recorder);
	for (unsigned int i = 0; i < 200; i++) {
		region.gpa = 0x10000000 + i * 0x10000;
		region.uva = region.gpa;
		ok(frontend_rem_mem_reg(frontend, &region));
	}
	assert_true(recorder_is_running(fixture->recorder, 0));
}

/* Before protocol features, enabling and bit 30 were invented */
static void start_old_front_end(struct session_fixture *fixture)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask;

	fixture_connect(fixture);
	ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	ok(frontend_set_features(frontend, FIXTURE_VERSION_1));
	fixture_declare_memory(fixture);
	for (unsigned int i = 0; i < 2; i++) {
		fixture_set_up_vring(fixture, i);
		ok(frontend_set_vring_call(frontend, i, fixture->call_fds[i]));
	}
}

static void an_old_front_end_starts(void **state)
{
	struct session_fixture *fixture = *state;

	start_old_front_end(fixture);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, none)
			     "SET_VRING_CALL 0 call0\n"
			     FIXTURE_START_LINES(1, 256, 0, kick1, none)
			     "SET_VRING_CALL 1 call1\n");
}

static void an_old_front_end_stops_and_starts_again(void **state)
{
	struct session_fixture *fixture = *state;
	unsigned int base;

	start_old_front_end(fixture);
	fixture_forget_calls(fixture);
	recorder_advance(fixture->recorder, 0, 4);
	ok(frontend_get_vring_base(&fixture->frontend, 0, &base));
	ok(frontend_get_vring_base(&fixture->frontend, 1, &base));
	ok(frontend_set_vring_num(&fixture->frontend, 0, 256));
	ok(frontend_set_vring_base(&fixture->frontend, 0, 4));
	ok(frontend_set_vring_kick(&fixture->frontend, 0,
				   fixture->kick_fds[0]));
	fixture_expect_calls(fixture,
			     "STOP 0\nSTOP 1\n"
			     FIXTURE_START_LINES(0, 256, 4, kick0, call0));
}

static void an_old_front_end_resets_the_owner_and_starts_again(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	start_old_front_end(fixture);
	fixture_forget_calls(fixture);
	ok(frontend_reset_owner(frontend));
	fixture_expect_calls(fixture, "STOP 0\nSTOP 1\n");

	ok(frontend_set_owner(frontend));
	fixture_set_up_vring(fixture, 0);
	fixture_expect_calls(fixture, "");
	ok(frontend_set_features(frontend, FIXTURE_VERSION_1));
	fixture_expect_alive(fixture);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(cloud_hypervisor_starts),
		fixture_test(cloud_hypervisor_pauses_and_resumes),
		fixture_test(cloud_hypervisor_resets_and_activates_again),
		fixture_test(cloud_hypervisor_reconnects),
		fixture_test(cloud_hypervisor_adds_memory_while_rings_run),
		fixture_test(crosvm_starts),
		fixture_test(crosvm_sleeps_and_wakes),
		fixture_test(firecracker_starts),
		fixture_test(libblkio_maps_buffers_while_rings_run),
		fixture_test(memory_slots_far_beyond_the_kernels_limit_are_served),
		fixture_test(an_old_front_end_starts),
		fixture_test(an_old_front_end_stops_and_starts_again),
		fixture_test(an_old_front_end_resets_the_owner_and_starts_again),
	};

	return cmocka_run_group_tests_name("VMMs", tests, NULL, NULL);
}
