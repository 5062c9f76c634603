// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/session_fixture.h"

/* What front-ends send to a block device, in their order */

#define ok(call) assert_int_equal(call, 0)

#define FEATURES (FIXTURE_VERSION_1 | FIXTURE_BIT30)
#define DEVICE_LINES \
	"SET_OWNER\n" \
	"SET_FEATURES 0x100000000\n" \
	FIXTURE_TABLE_LINE
#define PACKED_DEVICE_LINES \
	"SET_OWNER\n" \
	"SET_FEATURES 0x500000000\n" \
	FIXTURE_TABLE_LINE

/* struct virtio_blk_config, as far as most know it */
#define CONFIG_BYTES 60
#define CONFIG_WRITABLE 1
/* Eventfds of QEMU's "masked" notifiers */
#define MASKED(index) (4 + (index))

/* The region a front-end keeps over all connections */
struct kept {
	struct vhb_wire_inflight description;
	int fd;
};

#define KEPT_NOTHING { .fd = -1 }

static void get_config(struct session_fixture *fixture, uint32_t flags)
{
	uint8_t config[CONFIG_BYTES];

	ok(frontend_get_config(&fixture->frontend, 0, flags, config,
			       sizeof(config)));
	assert_int_equal(config[CONFIG_BYTES - 1], CONFIG_BYTES - 1);
}

/* Gets one the first time, shows the same one later. */
static void show_region(struct session_fixture *fixture, struct kept *kept,
			unsigned int queue_count)
{
	if (kept->fd < 0)
		ok(frontend_get_inflight_fd(&fixture->frontend, queue_count,
					    256, &kept->description,
					    &kept->fd));
	ok(frontend_set_inflight_fd(&fixture->frontend, &kept->description,
				    kept->fd));
}

static void acked_enable(struct session_fixture *fixture, unsigned int index,
			 bool on)
{
	const bool need_reply = fixture->frontend.need_reply;

	fixture->frontend.need_reply = true;
	ok(frontend_set_vring_enable(&fixture->frontend, index, on));
	fixture->frontend.need_reply = need_reply;
}

static void set_addr(struct session_fixture *fixture, unsigned int index)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(index);

	ok(frontend_set_vring_addr(&fixture->frontend, &addr));
}

static void init_qemu(struct session_fixture *fixture)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask, value;

	fixture_connect(fixture);
	ok(frontend_get_features(frontend, &mask));
	ok(frontend_get_protocol_features(frontend, &mask));
	assert_int_equal(mask, FIXTURE_BLK_PROTOCOL_FEATURES);
	ok(frontend_set_protocol_features(frontend, mask));
	ok(frontend_get_queue_num(frontend, &value));
	assert_int_equal(value, FIXTURE_VRING_COUNT);
	ok(frontend_get_max_mem_slots(frontend, &value));
	fixture_give_channel(fixture);
	ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	for (unsigned int i = 0; i < FIXTURE_VRING_COUNT; i++)
		ok(frontend_set_vring_call(frontend, i,
					   fixture->call_fds[MASKED(i)]));
	get_config(fixture, 0);
}

static void declare_qemu_memory(struct session_fixture *fixture)
{
	fixture->frontend.need_reply = true;
	ok(frontend_add_mem_reg(&fixture->frontend, &fixture->memory.region,
				fixture->memory.fd));
	fixture->frontend.need_reply = false;
}

/* SET_FEATURES comes before the region and again with the start. */
static void start_qemu(struct session_fixture *fixture, struct kept *kept,
		       uint64_t features, const uint32_t *bases,
		       unsigned int count)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t status;

	ok(frontend_set_features(frontend, features));
	show_region(fixture, kept, FIXTURE_VRING_COUNT);
	ok(frontend_set_features(frontend, features));
	ok(frontend_get_status(frontend, &status));
	ok(frontend_set_status(frontend, status | 8));
	declare_qemu_memory(fixture);
	for (unsigned int i = 0; i < count; i++) {
		ok(frontend_set_vring_num(frontend, i, 256));
		ok(frontend_set_vring_base(frontend, i, bases[i]));
		set_addr(fixture, i);
		ok(frontend_set_vring_kick(frontend, i, fixture->kick_fds[i]));
	}
	for (unsigned int i = 0; i < count; i++)
		acked_enable(fixture, i, true);
	ok(frontend_get_status(frontend, &status));
	ok(frontend_set_status(frontend, status | 4));
	for (unsigned int i = 0; i < count; i++)
		ok(frontend_set_vring_call(frontend, i, fixture->call_fds[i]));
}

static void stop_qemu(struct session_fixture *fixture, uint32_t *bases,
		      unsigned int count)
{
	struct frontend *frontend = &fixture->frontend;

	for (unsigned int i = 0; i < count; i++)
		acked_enable(fixture, i, false);
	for (unsigned int i = 0; i < count; i++)
		ok(frontend_get_vring_base(frontend, i, &bases[i]));
	fixture->frontend.need_reply = true;
	ok(frontend_rem_mem_reg(frontend, &fixture->memory.region));
	fixture->frontend.need_reply = false;
	ok(frontend_set_status(frontend, 0));
}

static void qemu_starts_stops_and_starts_again(void **state)
{
	struct session_fixture *fixture = *state;
	struct kept kept = KEPT_NOTHING;
	uint32_t bases[2] = { 0, 0 };

	init_qemu(fixture);
	start_qemu(fixture, &kept, FEATURES, bases, 2);
	fixture_expect_calls(fixture,
			     "GET_CONFIG 0+60\n"
			     DEVICE_LINES
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call4)
			     FIXTURE_SLOT_START_LINES(1, 256, 0, kick1, call5)
			     "SET_VRING_CALL 0 call0\n"
			     "SET_VRING_CALL 1 call1\n");
	recorder_advance(fixture->recorder, 1, 44);
	stop_qemu(fixture, bases, 2);
	fixture_expect_calls(fixture,
			     "STOP 0\nSTOP 1\n"
			     "SET_MEM_TABLE 0:\n");
	assert_int_equal(bases[1], 44);
	start_qemu(fixture, &kept, FEATURES, bases, 2);
	fixture_expect_calls(fixture,
			     FIXTURE_TABLE_LINE
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call0)
			     FIXTURE_SLOT_START_LINES(1, 256, 44, kick1, call1)
			     "SET_VRING_CALL 0 call0\n"
			     "SET_VRING_CALL 1 call1\n");
	close(kept.fd);
}

/* SeaBIOS uses the first queue alone, without asking for VERSION_1. */
static void qemus_firmware_uses_one_queue_and_the_system_all(void **state)
{
	struct session_fixture *fixture = *state;
	struct kept kept = KEPT_NOTHING;
	uint32_t bases[2] = { 0, 0 };

	init_qemu(fixture);
	start_qemu(fixture, &kept, FIXTURE_BIT30, bases, 1);
	recorder_advance(fixture->recorder, 0, 200);
	stop_qemu(fixture, bases, 1);
	fixture_forget_calls(fixture);
	bases[0] = 0;
	start_qemu(fixture, &kept, FEATURES, bases, 2);
	fixture_expect_calls(fixture,
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call0)
			     FIXTURE_SLOT_START_LINES(1, 256, 0, kick1, call5)
			     "SET_VRING_CALL 0 call0\n"
			     "SET_VRING_CALL 1 call1\n");
	close(kept.fd);
}

/* GET_VRING_BASE has failed, so QEMU says the used index. */
static void qemu_reconnects_to_a_split_vring(void **state)
{
	struct session_fixture *fixture = *state;
	struct kept kept = KEPT_NOTHING;

	init_qemu(fixture);
	start_qemu(fixture, &kept, FEATURES, (uint32_t[]){ 0 }, 1);
	recorder_advance(fixture->recorder, 0, 0x3e8);
	fixture_disconnect(fixture);
	fixture_expect_calls(fixture,
			     "GET_CONFIG 0+60\n"
			     DEVICE_LINES
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call4)
			     "SET_VRING_CALL 0 call0\n"
			     "RESET\n");
	init_qemu(fixture);
	start_qemu(fixture, &kept, FEATURES, (uint32_t[]){ 0x3e8 }, 1);
	fixture_expect_calls(fixture,
			     "GET_CONFIG 0+60\n"
			     DEVICE_LINES
			     FIXTURE_SLOT_START_LINES(0, 256, 1000, kick0, call4)
			     "SET_VRING_CALL 0 call0\n");
	close(kept.fd);
}

/* It knows no better than where the vring began. */
static void qemu_reconnects_to_a_packed_vring(void **state)
{
	struct session_fixture *fixture = *state;
	struct kept kept = KEPT_NOTHING;
	const uint32_t bases[] = { 0x80008000 };

	init_qemu(fixture);
	start_qemu(fixture, &kept, FEATURES | FIXTURE_PACKED, bases, 1);
	recorder_set_base(fixture->recorder, 0, 0x00100010);
	fixture_disconnect(fixture);
	fixture_expect_calls(fixture,
			     "GET_CONFIG 0+60\n"
			     PACKED_DEVICE_LINES
			     FIXTURE_SLOT_START_LINES(0, 256, 2147516416, kick0, call4)
			     "SET_VRING_CALL 0 call0\n"
			     "RESET\n");
	init_qemu(fixture);
	start_qemu(fixture, &kept, FEATURES | FIXTURE_PACKED, bases, 1);
	fixture_expect_calls(fixture,
			     "GET_CONFIG 0+60\n"
			     PACKED_DEVICE_LINES
			     FIXTURE_SLOT_START_LINES(0, 256, 1048592, kick0, call4)
			     "SET_VRING_CALL 0 call0\n");
	close(kept.fd);
}

static void qemus_guest_switches_its_write_cache(void **state)
{
	struct session_fixture *fixture = *state;
	const uint8_t off = 0;

	init_qemu(fixture);
	fixture->frontend.need_reply = true;
	ok(frontend_set_config(&fixture->frontend, 0, 0, &off, 1));
	assert_int_equal(frontend_set_config(&fixture->frontend, 8, 0, &off, 1),
			 -EREMOTEIO);
	fixture_expect_calls(fixture,
			     "GET_CONFIG 0+60\n"
			     "SET_CONFIG 0+1\n"
			     "SET_CONFIG 8+1 = EACCES\n");
}

/* NEED_REPLY is on every message after SET_PROTOCOL_FEATURES, GET_* included. */
static void init_cloud_hypervisor(struct session_fixture *fixture,
				  bool is_reconnect)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask = FIXTURE_BLK_PROTOCOL_FEATURES;

	fixture_connect(fixture);
	ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	mask = FIXTURE_BLK_PROTOCOL_FEATURES;
	if (!is_reconnect)
		ok(frontend_get_protocol_features(frontend, &mask));
	ok(frontend_set_protocol_features(frontend, mask &
			(vhb_bit(VHB_PROTOCOL_F_MQ) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIG) |
			 vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |
			 vhb_bit(VHB_PROTOCOL_F_INFLIGHT_SHMFD))));
	frontend->need_reply = true;
	if (is_reconnect)
		return;
	ok(frontend_get_queue_num(frontend, &mask));
	assert_int_equal(mask, FIXTURE_VRING_COUNT);
	get_config(fixture, CONFIG_WRITABLE);
	free(recorder_take(fixture->recorder));
}

/* All sizes first, then the region; the base, an available index, after ADDR */
static void activate_cloud_hypervisor(struct session_fixture *fixture,
				      struct kept *kept,
				      const unsigned int *bases)
{
	struct frontend *frontend = &fixture->frontend;

	ok(frontend_set_features(frontend, FEATURES));
	fixture_declare_memory(fixture);
	for (unsigned int i = 0; i < 2; i++)
		ok(frontend_set_vring_num(frontend, i, 256));
	show_region(fixture, kept, 2);
	for (unsigned int i = 0; i < 2; i++) {
		set_addr(fixture, i);
		ok(frontend_set_vring_base(frontend, i, bases[i]));
		ok(frontend_set_vring_call(frontend, i, fixture->call_fds[i]));
		ok(frontend_set_vring_kick(frontend, i, fixture->kick_fds[i]));
	}
	for (unsigned int i = 0; i < 2; i++)
		ok(frontend_set_vring_enable(frontend, i, true));
}

static void cloud_hypervisor_pauses_resumes_and_resets(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct kept kept = KEPT_NOTHING;
	unsigned int bases[2] = { 0, 0 };

	init_cloud_hypervisor(fixture, false);
	activate_cloud_hypervisor(fixture, &kept, bases);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call0)
			     FIXTURE_SLOT_START_LINES(1, 256, 0, kick1, call1));
	recorder_advance(fixture->recorder, 0, 6);
	for (unsigned int i = 0; i < 2; i++)
		ok(frontend_set_vring_enable(frontend, i, false));
	assert_int_equal(recorder_running(fixture->recorder), 0);
	for (unsigned int i = 0; i < 2; i++)
		ok(frontend_set_vring_enable(frontend, i, true));
	fixture_expect_calls(fixture,
			     "STOP 0\nSTOP 1\n"
			     FIXTURE_SLOT_START_LINES(0, 256, 6, kick0, call0)
			     FIXTURE_SLOT_START_LINES(1, 256, 0, kick1, call1));
	for (unsigned int i = 0; i < 2; i++) {
		ok(frontend_set_vring_enable(frontend, i, false));
		ok(frontend_get_vring_base(frontend, i, &bases[i]));
	}
	assert_int_equal(bases[0], 6);
	fixture_forget_calls(fixture);
	/* The guest begins anew: what was is of no interest. */
	activate_cloud_hypervisor(fixture, &kept, (unsigned int[]){ 0, 0 });
	fixture_expect_calls(fixture,
			     FIXTURE_TABLE_LINE
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call0)
			     FIXTURE_SLOT_START_LINES(1, 256, 0, kick1, call1));
	close(kept.fd);
}

/* Ten requests were available that the broker that ended had not taken. */
static void cloud_hypervisor_reconnects_without_losing_requests(void **state)
{
	struct session_fixture *fixture = *state;
	struct kept kept = KEPT_NOTHING;

	init_cloud_hypervisor(fixture, false);
	activate_cloud_hypervisor(fixture, &kept, (unsigned int[]){ 0, 0 });
	recorder_advance(fixture->recorder, 0, 90);
	recorder_advance(fixture->recorder, 1, 50);
	fixture_disconnect(fixture);
	free(recorder_take(fixture->recorder));

	init_cloud_hypervisor(fixture, true);
	activate_cloud_hypervisor(fixture, &kept, (unsigned int[]){ 100, 50 });
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_SLOT_START_LINES(0, 256, 90, kick0, call0)
			     FIXTURE_SLOT_START_LINES(1, 256, 50, kick1, call1));
	close(kept.fd);
}

/* It has no use for the region. Its queues are as many as we say. */
static void crosvm_starts_sleeps_and_wakes(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	unsigned int base = 0;
	uint64_t mask;

	fixture_connect(fixture);
	ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	ok(frontend_get_protocol_features(frontend, &mask));
	ok(frontend_set_protocol_features(frontend, mask &
			(vhb_bit(VHB_PROTOCOL_F_MQ) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIG) |
			 vhb_bit(VHB_PROTOCOL_F_BACKEND_REQ) |
			 vhb_bit(VHB_PROTOCOL_F_REPLY_ACK))));
	fixture_give_channel(fixture);
	ok(frontend_get_queue_num(frontend, &mask));
	assert_int_equal(mask, FIXTURE_VRING_COUNT);
	get_config(fixture, CONFIG_WRITABLE);
	ok(frontend_set_features(frontend, FEATURES));
	fixture_declare_memory(fixture);
	fixture_forget_calls(fixture);
	for (unsigned int i = 0; i < 2; i++) {
		ok(frontend_set_vring_num(frontend, 0, 256));
		set_addr(fixture, 0);
		ok(frontend_set_vring_base(frontend, 0, base));
		ok(frontend_set_vring_call(frontend, 0, fixture->call_fds[0]));
		ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
		ok(frontend_set_vring_enable(frontend, 0, true));
		fixture_expect_alive(fixture);
		recorder_advance(fixture->recorder, 0, 31);
		ok(frontend_set_vring_enable(frontend, 0, false));
		ok(frontend_get_vring_base(frontend, 0, &base));
	}
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0)
			     "STOP 0\n"
			     FIXTURE_START_LINES(0, 256, 31, kick0, call0)
			     "STOP 0\n");
}

/* One queue, no feature but CONFIG, 60 bytes asked for as "writable" */
static void firecracker_starts(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask;

	fixture_connect(fixture);
	ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	ok(frontend_get_protocol_features(frontend, &mask));
	ok(frontend_set_protocol_features(frontend,
					  vhb_bit(VHB_PROTOCOL_F_CONFIG)));
	get_config(fixture, CONFIG_WRITABLE);
	/* VERSION_1, EVENT_IDX, FLUSH */
	ok(frontend_set_features(frontend,
				 FEATURES | vhb_bit(29) | vhb_bit(9)));
	fixture_declare_memory(fixture);
	ok(frontend_set_vring_num(frontend, 0, 256));
	set_addr(fixture, 0);
	ok(frontend_set_vring_base(frontend, 0, 0));
	ok(frontend_set_vring_call(frontend, 0, fixture->call_fds[0]));
	ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
	ok(frontend_set_vring_enable(frontend, 0, true));
	fixture_expect_calls(fixture,
			     "GET_CONFIG 0+60\n"
			     "SET_OWNER\n"
			     "SET_FEATURES 0x120000200\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
	get_config(fixture, CONFIG_WRITABLE);
	fixture_expect_calls(fixture, "GET_CONFIG 0+60\n");
}

/* The virtqueues are in a region of their own; buffers come and go. */
static void libblkio_maps_buffers_while_all_queues_run(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct guest_memory buffers;
	uint64_t mask;

	fixture_connect(fixture);
	ok(frontend_get_features(frontend, &mask));
	ok(frontend_get_protocol_features(frontend, &mask));
	ok(frontend_set_protocol_features(frontend, mask &
			(vhb_bit(VHB_PROTOCOL_F_MQ) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIG) |
			 vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIGURE_MEM_SLOTS))));
	frontend->need_reply = true;
	ok(frontend_set_owner(frontend));
	ok(frontend_get_queue_num(frontend, &mask));
	ok(frontend_get_max_mem_slots(frontend, &mask));
	get_config(fixture, 0);
	ok(frontend_set_features(frontend, FEATURES));
	ok(frontend_add_mem_reg(frontend, &fixture->memory.region,
				fixture->memory.fd));
	fixture_forget_calls(fixture);
	for (unsigned int i = 0; i < FIXTURE_VRING_COUNT; i++)
		fixture_start_vring(fixture, i);
	fixture_expect_calls(fixture,
			     DEVICE_LINES
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call1)
			     FIXTURE_START_LINES(2, 256, 0, kick2, call2)
			     FIXTURE_START_LINES(3, 256, 0, kick3, call3));
	ok(guest_memory_create(&buffers, 1, 0x7f0000000000, 0));
	ok(frontend_add_mem_reg(frontend, &buffers.region, buffers.fd));
	ok(frontend_rem_mem_reg(frontend, &buffers.region));
	fixture_expect_calls(fixture,
			     "SET_MEM_TABLE 2: 0x0+0x400000 0x7f0000000000+0x100000\n"
			     FIXTURE_TABLE_LINE);
	guest_memory_destroy(&buffers);
}

/* Its guest acks packed vrings, and it says zero of their base. */
static void user_mode_linux_starts_a_packed_vring(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask;
	int calls[2];

	fixture_connect(fixture);
	ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	ok(frontend_get_protocol_features(frontend, &mask));
	ok(frontend_set_protocol_features(frontend, mask &
			(vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
			 vhb_bit(VHB_PROTOCOL_F_BACKEND_REQ) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIG))));
	frontend->need_reply = true;
	fixture_give_channel(fixture);
	get_config(fixture, 0);
	ok(frontend_set_features(frontend, FEATURES | FIXTURE_PACKED));
	fixture_declare_memory(fixture);
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, calls));
	ok(frontend_set_vring_call(frontend, 0, calls[1]));
	ok(frontend_set_vring_num(frontend, 0, 128));
	ok(frontend_set_vring_base(frontend, 0, 0));
	set_addr(fixture, 0);
	ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
	ok(frontend_set_vring_enable(frontend, 0, true));
	fixture_expect_calls(fixture,
			     "GET_CONFIG 0+60\n"
			     PACKED_DEVICE_LINES
			     FIXTURE_START_LINES(0, 128, 2147516416, kick0, eventfd));
	close(calls[0]);
	close(calls[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		blk_fixture_test(qemu_starts_stops_and_starts_again),
		blk_fixture_test(qemus_firmware_uses_one_queue_and_the_system_all),
		blk_fixture_test(qemu_reconnects_to_a_split_vring),
		blk_fixture_test(qemu_reconnects_to_a_packed_vring),
		blk_fixture_test(qemus_guest_switches_its_write_cache),
		blk_fixture_test(cloud_hypervisor_pauses_resumes_and_resets),
		blk_fixture_test(cloud_hypervisor_reconnects_without_losing_requests),
		blk_fixture_test(crosvm_starts_sleeps_and_wakes),
		blk_fixture_test(firecracker_starts),
		blk_fixture_test(libblkio_maps_buffers_while_all_queues_run),
		blk_fixture_test(user_mode_linux_starts_a_packed_vring),
	};

	return cmocka_run_group_tests_name("block devices", tests, NULL, NULL);
}
