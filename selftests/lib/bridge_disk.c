// SPDX-License-Identifier: GPL-2.0-or-later
/* Disks for the module's block device. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <linux/fs.h>
#include <linux/loop.h>

#include "lib/bridge_blk.h"

#define CHUNK_BYTES (1u << 20)
#define NULL_DISK "/dev/nullb0"
#define BAD_DISK "vhb-test-bad"
#define MKFS "mkfs.ext4 -q -F -b 4096 /proc/%d/fd/%d >/dev/null 2>&1"

static int run(const char *command)
{
	return system(command) ? -ENODEV : 0;
}

static int make_memfd(uint64_t size_bytes)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, size_bytes)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Returns an open loop device on the file, or -1. */
static int attach_loop(int file_fd, uint32_t block_bytes, int flags)
{
	struct loop_config config = {
		.fd = file_fd,
		.block_size = block_bytes,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control, number, fd = -1;
	char path[32];

	run("modprobe -q loop");
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (number < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/loop%d", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (ioctl(fd, LOOP_CONFIGURE, &config)) {
		close(fd);
		return -1;
	}
	if (!flags)
		return fd;
	number = open(path, O_RDWR | O_CLOEXEC | flags);
	close(fd);
	return number;
}

static const char *open_loop(struct disk *disk, uint32_t block_bytes)
{
	disk->file_fd = make_memfd(DISK_BYTES);
	if (disk->file_fd < 0)
		return "no memfd";
	disk->fd = attach_loop(disk->file_fd, block_bytes, O_DIRECT);
	return disk->fd < 0 ? "no loop device" : NULL;
}

static const char *open_null(struct disk *disk)
{
	run("modprobe -q null_blk nr_devices=1 gb=1 memory_backed=1 irqmode=2 completion_nsec=20000");
	disk->fd = open(NULL_DISK, O_RDWR | O_CLOEXEC | O_DIRECT);
	return disk->fd < 0 ? "no null_blk" : NULL;
}

/* Puts a device over the loop device that has the first half of it alone. */
static bool spoil_disk(struct disk *disk)
{
	char command[256];
	struct stat stat;

	if (fstat(disk->fd, &stat))
		return false;
	snprintf(command, sizeof(command),
		 "printf '0 %u linear %u:%u 0\\n%u %u error\\n' | dmsetup create " BAD_DISK " 2>/dev/null",
		 DISK_SECTORS / 2, major(stat.st_rdev), minor(stat.st_rdev),
		 DISK_SECTORS / 2, DISK_SECTORS / 2);
	run("modprobe -q dm-mod");
	setenv("DM_DISABLE_UDEV", "1", 1);
	if (run(command))
		return false;
	close(disk->fd);
	disk->fd = open("/dev/mapper/" BAD_DISK,
			O_RDWR | O_CLOEXEC | O_DIRECT);
	return disk->fd >= 0;
}

/* A file of a new file system on a loop device; both go with the last user. */
static const char *open_ext4(struct disk *disk, int flags)
{
	char place[] = "/tmp/vhb-ext4-XXXXXX";
	char path[64], command[128];
	int loop_fd;

	disk->file_fd = make_memfd(4 * DISK_BYTES);
	loop_fd = disk->file_fd < 0 ? -1 : attach_loop(disk->file_fd, 512, 0);
	if (loop_fd < 0)
		return "no loop device";
	snprintf(command, sizeof(command), MKFS, getpid(), loop_fd);
	if (run(command) || !mkdtemp(place)) {
		close(loop_fd);
		return "no mkfs.ext4";
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", loop_fd);
	if (mount(path, place, "ext4", 0, NULL)) {
		close(loop_fd);
		rmdir(place);
		return "no ext4";
	}
	close(loop_fd);
	snprintf(path, sizeof(path), "%s/disk", place);
	disk->fd = open(path, O_RDWR | O_CLOEXEC | O_CREAT | flags, 0600);
	umount2(place, MNT_DETACH);
	rmdir(place);
	if (disk->fd < 0 || ftruncate(disk->fd, DISK_BYTES))
		return "no file on ext4";
	return NULL;
}

static const char *open_kind(struct disk *disk)
{
	switch (disk->kind) {
	case DISK_TMPFS:
		disk->fd = make_memfd(DISK_BYTES);
		return disk->fd < 0 ? "no memfd" : NULL;
	case DISK_FILE:
		return open_ext4(disk, 0);
	case DISK_LOOP:
	case DISK_BAD:
		return open_loop(disk, 512);
	case DISK_LOOP_4K:
		return open_loop(disk, 4096);
	case DISK_NULL:
		return open_null(disk);
	default:
		return open_ext4(disk, O_DIRECT);
	}
}

static uint8_t *aligned_chunk(void)
{
	void *chunk = NULL;

	if (posix_memalign(&chunk, 4096, CHUNK_BYTES))
		abort();
	return chunk;
}

static bool fill_disk(struct disk *disk)
{
	struct test_random random = test_random_of(disk->kind + 1);
	uint8_t *chunk = aligned_chunk();
	uint32_t offset, i;
	bool is_good = true;

	for (i = 0; i < DISK_BYTES; i += 8) {
		const uint64_t value = test_random_next(&random);

		memcpy(disk->shadow + i, &value, 8);
	}
	for (offset = 0; is_good && offset < DISK_BYTES;
	     offset += CHUNK_BYTES) {
		memcpy(chunk, disk->shadow + offset, CHUNK_BYTES);
		is_good = pwrite(disk->fd, chunk, CHUNK_BYTES, offset) ==
			  CHUNK_BYTES;
	}
	free(chunk);
	return is_good;
}

static uint64_t count_sectors(int fd)
{
	struct stat stat;
	uint64_t bytes = 0;

	if (fstat(fd, &stat))
		return 0;
	if (S_ISREG(stat.st_mode))
		return stat.st_size / 512;
	return ioctl(fd, BLKGETSIZE64, &bytes) ? 0 : bytes / 512;
}

void disk_open(struct disk *disk, enum disk_kind kind)
{
	static const char *const names[] = { "tmpfs",	"ext4 cached",
					     "loop",	"loop 4K",
					     "null_blk", "ext4 direct",
					     "bad blocks" };

	*disk = (struct disk){
		.kind = kind,
		.name = names[kind],
		.fd = -1,
		.file_fd = -1,
		.block_bytes = kind == DISK_LOOP_4K ? 4096 : 512,
		.is_direct = kind != DISK_TMPFS && kind != DISK_FILE,
		.shadow = malloc(DISK_BYTES),
	};
	if (!disk->shadow)
		abort();
	disk->why_not = open_kind(disk);
	if (disk->why_not)
		return;
	disk->sectors = count_sectors(disk->fd);
	if (!fill_disk(disk))
		disk->why_not = "cannot be written";
	else if (kind == DISK_BAD && !spoil_disk(disk))
		disk->why_not = "no device mapper";
}

void disk_need(const struct disk *disk)
{
	if (!disk->why_not)
		return;
	print_message("# %s: %s\n", disk->name, disk->why_not);
	skip();
}

void disk_close(struct disk *disk)
{
	if (disk->fd >= 0)
		close(disk->fd);
	if (disk->file_fd >= 0)
		close(disk->file_fd);
	if (disk->kind == DISK_BAD)
		run("dmsetup remove " BAD_DISK);
	if (disk->kind == DISK_NULL)
		run("modprobe -q -r null_blk");
	free(disk->shadow);
	disk->shadow = NULL;
}

const char *disk_path(const struct disk *disk)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", disk->fd);
	return path;
}

void disk_check(const struct disk *disk)
{
	uint8_t *chunk = aligned_chunk();
	uint32_t offset, i;

	for (offset = 0; offset < DISK_BYTES; offset += CHUNK_BYTES) {
		assert_int_equal(pread(disk->fd, chunk, CHUNK_BYTES, offset),
				 CHUNK_BYTES);
		if (!memcmp(chunk, disk->shadow + offset, CHUNK_BYTES))
			continue;
		for (i = 0; chunk[i] == disk->shadow[offset + i]; i++)
			;
		free(chunk);
		fail_msg("the disk is wrong from byte %u on", offset + i);
	}
	free(chunk);
}

void disk_read_shadow(struct disk *disk, uint64_t sector, uint64_t sectors)
{
	const uint64_t first = sector * 512 / 4096 * 4096;
	const uint64_t end = ((sector + sectors) * 512 + 4095) / 4096 * 4096;
	uint8_t *chunk = aligned_chunk();

	assert_true(end <= DISK_BYTES && end - first <= CHUNK_BYTES);
	assert_int_equal(pread(disk->fd, chunk, end - first, first),
			 end - first);
	memcpy(disk->shadow + sector * 512, chunk + (sector * 512 - first),
	       sectors * 512);
	free(chunk);
}
