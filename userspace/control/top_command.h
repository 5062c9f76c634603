/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_TOP_COMMAND_H
#define VHB_CONTROL_TOP_COMMAND_H

/**
 * struct vhb_top_config - what vhost-bridge top shall do
 * @interval_s: seconds from one picture to the next
 * @count: pictures until it ends; 0 for no end
 * @control_dir: where control sockets are; NULL for the usual places
 */
struct vhb_top_config {
	unsigned int interval_s;
	unsigned int count;
	const char *control_dir;
};

/**
 * vhb_top_run() - vhost-bridge top
 * @config: what to do
 *
 * On a terminal each picture takes the place of the one before, and q ends it;
 * elsewhere they follow each other. Ends with a signal, too, and leaves the
 * terminal as it was.
 *
 * Return: 0 or -errno (reported).
 */
int vhb_top_run(const struct vhb_top_config *config);

#endif
