// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bridge_device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

/* A queue's part of guest memory */
#define QUEUE_STRIDE 0x100000
#define AVAIL_OFFSET 0x8000
#define USED_OFFSET 0xa000
#define SAVED_OFFSET 0xf000
#define TABLES_OFFSET 0x10000
#define NUM_MAX 2048

/* Indexes of 16 bits wrap after a few chains. */
#define FIRST_INDEX 65500

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int bridge_call(const struct bridge *bridge, unsigned long request,
		const void *argument)
{
	return ioctl(bridge->fd, request, argument) ? -errno : 0;
}

void bridge_open_device(struct bridge *bridge, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vhost-bridge-%s", name);
	bridge->fd = open(path, O_RDWR | O_CLOEXEC);
	if (bridge->fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
}

void bridge_make_guest(struct bridge *bridge)
{
	const uint64_t second = BRIDGE_SPLIT_GPA - BRIDGE_GPA;

	memset(bridge, 0, sizeof(*bridge));
	bridge->fd = -1;
	bridge->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_true(bridge->memory_fd >= 0);
	assert_int_equal(ftruncate(bridge->memory_fd, BRIDGE_BYTES), 0);
	bridge->base = mmap(NULL, BRIDGE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED, bridge->memory_fd, 0);
	assert_ptr_not_equal(bridge->base, MAP_FAILED);
	bridge->second = mmap(NULL, BRIDGE_BYTES - second,
			      PROT_READ | PROT_WRITE, MAP_SHARED,
			      bridge->memory_fd, second);
	assert_ptr_not_equal(bridge->second, MAP_FAILED);
}

void bridge_open(struct bridge *bridge, const char *name)
{
	bridge_make_guest(bridge);
	bridge_open_device(bridge, name);
}

void bridge_table(const struct bridge *bridge,
		  struct bridge_memory_table *table)
{
	const uint64_t first_bytes = BRIDGE_SPLIT_GPA - BRIDGE_GPA;

	*table = (struct bridge_memory_table){
		.nregions = 2,
		.regions = {
			{
				.guest_phys_addr = BRIDGE_SPLIT_GPA,
				.memory_size = BRIDGE_BYTES - first_bytes,
				.userspace_addr = (uintptr_t)bridge->second,
			},
			{
				.guest_phys_addr = BRIDGE_GPA,
				.memory_size = first_bytes,
				.userspace_addr = (uintptr_t)bridge->base,
			},
		},
	};
}

void bridge_set_up(struct bridge *bridge, uint64_t features)
{
	struct bridge_memory_table table;

	assert_int_equal(bridge_call(bridge, VHOST_SET_OWNER, NULL), 0);
	assert_int_equal(bridge_call(bridge, VHOST_SET_FEATURES, &features), 0);
	bridge->features = features;
	bridge_table(bridge, &table);
	assert_int_equal(bridge_call(bridge, VHOST_SET_MEM_TABLE, &table), 0);
}

void bridge_close(struct bridge *bridge)
{
	unsigned int i;

	if (bridge->fd >= 0)
		close(bridge->fd);
	bridge->fd = -1;
	for (i = 0; i < BRIDGE_QUEUES; i++)
		bridge_free_queue(bridge, i);
	if (!bridge->base)
		return;
	munmap(bridge->second, BRIDGE_BYTES - (BRIDGE_SPLIT_GPA - BRIDGE_GPA));
	munmap(bridge->base, BRIDGE_BYTES);
	close(bridge->memory_fd);
	bridge->base = NULL;
}

static int make_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

void bridge_make_queue(struct bridge *bridge, unsigned int index,
		       uint32_t num, uint32_t table_descs)
{
	struct bridge_queue *queue = &bridge->queues[index];
	struct vq_driver *driver = &queue->driver;
	uint8_t *area = bridge->base + index * QUEUE_STRIDE;

	assert_true(index < BRIDGE_QUEUES && num <= NUM_MAX);
	assert_true((uint64_t)num * table_descs * 16 <=
		    QUEUE_STRIDE - TABLES_OFFSET);
	*queue = (struct bridge_queue){
		.driver = {
			.is_packed = bridge->features &
				     bridge_bit(VIRTIO_F_RING_PACKED),
			.has_event_idx = bridge->features &
					 bridge_bit(VIRTIO_RING_F_EVENT_IDX),
			.num = num,
			.first = FIRST_INDEX,
			.desc = area,
			.avail = area + AVAIL_OFFSET,
			.used = area + USED_OFFSET,
			.tables = area + TABLES_OFFSET,
			.tables_gpa = bridge_gpa(bridge, area + TABLES_OFFSET),
			.table_descs = table_descs,
		},
		.kick_fd = make_eventfd(),
		.call_fd = make_eventfd(),
		.err_fd = make_eventfd(),
		.saved = (void *)(area + SAVED_OFFSET),
	};
	vq_driver_init(driver);
}

void bridge_free_queue(struct bridge *bridge, unsigned int index)
{
	struct bridge_queue *queue = &bridge->queues[index];

	if (!queue->driver.num)
		return;
	vq_driver_destroy(&queue->driver);
	close(queue->kick_fd);
	close(queue->call_fd);
	close(queue->err_fd);
	memset(queue, 0, sizeof(*queue));
}

/* As the device is told of it */
static uint64_t ring_addr(const struct bridge *bridge, const uint8_t *where)
{
	return bridge->features & bridge_bit(VIRTIO_F_ACCESS_PLATFORM) ?
		       bridge_gpa(bridge, where) :
		       (uintptr_t)where;
}

void bridge_addr(const struct bridge *bridge, unsigned int index,
		 struct vhost_vring_addr *addr)
{
	const struct vq_driver *driver = &bridge->queues[index].driver;

	*addr = (struct vhost_vring_addr){
		.index = index,
		.desc_user_addr = ring_addr(bridge, driver->desc),
		.avail_user_addr = ring_addr(bridge, driver->avail),
		.used_user_addr = ring_addr(bridge, driver->used),
	};
}

static void program_fd(const struct bridge *bridge, unsigned int index,
		       unsigned long request, int fd)
{
	const struct vhost_vring_file file = { .index = index, .fd = fd };

	assert_int_equal(bridge_call(bridge, request, &file), 0);
}

void bridge_program_queue(struct bridge *bridge, unsigned int index)
{
	const struct bridge_queue *queue = &bridge->queues[index];
	struct vhost_vring_state state = { index, queue->driver.num };
	struct vhost_vring_addr addr;

	assert_int_equal(bridge_call(bridge, VHOST_SET_VRING_NUM, &state), 0);
	state.num = vq_driver_base(&queue->driver);
	assert_int_equal(bridge_call(bridge, VHOST_SET_VRING_BASE, &state), 0);
	bridge_addr(bridge, index, &addr);
	assert_int_equal(bridge_call(bridge, VHOST_SET_VRING_ADDR, &addr), 0);
	program_fd(bridge, index, VHOST_SET_VRING_KICK, queue->kick_fd);
	program_fd(bridge, index, VHOST_SET_VRING_CALL, queue->call_fd);
	program_fd(bridge, index, VHOST_SET_VRING_ERR, queue->err_fd);
}

void bridge_add_queue(struct bridge *bridge, unsigned int index, uint32_t num,
		      uint32_t table_descs)
{
	bridge_make_queue(bridge, index, num, table_descs);
	bridge_program_queue(bridge, index);
	assert_int_equal(bridge_start(bridge, index), 0);
}

int bridge_start(const struct bridge *bridge, unsigned int index)
{
	const struct vhost_bridge_vring vring = {
		.size_bytes = sizeof(vring),
		.index = index,
		.base_addr = (uintptr_t)bridge->queues[index].saved,
	};

	return bridge_call(bridge, VHOST_BRIDGE_START_VRING, &vring);
}

static int stop(const struct bridge *bridge, unsigned int index, uint32_t flags)
{
	const struct vhost_bridge_vring vring = {
		.size_bytes = sizeof(vring),
		.index = index,
		.flags = flags,
	};

	return bridge_call(bridge, VHOST_BRIDGE_STOP_VRING, &vring);
}

int bridge_stop(const struct bridge *bridge, unsigned int index)
{
	return stop(bridge, index, 0);
}

int bridge_give_up(const struct bridge *bridge, unsigned int index)
{
	return stop(bridge, index, VHOST_BRIDGE_VRING_GIVE_UP);
}

void bridge_status(const struct bridge *bridge, unsigned int index,
		   struct vhost_bridge_vring_status *status)
{
	*status = (struct vhost_bridge_vring_status){
		.size_bytes = sizeof(*status),
		.index = index,
	};
	assert_int_equal(bridge_call(bridge, VHOST_BRIDGE_GET_VRING_STATUS,
				     status), 0);
}

int bridge_wait_state(const struct bridge *bridge, unsigned int index,
		      uint32_t state)
{
	const int64_t end_ms = now_ms() + BRIDGE_WAIT_MS;
	struct vhost_bridge_vring_status status;

	for (;;) {
		bridge_status(bridge, index, &status);
		if (status.state == state)
			return 0;
		if (now_ms() > end_ms)
			return -ETIMEDOUT;
		usleep(1000);
	}
}

uint32_t bridge_get_base(const struct bridge *bridge, unsigned int index)
{
	struct vhost_vring_state state = { .index = index };

	assert_int_equal(bridge_call(bridge, VHOST_GET_VRING_BASE, &state), 0);
	return state.num;
}

void bridge_kick_always(struct bridge_queue *queue)
{
	assert_int_equal(eventfd_write(queue->kick_fd, 1), 0);
	queue->kick_count++;
}

bool bridge_kick(struct bridge_queue *queue)
{
	if (!vq_driver_must_kick(&queue->driver))
		return false;
	bridge_kick_always(queue);
	return true;
}

int bridge_take(struct bridge_queue *queue, uint32_t *length_out)
{
	const int64_t end_ms = now_ms() + BRIDGE_WAIT_MS;
	uint32_t length;
	unsigned int i;
	uint16_t id;
	int ret;

	for (i = 0;; i++) {
		ret = vq_driver_take(&queue->driver, &id, &length);
		if (ret)
			break;
		if (now_ms() > end_ms)
			return -ETIMEDOUT;
		if (i < 100)
			sched_yield();
		else
			usleep(100);
	}
	if (ret < 0)
		return -EPROTO;
	if (length_out)
		*length_out = length;
	return id;
}

uint64_t bridge_read_event(int fd)
{
	eventfd_t value;

	return eventfd_read(fd, &value) ? 0 : value;
}

int bridge_wait_event(int fd, unsigned int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) == 1 ? 0 : -ETIMEDOUT;
}
