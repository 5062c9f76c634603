/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_POSTCOPY_H
#define VHB_SESSION_POSTCOPY_H

#include <stdbool.h>

#include "session/state.h"

/**
 * DOC: postcopy
 *
 * The guest already runs here, but part of its memory is still where it came
 * from. POSTCOPY_ADVISE hands the front-end a userfaultfd of this process,
 * POSTCOPY_LISTEN makes faults on memory declared from then on go to it, and
 * POSTCOPY_END ends that, when all memory has come.
 *
 * While it listens, a change of memory is answered with where the regions are
 * in the broker. Not before the front-end has acknowledged that (a message of
 * the same number, or of number 0, with a u64 of zero) may the kernel touch
 * them: until then the new map waits, and the kernel keeps the old one.
 *
 * That a front-end may leave a fault unanswered is the guard's affair
 * (session/fault_guard.h). Whatever else reads guest memory in this process
 * would wait for the front-end too: see vhb_postcopy_is_listening().
 */

/**
 * vhb_postcopy_is_possible() - can it be offered?
 *
 * Tells the user when the kernel forbids it.
 */
bool vhb_postcopy_is_possible(void);

/** vhb_postcopy_is_listening() - do faults of this process go to the front-end? */
bool vhb_postcopy_is_listening(const struct vhb_session *session);

/**
 * vhb_postcopy_is_ack() - has the front-end seen where the regions are?
 * @session: the session
 * @message: received, not checked
 */
bool vhb_postcopy_is_ack(const struct vhb_session *session,
			 const struct vhb_message *message);

/**
 * vhb_postcopy_is_own_reply() - is a message of memory answered by where it is?
 * @session: the session
 * @message: the message
 */
bool vhb_postcopy_is_own_reply(const struct vhb_session *session,
			       const struct vhb_message *message);

/** vhb_postcopy_settle() - what is wanted now is programmed: a map waits no more */
void vhb_postcopy_settle(struct vhb_session *session);

/** vhb_postcopy_map() - what the next change of memory goes on from */
struct vhb_memory_map *vhb_postcopy_map(const struct vhb_session *session,
					const struct vhb_want *want);

/**
 * vhb_postcopy_take_map() - memory has changed
 * @session: the session
 * @want: gets it, unless it has to wait
 * @map: the new map; this takes over the reference
 *
 * Return: 0 or what vhb_refuse() returned.
 */
int vhb_postcopy_take_map(struct vhb_session *session, struct vhb_want *want,
			  struct vhb_memory_map *map);

/**
 * vhb_postcopy_fetch() - wait for what the kernel reads when a vring starts
 * @session: the session
 * @want: the device
 * @addr: where the vring lies in the broker, unless that is the IOMMU's to say
 *
 * The kernel would wait for it too, but not sleep as long as our ring of
 * io_uring has something for us.
 *
 * Return: 0 or -errno; 0 at once unless faults go to the front-end.
 */
int vhb_postcopy_fetch(const struct vhb_session *session,
		       const struct vhb_want *want,
		       const struct vhost_vring_addr *addr);

/** vhb_postcopy_alert() - the kernel device is about to be asked for something */
void vhb_postcopy_alert(struct vhb_session *session);

/**
 * vhb_postcopy_calm() - it has done it
 *
 * Return: true when the session must end, since guest memory had to be taken
 * away from the kernel.
 */
bool vhb_postcopy_calm(struct vhb_session *session);

/** vhb_postcopy_give_up() - the session ends, and faults have little time left */
void vhb_postcopy_give_up(struct vhb_session *session);

/** vhb_postcopy_destroy() - the kernel device has let go of memory */
void vhb_postcopy_destroy(struct vhb_session *session);

#endif
