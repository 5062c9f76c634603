// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/call_relay.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include "lib/fd.h"
#include "lib/log.h"

struct vhb_call_relay {
	struct vhb_loop *loop;
	struct vhb_watch_ref watch;
	int eventfd;
	int fd;
};

/*
 * AF_UNIX and nothing else: a send() without blocking to a socket of another
 * family may wait for its lock, which a front-end can hold as long as it likes,
 * and a pipe has no such send() at all.
 */
bool vhb_call_relay_is_needed(int fd)
{
	return vhb_fd_is_unix_socket(fd);
}

/*
 * A full socket holds calls that were not read yet: one more would say nothing
 * new, so it may be dropped.
 */
static int pass_on(const struct vhb_call_relay *relay)
{
	const uint64_t one = 1;

	if (send(relay->fd, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL) <
		    0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	return 0;
}

static bool take_signal(const struct vhb_call_relay *relay)
{
	uint64_t count;

	return read(relay->eventfd, &count, sizeof(count)) == sizeof(count);
}

static void on_signal(void *argument, unsigned int events);

static int watch(struct vhb_call_relay *relay)
{
	return vhb_loop_watch(relay->loop, relay->eventfd, POLLIN, on_signal,
			      relay, &relay->watch);
}

static void on_signal(void *argument, unsigned int events)
{
	struct vhb_call_relay *relay = argument;
	int ret = 0;

	(void)events;
	relay->watch.value = 0;
	if (take_signal(relay))
		ret = pass_on(relay);
	if (!ret)
		ret = watch(relay);
	/* The front-end closed its end: it will close the connection as well. */
	if (ret)
		vhb_debug("calls are relayed no more: %s", strerrordesc_np(-ret));
}

int vhb_call_relay_create(struct vhb_loop *loop, int fd,
			  struct vhb_call_relay **relay_out)
{
	struct vhb_call_relay *relay = calloc(1, sizeof(*relay));
	int ret;

	if (!relay)
		return -ENOMEM;

	relay->loop = loop;
	relay->fd = fd;
	relay->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (relay->eventfd < 0) {
		ret = -errno;
		goto free_relay;
	}

	ret = watch(relay);
	if (ret)
		goto close_eventfd;

	*relay_out = relay;
	return 0;

close_eventfd:
	close(relay->eventfd);
free_relay:
	free(relay);
	return ret;
}

int vhb_call_relay_eventfd(const struct vhb_call_relay *relay)
{
	return relay->eventfd;
}

void vhb_call_relay_destroy(struct vhb_call_relay *relay)
{
	if (!relay)
		return;
	vhb_loop_unwatch(relay->loop, &relay->watch);
	if (take_signal(relay))
		pass_on(relay);
	close(relay->eventfd);
	free(relay);
}
