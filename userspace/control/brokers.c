// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/brokers.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "control/directory.h"
#include "lib/clock.h"

/* How long a broker may take */
#define PATIENCE_MS 2000
/* Between two tries to connect to one that is asked by many */
#define PAUSE_MS 10
/* Sockets looked at in a directory; who fills it with more sees the first */
#define SOCKETS_MAX 4096

static int connect_to(const char *path)
{
	const int64_t end_ms = vhb_now_ms() + PATIENCE_MS;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, ret;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	for (;;) {
		ret = connect(fd, (const struct sockaddr *)&address,
			      sizeof(address)) ? -errno : 0;
		/* Others wait for their answer there, as many as it lets wait. */
		if (ret != -EAGAIN || vhb_now_ms() >= end_ms)
			break;
		poll(NULL, 0, PAUSE_MS);
	}
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* Returns how many bytes came until the end, or -errno. */
static ssize_t receive_all(int fd, char *text, size_t room_bytes)
{
	const int64_t end_ms = vhb_now_ms() + PATIENCE_MS;
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	size_t used = 0;
	ssize_t received;
	int64_t left_ms;

	for (;;) {
		received = recv(fd, text + used, room_bytes - used, 0);
		if (!received)
			return used;
		if (received > 0) {
			used += received;
			if (used == room_bytes)
				return -E2BIG;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		left_ms = end_ms - vhb_now_ms();
		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (poll(&pollfd, 1, left_ms) < 0 && errno != EINTR)
			return -errno;
	}
}

static int ask(const char *path, struct vhb_broker *broker)
{
	ssize_t size_bytes;
	char *text;
	int fd, ret;

	fd = connect_to(path);
	if (fd < 0)
		return fd;
	text = malloc(VHB_BROKER_TEXT_MAX);
	ret = -ENOMEM;
	if (text) {
		size_bytes = receive_all(fd, text, VHB_BROKER_TEXT_MAX);
		ret = size_bytes < 0 ? size_bytes :
				       vhb_broker_read(text, size_bytes, broker);
	}
	free(text);
	close(fd);
	return ret;
}

static int add_one(struct vhb_broker_list *list, const char *directory,
		   uint32_t pid)
{
	char path[VHB_CONTROL_PATH_BYTES];
	struct vhb_broker *larger;
	int ret;

	if (vhb_control_path(directory, pid, path))
		return 0;
	larger = reallocarray(list->brokers, list->count + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	list->brokers = larger;
	ret = ask(path, &list->brokers[list->count]);
	/* Who is behind a socket may say that it is another, or all others. */
	if (!ret && list->brokers[list->count].pid != pid)
		ret = -EBADMSG;
	switch (ret) {
	case 0:
		list->count++;
		return 0;
	case -ENOMEM:
		return ret;
	case -EACCES:
	case -EPERM:
		/* Whoever was killed has left its socket, and asks nobody for more. */
		if (!kill(pid, 0) || errno != ESRCH)
			list->hidden_count++;
		return 0;
	case -ECONNREFUSED:
	case -ENOENT:
		/* It was killed, or has just ended. */
		return 0;
	default:
		list->silent_count++;
		return 0;
	}
}

static int add_directory(struct vhb_broker_list *list, const char *path)
{
	unsigned int socket_count = 0;
	struct dirent *entry;
	uint32_t pid;
	DIR *directory;
	int ret = 0;

	directory = opendir(path);
	if (!directory)
		return -errno;
	while (!ret && socket_count < SOCKETS_MAX &&
	       (entry = readdir(directory))) {
		pid = vhb_control_pid(entry->d_name);
		if (!pid)
			continue;
		socket_count++;
		ret = add_one(list, path, pid);
	}
	closedir(directory);
	return ret;
}

static int compare(const void *a, const void *b)
{
	const struct vhb_broker *first = a, *second = b;

	return first->pid < second->pid ? -1 : first->pid > second->pid;
}

int vhb_brokers_read(const char *directory, struct vhb_broker_list *list)
{
	struct vhb_control_directories directories;
	unsigned int i;
	int ret;

	memset(list, 0, sizeof(*list));
	ret = vhb_control_directories_find(directory, &directories);
	for (i = 0; !ret && i < directories.count; i++) {
		ret = add_directory(list, directories.paths[i]);
		/* The usual ones need not be there, or not for everybody. */
		if (!directory && ret != -ENOMEM)
			ret = 0;
	}
	if (ret) {
		vhb_brokers_free(list);
		return ret;
	}
	if (list->count)
		qsort(list->brokers, list->count, sizeof(*list->brokers),
		      compare);
	return 0;
}

void vhb_brokers_free(struct vhb_broker_list *list)
{
	free(list->brokers);
	memset(list, 0, sizeof(*list));
}
