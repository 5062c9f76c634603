/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_PROGRAM_H
#define VHB_SESSION_PROGRAM_H

#include "session/state.h"

/**
 * vhb_program() - move the kernel to what is wanted
 * @session: session->have is what the kernel has and is kept true
 * @want: session->want or an edited copy of it
 *
 * A vring runs when it is startable: features acked, memory declared, size,
 * addresses, a kick descriptor and enabled. One that runs and is not startable
 * any more is stopped; so is one whose size, addresses, slot or features change,
 * which then starts again. When a vring stops, its base is noted in
 * session->want and, unless it holds a newer one, in @want.
 *
 * A vring that starts goes on at the base its slot has, if it was not read yet.
 *
 * Return: 0; -EFAULT or -EINVAL when a startable vring is not one or does not lie
 * in guest memory, with nothing changed; an error of the kernel device, with the
 * kernel somewhere in between: call again with what was wanted before.
 * session->why is set.
 */
int vhb_program(struct vhb_session *session, struct vhb_want *want);

/**
 * vhb_program_drain() - begin to stop what vhb_program() is going to stop
 * @session: the session
 * @want: what vhb_program() is going to get
 *
 * Called first, it saves vhb_program() the waiting for requests in flight.
 *
 * Return: whether there is something to wait for: until the last of
 * vhb_program_drained() returned true.
 */
bool vhb_program_drain(struct vhb_session *session,
		       const struct vhb_want *want);

/** vhb_program_drain_all() - the same for vhb_program_nothing() */
bool vhb_program_drain_all(struct vhb_session *session);

/**
 * vhb_program_drained() - a vring has drained
 * @session: the session
 * @index: the vring
 *
 * Return: true when it was the last one.
 */
bool vhb_program_drained(struct vhb_session *session, unsigned int index);

/**
 * vhb_program_rest() - stop a vring that runs until the IOTLB is told more
 * @session: the session
 * @index: the vring
 *
 * It is then one that waits, as if it could not have started.
 */
void vhb_program_rest(struct vhb_session *session, unsigned int index);

/**
 * vhb_program_awake() - the IOTLB knows more: vrings that wait are tried again
 * @session: the session
 *
 * By the next vhb_program(), that is.
 */
void vhb_program_awake(struct vhb_session *session);

/**
 * vhb_program_nothing() - stop everything and let go of the kernel device
 * @session: the session
 */
void vhb_program_nothing(struct vhb_session *session);

#endif
