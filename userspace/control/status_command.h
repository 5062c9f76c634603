/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_STATUS_COMMAND_H
#define VHB_CONTROL_STATUS_COMMAND_H

#include <stdbool.h>

/**
 * struct vhb_status_config - what vhost-bridge status shall do
 * @json: for programs
 * @monitor: print events of module vhost_bridge as they come, instead of what there is now
 * @control_dir: where control sockets are; NULL for the usual places
 */
struct vhb_status_config {
	bool json;
	bool monitor;
	const char *control_dir;
};

/**
 * vhb_status_run() - vhost-bridge status
 * @config: what to do
 *
 * Writes to standard output. With @config->monitor it returns only when
 * something fails.
 *
 * Return: 0 or -errno (reported); also when a part of it could not be told.
 */
int vhb_status_run(const struct vhb_status_config *config);

#endif
