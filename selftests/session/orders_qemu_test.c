// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/session_fixture.h"

/* What QEMU sends to a net back-end, in QEMU's order */

#define ok(call) assert_int_equal(call, 0)

/* Eventfds of "masked" notifiers and of vectors: call4, call5 and call0 ... */
#define MASKED(index) (4 + (index))

#define FEATURES (FIXTURE_VERSION_1 | FIXTURE_BIT30)
#define DEVICE_LINES \
	"SET_OWNER\n" \
	"SET_FEATURES 0x100000000\n" \
	FIXTURE_TABLE_LINE

/* Messages for which QEMU waits, where REPLY_ACK was negotiated */

static void acked_enable(struct session_fixture *fixture, unsigned int index,
			 bool on)
{
	fixture->frontend.need_reply = true;
	ok(frontend_set_vring_enable(&fixture->frontend, index, on));
	fixture->frontend.need_reply = false;
}

static void acked_add(struct session_fixture *fixture,
		      const struct guest_memory *memory)
{
	fixture->frontend.need_reply = true;
	ok(frontend_add_mem_reg(&fixture->frontend, &memory->region,
				memory->fd));
	fixture->frontend.need_reply = false;
}

static void acked_remove(struct session_fixture *fixture,
			 const struct guest_memory *memory)
{
	fixture->frontend.need_reply = true;
	ok(frontend_rem_mem_reg(&fixture->frontend, &memory->region));
	fixture->frontend.need_reply = false;
}

static void acked_table(struct session_fixture *fixture,
			const struct vhb_wire_region *regions, const int *fds,
			unsigned int count)
{
	fixture->frontend.need_reply = true;
	ok(frontend_set_mem_table(&fixture->frontend, regions, fds, count));
	fixture->frontend.need_reply = false;
}

static void acked_mtu(struct session_fixture *fixture, uint64_t mtu)
{
	fixture->frontend.need_reply = true;
	ok(frontend_set_mtu(&fixture->frontend, mtu));
	fixture->frontend.need_reply = false;
}

static void negotiate(struct session_fixture *fixture, uint64_t known)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask, value;

	ok(frontend_get_features(frontend, &mask));
	assert_true(mask & FIXTURE_BIT30);
	ok(frontend_get_protocol_features(frontend, &mask));
	ok(frontend_set_protocol_features(frontend, mask & known));
	ok(frontend_get_queue_num(frontend, &value));
	if (vhb_has_bit(mask & known, VHB_PROTOCOL_F_CONFIGURE_MEM_SLOTS))
		ok(frontend_get_max_mem_slots(frontend, &value));
	if (vhb_has_bit(mask & known, VHB_PROTOCOL_F_BACKEND_REQ))
		fixture_give_channel(fixture);
	ok(frontend_set_owner(frontend));
}

/* Masked notifiers come before memory, sizes and SET_FEATURES. */
static void init_pair(struct session_fixture *fixture, unsigned int pair)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask;

	ok(frontend_get_features(frontend, &mask));
	for (unsigned int i = 2 * pair; i < 2 * pair + 2; i++)
		ok(frontend_set_vring_call(frontend, i,
					   fixture->call_fds[MASKED(i)]));
}

static void connect_qemu(struct session_fixture *fixture, uint64_t known,
			 unsigned int pair_count)
{
	fixture_connect(fixture);
	negotiate(fixture, known);
	for (unsigned int pair = 0; pair < pair_count; pair++)
		init_pair(fixture, pair);
}

static void add_status(struct session_fixture *fixture, uint64_t bits)
{
	uint64_t status;

	ok(frontend_get_status(&fixture->frontend, &status));
	ok(frontend_set_status(&fixture->frontend, status | bits));
}

static void declare_memory(struct session_fixture *fixture)
{
	if (vhb_has_bit(fixture->frontend.acked_protocol_mask,
			VHB_PROTOCOL_F_CONFIGURE_MEM_SLOTS))
		acked_add(fixture, &fixture->memory);
	else
		acked_table(fixture, &fixture->memory.region,
			    &fixture->memory.fd, 1);
}

static void enable_pair(struct session_fixture *fixture, unsigned int pair,
			bool on)
{
	for (unsigned int i = 2 * pair; i < 2 * pair + 2; i++)
		acked_enable(fixture, i, on);
}

static void unmask_pair(struct session_fixture *fixture, unsigned int pair)
{
	for (unsigned int i = 2 * pair; i < 2 * pair + 2; i++)
		ok(frontend_set_vring_call(&fixture->frontend, i,
					   fixture->call_fds[i]));
}

static void start_device(struct session_fixture *fixture, unsigned int pair,
			 uint64_t features)
{
	struct frontend *frontend = &fixture->frontend;
	const bool has_status = vhb_has_bit(frontend->acked_protocol_mask,
					    VHB_PROTOCOL_F_STATUS);

	ok(frontend_set_features(frontend, features));
	if (has_status)
		add_status(fixture, 8);
	if (!pair)
		declare_memory(fixture);
	for (unsigned int i = 2 * pair; i < 2 * pair + 2; i++)
		fixture_set_up_vring(fixture, i);
	enable_pair(fixture, pair, true);
	if (has_status)
		add_status(fixture, 4);
}

static unsigned int stop_pair(struct session_fixture *fixture,
			      unsigned int pair)
{
	unsigned int base[2];

	enable_pair(fixture, pair, false);
	for (unsigned int i = 0; i < 2; i++)
		ok(frontend_get_vring_base(&fixture->frontend, 2 * pair + i,
					   &base[i]));
	return base[0];
}

static void one_pair_starts(void **state)
{
	struct session_fixture *fixture = *state;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 1);
	fixture_expect_calls(fixture, "");
	start_device(fixture, 0, FEATURES);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call4)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call5));
	unmask_pair(fixture, 0);
	fixture_expect_calls(fixture,
			     "SET_VRING_CALL 0 call0\n"
			     "SET_VRING_CALL 1 call1\n");
}

static void one_pair_starts_without_memory_slots_and_status(void **state)
{
	struct session_fixture *fixture = *state;

	connect_qemu(fixture, FIXTURE_REPLY_ACK | 1, 1);
	start_device(fixture, 0, FEATURES);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call4)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call5));
}

/* Without REPLY_ACK QEMU uses GET_FEATURES as a barrier. */
static void one_pair_starts_without_reply_ack(void **state)
{
	struct session_fixture *fixture = *state;

	connect_qemu(fixture, 1, 1);
	start_device(fixture, 0, FEATURES);
	unmask_pair(fixture, 0);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call4)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call5)
			     "SET_VRING_CALL 0 call0\n"
			     "SET_VRING_CALL 1 call1\n");
}

/* vhost_net_start() restores the enabled state before it sets up the rings. */
static void a_pair_that_is_enabled_before_it_is_set_up_starts_at_kick(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 1);
	enable_pair(fixture, 0, true);
	ok(frontend_set_features(frontend, FEATURES));
	declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call4));
	fixture_set_up_vring(fixture, 1);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(1, 256, 0, kick1, call5));
}

static void a_second_pair_starts_while_the_first_runs(void **state)
{
	struct session_fixture *fixture = *state;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 2);
	start_device(fixture, 0, FEATURES);
	fixture_forget_calls(fixture);
	/* SET_FEATURES comes again. */
	start_device(fixture, 1, FEATURES);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(2, 256, 0, kick2, call6)
			     FIXTURE_START_LINES(3, 256, 0, kick3, call7));
}

static void a_guest_may_use_fewer_pairs_than_there_are(void **state)
{
	struct session_fixture *fixture = *state;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 2);
	start_device(fixture, 0, FEATURES);
	start_device(fixture, 1, FEATURES);
	enable_pair(fixture, 1, false);
	fixture_forget_calls(fixture);
	enable_pair(fixture, 1, true);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(2, 256, 0, kick2, call6)
			     FIXTURE_START_LINES(3, 256, 0, kick3, call7));
}

static void stopping_disables_first_and_asks_for_the_base_then(void **state)
{
	struct session_fixture *fixture = *state;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 2);
	start_device(fixture, 0, FEATURES);
	start_device(fixture, 1, FEATURES);
	recorder_advance(fixture->recorder, 0, 1000);
	fixture_forget_calls(fixture);
	assert_int_equal(stop_pair(fixture, 0), 1000);
	assert_int_equal(stop_pair(fixture, 1), 0);
	ok(frontend_set_status(&fixture->frontend, 0));
	fixture_expect_calls(fixture,
			     "STOP 0\nSTOP 1\n"
			     "STOP 2\nSTOP 3\n");
}

static void a_guest_that_is_stopped_goes_on_at_its_base(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	unsigned int base;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 1);
	start_device(fixture, 0, FEATURES);
	recorder_advance(fixture->recorder, 0, 30);
	base = stop_pair(fixture, 0);
	fixture_forget_calls(fixture);

	ok(frontend_set_features(frontend, FEATURES));
	for (unsigned int i = 0; i < 2; i++) {
		fixture_set_up_vring(fixture, i);
		ok(frontend_set_vring_base(frontend, i, i ? 0 : base));
	}
	enable_pair(fixture, 0, true);
	fixture_expect_calls(fixture,
			     FIXTURE_START_LINES(0, 256, 30, kick0, call4)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call5));
}

/* Firmware first, then the operating system with other rings and features */
static void a_reboot_changes_features_sizes_and_addresses(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = fixture_vring_addr(3);
	struct frontend *frontend = &fixture->frontend;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 1);
	start_device(fixture, 0, FIXTURE_BIT30);
	recorder_advance(fixture->recorder, 0, 12);
	stop_pair(fixture, 0);
	ok(frontend_set_status(frontend, 0));
	ok(frontend_reset_device(frontend));
	fixture_forget_calls(fixture);

	addr.index = 0;
	ok(frontend_set_features(frontend, FEATURES));
	ok(frontend_set_vring_num(frontend, 0, 64));
	ok(frontend_set_vring_base(frontend, 0, 0));
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
	acked_enable(fixture, 0, true);
	fixture_expect_calls(fixture,
			     "SET_FEATURES 0x100000000\n"
			     "SET_VRING_NUM 0 64\n"
			     "SET_VRING_BASE 0 0\n"
			     "SET_VRING_ADDR 0 desc=0x130000 avail=0x138000 used=0x13c000\n"
			     "SET_VRING_KICK 0 kick0\n"
			     "SET_VRING_ERR 0 none\n"
			     "SET_VRING_CALL 0 call4\n"
			     "START 0\n");
}

static void a_vector_is_masked_and_unmasked_while_the_ring_runs(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 1);
	start_device(fixture, 0, FEATURES);
	unmask_pair(fixture, 0);
	fixture_forget_calls(fixture);
	for (unsigned int i = 0; i < 2; i++) {
		ok(frontend_set_vring_call(frontend, 0,
					   fixture->call_fds[MASKED(0)]));
		ok(frontend_set_vring_call(frontend, 0, fixture->call_fds[0]));
	}
	fixture_expect_calls(fixture,
			     "SET_VRING_CALL 0 call4\n"
			     "SET_VRING_CALL 0 call0\n"
			     "SET_VRING_CALL 0 call4\n"
			     "SET_VRING_CALL 0 call0\n");
}

static void a_ring_without_a_vector_has_no_call_descriptor(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 1);
	ok(frontend_set_features(frontend, FEATURES));
	declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	ok(frontend_set_vring_call(frontend, 0, -1));
	acked_enable(fixture, 0, true);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, none));
}

static void memory_is_plugged_and_unplugged_while_rings_run(void **state)
{
	struct session_fixture *fixture = *state;
	struct guest_memory more;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 1);
	start_device(fixture, 0, FEATURES);
	fixture_forget_calls(fixture);
	ok(guest_memory_create(&more, 2, 0x100000000, 0));
	acked_add(fixture, &more);
	/* Neighbours in one window: the hole between them is not mapped. */
	fixture_expect_calls(fixture, "SET_MEM_TABLE 1: 0x0+0x100200000\n");
	acked_remove(fixture, &more);
	fixture_expect_calls(fixture, FIXTURE_TABLE_LINE);
	guest_memory_destroy(&more);
}

static void a_grown_table_does_not_disturb_rings_that_run(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region regions[2];
	struct guest_memory more;
	int fds[2];

	connect_qemu(fixture, FIXTURE_REPLY_ACK, 1);
	start_device(fixture, 0, FEATURES);
	fixture_forget_calls(fixture);
	ok(guest_memory_create(&more, 2, 0x10000000000, 0));
	regions[0] = more.region;
	regions[1] = fixture->memory.region;
	fds[0] = more.fd;
	fds[1] = fixture->memory.fd;
	acked_table(fixture, regions, fds, 2);
	fixture_expect_calls(fixture,
			     "SET_MEM_TABLE 2: 0x0+0x400000 0x10000000000+0x200000\n");
	guest_memory_destroy(&more);
}

/* Another file in the same place: the rings move in the broker. */
static void replaced_memory_restarts_the_rings_in_it(void **state)
{
	struct session_fixture *fixture = *state;
	struct guest_memory other;

	connect_qemu(fixture, FIXTURE_REPLY_ACK, 1);
	start_device(fixture, 0, FEATURES);
	recorder_advance(fixture->recorder, 1, 2);
	fixture_forget_calls(fixture);
	ok(guest_memory_create(&other, FIXTURE_MEMORY_MIB, 0, FIXTURE_UVA));
	acked_table(fixture, &other.region, &other.fd, 1);
	fixture_expect_calls(fixture,
			     "STOP 0\nSTOP 1\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, call4)
			     FIXTURE_START_LINES(1, 256, 2, kick1, call5));
	guest_memory_destroy(&other);
}

static void the_mtu_is_set_before_the_device_starts(void **state)
{
	struct session_fixture *fixture = *state;

	connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 1);
	acked_mtu(fixture, 1400);
	start_device(fixture, 0, FEATURES);
	fixture_expect_calls(fixture,
			     "SET_MTU 1400\n"
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call4)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call5));
}

static void a_chardev_that_reconnects_starts_all_over(void **state)
{
	struct session_fixture *fixture = *state;

	for (unsigned int i = 0; i < 3; i++) {
		connect_qemu(fixture, FIXTURE_PROTOCOL_FEATURES, 1);
		start_device(fixture, 0, FEATURES);
		fixture_expect_calls(fixture,
				     DEVICE_LINES
				     FIXTURE_START_LINES(0, 256, 0, kick0, call4)
				     FIXTURE_START_LINES(1, 256, 0, kick1, call5));
		fixture_disconnect(fixture);
		fixture_expect_calls(fixture, "RESET\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(one_pair_starts),
		fixture_test(one_pair_starts_without_memory_slots_and_status),
		fixture_test(one_pair_starts_without_reply_ack),
		fixture_test(a_pair_that_is_enabled_before_it_is_set_up_starts_at_kick),
		fixture_test(a_second_pair_starts_while_the_first_runs),
		fixture_test(a_guest_may_use_fewer_pairs_than_there_are),
		fixture_test(stopping_disables_first_and_asks_for_the_base_then),
		fixture_test(a_guest_that_is_stopped_goes_on_at_its_base),
		fixture_test(a_reboot_changes_features_sizes_and_addresses),
		fixture_test(a_vector_is_masked_and_unmasked_while_the_ring_runs),
		fixture_test(a_ring_without_a_vector_has_no_call_descriptor),
		fixture_test(memory_is_plugged_and_unplugged_while_rings_run),
		fixture_test(a_grown_table_does_not_disturb_rings_that_run),
		fixture_test(replaced_memory_restarts_the_rings_in_it),
		fixture_test(the_mtu_is_set_before_the_device_starts),
		fixture_test(a_chardev_that_reconnects_starts_all_over),
	};

	return cmocka_run_group_tests_name("QEMU", tests, NULL, NULL);
}
