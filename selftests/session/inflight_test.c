// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/inflight_fixture.h"

/* GET_INFLIGHT_FD, SET_INFLIGHT_FD, and who believes what is saved there */

static void a_region_is_sealed_and_has_a_slot_each_vring(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;
	struct stat st;

	connect_blk(fixture);
	get_region(fixture, &region);
	assert_int_equal(region.description.mmap_bytes, 4 * SLOT);
	assert_int_equal(region.description.mmap_offset_bytes, 0);
	assert_int_equal(region.description.queue_count, 4);
	assert_int_equal(region.description.queue_entries, 256);
	assert_int_equal(fcntl(region.fd, F_GET_SEALS),
			 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	ok(fstat(region.fd, &st));
	assert_int_equal(st.st_size, 4 * SLOT);
	for (unsigned int i = 0; i < 4; i++)
		assert_saved(&region, i, 0, 0);
	drop_region(&region);
}

static void fewer_queues_have_fewer_slots(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_inflight description;
	int fd;

	connect_blk(fixture);
	ok(frontend_get_inflight_fd(&fixture->frontend, 1, 1, &description,
				    &fd));
	assert_int_equal(description.mmap_bytes, SLOT);
	ok(frontend_set_inflight_fd(&fixture->frontend, &description, fd));
	fixture_forget_calls(fixture);
	start_at(fixture, 0, 0);
	start_at(fixture, 1, 0);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call0)
			     FIXTURE_START_LINES(1, 256, 0, kick1, call1));
	close(fd);
}

/* 20 bytes in the specification, 24 where the compiler pads the structure */
static void the_reply_is_as_long_as_the_question(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_inflight asked = {
		.queue_count = 4,
		.queue_entries = 128,
	};
	int fd;

	connect_blk(fixture);
	for (size_t bytes = VHB_WIRE_INFLIGHT_BYTES; bytes <= sizeof(asked);
	     bytes += 4) {
		struct vhb_wire_inflight answer = { 0 };

		ok(frontend_ask_fd(&fixture->frontend, VHB_GET_INFLIGHT_FD,
				   &asked, bytes, &answer, &fd));
		assert_int_equal(answer.mmap_bytes, 4 * SLOT);
		assert_int_equal(answer.queue_entries, 128);
		ok(frontend_tell(&fixture->frontend, VHB_SET_INFLIGHT_FD,
				 &answer, bytes, &fd, 1));
		close(fd);
	}
}

static void a_vring_saves_its_base_when_it_stops(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;

	connect_blk(fixture);
	get_region(fixture, &region);
	set_region(fixture, &region);
	region.saved[0]->base = 77;
	start_at(fixture, 0, 5);
	assert_saved(&region, 0, 0, 0);
	recorder_advance(fixture->recorder, 0, 10);
	ok(frontend_set_vring_enable(&fixture->frontend, 0, false));
	assert_saved(&region, 0, 15, 1);
	/* Without having been told the front-end goes on. */
	ok(frontend_set_vring_enable(&fixture->frontend, 0, true));
	assert_saved(&region, 0, 0, 0);
	recorder_advance(fixture->recorder, 0, 1);
	fixture_disconnect(fixture);
	assert_saved(&region, 0, 16, 1);
	drop_region(&region);
}

/* Cloud Hypervisor says the available index, QEMU the used one, if split. */
static void a_saved_base_wins_over_what_the_front_end_believes(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;

	connect_blk(fixture);
	get_region(fixture, &region);
	set_region(fixture, &region);
	start_at(fixture, 0, 0);
	start_at(fixture, 1, 0);
	recorder_advance(fixture->recorder, 0, 100);
	fixture_disconnect(fixture);

	connect_with(fixture, &region);
	fixture_forget_calls(fixture);
	start_at(fixture, 0, 164);
	start_at(fixture, 1, 3);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_SLOT_START_LINES(0, 256, 100, kick0, call0)
			     FIXTURE_SLOT_START_LINES(1, 256, 0, kick1, call1));
	drop_region(&region);
}

static void a_base_that_is_replaced_is_told(void **state)
{
	static struct log_capture capture;
	struct session_fixture *fixture = *state;
	struct region region;

	connect_blk(fixture);
	get_region(fixture, &region);
	for (unsigned int i = 0; i < 2; i++) {
		region.saved[i]->base = 100;
		region.saved[i]->is_saved = 1;
	}
	set_region(fixture, &region);
	log_capture_begin(&capture);
	vhb_log_set_level(VHB_LOG_INFO);
	start_at(fixture, 0, 164);
	start_at(fixture, 1, 100);
	log_capture_end(&capture);
	assert_int_equal(log_capture_count(&capture, "saved base"), 1);
	assert_int_equal(log_capture_count(&capture,
					   "vring 0 goes on at the saved base 0x64, not at 0xa4"),
			 1);
	drop_region(&region);
}

static void a_packed_vring_goes_on_where_it_was(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;

	connect_blk(fixture);
	ok(frontend_set_features(&fixture->frontend,
				 FEATURES | FIXTURE_PACKED));
	get_region(fixture, &region);
	set_region(fixture, &region);
	start_at(fixture, 0, 0x80008000);
	recorder_set_base(fixture->recorder, 0, 0x00210021);
	fixture_disconnect(fixture);

	connect_with(fixture, &region);
	ok(frontend_set_features(&fixture->frontend,
				 FEATURES | FIXTURE_PACKED));
	fixture_forget_calls(fixture);
	start_at(fixture, 0, 0x80008000);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x500000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_SLOT_START_LINES(0, 256, 2162721, kick0, call0));
	drop_region(&region);
}

/* From then on the front-end knows, or has another vring in its place. */
static void a_base_that_was_told_is_forgotten(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct region region;
	unsigned int base;

	connect_blk(fixture);
	get_region(fixture, &region);
	set_region(fixture, &region);
	start_at(fixture, 0, 0);
	recorder_advance(fixture->recorder, 0, 9);
	ok(frontend_get_vring_base(frontend, 0, &base));
	assert_int_equal(base, 9);
	assert_int_equal(region.saved[0]->is_saved, 0);

	/* QEMU shows the region at each start. */
	set_region(fixture, &region);
	fixture_forget_calls(fixture);
	start_at(fixture, 0, 0);
	fixture_expect_calls(fixture,
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call0));
	drop_region(&region);
}

static void a_saved_base_is_told_to_who_asks_before_the_start(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;
	unsigned int base;

	connect_blk(fixture);
	get_region(fixture, &region);
	region.saved[2]->base = 1234;
	region.saved[2]->is_saved = 1;
	set_region(fixture, &region);
	ok(frontend_get_vring_base(&fixture->frontend, 2, &base));
	assert_int_equal(base, 1234);
	assert_int_equal(region.saved[2]->is_saved, 0);
	ok(frontend_get_vring_base(&fixture->frontend, 2, &base));
	assert_int_equal(base, 1234);
	drop_region(&region);
}

static void a_reset_device_forgets(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;

	connect_blk(fixture);
	get_region(fixture, &region);
	set_region(fixture, &region);
	start_at(fixture, 0, 7);
	start_at(fixture, 1, 8);
	ok(frontend_reset_device(&fixture->frontend));
	assert_int_equal(recorder_running(fixture->recorder), 0);
	assert_int_equal(region.saved[0]->is_saved, 0);
	assert_int_equal(region.saved[1]->is_saved, 0);
	/* It keeps the region, though. */
	ok(frontend_set_features(&fixture->frontend, FEATURES));
	fixture_forget_calls(fixture);
	start_at(fixture, 0, 0);
	fixture_expect_calls(fixture,
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call0));
	drop_region(&region);
}

static void a_driver_that_resets_forgets(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;

	connect_blk(fixture);
	get_region(fixture, &region);
	set_region(fixture, &region);
	ok(frontend_set_status(&fixture->frontend, 15));
	start_at(fixture, 0, 7);
	ok(frontend_set_status(&fixture->frontend, 0));
	assert_int_equal(recorder_running(fixture->recorder), 0);
	assert_int_equal(region.saved[0]->is_saved, 0);
	drop_region(&region);
}

/* Set up again without GET_VRING_BASE: the old one's base is no one's. */
static void another_vring_in_its_place_forgets(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;

	connect_blk(fixture);
	get_region(fixture, &region);
	set_region(fixture, &region);
	start_at(fixture, 0, 0);
	recorder_advance(fixture->recorder, 0, 50);
	ok(frontend_set_vring_base(&fixture->frontend, 0, 0));
	assert_false(recorder_is_running(fixture->recorder, 0));
	assert_int_equal(region.saved[0]->is_saved, 0);
	fixture_forget_calls(fixture);
	start_at(fixture, 0, 0);
	fixture_expect_calls(fixture,
			     FIXTURE_SLOT_START_LINES(0, 256, 0, kick0, call0));
	drop_region(&region);
}

static void another_region_moves_running_vrings(void **state)
{
	struct session_fixture *fixture = *state;
	struct region first, second;

	connect_blk(fixture);
	get_region(fixture, &first);
	get_region(fixture, &second);
	set_region(fixture, &first);
	start_at(fixture, 0, 0);
	recorder_advance(fixture->recorder, 0, 3);
	/* Of a vring that runs the kernel knows best. */
	second.saved[0]->base = 99;
	second.saved[0]->is_saved = 1;
	fixture_forget_calls(fixture);
	set_region(fixture, &second);
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     FIXTURE_SLOT_START_LINES(0, 256, 3, kick0, call0));
	recorder_advance(fixture->recorder, 0, 1);
	fixture_disconnect(fixture);
	assert_saved(&first, 0, 3, 1);
	assert_saved(&second, 0, 4, 1);
	drop_region(&first);
	drop_region(&second);
}

static void a_saved_base_that_cannot_be_is_not_used(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;

	vhb_log_set_level(VHB_LOG_ERROR);
	connect_blk(fixture);
	get_region(fixture, &region);
	memset(region.map, 0xff, 4 * SLOT);
	region.saved[1]->is_saved = 1;
	set_region(fixture, &region);
	fixture_forget_calls(fixture);
	start_at(fixture, 0, 11);
	start_at(fixture, 1, 12);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_SLOT_START_LINES(0, 256, 11, kick0, call0)
			     FIXTURE_SLOT_START_LINES(1, 256, 12, kick1, call1));
	drop_region(&region);
}

/* All that is wrong with one message leaves the region before it in force. */
static void a_kernel_that_fails_leaves_the_old_region(void **state)
{
	struct session_fixture *fixture = *state;
	struct region first, second;

	connect_blk(fixture);
	get_region(fixture, &first);
	get_region(fixture, &second);
	set_region(fixture, &first);
	start_at(fixture, 0, 0);
	start_at(fixture, 1, 0);
	recorder_advance(fixture->recorder, 0, 3);
	recorder_fail_named(fixture->recorder, "START", EIO, 1);
	assert_int_equal(frontend_set_inflight_fd(&fixture->frontend,
						  &second.description,
						  second.fd), -EREMOTEIO);
	assert_int_equal(recorder_running(fixture->recorder), 2);
	recorder_advance(fixture->recorder, 1, 8);
	fixture_disconnect(fixture);
	assert_saved(&first, 0, 3, 1);
	assert_saved(&first, 1, 8, 1);
	drop_region(&first);
	drop_region(&second);
}

/* Holes are filled with zeros again; a reader must not notice. */
static void a_hole_in_the_region_harms_nobody(void **state)
{
	struct session_fixture *fixture = *state;
	struct region region;

	connect_blk(fixture);
	get_region(fixture, &region);
	set_region(fixture, &region);
	start_at(fixture, 0, 4);
	ok(fallocate(region.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		     4 * SLOT));
	assert_int_not_equal(ftruncate(region.fd, 0), 0);
	ok(frontend_set_vring_enable(&fixture->frontend, 0, false));
	assert_saved(&region, 0, 4, 1);
	drop_region(&region);
}

/* As a hole for which the host has no memory: whoever touches it dies. */
static void a_slot_that_cannot_be_touched_has_nothing_saved(void **state)
{
	static struct log_capture capture;
	struct vhb_wire_inflight description = {
		.queue_count = 2,
		.queue_entries = 256,
	};
	struct vhb_inflight *inflight;
	struct vhb_why why;
	uint32_t base = 7;
	int fd;

	(void)state;
	ok(vhb_inflight_create(2, &description, &fd));
	ok(vhb_inflight_map(&description, fd, &why, &inflight));
	ok(mprotect((void *)vhb_inflight_slot(inflight, 0), PAGE, PROT_NONE));
	log_capture_begin(&capture);
	assert_false(vhb_inflight_base(inflight, 0, &base));
	assert_false(vhb_inflight_base(inflight, 1, &base));
	vhb_inflight_forget(inflight, 1);
	log_capture_end(&capture);
	assert_int_equal(base, 7);
	assert_int_equal(log_capture_count(&capture,
					   "the saved base of vring 0 is not read: Bad address"),
			 1);
	assert_int_equal(log_capture_count(&capture, "vring 1"), 0);
	vhb_inflight_unmap(inflight);
	close(fd);
}

static void a_device_that_does_not_drain_does_not_offer_it(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t mask;

	recorder_set_protocol_features(fixture->recorder, 0);
	fixture_connect(fixture);
	ok(frontend_get_protocol_features(&fixture->frontend, &mask));
	assert_false(vhb_has_bit(mask, VHB_PROTOCOL_F_INFLIGHT_SHMFD));
	assert_int_equal(mask, FIXTURE_BLK_PROTOCOL_FEATURES &
			       ~vhb_bit(VHB_PROTOCOL_F_INFLIGHT_SHMFD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		blk_fixture_test(a_region_is_sealed_and_has_a_slot_each_vring),
		blk_fixture_test(fewer_queues_have_fewer_slots),
		blk_fixture_test(the_reply_is_as_long_as_the_question),
		blk_fixture_test(a_vring_saves_its_base_when_it_stops),
		blk_fixture_test(a_saved_base_wins_over_what_the_front_end_believes),
		blk_fixture_test(a_base_that_is_replaced_is_told),
		blk_fixture_test(a_packed_vring_goes_on_where_it_was),
		blk_fixture_test(a_base_that_was_told_is_forgotten),
		blk_fixture_test(a_saved_base_is_told_to_who_asks_before_the_start),
		blk_fixture_test(a_reset_device_forgets),
		blk_fixture_test(a_driver_that_resets_forgets),
		blk_fixture_test(another_vring_in_its_place_forgets),
		blk_fixture_test(another_region_moves_running_vrings),
		blk_fixture_test(a_saved_base_that_cannot_be_is_not_used),
		blk_fixture_test(a_kernel_that_fails_leaves_the_old_region),
		blk_fixture_test(a_hole_in_the_region_harms_nobody),
		cmocka_unit_test(a_slot_that_cannot_be_touched_has_nothing_saved),
		blk_fixture_test(a_device_that_does_not_drain_does_not_offer_it),
	};

	return cmocka_run_group_tests_name("saved bases", tests, NULL, NULL);
}
