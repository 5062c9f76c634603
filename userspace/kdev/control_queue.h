/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_CONTROL_QUEUE_H
#define VHB_KDEV_CONTROL_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost_types.h>

#include "loop/loop.h"
#include "virtqueue/virtqueue.h"

/**
 * DOC: a vring without a kernel device behind it
 *
 * A control queue carries a command now and then: the broker serves it itself, in
 * the loop. It is set up like any vring. A turn takes a few commands and lets
 * others have theirs, however many the driver has sent and however often it kicks.
 *
 * A chain that has no room for an answer, or anything else that breaks the rules,
 * ends it: its err eventfd is signalled, it rests until it is stopped and set up
 * anew. Whatever becomes of guest memory is an error code (see virtqueue.h).
 */

/**
 * struct vhb_control_handler - what is done with it
 * @serve: a command came; @queue has it with the device, to be read. Returns the
 *         answer, the first byte of what the driver lets us write
 * @on_memory: guest memory is about to be touched, or (false) was; the second
 *             may do anything, as @on_turn
 * @on_turn: a turn is over, the first one at once after the start; may do
 *           anything, stopping the queue too
 * @on_broken: the driver broke a rule; likewise
 * @argument: handed to them
 *
 * Called from the loop.
 */
struct vhb_control_handler {
	uint8_t (*serve)(void *argument, struct vhb_virtqueue *queue,
			 uint32_t readable_bytes);
	void (*on_memory)(void *argument, bool begins);
	void (*on_turn)(void *argument);
	void (*on_broken)(void *argument, const char *fault);
	void *argument;
};

/**
 * struct vhb_control_queue - one of them
 * @handler: as given
 * @loop: where kicks come by, while it runs
 * @table: guest memory, a copy; NULL before there is any
 * @config: size, base and addresses, as they were set
 * @log_address: where the dirty log is, once it was told
 * @marks_buffers: what is written to memory is to be marked there
 * @log_fd: eventfd that is told of marks, or -1
 * @kick_fd: of the front-end, or -1
 * @call_fd: likewise
 * @err_fd: likewise
 * @queue: the virtqueue, while it runs
 * @kick_watch: of @kick_fd
 * @wake_fd: eventfd of ours that gives it another turn, while it runs
 * @wake_watch: of it
 * @is_turn_over: others are to have their turn now
 * @has_served: a command was served in this turn
 * @must_call: the driver wants to hear of one
 */
struct vhb_control_queue {
	struct vhb_control_handler handler;
	struct vhb_loop *loop;
	struct vhost_memory *table;
	struct vhb_virtqueue_config config;
	uint64_t log_address;
	bool marks_buffers;
	int log_fd;
	int kick_fd;
	int call_fd;
	int err_fd;
	struct vhb_virtqueue *queue;
	struct vhb_watch_ref kick_watch;
	int wake_fd;
	struct vhb_watch_ref wake_watch;
	bool is_turn_over;
	bool has_served;
	bool must_call;
};

/** vhb_control_queue_init() - one that is not set up */
void vhb_control_queue_init(struct vhb_control_queue *control,
			    const struct vhb_control_handler *handler);

/** vhb_control_queue_reset() - stop it and forget all but the handler */
void vhb_control_queue_reset(struct vhb_control_queue *control);

/**
 * vhb_control_queue_set_table() - guest memory is this from now on
 * @control: the queue, running or not
 * @table: copied
 *
 * Return: 0 or -ENOMEM, with nothing changed.
 */
int vhb_control_queue_set_table(struct vhb_control_queue *control,
				const struct vhost_memory *table);

/** vhb_control_queue_set_log_base() - &vhb_kdev_ops.set_log_base */
void vhb_control_queue_set_log_base(struct vhb_control_queue *control,
				    uint64_t address);

/** vhb_control_queue_set_logging() - VHOST_F_LOG_ALL, at any time */
void vhb_control_queue_set_logging(struct vhb_control_queue *control, bool on);

/**
 * vhb_control_queue_set_addr() - &vhb_kdev_ops.set_vring_addr
 *
 * While it runs only flags and log address may be others than before.
 */
void vhb_control_queue_set_addr(struct vhb_control_queue *control,
				const struct vhost_vring_addr *addr);

/**
 * vhb_control_queue_set_kick() - the driver kicks here
 * @control: the queue, running or not
 * @fd: eventfd, must stay open until the next call or the stop; or -1
 *
 * Return: 0 or -errno of the loop.
 */
int vhb_control_queue_set_kick(struct vhb_control_queue *control, int fd);

/** vhb_control_queue_yield() - what was served just now took long enough */
void vhb_control_queue_yield(struct vhb_control_queue *control);

/**
 * vhb_control_queue_start() - serve it
 * @control: set up
 * @loop: the loop
 * @features_mask: what the driver acked, for the ring's features
 *
 * Return: 0 or -errno.
 */
int vhb_control_queue_start(struct vhb_control_queue *control,
			    struct vhb_loop *loop, uint64_t features_mask);

/**
 * vhb_control_queue_stop() - serve it no more
 * @control: may be stopped already
 *
 * Return: the base to go on from.
 */
uint32_t vhb_control_queue_stop(struct vhb_control_queue *control);

#endif
