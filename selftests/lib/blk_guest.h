/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BLK_GUEST_H
#define SELFTESTS_LIB_BLK_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost_bridge.h>

#include "lib/frontend.h"
#include "lib/guest_memory.h"
#include "lib/postcopy.h"
#include "lib/translator.h"
#include "lib/vq_driver.h"

/**
 * DOC: a guest with a disk behind the real broker
 *
 * Front-end and driver in one. The driver's side (memory, virtqueues, eventfds,
 * the region for in-flight I/O) outlives connections, as it does in QEMU: after
 * blk_guest_hang_up(), or when the broker has died, blk_guest_connect() goes on
 * where the device stopped.
 */

#define BLK_GUEST_QUEUES 2
#define BLK_GUEST_SLOTS 16
#define BLK_GUEST_DATA_MAX_BYTES 65536u
#define BLK_GUEST_TIMEOUT_MS 20000

/**
 * struct blk_guest_queue - a virtqueue
 * @driver: its driver
 * @kick_fd: eventfd from driver to device
 * @call_fd: eventfd from device to driver
 */
struct blk_guest_queue {
	struct vq_driver driver;
	int kick_fd;
	int call_fd;
};

/**
 * struct blk_guest_slot - room for a request
 * @header: struct virtio_blk_outhdr
 * @data: BLK_GUEST_DATA_MAX_BYTES
 * @status: the device's answer
 */
struct blk_guest_slot {
	uint8_t *header;
	uint8_t *data;
	uint8_t *status;
};

/**
 * struct blk_guest - a guest
 * @is_packed: layout of its virtqueues
 * @is_inband: its eventfds stay here: who uses it sends VRING_KICK and receives
 *             BACKEND_VRING_CALL. False from blk_guest_open() on
 * @translator: its memory is behind an IOMMU; or NULL. To be set before
 *              blk_guest_connect(), with @memory scattered
 * @has_log: it negotiates a dirty log; to be set after blk_guest_open()
 * @timeout_ms: of messages; BLK_GUEST_TIMEOUT_MS from blk_guest_open() on
 * @memory: its memory
 * @frontend: the connection
 * @queues: the virtqueues
 * @first_bases: where their drivers began
 * @inflight: what the first broker said of the region
 * @inflight_fd: the region, -1 before the first connection
 * @saved: the region mapped: a base every VHB_INFLIGHT_SLOT_BYTES
 * @source: where its pages come from when it connects next, by postcopy; a
 *          source without regions never brings any. NULL for no postcopy
 */
struct blk_guest {
	bool is_packed;
	bool is_inband;
	struct translator *translator;
	bool has_log;
	unsigned int timeout_ms;
	struct guest_memory memory;
	struct frontend frontend;
	struct blk_guest_queue queues[BLK_GUEST_QUEUES];
	uint32_t first_bases[BLK_GUEST_QUEUES];
	struct vhb_wire_inflight inflight;
	int inflight_fd;
	uint8_t *saved;
	struct page_server *source;
};

/** enum blk_guest_base - the base a front-end tells a new back-end */
enum blk_guest_base {
	/** Where the virtqueue once began: stale but for the first connection */
	BLK_GUEST_BASE_FIRST,
	/** What the ring says was used, as QEMU does of a split virtqueue */
	BLK_GUEST_BASE_USED,
};

/** blk_guest_open() - memory and empty virtqueues: 0 or -errno */
int blk_guest_open(struct blk_guest *guest, bool is_packed);

/** blk_guest_close() - all goes; may be repeated */
void blk_guest_close(struct blk_guest *guest);

/**
 * blk_guest_connect() - the messages QEMU's disk begins with
 * @guest: not connected
 * @path: the broker's socket
 * @base: what is told of the virtqueues
 *
 * Return: 0 or -errno as the functions of &struct frontend.
 */
int blk_guest_connect(struct blk_guest *guest, const char *path,
		      enum blk_guest_base base);

/**
 * blk_guest_mark() - ask for marks in the dirty log, or for none any more
 * @guest: connected, with has_log
 * @is_on: of what is written to buffers and to the rings
 *
 * Return: 0 or -errno as the functions of &struct frontend.
 */
int blk_guest_mark(struct blk_guest *guest, bool is_on);

/** blk_guest_hang_up() - close the connection */
void blk_guest_hang_up(struct blk_guest *guest);

/**
 * blk_guest_channel() - SET_BACKEND_REQ_FD
 * @guest: connected
 *
 * Return: the front-end's end of it, or -errno.
 */
int blk_guest_channel(struct blk_guest *guest);

/**
 * blk_guest_submit() - make one request available, and kick
 * @guest: connected
 * @index: the queue; has room
 * @slot: where its data is
 * @type: VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT or VIRTIO_BLK_T_GET_ID
 * @sector: where
 * @bytes: of data
 */
void blk_guest_submit(struct blk_guest *guest, unsigned int index,
		      unsigned int slot, uint32_t type, uint64_t sector,
		      uint32_t bytes);

/**
 * blk_guest_wait() - wait until a request has come back
 * @guest: the guest
 * @index: the queue
 * @timeout_ms: the longest time
 *
 * Return: 0 or -ETIMEDOUT. Its status is in its slot.
 */
int blk_guest_wait(struct blk_guest *guest, unsigned int index,
		   unsigned int timeout_ms);

/** blk_guest_run() - both, in slot 0: VIRTIO_BLK_S_*, or -ETIMEDOUT */
int blk_guest_run(struct blk_guest *guest, unsigned int index, uint32_t type,
		  uint64_t sector, uint32_t bytes);

/** blk_guest_saved() - what is in the region for a virtqueue */
struct vhost_bridge_saved_base blk_guest_saved(const struct blk_guest *guest,
					       unsigned int index);

/** blk_guest_used() - split: the index of the used ring */
uint16_t blk_guest_used(const struct blk_guest *guest, unsigned int index);

/** blk_guest_slot() - the room of a request: queue, and below BLK_GUEST_SLOTS */
struct blk_guest_slot blk_guest_slot(const struct blk_guest *guest,
				     unsigned int index, unsigned int slot);

/** blk_guest_gpa() - guest address of something in guest memory */
uint64_t blk_guest_gpa(const struct blk_guest *guest, const void *where);

#endif
