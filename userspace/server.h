/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SERVER_H
#define VHB_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "kdev/kdev.h"
#include "loop/loop.h"
#include "session/report.h"

/** struct vhb_server - takes one front-end after another */
struct vhb_server;

/**
 * struct vhb_server_config - where front-ends come from
 * @loop: the event loop; stopped when the last front-end has been served
 * @kdev: the kernel device they get
 * @queue_num: what GET_QUEUE_NUM answers
 * @protocol_features_mask: to offer besides what is always offered
 * @log_reply_bytes: see &struct vhb_session_config
 * @socket_path: listen here; NULL when @socket_fd is given
 * @is_client: the front-end listens on @socket_path: connect to it, again
 *             whenever the connection has gone
 * @socket_fd: a listening or a connected socket; owned by the server
 * @has_iommu: offer VIRTIO_F_ACCESS_PLATFORM
 * @patience_ms: see &struct vhb_session_config
 * @once: stop after the first front-end
 * @has_postcopy: offer postcopy, where @kdev can do it too
 */
struct vhb_server_config {
	struct vhb_loop *loop;
	struct vhb_kdev *kdev;
	uint64_t queue_num;
	uint64_t protocol_features_mask;
	unsigned int log_reply_bytes;
	const char *socket_path;
	bool is_client;
	int socket_fd;
	bool has_iommu;
	unsigned int patience_ms;
	bool once;
	bool has_postcopy;
};

/**
 * vhb_server_create() - begin to take front-ends
 * @config: how; the strings must outlive the server
 * @server_out: the server
 *
 * Front-ends that come while one is served wait in the socket's queue, a few of
 * them; more are not let in, by the kernel.
 *
 * Return: 0 or -errno (reported, with the remedy).
 */
int vhb_server_create(const struct vhb_server_config *config,
		      struct vhb_server **server_out);

/**
 * vhb_server_error() - why the server stopped the loop
 * @server: the server
 *
 * Return: 0 when there was nothing more to do, or -errno (reported).
 */
int vhb_server_error(const struct vhb_server *server);

/**
 * vhb_server_report() - what there is to tell of the session
 * @server: the server
 * @report: filled in
 */
void vhb_server_report(const struct vhb_server *server,
		       struct vhb_report *report);

/**
 * vhb_server_stop() - take no more front-ends, end the session, stop the loop
 * @server: the server
 *
 * From the loop. The loop stops when the requests in flight are done; if that
 * takes longer than a moment, it says so and stops the loop all the same.
 */
void vhb_server_stop(struct vhb_server *server);

/**
 * vhb_server_destroy() - end the session there may be and stop listening
 * @server: may be NULL
 *
 * Removes the socket file if the server made it. Waits for requests in flight.
 */
void vhb_server_destroy(struct vhb_server *server);

#endif
