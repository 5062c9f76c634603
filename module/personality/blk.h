/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_PERSONALITY_BLK_H
#define VHB_PERSONALITY_BLK_H

#include <linux/atomic.h>
#include <linux/blkdev.h>
#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/virtio_blk.h>
#include <linux/workqueue.h>

#include "device/cursor.h"
#include "device/device.h"

/** Virtqueues of a block device */
#define VHB_BLK_VIRTQUEUE_COUNT_MAX 64

/** Data segments we tell drivers to use at most; more are fine */
#define VHB_BLK_SEGMENTS_MAX 126

/** Ranges of one discard or write zeroes request */
#define VHB_BLK_RANGES_MAX 64

/** Pages that need no allocation of their own */
#define VHB_BLK_INLINE_BVECS 4

/** Segments that need none either */
#define VHB_BLK_INLINE_SEGMENTS 4

/** Pages that are worked on at a time; longer requests go in slices */
#define VHB_BLK_SLICE_BVECS 256

/**
 * Bytes that are worked on at a time: neighbouring pages are one entry, so few
 * entries may be more than a file takes in one go (MAX_RW_COUNT)
 */
#define VHB_BLK_SLICE_BYTES (64U << 20)

/**
 * Pages of ours that are in use at a time; a request that comes then gets no more
 * than it needs to go on
 */
#define VHB_BLK_BOUNCE_PAGES 16384

/** How often the size of what backs a device is looked at, in seconds */
#define VHB_BLK_WATCH_S 1

/**
 * struct vhb_blk - a block device
 * @device: what the rest of the module knows of it
 * @file: what backs it, a reference; NULL for nothing yet
 * @bdev: the block device behind @file; NULL for a regular file
 * @is_read_only: the guest may not write
 * @is_writeback: completed writes may be in a cache until a flush; what the
 *                configuration space says and a driver may change
 * @can_discard: discard is offered
 * @can_erase: secure erase is offered
 * @vring_count: what the configuration space says
 * @serial: what GET_ID answers
 * @block_bytes: positions and lengths are multiples of it
 * @address_mask: bits of a buffer's address that must be clear; 0 when data is
 *                copied anyway
 * @length_mask: bits of each piece's length that must be clear; 0 likewise
 * @slow: where requests go that no file takes asynchronously
 * @bounce_pages: pages of ours in use
 * @watch: looks at the size, as long as there is a file
 * @told_sectors: the size that was told last; @watch's own
 *
 * Guarded by the device lock; written only while all virtqueues are stopped,
 * but for @is_writeback and @told_sectors, so workers read it without.
 */
struct vhb_blk {
	struct vhb_device *device;
	struct file *file;
	struct block_device *bdev;
	bool is_read_only;
	bool is_writeback;
	bool can_discard;
	bool can_erase;
	u32 vring_count;
	u8 serial[VHOST_BRIDGE_BLK_SERIAL_BYTES];
	u32 block_bytes;
	u32 address_mask;
	u32 length_mask;
	struct workqueue_struct *slow;
	atomic_t bounce_pages;
	struct delayed_work watch;
	u64 told_sectors;
};

/**
 * struct vhb_blk_request - a request
 * @base: what the device knows of it
 * @blk: its device
 * @type: VIRTIO_BLK_T_*
 * @status: VIRTIO_BLK_S_*, as far as it is known
 * @status_place: where the guest wants it
 * @to_guest: data goes to the guest
 * @is_bounced: the pages are ours, not the guest's
 * @is_submitted: an answer of the file is awaited, in @result
 * @first_byte: where in the file the data begins
 * @done_bytes: data of slices before this one
 * @slice_bytes: data of this slice
 * @data: data behind this slice
 * @guest: data of this slice, when to the guest
 * @error: the dirty log failed; 0 as a rule
 * @segments: a copy of the data's segments, for requests that outlive their
 *            chain's: @inline_segments or an allocation; NULL for others
 * @bvecs: the slice's pages; @inline_bvecs or an allocation
 * @bvec_count: how many are in use
 * @bvec_room: how many there are
 * @ranges: discard, write zeroes, secure erase; as the guest wrote them
 * @range_count: how many
 * @inline_bvecs: room for small requests
 * @inline_segments: likewise
 * @iter: the slice as the file sees it
 * @iocb: the slice's I/O
 * @result: bytes done, or -errno
 * @work: for requests that no file takes asynchronously
 */
struct vhb_blk_request {
	struct vhb_request base;
	struct vhb_blk *blk;
	u32 type;
	u8 status;
	bool to_guest;
	bool is_bounced;
	bool is_submitted;
	struct vhb_buffer status_place;
	u64 first_byte;
	u32 done_bytes;
	u32 slice_bytes;
	struct vhb_cursor data;
	struct vhb_cursor guest;
	int error;
	struct vhb_segment *segments;
	struct bio_vec *bvecs;
	u32 bvec_count;
	u32 bvec_room;
	struct virtio_blk_discard_write_zeroes *ranges;
	u32 range_count;
	struct bio_vec inline_bvecs[VHB_BLK_INLINE_BVECS];
	struct vhb_segment inline_segments[VHB_BLK_INLINE_SEGMENTS];
	struct iov_iter iter;
	struct kiocb iocb;
	long result;
	struct work_struct work;
};

/* The device allocates and frees it by that. */
static_assert(offsetof(struct vhb_blk_request, base) == 0);

/**
 * vhb_blk_set_backing() - VHOST_BRIDGE_BLK_SET_BACKING
 * @blk: the device; all virtqueues stopped
 * @backing: checked but for the file
 *
 * Return: 0 or -errno as documented there.
 */
int vhb_blk_set_backing(struct vhb_blk *blk,
			const struct vhost_bridge_blk_backing *backing);

/**
 * vhb_blk_init_backing() - no file yet
 * @blk: zeroed, but for @blk->device
 */
void vhb_blk_init_backing(struct vhb_blk *blk);

/**
 * vhb_blk_drop_backing() - let go of the file
 * @blk: the device; all virtqueues stopped
 */
void vhb_blk_drop_backing(struct vhb_blk *blk);

/**
 * vhb_blk_sectors() - its size now, in sectors of 512 bytes
 * @blk: has a file
 */
u64 vhb_blk_sectors(const struct vhb_blk *blk);

/**
 * vhb_blk_get_config() - &vhb_personality.get_config
 * @device: the device
 * @space: zeroed
 */
void vhb_blk_get_config(struct vhb_device *device, u8 *space);

/**
 * vhb_blk_acked() - &vhb_personality.acked
 * @device: the device
 */
void vhb_blk_acked(struct vhb_device *device);

/**
 * vhb_blk_is_writethrough() - must what is written be on the disk when it is done?
 * @device: with a virtqueue that is not stopped
 */
bool vhb_blk_is_writethrough(const struct vhb_device *device);

/**
 * vhb_blk_handle() - &vhb_personality.handle
 * @vq: the virtqueue
 * @chain: the request
 */
enum vhost_bridge_fault vhb_blk_handle(struct vhb_virtqueue *vq,
				       const struct vhb_chain *chain);

/**
 * vhb_blk_finish() - &vhb_personality.finish
 * @vq: the virtqueue
 * @request: the request
 * @written_bytes_out: bytes written
 */
int vhb_blk_finish(struct vhb_virtqueue *vq, struct vhb_request *request,
		   u32 *written_bytes_out);

/**
 * vhb_blk_start_io() - begin to read or write
 * @vq: its virtqueue, locked
 * @request: type, direction and data set
 * @sector: where
 *
 * Return: VIRTIO_BLK_S_OK when vhb_request_complete() was or will be called,
 * else the status to answer with.
 */
u8 vhb_blk_start_io(struct vhb_virtqueue *vq, struct vhb_blk_request *request,
		    u64 sector);

/**
 * vhb_blk_end_io() - a slice is done
 * @vq: its virtqueue, locked
 * @request: with a result
 *
 * Return: -EINPROGRESS when the next slice was begun; else 0, and
 * &vhb_blk_request.status and .done_bytes are final.
 */
int vhb_blk_end_io(struct vhb_virtqueue *vq, struct vhb_blk_request *request);

/**
 * vhb_blk_start_slow() - begin a flush or a request with ranges
 * @vq: its virtqueue, locked
 * @request: type and data set
 *
 * Return: as vhb_blk_start_io().
 */
u8 vhb_blk_start_slow(struct vhb_virtqueue *vq,
		      struct vhb_blk_request *request);

#endif
