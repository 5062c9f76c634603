/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_FAULT_GUARD_H
#define VHB_SESSION_FAULT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/**
 * DOC: who answers for a page that is missing
 *
 * During postcopy the front-end answers the page faults of the kernel device,
 * by way of a userfaultfd for the broker's mappings of guest memory. A thread of
 * the kernel that faults waits until it does so, and whoever wants something of
 * that thread waits with it, without a way to be interrupted: an ioctl() that
 * stops a vring, the reset at the end of a session, the exit of the process. A
 * front-end that does not answer must not hold the broker in such a call.
 *
 * So a thread stands by while the broker is *busy* with the kernel device. When
 * faults stay unanswered for too long, it takes guest memory away from the
 * kernel (PROT_NONE in its place; a page that is only filled with zeroes would
 * be lost to a guest that still waits for it) and wakes who waits: they fail
 * with -EFAULT. Too long is shorter when the front-end has hung up or the
 * process was told to end.
 *
 * A process that is killed has no such thread. Then the front-end must be the
 * only one that holds the userfaultfd, so that its end, if nothing else, releases
 * the threads of the kernel which the exit of the process waits for. So the thread has a
 * table of descriptors of its own, and the userfaultfd is only there.
 */
struct vhb_fault_guard;

/**
 * vhb_userfault_open() - a userfaultfd for this process
 * @why_out: receives what to do about a failure; a constant
 *
 * Not blocking, its API agreed: faults of the kernel too, on shared memory and
 * huge pages. It is for this process also when another one holds it.
 *
 * Return: the descriptor; -EPERM without the privilege; -EOPNOTSUPP where the
 * kernel cannot do this; another -errno.
 */
int vhb_userfault_open(const char **why_out);

/**
 * vhb_fault_guard_create() - begin to stand by
 * @userfault_fd: of vhb_userfault_open(); closed when this succeeds, as the guard
 *                has one of its own then
 * @socket_fd: where the front-end hangs up; the guard has one of its own until
 *             vhb_fault_guard_hurry()
 * @guard_out: the guard
 *
 * Return: 0 or -errno.
 */
int vhb_fault_guard_create(int userfault_fd, int socket_fd,
			   struct vhb_fault_guard **guard_out);

/**
 * vhb_fault_guard_destroy() - no fault goes to the front-end any more
 * @guard: may be NULL
 *
 * Who waits for a page gets an empty one, where the front-end brought none.
 */
void vhb_fault_guard_destroy(struct vhb_fault_guard *guard);

/**
 * vhb_fault_guard_add() - from now on faults there go to the front-end
 * @guard: the guard
 * @hva: whole pages of shared memory, mapped by this process
 * @size_bytes: how much; nothing happens when they are there already
 *
 * Return: 0; -ECONNABORTED after vhb_fault_guard_has_fired(); -errno of
 * UFFDIO_REGISTER; -ENOSPC.
 */
int vhb_fault_guard_add(struct vhb_fault_guard *guard, uint64_t hva,
			uint64_t size_bytes);

/**
 * vhb_fault_guard_remove() - before they are unmapped
 * @guard: the guard
 * @hva: as added; nothing happens when they were not
 * @size_bytes: likewise
 */
void vhb_fault_guard_remove(struct vhb_fault_guard *guard, uint64_t hva,
			    uint64_t size_bytes);

/**
 * vhb_fault_guard_busy() - the caller is going to ask something of the kernel
 * @guard: may be NULL
 */
void vhb_fault_guard_busy(struct vhb_fault_guard *guard);

/** vhb_fault_guard_idle() - and waits for nothing any more */
void vhb_fault_guard_idle(struct vhb_fault_guard *guard);

/** vhb_fault_guard_hurry() - the session ends; the guard closes the socket */
void vhb_fault_guard_hurry(struct vhb_fault_guard *guard);

/**
 * vhb_fault_guard_has_fired() - was guest memory taken away?
 * @guard: may be NULL
 *
 * Then the session cannot go on.
 */
bool vhb_fault_guard_has_fired(struct vhb_fault_guard *guard);

#endif
