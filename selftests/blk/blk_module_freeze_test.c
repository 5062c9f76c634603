// SPDX-License-Identifier: GPL-2.0-or-later
/* A file system is frozen and thawed while its file is written by a guest. */
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <linux/fs.h>

#include "blk/blk_module_fixture.h"

#define REQUESTS 8
#define REQUEST_BYTES 65536
#define FREEZES 20

static struct disk disk_ext4;

/* Freezes and thaws; somebody else ends it if it does not return. */
static void freeze_now_and_then(void)
{
	unsigned int i;

	for (i = 0; i < FREEZES; i++) {
		if (ioctl(disk_ext4.fd, FIFREEZE, 0))
			_exit(1);
		usleep(2000);
		if (ioctl(disk_ext4.fd, FITHAW, 0))
			_exit(2);
		usleep(2000);
	}
	_exit(0);
}

static void write_a_burst(void)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, REQUEST_BYTES,
						 false);
	struct blk_answer answer;
	unsigned int i, added_count = 0;

	for (i = 0; i < REQUESTS; i++)
		added_count += blk_add(&bridge, 0, VIRTIO_BLK_T_OUT,
				       i * (REQUEST_BYTES / 512), &data,
				       1) >= 0;
	bridge_kick(&bridge.queues[0]);
	while (added_count--) {
		assert_true(blk_wait(&bridge, 0, &answer) >= 0);
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	}
}

static void test_file_system_is_frozen_under_writes(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	disk_need(&disk_ext4);
	assert_int_equal(blk_set_backing(&bridge, disk_ext4.fd, 0, 1), 0);
	run(0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		freeze_now_and_then();
	do {
		write_a_burst();
	} while (!waitpid(pid, &status, WNOHANG));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_system_is_frozen_under_writes),
	};
	int ret;

	disk_open(&disk_ext4, DISK_EXT4);
	ret = run_all(tests, VHB_ARRAY_COUNT(tests));
	disk_close(&disk_ext4);
	return ret;
}
