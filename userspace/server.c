// SPDX-License-Identifier: GPL-2.0-or-later
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "connector.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "loop/timer.h"
#include "session/session.h"
#include "wire/socket.h"

/* How long requests may take when the process is to end; the contract is 1 s. */
#define PATIENCE_MS 700
/* Before a front-end that could not be accepted is looked at again */
#define ACCEPT_PAUSE_MS 100

/**
 * struct vhb_server - see server.h
 * @config: as given
 * @listen_fd: where front-ends come; -1 for none (any more)
 * @watch: of @listen_fd
 * @connector: how we get to front-ends that listen themselves, or NULL
 * @session: the session there is, or NULL
 * @is_stopping: it was told to end
 * @timer: how long it waits then
 * @socket_file: where front-ends connect, when we made it
 * @accept_failed: that was said already
 * @error: what stopped the loop, or 0
 */
struct vhb_server {
	struct vhb_server_config config;
	int listen_fd;
	struct vhb_watch_ref watch;
	struct vhb_connector *connector;
	struct vhb_session *session;
	bool is_stopping;
	struct vhb_timer timer;
	struct vhb_socket_file socket_file;
	bool accept_failed;
	int error;
};

static void on_connection(void *argument, unsigned int events);

static int watch_listener(struct vhb_server *server)
{
	return vhb_loop_watch(server->config.loop, server->listen_fd, POLLIN,
			      on_connection, server, &server->watch);
}

static int await_front_end(struct vhb_server *server)
{
	int ret = server->connector ? vhb_connector_go(server->connector) :
				      watch_listener(server);

	if (ret)
		vhb_err("cannot wait for front-ends: %s",
			strerrordesc_np(-ret));
	return ret;
}

static void stop_failed(struct vhb_server *server, int error)
{
	server->error = error;
	vhb_loop_stop(server->config.loop);
}

static void await_or_stop(struct vhb_server *server)
{
	int ret = await_front_end(server);

	if (ret)
		stop_failed(server, ret);
}

static void next_front_end(struct vhb_server *server)
{
	if (server->is_stopping || server->config.once ||
	    (server->listen_fd < 0 && !server->connector))
		vhb_loop_stop(server->config.loop);
	else
		await_or_stop(server);
}

static void on_session_end(void *argument)
{
	struct vhb_server *server = argument;

	vhb_session_destroy(server->session);
	server->session = NULL;
	next_front_end(server);
}

/* Somebody waits in the socket's queue. */
static bool is_wanted(void *argument)
{
	const struct vhb_server *server = argument;
	struct pollfd pollfd = { .fd = server->listen_fd, .events = POLLIN };

	return server->listen_fd >= 0 && poll(&pollfd, 1, 0) == 1;
}

static int start_session(struct vhb_server *server, int fd)
{
	const struct vhb_session_config config = {
		.loop = server->config.loop,
		.kdev = server->config.kdev,
		.queue_num = server->config.queue_num,
		.protocol_features_mask = server->config.protocol_features_mask,
		.has_iommu = server->config.has_iommu,
		.log_reply_bytes = server->config.log_reply_bytes,
		.patience_ms = server->config.patience_ms,
		.is_wanted = is_wanted,
		.has_postcopy = server->config.has_postcopy,
		.on_end = on_session_end,
		.argument = server,
	};

	return vhb_session_create(&config, fd, &server->session);
}

/*
 * No descriptor or memory left: the connection stays in the queue and the
 * listener readable. Asked again at once, we would spin and fill the log.
 */
static void wait_after(struct vhb_server *server, int error)
{
	if (!server->accept_failed)
		vhb_warn("a front-end cannot be accepted: %s; trying on",
			 strerrordesc_np(-error));
	server->accept_failed = true;
	vhb_pause_ms(ACCEPT_PAUSE_MS);
}

static void serve(void *argument, int fd)
{
	struct vhb_server *server = argument;
	int ret;

	if (fd < 0) {
		stop_failed(server, fd);
		return;
	}
	ret = start_session(server, fd);
	if (!ret) {
		vhb_info("front-end has come");
		return;
	}
	vhb_warn("a front-end could not be served: %s", strerrordesc_np(-ret));
	if (server->config.once)
		stop_failed(server, ret);
	else
		next_front_end(server);
}

static void on_connection(void *argument, unsigned int events)
{
	struct vhb_server *server = argument;
	int fd;

	(void)events;
	server->watch.value = 0;
	fd = vhb_socket_accept(server->listen_fd);
	if (fd < 0) {
		if (fd != -EAGAIN)
			wait_after(server, fd);
		await_or_stop(server);
		return;
	}
	server->accept_failed = false;
	serve(server, fd);
}

static int report_socket_error(const char *path, int error)
{
	switch (error) {
	case -EADDRINUSE:
		vhb_err("%s: another program listens there; choose another --socket-path or stop it",
			path);
		break;
	case -EEXIST:
		vhb_err("%s: exists and is no socket; remove it or choose another --socket-path",
			path);
		break;
	case -ENAMETOOLONG:
		vhb_err("%s: longer than a socket address can be (107 bytes); choose a shorter --socket-path",
			path);
		break;
	case -ENOENT:
		vhb_err("%s: its directory does not exist; make it first",
			path);
		break;
	case -EACCES:
		vhb_err("%s: no permission to make a socket there; choose another --socket-path or user",
			path);
		break;
	default:
		vhb_err("%s: no socket for front-ends: %s", path,
			strerrordesc_np(-error));
	}
	return error;
}

static int listen_on_path(struct vhb_server *server)
{
	const char *path = server->config.socket_path;

	server->listen_fd = vhb_socket_listen(path);
	if (server->listen_fd < 0)
		return report_socket_error(path, server->listen_fd);
	vhb_socket_file_note(&server->socket_file, path);
	return 0;
}

static int connect_to_path(struct vhb_server *server)
{
	const char *path = server->config.socket_path;
	int ret;

	ret = vhb_connector_create(server->config.loop, path, serve, server,
				   &server->connector);
	return ret ? report_socket_error(path, ret) : 0;
}

static int adopt_fd(struct vhb_server *server)
{
	const int fd = server->config.socket_fd;
	enum vhb_socket_kind kind;
	int ret;

	ret = vhb_socket_adopt(fd, &kind);
	if (ret) {
		vhb_err("--fd=%d: %s; give it a connected or listening UNIX stream socket",
			fd, strerrordesc_np(-ret));
		if (ret != -EBADF)
			close(fd);
		return ret;
	}
	if (kind == VHB_SOCKET_LISTENING) {
		server->listen_fd = fd;
		return 0;
	}
	ret = start_session(server, fd);
	if (ret)
		vhb_err("--fd=%d: the front-end could not be served: %s", fd,
			strerrordesc_np(-ret));
	return ret;
}

static int find_front_ends(struct vhb_server *server)
{
	if (server->config.is_client)
		return connect_to_path(server);
	return server->config.socket_path ? listen_on_path(server) :
					    adopt_fd(server);
}

static void on_patience_lost(void *argument)
{
	struct vhb_server *server = argument;

	vhb_warn("requests are in flight that the device does not answer: this process is gone as soon as the kernel has finished them");
	vhb_loop_stop(server->config.loop);
}

int vhb_server_create(const struct vhb_server_config *config,
		      struct vhb_server **server_out)
{
	struct vhb_server *server = calloc(1, sizeof(*server));
	int ret;

	if (!server)
		return -ENOMEM;
	server->config = *config;
	server->listen_fd = -1;
	vhb_timer_init(&server->timer, config->loop, on_patience_lost, server);

	ret = find_front_ends(server);
	if (ret)
		goto destroy;
	if (server->listen_fd >= 0 || server->connector) {
		ret = await_front_end(server);
		if (ret)
			goto destroy;
	}

	*server_out = server;
	return 0;

destroy:
	vhb_server_destroy(server);
	return ret;
}

/* Nobody waits for a session that ends; who connects is told so at once. */
static void stop_listening(struct vhb_server *server)
{
	vhb_loop_unwatch(server->config.loop, &server->watch);
	vhb_socket_file_remove(&server->socket_file,
			       server->config.socket_path);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	server->listen_fd = -1;
	vhb_connector_destroy(server->connector);
	server->connector = NULL;
}

int vhb_server_error(const struct vhb_server *server)
{
	return server->error;
}

void vhb_server_report(const struct vhb_server *server,
		       struct vhb_report *report)
{
	vhb_session_report(server->session, report);
}

void vhb_server_stop(struct vhb_server *server)
{
	server->is_stopping = true;
	stop_listening(server);
	if (server->session)
		vhb_session_end(server->session);
	if (!server->session || vhb_timer_set(&server->timer, PATIENCE_MS))
		vhb_loop_stop(server->config.loop);
}

void vhb_server_destroy(struct vhb_server *server)
{
	if (!server)
		return;
	vhb_timer_close(&server->timer);
	/* What may have to be waited for is last. */
	stop_listening(server);
	vhb_session_destroy(server->session);
	free(server);
}
