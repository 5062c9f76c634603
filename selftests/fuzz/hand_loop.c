// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/hand_loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/must.h"

/* As many as the real one has */
#define WATCH_COUNT_MAX 256

/**
 * struct watch - who waits
 * @id: never used twice
 * @fd: for what
 * @events: for which of it
 * @function: what to call
 * @argument: with this
 */
struct watch {
	uint64_t id;
	int fd;
	unsigned int events;
	vhb_watch_fn function;
	void *argument;
};

struct vhb_loop {
	struct watch watches[WATCH_COUNT_MAX];
	unsigned int count;
	uint64_t last_id;
};

int vhb_loop_create(struct vhb_loop **loop_out)
{
	*loop_out = calloc(1, sizeof(**loop_out));
	return *loop_out ? 0 : -ENOMEM;
}

void vhb_loop_destroy(struct vhb_loop *loop)
{
	free(loop);
}

int vhb_loop_watch(struct vhb_loop *loop, int fd, unsigned int events,
		   vhb_watch_fn function, void *argument,
		   struct vhb_watch_ref *ref_out)
{
	if (loop->count == WATCH_COUNT_MAX)
		return -ENOMEM;
	loop->watches[loop->count++] = (struct watch){
		++loop->last_id, fd, events, function, argument,
	};
	ref_out->value = loop->last_id;
	return 0;
}

static struct watch *find(struct vhb_loop *loop, uint64_t id)
{
	for (unsigned int i = 0; i < loop->count; i++)
		if (loop->watches[i].id == id)
			return &loop->watches[i];
	return NULL;
}

static void drop(struct vhb_loop *loop, struct watch *watch)
{
	const size_t index = watch - loop->watches;

	memmove(watch, watch + 1,
		(--loop->count - index) * sizeof(loop->watches[0]));
}

void vhb_loop_unwatch(struct vhb_loop *loop, struct vhb_watch_ref *ref)
{
	struct watch *watch = find(loop, ref->value);

	if (watch)
		drop(loop, watch);
	ref->value = 0;
}

/* No device that is told of by commands: the recorder has an eventfd. */
int vhb_loop_command(struct vhb_loop *loop, int fd, uint32_t operation,
		     const void *area, vhb_command_fn function, void *argument,
		     struct vhb_watch_ref *ref_out)
{
	(void)loop;
	(void)fd;
	(void)operation;
	(void)area;
	(void)function;
	(void)argument;
	(void)ref_out;
	return -EBUSY;
}

void vhb_loop_forget(struct vhb_loop *loop, struct vhb_watch_ref *ref)
{
	(void)loop;
	ref->value = 0;
}

/* Given up at once where the real one waits for a second. */
void vhb_loop_signal(struct vhb_loop *loop, int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	const uint64_t one = 1;

	(void)loop;
	if (poll(&pollfd, 1, 0) != 1 || !(pollfd.revents & POLLOUT))
		return;
	must(write(fd, &one, sizeof(one)) == sizeof(one));
}

unsigned int hand_loop_turn(struct vhb_loop *loop)
{
	struct pollfd pollfds[WATCH_COUNT_MAX];
	uint64_t ids[WATCH_COUNT_MAX];
	const unsigned int count = loop->count;
	unsigned int called_count = 0;
	struct watch *watch, called;
	unsigned int i;

	for (i = 0; i < count; i++) {
		ids[i] = loop->watches[i].id;
		pollfds[i] = (struct pollfd){
			.fd = loop->watches[i].fd,
			.events = loop->watches[i].events,
		};
	}
	must(poll(pollfds, count, 0) >= 0);
	for (i = 0; i < count; i++) {
		/* Who watches what is closed is wrong. */
		must(!(pollfds[i].revents & POLLNVAL));
		watch = find(loop, ids[i]);
		if (!pollfds[i].revents || !watch)
			continue;
		called = *watch;
		drop(loop, watch);
		called.function(called.argument, pollfds[i].revents);
		called_count++;
	}
	return called_count;
}

unsigned int hand_loop_watch_count(const struct vhb_loop *loop)
{
	return loop->count;
}

int vhb_loop_run(struct vhb_loop *loop)
{
	(void)loop;
	return -EOPNOTSUPP;
}

void vhb_loop_stop(struct vhb_loop *loop)
{
	(void)loop;
}
