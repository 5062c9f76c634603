// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/wait.h>

#include "session/map_fixture.h"

static void memory_is_shared_with_the_file_both_ways(void **state)
{
	struct iovec local = { "guest", 6 };
	struct iovec remote = { NULL, 6 };
	struct vhb_memory_map *map;
	int fd = file_of(2 * PAGE);
	char data[8];
	uint64_t hva;

	(void)state;
	map = must_add(NULL, region_of(0x7000, PAGE, 0, PAGE), fd);
	hva = hva_of(map, 0);
	file_write(fd, PAGE + 5, "host");
	assert_text(hva + 5, "host");

	remote.iov_base = (void *)(uintptr_t)(hva + PAGE - 6);
	assert_int_equal(process_vm_writev(getpid(), &local, 1, &remote, 1, 0),
			 6);
	assert_int_equal(pread(fd, data, 6, 2 * PAGE - 6), 6);
	assert_string_equal(data, "guest");
	assert_string_equal(perms_at(hva), "rw-s");
	vhb_memory_map_put(map);
}

static void one_file_can_be_mapped_at_several_offsets(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(2 * PAGE);

	(void)state;
	file_write(fd, 0, "first");
	file_write(fd, PAGE, "second");
	map = must_add(NULL, region_of(0, PAGE, 0x100000, PAGE), fd);
	map = grow(map, region_of(PAGE, PAGE, 0x200000, 0), fd);
	map = grow(map, region_of(2 * PAGE, PAGE, 0x300000, PAGE), fd);
	assert_text(hva_of(map, 0x100000), "second");
	assert_text(hva_of(map, 0x200000), "first");
	assert_text(hva_of(map, 0x300000), "second");
	assert_int_equal(entry_count(map), 1);
	vhb_memory_map_put(map);
}

static void an_offset_out_of_step_goes_private(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(4 * PAGE);
	uint64_t hva;

	(void)state;
	file_write(fd, PAGE + 0x300, "start");
	file_write(fd, 2 * PAGE, "middle");
	map = must_add(NULL, region_of(0, PAGE, 0x100000, 0), fd);
	map = grow(map, region_of(PAGE, 0x1800, 0x200000, PAGE + 0x300), fd);
	hva = hva_of(map, 0x200000);
	assert_text(hva, "start");
	assert_text(hva + PAGE - 0x300, "middle");
	assert_true(hva != hva_of(map, 0x100000) + PAGE);
	assert_int_equal(hva % PAGE, 0x300);
	assert_int_equal(entry_count(map), 2);
	assert_entry(map, 1, PAGE, 0x1800, hva);
	vhb_memory_map_put(map);
	assert_string_equal(perms_at(hva), "");
}

static void regions_that_meet_within_a_page_both_work(void **state)
{
	int fds[2] = { file_of(2 * PAGE), file_of(2 * PAGE) };
	struct vhb_memory_map *map;

	(void)state;
	file_write(fds[0], 0x17f8, "before");
	file_write(fds[1], 0x800, "behind");
	map = must_add(NULL, region_of(0, 0x1800, 0x100000, 0), fds[0]);
	map = grow(map, region_of(0x1800, 0x1800, 0x200000, 0x800), fds[1]);
	assert_text(hva_of(map, 0x100000 + 0x17f8), "before");
	assert_text(hva_of(map, 0x200000), "behind");
	assert_int_equal(entry_count(map), 2);
	assert_entry(map, 0, 0, 0x1800, hva_of(map, 0x100000));
	assert_entry(map, 1, 0x1800, 0x1800, hva_of(map, 0x200000));
	vhb_memory_map_put(map);
}

static void a_region_across_a_window_boundary_goes_private(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(3 * PAGE);

	(void)state;
	file_write(fd, 0, "below");
	file_write(fd, 2 * PAGE - 4, "across");
	map = must_add(NULL, region_of(VHB_WINDOW_BYTES - 2 * PAGE, 3 * PAGE,
				       0x100000, 0), fd);
	assert_entry(map, 0, VHB_WINDOW_BYTES - 2 * PAGE, 3 * PAGE,
		     hva_of(map, 0x100000));
	assert_text(hva_of(map, 0x100000), "below");
	assert_text(hva_of(map, 0x100000 + 2 * PAGE - 4), "across");
	assert_int_equal(count_lines(), 1);
	map = grow(map, region_of(0, PAGE, 0x200000, 0), fd);
	assert_int_equal(entry_count(map), 2);
	vhb_memory_map_put(map);
}

static void a_region_that_ends_at_a_window_boundary_stays_shared(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(PAGE);

	(void)state;
	map = must_add(NULL, region_of(VHB_WINDOW_BYTES - PAGE, PAGE, 0x100000,
				       0), fd);
	map = grow(map, region_of(0, PAGE, 0x200000, 0), fd);
	assert_int_equal(entry_count(map), 1);
	assert_entry(map, 0, 0, VHB_WINDOW_BYTES, hva_of(map, 0x200000));
	vhb_memory_map_put(map);
}

static void a_replaced_file_leaves_the_map_in_force_alone(void **state)
{
	struct vhb_wire_region region = region_of(0x10000, PAGE, 0x100000, 0);
	int fds[3] = { file_of(PAGE), file_of(PAGE), file_of(PAGE) };
	struct vhb_memory_map *newer;
	struct vhb_memory_map *old;
	uint64_t old_hva;

	(void)state;
	file_write(fds[0], 0, "old");
	file_write(fds[1], 0, "new");
	old = must_replace(NULL, &region, &fds[0], 1);
	old_hva = hva_of(old, 0x100000);
	newer = must_replace(old, &region, &fds[1], 1);
	assert_text(old_hva, "old");
	assert_text(hva_of(newer, 0x100000), "new");
	assert_entry(newer, 0, 0x10000, PAGE, hva_of(newer, 0x100000));

	vhb_memory_map_put(old);
	assert_string_equal(perms_at(old_hva), "");
	assert_text(hva_of(newer, 0x100000), "new");
	vhb_memory_map_put(newer);
}

static void a_table_replaced_with_itself_maps_nothing(void **state)
{
	static struct vhb_wire_region regions[VHB_REGION_COUNT_MAX];
	static int fds[VHB_REGION_COUNT_MAX];
	struct vhb_memory_map *newer;
	struct vhb_memory_map *old;
	int fd = file_of(VHB_REGION_COUNT_MAX * PAGE);
	unsigned int calls;
	unsigned int i;

	(void)state;
	for (i = 0; i < VHB_REGION_COUNT_MAX; i++) {
		regions[i] = region_of(i * MIB, PAGE, i * PAGE, i * PAGE);
		fds[i] = fd;
	}
	old = must_replace(NULL, regions, fds, VHB_REGION_COUNT_MAX);
	assert_true(watched.mmap_count <= VHB_REGION_COUNT_MAX + 1);

	calls = watched.call_count;
	newer = must_replace(old, regions, fds, VHB_REGION_COUNT_MAX);
	for (i = 0; i < VHB_REGION_COUNT_MAX; i++)
		assert_int_equal(hva_of(newer, i * PAGE), hva_of(old, i * PAGE));
	vhb_memory_map_put(old);
	assert_int_equal(watched.call_count, calls);
	file_write(fd, 0, "still");
	assert_text(hva_of(newer, 0), "still");
	vhb_memory_map_put(newer);
}

static void what_stays_keeps_its_address(void **state)
{
	struct vhb_wire_region regions[3] = {
		region_of(4 * PAGE, PAGE, 0x300000, 0),
		region_of(0, PAGE, 0x100000, 0),
		region_of(VHB_WINDOW_BYTES - 1, 2, 0x200000, 1),
	};
	int fds[3] = { file_of(PAGE), file_of(PAGE), file_of(PAGE) };
	struct vhb_memory_map *newer;
	struct vhb_memory_map *map;
	uint64_t private_hva;
	uint64_t hva;

	(void)state;
	map = must_replace(NULL, &regions[1], &fds[1], 2);
	hva = hva_of(map, 0x100000);
	private_hva = hva_of(map, 0x200000);
	newer = must_replace(map, regions, fds, 3);
	vhb_memory_map_put(map);
	map = grow(newer, region_of(8 * PAGE, PAGE, 0x400000, 0), fds[0]);
	map = shrink(map, regions[0]);
	newer = must_replace(map, &regions[1], &fds[1], 2);
	vhb_memory_map_put(map);
	assert_int_equal(hva_of(newer, 0x100000), hva);
	assert_int_equal(hva_of(newer, 0x200000), private_hva);
	file_write(fds[1], 0, "stays");
	assert_text(hva, "stays");
	vhb_memory_map_put(newer);
}

static void a_change_in_any_field_makes_a_new_mapping(void **state)
{
	const struct vhb_wire_region region = region_of(PAGE, PAGE, 0x100000,
							0);
	struct vhb_wire_region changed[4] = { region, region, region, region };
	struct vhb_memory_map *newer;
	struct vhb_memory_map *old;
	int fd = file_of(2 * PAGE);
	unsigned int mmaps;

	(void)state;
	changed[0].gpa = 0;
	changed[1].size_bytes = 8;
	changed[2].uva += PAGE;
	changed[3].offset_bytes = PAGE;
	old = must_replace(NULL, &region, &fd, 1);
	for (unsigned int i = 0; i < 4; i++) {
		mmaps = watched.mmap_count;
		newer = must_replace(old, &changed[i], &fd, 1);
		assert_true(watched.mmap_count > mmaps);
		assert_true(hva_of(newer, changed[i].uva) !=
			    hva_of(old, region.uva));
		vhb_memory_map_put(newer);
	}
	vhb_memory_map_put(old);
}

static void maps_can_be_put_in_any_order(void **state)
{
	struct vhb_memory_map *newer;
	struct vhb_memory_map *old;
	int fd = file_of(2 * PAGE);
	uint64_t hva;

	(void)state;
	file_write(fd, 0, "both");
	file_write(fd, PAGE, "newer");
	for (unsigned int i = 0; i < 2; i++) {
		old = must_add(NULL, region_of(0, PAGE, 0x100000, 0), fd);
		newer = must_add(old, region_of(PAGE, PAGE, 0x200000, PAGE),
				 fd);
		hva = hva_of(old, 0x100000);
		vhb_memory_map_put(i ? old : newer);
		assert_text(hva, "both");
		if (i)
			assert_text(hva + PAGE, "newer");
		else
			assert_fenced(hva + PAGE);
		vhb_memory_map_put(i ? newer : old);
		assert_int_equal(count_lines(), 0);
	}
}

static void a_map_lives_until_its_last_reference_is_put(void **state)
{
	struct vhb_memory_map *map;
	uint64_t hva;

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, 0, 0), file_of(PAGE));
	file_write(files[0], 0, "alive");
	hva = hva_of(map, 0);
	assert_ptr_equal(vhb_memory_map_get(map), map);
	vhb_memory_map_put(map);
	assert_text(hva, "alive");
	vhb_memory_map_put(map);
	assert_string_equal(perms_at(hva), "");
	assert_null(vhb_memory_map_get(NULL));
	vhb_memory_map_put(NULL);
}

static void a_removed_region_faults_and_keeps_its_addresses(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(4 * PAGE);
	uint64_t hva;

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, 0x100000, 0), fd);
	map = grow(map, region_of(PAGE, 3 * PAGE - 9, 0x200000, PAGE), fd);
	hva = hva_of(map, 0x200000);
	map = shrink(map, region_of(PAGE, 3 * PAGE - 9, 0x200000, PAGE));
	assert_fenced(hva);
	assert_fenced(hva + 3 * PAGE - 1);
	assert_string_equal(perms_at(hva - PAGE), "rw-s");
	map = grow(map, region_of(2 * PAGE, PAGE, 0x200000, PAGE), fd);
	assert_int_equal(hva_of(map, 0x200000), hva + PAGE);
	vhb_memory_map_put(map);
	assert_string_equal(perms_at(hva), "");
}

static void a_private_window_goes_with_its_region(void **state)
{
	struct vhb_wire_region region = region_of(PAGE, PAGE, 0x200000, 1);
	struct vhb_memory_map *map;
	int fd = file_of(2 * PAGE);
	uint64_t hva;

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, 0x100000, 0), fd);
	map = grow(map, region, fd);
	hva = hva_of(map, 0x200000);
	map = shrink(map, region);
	assert_string_equal(perms_at(hva), "");
	assert_string_equal(perms_at(hva + PAGE), "");
	assert_string_equal(perms_at(hva_of(map, 0x100000)), "rw-s");
	vhb_memory_map_put(map);
}

static void regions_that_come_and_go_leave_no_traces(void **state)
{
	struct vhb_wire_region region = region_of(0, PAGE, 0x200000, PAGE);
	struct vhb_memory_map *map;
	int fd = file_of(2 * PAGE);
	unsigned int lines;

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, 0x100000, 0), fd);
	lines = count_lines();
	for (unsigned int i = 1; i <= 100; i++) {
		region.gpa = i * GIB;
		map = shrink(grow(map, region, fd), region);
		assert_int_equal(count_lines(), lines);
	}
	vhb_memory_map_put(map);
}

static void guest_memory_is_not_inherited(void **state)
{
	struct vhb_memory_map *map;
	uint64_t hva;
	int status;
	pid_t pid;
	char data;

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, 0, 0), file_of(PAGE));
	hva = hva_of(map, 0);
	pid = fork();
	if (!pid)
		_exit(peek(hva, &data, 1) == -EFAULT ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	vhb_memory_map_put(map);
}

static void address_spaces_do_not_share_windows(void **state)
{
	struct vhb_wire_region region = region_of(0, PAGE, 0, 0);
	struct vhb_address_space *other_space;
	struct vhb_memory_map *other = NULL;
	struct vhb_memory_map *map;
	int fd = file_of(PAGE);

	(void)state;
	map = must_add(NULL, region, fd);
	assert_int_equal(vhb_address_space_create(&other_space), 0);
	assert_int_equal(vhb_memory_map_add(other_space, NULL, &region, fd,
					    &why, &other),
			 0);
	assert_true(hva_of(map, 0) != hva_of(other, 0));
	assert_int_equal(hva_of(other, 0) % GIB, 0);
	vhb_memory_map_put(map);
	hva_of(other, 0);
	assert_string_equal(perms_at(hva_of(other, 0)), "rw-s");
	vhb_memory_map_put(other);
	vhb_address_space_destroy(other_space);
	vhb_address_space_destroy(NULL);
}

static void without_room_for_a_window_regions_go_private(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(2 * PAGE);

	(void)state;
	file_write(fd, 0, "one");
	file_write(fd, PAGE, "two");
	watched.reserve_max_bytes = GIB;
	map = must_add(NULL, region_of(0, PAGE, 0x100000, 0), fd);
	map = grow(map, region_of(PAGE, PAGE, 0x200000, PAGE), fd);
	assert_int_equal(entry_count(map), 2);
	assert_text(hva_of(map, 0x100000), "one");
	assert_text(hva_of(map, 0x200000), "two");
	vhb_memory_map_put(map);
}

static void a_failure_of_any_mmap_is_undone(void **state)
{
	struct vhb_wire_region regions[4] = {
		region_of(0, PAGE, 0x100000, 0),
		region_of(GIB, PAGE, 0x200000, PAGE),
		region_of(2 * GIB, PAGE, 0x300000, 1),
		region_of(VHB_WINDOW_BYTES, PAGE, 0x400000, 0),
	};
	int fd = file_of(2 * PAGE);
	int fds[4] = { fd, fd, fd, fd };
	unsigned int failures = 0;
	struct vhb_memory_map *map;
	unsigned int i;
	int ret;

	(void)state;
	for (i = 1; i < 100; i++) {
		watched.mmap_count = 0;
		watched.fail_at = i;
		map = NULL;
		ret = vhb_memory_map_replace(space, NULL, regions, fds, 4, &why,
					     &map);
		if (ret)
			assert_int_equal(ret, -ENOMEM);
		failures += !!ret;
		vhb_memory_map_put(map);
		assert_int_equal(count_lines(), 0);
		if (watched.mmap_count < i)
			break;
	}
	/* Three reserve, four fill, one fences off. Private is plan B. */
	assert_int_equal(i, 9);
	assert_int_equal(failures, 2);
}

static void a_hole_torn_by_a_failed_mmap_is_fenced(void **state)
{
	struct vhb_wire_region region = region_of(PAGE, PAGE, 0x200000, PAGE);
	struct vhb_memory_map *newer = NULL;
	struct vhb_memory_map *map;
	int fd = file_of(2 * PAGE);
	uint64_t hva;

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, 0x100000, 0), fd);
	hva = hva_of(map, 0x100000);
	watched.fail_at = watched.mmap_count + 1;
	watched.reserve_max_bytes = 1;
	assert_int_equal(vhb_memory_map_add(space, map, &region, fd, &why,
					    &newer), -ENOMEM);
	assert_fenced(hva + PAGE);
	assert_string_equal(perms_at(hva), "rw-s");
	assert_non_null(strstr(why.clause, "cannot map"));
	watched.reserve_max_bytes = 0;
	map = grow(map, region, fd);
	assert_int_equal(hva_of(map, 0x200000), hva + PAGE);
	vhb_memory_map_put(map);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		watched_test(memory_is_shared_with_the_file_both_ways),
		watched_test(one_file_can_be_mapped_at_several_offsets),
		watched_test(an_offset_out_of_step_goes_private),
		watched_test(regions_that_meet_within_a_page_both_work),
		watched_test(a_region_across_a_window_boundary_goes_private),
		watched_test(a_region_that_ends_at_a_window_boundary_stays_shared),
		watched_test(a_replaced_file_leaves_the_map_in_force_alone),
		watched_test(a_table_replaced_with_itself_maps_nothing),
		watched_test(what_stays_keeps_its_address),
		watched_test(a_change_in_any_field_makes_a_new_mapping),
		watched_test(maps_can_be_put_in_any_order),
		watched_test(a_map_lives_until_its_last_reference_is_put),
		watched_test(a_removed_region_faults_and_keeps_its_addresses),
		watched_test(a_private_window_goes_with_its_region),
		watched_test(regions_that_come_and_go_leave_no_traces),
		watched_test(guest_memory_is_not_inherited),
		watched_test(address_spaces_do_not_share_windows),
		watched_test(without_room_for_a_window_regions_go_private),
		watched_test(a_failure_of_any_mmap_is_undone),
		watched_test(a_hole_torn_by_a_failed_mmap_is_fenced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
