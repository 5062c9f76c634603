/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_FD_H
#define VHB_LIB_FD_H

#include <stdbool.h>
#include <stdint.h>

/**
 * DOC: what a descriptor is
 *
 * Asked without a call into the file system or driver behind it: a descriptor
 * from a front-end may belong to a FUSE file whose daemon never answers.
 */

/**
 * vhb_fd_is_eventfd() - can the kernel's vhost signal or poll it?
 * @fd: a descriptor
 *
 * Needs /proc. Without it everything is taken for an eventfd, and the kernel
 * refuses what is none.
 */
bool vhb_fd_is_eventfd(int fd);

/**
 * vhb_fd_is_unix_socket() - is it an AF_UNIX socket?
 * @fd: a descriptor
 */
bool vhb_fd_is_unix_socket(int fd);

/** vhb_fd_is_unix_stream() - is it one of type SOCK_STREAM? */
bool vhb_fd_is_unix_stream(int fd);

/**
 * vhb_fd_is_shared_memory() - is it a memfd, or a file on tmpfs or hugetlbfs?
 * @fd: a descriptor
 */
bool vhb_fd_is_shared_memory(int fd);

/**
 * vhb_fd_page_bytes() - page size of the memory a file becomes when mapped
 * @fd: a regular file or shared memory
 * @page_bytes_out: the huge page size for hugetlbfs, else the system's
 *
 * Return: 0 or -errno of fstatfs().
 */
int vhb_fd_page_bytes(int fd, uint64_t *page_bytes_out);

/**
 * vhb_fd_raise_limit() - let this process have as many descriptors as it may
 *
 * The soft limit is low for the sake of programs that use select(2); this one does
 * not.
 *
 * Return: how many it may have (RLIMIT_NOFILE), UINT64_MAX for any number.
 */
uint64_t vhb_fd_raise_limit(void);

#endif
