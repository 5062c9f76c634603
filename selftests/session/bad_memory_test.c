// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/refusal.h"

#define ok(call) assert_int_equal(call, 0)

/* One behind the last byte of guest memory, as the front-end sees it */
#define END (FIXTURE_UVA + FIXTURE_MEMORY_BYTES)

/* Both ways in: as the only region of a table and as one more region */
static void refuse_region(struct session_fixture *fixture,
			  const struct vhb_wire_region *region, int fd)
{
	const struct vhb_wire_single_region single = { .region = *region };
	struct vhb_wire_memory table = {
		.region_count = 1,
		.regions[0] = *region,
	};
	struct bad_message bad = {
		.request = VHB_SET_MEM_TABLE,
		.payload = &table,
		.size_bytes = offsetof(struct vhb_wire_memory, regions[1]),
		.fds = &fd,
		.fd_count = 1,
	};

	refusal_expect(fixture, &bad);
	bad.request = VHB_ADD_MEM_REG;
	bad.payload = &single;
	bad.size_bytes = sizeof(single);
	refusal_expect(fixture, &bad);
}

static void refuse_table(struct session_fixture *fixture,
			 const struct vhb_wire_memory *table,
			 unsigned int region_count, unsigned int fd_count)
{
	int fds[VHB_FDS_MAX];
	const struct bad_message bad = {
		.request = VHB_SET_MEM_TABLE,
		.payload = table,
		.size_bytes = offsetof(struct vhb_wire_memory, regions) +
			      region_count * sizeof(table->regions[0]),
		.fds = fds,
		.fd_count = fd_count,
	};

	for (unsigned int i = 0; i < VHB_FDS_MAX; i++)
		fds[i] = fixture->memory.fd;
	refusal_expect(fixture, &bad);
}

/* A well-formed region away from the fixture's memory */
static struct vhb_wire_region good_region(void)
{
	return (struct vhb_wire_region){
		.gpa = 0x40000000,
		.size_bytes = FIXTURE_MEMORY_BYTES,
		.uva = 0x40000000,
	};
}

static void a_region_of_no_bytes_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = good_region();

	refusal_begin(fixture);
	region.size_bytes = 0;
	refuse_region(fixture, &region, fixture->memory.fd);
}

static void guest_addresses_that_wrap_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = good_region();

	refusal_begin(fixture);
	region.gpa = UINT64_MAX - 0xfff;
	refuse_region(fixture, &region, fixture->memory.fd);
}

static void user_addresses_that_wrap_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = good_region();

	refusal_begin(fixture);
	region.uva = UINT64_MAX - 0xfff;
	refuse_region(fixture, &region, fixture->memory.fd);
}

static void file_offsets_that_wrap_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = good_region();

	refusal_begin(fixture);
	region.offset_bytes = UINT64_MAX - 0xfff;
	refuse_region(fixture, &region, fixture->memory.fd);
	region.offset_bytes = -FIXTURE_MEMORY_BYTES;
	refuse_region(fixture, &region, fixture->memory.fd);
}

static void a_region_longer_than_its_file_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = good_region();

	refusal_begin(fixture);
	region.size_bytes = FIXTURE_MEMORY_BYTES + 1;
	refuse_region(fixture, &region, fixture->memory.fd);
	region.size_bytes = FIXTURE_MEMORY_BYTES;
	region.offset_bytes = 0x1000;
	refuse_region(fixture, &region, fixture->memory.fd);
	region.size_bytes = UINT64_C(1) << 46;
	region.offset_bytes = 0;
	refuse_region(fixture, &region, fixture->memory.fd);
}

static void a_region_in_an_empty_file_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_region region = good_region();
	int fd = memfd_create("empty", MFD_CLOEXEC);

	refusal_begin(fixture);
	refuse_region(fixture, &region, fd);
	close(fd);
}

static void what_is_no_memory_file_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_region region = good_region();
	int null_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	int fds[2];

	ok(pipe2(fds, O_CLOEXEC));
	refusal_begin(fixture);
	refuse_region(fixture, &region, null_fd);
	refuse_region(fixture, &region, fds[0]);
	refuse_region(fixture, &region, fixture->kick_fds[0]);
	refuse_region(fixture, &region, fixture->frontend.fd);
	close(null_fd);
	close(fds[0]);
	close(fds[1]);
}

static void memory_that_is_open_for_reading_only_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_region region = good_region();
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fixture->memory.fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	refusal_begin(fixture);
	refuse_region(fixture, &region, fd);
	close(fd);
}

static void regions_that_overlap_in_guest_addresses_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_memory table = { .region_count = 2 };

	refusal_begin(fixture);
	table.regions[0] = fixture->memory.region;
	table.regions[1] = good_region();
	table.regions[1].gpa = FIXTURE_MEMORY_BYTES - 1;
	refuse_table(fixture, &table, 2, 2);
	table.regions[1].gpa = 0;
	refuse_table(fixture, &table, 2, 2);
}

static void regions_that_overlap_in_user_addresses_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_memory table = { .region_count = 2 };

	refusal_begin(fixture);
	table.regions[0] = fixture->memory.region;
	table.regions[1] = good_region();
	table.regions[1].uva = END - 1;
	refuse_table(fixture, &table, 2, 2);
	table.regions[1].uva = FIXTURE_UVA - FIXTURE_MEMORY_BYTES + 1;
	refuse_table(fixture, &table, 2, 2);
}

static void a_region_over_one_in_place_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_single_region single = {
		.region = fixture->memory.region,
	};
	const struct bad_message bad = {
		.request = VHB_ADD_MEM_REG,
		.payload = &single,
		.size_bytes = sizeof(single),
		.fds = &fixture->memory.fd,
		.fd_count = 1,
	};

	refusal_begin(fixture);
	refusal_expect(fixture, &bad);
	single.region.uva = 0x40000000;
	refusal_expect(fixture, &bad);
	single.region.uva = FIXTURE_UVA;
	single.region.gpa = 0x40000000;
	refusal_expect(fixture, &bad);
}

static void a_bad_region_after_good_ones_leaves_nothing_behind(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_memory table = { .region_count = VHB_FDS_MAX };

	refusal_begin(fixture);
	for (unsigned int i = 0; i < VHB_FDS_MAX; i++) {
		table.regions[i] = good_region();
		table.regions[i].gpa = i * 0x10000000;
		table.regions[i].uva = i * 0x10000000;
	}
	table.regions[VHB_FDS_MAX - 1].size_bytes = 0;
	refuse_table(fixture, &table, VHB_FDS_MAX, VHB_FDS_MAX);
	/* One that is found out only when all are there */
	table.regions[VHB_FDS_MAX - 1] = table.regions[3];
	refuse_table(fixture, &table, VHB_FDS_MAX, VHB_FDS_MAX);
}

static void a_count_of_no_regions_is_refused(void **state)
{
	const struct vhb_wire_memory table = { .region_count = 0 };

	refusal_begin(*state);
	refuse_table(*state, &table, 1, 0);
	refuse_table(*state, &table, 1, 1);
}

static void a_count_beyond_the_payload_is_refused(void **state)
{
	static const uint32_t counts[] = {
		2, VHB_FDS_MAX, VHB_FDS_MAX + 1, UINT32_C(1) << 27, UINT32_MAX,
	};
	struct session_fixture *fixture = *state;
	struct vhb_wire_memory table;

	refusal_begin(fixture);
	memset(&table, 0, sizeof(table));
	table.regions[0] = fixture->memory.region;
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(counts); i++) {
		table.region_count = counts[i];
		refuse_table(fixture, &table, 1, 1);
		refuse_table(fixture, &table, 1, VHB_FDS_MAX);
	}
}

static void as_many_descriptors_as_regions_are_due(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_memory table = { .region_count = 2 };

	refusal_begin(fixture);
	table.regions[0] = fixture->memory.region;
	table.regions[1] = good_region();
	refuse_table(fixture, &table, 2, 0);
	refuse_table(fixture, &table, 2, 1);
	refuse_table(fixture, &table, 2, 3);
}

static void a_region_that_is_not_there_cannot_be_removed(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_single_region single = { .region = good_region() };
	const struct bad_message bad = {
		.request = VHB_REM_MEM_REG,
		.payload = &single,
		.size_bytes = sizeof(single),
	};

	refusal_begin(fixture);
	refusal_expect(fixture, &bad);
	single.region = fixture->memory.region;
	single.region.uva++;
	refusal_expect(fixture, &bad);
	single.region = fixture->memory.region;
	single.region.gpa++;
	refusal_expect(fixture, &bad);
	single.region = fixture->memory.region;
	single.region.size_bytes--;
	refusal_expect(fixture, &bad);
}

static void memory_under_a_ring_that_runs_cannot_be_taken_away(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_single_region single = {
		.region = fixture->memory.region,
	};
	const struct vhb_wire_memory table = {
		.region_count = 1,
		.regions[0] = good_region(),
	};
	const struct bad_message bad = {
		.request = VHB_REM_MEM_REG,
		.payload = &single,
		.size_bytes = sizeof(single),
	};

	refusal_begin(fixture);
	refusal_expect(fixture, &bad);
	refuse_table(fixture, &table, 1, 1);
}

static void more_pieces_than_the_kernel_takes_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = { .size_bytes = 0x1000 };
	struct resources before;
	unsigned int i;
	int ret = 0;

	refusal_begin(fixture);
	/* Each in a window of its own: on the boundary between two */
	for (i = 1; i < 100; i++) {
		region.gpa = i * (UINT64_C(1) << 40) - 0x800;
		region.uva = region.gpa;
		/* Only then the descriptor of the message before is closed for sure. */
		fixture_expect_alive(fixture);
		resources_count(&before);
		ret = frontend_add_mem_reg(&fixture->frontend, &region,
					   fixture->memory.fd);
		if (ret)
			break;
	}
	assert_int_not_equal(ret, 0);
	assert_int_equal(i, 64);
	resources_assert_same(&before);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_region_of_no_bytes_is_refused),
		fixture_test(guest_addresses_that_wrap_are_refused),
		fixture_test(user_addresses_that_wrap_are_refused),
		fixture_test(file_offsets_that_wrap_are_refused),
		fixture_test(a_region_longer_than_its_file_is_refused),
		fixture_test(a_region_in_an_empty_file_is_refused),
		fixture_test(what_is_no_memory_file_is_refused),
		fixture_test(memory_that_is_open_for_reading_only_is_refused),
		fixture_test(regions_that_overlap_in_guest_addresses_are_refused),
		fixture_test(regions_that_overlap_in_user_addresses_are_refused),
		fixture_test(a_region_over_one_in_place_is_refused),
		fixture_test(a_bad_region_after_good_ones_leaves_nothing_behind),
		fixture_test(a_count_of_no_regions_is_refused),
		fixture_test(a_count_beyond_the_payload_is_refused),
		fixture_test(as_many_descriptors_as_regions_are_due),
		fixture_test(a_region_that_is_not_there_cannot_be_removed),
		fixture_test(memory_under_a_ring_that_runs_cannot_be_taken_away),
		fixture_test(more_pieces_than_the_kernel_takes_are_refused),
	};

	return cmocka_run_group_tests_name("bad memory", tests, NULL, NULL);
}
