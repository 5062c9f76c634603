// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bridge_iotlb.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define START_TRIES 5000

int bridge_iotlb_write(const struct bridge *bridge,
		       const struct vhost_msg_v2 *message)
{
	const ssize_t size = write(bridge->fd, message, sizeof(*message));

	if (size < 0)
		return -errno;
	return size == sizeof(*message) ? 0 : -EIO;
}

int bridge_iotlb_send(const struct bridge *bridge, uint8_t type, uint64_t iova,
		      uint64_t size_bytes, uint8_t perm)
{
	const struct vhost_msg_v2 message = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = iova,
			.size = size_bytes,
			.uaddr = (uintptr_t)bridge_at(bridge, iova),
			.perm = perm,
			.type = type,
		},
	};

	return bridge_iotlb_write(bridge, &message);
}

void bridge_iotlb_set_table(const struct bridge *bridge)
{
	const struct bridge_memory_table table = {
		.nregions = 1,
		.regions[0] = {
			.guest_phys_addr = BRIDGE_GPA,
			.memory_size = BRIDGE_BYTES,
			.userspace_addr = (uintptr_t)bridge->base,
		},
	};

	assert_int_equal(bridge_call(bridge, VHOST_SET_MEM_TABLE, &table), 0);
}

void bridge_iotlb_map(const struct bridge *bridge, uint64_t iova,
		      uint64_t size_bytes, uint8_t perm)
{
	assert_int_equal(bridge_iotlb_send(bridge, VHOST_IOTLB_UPDATE, iova,
					   size_bytes, perm), 0);
}

void bridge_iotlb_unmap(const struct bridge *bridge, uint64_t iova,
			uint64_t size_bytes)
{
	assert_int_equal(bridge_iotlb_send(bridge, VHOST_IOTLB_INVALIDATE, iova,
					   size_bytes, 0), 0);
}

void bridge_iotlb_map_ring(const struct bridge *bridge, unsigned int index)
{
	const struct vq_driver *driver = &bridge->queues[index].driver;

	bridge_iotlb_map(bridge, bridge_gpa(bridge, driver->desc),
			 vq_desc_bytes(driver), VHOST_ACCESS_RW);
	bridge_iotlb_map(bridge, bridge_gpa(bridge, driver->avail),
			 vq_avail_bytes(driver), VHOST_ACCESS_RO);
	bridge_iotlb_map(bridge, bridge_gpa(bridge, driver->used),
			 vq_used_bytes(driver), VHOST_ACCESS_RW);
}

static int wait_readable(const struct bridge *bridge, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = bridge->fd, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) == 1 ? 0 : -ETIMEDOUT;
}

int bridge_iotlb_wait(const struct bridge *bridge, struct vhost_msg_v2 *message)
{
	if (wait_readable(bridge, BRIDGE_WAIT_MS))
		return -ETIMEDOUT;
	assert_int_equal(read(bridge->fd, message, sizeof(*message)),
			 sizeof(*message));
	assert_int_equal(message->iotlb.type, VHOST_IOTLB_MISS);
	return 0;
}

bool bridge_iotlb_is_quiet(const struct bridge *bridge)
{
	return wait_readable(bridge, 0) == -ETIMEDOUT;
}

int bridge_iotlb_start(const struct bridge *bridge, unsigned int index)
{
	unsigned int i;
	int ret = -EAGAIN;

	for (i = 0; ret == -EAGAIN && i < START_TRIES; i++) {
		if (i)
			usleep(1000);
		ret = bridge_start(bridge, index);
	}
	return ret;
}

/* Nothing in here may fail the test: it is another thread. */
static void answer(struct iotlb_server *server, uint64_t iova)
{
	const uint64_t end = BRIDGE_GPA + BRIDGE_BYTES;
	uint64_t start, piece_end;

	if (iova < BRIDGE_GPA || iova >= end) {
		bridge_iotlb_send(server->bridge, VHOST_IOTLB_ACCESS_FAIL,
				  iova, 0, 0);
		return;
	}
	start = iova - (iova + server->piece_bytes - server->first) %
			       server->piece_bytes;
	piece_end = start + server->piece_bytes;
	if (start < BRIDGE_GPA)
		start = BRIDGE_GPA;
	if (piece_end > end)
		piece_end = end;
	bridge_iotlb_send(server->bridge, VHOST_IOTLB_UPDATE, start,
			  piece_end - start, VHOST_ACCESS_RW);
}

static void *serve(void *argument)
{
	struct iotlb_server *server = argument;
	struct vhost_msg_v2 message;

	while (!atomic_load(&server->must_stop)) {
		if (wait_readable(server->bridge, 20) ||
		    read(server->bridge->fd, &message, sizeof(message)) !=
			    sizeof(message))
			continue;
		atomic_fetch_add(&server->miss_count, 1);
		answer(server, message.iotlb.iova);
	}
	return NULL;
}

void iotlb_server_start(struct iotlb_server *server)
{
	/* What was missed may be missed no more when it is read. */
	assert_int_equal(fcntl(server->bridge->fd, F_SETFL, O_NONBLOCK), 0);
	atomic_store(&server->miss_count, 0);
	atomic_store(&server->must_stop, false);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server),
			 0);
}

void iotlb_server_stop(struct iotlb_server *server)
{
	atomic_store(&server->must_stop, true);
	assert_int_equal(pthread_join(server->thread, NULL), 0);
}
