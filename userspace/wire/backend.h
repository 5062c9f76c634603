/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_WIRE_BACKEND_H
#define VHB_WIRE_BACKEND_H

#include <stddef.h>

#include "wire/protocol.h"

/**
 * vhb_backend_send() - send a message on the back-end channel
 * @fd: SET_BACKEND_REQ_FD, a UNIX socket
 * @request: which; no reply is asked for
 * @payload: what follows the header; may be NULL with @size_bytes 0
 * @size_bytes: its length, of a fixed-size message of the specification
 *
 * Does not block. The message leaves whole or not at all.
 *
 * Return: 0; -EAGAIN when the front-end has not read what was sent before;
 * another -errno of sendmsg() (never SIGPIPE).
 */
int vhb_backend_send(int fd, enum vhb_backend_request request,
		     const void *payload, size_t size_bytes);

/**
 * vhb_backend_ask() - the same, and ask for a reply
 * @fd: SET_BACKEND_REQ_FD, a UNIX socket; REPLY_ACK was negotiated
 * @request: which
 * @payload: what follows the header
 * @size_bytes: its length
 *
 * A front-end answers with the request's number, the reply flag and a u64.
 *
 * Return: as vhb_backend_send().
 */
int vhb_backend_ask(int fd, enum vhb_backend_request request,
		    const void *payload, size_t size_bytes);

/**
 * vhb_backend_tell() - send a message without payload on the back-end channel
 * @fd: SET_BACKEND_REQ_FD, a UNIX socket
 * @request: which; no reply is asked for
 *
 * Return: as vhb_backend_send().
 */
int vhb_backend_tell(int fd, enum vhb_backend_request request);

#endif
