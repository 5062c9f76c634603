/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_STATUS_COMMAND_H
#define VHB_CONTROL_STATUS_COMMAND_H

#include <stdbool.h>

/**
 * struct vhb_status_config - what vhost-bridge status shall do
 * @json: for programs
 * @monitor: print events as they come, instead of what there is now
 */
struct vhb_status_config {
	bool json;
	bool monitor;
};

/**
 * vhb_status_run() - vhost-bridge status
 * @config: what to do
 *
 * Writes to standard output. With @config->monitor it returns only when
 * something fails.
 *
 * Return: 0 or -errno (reported).
 */
int vhb_status_run(const struct vhb_status_config *config);

#endif
