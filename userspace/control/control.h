/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_CONTROL_H
#define VHB_CONTROL_CONTROL_H

#include "loop/loop.h"
#include "session/report.h"

/**
 * DOC: the control socket of a broker
 *
 * Who connects is sent one JSON object (control/broker.h), and the connection is
 * closed; nothing is read from it. So the most that anybody can do here is to know
 * and to keep the broker's thread busy, never the data path. The socket's mode is
 * 0600: only the broker's user and root can connect. The answer leaves whole in one
 * send() or not at all, and no connection is kept: a client that does not read
 * holds up nobody.
 */

/** struct vhb_control - a control socket */
struct vhb_control;

/**
 * typedef vhb_control_report_fn - what is there to tell of the session?
 * @argument: as given in &struct vhb_control_config
 * @report: to be filled in
 */
typedef void (*vhb_control_report_fn)(void *argument,
				      struct vhb_report *report);

/**
 * struct vhb_control_config - what a control socket tells
 * @loop: the event loop
 * @directory: of --control-dir, or NULL
 * @version: of the program
 * @type_name: device type
 * @socket_path: where front-ends come, or NULL
 * @host: tap, or file; or NULL
 * @tap_name: interface whose counters are told, or NULL
 * @report: called for each client
 * @argument: handed to @report
 *
 * The strings must outlive the control socket.
 */
struct vhb_control_config {
	struct vhb_loop *loop;
	const char *directory;
	const char *version;
	const char *type_name;
	const char *socket_path;
	const char *host;
	const char *tap_name;
	vhb_control_report_fn report;
	void *argument;
};

/**
 * vhb_control_create() - open a control socket
 * @config: what it tells
 * @control_out: the control socket; NULL without one
 *
 * A back-end works without: when no usual directory can be written to, there is no
 * control socket, and that is no failure.
 *
 * Return: 0, or -errno (reported) when --control-dir cannot be used.
 */
int vhb_control_create(const struct vhb_control_config *config,
		       struct vhb_control **control_out);

/** vhb_control_destroy() - close and remove it; may be NULL */
void vhb_control_destroy(struct vhb_control *control);

#endif
