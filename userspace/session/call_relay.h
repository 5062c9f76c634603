/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_CALL_RELAY_H
#define VHB_SESSION_CALL_RELAY_H

#include <stdbool.h>

#include "loop/loop.h"

/**
 * DOC: calls for front-ends without an eventfd
 *
 * VHOST_SET_VRING_CALL takes eventfds only. User-Mode Linux reads its calls
 * from a socket pair (SIGIO does not work with eventfds) and wants exactly
 * eight bytes each. A relay gives the kernel an eventfd of ours and passes each
 * signal on through the loop. This is the one data-path event that wakes the
 * broker, and only for such a front-end.
 */
struct vhb_call_relay;

/**
 * vhb_call_relay_is_needed() - is this descriptor something else than an eventfd?
 * @fd: a front-end's call descriptor
 *
 * Return: true for AF_UNIX sockets. Everything else is left to the kernel,
 * which refuses all but eventfds.
 */
bool vhb_call_relay_is_needed(int fd);

/**
 * vhb_call_relay_create() - start to relay
 * @loop: the loop
 * @fd: the socket; must stay open until the relay is destroyed
 * @relay_out: the relay
 *
 * Return: 0 or -errno.
 */
int vhb_call_relay_create(struct vhb_loop *loop, int fd,
			  struct vhb_call_relay **relay_out);

/**
 * vhb_call_relay_eventfd() - what to give to the kernel
 * @relay: the relay
 */
int vhb_call_relay_eventfd(const struct vhb_call_relay *relay);

/**
 * vhb_call_relay_destroy() - stop to relay
 * @relay: may be NULL
 *
 * A signal that the kernel has given before is passed on first.
 */
void vhb_call_relay_destroy(struct vhb_call_relay *relay);

#endif
