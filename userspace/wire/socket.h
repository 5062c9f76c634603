/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_WIRE_SOCKET_H
#define VHB_WIRE_SOCKET_H

#include <stdbool.h>

#include <sys/types.h>

/**
 * vhb_socket_listen() - listen on a path
 * @path: where; a socket file that nobody listens on any more is replaced,
 *        anything else that is there is left alone
 *
 * Several that begin in one directory take turns, which may take a second.
 *
 * Return: a listening, non-blocking, close-on-exec descriptor, or
 * -EADDRINUSE (somebody listens there), -EEXIST (not a socket),
 * -ENAMETOOLONG (no room in sun_path), or another -errno.
 */
int vhb_socket_listen(const char *path);

/**
 * struct vhb_socket_file - the file of a socket that was made here
 * @device: the file system's
 * @inode: in it; 0 for none
 */
struct vhb_socket_file {
	dev_t device;
	ino_t inode;
};

/** vhb_socket_file_note() - remember what is there: the socket just made */
void vhb_socket_file_note(struct vhb_socket_file *file, const char *path);

/**
 * vhb_socket_file_remove() - remove it, once
 * @file: as noted; none then
 * @path: where it was; left alone if somebody has put another in its place
 */
void vhb_socket_file_remove(struct vhb_socket_file *file, const char *path);

/**
 * vhb_socket_check_path() - can this be the path of a socket?
 * @path: the path; nothing need be there
 *
 * Return: 0, -EINVAL (empty) or -ENAMETOOLONG (no room in sun_path).
 */
int vhb_socket_check_path(const char *path);

/**
 * vhb_socket_connect() - connect to a socket that somebody else listens on
 * @path: where
 *
 * Never waits.
 *
 * Return: a connected, non-blocking, close-on-exec descriptor, or
 * -ENOENT, -ECONNREFUSED (nobody listens), -EAGAIN (its queue is full), or
 * another -errno.
 */
int vhb_socket_connect(const char *path);

/**
 * enum vhb_socket_kind - what a descriptor given by --fd is
 * @VHB_SOCKET_LISTENING: accept front-ends from it
 * @VHB_SOCKET_CONNECTED: it is the one front-end
 */
enum vhb_socket_kind {
	VHB_SOCKET_LISTENING,
	VHB_SOCKET_CONNECTED,
};

/**
 * vhb_socket_adopt() - judge a descriptor inherited through --fd
 * @fd: the descriptor; made non-blocking and close-on-exec
 * @kind_out: what it is
 *
 * Return: 0; -EBADF (not open), -ENOTSOCK, -EPROTOTYPE (not an AF_UNIX stream
 * socket), -ENOTCONN (neither listening nor connected).
 */
int vhb_socket_adopt(int fd, enum vhb_socket_kind *kind_out);

/**
 * vhb_socket_accept() - take the next front-end
 * @listen_fd: a listening socket
 *
 * Return: a connected, non-blocking, close-on-exec descriptor, -EAGAIN when
 * there is none, or another -errno.
 */
int vhb_socket_accept(int listen_fd);

#endif
