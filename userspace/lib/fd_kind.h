/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_FD_KIND_H
#define VHB_LIB_FD_KIND_H

#include "lib/text.h"

/**
 * vhb_fd_add_kind() - say in a word what a descriptor is
 * @fd: a descriptor
 * @text: where to
 *
 * "eventfd", "unix-socket", "socket", "memfd:0xSIZE", "shm:0xSIZE" (a file on
 * tmpfs or hugetlbfs), "pipe", another anonymous file by its own name such as
 * "userfaultfd", "file", "closed". Like the questions in lib/fd.h it calls into no file
 * system or driver that could let us wait.
 */
void vhb_fd_add_kind(int fd, struct vhb_text *text);

#endif
