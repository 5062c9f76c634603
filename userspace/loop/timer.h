/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LOOP_TIMER_H
#define VHB_LOOP_TIMER_H

#include <stdbool.h>

#include "loop/loop.h"

/**
 * typedef vhb_timer_fn - called once when the time is over
 * @argument: as given to vhb_timer_init()
 *
 * What is called may set the timer again, or close it.
 */
typedef void (*vhb_timer_fn)(void *argument);

/**
 * struct vhb_timer - one time-out in the loop
 * @loop: the loop
 * @function: what to call
 * @argument: handed to @function
 * @fd: a timerfd, or -1 before the first vhb_timer_set()
 * @watch: of @fd, while it runs
 */
struct vhb_timer {
	struct vhb_loop *loop;
	vhb_timer_fn function;
	void *argument;
	int fd;
	struct vhb_watch_ref watch;
};

/**
 * vhb_timer_init() - a timer that does not run yet
 * @timer: set up by this; holds nothing
 * @loop: the loop; outlives the timer
 * @function: what to call
 * @argument: handed to @function
 */
void vhb_timer_init(struct vhb_timer *timer, struct vhb_loop *loop,
		    vhb_timer_fn function, void *argument);

/**
 * vhb_timer_set() - call the function once, in so many milliseconds
 * @timer: the timer; may run already
 * @ms: from now on; not zero
 *
 * Return: 0 or -errno (descriptors, memory): it does not run then.
 */
int vhb_timer_set(struct vhb_timer *timer, unsigned int ms);

/** vhb_timer_stop() - do not call the function any more; may not run */
void vhb_timer_stop(struct vhb_timer *timer);

/** vhb_timer_runs() - is it yet to call the function? */
bool vhb_timer_runs(const struct vhb_timer *timer);

/** vhb_timer_close() - stop, and free what it holds; may be closed already */
void vhb_timer_close(struct vhb_timer *timer);

#endif
