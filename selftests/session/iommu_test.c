// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest with an IOMMU: addresses, updates, and when a vring can run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/iommu_fixture.h"
#include "lib/refusal.h"

#define ALL_FORGOTTEN \
	"IOTLB_INVALIDATE 0x0+0x8000000000000000\n" \
	"IOTLB_INVALIDATE 0x8000000000000000+0x8000000000000000\n"

static void test_it_is_offered_only_when_asked_for(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t offered;

	fixture->has_iommu = false;
	fixture_connect(fixture);
	assert_int_equal(frontend_get_features(&fixture->frontend, &offered), 0);
	assert_false(vhb_has_bit(offered, 33));
	fixture_disconnect(fixture);

	fixture->has_iommu = true;
	fixture_connect(fixture);
	assert_int_equal(frontend_get_features(&fixture->frontend, &offered), 0);
	assert_true(vhb_has_bit(offered, 33));
}

static void test_a_vring_waits_until_its_used_ring_is_known(void **state)
{
	struct session_fixture *fixture = *state;
	int channel;

	channel = iommu_fixture_start(fixture, 1);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x300000000\n"
			     FIXTURE_TABLE_LINE
			     IOMMU_START_LINES(0, " = EAGAIN"));
	iommu_expect_miss(channel, IOMMU_USED(0), VHOST_ACCESS_WO);
	/* Any message makes the session compare what is with what shall be. */
	assert_int_equal(frontend_set_vring_call(&fixture->frontend, 0,
						 fixture->call_fds[1]), 0);
	fixture_expect_calls(fixture, "");

	iommu_update(fixture, IOMMU_USED(0), 0x1000, 0x200000, VHOST_ACCESS_RW);
	fixture_expect_calls(fixture,
			     "IOTLB_UPDATE 0xfed00000c000+0x1000 at 0x200000 permission 3\n"
			     IOMMU_START_WITH_CALL(0, call1, ""));
	close(channel);
}

/* vhost tells errors of a used ring that it misses, too. */
static void test_a_miss_at_the_start_is_no_error(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_vring_addr addr = iommu_vring_addr(0);
	struct frontend *frontend = &fixture->frontend;
	const int channel = iommu_fixture_connect(fixture, true);

	assert_int_equal(frontend_set_vring_num(frontend, 0, FIXTURE_VRING_NUM),
			 0);
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), 0);
	assert_int_equal(frontend_set_vring_err(frontend, 0,
						fixture->call_fds[1]), 0);
	assert_int_equal(frontend_set_vring_enable(frontend, 0, true), 0);
	assert_int_equal(frontend_set_vring_kick(frontend, 0,
						 fixture->kick_fds[0]), 0);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x300000000\n"
			     FIXTURE_TABLE_LINE
			     IOMMU_START_WITH_CALL(0, none, " = EAGAIN"));
	iommu_update(fixture, IOMMU_USED(0), 0x1000, 0x200000, VHOST_ACCESS_RW);
	fixture_expect_calls(fixture,
			     "IOTLB_UPDATE 0xfed00000c000+0x1000 at 0x200000 permission 3\n"
			     IOMMU_START_WITH_CALL(0, none, "")
			     "SET_VRING_ERR 0 call1\n");
	close(channel);
}

static void test_a_waiting_vring_can_be_stopped_and_moved(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = iommu_vring_addr(2);
	unsigned int base;
	int channel;

	channel = iommu_fixture_start(fixture, 1);
	iommu_expect_miss(channel, IOMMU_USED(0), VHOST_ACCESS_WO);
	fixture_forget_calls(fixture);
	assert_int_equal(frontend_get_vring_base(&fixture->frontend, 0, &base),
			 0);
	assert_int_equal(base, 0);
	iommu_update(fixture, IOMMU_USED(0), 0x1000, 0x200000, VHOST_ACCESS_RW);
	fixture_expect_calls(fixture,
			     "IOTLB_UPDATE 0xfed00000c000+0x1000 at 0x200000 permission 3\n");

	addr.index = 0;
	assert_int_equal(frontend_set_vring_addr(&fixture->frontend, &addr), 0);
	assert_int_equal(frontend_set_vring_kick(&fixture->frontend, 0,
						 fixture->kick_fds[0]), 0);
	iommu_expect_miss(channel, IOMMU_USED(2), VHOST_ACCESS_WO);
	addr = iommu_vring_addr(0);
	assert_int_equal(frontend_set_vring_addr(&fixture->frontend, &addr), 0);
	fixture_expect_alive(fixture);
	assert_true(recorder_is_running(fixture->recorder, 0));
	close(channel);
}

static void test_an_update_is_split_at_the_edges_of_regions(void **state)
{
	struct session_fixture *fixture = *state;
	/* Neighbours to the front-end, far apart in the guest */
	const struct vhb_wire_region regions[] = {
		{ .gpa = 0, .size_bytes = 0x100000, .uva = FIXTURE_UVA },
		{ .gpa = 0x10000000, .size_bytes = 0x3000,
		  .uva = FIXTURE_UVA + 0x100000, .offset_bytes = 0x100000 },
		{ .gpa = 0x8000000, .size_bytes = 0x100000,
		  .uva = FIXTURE_UVA + 0x103000, .offset_bytes = 0x200000 },
	};
	const int fds[] = { fixture->memory.fd, fixture->memory.fd,
			    fixture->memory.fd };
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	assert_int_equal(frontend_set_mem_table(&fixture->frontend, regions,
						fds, 3), 0);
	fixture_forget_calls(fixture);
	iommu_update(fixture, 0x5000, 0x6000, 0xff000, VHOST_ACCESS_RO);
	fixture_expect_calls(fixture,
			     "IOTLB_UPDATE 0x5000+0x1000 at 0xff000 permission 1\n"
			     "IOTLB_UPDATE 0x6000+0x3000 at 0x10000000 permission 1\n"
			     "IOTLB_UPDATE 0x9000+0x2000 at 0x8000000 permission 1\n");
	iommu_update(fixture, UINT64_MAX - 0xfff, 0x1000, 0x1ff,
		     VHOST_ACCESS_WO);
	fixture_expect_calls(fixture,
			     "IOTLB_UPDATE 0xfffffffffffff000+0x1000 at 0x1ff permission 2\n");
	close(channel);
}

static void refuse(struct session_fixture *fixture,
		   const struct vhb_wire_iotlb *entry, int error)
{
	assert_int_equal(frontend_iotlb(&fixture->frontend, entry),
			 -EREMOTEIO);
	assert_int_equal(fixture->frontend.last_ack, error);
}

static void test_what_is_outside_of_memory_is_refused(void **state)
{
	static const struct {
		uint64_t distance_bytes;
		uint64_t size_bytes;
	} outside[] = {
		{ FIXTURE_MEMORY_BYTES, 0x1000 },
		{ FIXTURE_MEMORY_BYTES - 0x1000, 0x1001 },
		{ FIXTURE_MEMORY_BYTES - 1, 2 },
		{ 0, FIXTURE_MEMORY_BYTES + 1 },
		{ 0, UINT64_MAX - 0x2000 },
		{ UINT64_C(0) - 0x1000, 0x2000 },
		{ UINT64_C(0) - FIXTURE_UVA, 0x1000 },
		{ UINT64_MAX - FIXTURE_UVA, 1 },
		{ UINT64_MAX - FIXTURE_UVA, 2 },
	};
	struct session_fixture *fixture = *state;
	struct vhb_wire_iotlb entry = {
		.iova = 0x1000,
		.permission = VHOST_ACCESS_RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(outside); i++) {
		entry.uva = FIXTURE_UVA + outside[i].distance_bytes;
		entry.size_bytes = outside[i].size_bytes;
		refuse(fixture, &entry, EFAULT);
	}
	fixture_expect_calls(fixture, "");
	close(channel);
}

static void test_what_is_malformed_is_refused(void **state)
{
	static const struct vhb_wire_iotlb entries[] = {
		{ 0x1000, 0x1000, FIXTURE_UVA, 3, 0, { 0 } },
		{ 0x1000, 0x1000, FIXTURE_UVA, 3, VHOST_IOTLB_MISS, { 0 } },
		{ 0x1000, 0x1000, FIXTURE_UVA, 3, VHOST_IOTLB_ACCESS_FAIL,
		  { 0 } },
		{ 0x1000, 0x1000, FIXTURE_UVA, 3, 5, { 0 } },
		{ 0x1000, 0x1000, FIXTURE_UVA, 3, 255, { 0 } },
		{ 0x1000, 0x1000, FIXTURE_UVA, 0, VHOST_IOTLB_UPDATE, { 0 } },
		{ 0x1000, 0x1000, FIXTURE_UVA, 4, VHOST_IOTLB_UPDATE, { 0 } },
		{ 0x1000, 0, FIXTURE_UVA, 3, VHOST_IOTLB_UPDATE, { 0 } },
		{ 0, 0, FIXTURE_UVA, 3, VHOST_IOTLB_UPDATE, { 0 } },
		{ UINT64_MAX, 2, FIXTURE_UVA, 3, VHOST_IOTLB_UPDATE, { 0 } },
		{ 0x1000, 0, 0, 0, VHOST_IOTLB_INVALIDATE, { 0 } },
		{ UINT64_MAX, 2, 0, 0, VHOST_IOTLB_INVALIDATE, { 0 } },
		{ 1, UINT64_MAX, 0, 3, VHOST_IOTLB_UPDATE, { 0 } },
	};
	struct session_fixture *fixture = *state;
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(entries); i++)
		refuse(fixture, &entries[i],
		       i + 1 == VHB_ARRAY_COUNT(entries) ? EFAULT : EINVAL);
	fixture_expect_calls(fixture, "");
	close(channel);
}

static void test_a_message_without_the_feature_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_iotlb entry = {
		.size_bytes = 1,
		.type = VHOST_IOTLB_INVALIDATE,
	};

	fixture_start(fixture, 1);
	refuse(fixture, &entry, EOPNOTSUPP);
	fixture_expect_calls(fixture, "");
}

static void test_an_answer_comes_only_when_asked_for(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_iotlb entry = {
		.size_bytes = 0x1000,
		.uva = FIXTURE_UVA,
		.permission = VHOST_ACCESS_RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	uint64_t value = UINT64_MAX;
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	assert_int_equal(frontend_send(&fixture->frontend, VHB_IOTLB_MSG, 0x1,
				       &entry, sizeof(entry), NULL, 0), 0);
	fixture_expect_alive(fixture);
	assert_int_equal(frontend_send(&fixture->frontend, VHB_IOTLB_MSG, 0x9,
				       &entry, sizeof(entry), NULL, 0), 0);
	assert_int_equal(frontend_receive_reply(&fixture->frontend,
						VHB_IOTLB_MSG, &value,
						sizeof(value)), 0);
	assert_int_equal(value, 0);
	fixture_forget_calls(fixture);
	close(channel);
}

static void test_invalidations_go_down(void **state)
{
	struct session_fixture *fixture = *state;
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	iommu_invalidate(fixture, 0x123000, 0x5000);
	fixture_expect_calls(fixture, "IOTLB_INVALIDATE 0x123000+0x5000\n");
	iommu_invalidate(fixture, 0, UINT64_MAX);
	fixture_expect_calls(fixture,
			     "IOTLB_INVALIDATE 0x0+0xffffffffffffffff\n");
	iommu_invalidate(fixture, 0, 0);
	fixture_expect_calls(fixture, ALL_FORGOTTEN);
	close(channel);
}

static void test_an_update_that_fails_leaves_no_half_of_it(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_iotlb entry = {
		.iova = 0x7000,
		.size_bytes = 0x2000,
		.uva = FIXTURE_UVA,
		.permission = VHOST_ACCESS_RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	recorder_fail_named(fixture->recorder, "IOTLB_UPDATE", ENOMEM, 1);
	refuse(fixture, &entry, ENOMEM);
	fixture_expect_calls(fixture,
			     "IOTLB_UPDATE 0x7000+0x2000 at 0x0 permission 3 = ENOMEM\n"
			     "IOTLB_INVALIDATE 0x7000+0x2000\n");
	assert_true(recorder_is_running(fixture->recorder, 0));
	close(channel);
}

static void test_what_comes_before_there_is_an_iotlb_is_judged_only(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_iotlb entry = {
		.size_bytes = 0x1000,
		.uva = FIXTURE_UVA,
		.permission = VHOST_ACCESS_RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	int channel;

	channel = iommu_fixture_start(fixture, 0);
	assert_int_equal(frontend_iotlb(&fixture->frontend, &entry), 0);
	iommu_invalidate(fixture, 0, 0x1000);
	entry.uva = FIXTURE_UVA - 1;
	refuse(fixture, &entry, EFAULT);
	fixture_expect_calls(fixture, "");
	close(channel);
}

static void test_nothing_points_to_memory_that_goes(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_region region = {
		.gpa = 0x40000000,
		.size_bytes = 0x100000,
		.uva = FIXTURE_UVA + 0x40000000,
	};
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	/* Neither is forgotten when memory comes. */
	assert_int_equal(frontend_add_mem_reg(&fixture->frontend, &region,
					      fixture->memory.fd), 0);
	fixture_expect_calls(fixture,
			     "SET_MEM_TABLE 1: 0x0+0x40100000\n");
	iommu_update(fixture, 0x1000, 0x1000, 0x40000000, VHOST_ACCESS_RW);
	fixture_expect_calls(fixture,
			     "IOTLB_UPDATE 0x1000+0x1000 at 0x40000000 permission 3\n");
	/* The recorder looks at all it knows when it gets the new table. */
	assert_int_equal(frontend_rem_mem_reg(&fixture->frontend, &region), 0);
	fixture_expect_calls(fixture, ALL_FORGOTTEN
			     "SET_MEM_TABLE 1: 0x0+0x400000\n");
	assert_true(recorder_is_running(fixture->recorder, 0));
	close(channel);
}

static void test_memory_does_not_go_while_the_kernel_knows_it(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_region region = {
		.gpa = 0x40000000,
		.size_bytes = 0x100000,
		.uva = FIXTURE_UVA + 0x40000000,
	};
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	assert_int_equal(frontend_add_mem_reg(&fixture->frontend, &region,
					      fixture->memory.fd), 0);
	fixture_forget_calls(fixture);
	recorder_fail_named(fixture->recorder, "IOTLB_INVALIDATE", EFAULT, 1);
	assert_int_equal(frontend_rem_mem_reg(&fixture->frontend, &region),
			 -EREMOTEIO);
	fixture_expect_calls(fixture,
			     "IOTLB_INVALIDATE 0x0+0x8000000000000000 = EFAULT\n");
	/* It is still there. */
	iommu_update(fixture, 0x1000, 0x1000, 0x40000000, VHOST_ACCESS_RW);
	fixture_forget_calls(fixture);
	close(channel);
}

static void test_the_same_features_again_do_not_reach_the_kernel(void **state)
{
	struct session_fixture *fixture = *state;
	int channel;

	channel = iommu_fixture_run(fixture, 2);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(frontend_set_features(&fixture->frontend,
						       IOMMU_FEATURES), 0);
	fixture_expect_calls(fixture, "");
	close(channel);
}

/* The kernel's IOTLB is a new one then: its vrings must not be lost with the old. */
static void test_other_features_have_vrings_ask_anew(void **state)
{
	struct session_fixture *fixture = *state;
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	assert_int_equal(frontend_set_features(&fixture->frontend,
					       IOMMU_FEATURES | 0x8000), 0);
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     "SET_FEATURES 0x300008000\n"
			     IOMMU_START_LINES(0, " = EAGAIN"));
	iommu_expect_miss(channel, IOMMU_USED(0), VHOST_ACCESS_WO);
	iommu_update(fixture, IOMMU_USED(0), 0x1000, 0x200000, VHOST_ACCESS_RW);
	fixture_expect_calls(fixture,
			     "IOTLB_UPDATE 0xfed00000c000+0x1000 at 0x200000 permission 3\n"
			     IOMMU_START_LINES(0, ""));
	/* And back to what they are without. */
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0,
						   false), 0);
	assert_int_equal(frontend_set_features(&fixture->frontend,
					       FIXTURE_VERSION_1 |
					       FIXTURE_BIT30), 0);
	/* vhost-net has no other way to lose its IOTLB. */
	fixture_expect_calls(fixture, "STOP 0\nDISOWN\n");
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0,
						   true), -EREMOTEIO);
	assert_int_equal(fixture->frontend.last_ack, EFAULT);
	close(channel);
}

/* Some of a device's descriptors may have made one before another failed. */
static void test_an_iotlb_that_was_made_in_vain_goes(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	fixture_forget_calls(fixture);
	recorder_fail_named(fixture->recorder, "SET_FEATURES", ENOMEM, 1);
	assert_int_equal(frontend_set_features(&fixture->frontend,
					       IOMMU_FEATURES), -EREMOTEIO);
	assert_int_equal(fixture->frontend.last_ack, ENOMEM);
	fixture_expect_calls(fixture,
			     "STOP 0\n"
			     "SET_FEATURES 0x300000000 = ENOMEM\n"
			     "DISOWN\n"
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void test_ring_addresses_that_wrap_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_vring_addr addr = iommu_vring_addr(0);
	int channel;

	channel = iommu_fixture_run(fixture, 1);
	addr.used_uva = UINT64_MAX - 3;
	assert_int_equal(frontend_set_vring_addr(&fixture->frontend, &addr),
			 -EREMOTEIO);
	assert_int_equal(fixture->frontend.last_ack, EINVAL);
	addr = iommu_vring_addr(0);
	addr.desc_uva = UINT64_MAX - 15;
	assert_int_equal(frontend_set_vring_addr(&fixture->frontend, &addr),
			 -EREMOTEIO);
	assert_int_equal(fixture->frontend.last_ack, EINVAL);
	fixture_expect_calls(fixture, "");
	close(channel);
}

/* vhost forgets what the other vring of a pair waits for when it stops one. */
static void test_vrings_that_go_on_look_again_when_one_stops(void **state)
{
	struct session_fixture *fixture = *state;
	int channel;

	channel = iommu_fixture_run(fixture, 2);
	iommu_expect_no_kick(fixture, 1);
	assert_int_equal(frontend_set_vring_enable(&fixture->frontend, 0,
						   false), 0);
	iommu_expect_kick(fixture, 1);
	iommu_expect_no_kick(fixture, 0);
	fixture_forget_calls(fixture);
	close(channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		iommu_fixture_test(test_it_is_offered_only_when_asked_for),
		iommu_fixture_test(test_a_vring_waits_until_its_used_ring_is_known),
		iommu_fixture_test(test_a_miss_at_the_start_is_no_error),
		iommu_fixture_test(test_a_waiting_vring_can_be_stopped_and_moved),
		iommu_fixture_test(test_an_update_is_split_at_the_edges_of_regions),
		iommu_fixture_test(test_what_is_outside_of_memory_is_refused),
		iommu_fixture_test(test_what_is_malformed_is_refused),
		iommu_fixture_test(test_a_message_without_the_feature_is_refused),
		iommu_fixture_test(test_an_answer_comes_only_when_asked_for),
		iommu_fixture_test(test_invalidations_go_down),
		iommu_fixture_test(test_an_update_that_fails_leaves_no_half_of_it),
		iommu_fixture_test(test_what_comes_before_there_is_an_iotlb_is_judged_only),
		iommu_fixture_test(test_nothing_points_to_memory_that_goes),
		iommu_fixture_test(test_memory_does_not_go_while_the_kernel_knows_it),
		iommu_fixture_test(test_the_same_features_again_do_not_reach_the_kernel),
		iommu_fixture_test(test_other_features_have_vrings_ask_anew),
		iommu_fixture_test(test_an_iotlb_that_was_made_in_vain_goes),
		iommu_fixture_test(test_ring_addresses_that_wrap_are_refused),
		iommu_fixture_test(test_vrings_that_go_on_look_again_when_one_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
