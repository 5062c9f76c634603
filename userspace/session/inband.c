// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/inband.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include "lib/bits.h"
#include "lib/log.h"
#include "wire/backend.h"

/** struct reply - what answers each of our messages */
struct reply {
	struct vhb_wire_header header;
	uint64_t result;
} __attribute__((packed));

/**
 * struct signal - what the kernel tells of one vring
 * @inband: whose
 * @index: the vring
 * @kind: what
 * @eventfd: what the kernel has got, or -1
 * @watch: of @eventfd; none while @is_due
 * @is_due: @eventfd was seen readable and is read when the message leaves
 */
struct signal {
	struct vhb_inband *inband;
	unsigned int index;
	enum vhb_inband_kind kind;
	int eventfd;
	struct vhb_watch_ref watch;
	bool is_due;
};

/**
 * struct vhb_inband - see inband.h
 * @loop: the loop
 * @fd: the channel, or -1
 * @watch: of @fd: for the reply to @asked, or for room
 * @is_useless: there is nothing sensible at the other end of @fd
 * @asked: what the message under way is about, or NULL
 * @reply: the answer to it
 * @reply_bytes: how much of it has come
 * @next: who is served first, so that no vring starves another
 * @count: of @signals
 * @signals: by vring and kind
 */
struct vhb_inband {
	struct vhb_loop *loop;
	int fd;
	struct vhb_watch_ref watch;
	bool is_useless;
	struct signal *asked;
	struct reply reply;
	size_t reply_bytes;
	unsigned int next;
	unsigned int count;
	struct signal signals[];
};

static struct signal *signal_of(struct vhb_inband *inband, unsigned int index,
				enum vhb_inband_kind kind)
{
	return &inband->signals[index * VHB_INBAND_KIND_COUNT + kind];
}

static enum vhb_backend_request request_of(const struct signal *signal)
{
	return signal->kind == VHB_INBAND_CALL ? VHB_BACKEND_VRING_CALL :
						 VHB_BACKEND_VRING_ERR;
}

static bool take(const struct signal *signal)
{
	uint64_t count;

	return read(signal->eventfd, &count, sizeof(count)) == sizeof(count);
}

static void give_up(struct vhb_inband *inband, const char *why)
{
	vhb_warn("in-band calls end: %s", why);
	inband->is_useless = true;
}

static void send_next(struct vhb_inband *inband);

static void on_signal(void *argument, unsigned int events)
{
	struct signal *signal = argument;

	(void)events;
	signal->watch.value = 0;
	signal->is_due = true;
	send_next(signal->inband);
}

static int watch(struct signal *signal)
{
	return vhb_loop_watch(signal->inband->loop, signal->eventfd, POLLIN,
			      on_signal, signal, &signal->watch);
}

static void on_channel(void *argument, unsigned int events);

static void watch_channel(struct vhb_inband *inband, unsigned int events)
{
	int ret = vhb_loop_watch(inband->loop, inband->fd, events, on_channel,
				 inband, &inband->watch);

	if (ret)
		give_up(inband, strerrordesc_np(-ret));
}

/* Read before it is sent: a signal between the two comes once more, not never. */
static int tell(struct vhb_inband *inband, struct signal *signal)
{
	const struct vhb_wire_vring_state state = { .index = signal->index };
	int ret;

	take(signal);
	ret = vhb_backend_ask(inband->fd, request_of(signal), &state,
			      sizeof(state));
	if (ret) {
		eventfd_write(signal->eventfd, 1);
		return ret;
	}
	signal->is_due = false;
	inband->asked = signal;
	inband->reply_bytes = 0;
	return watch(signal);
}

static void send_next(struct vhb_inband *inband)
{
	struct signal *signal;
	unsigned int i;
	int ret;

	if (inband->fd < 0 || inband->is_useless || inband->watch.value)
		return;
	for (i = 0; i < inband->count; i++) {
		signal = &inband->signals[(inband->next + i) % inband->count];
		if (!signal->is_due)
			continue;
		ret = tell(inband, signal);
		if (ret == -EAGAIN) {
			watch_channel(inband, POLLOUT);
			return;
		}
		if (ret) {
			give_up(inband, strerrordesc_np(-ret));
			return;
		}
		inband->next = (inband->next + i + 1) % inband->count;
		watch_channel(inband, POLLIN);
		return;
	}
}

/* Returns 0 when it is there, -EAGAIN when more has to come, else -errno */
static int receive_reply(struct vhb_inband *inband)
{
	struct reply *reply = &inband->reply;
	ssize_t ret;

	ret = recv(inband->fd, (uint8_t *)reply + inband->reply_bytes,
		   sizeof(*reply) - inband->reply_bytes, MSG_DONTWAIT);
	if (ret < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!ret)
		return -ECONNRESET;
	inband->reply_bytes += ret;
	if (inband->reply_bytes < sizeof(*reply))
		return -EAGAIN;
	if (reply->header.request != request_of(inband->asked) ||
	    reply->header.flags !=
		    (VHB_FLAG_VERSION | vhb_bit(VHB_FLAG_REPLY_BIT)) ||
	    reply->header.size_bytes != sizeof(reply->result))
		return -EPROTO;
	return 0;
}

static void on_channel(void *argument, unsigned int events)
{
	struct vhb_inband *inband = argument;
	int ret;

	(void)events;
	inband->watch.value = 0;
	if (inband->asked) {
		ret = receive_reply(inband);
		if (ret == -EAGAIN) {
			watch_channel(inband, POLLIN);
			return;
		}
		if (ret) {
			give_up(inband, strerrordesc_np(-ret));
			return;
		}
		/* What it makes of a call is its own affair. */
		if (inband->reply.result)
			vhb_debug("the front-end does not want what it was told of vring %u",
				  inband->asked->index);
		inband->asked = NULL;
	}
	send_next(inband);
}

int vhb_inband_create(struct vhb_loop *loop, unsigned int vring_count,
		      struct vhb_inband **inband_out)
{
	const unsigned int count = vring_count * VHB_INBAND_KIND_COUNT;
	struct vhb_inband *inband;
	unsigned int i;

	inband = calloc(1, sizeof(*inband) + count * sizeof(inband->signals[0]));
	if (!inband)
		return -ENOMEM;
	inband->loop = loop;
	inband->fd = -1;
	inband->count = count;
	for (i = 0; i < count; i++)
		inband->signals[i] = (struct signal){
			.inband = inband,
			.index = i / VHB_INBAND_KIND_COUNT,
			.kind = i % VHB_INBAND_KIND_COUNT,
			.eventfd = -1,
		};
	*inband_out = inband;
	return 0;
}

void vhb_inband_destroy(struct vhb_inband *inband)
{
	unsigned int i;

	if (!inband)
		return;
	for (i = 0; i < inband->count; i++)
		vhb_inband_close(inband, inband->signals[i].index,
				 inband->signals[i].kind);
	vhb_inband_use_channel(inband, -1);
	free(inband);
}

void vhb_inband_use_channel(struct vhb_inband *inband, int fd)
{
	if (!inband || inband->fd == fd)
		return;
	vhb_loop_unwatch(inband->loop, &inband->watch);
	inband->fd = fd;
	inband->is_useless = false;
	if (inband->asked && inband->asked->eventfd >= 0)
		eventfd_write(inband->asked->eventfd, 1);
	inband->asked = NULL;
	send_next(inband);
}

int vhb_inband_open(struct vhb_inband *inband, unsigned int index,
		    enum vhb_inband_kind kind)
{
	struct signal *signal = signal_of(inband, index, kind);
	int ret;

	if (signal->eventfd >= 0)
		return signal->eventfd;
	signal->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signal->eventfd < 0)
		return -errno;
	ret = watch(signal);
	if (ret) {
		close(signal->eventfd);
		signal->eventfd = -1;
		return ret;
	}
	return signal->eventfd;
}

void vhb_inband_close(struct vhb_inband *inband, unsigned int index,
		      enum vhb_inband_kind kind)
{
	const struct vhb_wire_vring_state state = { .index = index };
	struct signal *signal;

	if (!inband)
		return;
	signal = signal_of(inband, index, kind);
	if (signal->eventfd < 0)
		return;
	vhb_loop_unwatch(inband->loop, &signal->watch);
	if (take(signal) && inband->fd >= 0 && !inband->is_useless)
		vhb_backend_send(inband->fd, request_of(signal), &state,
				 sizeof(state));
	close(signal->eventfd);
	signal->eventfd = -1;
	signal->is_due = false;
}
