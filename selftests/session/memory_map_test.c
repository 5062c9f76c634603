// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>

#include "session/map_fixture.h"

static void an_empty_region_is_refused(void **state)
{
	(void)state;
	assert_region_refused(region_of(0, 0, PAGE, 0), file_of(PAGE), -EINVAL,
			      "empty");
}

static void guest_addresses_that_wrap_are_refused(void **state)
{
	int fd = file_of(4 * PAGE);

	(void)state;
	assert_region_refused(region_of(-PAGE, 2 * PAGE, 0, 0), fd, -EINVAL,
			      "guest addresses wrap");
	assert_region_refused(region_of(-PAGE, PAGE, 0, 0), fd, -EINVAL,
			      "guest addresses wrap");
}

static void user_addresses_that_wrap_are_refused(void **state)
{
	int fd = file_of(4 * PAGE);

	(void)state;
	assert_region_refused(region_of(0, 2 * PAGE, -PAGE, 0), fd, -EINVAL,
			      "user addresses wrap");
	assert_region_refused(region_of(0, PAGE, -PAGE, 0), fd, -EINVAL,
			      "user addresses wrap");
}

static void file_offsets_that_wrap_are_refused(void **state)
{
	(void)state;
	assert_region_refused(region_of(0, 2 * PAGE, 0, -PAGE),
			      file_of(4 * PAGE), -EINVAL, "file offsets wrap");
}

static void regions_that_overlap_in_guest_addresses_are_refused(void **state)
{
	int fds[2] = { file_of(2 * PAGE), file_of(2 * PAGE) };
	struct vhb_wire_region regions[2] = {
		region_of(2 * PAGE - 1, PAGE, 0x200000, 0),
		region_of(0, 2 * PAGE, 0x100000, 0),
	};

	(void)state;
	assert_refused(NULL, regions, fds, 2, -EINVAL, "guest addresses");
	regions[0].gpa = 0;
	assert_refused(NULL, regions, fds, 2, -EINVAL, "guest addresses");
	regions[0].gpa = 2 * PAGE;
	vhb_memory_map_put(must_replace(NULL, regions, fds, 2));
}

static void regions_that_overlap_in_user_addresses_are_refused(void **state)
{
	int fds[2] = { file_of(2 * PAGE), file_of(2 * PAGE) };
	struct vhb_wire_region regions[2] = {
		region_of(0, PAGE, 2 * PAGE - 1, 0),
		region_of(0x200000, 2 * PAGE, 0, 0),
	};

	(void)state;
	assert_refused(NULL, regions, fds, 2, -EINVAL, "user addresses");
	regions[0].uva = 2 * PAGE;
	vhb_memory_map_put(must_replace(NULL, regions, fds, 2));
}

static void an_added_region_may_not_overlap_either(void **state)
{
	struct vhb_wire_region region = region_of(PAGE, 2 * PAGE, PAGE, 0);
	int fd = file_of(2 * PAGE);
	struct vhb_memory_map *map = must_add(NULL, region, fd);
	struct vhb_memory_map *more = NULL;

	(void)state;
	assert_int_equal(vhb_memory_map_add(space, map, &region, fd, &why,
					    &more), -EINVAL);
	region.gpa = 0x100000;
	assert_int_equal(vhb_memory_map_add(space, map, &region, fd, &why,
					    &more), -EINVAL);
	region.uva = 0x100000;
	vhb_memory_map_put(grow(map, region, fd));
}

static void a_file_shorter_than_its_region_is_refused(void **state)
{
	struct vhb_wire_region region = region_of(0, PAGE, 0, PAGE);
	int fd = file_of(2 * PAGE - 1);

	(void)state;
	assert_region_refused(region, fd, -EINVAL, "too short (8191 bytes)");
	region.size_bytes--;
	vhb_memory_map_put(must_replace(NULL, &region, &fd, 1));
}

static void a_file_that_shrank_is_refused_though_it_is_mapped(void **state)
{
	struct vhb_wire_region region = region_of(0, 2 * PAGE, 0, 0);
	int fd = file_of(2 * PAGE);
	struct vhb_memory_map *map = must_replace(NULL, &region, &fd, 1);

	(void)state;
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_refused(map, &region, &fd, 1, -EINVAL, "too short");
	vhb_memory_map_put(map);
}

static void what_is_no_regular_file_is_refused(void **state)
{
	struct vhb_wire_region region = region_of(0, PAGE, 0, 0);
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	keep_file(ends[0]);
	keep_file(ends[1]);
	assert_region_refused(region, ends[0], -EINVAL, "regular file");
	assert_region_refused(region, keep_file(open("/dev/zero", O_RDWR)),
			      -EINVAL, "regular file");
	assert_region_refused(region, keep_file(open("/", O_RDONLY)), -EINVAL,
			      "regular file");
}

static void a_closed_descriptor_is_refused(void **state)
{
	(void)state;
	assert_region_refused(region_of(0, PAGE, 0, 0), -1, -EBADF, "file");
}

static void a_file_that_cannot_be_written_is_refused(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_of(PAGE));
	assert_region_refused(region_of(0, PAGE, 0, 0),
			      keep_file(open(path, O_RDONLY | O_CLOEXEC)),
			      -EACCES, "cannot map");
	assert_region_refused(region_of(0, PAGE, 0, 0),
			      keep_file(open(path, O_WRONLY | O_CLOEXEC)),
			      -EACCES, "cannot map");
}

static void a_file_sealed_against_writing_is_refused(void **state)
{
	int fd = keep_file(memfd_create("guest", MFD_ALLOW_SEALING |
					MFD_CLOEXEC));

	(void)state;
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_region_refused(region_of(0, PAGE, 0, 0), fd, -EPERM,
			      "cannot map");
}

static void a_table_without_regions_or_with_510_is_refused(void **state)
{
	static struct vhb_wire_region regions[VHB_REGION_COUNT_MAX + 1];
	static int fds[VHB_REGION_COUNT_MAX + 1];
	int fd = file_of(PAGE);

	(void)state;
	for (unsigned int i = 0; i <= VHB_REGION_COUNT_MAX; i++) {
		regions[i] = region_of(i * PAGE, PAGE, i * PAGE, 0);
		fds[i] = fd;
	}
	assert_refused(NULL, regions, fds, 0, -EINVAL, "0 regions");
	assert_refused(NULL, regions, fds, 510, -EINVAL, "510 regions");
}

static void a_refused_table_leaves_the_old_map_in_force(void **state)
{
	int fds[3] = { file_of(PAGE), file_of(PAGE), file_of(PAGE) };
	struct vhb_wire_region regions[3] = {
		region_of(0, PAGE, 0x100000, 0),
		region_of(0x10000, PAGE, 0x200000, 0),
		region_of(0x20000, PAGE + 1, 0x300000, 0),
	};
	struct vhb_memory_map *map = must_replace(NULL, regions, fds, 1);

	(void)state;
	file_write(fds[0], 0, "old");
	assert_refused(map, regions, fds, 3, -EINVAL, "0x20000: its file");
	assert_text(hva_of(map, 0x100000), "old");
	assert_entry(map, 0, 0, PAGE, hva_of(map, 0x100000));
	vhb_memory_map_put(map);
}

static void what_was_mapped_before_a_failure_is_unmapped(void **state)
{
	int good = file_of(PAGE);
	char path[64];
	int bad;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", good);
	bad = keep_file(open(path, O_RDONLY | O_CLOEXEC));
	assert_refused(NULL, (struct vhb_wire_region[]){
			region_of(0, PAGE, 0x100000, 0),
			region_of(VHB_WINDOW_BYTES, PAGE, 0x200000, 0),
			region_of(2 * VHB_WINDOW_BYTES, PAGE, 0x300000, 0),
		       }, (int[]){ good, good, bad }, 3, -EACCES, "cannot map");
	assert_true(watched.mmap_count > 4);
}

static void the_first_and_the_last_byte_translate(void **state)
{
	struct vhb_memory_map *map;
	uint64_t hva;

	(void)state;
	map = must_add(NULL, region_of(0x5000, 3 * PAGE, 0x7f0000000000, PAGE),
		       file_of(4 * PAGE));
	hva = hva_of(map, 0x7f0000000000);
	assert_int_equal(hva_of(map, 0x7f0000000000 + 3 * PAGE - 1),
			 hva + 3 * PAGE - 1);
	assert_int_equal(vhb_memory_map_translate(map, 0x7f0000000000, 3 * PAGE,
						  &hva), 0);
	vhb_memory_map_put(map);
}

static void bytes_outside_of_a_region_do_not_translate(void **state)
{
	struct vhb_memory_map *map;

	(void)state;
	map = must_add(NULL, region_of(0, PAGE - 8, PAGE, 0), file_of(PAGE));
	assert_no_hva(map, PAGE - 1, 1);
	assert_no_hva(map, PAGE - 1, 2);
	assert_no_hva(map, 2 * PAGE - 8, 1);
	assert_no_hva(map, PAGE, PAGE - 7);
	assert_no_hva(map, 2 * PAGE - 9, 2);
	assert_no_hva(map, 0, 1);
	assert_no_hva(map, UINT64_MAX, 1);
	vhb_memory_map_put(map);
}

static void a_range_across_two_regions_does_not_translate(void **state)
{
	int fd = file_of(2 * PAGE);
	struct vhb_memory_map *map;

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, PAGE, 0), fd);
	map = grow(map, region_of(PAGE, PAGE, 2 * PAGE, PAGE), fd);
	assert_int_equal(hva_of(map, 2 * PAGE), hva_of(map, PAGE) + PAGE);
	assert_no_hva(map, 2 * PAGE - 1, 2);
	assert_no_hva(map, PAGE, 2 * PAGE);
	vhb_memory_map_put(map);
}

static void lengths_that_wrap_or_are_zero_do_not_translate(void **state)
{
	struct vhb_memory_map *map;

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, -2 * PAGE, 0), file_of(PAGE));
	hva_of(map, -PAGE - 1);
	assert_no_hva(map, -2 * PAGE, 0);
	assert_no_hva(map, -2 * PAGE, UINT64_MAX);
	assert_no_hva(map, -PAGE - 1, 2 * PAGE + 2);
	assert_no_hva(map, -PAGE - 1, -(-PAGE - 1));
	vhb_memory_map_put(map);
}

static void nothing_translates_without_regions(void **state)
{
	struct vhb_wire_region region = region_of(0, PAGE, 0, 0);
	struct vhb_memory_map *map = must_add(NULL, region, file_of(PAGE));

	(void)state;
	map = shrink(map, region);
	assert_no_hva(map, 0, 1);
	assert_no_hva(NULL, 0, 1);
	assert_int_equal(entry_count(map), 0);
	assert_int_equal(vhb_memory_map_region_count(NULL), 0);
	map = grow(map, region, files[0]);
	hva_of(map, 0);
	vhb_memory_map_put(map);
}

static void every_region_is_found_whatever_its_order(void **state)
{
	struct vhb_wire_region regions[64];
	struct vhb_memory_map *map;
	int fds[64];
	int fd = file_of(64 * PAGE);
	unsigned int i;

	(void)state;
	for (i = 0; i < 64; i++) {
		regions[i] = region_of((i * 37 % 64) * 2 * PAGE, PAGE,
				       (i * 29 % 64) * 4 * PAGE, i * PAGE);
		fds[i] = fd;
		file_write(fd, i * PAGE, (char[]){ '!' + i, '\0' });
	}
	map = must_replace(NULL, regions, fds, 64);
	for (i = 0; i < 64; i++)
		assert_text(hva_of(map, regions[i].uva),
			    (char[]){ '!' + i, '\0' });
	assert_entry(map, 0, 0, 127 * PAGE, hva_of(map, regions[0].uva));
	vhb_memory_map_put(map);
}

static void an_entry_has_the_exact_ends_of_its_region(void **state)
{
	struct vhb_memory_map *map;

	(void)state;
	map = must_add(NULL, region_of(0x100200, 0x1003, 0x9000, 0x200),
		       file_of(0x1203));
	assert_int_equal(entry_count(map), 1);
	assert_entry(map, 0, 0x100200, 0x1003, hva_of(map, 0x9000));
	assert_int_equal(hva_of(map, 0x9000) % GIB, 0x100200);
	vhb_memory_map_put(map);
}

static void adjacent_regions_become_one_entry(void **state)
{
	struct vhb_memory_map *map;

	(void)state;
	map = must_add(NULL, region_of(PAGE, PAGE, 0x200000, 0), file_of(PAGE));
	map = grow(map, region_of(0, PAGE, 0x100000, 0), file_of(PAGE));
	assert_int_equal(entry_count(map), 1);
	assert_entry(map, 0, 0, 2 * PAGE, hva_of(map, 0x100000));
	assert_int_equal(hva_of(map, 0x200000), hva_of(map, 0x100000) + PAGE);
	vhb_memory_map_put(map);
}

static void a_hole_between_regions_is_in_the_entry_but_faults(void **state)
{
	int fd = file_of(2 * PAGE);
	struct vhb_memory_map *map;
	uint64_t hva;

	(void)state;
	file_write(fd, 0, "low");
	file_write(fd, PAGE, "high");
	map = must_add(NULL, region_of(0, PAGE, 0x100000, 0), fd);
	map = grow(map, region_of(4 * GIB, PAGE, 0x200000, PAGE), fd);
	hva = hva_of(map, 0x100000);
	assert_int_equal(entry_count(map), 1);
	assert_entry(map, 0, 0, 4 * GIB + PAGE, hva);
	assert_text(hva, "low");
	assert_text(hva + 4 * GIB, "high");
	assert_fenced(hva + PAGE);
	assert_fenced(hva + 4 * GIB - 1);
	assert_fenced(hva + 4 * GIB + PAGE);
	vhb_memory_map_put(map);
}

static void a_region_in_another_window_splits_an_entry(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(4 * PAGE);

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, 0x100000, 0), fd);
	map = grow(map, region_of(2 * PAGE, PAGE, 0x300000, 0), fd);
	assert_int_equal(entry_count(map), 1);
	map = grow(map, region_of(PAGE + 16, PAGE - 32, 0x200000, 8), fd);
	assert_int_equal(entry_count(map), 3);
	assert_entry(map, 0, 0, PAGE, hva_of(map, 0x100000));
	assert_entry(map, 1, PAGE + 16, PAGE - 32, hva_of(map, 0x200000));
	assert_entry(map, 2, 2 * PAGE, PAGE, hva_of(map, 0x300000));
	vhb_memory_map_put(map);
}

static void regions_far_apart_are_entries_of_their_own(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(PAGE);

	(void)state;
	map = must_add(NULL, region_of(VHB_WINDOW_BYTES, PAGE, 0x1000, 0), fd);
	map = grow(map, region_of(VHB_WINDOW_BYTES - PAGE, PAGE, 0x2000, 0),
		   fd);
	assert_int_equal(entry_count(map), 2);
	assert_entry(map, 0, VHB_WINDOW_BYTES - PAGE, PAGE,
		     hva_of(map, 0x2000));
	assert_entry(map, 1, VHB_WINDOW_BYTES, PAGE, hva_of(map, 0x1000));
	vhb_memory_map_put(map);
}

static void regions_at_the_top_of_the_address_space_work(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(2 * PAGE);

	(void)state;
	file_write(fd, 2 * PAGE - 8, "end");
	map = must_add(NULL, region_of(-2 * PAGE, 2 * PAGE - 1, -2 * PAGE, 0),
		       fd);
	assert_entry(map, 0, -2 * PAGE, 2 * PAGE - 1, hva_of(map, -2 * PAGE));
	assert_text(hva_of(map, -8), "end");
	map = grow(map, region_of(-4 * PAGE, PAGE, 0, 0), fd);
	assert_entry(map, 0, -4 * PAGE, 4 * PAGE - 1, hva_of(map, 0));
	vhb_memory_map_put(map);
}

static void guest_addresses_that_are_user_addresses_work(void **state)
{
	static const uint64_t addresses[] = {
		0x100200000, 0x140000000, 0x7f1234400000, 0x7f1234600000,
		0x7ffde0000000, 0x555555600000,
	};
	const unsigned int count = VHB_ARRAY_COUNT(addresses);
	struct vhb_memory_map *map = NULL;
	unsigned int i;

	(void)state;
	for (i = 0; i < count; i++)
		map = grow(map, region_of(addresses[i], 2 * MIB, addresses[i],
					  0), file_of(2 * MIB));
	for (i = 0; i < count; i++)
		file_write(files[i], 2 * MIB - 8, (char[]){ 'a' + i, '\0' });
	for (i = 0; i < count; i++)
		assert_text(hva_of(map, addresses[i] + 2 * MIB - 8),
			    (char[]){ 'a' + i, '\0' });
	assert_int_equal(entry_count(map), 3);
	vhb_memory_map_put(map);
}

static void sixty_four_pieces_fit_and_one_more_does_not(void **state)
{
	struct vhb_wire_region regions[65];
	struct vhb_memory_map *more = NULL;
	struct vhb_memory_map *map;
	int fd = file_of(PAGE);
	unsigned int lines;
	int fds[65];

	(void)state;
	for (unsigned int i = 0; i < 65; i++) {
		regions[i] = region_of(i * VHB_WINDOW_BYTES, PAGE, i * PAGE, 0);
		fds[i] = fd;
	}
	assert_refused(NULL, regions, fds, 65, -E2BIG, "more than 64");
	map = must_replace(NULL, regions, fds, 64);
	assert_int_equal(entry_count(map), 64);
	lines = count_lines();
	assert_int_equal(vhb_memory_map_add(space, map, &regions[64], fd, &why,
					    &more), -E2BIG);
	assert_int_equal(count_lines(), lines);
	map = grow(map, region_of(PAGE, PAGE, 64 * PAGE, 0), fd);
	assert_int_equal(entry_count(map), 64);
	vhb_memory_map_put(map);
}

static void five_hundred_and_nine_regions_fit_and_one_more_not(void **state)
{
	struct vhb_wire_region region;
	struct vhb_memory_map *map = NULL;
	struct vhb_memory_map *more = NULL;
	int fd = file_of(510 * PAGE);
	unsigned int lines;

	(void)state;
	for (unsigned int i = 0; i < 509; i++) {
		region = region_of(i * GIB, PAGE, i * PAGE, i * PAGE);
		map = grow(map, region, fd);
	}
	assert_int_equal(entry_count(map), 1);
	assert_entry(map, 0, 0, 508 * GIB + PAGE, hva_of(map, 0));
	file_write(fd, 508 * PAGE, "last");
	assert_text(hva_of(map, 508 * PAGE), "last");

	lines = count_lines();
	region = region_of(509 * GIB, PAGE, 509 * PAGE, 509 * PAGE);
	assert_int_equal(vhb_memory_map_add(space, map, &region, fd, &why,
					    &more), -ENOSPC);
	assert_int_equal(count_lines(), lines);
	vhb_memory_map_put(map);
}

static void a_region_is_removed_by_addresses_and_size(void **state)
{
	struct vhb_wire_region region = region_of(PAGE, PAGE, 0x9000, 0);
	struct vhb_memory_map *map = must_add(NULL, region, file_of(PAGE));
	struct vhb_memory_map *less = NULL;
	struct vhb_wire_region wrong[3] = { region, region, region };

	(void)state;
	wrong[0].gpa++;
	wrong[1].uva++;
	wrong[2].size_bytes--;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(vhb_memory_map_remove(space, map, &wrong[i],
						       &why, &less),
				 -ENOENT);
	assert_int_equal(vhb_memory_map_remove(space, NULL, &region, &why,
					       &less), -ENOENT);
	region.offset_bytes = 0x12345;
	vhb_memory_map_put(shrink(map, region));
}

static void a_removed_region_leaves_the_table_and_translation(void **state)
{
	struct vhb_memory_map *map;
	int fd = file_of(4 * PAGE);

	(void)state;
	map = must_add(NULL, region_of(0, PAGE, 0x1000, 0), fd);
	map = grow(map, region_of(PAGE, PAGE, 0x2000, PAGE), fd);
	map = grow(map, region_of(2 * PAGE, PAGE, 0x3000, 2 * PAGE), fd);
	map = shrink(map, region_of(2 * PAGE, PAGE, 0x3000, 2 * PAGE));
	assert_no_hva(map, 0x3000, 1);
	assert_entry(map, 0, 0, 2 * PAGE, hva_of(map, 0x1000));
	map = shrink(map, region_of(0, PAGE, 0x1000, 0));
	assert_int_equal(entry_count(map), 1);
	assert_entry(map, 0, PAGE, PAGE, hva_of(map, 0x2000));
	vhb_memory_map_put(map);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		watched_test(an_empty_region_is_refused),
		watched_test(guest_addresses_that_wrap_are_refused),
		watched_test(user_addresses_that_wrap_are_refused),
		watched_test(file_offsets_that_wrap_are_refused),
		watched_test(regions_that_overlap_in_guest_addresses_are_refused),
		watched_test(regions_that_overlap_in_user_addresses_are_refused),
		watched_test(an_added_region_may_not_overlap_either),
		watched_test(a_file_shorter_than_its_region_is_refused),
		watched_test(a_file_that_shrank_is_refused_though_it_is_mapped),
		watched_test(what_is_no_regular_file_is_refused),
		watched_test(a_closed_descriptor_is_refused),
		watched_test(a_file_that_cannot_be_written_is_refused),
		watched_test(a_file_sealed_against_writing_is_refused),
		watched_test(a_table_without_regions_or_with_510_is_refused),
		watched_test(a_refused_table_leaves_the_old_map_in_force),
		watched_test(what_was_mapped_before_a_failure_is_unmapped),
		watched_test(the_first_and_the_last_byte_translate),
		watched_test(bytes_outside_of_a_region_do_not_translate),
		watched_test(a_range_across_two_regions_does_not_translate),
		watched_test(lengths_that_wrap_or_are_zero_do_not_translate),
		watched_test(nothing_translates_without_regions),
		watched_test(every_region_is_found_whatever_its_order),
		watched_test(an_entry_has_the_exact_ends_of_its_region),
		watched_test(adjacent_regions_become_one_entry),
		watched_test(a_hole_between_regions_is_in_the_entry_but_faults),
		watched_test(a_region_in_another_window_splits_an_entry),
		watched_test(regions_far_apart_are_entries_of_their_own),
		watched_test(regions_at_the_top_of_the_address_space_work),
		watched_test(guest_addresses_that_are_user_addresses_work),
		watched_test(sixty_four_pieces_fit_and_one_more_does_not),
		watched_test(five_hundred_and_nine_regions_fit_and_one_more_not),
		watched_test(a_region_is_removed_by_addresses_and_size),
		watched_test(a_removed_region_leaves_the_table_and_translation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
