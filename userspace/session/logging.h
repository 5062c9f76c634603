/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_LOGGING_H
#define VHB_SESSION_LOGGING_H

#include "session/state.h"

/**
 * DOC: what is marked in the dirty log
 *
 * VHOST_F_LOG_ALL asks for marks of what is written to buffers, VHOST_VRING_F_LOG
 * of what is written to a ring. Front-ends ask before they have given a log (QEMU
 * that starts during a migration) or after; the kernel hears of either as long
 * as there is a log, and never without. All of it can change while vrings run.
 *
 * Whatever the kernel may mark is in the log, or the message that would change
 * that is refused: the memory table it has, and the used rings where it is told
 * their address.
 */

/**
 * vhb_logging_features() - the bits the kernel device gets
 * @want: features and log
 */
uint64_t vhb_logging_features(const struct vhb_want *want);

/**
 * vhb_logging_check() - has the log room for the marks of all memory?
 * @session: gets the reason of a refusal
 * @want: features, memory, log and vrings
 *
 * Return: 0 or -ERANGE.
 */
int vhb_logging_check(struct vhb_session *session, const struct vhb_want *want);

/**
 * vhb_logging_locate() - where writes to a ring are marked
 * @session: gets the reason of a refusal
 * @want: features, log and vrings
 * @used_bytes: how long the ring is that the device writes; 0 when the kernel
 *              looks its address up in the memory table
 * @addr: flags and log address are filled in; its index is set
 *
 * Return: 0; -EINVAL for an address that is not aligned; -ERANGE for one whose
 * marks would not be in the log.
 */
int vhb_logging_locate(struct vhb_session *session, const struct vhb_want *want,
		       uint64_t used_bytes, struct vhost_vring_addr *addr);

/**
 * vhb_logging_program() - give the kernel device the log
 * @session: what it has is kept true
 * @want: the log
 *
 * Before it is told to mark anything. On return nothing marks in the log before.
 *
 * Return: 0 or -errno of the kernel device.
 */
int vhb_logging_program(struct vhb_session *session,
			const struct vhb_want *want);

#endif
