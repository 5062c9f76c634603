/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LOOP_LOOP_H
#define VHB_LOOP_LOOP_H

#include <stdint.h>

/**
 * DOC: the event loop
 *
 * One io_uring and one thread. The loop only ever asks the kernel to tell when
 * a descriptor is ready (IORING_OP_POLL_ADD, one shot); reading and writing is
 * done by the watcher without blocking. So no buffer is ever owned by the
 * kernel, and forgetting a watch is always safe. With nothing ready the thread
 * sleeps in io_uring_enter() and is not woken by packets or requests: those do
 * not pass through it.
 */
struct vhb_loop;

/**
 * struct vhb_watch_ref - names a watch
 * @value: slot index and generation as they travel in the 64-bit user_data of
 *         the ring; zero names no watch
 */
struct vhb_watch_ref {
	uint64_t value;
};

/**
 * typedef vhb_watch_fn - called once when a watched descriptor is ready
 * @argument: as given to vhb_loop_watch()
 * @events: POLLIN, POLLOUT, POLLHUP, POLLERR as poll(2) reports them, or
 *          POLLNVAL when the kernel could not watch the descriptor
 *
 * The watch is spent when this is called; watch again to go on.
 */
typedef void (*vhb_watch_fn)(void *argument, unsigned int events);

/**
 * vhb_loop_create() - make a loop
 * @loop_out: the loop
 *
 * Return: 0; -ENOSYS or -EPERM when io_uring is not available to this process
 * (kernel.io_uring_disabled, seccomp); -ENOMEM.
 */
int vhb_loop_create(struct vhb_loop **loop_out);

/**
 * vhb_loop_destroy() - forget all watches and free the loop
 * @loop: may be NULL
 */
void vhb_loop_destroy(struct vhb_loop *loop);

/**
 * vhb_loop_watch() - ask to be called once when a descriptor is ready
 * @loop: the loop
 * @fd: the descriptor; must stay open until called or unwatched
 * @events: POLLIN and/or POLLOUT
 * @function: what to call
 * @argument: handed to @function
 * @ref_out: names the watch for vhb_loop_unwatch()
 *
 * Return: 0 or -ENOMEM, -EBUSY from the ring.
 */
int vhb_loop_watch(struct vhb_loop *loop, int fd, unsigned int events,
		   vhb_watch_fn function, void *argument,
		   struct vhb_watch_ref *ref_out);

/**
 * vhb_loop_unwatch() - forget a watch
 * @loop: the loop
 * @ref: the watch; set to zero. A watch that is spent or zero is ignored
 *
 * When this returns, the function will not be called and the kernel is about
 * to drop its reference to the descriptor's file (the peer of a socket sees
 * the close without waiting for the loop to turn).
 */
void vhb_loop_unwatch(struct vhb_loop *loop, struct vhb_watch_ref *ref);

/**
 * vhb_loop_signal() - add one to somebody else's eventfd
 * @loop: the loop
 * @fd: the eventfd; may be closed as soon as this returns
 *
 * A write(2) would block while the counter is full, and who owns the counter
 * may have filled it on purpose; the ring does it for us instead, and gives up
 * after a second.
 */
void vhb_loop_signal(struct vhb_loop *loop, int fd);

/**
 * vhb_loop_run() - call watchers until vhb_loop_stop()
 * @loop: the loop
 *
 * Return: 0 after vhb_loop_stop(), or the error of io_uring_enter().
 */
int vhb_loop_run(struct vhb_loop *loop);

/**
 * vhb_loop_stop() - make vhb_loop_run() return after the current watcher
 * @loop: the loop
 */
void vhb_loop_stop(struct vhb_loop *loop);

#endif
