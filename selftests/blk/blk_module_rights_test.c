// SPDX-License-Identifier: GPL-2.0-or-later
/* What the module does to a file it does with the owner's rights, not the kernel's. */
#include "blk/blk_module_fixture.h"

#include <sys/stat.h>

#define NOBODY 65534

static struct disk disk_ext4;

/*
 * A write by who may not give a file another identity takes the set-user-ID bit
 * away, one by the kernel does not: so the bit tells whose rights counted.
 */
static void mark(const struct disk *marked)
{
	assert_int_equal(fchmod(marked->fd, S_ISUID | 0777), 0);
}

static bool is_marked(const struct disk *marked)
{
	struct stat stat;

	assert_int_equal(fstat(marked->fd, &stat), 0);
	return stat.st_mode & S_ISUID;
}

static void run_as(uid_t user, const struct disk *used)
{
	assert_int_equal(blk_set_backing(&bridge, used->fd, 0, 1), 0);
	assert_int_equal(seteuid(user), 0);
	run(0);
	assert_int_equal(seteuid(0), 0);
}

static void write_zeroes(void)
{
	struct virtio_blk_discard_write_zeroes *range =
		bridge_at(&bridge, BLK_DATA_GPA);
	const struct vq_buffer data =
		blk_buffer(BLK_DATA_GPA, sizeof(*range), false);

	*range = (struct virtio_blk_discard_write_zeroes){
		.sector = 64,
		.num_sectors = 8,
	};
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_WRITE_ZEROES, 0, &data,
				 1).status, VIRTIO_BLK_S_OK);
}

static void test_writes(void **state)
{
	(void)state;
	run_as(NOBODY, &disk);
	mark(&disk);
	blk_write(&bridge, &disk, 0, BLK_DATA_GPA, 4096);
	assert_false(is_marked(&disk));
}

static void test_writes_of_who_may(void **state)
{
	(void)state;
	run_as(0, &disk);
	mark(&disk);
	blk_write(&bridge, &disk, 0, BLK_DATA_GPA, 4096);
	assert_true(is_marked(&disk));
}

static void test_direct_writes(void **state)
{
	(void)state;
	disk_need(&disk_ext4);
	run_as(NOBODY, &disk_ext4);
	mark(&disk_ext4);
	blk_write(&bridge, &disk_ext4, 0, BLK_DATA_GPA, 4096);
	assert_false(is_marked(&disk_ext4));
}

static void test_ranges(void **state)
{
	(void)state;
	disk_need(&disk_ext4);
	run_as(NOBODY, &disk_ext4);
	mark(&disk_ext4);
	write_zeroes();
	assert_false(is_marked(&disk_ext4));
}

static int open_ext4(void **state)
{
	(void)state;
	disk_open(&disk_ext4, DISK_EXT4);
	return 0;
}

static int close_ext4(void **state)
{
	(void)state;
	disk_close(&disk_ext4);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_writes),
		TEST(test_writes_of_who_may),
		TEST(test_direct_writes),
		TEST(test_ranges),
	};
	int ret;

	module_need();
	disk_open(&disk, DISK_TMPFS);
	ret = cmocka_run_group_tests_name("rights", tests, open_ext4,
					  close_ext4);
	disk_close(&disk);
	module_restore();
	return ret;
}
