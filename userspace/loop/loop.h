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
 *
 * Besides there are commands to a device (IORING_OP_URING_CMD), for those that
 * have something to tell or take their time. A command's argument is copied, so
 * all of this holds for them too.
 */
struct vhb_loop;

/**
 * struct vhb_watch_ref - names a watch or a command
 * @value: slot index and generation as they travel in the 64-bit user_data of
 *         the ring; zero names none
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

/** Bytes of a command's argument: what a submission of common size has room for */
#define VHB_COMMAND_AREA_BYTES 16

/**
 * typedef vhb_command_fn - called once when a command is done
 * @argument: as given to vhb_loop_command()
 * @result: the device's answer, or -errno: -EOPNOTSUPP from what knows no
 *          commands, -ECANCELED when the device was closed
 */
typedef void (*vhb_command_fn)(void *argument, int result);

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
 * vhb_loop_command() - give a device a command
 * @loop: the loop
 * @fd: the device; closing it ends the command
 * @operation: what the device calls cmd_op
 * @area: VHB_COMMAND_AREA_BYTES that go with it; copied
 * @function: what to call when it is done, never before this returns
 * @argument: handed to @function
 * @ref_out: names it for vhb_loop_forget()
 *
 * Return: 0 or -ENOMEM, -EBUSY from the ring.
 */
int vhb_loop_command(struct vhb_loop *loop, int fd, uint32_t operation,
		     const void *area, vhb_command_fn function, void *argument,
		     struct vhb_watch_ref *ref_out);

/**
 * vhb_loop_forget() - do not call a command's function any more
 * @loop: the loop
 * @ref: the command; set to zero. One that is done, or zero, is ignored
 *
 * The command itself goes on: not every kernel can take one back.
 */
void vhb_loop_forget(struct vhb_loop *loop, struct vhb_watch_ref *ref);

/**
 * vhb_loop_signal() - add one to somebody else's eventfd
 * @loop: the loop
 * @fd: the eventfd; may be closed as soon as this returns
 *
 * A write(2) would block while the counter is full, and who owns the counter
 * may have filled it on purpose; the ring does it for us instead, and gives up
 * after a second. Nothing comes of it either when the kernel has no memory for
 * the request.
 */
void vhb_loop_signal(struct vhb_loop *loop, int fd);

/**
 * vhb_loop_run() - call watchers until vhb_loop_stop()
 * @loop: the loop
 *
 * Return: 0 after vhb_loop_stop(), or the error of io_uring_enter(), but for those
 * that pass.
 */
int vhb_loop_run(struct vhb_loop *loop);

/**
 * vhb_loop_stop() - make vhb_loop_run() return after the current watcher
 * @loop: the loop
 */
void vhb_loop_stop(struct vhb_loop *loop);

#endif
