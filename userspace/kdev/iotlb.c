// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/iotlb.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <linux/vhost.h>

#include "kdev/ioctl_trace.h"
#include "kdev/vhost_ioctl.h"
#include "lib/bits.h"
#include "lib/log.h"
#include "lib/trace.h"

/* Misses taken before others get their turn in the loop */
#define MISSES_PER_TURN 64

/* Where an address is, or could be; NULL when all places are taken */
static struct vhb_iotlb_address *find_place(struct vhb_iotlb_port *port,
					    uint64_t iova)
{
	struct vhb_iotlb_address *place = NULL;
	unsigned int i;

	for (i = 0; i < VHB_IOTLB_ADDRESSES_MAX; i++) {
		struct vhb_iotlb_address *address = &port->addresses[i];

		if (!address->miss_count)
			place = address;
		else if (address->iova == iova)
			return address;
	}
	return place;
}

static void count_miss(struct vhb_iotlb_port *port, uint64_t iova)
{
	struct vhb_iotlb_address *place = find_place(port, iova);

	port->unanswered_count++;
	if (!place) {
		port->other_count++;
		return;
	}
	place->iova = iova;
	place->miss_count++;
}

/* The kernel frees what waited for an address in here. */
static void count_answer(struct vhb_iotlb_port *port,
			 const struct vhost_iotlb_msg *message)
{
	unsigned int i;

	for (i = 0; i < VHB_IOTLB_ADDRESSES_MAX; i++) {
		struct vhb_iotlb_address *address = &port->addresses[i];

		if (!vhb_range_contains(message->iova, message->size,
					address->iova, 1))
			continue;
		port->unanswered_count -= address->miss_count;
		address->miss_count = 0;
	}
}

/* False when there is none, or nobody to be told any more */
static bool take_miss(struct vhb_iotlb_port *port)
{
	struct vhost_msg_v2 message;
	const struct vhb_kdev_listener *listener = port->listener;
	ssize_t got;

	/* Both versions have the same length and the same place for the rest. */
	do {
		got = read(port->fd, &message, sizeof(message));
	} while (got < 0 && errno == EINTR);
	if (got != sizeof(message)) {
		if (got < 0 && errno != EAGAIN)
			vhb_debug("misses of the IOTLB: %s",
				  strerrordesc_np(errno));
		return false;
	}
	if (message.iotlb.type != VHOST_IOTLB_MISS)
		return true;
	if (vhb_trace_enabled())
		vhb_iotlb_trace(port->fd, &message.iotlb, 0);
	count_miss(port, message.iotlb.iova);
	listener->on_miss(listener->argument, message.iotlb.iova,
			  message.iotlb.perm);
	return true;
}

static void watch(struct vhb_iotlb_port *port);

static void on_readable(void *argument, unsigned int events)
{
	struct vhb_iotlb_port *port = argument;
	unsigned int i;

	(void)events;
	port->watch.value = 0;
	for (i = 0; i < MISSES_PER_TURN && port->is_open && port->listener; i++)
		if (!take_miss(port))
			break;
	if (port->unanswered_count > VHB_IOTLB_UNANSWERED_MAX) {
		if (port->on_flood)
			port->on_flood(port);
		vhb_iotlb_port_forget(port);
	}
	watch(port);
}

static void watch(struct vhb_iotlb_port *port)
{
	int ret;

	if (!port->is_open || !port->loop || !port->listener ||
	    port->watch.value)
		return;
	ret = vhb_loop_watch(port->loop, port->fd, POLLIN, on_readable, port,
			     &port->watch);
	if (ret)
		vhb_warn("misses of the IOTLB are not heard of: %s",
			 strerrordesc_np(-ret));
}

void vhb_iotlb_port_listen(struct vhb_iotlb_port *port, struct vhb_loop *loop,
			   const struct vhb_kdev_listener *listener)
{
	port->loop = loop;
	port->listener = listener;
	if (listener)
		watch(port);
	else
		vhb_loop_unwatch(loop, &port->watch);
}

int vhb_iotlb_port_open(struct vhb_iotlb_port *port, int fd)
{
	const uint64_t second_version = vhb_bit(VHOST_BACKEND_F_IOTLB_MSG_V2);
	uint64_t mask;
	int flags;
	int ret;

	/* vhost-net heeds nothing else, not RWF_NOWAIT for one. */
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	ret = vhb_vhost_get_backend_features(fd, &mask);
	if (!ret)
		ret = vhb_vhost_set_backend_features(fd, mask & second_version);
	if (ret)
		return ret;
	vhb_iotlb_port_forget(port);
	port->fd = fd;
	port->is_open = true;
	watch(port);
	return 0;
}

void vhb_iotlb_port_close(struct vhb_iotlb_port *port)
{
	port->is_open = false;
	if (port->loop)
		vhb_loop_unwatch(port->loop, &port->watch);
}

void vhb_iotlb_port_forget(struct vhb_iotlb_port *port)
{
	memset(port->addresses, 0, sizeof(port->addresses));
	port->other_count = 0;
	port->unanswered_count = 0;
}

int vhb_iotlb_port_write(struct vhb_iotlb_port *port,
			 const struct vhost_iotlb_msg *message)
{
	const struct vhost_msg_v2 envelope = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = *message,
	};
	ssize_t written;
	int ret;

	do {
		written = write(port->fd, &envelope, sizeof(envelope));
	} while (written < 0 && errno == EINTR);
	ret = written < 0 ? -errno : 0;
	if (vhb_trace_enabled())
		vhb_iotlb_trace(port->fd, message, ret);
	if (ret)
		return ret;
	if (message->type == VHOST_IOTLB_UPDATE)
		count_answer(port, message);
	return 0;
}
