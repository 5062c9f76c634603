// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/control_queue.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/uio.h>

#include <linux/vhost_bridge.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/log.h"
#include "lib/names.h"

/* Kernel headers before 5.17 */
#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

/* Commands served before others get their turn in the loop */
#define COMMANDS_PER_TURN 16

static void on_kick(void *argument, unsigned int events);
static void on_wake(void *argument, unsigned int events);

void vhb_control_queue_init(struct vhb_control_queue *control,
			    const struct vhb_control_handler *handler)
{
	memset(control, 0, sizeof(*control));
	control->handler = *handler;
	control->kick_fd = -1;
	control->call_fd = -1;
	control->err_fd = -1;
	control->wake_fd = -1;
	control->log_fd = -1;
}

void vhb_control_queue_reset(struct vhb_control_queue *control)
{
	const struct vhb_control_handler handler = control->handler;

	vhb_control_queue_stop(control);
	free(control->table);
	vhb_control_queue_init(control, &handler);
}

int vhb_control_queue_set_table(struct vhb_control_queue *control,
				const struct vhost_memory *table)
{
	const size_t size_bytes =
		sizeof(*table) + table->nregions * sizeof(*table->regions);
	struct vhost_memory *own_table = malloc(size_bytes);

	if (!own_table)
		return -ENOMEM;
	memcpy(own_table, table, size_bytes);
	if (control->queue)
		vhb_virtqueue_set_table(control->queue, own_table);
	free(control->table);
	control->table = own_table;
	return 0;
}

void vhb_control_queue_yield(struct vhb_control_queue *control)
{
	control->is_turn_over = true;
}

/* Where marks go, as far as that is known by now */
static void settle_log(struct vhb_control_queue *control)
{
	const struct vhost_vring_addr *addr = &control->config.addr;
	const struct vhb_virtqueue_log log = {
		.address = control->log_address,
		.marks_buffers = control->marks_buffers,
		.marks_ring = vhb_has_bit(addr->flags, VHOST_VRING_F_LOG),
		.used_gpa = addr->log_guest_addr,
	};

	if (control->queue)
		vhb_virtqueue_set_log(control->queue, &log);
}

static bool is_logging(const struct vhb_control_queue *control)
{
	return control->marks_buffers ||
	       vhb_has_bit(control->config.addr.flags, VHOST_VRING_F_LOG);
}

void vhb_control_queue_set_log_base(struct vhb_control_queue *control,
				    uint64_t address)
{
	control->log_address = address;
	settle_log(control);
}

void vhb_control_queue_set_logging(struct vhb_control_queue *control, bool on)
{
	control->marks_buffers = on;
	settle_log(control);
}

void vhb_control_queue_set_addr(struct vhb_control_queue *control,
				const struct vhost_vring_addr *addr)
{
	control->config.addr = *addr;
	settle_log(control);
}

static int watch_kick(struct vhb_control_queue *control)
{
	if (control->kick_fd < 0)
		return 0;
	return vhb_loop_watch(control->loop, control->kick_fd, POLLIN, on_kick,
			      control, &control->kick_watch);
}

static int watch_wake(struct vhb_control_queue *control)
{
	return vhb_loop_watch(control->loop, control->wake_fd, POLLIN, on_wake,
			      control, &control->wake_watch);
}

/* A counter of our own, which nobody fills up */
static void wake(struct vhb_control_queue *control)
{
	eventfd_write(control->wake_fd, 1);
}

static void rest(struct vhb_control_queue *control)
{
	vhb_loop_unwatch(control->loop, &control->kick_watch);
	vhb_loop_unwatch(control->loop, &control->wake_watch);
}

static void give_up(struct vhb_control_queue *control)
{
	const char *fault = vhb_fault_name(vhb_virtqueue_fault(control->queue));

	rest(control);
	if (control->err_fd >= 0)
		vhb_loop_signal(control->loop, control->err_fd);
	control->handler.on_broken(control->handler.argument,
				   fault ? fault : "memory");
}

/* Returns 1 when the driver wants a call, 0 when not, or -errno: it is broken. */
static int serve(struct vhb_control_queue *control,
		 const struct vhb_virtqueue_sizes *sizes)
{
	struct vhb_virtqueue *queue = control->queue;
	uint8_t answer;
	int ret;

	if (!sizes->writable_bytes) {
		vhb_virtqueue_break(queue, VHOST_BRIDGE_FAULT_REQUEST);
		return -EPROTO;
	}
	answer = control->handler.serve(control->handler.argument, queue,
					sizes->readable_bytes);
	ret = vhb_virtqueue_write_byte(queue, answer);
	if (ret) {
		vhb_virtqueue_break(queue, ret == -EIO ?
					   VHOST_BRIDGE_FAULT_LOG :
					   VHOST_BRIDGE_FAULT_MEMORY);
		return ret;
	}
	return vhb_virtqueue_finish(queue, sizeof(answer));
}

/* Returns 1 when there is more than fits a turn, 0 when not, or -errno. */
static int serve_some(struct vhb_control_queue *control)
{
	struct vhb_virtqueue_sizes sizes;
	unsigned int i;
	int ret;

	control->is_turn_over = false;
	control->has_served = false;
	control->must_call = false;
	for (i = 0; i < COMMANDS_PER_TURN && !control->is_turn_over; i++) {
		ret = vhb_virtqueue_pop(control->queue, &sizes);
		if (!ret) {
			ret = vhb_virtqueue_enable_kicks(control->queue);
			if (ret <= 0)
				return ret;
			continue;
		}
		if (ret > 0)
			ret = serve(control, &sizes);
		if (ret < 0)
			return ret;
		control->has_served = true;
		control->must_call |= ret;
	}
	return 1;
}

/* Last in whatever calls it: the queue may be stopped when it returns. */
static void turn(struct vhb_control_queue *control)
{
	const struct vhb_control_handler handler = control->handler;
	int ret;

	handler.on_memory(handler.argument, true);
	ret = serve_some(control);
	if (control->has_served && control->log_fd >= 0 && is_logging(control))
		vhb_loop_signal(control->loop, control->log_fd);
	if (control->must_call && control->call_fd >= 0)
		vhb_loop_signal(control->loop, control->call_fd);
	if (ret < 0) {
		give_up(control);
	} else {
		if (ret)
			wake(control);
		handler.on_turn(handler.argument);
	}
	handler.on_memory(handler.argument, false);
}

static void report(int error)
{
	vhb_warn("a control queue is not served any more: %s",
		 strerrordesc_np(-error));
}

/*
 * Without waiting, although the eventfd may be one that waits: the front-end can
 * read it too, and be faster.
 */
static void take_kick(int fd)
{
	uint64_t count;
	const struct iovec room = {
		.iov_base = &count,
		.iov_len = sizeof(count),
	};

	if (preadv2(fd, &room, 1, -1, RWF_NOWAIT) < 0 && errno != EAGAIN)
		vhb_debug("kick of a control queue: %s",
			  strerrordesc_np(errno));
}

static void on_kick(void *argument, unsigned int events)
{
	struct vhb_control_queue *control = argument;
	int ret;

	(void)events;
	control->kick_watch.value = 0;
	take_kick(control->kick_fd);
	ret = watch_kick(control);
	if (ret)
		report(ret);
	turn(control);
}

static void on_wake(void *argument, unsigned int events)
{
	struct vhb_control_queue *control = argument;
	eventfd_t count;
	int ret;

	(void)events;
	control->wake_watch.value = 0;
	eventfd_read(control->wake_fd, &count);
	ret = watch_wake(control);
	if (ret)
		report(ret);
	turn(control);
}

int vhb_control_queue_set_kick(struct vhb_control_queue *control, int fd)
{
	control->kick_fd = fd;
	/* Without that watch it rests, as it is broken. */
	if (!control->queue || !control->wake_watch.value)
		return 0;
	vhb_loop_unwatch(control->loop, &control->kick_watch);
	/* Kicks of the old one may not have been seen. */
	wake(control);
	return watch_kick(control);
}

int vhb_control_queue_start(struct vhb_control_queue *control,
			    struct vhb_loop *loop, uint64_t features_mask)
{
	struct vhb_virtqueue_config *config = &control->config;
	int ret;

	if (!loop || !control->table || control->queue)
		return -EINVAL;
	config->has_indirect = vhb_has_bit(features_mask,
					   VIRTIO_RING_F_INDIRECT_DESC);
	config->has_event_idx = vhb_has_bit(features_mask,
					    VIRTIO_RING_F_EVENT_IDX);
	config->has_in_order = vhb_has_bit(features_mask, VIRTIO_F_IN_ORDER);
	config->notify_on_empty = vhb_has_bit(features_mask,
					      VIRTIO_F_NOTIFY_ON_EMPTY);
	ret = vhb_virtqueue_create(config, control->table, &control->queue);
	if (ret)
		return ret;
	settle_log(control);
	control->loop = loop;
	control->wake_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control->wake_fd < 0)
		ret = -errno;
	if (!ret)
		ret = watch_kick(control);
	if (!ret)
		ret = watch_wake(control);
	if (ret)
		vhb_control_queue_stop(control);
	return ret;
}

uint32_t vhb_control_queue_stop(struct vhb_control_queue *control)
{
	if (!control->queue)
		return control->config.base;
	rest(control);
	if (control->wake_fd >= 0)
		close(control->wake_fd);
	control->wake_fd = -1;
	control->config.base = vhb_virtqueue_base(control->queue);
	vhb_virtqueue_destroy(control->queue);
	control->queue = NULL;
	return control->config.base;
}
