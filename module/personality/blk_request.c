// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of a block device, from chain to status byte (VIRTIO 1.2, 5.2.6).
 */
#include <linux/minmax.h>
#include <linux/slab.h>

#include "memory/memory.h"
#include "personality/blk.h"

/* Takes the status byte off the end of the writable segments. */
static struct vhb_buffer take_status(struct vhb_cursor *writable)
{
	struct vhb_cursor last = *writable;

	vhb_cursor_advance(&last, last.left_bytes - 1);
	writable->left_bytes--;
	return vhb_cursor_here(&last);
}

static u8 get_id(struct vhb_virtqueue *vq, struct vhb_blk_request *request)
{
	const u32 bytes = min_t(u32, request->data.left_bytes,
				VHOST_BRIDGE_BLK_SERIAL_BYTES);
	int ret;

	ret = vhb_cursor_write(&request->data, &vq->view, request->blk->serial,
			       bytes);
	if (ret) {
		if (ret == -EIO)
			request->error = ret;
		return VIRTIO_BLK_S_IOERR;
	}
	request->done_bytes = bytes;
	vhb_request_complete(&request->base);
	return VIRTIO_BLK_S_OK;
}

/*
 * Returns VIRTIO_BLK_S_OK when the request was or will be completed, else the
 * status to answer with.
 */
static u8 begin(struct vhb_virtqueue *vq, struct vhb_blk_request *request,
		const struct virtio_blk_outhdr *header,
		const struct vhb_cursor *readable,
		const struct vhb_cursor *writable)
{
	request->type = le32_to_cpu((__force __le32)header->type);
	request->data = *readable;
	switch (request->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_GET_ID:
		request->to_guest = true;
		request->data = *writable;
		break;
	}

	switch (request->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return vhb_blk_start_io(vq, request,
					le64_to_cpu((__force __le64)header->sector));
	case VIRTIO_BLK_T_GET_ID:
		return get_id(vq, request);
	case VIRTIO_BLK_T_FLUSH:
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
	case VIRTIO_BLK_T_SECURE_ERASE:
		return vhb_blk_start_slow(vq, request);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

enum vhost_bridge_fault vhb_blk_handle(struct vhb_virtqueue *vq,
				       const struct vhb_chain *chain)
{
	struct virtio_blk_outhdr header;
	struct vhb_cursor readable, writable;
	struct vhb_blk_request *request;
	struct vhb_buffer status_place;
	u8 status;

	if (chain->readable_bytes < sizeof(header) || !chain->writable_bytes)
		return VHOST_BRIDGE_FAULT_REQUEST;
	vhb_cursor_readable(&readable, chain, &vq->view);
	vhb_cursor_writable(&writable, chain, &vq->view);
	if (vhb_cursor_read(&readable, &vq->view, &header, sizeof(header)))
		return VHOST_BRIDGE_FAULT_MEMORY;
	status_place = take_status(&writable);

	request = container_of(vhb_request_alloc(vq, sizeof(*request)),
			       struct vhb_blk_request, base);
	/* What comes behind is filled in before it is used. */
	memset(request, 0, offsetof(typeof(*request), inline_bvecs));
	vhb_request_init(&request->base, vq, chain);
	request->blk = vq->device->private;
	request->status_place = status_place;
	request->bvecs = request->inline_bvecs;
	request->bvec_room = VHB_BLK_INLINE_BVECS;

	status = begin(vq, request, &header, &readable, &writable);
	if (status != VIRTIO_BLK_S_OK) {
		/* It was not begun. The guest is told by finish. */
		request->status = status;
		vhb_request_complete(&request->base);
	}
	return VHOST_BRIDGE_FAULT_NONE;
}

static void count(struct vhb_virtqueue *vq,
		  const struct vhb_blk_request *request)
{
	if (request->status != VIRTIO_BLK_S_OK)
		vq->counters.error_count++;
	else if (request->to_guest)
		vq->counters.read_bytes += request->done_bytes;
	else
		vq->counters.written_bytes += request->done_bytes;
}

int vhb_blk_finish(struct vhb_virtqueue *vq, struct vhb_request *base,
		   u32 *written_bytes_out)
{
	struct vhb_blk_request *request =
		container_of(base, struct vhb_blk_request, base);
	int ret;

	if (request->is_submitted && vhb_blk_end_io(vq, request))
		return -EINPROGRESS;

	count(vq, request);
	*written_bytes_out = 1;
	if (request->to_guest)
		*written_bytes_out += request->done_bytes;
	ret = request->error;
	if (!ret && vhb_virtqueue_can_write(vq))
		ret = vhb_buffer_write(&vq->view, &request->status_place,
				       &request->status, 1);
	if (request->bvecs != request->inline_bvecs)
		kfree(request->bvecs);
	if (request->segments != request->inline_segments)
		kvfree(request->segments);
	kfree(request->ranges);
	vhb_request_free(vq, base);
	return ret;
}
