/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_DIRECTORY_H
#define VHB_CONTROL_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

/**
 * DOC: where control sockets are
 *
 * DIRECTORY/PID.control. Nothing but digits stands before the dot, so a socket
 * for front-ends in the same directory is not taken for one.
 */

/** Room for a directory's name with what stands behind it in a socket's address */
#define VHB_CONTROL_PATH_BYTES 108

/** How many directories there can be */
#define VHB_CONTROL_DIRECTORIES_MAX 2

/**
 * struct vhb_control_directories - where to look, first choice first
 * @paths: the directories
 * @count: how many
 */
struct vhb_control_directories {
	char paths[VHB_CONTROL_DIRECTORIES_MAX][VHB_CONTROL_PATH_BYTES];
	unsigned int count;
};

/**
 * vhb_control_directories_find() - where control sockets may be
 * @given: by --control-dir, then that is the only one; or NULL: /run/vhost-bridge and
 *         $XDG_RUNTIME_DIR/vhost-bridge, if there is such a variable
 * @directories: filled in
 *
 * Return: 0, or -ENAMETOOLONG for a @given one.
 */
int vhb_control_directories_find(const char *given,
				 struct vhb_control_directories *directories);

/**
 * vhb_control_path() - where the control socket of a process is
 * @directory: in this directory
 * @pid: the process
 * @path: receives the path
 *
 * Return: 0 or -ENAMETOOLONG.
 */
int vhb_control_path(const char *directory, uint32_t pid,
		     char path[VHB_CONTROL_PATH_BYTES]);

/**
 * vhb_control_pid() - whose control socket is this?
 * @name: a file's name, without its directory
 *
 * Return: the process, or 0 when that is no name of a control socket.
 */
uint32_t vhb_control_pid(const char *name);

#endif
