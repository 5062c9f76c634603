// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads and writes of a block device. The guest's pages go to the file as they
 * are, pinned; where its buffers do not suit direct I/O, by way of pages of
 * ours. What does not fit into one array of pages goes in slices, one after the
 * other, so no request needs more memory than a slice.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "memory/memory.h"
#include "memory/pin.h"
#include "personality/blk.h"

/* Pages that the data from here on touches, as far as a slice may be long */
static u32 count_pages(struct vhb_cursor cursor)
{
	u32 pages = 0;

	while (cursor.left_bytes && pages < VHB_BLK_SLICE_BVECS) {
		const u32 bytes = vhb_cursor_contiguous(&cursor);
		const u64 user_addr = vhb_cursor_here(&cursor).user_addr;

		pages += DIV_ROUND_UP(offset_in_page(user_addr) + (u64)bytes,
				      PAGE_SIZE);
		vhb_cursor_advance(&cursor, bytes);
	}
	return min_t(u32, pages, VHB_BLK_SLICE_BVECS);
}

static int make_room(struct vhb_blk_request *request)
{
	const u32 pages = count_pages(request->data);

	if (pages <= request->bvec_room)
		return 0;
	request->bvecs = kmalloc_array(pages, sizeof(*request->bvecs),
				       GFP_KERNEL);
	if (!request->bvecs) {
		request->bvecs = request->inline_bvecs;
		return -ENOMEM;
	}
	request->bvec_room = pages;
	return 0;
}

/* The chain's segments are the virtqueue's: the next chain overwrites them. */
static int keep_segments(struct vhb_blk_request *request)
{
	struct vhb_cursor *data = &request->data;
	const u32 end = data->done_bytes + data->left_bytes;
	u32 bytes = 0, count = 0;

	if (request->segments)
		return 0;
	while (bytes < end)
		bytes += data->segment[count++].length_bytes;
	if (count <= VHB_BLK_INLINE_SEGMENTS)
		request->segments = request->inline_segments;
	else
		request->segments = kvmalloc_array(count,
						   sizeof(*data->segment),
						   GFP_KERNEL);
	if (!request->segments)
		return -ENOMEM;
	memcpy(request->segments, data->segment,
	       count * sizeof(*data->segment));
	data->segment = request->segments;
	return 0;
}

/* Pins as much as fits and moves request->data behind it. */
static int pin_slice(const struct vhb_memory *memory,
		     struct vhb_blk_request *request)
{
	struct vhb_cursor *data = &request->data;
	u32 bytes, pinned;
	int ret;

	request->slice_bytes = 0;
	while (data->left_bytes && request->slice_bytes < VHB_BLK_SLICE_BYTES) {
		const struct vhb_buffer here = vhb_cursor_here(data);

		bytes = min(vhb_cursor_contiguous(data),
			    VHB_BLK_SLICE_BYTES - request->slice_bytes);
		ret = vhb_buffer_pin(memory, &here, bytes, request->to_guest,
				     request->bvecs, &request->bvec_count,
				     request->bvec_room, &pinned);
		if (ret)
			return ret;
		vhb_cursor_advance(data, pinned);
		request->slice_bytes += pinned;
		if (pinned < bytes)
			break;
	}
	return 0;
}

static bool suits_direct_io(const struct vhb_blk_request *request)
{
	const struct vhb_blk *blk = request->blk;
	u32 i;

	for (i = 0; i < request->bvec_count; i++) {
		if (request->bvecs[i].bv_offset & blk->address_mask ||
		    request->bvecs[i].bv_len & blk->length_mask)
			return false;
	}
	return true;
}

static void free_pages_of(struct vhb_blk_request *request)
{
	atomic_sub(request->bvec_count, &request->blk->bounce_pages);
	while (request->bvec_count)
		__free_page(request->bvecs[--request->bvec_count].bv_page);
}

static void let_go(struct vhb_blk_request *request, bool was_written)
{
	if (request->is_bounced)
		free_pages_of(request);
	else
		vhb_buffer_unpin(request->bvecs, request->bvec_count,
				 was_written);
	request->bvec_count = 0;
}

/* A guest must not have as much memory of the host's as it likes. */
static u32 bounce_room(const struct vhb_blk_request *request)
{
	const struct vhb_blk *blk = request->blk;

	if (atomic_read(&blk->bounce_pages) + request->bvec_room <=
	    VHB_BLK_BOUNCE_PAGES)
		return request->bvec_room;
	return DIV_ROUND_UP(blk->block_bytes, PAGE_SIZE);
}

/* Pages of ours for as much data as fits; zeroed, for a read may be short. */
static int alloc_slice(struct vhb_blk_request *request)
{
	const u32 room = min(request->bvec_room, bounce_room(request));
	u32 left = request->data.left_bytes;

	request->slice_bytes = 0;
	while (left && request->bvec_count < room) {
		const u32 bytes = min_t(u32, left, PAGE_SIZE);
		struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

		if (!page)
			return -ENOMEM;
		request->bvecs[request->bvec_count++] = (struct bio_vec){
			.bv_page = page,
			.bv_len = bytes,
		};
		atomic_inc(&request->blk->bounce_pages);
		request->slice_bytes += bytes;
		left -= bytes;
	}
	return 0;
}

static int bounce_slice(struct vhb_virtqueue *vq,
			struct vhb_blk_request *request)
{
	u32 i;
	int ret;

	ret = alloc_slice(request);
	if (ret)
		return ret;
	request->guest = request->data;
	if (request->to_guest) {
		vhb_cursor_advance(&request->data, request->slice_bytes);
		return 0;
	}
	for (i = 0; i < request->bvec_count; i++) {
		struct bio_vec *bvec = &request->bvecs[i];

		ret = vhb_cursor_read(&request->data, &vq->view,
				      page_address(bvec->bv_page),
				      bvec->bv_len);
		if (ret)
			return ret;
	}
	return 0;
}

static int unbounce_slice(struct vhb_virtqueue *vq,
			  struct vhb_blk_request *request)
{
	u32 i;
	int ret;

	for (i = 0; i < request->bvec_count; i++) {
		struct bio_vec *bvec = &request->bvecs[i];

		ret = vhb_cursor_write(&request->guest, &vq->view,
				       page_address(bvec->bv_page),
				       bvec->bv_len);
		if (ret)
			return ret;
	}
	return 0;
}

static int prepare_slice(struct vhb_virtqueue *vq,
			 struct vhb_blk_request *request)
{
	struct vhb_cursor start;
	int ret;

	/* What was read is marked in the dirty log when it has arrived. */
	if (request->to_guest) {
		ret = keep_segments(request);
		if (ret)
			return ret;
	}
	start = request->data;
	if (!request->is_bounced) {
		ret = pin_slice(&vq->view, request);
		if (ret)
			return ret;
		request->guest = start;
		if (suits_direct_io(request))
			return request->data.left_bytes ?
				       keep_segments(request) : 0;
		let_go(request, false);
		request->data = start;
		request->is_bounced = true;
	}
	ret = keep_segments(request);
	if (ret)
		return ret;
	return bounce_slice(vq, request);
}

static void on_io_done(struct kiocb *iocb, long result)
{
	struct vhb_blk_request *request =
		container_of(iocb, struct vhb_blk_request, iocb);

	/* Not later: the worker may wait for a freezer that waits for this. */
	if (!request->to_guest && !request->blk->bdev)
		kiocb_end_write(iocb);
	request->result = result;
	vhb_request_complete(&request->base);
}

static void submit_slice(struct vhb_virtqueue *vq,
			 struct vhb_blk_request *request)
{
	struct file *file = request->blk->file;
	struct kiocb *iocb = &request->iocb;
	ssize_t ret;

	init_sync_kiocb(iocb, file);
	iocb->ki_pos = request->first_byte + request->done_bytes;
	iocb->ki_complete = on_io_done;
	iocb->ki_flags |= VHB_IOCB_ALLOC_CACHE;
	request->is_submitted = true;
	iov_iter_bvec(&request->iter,
		      request->to_guest ? ITER_DEST : ITER_SOURCE,
		      request->bvecs, request->bvec_count,
		      request->slice_bytes);
	if (request->to_guest) {
		ret = file->f_op->read_iter(iocb, &request->iter);
	} else {
		iocb->ki_flags |= IOCB_WRITE;
		if (vhb_blk_is_writethrough(vq->device))
			iocb->ki_flags |= IOCB_DSYNC;
		if (!request->blk->bdev)
			kiocb_start_write(iocb);
		ret = file->f_op->write_iter(iocb, &request->iter);
	}
	if (ret != -EIOCBQUEUED)
		on_io_done(iocb, ret);
}

u8 vhb_blk_start_io(struct vhb_virtqueue *vq, struct vhb_blk_request *request,
		    u64 sector)
{
	const struct vhb_blk *blk = request->blk;
	const u64 sectors = vhb_blk_sectors(blk);
	const u32 bytes = request->data.left_bytes;

	if (!request->to_guest && blk->is_read_only)
		return VIRTIO_BLK_S_IOERR;
	if (bytes % SECTOR_SIZE || sector > sectors ||
	    bytes >> SECTOR_SHIFT > sectors - sector)
		return VIRTIO_BLK_S_IOERR;
	if (!bytes) {
		vhb_request_complete(&request->base);
		return VIRTIO_BLK_S_OK;
	}
	request->first_byte = sector << SECTOR_SHIFT;
	if (blk->length_mask &&
	    (request->first_byte | bytes) & (blk->block_bytes - 1))
		return VIRTIO_BLK_S_IOERR;

	if (make_room(request))
		return VIRTIO_BLK_S_IOERR;
	if (prepare_slice(vq, request)) {
		let_go(request, false);
		return VIRTIO_BLK_S_IOERR;
	}
	submit_slice(vq, request);
	return VIRTIO_BLK_S_OK;
}

/* What was read becomes the guest's, and is marked in the dirty log. */
static int deliver_slice(struct vhb_virtqueue *vq,
			 struct vhb_blk_request *request, bool is_whole)
{
	if (!request->is_bounced && !vq->view.log.marks_buffers)
		return 0;
	/* Even a read that failed may have written some of it. */
	if (!request->is_bounced)
		return vhb_cursor_written(&request->guest, &vq->view,
					  request->slice_bytes);
	if (!is_whole)
		return 0;
	if (!vhb_virtqueue_can_write(vq))
		return -EPROTO;
	return unbounce_slice(vq, request);
}

int vhb_blk_end_io(struct vhb_virtqueue *vq, struct vhb_blk_request *request)
{
	const bool is_done = request->result == request->slice_bytes;
	int ret = 0;

	if (request->to_guest)
		ret = deliver_slice(vq, request, is_done);
	if (ret == -EIO)
		request->error = ret;
	let_go(request, request->to_guest);
	if (!is_done || ret) {
		request->status = VIRTIO_BLK_S_IOERR;
		return 0;
	}
	request->done_bytes += request->slice_bytes;
	if (!request->data.left_bytes)
		return 0;
	/* The guest is not served any more: no more of this either. */
	if (!vhb_virtqueue_can_write(vq) || prepare_slice(vq, request)) {
		let_go(request, false);
		request->status = VIRTIO_BLK_S_IOERR;
		return 0;
	}
	submit_slice(vq, request);
	return -EINPROGRESS;
}
