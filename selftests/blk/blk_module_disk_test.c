// SPDX-License-Identifier: GPL-2.0-or-later
/* What the module's block device takes for a disk, and what not. */
#include "blk/blk_module_fixture.h"
#include "lib/bridge_device.h"

#include <fcntl.h>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void test_no_disk(void **state)
{
	struct virtio_blk_config config;
	const struct virtio_blk_config nothing = { 0 };

	(void)state;
	assert_false(offers(VIRTIO_BLK_F_RO));
	assert_false(offers(VIRTIO_BLK_F_DISCARD));
	get_config(&config);
	assert_memory_equal(&config, &nothing, sizeof(config));
	bridge_set_up(&bridge, bridge_bit(VIRTIO_F_VERSION_1));
	bridge_make_queue(&bridge, 0, BLK_RING_ENTRIES, 32);
	bridge_program_queue(&bridge, 0);
	assert_int_equal(bridge_start(&bridge, 0), -ENODEV);
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	assert_int_equal(bridge_start(&bridge, 0), 0);
}

static void test_disk_before_owner(void **state)
{
	(void)state;
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	run(0);
	blk_read(&bridge, &disk, 0, BLK_DATA_GPA, 4096);
}

static void test_disk_of_somebody_else(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_OWNER, NULL), 0);
	pid = fork();
	if (!pid)
		_exit(blk_set_backing(&bridge, disk.fd, 0, 1) != -EPERM);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void assert_bad(struct vhost_bridge_blk_backing backing)
{
	assert_int_equal(bridge_call(&bridge, VHOST_BRIDGE_BLK_SET_BACKING,
				     &backing), -EINVAL);
}

static void test_bad_argument(void **state)
{
	const struct vhost_bridge_blk_backing good = {
		.size_bytes = sizeof(good),
		.fd = disk.fd,
		.vring_count = 1,
	};
	struct vhost_bridge_blk_backing bad;

	(void)state;
	bad = good;
	bad.size_bytes--;
	assert_bad(bad);
	bad = good;
	bad.flags = 2;
	assert_bad(bad);
	bad.flags = 0x80000001;
	assert_bad(bad);
	bad = good;
	bad.reserved[6] = 1;
	assert_bad(bad);
	bad = good;
	bad.vring_count = 0;
	assert_bad(bad);
	bad.vring_count = QUEUES_MAX + 1;
	assert_bad(bad);
	bad.vring_count = UINT32_MAX;
	assert_bad(bad);
	assert_int_equal(bridge_call(&bridge, VHOST_BRIDGE_BLK_SET_BACKING,
				     NULL), -EFAULT);
}

static int open_again(int flags)
{
	int fd = open(disk_path(&disk), flags | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Closes the descriptor. */
static void assert_no_disk(int fd, uint32_t flags, int error)
{
	assert_true(fd >= 0);
	assert_int_equal(blk_set_backing(&bridge, fd, flags, 1), error);
	close(fd);
}

static void test_bad_files(void **state)
{
	int pair[2], fd;

	(void)state;
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	run(0);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	assert_int_equal(blk_set_backing(&bridge, -2, 0, 1), -EBADF);
	assert_int_equal(blk_set_backing(&bridge, 1 << 20, 0, 1), -EBADF);
	assert_no_disk(open_again(O_WRONLY), 0, -EBADF);
	assert_no_disk(open_again(O_WRONLY), VHOST_BRIDGE_BLK_READ_ONLY,
		       -EBADF);
	assert_no_disk(open_again(O_RDONLY), 0, -EBADF);
	assert_no_disk(open_again(O_PATH), 0, -EBADF);
	assert_no_disk(open_again(O_RDWR | O_APPEND), 0, -EINVAL);
	assert_no_disk(open("/", O_RDONLY | O_DIRECTORY), 0, -EINVAL);
	assert_no_disk(open("/dev/zero", O_RDWR), 0, -EINVAL);
	assert_no_disk(open("/proc/self/mem", O_RDWR), 0, -EINVAL);
	assert_no_disk(eventfd(0, 0), 0, -EINVAL);
	assert_no_disk(dup(bridge.fd), 0, -EINVAL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_no_disk(pair[0], 0, -EINVAL);
	close(pair[1]);
	assert_int_equal(pipe(pair), 0);
	assert_no_disk(pair[0], VHOST_BRIDGE_BLK_READ_ONLY, -EINVAL);
	close(pair[1]);
	fd = memfd_create("short", 0);
	assert_int_equal(ftruncate(fd, 511), 0);
	assert_no_disk(fd, 0, -EINVAL);

	/* The one from before is still there. */
	assert_int_equal(bridge_start(&bridge, 0), 0);
	blk_read(&bridge, &disk, 0, BLK_DATA_GPA, 4096);
}

static void test_disk_while_running(void **state)
{
	(void)state;
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	run(0);
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), -EBUSY);
	assert_int_equal(blk_set_backing(&bridge, -1, 0, 1), -EBUSY);
	blk_read(&bridge, &disk, 0, BLK_DATA_GPA, 4096);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	assert_int_equal(blk_set_backing(&bridge, -1, 0, 1), 0);
	assert_int_equal(bridge_start(&bridge, 0), -ENODEV);
	assert_int_equal(blk_set_backing(&bridge, disk.fd, 0, 1), 0);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	blk_read(&bridge, &disk, 0, BLK_DATA_GPA, 4096);
}

/* The device keeps it when everybody else has closed it. */
static void test_disk_is_kept(void **state)
{
	int fd;

	(void)state;
	fd = open_again(O_RDWR);
	assert_int_equal(blk_set_backing(&bridge, fd, 0, 1), 0);
	close(fd);
	run(0);
	blk_read(&bridge, &disk, 0, BLK_DATA_GPA, 4096);
	/* Another owner, the same disk */
	assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL), 0);
	bridge_free_queue(&bridge, 0);
	run(0);
	blk_read(&bridge, &disk, 0, BLK_DATA_GPA, 4096);
}

static void test_read_only(void **state)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, 512, false);
	const uint32_t types[] = { VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_DISCARD,
				   VIRTIO_BLK_T_WRITE_ZEROES,
				   VIRTIO_BLK_T_SECURE_ERASE };
	struct virtio_blk_config config;
	int fd;

	(void)state;
	fd = open_again(O_RDONLY);
	assert_int_equal(blk_set_backing(&bridge, fd,
					 VHOST_BRIDGE_BLK_READ_ONLY, 1), 0);
	close(fd);
	assert_true(offers(VIRTIO_BLK_F_RO));
	assert_false(offers(VIRTIO_BLK_F_DISCARD));
	assert_false(offers(VIRTIO_BLK_F_WRITE_ZEROES));
	get_config(&config);
	assert_int_equal(config.capacity, disk.sectors);
	assert_int_equal(config.max_discard_seg, 0);
	assert_int_equal(config.max_write_zeroes_seg, 0);
	run(0);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(types); i++) {
		memset(bridge_at(&bridge, BLK_DATA_GPA), 0, 512);
		assert_int_equal(blk_run(&bridge, types[i], 0, &data, 1).status,
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_FLUSH, 0, NULL, 0)
				 .status, VIRTIO_BLK_S_OK);
	blk_read(&bridge, &disk, 0, BLK_DATA_GPA, 65536);
	disk_check(&disk);
}

/* Writable for us, but not for the guest */
static void test_read_only_by_flag(void **state)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, 512, false);

	(void)state;
	assert_int_equal(blk_set_backing(&bridge, disk.fd,
					 VHOST_BRIDGE_BLK_READ_ONLY, 1), 0);
	run(bridge_bit(VIRTIO_BLK_F_RO));
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_OUT, 0, &data, 1).status,
			 VIRTIO_BLK_S_IOERR);
	disk_check(&disk);
}

/* The size of a file that grows is seen at once. */
static void test_capacity_changes(void **state)
{
	struct virtio_blk_config config;
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA, 512, true);
	int fd = memfd_create("disk", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096 + 511), 0);
	assert_int_equal(blk_set_backing(&bridge, fd, 0, 1), 0);
	get_config(&config);
	assert_int_equal(config.capacity, 8);
	run(0);
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_IN, 8, &data, 1).status,
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ftruncate(fd, 8192), 0);
	get_config(&config);
	assert_int_equal(config.capacity, 16);
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_IN, 8, &data, 1).status,
			 VIRTIO_BLK_S_OK);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(blk_run(&bridge, VIRTIO_BLK_T_IN, 8, &data, 1).status,
			 VIRTIO_BLK_S_IOERR);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_disk),
		TEST(test_disk_before_owner),
		TEST(test_disk_of_somebody_else),
		TEST(test_bad_argument),
		TEST(test_bad_files),
		TEST(test_disk_while_running),
		TEST(test_disk_is_kept),
		TEST(test_read_only),
		TEST(test_read_only_by_flag),
		TEST(test_capacity_changes),
	};

	return run_all(tests, VHB_ARRAY_COUNT(tests));
}
