/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BRIDGE_LOG_H
#define SELFTESTS_LIB_BRIDGE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bridge_device.h"

/**
 * DOC: the dirty log of a device of the module
 *
 * A bitmap in a memfd, mapped twice: for the device, and for who takes bits out.
 * What is in it can be compared with what really changed in guest memory.
 */

#define LOG_PAGE_BYTES 4096u

/**
 * struct bridge_log - a bitmap
 * @fd: the memfd
 * @bytes: its size: for all of the guest, in whole pages
 * @bits: as the device has it
 * @reader: as who takes bits out has it
 * @before: what guest memory was like at bridge_log_begin()
 * @shift_bytes: guest addresses in the memory table are so much higher than the
 *               driver's; a multiple of the page, up to BRIDGE_BYTES
 */
struct bridge_log {
	int fd;
	size_t bytes;
	uint8_t *bits;
	uint8_t *reader;
	uint8_t *before;
	uint64_t shift_bytes;
};

/** bridge_log_open() - an empty bitmap; the device is not told */
void bridge_log_open(struct bridge_log *log);

/** bridge_log_close() - the reverse; may be repeated */
void bridge_log_close(struct bridge_log *log);

/** bridge_log_base() - VHOST_SET_LOG_BASE with any address: 0 or -errno */
int bridge_log_base(const struct bridge *bridge, uint64_t base);

/** bridge_log_use() - the same with this bitmap; must succeed */
void bridge_log_use(const struct bridge *bridge, const struct bridge_log *log);

/** bridge_log_buffers() - VHOST_F_LOG_ALL on or off: 0 or -errno */
int bridge_log_buffers(struct bridge *bridge, bool is_on);

/** bridge_log_ring() - VHOST_VRING_F_LOG of a queue on or off: 0 or -errno */
int bridge_log_ring(const struct bridge *bridge, unsigned int index,
		    bool is_on);

/** bridge_log_take() - take the bit of a guest address out; was it set? */
bool bridge_log_take(const struct bridge_log *log, uint64_t gpa);

/** bridge_log_count() - how many bits are set */
unsigned int bridge_log_count(const struct bridge_log *log);

/** bridge_log_begin() - no bits; remember what memory is like */
void bridge_log_begin(struct bridge_log *log, const struct bridge *bridge);

/**
 * bridge_log_check() - the bits must be the pages that have changed since
 * @log: the bitmap
 * @bridge: the guest
 *
 * But for the places where bases are saved: those the owner asked for, not the
 * guest. Fails the test.
 */
void bridge_log_check(const struct bridge_log *log,
		      const struct bridge *bridge);

#endif
