// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/memfd.h>

#include "session/map_fixture.h"

#define HUGE_PAGES 4
#define HUGE_PAGE (2 * MIB)
#define NR_HUGEPAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define FREE_HUGEPAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

static long number_in(const char *path)
{
	FILE *file = fopen(path, "re");
	long number = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

static void set_huge_pages(long count)
{
	FILE *file = fopen(NR_HUGEPAGES, "we");

	if (!file)
		return;
	fprintf(file, "%ld\n", count);
	fclose(file);
}

static long huge_pages_before;

static int reserve_huge_pages(void **state)
{
	(void)state;
	huge_pages_before = number_in(NR_HUGEPAGES);
	if (huge_pages_before >= 0 && number_in(FREE_HUGEPAGES) < HUGE_PAGES)
		set_huge_pages(huge_pages_before + HUGE_PAGES);
	return 0;
}

static int restore_huge_pages(void **state)
{
	(void)state;
	if (huge_pages_before >= 0)
		set_huge_pages(huge_pages_before);
	return 0;
}

static int huge_file(void)
{
	int fd;

	if (number_in(FREE_HUGEPAGES) < HUGE_PAGES) {
		print_message("# no %d huge pages of 2 MiB on this machine\n",
			      HUGE_PAGES);
		skip();
	}
	fd = keep_file(memfd_create("guest", MFD_CLOEXEC | MFD_HUGETLB |
				    MFD_HUGE_2MB));
	assert_int_equal(ftruncate(fd, HUGE_PAGES * HUGE_PAGE), 0);
	return fd;
}

/* hugetlbfs has no write(2). */
static void huge_write(int fd, uint64_t offset_bytes, const char *text)
{
	char *base = mmap(NULL, HUGE_PAGES * HUGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);

	assert_ptr_not_equal(base, MAP_FAILED);
	memcpy(base + offset_bytes, text, strlen(text) + 1);
	munmap(base, HUGE_PAGES * HUGE_PAGE);
}

static void huge_pages_in_step_share_a_window(void **state)
{
	int fd = huge_file();
	struct vhb_memory_map *map;

	(void)state;
	huge_write(fd, HUGE_PAGE, "second");
	huge_write(fd, 4 * HUGE_PAGE - 8, "last");
	map = must_add(NULL, region_of(3 * HUGE_PAGE, HUGE_PAGE, 0x10000000,
				       HUGE_PAGE), fd);
	map = grow(map, region_of(4 * HUGE_PAGE, 2 * HUGE_PAGE, 0x20000000,
				  2 * HUGE_PAGE), fd);
	assert_int_equal(entry_count(map), 1);
	assert_entry(map, 0, 3 * HUGE_PAGE, 3 * HUGE_PAGE,
		     hva_of(map, 0x10000000));
	assert_text(hva_of(map, 0x10000000), "second");
	assert_text(hva_of(map, 0x20000000 + 2 * HUGE_PAGE - 8), "last");
	map = shrink(map, region_of(3 * HUGE_PAGE, HUGE_PAGE, 0x10000000, 0));
	assert_fenced(hva_of(map, 0x20000000) - 1);
	vhb_memory_map_put(map);
}

static void huge_pages_out_of_step_go_private(void **state)
{
	int fd = huge_file();
	struct vhb_memory_map *map;
	uint64_t hva;

	(void)state;
	huge_write(fd, 2 * PAGE, "start");
	huge_write(fd, HUGE_PAGE, "second");
	map = must_add(NULL, region_of(PAGE, HUGE_PAGE, 0x10000000, 2 * PAGE),
		       fd);
	hva = hva_of(map, 0x10000000);
	assert_int_equal(hva % HUGE_PAGE, 2 * PAGE);
	assert_text(hva, "start");
	assert_text(hva + HUGE_PAGE - 2 * PAGE, "second");
	assert_entry(map, 0, PAGE, HUGE_PAGE, hva);
	vhb_memory_map_put(map);
	assert_string_equal(perms_at(hva), "");
}

static void parts_of_huge_pages_work(void **state)
{
	int fd = huge_file();
	struct vhb_memory_map *map;

	(void)state;
	huge_write(fd, HUGE_PAGE + PAGE, "first");
	huge_write(fd, HUGE_PAGE + 3 * PAGE, "rest");
	map = must_add(NULL, region_of(HUGE_PAGE + PAGE, 2 * PAGE, 0x10000000,
				       HUGE_PAGE + PAGE), fd);
	map = grow(map, region_of(HUGE_PAGE + 3 * PAGE, HUGE_PAGE, 0x20000000,
				  HUGE_PAGE + 3 * PAGE), fd);
	assert_text(hva_of(map, 0x10000000), "first");
	assert_text(hva_of(map, 0x20000000), "rest");
	assert_entry(map, 0, HUGE_PAGE + PAGE, 2 * PAGE,
		     hva_of(map, 0x10000000));
	assert_int_equal(entry_count(map), 2);
	vhb_memory_map_put(map);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		watched_test(huge_pages_in_step_share_a_window),
		watched_test(huge_pages_out_of_step_go_private),
		watched_test(parts_of_huge_pages_work),
	};

	return cmocka_run_group_tests(tests, reserve_huge_pages,
				      restore_huge_pages);
}
