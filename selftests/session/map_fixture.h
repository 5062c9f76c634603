/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_MAP_FIXTURE_H
#define VHB_SELFTESTS_MAP_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/resources.h"
#include "session/memory_map.h"

/**
 * DOC: memory maps under observation
 *
 * To be included by one file of a test program: it brings its own mmap() and
 * munmap() for the code under test, which count, remember what was reserved and
 * fail when told to. What is mapped is always judged by /proc/self/maps, what
 * can be reached by process_vm_readv(2), as the kernel's workers would see it.
 */

#define PAGE UINT64_C(4096)
#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define RESERVATIONS_MAX 4096
#define FILES_MAX 128

/**
 * struct watched - what the code under test did
 * @call_count: calls of mmap() and munmap()
 * @mmap_count: calls of mmap() alone
 * @fail_at: the mmap() that fails, counted from 1 on; 0 for none
 * @reserve_max_bytes: longer reservations fail; 0 for no limit
 * @starts: what mmap() has placed itself
 * @sizes: and how much of it
 * @count: how often
 */
static struct watched {
	unsigned int call_count;
	unsigned int mmap_count;
	unsigned int fail_at;
	uint64_t reserve_max_bytes;
	uint64_t starts[RESERVATIONS_MAX];
	uint64_t sizes[RESERVATIONS_MAX];
	unsigned int count;
} watched;

static struct vhb_address_space *space;
static struct resources resources_before;
static struct vhb_why why;
static int files[FILES_MAX];
static unsigned int file_count;

/* Fails as Linux before 6.12 may: what was there is gone. */
static void *fail_mmap(void *start, size_t size_bytes, int flags)
{
	if (flags & MAP_FIXED)
		syscall(SYS_munmap, start, size_bytes);
	errno = ENOMEM;
	return MAP_FAILED;
}

void *mmap(void *start, size_t size_bytes, int prot, int flags, int fd,
	   off_t offset)
{
	bool is_reservation = !(flags & MAP_FIXED) && prot == PROT_NONE;
	long ret;

	watched.call_count++;
	watched.mmap_count++;
	if (watched.mmap_count == watched.fail_at)
		return fail_mmap(start, size_bytes, flags);
	if (is_reservation && watched.reserve_max_bytes &&
	    size_bytes > watched.reserve_max_bytes)
		return fail_mmap(start, size_bytes, flags);

	ret = syscall(SYS_mmap, start, size_bytes, prot, flags, fd, offset);
	if (ret == -1)
		return MAP_FAILED;
	if (is_reservation && watched.count < RESERVATIONS_MAX) {
		watched.starts[watched.count] = ret;
		watched.sizes[watched.count++] = size_bytes;
	}
	return (void *)ret;
}

int munmap(void *start, size_t size_bytes)
{
	watched.call_count++;
	return syscall(SYS_munmap, start, size_bytes);
}

static inline bool was_reserved(uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; i < watched.count; i++) {
		if (vhb_ranges_overlap(start, end - start, watched.starts[i],
				       watched.sizes[i]))
			return true;
	}
	return false;
}

/* Lines of /proc/self/maps that are windows or guest memory */
static inline unsigned int count_lines(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long start, end;
	unsigned int count = 0;
	char line[512];
	char perms[8];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %7s", &start, &end, perms) != 3)
			continue;
		if (perms[3] == 's' ||
		    (!strcmp(perms, "---p") && was_reserved(start, end)))
			count++;
	}
	fclose(maps);
	return count;
}

/* Permissions as /proc/self/maps has them, "" where nothing is mapped */
static inline const char *perms_at(uint64_t hva)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long start, end;
	static char perms[8];
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx %7s", &start, &end, perms) == 3 &&
		    hva >= start && hva < end)
			goto close_maps;
	}
	perms[0] = '\0';
close_maps:
	fclose(maps);
	return perms;
}

static inline int keep_file(int fd)
{
	assert_true(fd >= 0);
	assert_true(file_count < FILES_MAX);
	files[file_count++] = fd;
	return fd;
}

static inline int file_of(uint64_t size_bytes)
{
	int fd = keep_file(memfd_create("guest", MFD_CLOEXEC));

	assert_int_equal(ftruncate(fd, size_bytes), 0);
	return fd;
}

static inline void file_write(int fd, uint64_t offset_bytes, const char *text)
{
	size_t size_bytes = strlen(text) + 1;

	assert_int_equal(pwrite(fd, text, size_bytes, offset_bytes),
			 size_bytes);
}

static inline struct vhb_wire_region region_of(uint64_t gpa,
					       uint64_t size_bytes,
					       uint64_t uva,
					       uint64_t offset_bytes)
{
	return (struct vhb_wire_region){ gpa, size_bytes, uva, offset_bytes };
}

static inline struct vhb_memory_map *
must_replace(struct vhb_memory_map *old, const struct vhb_wire_region *regions,
	     const int *fds, unsigned int count)
{
	struct vhb_memory_map *map = NULL;

	assert_int_equal(vhb_memory_map_replace(space, old, regions, fds, count,
						&why, &map),
			 0);
	assert_int_equal(vhb_memory_map_region_count(map), count);
	return map;
}

static inline struct vhb_memory_map *
must_add(struct vhb_memory_map *old, struct vhb_wire_region region, int fd)
{
	struct vhb_memory_map *map = NULL;

	assert_int_equal(vhb_memory_map_add(space, old, &region, fd, &why, &map),
			 0);
	assert_int_equal(vhb_memory_map_region_count(map),
			 vhb_memory_map_region_count(old) + 1);
	return map;
}

static inline struct vhb_memory_map *
must_remove(struct vhb_memory_map *old, struct vhb_wire_region region)
{
	struct vhb_memory_map *map = NULL;

	assert_int_equal(vhb_memory_map_remove(space, old, &region, &why, &map),
			 0);
	assert_int_equal(vhb_memory_map_region_count(map),
			 vhb_memory_map_region_count(old) - 1);
	return map;
}

/* The successor that takes its place, as the session does it */
static inline struct vhb_memory_map *grow(struct vhb_memory_map *old,
					  struct vhb_wire_region region, int fd)
{
	struct vhb_memory_map *map = must_add(old, region, fd);

	vhb_memory_map_put(old);
	return map;
}

static inline struct vhb_memory_map *shrink(struct vhb_memory_map *old,
					    struct vhb_wire_region region)
{
	struct vhb_memory_map *map = must_remove(old, region);

	vhb_memory_map_put(old);
	return map;
}

static inline void assert_refused(struct vhb_memory_map *old,
				  const struct vhb_wire_region *regions,
				  const int *fds, unsigned int count, int error,
				  const char *clause)
{
	unsigned int lines = count_lines();
	struct vhb_memory_map *map = NULL;
	struct resources before;

	resources_count(&before);
	why.clause[0] = '\0';
	assert_int_equal(vhb_memory_map_replace(space, old, regions, fds, count,
						&why, &map),
			 error);
	if (!strstr(why.clause, clause))
		fail_msg("\"%s\" does not say \"%s\"", why.clause, clause);
	assert_null(map);
	assert_int_equal(count_lines(), lines);
	resources_assert_same(&before);
}

static inline void assert_region_refused(struct vhb_wire_region region, int fd,
					 int error, const char *clause)
{
	assert_refused(NULL, &region, &fd, 1, error, clause);
}

static inline uint64_t hva_of(const struct vhb_memory_map *map, uint64_t uva)
{
	uint64_t hva = 0;

	assert_int_equal(vhb_memory_map_translate(map, uva, 1, &hva), 0);
	return hva;
}

static inline void assert_no_hva(const struct vhb_memory_map *map, uint64_t uva,
				 uint64_t size_bytes)
{
	uint64_t hva;

	assert_int_equal(vhb_memory_map_translate(map, uva, size_bytes, &hva),
			 -EFAULT);
}

/* What a worker of the kernel would get: bytes read, or -errno */
static inline int peek(uint64_t hva, void *data, size_t size_bytes)
{
	struct iovec local = { data, size_bytes };
	struct iovec remote = { (void *)(uintptr_t)hva, size_bytes };
	ssize_t ret;

	ret = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	return ret < 0 ? -errno : ret;
}

static inline void assert_text(uint64_t hva, const char *text)
{
	size_t size_bytes = strlen(text) + 1;
	char data[64] = "";

	assert_int_equal(peek(hva, data, size_bytes), size_bytes);
	assert_string_equal(data, text);
}

static inline void assert_faults(uint64_t hva)
{
	char data;

	assert_int_equal(peek(hva, &data, 1), -EFAULT);
}

/* Out of reach for the guest, but not free for a later mmap() either */
static inline void assert_fenced(uint64_t hva)
{
	assert_faults(hva);
	assert_string_equal(perms_at(hva), "---p");
}

static inline void assert_entry(const struct vhb_memory_map *map,
				unsigned int index, uint64_t gpa,
				uint64_t size_bytes, uint64_t hva)
{
	const struct vhost_memory *table = vhb_memory_map_table(map);

	assert_true(index < table->nregions);
	assert_int_equal(table->padding, 0);
	assert_int_equal(table->regions[index].guest_phys_addr, gpa);
	assert_int_equal(table->regions[index].memory_size, size_bytes);
	assert_int_equal(table->regions[index].userspace_addr, hva);
	assert_int_equal(table->regions[index].flags_padding, 0);
}

static inline unsigned int entry_count(const struct vhb_memory_map *map)
{
	return vhb_memory_map_table(map)->nregions;
}

static inline int setup(void **state)
{
	(void)state;
	memset(&watched, 0, sizeof(watched));
	resources_count(&resources_before);
	return vhb_address_space_create(&space);
}

static inline int teardown(void **state)
{
	(void)state;
	vhb_address_space_destroy(space);
	while (file_count)
		close(files[--file_count]);
	assert_int_equal(count_lines(), 0);
	resources_assert_same(&resources_before);
	return 0;
}

#define watched_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
