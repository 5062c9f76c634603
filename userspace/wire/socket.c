// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"

/* Front-ends that may wait while one is being served */
#define BACKLOG_COUNT 16
/* Others that begin in a directory take no time; who stays is not waited for. */
#define LOCK_TRIES 100
#define LOCK_PAUSE_MS 10

static int stream_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int bind_to(int fd, const struct sockaddr_un *address)
{
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	return 0;
}

/*
 * A socket file outlives the process that made it; connecting tells whether
 * somebody still listens. lstat(), because a symbolic link is not ours to
 * remove.
 */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat st;
	int ret = 0;
	int fd;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;

	fd = stream_socket();
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		ret = -errno;
	close(fd);

	switch (ret) {
	case -ECONNREFUSED:
		if (unlink(address->sun_path) < 0 && errno != ENOENT)
			return -errno;
		return 0;
	case -ENOENT:
		return 0;
	case 0:
	case -EAGAIN:
	case -EPROTOTYPE:
		return -EADDRINUSE;
	}
	return ret;
}

static int address_of(const char *path, struct sockaddr_un *address)
{
	const size_t length = strlen(path);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* An empty path would bind to an abstract name of the kernel's choice */
	if (!length)
		return -EINVAL;
	if (length >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memcpy(address->sun_path, path, length);
	return 0;
}

int vhb_socket_check_path(const char *path)
{
	struct sockaddr_un address;

	return address_of(path, &address);
}

void vhb_socket_file_note(struct vhb_socket_file *file, const char *path)
{
	struct stat st;

	*file = (struct vhb_socket_file){ 0 };
	if (lstat(path, &st))
		return;
	file->device = st.st_dev;
	file->inode = st.st_ino;
}

void vhb_socket_file_remove(struct vhb_socket_file *file, const char *path)
{
	struct stat st;

	if (file->inode && !lstat(path, &st) && st.st_dev == file->device &&
	    st.st_ino == file->inode)
		unlink(path);
	file->inode = 0;
}

static int socket_for(const char *path, struct sockaddr_un *address)
{
	int ret = address_of(path, address);

	return ret ? ret : stream_socket();
}

int vhb_socket_connect(const char *path)
{
	struct sockaddr_un address;
	int fd = socket_for(path, &address);
	int ret;

	if (fd < 0)
		return fd;
	if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static int open_directory_of(const struct sockaddr_un *address)
{
	char directory[sizeof(address->sun_path)];
	char *end;

	memcpy(directory, address->sun_path, sizeof(directory));
	end = strrchr(directory, '/');
	if (end)
		end[end == directory] = '\0';
	return open(end ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * Between bind() and listen() a socket looks like a stale one: of two brokers that
 * begin at the same moment one would remove the other's. So they take turns, as
 * far as the directory can be locked; closing it is the end of that.
 */
static int lock_directory_of(const struct sockaddr_un *address)
{
	const int fd = open_directory_of(address);

	if (fd < 0)
		return fd;
	for (unsigned int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
			break;
		vhb_pause_ms(LOCK_PAUSE_MS);
	}
	return fd;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address)
{
	int ret;

	ret = bind_to(fd, address);
	if (ret == -EADDRINUSE) {
		ret = remove_stale(address);
		if (!ret)
			ret = bind_to(fd, address);
	}
	if (ret)
		return ret;
	if (listen(fd, BACKLOG_COUNT) < 0) {
		ret = -errno;
		unlink(address->sun_path);
	}
	return ret;
}

int vhb_socket_listen(const char *path)
{
	struct sockaddr_un address;
	int fd = socket_for(path, &address);
	int directory_fd;
	int ret;

	if (fd < 0)
		return fd;
	directory_fd = lock_directory_of(&address);
	ret = bind_and_listen(fd, &address);
	if (directory_fd >= 0)
		close(directory_fd);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int get_option(int fd, int option)
{
	socklen_t size_bytes = sizeof(int);
	int value;

	if (getsockopt(fd, SOL_SOCKET, option, &value, &size_bytes) < 0)
		return -errno;
	return value;
}

static int set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int vhb_socket_adopt(int fd, enum vhb_socket_kind *kind_out)
{
	struct sockaddr_un address;
	socklen_t size_bytes = sizeof(address);
	enum vhb_socket_kind kind;
	int ret;

	ret = get_option(fd, SO_DOMAIN);
	if (ret < 0)
		return ret;
	if (ret != AF_UNIX)
		return -EPROTOTYPE;
	ret = get_option(fd, SO_TYPE);
	if (ret < 0)
		return ret;
	if (ret != SOCK_STREAM)
		return -EPROTOTYPE;
	ret = get_option(fd, SO_ACCEPTCONN);
	if (ret < 0)
		return ret;

	if (ret)
		kind = VHB_SOCKET_LISTENING;
	else if (!getpeername(fd, (struct sockaddr *)&address, &size_bytes))
		kind = VHB_SOCKET_CONNECTED;
	else
		return -errno;

	ret = set_flags(fd);
	if (ret)
		return ret;
	*kind_out = kind;
	return 0;
}

int vhb_socket_accept(int listen_fd)
{
	int fd;

	do {
		fd = accept4(listen_fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}
