// SPDX-License-Identifier: GPL-2.0-or-later
/* A recorder that drains and tells of news, as our module does by io_uring. */
#include "lib/recorder_state.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <cmocka.h>

#include "lib/fuzz_seed.h"

#define WAIT_MS 10000

static struct vhb_kdev_ops drain_ops;

static struct recorder *of(struct vhb_kdev *kdev)
{
	return (struct recorder *)kdev;
}

static void on_news(void *argument, unsigned int events);

static void watch(struct recorder *recorder)
{
	if (vhb_loop_watch(recorder->loop, recorder->news_fd, POLLIN, on_news,
			   recorder, &recorder->news_watch))
		abort();
}

static bool take_flag(struct recorder *recorder, bool *flag)
{
	bool was_set;

	pthread_mutex_lock(&recorder->lock);
	was_set = *flag;
	*flag = false;
	pthread_mutex_unlock(&recorder->lock);
	return was_set;
}

/* Whoever is told may stop to listen. */
static const struct vhb_kdev_listener *listener_if(struct recorder *recorder,
						   bool *flag)
{
	if (!recorder->listener || !take_flag(recorder, flag))
		return NULL;
	return recorder->listener;
}

static void tell_of_vring(struct recorder *recorder, unsigned int index)
{
	struct recorded_vring *vring = &recorder->vrings[index];
	const struct vhb_kdev_listener *listener;

	listener = listener_if(recorder, &vring->is_broken);
	if (listener)
		listener->on_broken(listener->argument, index, "avail");
	listener = listener_if(recorder, &vring->is_drained);
	if (listener)
		listener->on_drained(listener->argument, index);
}

static void on_news(void *argument, unsigned int events)
{
	struct recorder *recorder = argument;
	const struct vhb_kdev_listener *listener;
	eventfd_t count;

	(void)events;
	recorder->news_watch.value = 0;
	eventfd_read(recorder->news_fd, &count);
	listener = listener_if(recorder, &recorder->is_config_new);
	if (listener)
		listener->on_config(listener->argument);
	for (unsigned int i = 0; i < recorder->kdev.vring_count; i++)
		tell_of_vring(recorder, i);
	recorder_tell_misses(recorder);
	if (recorder->listener && !recorder->news_watch.value)
		watch(recorder);
}

void recorder_listen(struct vhb_kdev *kdev, struct vhb_loop *loop,
		     const struct vhb_kdev_listener *listener)
{
	struct recorder *recorder = of(kdev);

	recorder->loop = loop;
	recorder->listener = listener;
	if (listener)
		watch(recorder);
	else
		vhb_loop_unwatch(loop, &recorder->news_watch);
}

void recorder_make_drain(struct recorder *recorder)
{
	drain_ops = recorder_ops;
	drain_ops.listen = recorder_listen;
	drain_ops.drain_vring = recorder_drain_vring;
	recorder->kdev.ops = &drain_ops;
	recorder->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(recorder->news_fd >= 0);
}

static unsigned int count_draining(struct recorder *recorder)
{
	unsigned int count = 0;

	pthread_mutex_lock(&recorder->lock);
	for (unsigned int i = 0; i < recorder->kdev.vring_count; i++)
		count += recorder->vrings[i].is_draining;
	pthread_mutex_unlock(&recorder->lock);
	return count;
}

void recorder_wait_draining(struct recorder *recorder, unsigned int count)
{
	for (unsigned int ms = 0; count_draining(recorder) != count; ms++) {
		if (ms == WAIT_MS)
			fail_msg("%u vrings drain, not %u",
				 count_draining(recorder), count);
		usleep(1000);
	}
}

static void set_flag(struct recorder *recorder, bool *flag)
{
	pthread_mutex_lock(&recorder->lock);
	*flag = true;
	pthread_mutex_unlock(&recorder->lock);
	eventfd_write(recorder->news_fd, 1);
}

void recorder_finish_drain(struct recorder *recorder, unsigned int index)
{
	struct recorded_vring *vring = &recorder->vrings[index];

	fuzz_seed_event(SCRIPT_FINISH_DRAIN, index, 0);
	assert_true(take_flag(recorder, &vring->is_draining));
	set_flag(recorder, &vring->is_drained);
}

void recorder_break(struct recorder *recorder, unsigned int index)
{
	fuzz_seed_event(SCRIPT_BREAK, index, 0);
	set_flag(recorder, &recorder->vrings[index].is_broken);
}

void recorder_change_config(struct recorder *recorder)
{
	fuzz_seed_event(SCRIPT_CONFIG, 0, 0);
	set_flag(recorder, &recorder->is_config_new);
}
