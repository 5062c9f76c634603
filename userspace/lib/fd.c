// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include <linux/magic.h>

bool vhb_fd_is_eventfd(int fd)
{
	static const char name[] = "anon_inode:[eventfd]";
	char path[32], target[sizeof(name)];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target));
	if (length < 0)
		return true;
	return length == sizeof(name) - 1 && !memcmp(target, name, length);
}

bool vhb_fd_is_unix_socket(int fd)
{
	socklen_t size_bytes = sizeof(int);
	int family;

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size_bytes) &&
	       family == AF_UNIX;
}

bool vhb_fd_is_unix_stream(int fd)
{
	socklen_t length = sizeof(int);
	int type;

	return vhb_fd_is_unix_socket(fd) &&
	       !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) &&
	       type == SOCK_STREAM;
}

/* Only these file systems know seals; the rest fails without being asked. */
bool vhb_fd_is_shared_memory(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}

/*
 * Not st_blksize: on hugetlbfs it is the page size, but elsewhere what suits
 * read(2).
 */
int vhb_fd_page_bytes(int fd, uint64_t *page_bytes_out)
{
	struct statfs file_system;

	*page_bytes_out = sysconf(_SC_PAGESIZE);
	if (!vhb_fd_is_shared_memory(fd))
		return 0;
	if (fstatfs(fd, &file_system))
		return -errno;
	if (file_system.f_type == HUGETLBFS_MAGIC)
		*page_bytes_out = file_system.f_bsize;
	return 0;
}

uint64_t vhb_fd_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return UINT64_MAX;
	if (limit.rlim_cur != limit.rlim_max) {
		const struct rlimit most = {
			.rlim_cur = limit.rlim_max,
			.rlim_max = limit.rlim_max,
		};

		if (!setrlimit(RLIMIT_NOFILE, &most))
			limit = most;
	}
	return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}
