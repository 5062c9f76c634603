// SPDX-License-Identifier: GPL-2.0-or-later
#include "loop/timer.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/timerfd.h>

void vhb_timer_init(struct vhb_timer *timer, struct vhb_loop *loop,
		    vhb_timer_fn function, void *argument)
{
	*timer = (struct vhb_timer){
		.loop = loop,
		.function = function,
		.argument = argument,
		.fd = -1,
	};
}

static void on_expiry(void *argument, unsigned int events);

static int watch(struct vhb_timer *timer)
{
	return vhb_loop_watch(timer->loop, timer->fd, POLLIN, on_expiry, timer,
			      &timer->watch);
}

static void on_expiry(void *argument, unsigned int events)
{
	struct vhb_timer *timer = argument;
	uint64_t count;

	(void)events;
	timer->watch.value = 0;
	/* Set anew between the old time's end and this call: not over yet. */
	if (read(timer->fd, &count, sizeof(count)) < 0 && errno == EAGAIN &&
	    !watch(timer))
		return;
	timer->function(timer->argument);
}

int vhb_timer_set(struct vhb_timer *timer, unsigned int ms)
{
	const struct itimerspec when = {
		.it_value.tv_sec = ms / 1000,
		.it_value.tv_nsec = ms % 1000 * 1000000L,
	};

	if (timer->fd < 0)
		timer->fd = timerfd_create(CLOCK_MONOTONIC,
					   TFD_CLOEXEC | TFD_NONBLOCK);
	/* Setting it also takes back an expiry that nobody has read. */
	if (timer->fd < 0 || timerfd_settime(timer->fd, 0, &when, NULL))
		return -errno;
	return vhb_timer_runs(timer) ? 0 : watch(timer);
}

void vhb_timer_stop(struct vhb_timer *timer)
{
	vhb_loop_unwatch(timer->loop, &timer->watch);
}

bool vhb_timer_runs(const struct vhb_timer *timer)
{
	return timer->watch.value;
}

void vhb_timer_close(struct vhb_timer *timer)
{
	vhb_timer_stop(timer);
	if (timer->fd >= 0)
		close(timer->fd);
	timer->fd = -1;
}
