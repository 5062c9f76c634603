/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BRIDGE_BLK_H
#define SELFTESTS_LIB_BRIDGE_BLK_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_blk.h>

#include "lib/bridge_device.h"
#include "lib/random.h"

/**
 * DOC: the module's block device with a disk below and a guest above
 *
 * The test knows what must be on the disk: @shadow has it.
 */

#define DISK_BYTES (8u << 20)
#define DISK_SECTORS (DISK_BYTES / 512)

/** Entries of the guest's rings; packed ones have one less */
#define BLK_RING_ENTRIES 16
#define BLK_TABLE_DESCS 1024

/** Data, behind what the requests' headers take */
#define BLK_DATA_GPA BRIDGE_SPLIT_GPA

/** Features that need more than to be acked: tests ask for them by themselves */
#define BLK_FEATURES_ASKED (UINT64_C(1) << VHOST_F_LOG_ALL | \
			    UINT64_C(1) << 33 /* ACCESS_PLATFORM */)

#define BLK_SERIAL "a serial number 20 B"

/**
 * enum disk_kind - what is below
 * @DISK_TMPFS: a file in memory, by way of the page cache
 * @DISK_FILE: a file on a disk, likewise
 * @DISK_LOOP: a loop device, O_DIRECT, in sectors of 512 bytes
 * @DISK_LOOP_4K: the same in blocks of 4 KiB
 * @DISK_NULL: null_blk, O_DIRECT: completes in interrupts
 * @DISK_EXT4: a file of ext4, O_DIRECT
 * @DISK_KINDS: how many that is: the good ones
 * @DISK_BAD: O_DIRECT; its second half cannot be read or written
 */
enum disk_kind {
	DISK_TMPFS,
	DISK_FILE,
	DISK_LOOP,
	DISK_LOOP_4K,
	DISK_NULL,
	DISK_EXT4,
	DISK_KINDS,
	DISK_BAD = DISK_KINDS,
};

/**
 * struct disk - a disk
 * @kind: which
 * @name: for people
 * @why_not: why there is none; NULL when there is
 * @fd: as the module gets it
 * @file_fd: the file behind a loop device, else -1
 * @is_direct: @fd is O_DIRECT
 * @block_bytes: what positions and lengths have to be multiples of
 * @sectors: its size
 * @shadow: what must be in the first DISK_BYTES
 */
struct disk {
	enum disk_kind kind;
	const char *name;
	const char *why_not;
	int fd;
	int file_fd;
	bool is_direct;
	uint32_t block_bytes;
	uint64_t sectors;
	uint8_t *shadow;
};

/** disk_open() - make a disk; what is missing is said in @why_not */
void disk_open(struct disk *disk, enum disk_kind kind);

/** disk_need() - have it, or end this test: skipped, and why */
void disk_need(const struct disk *disk);

/** disk_close() - the reverse */
void disk_close(struct disk *disk);

/** disk_path() - where it can be opened once more, in /proc */
const char *disk_path(const struct disk *disk);

/** disk_check() - fail the test unless all is on the disk that must be */
void disk_check(const struct disk *disk);

/** disk_read_shadow() - take over what is there, where that is not our business */
void disk_read_shadow(struct disk *disk, uint64_t sector, uint64_t sectors);

/**
 * struct blk_answer - how a request ended
 * @status: VIRTIO_BLK_S_*
 * @used_bytes: what the used entry says
 */
struct blk_answer {
	uint8_t status;
	uint32_t used_bytes;
};

/** blk_set_backing() - VHOST_BRIDGE_BLK_SET_BACKING: 0 or -errno */
int blk_set_backing(const struct bridge *bridge, int fd, uint32_t flags,
		    uint32_t vring_count);

/** blk_features() - VHOST_GET_FEATURES */
uint64_t blk_features(const struct bridge *bridge);

/**
 * blk_open() - a device with that disk and running queues
 * @bridge: uninitialized
 * @disk: the disk
 * @is_packed: layout of the rings
 * @without: features not to negotiate
 * @vring_count: how many
 */
void blk_open(struct bridge *bridge, const struct disk *disk, bool is_packed,
	      uint64_t without, unsigned int vring_count);

/**
 * blk_add() - make a request available; no kick
 * @bridge: the device
 * @index: queue
 * @type: VIRTIO_BLK_T_*
 * @sector: where
 * @data: buffers, all for the guest to be read or all to be written
 * @count: how many
 *
 * Return: its ID, or -1 when there is no room.
 */
int blk_add(struct bridge *bridge, unsigned int index, uint32_t type,
	    uint64_t sector, const struct vq_buffer *data, unsigned int count);

/** blk_wait() - wait for any request; returns its ID */
int blk_wait(struct bridge *bridge, unsigned int index,
	     struct blk_answer *answer);

/** blk_run() - one request on queue 0, from beginning to end */
struct blk_answer blk_run(struct bridge *bridge, uint32_t type,
			  uint64_t sector, const struct vq_buffer *data,
			  unsigned int count);

/**
 * blk_run_cut() - a request whose parts are cut anywhere
 * @bridge: the device
 * @random: where
 * @type: VIRTIO_BLK_T_*
 * @sector: where
 * @gpa: the data; 16 bytes before it and one behind it are taken, too
 * @bytes: its length
 *
 * Header and data, or data and status, are one row of bytes; descriptors begin
 * and end where it happens.
 */
struct blk_answer blk_run_cut(struct bridge *bridge,
			      struct test_random *random, uint32_t type,
			      uint64_t sector, uint64_t gpa, uint32_t bytes);

/** blk_run_raw() - any chain at all; its last writable byte is at @status_gpa */
struct blk_answer blk_run_raw(struct bridge *bridge,
			      const struct vq_buffer *buffers,
			      unsigned int count, uint64_t status_gpa);

/** blk_buffer() - one buffer */
static inline struct vq_buffer blk_buffer(uint64_t gpa, uint32_t bytes,
					  bool is_writable)
{
	return (struct vq_buffer){ gpa, bytes, is_writable };
}

/** blk_write() - write guest memory to the disk and note that; must succeed */
void blk_write(struct bridge *bridge, struct disk *disk, uint64_t sector,
	       uint64_t gpa, uint32_t bytes);

/** blk_read() - read it and compare with what must be there; must succeed */
void blk_read(struct bridge *bridge, const struct disk *disk, uint64_t sector,
	      uint64_t gpa, uint32_t bytes);

/** blk_fill() - random bytes */
void blk_fill(const struct bridge *bridge, struct test_random *random,
	      uint64_t gpa, uint32_t bytes);

/** blk_note() - guest memory is on the disk now */
void blk_note(const struct bridge *bridge, struct disk *disk, uint64_t sector,
	      uint64_t gpa, uint32_t bytes);

#endif
