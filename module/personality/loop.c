// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loop device: what the guest sends comes back. For tests: it needs nothing
 * but a ring.
 */
#include <linux/minmax.h>

#include "device/cursor.h"
#include "device/device.h"
#include "memory/memory.h"

#define VIRTQUEUE_COUNT 8

static_assert(VIRTQUEUE_COUNT <= VHB_VIRTQUEUES_MAX);

/* Copied in pieces of this size */
#define PIECE_BYTES 512

static int copy_back(const struct vhb_memory *memory,
		     const struct vhb_chain *chain, u32 *written_out)
{
	struct vhb_cursor from, to;
	u8 piece[PIECE_BYTES];
	u32 bytes;
	int ret;

	vhb_cursor_readable(&from, chain, memory);
	vhb_cursor_writable(&to, chain, memory);
	*written_out = 0;
	for (;;) {
		bytes = min3(vhb_cursor_left(&from), vhb_cursor_left(&to),
			     (u32)sizeof(piece));
		if (!bytes)
			return 0;
		ret = vhb_cursor_read(&from, memory, piece, bytes);
		if (ret)
			return ret;
		ret = vhb_cursor_write(&to, memory, piece, bytes);
		if (ret)
			return ret;
		*written_out += bytes;
	}
}

static enum vhost_bridge_fault loop_handle(struct vhb_virtqueue *vq,
					   const struct vhb_chain *chain)
{
	struct vhb_request *request;
	u32 written_bytes;
	int ret;

	request = vhb_request_alloc(vq, sizeof(*request));
	ret = copy_back(&vq->view, chain, &written_bytes);
	if (ret) {
		vhb_request_free(vq, request);
		return vhb_fault_of(ret);
	}
	vhb_request_init(request, vq, chain);
	request->used.written_bytes = written_bytes;
	vhb_request_complete(request);
	return VHOST_BRIDGE_FAULT_NONE;
}

static int loop_finish(struct vhb_virtqueue *vq, struct vhb_request *request,
		       u32 *written_bytes_out)
{
	*written_bytes_out = request->used.written_bytes;
	vq->counters.read_bytes += *written_bytes_out;
	vq->counters.written_bytes += *written_bytes_out;
	vhb_request_free(vq, request);
	return 0;
}

const struct vhb_personality vhb_loop_personality = {
	.name = "loop",
	.virtqueue_count_max = VIRTQUEUE_COUNT,
	.handle = loop_handle,
	.finish = loop_finish,
};
