// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/inflight_fixture.h"

/* SET_INFLIGHT_FD and GET_INFLIGHT_FD that must be refused */

/* What get_region() would have, but for one thing */
static struct vhb_wire_inflight good_description(void)
{
	return (struct vhb_wire_inflight){
		.mmap_bytes = 4 * SLOT,
		.queue_count = 4,
		.queue_entries = 256,
	};
}

static int make_memfd(unsigned int flags, off_t size_bytes, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | flags);

	if (fd < 0)
		return fd;
	ok(ftruncate(fd, size_bytes));
	if (seals)
		ok(fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static void refuse_region(struct session_fixture *fixture,
			  const struct vhb_wire_inflight *description, int fd)
{
	struct resources before;

	resources_count(&before);
	assert_int_equal(frontend_set_inflight_fd(&fixture->frontend,
						  description, fd),
			 -EREMOTEIO);
	resources_assert_same(&before);
	fixture_expect_calls(fixture, "");
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void refuse_and_close(struct session_fixture *fixture, int fd)
{
	const struct vhb_wire_inflight description = good_description();

	assert_true(fd >= 0);
	refuse_region(fixture, &description, fd);
	close(fd);
}

static void begin_refusals(struct session_fixture *fixture)
{
	connect_blk(fixture);
	start_at(fixture, 0, 0);
	fixture_forget_calls(fixture);
}

static void a_file_that_can_shrink_is_refused(void **state)
{
	struct session_fixture *fixture = *state;

	begin_refusals(fixture);
	refuse_and_close(fixture, make_memfd(0, PAGE, 0));
	refuse_and_close(fixture, make_memfd(MFD_ALLOW_SEALING, PAGE, 0));
	refuse_and_close(fixture, make_memfd(MFD_ALLOW_SEALING, PAGE,
					     F_SEAL_GROW | F_SEAL_SEAL));
	refuse_and_close(fixture, open("/dev/shm", O_TMPFILE | O_RDWR, 0600));
}

static void a_file_that_cannot_be_written_is_refused(void **state)
{
	struct session_fixture *fixture = *state;

	begin_refusals(fixture);
	refuse_and_close(fixture, make_memfd(MFD_ALLOW_SEALING, PAGE,
					     F_SEAL_SHRINK | F_SEAL_WRITE));
}

static void what_is_no_memfd_is_refused(void **state)
{
	struct session_fixture *fixture = *state;

	begin_refusals(fixture);
	refuse_and_close(fixture, eventfd(0, EFD_CLOEXEC));
	refuse_and_close(fixture, open("/dev/null", O_RDWR | O_CLOEXEC));
	refuse_and_close(fixture, open("/dev/null", O_PATH | O_CLOEXEC));
	refuse_and_close(fixture, open("/dev/zero", O_RDWR | O_CLOEXEC));
	refuse_and_close(fixture, open("/", O_DIRECTORY | O_CLOEXEC));
	refuse_and_close(fixture, open("/proc/self/mem", O_RDWR | O_CLOEXEC));
	refuse_and_close(fixture, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	refuse_and_close(fixture, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC,
					 0));
}

static void a_region_beyond_the_file_is_refused(void **state)
{
	static const struct {
		uint64_t bytes, offset;
	} ranges[] = {
		{ 4 * SLOT, 4 * PAGE }, { 4 * SLOT, 3 * PAGE + 4 * SLOT },
		{ PAGE + 1, 3 * PAGE }, { 4 * PAGE + 1, 0 },
		{ UINT64_MAX, 0 }, { UINT64_MAX, PAGE }, { PAGE, UINT64_MAX },
		{ 4 * SLOT, UINT64_MAX - PAGE + 1 }, { 4 * SLOT, 8 * PAGE },
	};
	struct session_fixture *fixture = *state;
	struct vhb_wire_inflight description = good_description();
	int fd = make_memfd(MFD_ALLOW_SEALING, 4 * PAGE, F_SEAL_SHRINK);

	begin_refusals(fixture);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(ranges); i++) {
		description.mmap_bytes = ranges[i].bytes;
		description.mmap_offset_bytes = ranges[i].offset;
		refuse_region(fixture, &description, fd);
	}
	/* The last page is still inside. */
	description.mmap_bytes = PAGE;
	description.mmap_offset_bytes = 3 * PAGE;
	ok(frontend_set_inflight_fd(&fixture->frontend, &description, fd));
	close(fd);
}

static void a_region_too_small_for_its_queues_is_refused(void **state)
{
	static const uint64_t sizes[] = { 0, 1, SLOT, 4 * SLOT - 1 };
	struct session_fixture *fixture = *state;
	struct vhb_wire_inflight description = good_description();
	int fd = make_memfd(MFD_ALLOW_SEALING, PAGE, F_SEAL_SHRINK);

	begin_refusals(fixture);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(sizes); i++) {
		description.mmap_bytes = sizes[i];
		refuse_region(fixture, &description, fd);
	}
	close(fd);
}

static const struct {
	uint16_t queues, entries;
} bad_counts[] = {
	{ 0, 256 }, { 5, 256 }, { 128, 256 }, { UINT16_MAX, 256 }, { 4, 0 },
	{ 4, 32769 }, { 4, UINT16_MAX }, { 0, 0 },
};

static void counts_that_cannot_be_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_inflight description = good_description();
	int fd = make_memfd(MFD_ALLOW_SEALING, UINT16_MAX * SLOT,
			    F_SEAL_SHRINK);

	begin_refusals(fixture);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(bad_counts); i++) {
		description.mmap_bytes = UINT16_MAX * SLOT;
		description.queue_count = bad_counts[i].queues;
		description.queue_entries = bad_counts[i].entries;
		refuse_region(fixture, &description, fd);
	}
	close(fd);
}

/* A question that has a reply of its own cannot be answered with an error. */
static void a_region_for_counts_that_cannot_be_closes(void **state)
{
	struct session_fixture *fixture = *state;
	struct resources before;

	resources_count(&before);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(bad_counts); i++) {
		const struct vhb_wire_inflight asked = {
			.queue_count = bad_counts[i].queues,
			.queue_entries = bad_counts[i].entries,
		};

		connect_blk(fixture);
		ok(frontend_send(&fixture->frontend, VHB_GET_INFLIGHT_FD,
				 REFUSAL_NEED_REPLY, &asked, sizeof(asked),
				 NULL, 0));
		fixture_expect_ended(fixture);
		resources_assert_same(&before);
	}
}

static void huge_pages_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	int fd = make_memfd(MFD_ALLOW_SEALING | MFD_HUGETLB, 2 << 20,
			    F_SEAL_SHRINK);

	if (fd < 0)
		skip();
	begin_refusals(fixture);
	refuse_and_close(fixture, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		blk_fixture_test(a_file_that_can_shrink_is_refused),
		blk_fixture_test(a_file_that_cannot_be_written_is_refused),
		blk_fixture_test(what_is_no_memfd_is_refused),
		blk_fixture_test(a_region_beyond_the_file_is_refused),
		blk_fixture_test(a_region_too_small_for_its_queues_is_refused),
		blk_fixture_test(counts_that_cannot_be_are_refused),
		blk_fixture_test(a_region_for_counts_that_cannot_be_closes),
		blk_fixture_test(huge_pages_are_refused),
	};

	return cmocka_run_group_tests_name("bad regions of saved bases", tests,
					   NULL, NULL);
}
