/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_WIRE_BACKEND_H
#define VHB_WIRE_BACKEND_H

#include "wire/protocol.h"

/**
 * vhb_backend_tell() - send a message without payload on the back-end channel
 * @fd: SET_BACKEND_REQ_FD, a UNIX socket
 * @request: which; no reply is asked for
 *
 * Does not block.
 *
 * Return: 0; -EAGAIN when the front-end has not read what was sent before;
 * another -errno of send() (never SIGPIPE).
 */
int vhb_backend_tell(int fd, enum vhb_backend_request request);

#endif
