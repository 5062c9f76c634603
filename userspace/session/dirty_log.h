/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_DIRTY_LOG_H
#define VHB_SESSION_DIRTY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/why.h"
#include "wire/protocol.h"

/**
 * DOC: the front-end's bitmap of dirty pages
 *
 * A bit for each VHB_DIRTY_LOG_PAGE_BYTES of guest addresses, in shared memory
 * of the front-end (SET_LOG_BASE). The kernel sets bits in it through our address
 * space, and no kernel asks how long it is: vhost takes an address and reaches as
 * far behind it as guest addresses go. So whoever tells the kernel of a log asks
 * vhb_dirty_log_covers() first; that a stretch of address space where nothing is
 * lies on both sides of it is a second line of defence only.
 *
 * The broker itself never reads or writes the bitmap: its file may have shrunk.
 */

/** Guest addresses that one bit stands for (VHOST_LOG_PAGE) */
#define VHB_DIRTY_LOG_PAGE_BYTES 4096u

/** struct vhb_dirty_log - a mapped, reference-counted bitmap */
struct vhb_dirty_log;

/**
 * vhb_dirty_log_map() - take a front-end's bitmap
 * @description: its length and where it begins in the file; any number of bytes
 * @fd: shared memory; not kept
 * @why: receives one clause that says what is wrong
 * @log_out: the bitmap, with one reference
 *
 * Return: 0; -EINVAL when it is empty, longer than the file, or in no shared
 * memory; -EACCES or -EPERM when that cannot be written; -ENOMEM or another
 * -errno of mmap().
 */
int vhb_dirty_log_map(const struct vhb_wire_log *description, int fd,
		      struct vhb_why *why, struct vhb_dirty_log **log_out);

/**
 * vhb_dirty_log_get() - take a reference
 * @log: may be NULL
 *
 * Return: @log.
 */
struct vhb_dirty_log *vhb_dirty_log_get(struct vhb_dirty_log *log);

/**
 * vhb_dirty_log_put() - drop a reference; the last one unmaps
 * @log: may be NULL
 */
void vhb_dirty_log_put(struct vhb_dirty_log *log);

/**
 * vhb_dirty_log_address() - where it is in the broker
 * @log: the bitmap
 *
 * Return: what VHOST_SET_LOG_BASE gets.
 */
uint64_t vhb_dirty_log_address(const struct vhb_dirty_log *log);

/**
 * vhb_dirty_log_covers() - has it a bit for each page of a range?
 * @log: the bitmap
 * @gpa: first guest address; anything
 * @size_bytes: how many; anything but 0
 */
bool vhb_dirty_log_covers(const struct vhb_dirty_log *log, uint64_t gpa,
			  uint64_t size_bytes);

#endif
