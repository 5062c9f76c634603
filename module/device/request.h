/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_DEVICE_REQUEST_H
#define VHB_DEVICE_REQUEST_H

#include <linux/errno.h>
#include <linux/llist.h>
#include <linux/types.h>
#include <linux/vhost_bridge.h>

#include "ring/ring.h"

struct vhb_virtqueue;

/**
 * DOC: chains on their way through a personality
 *
 * A worker's turn (turn.c) takes chains, has the personality handle them, and gives
 * back what is done.
 */

/** Turns take at most this many chains before others get a chance */
#define VHB_VIRTQUEUE_BUDGET 256

/**
 * struct vhb_request - a chain in flight
 * @node: in the virtqueue's list of completed ones, or of idle ones
 * @vq: its virtqueue
 * @used: how it is given back
 *
 * The first part of a personality's own request.
 */
struct vhb_request {
	struct llist_node node;
	struct vhb_virtqueue *vq;
	struct vhb_used used;
};

/**
 * vhb_virtqueue_turn() - one turn of the worker
 * @argument: the virtqueue
 *
 * Return: whether there is more to do now.
 */
bool vhb_virtqueue_turn(void *argument);

/**
 * vhb_request_alloc() - room for a request
 * @vq: its virtqueue, locked
 * @size_bytes: of the personality's request; always the same
 *
 * May sleep.
 *
 * Return: a request, never NULL. What is in it is anything.
 */
struct vhb_request *vhb_request_alloc(struct vhb_virtqueue *vq,
				      size_t size_bytes);

/**
 * vhb_request_free() - a request is not needed any more
 * @vq: its virtqueue, locked
 * @request: from vhb_request_alloc()
 */
void vhb_request_free(struct vhb_virtqueue *vq, struct vhb_request *request);

/**
 * vhb_request_drop_idle() - free those that are kept for the next chains
 * @vq: a virtqueue, locked, that takes no more
 */
void vhb_request_drop_idle(struct vhb_virtqueue *vq);

/**
 * vhb_request_init() - a chain becomes a request
 * @request: of the personality
 * @vq: its virtqueue, locked
 * @chain: as popped
 */
void vhb_request_init(struct vhb_request *request, struct vhb_virtqueue *vq,
		      const struct vhb_chain *chain);

/**
 * vhb_request_complete() - the work on a request is done
 * @request: the request; gone when this returns
 *
 * Any context, once, and once more each time that the personality's finish, which
 * the worker calls, has returned -EINPROGRESS.
 */
void vhb_request_complete(struct vhb_request *request);

/**
 * vhb_fault_of() - what an error of memory makes of a virtqueue
 * @error: what a call for guest memory returned
 */
static inline enum vhost_bridge_fault vhb_fault_of(int error)
{
	switch (error) {
	case -EIO:
		return VHOST_BRIDGE_FAULT_LOG;
	case -EACCES:
		return VHOST_BRIDGE_FAULT_ACCESS;
	default:
		return VHOST_BRIDGE_FAULT_MEMORY;
	}
}

#endif
