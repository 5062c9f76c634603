// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files become disks, and who may use them at the same time. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "kdev/blk_file.h"
#include "lib/bits.h"
#include "lib/log.h"
#include "lib/log_capture.h"
#include "lib/resources.h"

static char directory[32];
static char image[64];
static bool has_no_direct_io;
static struct resources before_test;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap___open_2(const char *path, int flags);

/* A file system that refuses O_DIRECT; which ones do depends on the kernel. */
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (has_no_direct_io && flags & O_DIRECT) {
		errno = EINVAL;
		return -1;
	}
	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	return __real_open(path, flags, mode);
}

int __wrap___open_2(const char *path, int flags)
{
	return __wrap_open(path, flags);
}

static int setup(void **state)
{
	int fd;

	(void)state;
	strcpy(directory, "/tmp/vhb-blk-file.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(image, sizeof(image), "%s/image", directory);
	fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	has_no_direct_io = false;
	vhb_log_set_level(VHB_LOG_ERROR);
	resources_count(&before_test);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	resources_assert_same(&before_test);
	unlink(image);
	return rmdir(directory);
}

static int open_image(bool is_read_only, bool is_shared)
{
	int fd = vhb_blk_file_open(image, is_read_only, is_shared);

	assert_true(fd >= 0);
	return fd;
}

static void refuse(const char *path, bool is_read_only, bool is_shared,
		   int error, const char *what, const char *remedy)
{
	static struct log_capture capture;
	int ret;

	log_capture_begin(&capture);
	ret = vhb_blk_file_open(path, is_read_only, is_shared);
	log_capture_end(&capture);
	assert_int_equal(ret, error);
	if (!strstr(capture.text, what))
		assert_string_equal(capture.text, what);
	if (!strstr(capture.text, remedy))
		assert_string_equal(capture.text, remedy);
	assert_int_equal(log_capture_count(&capture, "\n"), 1);
}

/* tmpfs, where /tmp often is, takes O_DIRECT from Linux 6.6 on. */
static int direct_flag(void)
{
	int fd = open(image, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		return 0;
	close(fd);
	return O_DIRECT;
}

static void test_flags(void **state)
{
	const int direct = direct_flag();
	int fd = open_image(false, false);

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_DIRECT),
			 O_RDWR | direct);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	fd = open_image(true, false);
	assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_DIRECT),
			 O_RDONLY | direct);
	close(fd);
}

static void test_without_direct_io(void **state)
{
	static struct log_capture capture;
	int fd;

	(void)state;
	has_no_direct_io = true;
	log_capture_begin(&capture);
	vhb_log_set_level(VHB_LOG_INFO);
	fd = vhb_blk_file_open(image, false, false);
	log_capture_end(&capture);
	assert_true(fd >= 0);
	assert_false(fcntl(fd, F_GETFL) & O_DIRECT);
	assert_non_null(strstr(capture.text, "through the page cache"));
	close(fd);
}

static void test_no_such_file(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/none", directory);
	refuse(path, false, false, -ENOENT, "no such file", "truncate -s 10G");
	refuse(path, true, false, -ENOENT, "no such file", "--blk-file");
	snprintf(path, sizeof(path), "%s/none", image);
	refuse(path, false, false, -ENOTDIR, "does not open", "--blk-file");
}

static void test_other_kinds_of_files(void **state)
{
	static const char what[] = "neither a block device nor a regular file";
	char path[128];

	(void)state;
	refuse("/dev/null", false, false, -EINVAL, what, "--blk-file");
	refuse("/dev/zero", true, false, -EINVAL, what, "--blk-file");
	refuse(directory, false, false, -EINVAL, what, "--blk-file");
	refuse(directory, true, true, -EINVAL, what, "--blk-file");
	/* Nobody waits for its other end. */
	snprintf(path, sizeof(path), "%s/fifo", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	refuse(path, true, false, -EINVAL, what, "--blk-file");
	unlink(path);
}

static void test_sizes(void **state)
{
	static struct log_capture capture;
	int fd;

	(void)state;
	assert_int_equal(truncate(image, 0), 0);
	refuse(image, false, false, -EINVAL, "0 bytes, less than a sector",
	       "make it larger");
	assert_int_equal(truncate(image, 511), 0);
	refuse(image, true, false, -EINVAL, "511 bytes, less than a sector",
	       "make it larger");
	assert_int_equal(truncate(image, 512), 0);
	close(open_image(false, false));

	assert_int_equal(truncate(image, 1000), 0);
	log_capture_begin(&capture);
	fd = vhb_blk_file_open(image, false, false);
	log_capture_end(&capture);
	assert_true(fd >= 0);
	assert_non_null(strstr(capture.text, "the last 488 bytes"));
	close(fd);
}

static void test_one_writer(void **state)
{
	int fd = open_image(false, false);

	(void)state;
	refuse(image, false, false, -EBUSY, "in use by another process",
	       "end that");
	refuse(image, true, false, -EBUSY, "written by another process",
	       "--share-rw");
	/* It does not want it shared. */
	refuse(image, false, true, -EBUSY, "does not share it", "let both");
	/* Who does not mind writers may read. */
	close(open_image(true, true));
	close(fd);
	close(open_image(false, false));
}

static void test_many_readers(void **state)
{
	int first = open_image(true, false);
	int second = open_image(true, false);

	(void)state;
	refuse(image, false, false, -EBUSY, "in use by another process",
	       "end that");
	refuse(image, false, true, -EBUSY, "does not share it", "end that");
	close(first);
	close(second);
	close(open_image(false, false));
}

static void test_both_share(void **state)
{
	int first = open_image(false, true);
	int second = open_image(false, true);

	(void)state;
	refuse(image, false, false, -EBUSY, "written by another process",
	       "--share-rw");
	close(first);
	close(second);
}

/* A duplicate keeps it, as does the kernel device that was given it. */
static void test_locks_belong_to_the_open_file(void **state)
{
	int fd = open_image(false, false);
	int duplicate = dup(fd);

	(void)state;
	close(fd);
	refuse(image, false, false, -EBUSY, "in use", "end that");
	close(duplicate);
	close(open_image(false, false));
}

static void lock_bytes(int fd, int type, off_t start, off_t length)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = length,
	};

	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
}

static int qemu_opens(const off_t *bytes, unsigned int count)
{
	int fd = open(image, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	while (count)
		lock_bytes(fd, F_RDLCK, bytes[--count], 1);
	return fd;
}

/* What qemu-system and qemu-img lock, as /proc/locks shows it */
static void test_qemu_and_we_exclude_each_other(void **state)
{
	/* reads, writes; shares neither writing nor resizing */
	static const off_t writer[] = { 100, 101, 201, 203 };
	/* reads; shares everything but writing and resizing */
	static const off_t reader[] = { 100, 201, 203 };
	/* with share-rw=on */
	static const off_t sharer[] = { 100, 101, 203 };
	int fd;

	(void)state;
	fd = qemu_opens(writer, VHB_ARRAY_COUNT(writer));
	refuse(image, false, false, -EBUSY, "in use", "end that");
	refuse(image, false, true, -EBUSY, "in use", "end that");
	refuse(image, true, false, -EBUSY, "being written", "end that");
	close(fd);

	fd = qemu_opens(reader, VHB_ARRAY_COUNT(reader));
	refuse(image, false, false, -EBUSY, "in use", "end that");
	close(open_image(true, false));
	close(fd);

	fd = qemu_opens(sharer, VHB_ARRAY_COUNT(sharer));
	refuse(image, false, false, -EBUSY, "being written", "--share-rw");
	close(open_image(false, true));
	close(fd);
}

/* As QEMU looks: could it have the byte for itself? */
static bool is_byte_locked(int fd, off_t byte)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
	return lock.l_type != F_UNLCK;
}

static void check_bytes(bool is_read_only, bool is_shared, const off_t *locked,
			unsigned int count)
{
	int fd = open_image(is_read_only, is_shared);
	int other = open(image, O_RDWR | O_CLOEXEC);
	unsigned int i;

	for (off_t byte = 0; byte < 300; byte++) {
		bool is_expected = false;

		for (i = 0; i < count; i++)
			is_expected |= locked[i] == byte;
		assert_int_equal(is_byte_locked(other, byte), is_expected);
	}
	close(other);
	close(fd);
}

static void test_what_qemu_sees(void **state)
{
	(void)state;
	check_bytes(false, false, (const off_t[]){ 100, 101, 201 }, 3);
	check_bytes(true, false, (const off_t[]){ 100, 201 }, 2);
	check_bytes(false, true, (const off_t[]){ 100, 101 }, 2);
	check_bytes(true, true, (const off_t[]){ 100 }, 1);
}

static void test_file_that_is_locked_as_a_whole(void **state)
{
	int fd = open(image, O_RDWR | O_CLOEXEC);

	(void)state;
	lock_bytes(fd, F_WRLCK, 0, 0);
	refuse(image, false, false, -EBUSY, "is locked by another process",
	       "end that");
	refuse(image, true, true, -EBUSY, "is locked by another process",
	       "end that");
	close(fd);
	/* flock(2) is something else. */
	fd = open(image, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	close(open_image(false, false));
	close(fd);
}

#define FILE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(test_flags),
		FILE_TEST(test_without_direct_io),
		FILE_TEST(test_no_such_file),
		FILE_TEST(test_other_kinds_of_files),
		FILE_TEST(test_sizes),
		FILE_TEST(test_one_writer),
		FILE_TEST(test_many_readers),
		FILE_TEST(test_both_share),
		FILE_TEST(test_locks_belong_to_the_open_file),
		FILE_TEST(test_qemu_and_we_exclude_each_other),
		FILE_TEST(test_what_qemu_sees),
		FILE_TEST(test_file_that_is_locked_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
