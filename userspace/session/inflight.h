/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_INFLIGHT_H
#define VHB_SESSION_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/why.h"
#include "wire/protocol.h"

/**
 * DOC: what outlives a session
 *
 * The specification's region for in-flight I/O is kept by the front-end and
 * shown to the next back-end. A kernel device that offers it drains before it
 * lets go of a vring, however its owner ends, so nothing is ever left in flight;
 * what the next owner needs to know is where to go on. The region has a slot for
 * each vring, and the kernel device writes the base there (&struct
 * vhost_bridge_saved_base).
 *
 * The front-end has the file too: it is a memfd that is sealed and cannot shrink,
 * but it can have holes, which the host may have no memory to fill. So slots are
 * read and written by way of the kernel; what fails counts as nothing saved. What
 * is in them is not to be trusted.
 */

/** Bytes of a slot; a cache line, so that vrings do not disturb each other */
#define VHB_INFLIGHT_SLOT_BYTES 64

/** struct vhb_inflight - a mapped region */
struct vhb_inflight;

/**
 * vhb_inflight_create() - make a region for a front-end to keep
 * @queue_count: one slot each
 * @description: size and offset are filled in
 * @fd_out: a sealed memfd of zeros
 *
 * Return: 0 or -errno.
 */
int vhb_inflight_create(unsigned int queue_count,
			struct vhb_wire_inflight *description, int *fd_out);

/**
 * vhb_inflight_map() - take a region that a front-end has kept
 * @description: what it says of it; the number of queues is checked
 * @fd: its descriptor; not kept
 * @why: receives one clause that says what is wrong
 * @inflight_out: the region
 *
 * Return: 0; -EINVAL for what is no memfd sealed against shrinking, or too
 * small; another -errno of mmap().
 */
int vhb_inflight_map(const struct vhb_wire_inflight *description, int fd,
		     struct vhb_why *why, struct vhb_inflight **inflight_out);

/**
 * vhb_inflight_unmap() - let go of it
 * @inflight: no vring that runs has a slot in it; may be NULL
 */
void vhb_inflight_unmap(struct vhb_inflight *inflight);

/**
 * vhb_inflight_slot() - where a vring's base is saved
 * @inflight: may be NULL
 * @index: the vring
 *
 * Return: address of the slot; 0 when there is none.
 */
uint64_t vhb_inflight_slot(const struct vhb_inflight *inflight,
			   unsigned int index);

/**
 * vhb_inflight_base() - the base that was saved for a vring
 * @inflight: may be NULL
 * @index: the vring
 * @base_out: the base; anything, the front-end can write it
 *
 * Return: true when there is one that can be read.
 */
bool vhb_inflight_base(struct vhb_inflight *inflight, unsigned int index,
		       uint32_t *base_out);

/**
 * vhb_inflight_forget() - no base is saved any more
 * @inflight: may be NULL
 * @index: the vring; it does not run
 */
void vhb_inflight_forget(struct vhb_inflight *inflight, unsigned int index);

#endif
