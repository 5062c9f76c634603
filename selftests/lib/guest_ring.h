/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_GUEST_RING_H
#define SELFTESTS_LIB_GUEST_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include "lib/frame.h"
#include "lib/frontend.h"

/**
 * DOC: the driver of a split virtqueue
 *
 * What a guest's driver does, in the test's own process: the ring lies in
 * &struct guest_memory, kick and call are eventfds. Hostile tests write into
 * @desc, @avail and @used themselves.
 */

/**
 * struct guest_ring - one split virtqueue
 * @memory: where it lies
 * @num: entries, a power of two
 * @gpa: guest address of the descriptor table
 * @desc: descriptor table
 * @avail: available ring
 * @used: used ring
 * @has_event_idx: VIRTIO_RING_F_EVENT_IDX was negotiated; set by the test
 * @free_head: first free descriptor; the rest is chained through next
 * @free_count: how many are free
 * @avail_idx: how many chains were made available
 * @kicked_idx: @avail_idx at the last kick
 * @used_idx: how many chains came back
 * @is_busy: by descriptor: a chain that begins here is with the device
 * @kick_fd: eventfd from driver to device
 * @call_fd: eventfd from device to driver
 */
struct guest_ring {
	struct guest_memory *memory;
	unsigned int num;
	uint64_t gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	bool has_event_idx;
	uint16_t free_head;
	uint16_t free_count;
	uint16_t avail_idx;
	uint16_t kicked_idx;
	uint16_t used_idx;
	bool *is_busy;
	int kick_fd;
	int call_fd;
};

/** struct guest_buffer - a piece of guest memory in a chain */
struct guest_buffer {
	uint64_t gpa;
	uint32_t size_bytes;
};

/** guest_ring_bytes() - how much guest memory a ring of @num entries takes */
uint64_t guest_ring_bytes(unsigned int num);

/**
 * guest_ring_init() - lay out an empty ring and make its eventfds
 * @ring: set up by this
 * @memory: where; must outlive the ring
 * @offset_bytes: where in @memory the ring begins, a multiple of 16
 * @num: entries, a power of two up to 32768
 *
 * Return: 0, -EINVAL (alignment, num, no room) or another -errno.
 */
int guest_ring_init(struct guest_ring *ring, struct guest_memory *memory,
		    uint64_t offset_bytes, unsigned int num);

/** guest_ring_destroy() - close and free; the guest's memory stays as it is */
void guest_ring_destroy(struct guest_ring *ring);

/** guest_ring_addr() - what SET_VRING_ADDR says about the ring */
void guest_ring_addr(const struct guest_ring *ring, unsigned int index,
		     struct vhb_wire_vring_addr *addr_out);

/**
 * guest_ring_start() - tell the back-end about the ring
 *
 * NUM, BASE (where the driver stands), ADDR, CALL, KICK, ENABLE.
 */
int guest_ring_start(struct guest_ring *ring, struct frontend *frontend,
		     unsigned int index);

/**
 * guest_ring_add() - make a chain available
 * @ring: the ring
 * @buffers: those the device reads first, then those it writes
 * @out_count: how many it reads
 * @in_count: how many it writes
 *
 * Return: the number that guest_ring_get() gives back, -ENOSPC when too few
 * descriptors are free, -EINVAL for an empty chain.
 */
int guest_ring_add(struct guest_ring *ring, const struct guest_buffer *buffers,
		   unsigned int out_count, unsigned int in_count);

/**
 * guest_ring_kick() - notify the device if it wants to be
 *
 * Return: 1 when it was notified, 0 when it does not want that, or -errno.
 */
int guest_ring_kick(struct guest_ring *ring);

/** guest_ring_kick_always() - notify it whether it wants to be or not */
int guest_ring_kick_always(struct guest_ring *ring);

/**
 * guest_ring_get() - wait for a chain to come back, by polling the used ring
 * @ring: the ring
 * @timeout_ms: 0 looks once
 * @size_bytes_out: how much the device says it wrote; may be NULL
 *
 * Return: what guest_ring_add() returned for this chain, -ETIMEDOUT, or -EPROTO
 * when the device returned something it did not have.
 */
int guest_ring_get(struct guest_ring *ring, unsigned int timeout_ms,
		   uint32_t *size_bytes_out);

/** guest_ring_want_call() - ask for, or suppress, the device's notifications */
void guest_ring_want_call(struct guest_ring *ring, bool want);

/** guest_ring_wait_call() - wait for the call eventfd: 0 or -ETIMEDOUT */
int guest_ring_wait_call(struct guest_ring *ring, unsigned int timeout_ms);

#endif
