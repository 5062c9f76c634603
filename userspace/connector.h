/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONNECTOR_H
#define VHB_CONNECTOR_H

#include "loop/loop.h"

/**
 * struct vhb_connector - goes to front-ends that listen
 *
 * For --connect: the front-end is the one that listens (QEMU's chardev with
 * server=on, DPDK's virtio-user with server=1), and we come again whenever it, or
 * the connection, has gone.
 */
struct vhb_connector;

/**
 * typedef vhb_connected_fn - there is a front-end
 * @argument: as given to vhb_connector_create()
 * @fd: the connection, non-blocking; owned by the receiver. Or -errno (reported):
 *      it could not go on trying
 *
 * Called from the loop, once for each vhb_connector_go(). The receiver may call
 * that again, or destroy the connector.
 */
typedef void (*vhb_connected_fn)(void *argument, int fd);

/**
 * vhb_connector_create() - know where to go
 * @loop: the event loop
 * @path: the front-end's socket; must outlive the connector
 * @function: what to call with a connection
 * @argument: handed to @function
 * @connector_out: the connector, which does nothing yet
 *
 * Return: 0; -ENAMETOOLONG or -EINVAL for what cannot be the path of a socket;
 * -ENOMEM.
 */
int vhb_connector_create(struct vhb_loop *loop, const char *path,
			 vhb_connected_fn function, void *argument,
			 struct vhb_connector **connector_out);

/**
 * vhb_connector_go() - connect, however long it takes
 * @connector: the connector; must not be on its way already
 *
 * The first time at once, later after a pause; longer each time that nobody
 * listens, or that the connection before did not last. One line in the log when
 * somebody has to be waited for, and one when that is over.
 *
 * Return: 0 or -errno of the loop.
 */
int vhb_connector_go(struct vhb_connector *connector);

/**
 * vhb_connector_destroy() - stop trying and free
 * @connector: may be NULL
 */
void vhb_connector_destroy(struct vhb_connector *connector);

#endif
