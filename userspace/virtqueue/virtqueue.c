// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtqueue/virtqueue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <linux/vhost_bridge.h>

#include "ring/ring.h"
#include "virtqueue/guest_memory.h"

static_assert((int)VHB_RING_FAULT_ACCESS == (int)VHOST_BRIDGE_FAULT_ACCESS,
	      "faults have one numbering");

/**
 * struct vhb_virtqueue - see virtqueue.h
 * @ring: the engine
 * @memory: what it sees
 * @chain: the chain that is with the device
 * @has_chain: there is one
 * @fault: what vhb_virtqueue_break() was told
 * @segments: of @chain
 */
struct vhb_virtqueue {
	struct vhb_ring ring;
	struct vhb_memory memory;
	struct vhb_chain chain;
	bool has_chain;
	uint32_t fault;
	struct vhb_segment segments[VHB_RING_SEGMENTS_MAX];
};

int vhb_virtqueue_create(const struct vhb_virtqueue_config *config,
			 const struct vhost_memory *table,
			 struct vhb_virtqueue **queue_out)
{
	const struct vhb_ring_config ring_config = {
		.layout = VHB_RING_SPLIT,
		.num = config->num,
		.desc_addr = config->addr.desc_user_addr,
		.avail_addr = config->addr.avail_user_addr,
		.used_addr = config->addr.used_user_addr,
		.has_indirect = config->has_indirect,
		.has_event_idx = config->has_event_idx,
		.has_in_order = config->has_in_order,
		.notify_on_empty = config->notify_on_empty,
	};
	struct vhb_virtqueue *queue;
	int ret;

	ret = vhb_ring_check(&ring_config);
	if (ret)
		return ret;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	queue->memory.table = table;
	queue->memory.used_addr = config->addr.used_user_addr;
	queue->chain.segments = queue->segments;
	ret = vhb_ring_init(&queue->ring, &ring_config);
	if (ret)
		goto free_queue;
	ret = vhb_ring_start(&queue->ring, &queue->memory, config->base);
	if (ret)
		goto destroy_ring;
	*queue_out = queue;
	return 0;

destroy_ring:
	vhb_ring_destroy(&queue->ring);
free_queue:
	free(queue);
	return ret;
}

void vhb_virtqueue_destroy(struct vhb_virtqueue *queue)
{
	if (!queue)
		return;
	vhb_ring_destroy(&queue->ring);
	free(queue);
}

void vhb_virtqueue_set_table(struct vhb_virtqueue *queue,
			     const struct vhost_memory *table)
{
	queue->memory.table = table;
}

void vhb_virtqueue_set_log(struct vhb_virtqueue *queue,
			   const struct vhb_virtqueue_log *log)
{
	queue->memory.log = *log;
}

int vhb_virtqueue_pop(struct vhb_virtqueue *queue,
		      struct vhb_virtqueue_sizes *sizes_out)
{
	int ret;

	if (queue->fault)
		return -EPROTO;
	ret = vhb_ring_pop(&queue->ring, &queue->chain);
	if (ret != 1)
		return ret;
	queue->has_chain = true;
	sizes_out->readable_bytes = queue->chain.readable_bytes;
	sizes_out->writable_bytes = queue->chain.writable_bytes;
	return 1;
}

int vhb_virtqueue_read(struct vhb_virtqueue *queue, uint32_t offset_bytes,
		       void *to, uint32_t size_bytes)
{
	const struct vhb_chain *chain = &queue->chain;
	uint8_t *at = to;
	uint32_t chunk_bytes;
	unsigned int i;
	int ret;

	if (offset_bytes > chain->readable_bytes ||
	    size_bytes > chain->readable_bytes - offset_bytes)
		return -EINVAL;
	for (i = 0; size_bytes; i++) {
		const struct vhb_segment *segment = &chain->segments[i];

		if (offset_bytes >= segment->length_bytes) {
			offset_bytes -= segment->length_bytes;
			continue;
		}
		chunk_bytes = segment->length_bytes - offset_bytes;
		if (chunk_bytes > size_bytes)
			chunk_bytes = size_bytes;
		ret = vhb_guest_read(&queue->memory,
				     segment->gpa + offset_bytes, at,
				     chunk_bytes);
		if (ret)
			return ret;
		at += chunk_bytes;
		size_bytes -= chunk_bytes;
		offset_bytes = 0;
	}
	return 0;
}

int vhb_virtqueue_write_byte(struct vhb_virtqueue *queue, uint8_t value)
{
	const struct vhb_chain *chain = &queue->chain;

	if (!chain->writable_bytes)
		return -EINVAL;
	return vhb_guest_write(&queue->memory,
			       chain->segments[chain->readable_count].gpa,
			       &value, sizeof(value));
}

int vhb_virtqueue_finish(struct vhb_virtqueue *queue, uint32_t written_bytes)
{
	const struct vhb_used used = {
		.id = queue->chain.id,
		.slot_count = queue->chain.slot_count,
		.sequence = queue->ring.sequence - 1,
		.written_bytes = written_bytes,
	};
	int ret;

	queue->has_chain = false;
	ret = vhb_ring_push(&queue->ring, &used);
	if (!ret)
		ret = vhb_ring_publish(&queue->ring);
	if (ret != 1)
		return ret;
	return vhb_ring_must_call(&queue->ring);
}

int vhb_virtqueue_enable_kicks(struct vhb_virtqueue *queue)
{
	return vhb_ring_enable_kicks(&queue->ring);
}

void vhb_virtqueue_break(struct vhb_virtqueue *queue, uint32_t fault)
{
	if (queue->has_chain)
		vhb_ring_unpop(&queue->ring, &queue->chain);
	queue->has_chain = false;
	queue->fault = fault;
}

uint32_t vhb_virtqueue_base(const struct vhb_virtqueue *queue)
{
	return vhb_ring_base(&queue->ring);
}

uint32_t vhb_virtqueue_fault(const struct vhb_virtqueue *queue)
{
	return queue->ring.fault ? queue->ring.fault : queue->fault;
}
