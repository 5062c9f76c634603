// SPDX-License-Identifier: GPL-2.0-or-later
/* What a guest makes its disk do is put down to the cgroup of the device's owner. */
#include <fcntl.h>

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "blk/blk_module_fixture.h"

#define MOUNT_PATH "/tmp/vhb-cgroup-test"
#define GROUP_PATH MOUNT_PATH "/vhb-test"
#define ZEROED_SECTORS 64

static void put(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	const ssize_t bytes = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (bytes != (ssize_t)strlen(text))
		fail_msg("cannot write \"%s\" to %s: %s", text, path,
			 strerror(errno));
	close(fd);
}

static int set_up_group(void **state)
{
	mkdir(MOUNT_PATH, 0700);
	assert_int_equal(mount("none", MOUNT_PATH, "cgroup2", 0, NULL), 0);
	put(MOUNT_PATH "/cgroup.subtree_control", "+io");
	assert_int_equal(mkdir(GROUP_PATH, 0700), 0);
	put(GROUP_PATH "/cgroup.procs", "0");
	return set_up(state);
}

static int tear_down_group(void **state)
{
	const int ret = tear_down(state);

	put(MOUNT_PATH "/cgroup.procs", "0");
	/* Who was in it may be gone, but not quite. */
	for (unsigned int i = 0; i < 100 && rmdir(GROUP_PATH); i++)
		usleep(10000);
	umount(MOUNT_PATH);
	rmdir(MOUNT_PATH);
	return ret;
}

/* How many bytes the group has written to the disk */
static unsigned long long count_written(void)
{
	unsigned long long bytes = 0;
	struct stat stat;
	char line[256], device[32];
	const char *written;
	FILE *file;

	assert_int_equal(fstat(disk_4k.fd, &stat), 0);
	snprintf(device, sizeof(device), "%u:%u ", major(stat.st_rdev),
		 minor(stat.st_rdev));
	file = fopen(GROUP_PATH "/io.stat", "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		written = strstr(line, "wbytes=");
		if (!strncmp(line, device, strlen(device)) && written)
			bytes = strtoull(written + strlen("wbytes="), NULL, 10);
	}
	fclose(file);
	return bytes;
}

static void test_zeroes_count_for_the_owner(void **state)
{
	const struct virtio_blk_discard_write_zeroes range = {
		.num_sectors = ZEROED_SECTORS,
	};
	const struct vq_buffer data =
		blk_buffer(BLK_DATA_GPA, sizeof(range), false);
	unsigned long long before;

	(void)state;
	disk_need(&disk_4k);
	assert_int_equal(blk_set_backing(&bridge, disk_4k.fd, 0, 1), 0);
	run(0);
	before = count_written();
	memcpy(bridge_at(&bridge, BLK_DATA_GPA), &range, sizeof(range));
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_WRITE_ZEROES, 0, &data, 1)
				 .status, VIRTIO_BLK_S_OK);
	/* Twice where the disk has no command for it, and is asked first. */
	assert_true(count_written() - before >= ZEROED_SECTORS * 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_zeroes_count_for_the_owner,
						set_up_group, tear_down_group),
	};

	return run_all(tests, VHB_ARRAY_COUNT(tests));
}
