// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include "control/broker.h"
#include "control/directory.h"
#include "control/leftovers.h"
#include "lib/log.h"
#include "wire/socket.h"

/**
 * struct vhb_control - see control.h
 * @config: as given
 * @fd: where clients come
 * @spare_fd: for a client when there is no descriptor left
 * @watch: of @fd
 * @path: of the socket
 * @file: of the socket
 * @broker: what is being told
 */
struct vhb_control {
	struct vhb_control_config config;
	int fd;
	int spare_fd;
	struct vhb_watch_ref watch;
	char path[VHB_CONTROL_PATH_BYTES];
	struct vhb_socket_file file;
	struct vhb_broker broker;
};

static void copy(char *target, size_t target_bytes, const char *text)
{
	snprintf(target, target_bytes, "%s", text ? text : "");
}

static void fill_in(struct vhb_control *control)
{
	const struct vhb_control_config *config = &control->config;
	struct vhb_broker *broker = &control->broker;
	struct timespec now;

	memset(broker, 0, sizeof(*broker));
	copy(broker->version, sizeof(broker->version), config->version);
	copy(broker->type, sizeof(broker->type), config->type_name);
	copy(broker->socket, sizeof(broker->socket), config->socket_path);
	copy(broker->host, sizeof(broker->host), config->host);
	broker->pid = getpid();
	config->report(config->argument, &broker->session);
	broker->has_stats = config->tap_name &&
			    !vhb_link_stats_get(config->tap_name,
						&broker->stats);
	clock_gettime(CLOCK_MONOTONIC, &now);
	broker->time_ns = now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

/* Room for all of it first, so that it leaves at once. */
static void send_whole(int fd, const char *text, size_t size_bytes)
{
	const int room_bytes = 2 * VHB_BROKER_TEXT_MAX;
	ssize_t sent;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room_bytes, sizeof(room_bytes));
	sent = send(fd, text, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 || (size_t)sent != size_bytes)
		vhb_debug("a client of the control socket got no whole answer");
}

static void answer(struct vhb_control *control, int fd)
{
	struct vhb_json json = { 0 };
	size_t size_bytes = 0;
	char *text = NULL;

	json.out = open_memstream(&text, &size_bytes);
	if (!json.out)
		return;
	fill_in(control);
	vhb_broker_write(&json, NULL, &control->broker);
	putc('\n', json.out);
	if (!fclose(json.out))
		send_whole(fd, text, size_bytes);
	free(text);
}

static int watch(struct vhb_control *control);

/* Not answered, but not left in the queue either, where it would let us spin. */
static void turn_away(struct vhb_control *control)
{
	int fd;

	if (control->spare_fd >= 0)
		close(control->spare_fd);
	fd = vhb_socket_accept(control->fd);
	if (fd >= 0)
		close(fd);
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* One each turn, so that others get theirs. */
static void on_client(void *argument, unsigned int events)
{
	struct vhb_control *control = argument;
	int fd;

	(void)events;
	control->watch.value = 0;
	fd = vhb_socket_accept(control->fd);
	if (fd >= 0) {
		answer(control, fd);
		close(fd);
	} else if (fd == -EMFILE || fd == -ENFILE) {
		turn_away(control);
	}
	if (watch(control))
		vhb_warn("the control socket is not heard any more");
}

static int watch(struct vhb_control *control)
{
	return vhb_loop_watch(control->config.loop, control->fd, POLLIN,
			      on_client, control, &control->watch);
}

static int open_socket(struct vhb_control *control, const char *directory)
{
	mode_t old_mask;
	int ret;

	ret = vhb_control_path(directory, getpid(), control->path);
	if (ret)
		return ret;
	/* The socket's own mode counts; who is there already has another one. */
	if (mkdir(directory, 0755) && errno != EEXIST)
		return -errno;
	old_mask = umask(0177);
	control->fd = vhb_socket_listen(control->path);
	umask(old_mask);
	if (control->fd < 0)
		return control->fd;
	vhb_socket_file_note(&control->file, control->path);
	vhb_control_remove_leftovers(directory);
	return 0;
}

static int open_first(struct vhb_control *control)
{
	const char *given = control->config.directory;
	struct vhb_control_directories directories;
	unsigned int i;
	int ret;

	ret = vhb_control_directories_find(given, &directories);
	for (i = 0; !ret && i < directories.count; i++) {
		ret = open_socket(control, directories.paths[i]);
		if (!ret)
			return 0;
		if (i + 1 < directories.count)
			ret = 0;
	}
	if (given)
		vhb_err("--control-dir=%s: no control socket there: %s; choose another directory, or --no-control",
			given, strerrordesc_np(-ret));
	else
		vhb_info("no control socket: %s: %s; vhost-bridge status will not see this one",
			 directories.paths[directories.count - 1],
			 strerrordesc_np(-ret));
	return ret;
}

int vhb_control_create(const struct vhb_control_config *config,
		       struct vhb_control **control_out)
{
	struct vhb_control *control = calloc(1, sizeof(*control));
	int ret;

	*control_out = NULL;
	if (!control)
		return -ENOMEM;
	control->config = *config;
	control->fd = -1;
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ret = open_first(control);
	if (!ret)
		ret = watch(control);
	if (ret) {
		vhb_control_destroy(control);
		return config->directory ? ret : 0;
	}
	*control_out = control;
	return 0;
}

void vhb_control_destroy(struct vhb_control *control)
{
	if (!control)
		return;
	vhb_loop_unwatch(control->config.loop, &control->watch);
	if (control->fd >= 0) {
		vhb_socket_file_remove(&control->file, control->path);
		close(control->fd);
	}
	if (control->spare_fd >= 0)
		close(control->spare_fd);
	free(control);
}
