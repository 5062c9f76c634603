// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/blk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/fs.h>

#include "lib/log.h"

#define SECTOR_BYTES 512

/* What one can do with an image, as byte numbers behind the two bases */
#define USE_READ 0
#define USE_WRITE 1

/* A lock here: it is done */
#define USED_BASE 100
/* A lock here: others must not do it */
#define UNSHARED_BASE 200

static bool is_image(const struct stat *st)
{
	return S_ISBLK(st->st_mode) || S_ISREG(st->st_mode);
}

static int report_open_error(const char *path, bool is_read_only, int error)
{
	switch (error) {
	case -ENOENT:
		vhb_err("%s: there is no such file; make it ('truncate -s 10G %s'), or choose another --blk-file",
			path, path);
		break;
	case -EACCES:
	case -EPERM:
		if (is_read_only)
			vhb_err("%s may not be read by this user: run as its owner, or choose another --blk-file",
				path);
		else
			vhb_err("%s may not be written by this user, or is read-only: run as its owner, or add --read-only",
				path);
		break;
	case -EROFS:
		vhb_err("%s is on a read-only file system: add --read-only",
			path);
		break;
	case -EBUSY:
		vhb_err("%s is in use: mounted, part of a volume, or opened for itself alone by another process; end that, or allow it with --share-rw",
			path);
		break;
	default:
		vhb_err("%s does not open (%s): choose another --blk-file",
			path, strerrordesc_np(-error));
	}
	return error;
}

/* Before it is opened: that would already do something to a tape or a FIFO. */
static int check_kind(const char *path, bool is_read_only, bool *is_device_out)
{
	struct stat st;

	if (stat(path, &st))
		return report_open_error(path, is_read_only, -errno);
	if (!is_image(&st)) {
		vhb_err("%s is neither a block device nor a regular file: choose another --blk-file",
			path);
		return -EINVAL;
	}
	*is_device_out = S_ISBLK(st.st_mode);
	return 0;
}

static int open_direct(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT);

	if (fd >= 0 || errno != EINVAL)
		return fd < 0 ? -errno : fd;
	fd = open(path, flags);
	if (fd < 0)
		return -errno;
	vhb_info("%s: its file system has no direct I/O, data goes through the page cache",
		 path);
	return fd;
}

/* Opening such a device for writing may work; writing does not. */
static bool is_read_only_device(int fd, const struct stat *st)
{
	int is_set = 0;

	return S_ISBLK(st->st_mode) && !ioctl(fd, BLKROGET, &is_set) && is_set;
}

/* It may be another file now. */
static int check_opened(int fd, const char *path, bool is_read_only)
{
	struct stat st;
	off_t size_bytes;

	if (fstat(fd, &st))
		return -errno;
	if (!is_image(&st)) {
		vhb_err("%s has become another file meanwhile: try again",
			path);
		return -EINVAL;
	}
	if (!is_read_only && is_read_only_device(fd, &st))
		return report_open_error(path, is_read_only, -EACCES);
	size_bytes = lseek(fd, 0, SEEK_END);
	if (size_bytes < 0)
		return -errno;
	if (size_bytes < SECTOR_BYTES) {
		vhb_err("%s has %lld bytes, less than a sector: make it larger ('truncate -s 10G'), or choose another --blk-file",
			path, (long long)size_bytes);
		return -EINVAL;
	}
	if (size_bytes % SECTOR_BYTES)
		vhb_warn("%s: the last %lld bytes are no whole sector, the guest does not see them",
			 path, (long long)(size_bytes % SECTOR_BYTES));
	return 0;
}

static int lock_byte(int fd, off_t byte)
{
	struct flock lock = {
		.l_type = F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	return fcntl(fd, F_OFD_SETLK, &lock) ? -errno : 0;
}

static bool is_locked_by_others(int fd, off_t byte)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* Says first and looks then, so that of two at the same time one sees the other. */
static int lock_image(int fd, const char *path, bool is_read_only,
		      bool is_shared)
{
	int ret;

	ret = lock_byte(fd, USED_BASE + USE_READ);
	if (!ret && !is_read_only)
		ret = lock_byte(fd, USED_BASE + USE_WRITE);
	if (!ret && !is_shared)
		ret = lock_byte(fd, UNSHARED_BASE + USE_WRITE);
	/* Somebody has locked it as a whole. */
	if (ret == -EAGAIN || ret == -EACCES) {
		vhb_err("%s is locked by another process: end that, or choose another --blk-file",
			path);
		return -EBUSY;
	}
	if (ret) {
		vhb_warn("%s cannot be locked (%s): use by others is not noticed",
			 path, strerrordesc_np(-ret));
		return 0;
	}

	if (is_locked_by_others(fd, UNSHARED_BASE + USE_READ) ||
	    (!is_read_only &&
	     is_locked_by_others(fd, UNSHARED_BASE + USE_WRITE))) {
		vhb_err("%s is in use by another process that does not share it: end that, or let both share it (--share-rw)",
			path);
		return -EBUSY;
	}
	if (!is_shared && is_locked_by_others(fd, USED_BASE + USE_WRITE)) {
		vhb_err("%s is being written by another process: end that, or allow it with --share-rw",
			path);
		return -EBUSY;
	}
	return 0;
}

int vhb_blk_file_open(const char *path, bool is_read_only, bool is_shared)
{
	int flags = O_CLOEXEC | O_NOCTTY | (is_read_only ? O_RDONLY : O_RDWR);
	bool is_device = false;
	int fd, ret;

	ret = check_kind(path, is_read_only, &is_device);
	if (ret)
		return ret;
	/* Of files it would mean something else, and without O_CREAT nothing. */
	if (is_device && !is_read_only && !is_shared)
		flags |= O_EXCL;
	fd = open_direct(path, flags);
	if (fd < 0)
		return report_open_error(path, is_read_only, fd);
	ret = check_opened(fd, path, is_read_only);
	if (!ret)
		ret = lock_image(fd, path, is_read_only, is_shared);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}
