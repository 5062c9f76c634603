// SPDX-License-Identifier: GPL-2.0-or-later
#include "connector.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "loop/timer.h"
#include "wire/socket.h"

/*
 * The first pause and the longest: traffic goes on within a second of the socket
 * coming back.
 */
#define PAUSE_MS_MIN 100
#define PAUSE_MS_MAX 500
/* A connection that lasted as long was a good one. */
#define GOOD_MS 1000
/* In the words of a timer, which knows no "now" */
#define AT_ONCE_MS 1

/**
 * struct vhb_connector - see connector.h
 * @path: where to go
 * @function: what to call with a connection
 * @argument: handed to @function
 * @timer: the next attempt
 * @pause_ms: before it; 0 before the very first
 * @connected_ms: when there was a connection last
 * @is_waiting: that nobody listens was said
 */
struct vhb_connector {
	const char *path;
	vhb_connected_fn function;
	void *argument;
	struct vhb_timer timer;
	unsigned int pause_ms;
	int64_t connected_ms;
	bool is_waiting;
};

static void lengthen_pause(struct vhb_connector *connector)
{
	connector->pause_ms *= 2;
	if (connector->pause_ms < PAUSE_MS_MIN)
		connector->pause_ms = PAUSE_MS_MIN;
	if (connector->pause_ms > PAUSE_MS_MAX)
		connector->pause_ms = PAUSE_MS_MAX;
}

static const char *reason(int error)
{
	switch (error) {
	case -ENOENT:
		return "there is no such socket";
	case -ECONNREFUSED:
		return "nobody listens there";
	default:
		return strerrordesc_np(-error);
	}
}

static void try_again(struct vhb_connector *connector, int error)
{
	int ret;

	if (!connector->is_waiting)
		vhb_warn("%s: %s; waiting for a front-end that listens",
			 connector->path, reason(error));
	connector->is_waiting = true;
	lengthen_pause(connector);
	ret = vhb_timer_set(&connector->timer, connector->pause_ms);
	if (!ret)
		return;
	vhb_err("cannot wait for front-ends: %s", strerrordesc_np(-ret));
	connector->function(connector->argument, ret);
}

static void attempt(void *argument)
{
	struct vhb_connector *connector = argument;
	int fd = vhb_socket_connect(connector->path);

	if (fd < 0) {
		try_again(connector, fd);
		return;
	}
	if (connector->is_waiting)
		vhb_warn("%s: connected", connector->path);
	connector->is_waiting = false;
	connector->connected_ms = vhb_now_ms();
	connector->function(connector->argument, fd);
}

int vhb_connector_create(struct vhb_loop *loop, const char *path,
			 vhb_connected_fn function, void *argument,
			 struct vhb_connector **connector_out)
{
	struct vhb_connector *connector;
	int ret;

	ret = vhb_socket_check_path(path);
	if (ret)
		return ret;
	connector = calloc(1, sizeof(*connector));
	if (!connector)
		return -ENOMEM;
	connector->path = path;
	connector->function = function;
	connector->argument = argument;
	vhb_timer_init(&connector->timer, loop, attempt, connector);
	*connector_out = connector;
	return 0;
}

int vhb_connector_go(struct vhb_connector *connector)
{
	const bool is_first = !connector->connected_ms;

	if (is_first)
		return vhb_timer_set(&connector->timer, AT_ONCE_MS);
	if (vhb_now_ms() - connector->connected_ms >= GOOD_MS)
		connector->pause_ms = 0;
	lengthen_pause(connector);
	return vhb_timer_set(&connector->timer, connector->pause_ms);
}

void vhb_connector_destroy(struct vhb_connector *connector)
{
	if (!connector)
		return;
	vhb_timer_close(&connector->timer);
	free(connector);
}
