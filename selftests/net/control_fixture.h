/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_NET_CONTROL_FIXTURE_H
#define SELFTESTS_NET_CONTROL_FIXTURE_H

/**
 * DOC: a network device and its control queue
 *
 * The device is real but for vhost-net, the driver is the test, and the loop turns
 * when the test waits. Guest memory lies where the device has it, as in the
 * broker.
 */

#include "net/fake_vhost.h"

#include <poll.h>
#include <stdlib.h>

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "lib/net_driver.h"
#include "loop/loop.h"

#define CONTROL_NUM 16
#define CONTROL_MIB 1
#define CONTROL_GPA UINT64_C(0x100000000)
#define CONTROL_WAIT_MS 5000
#define CONTROL_QUIET_MS 100

/**
 * struct control_guest - a guest and its device
 * @kdev: the device
 * @loop: the loop
 * @memory: its memory
 * @driver: the driver of the control queue
 * @index: the vring it is
 * @features: what was acked
 * @err_fd: the vring's
 * @listener: who hears of the device
 * @config_count: changes of the configuration space heard of
 * @broken_count: faults heard of
 * @broken_index: the vring of the last one
 * @fault: its name
 */
struct control_guest {
	struct vhb_kdev *kdev;
	struct vhb_loop *loop;
	struct guest_memory memory;
	struct net_driver driver;
	unsigned int index;
	uint64_t features;
	int err_fd;
	struct vhb_kdev_listener listener;
	unsigned int config_count;
	unsigned int broken_count;
	unsigned int broken_index;
	char fault[32];
};

static struct control_guest guest;

static inline void on_guest_config(void *argument)
{
	assert_ptr_equal(argument, &guest);
	guest.config_count++;
}

static inline void on_guest_broken(void *argument, unsigned int index,
				   const char *fault)
{
	assert_ptr_equal(argument, &guest);
	guest.broken_count++;
	guest.broken_index = index;
	snprintf(guest.fault, sizeof(guest.fault), "%s", fault);
}

static inline void stop_loop(void *argument, unsigned int events)
{
	(void)argument;
	(void)events;
	vhb_loop_stop(guest.loop);
}

/* Turns the loop until a descriptor is readable; false when time is up first */
static inline bool turn_until(int fd, unsigned int ms)
{
	const struct itimerspec time = {
		.it_value = { .tv_sec = ms / 1000,
			      .tv_nsec = ms % 1000 * 1000000L + 1 },
	};
	int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct vhb_watch_ref watches[2] = { { 0 } };
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	assert_true(timer_fd >= 0);
	assert_int_equal(timerfd_settime(timer_fd, 0, &time, NULL), 0);
	assert_int_equal(vhb_loop_watch(guest.loop, timer_fd, POLLIN, stop_loop,
					NULL, &watches[0]), 0);
	if (fd >= 0)
		assert_int_equal(vhb_loop_watch(guest.loop, fd, POLLIN,
						stop_loop, NULL, &watches[1]),
				 0);
	assert_int_equal(vhb_loop_run(guest.loop), 0);
	vhb_loop_unwatch(guest.loop, &watches[0]);
	vhb_loop_unwatch(guest.loop, &watches[1]);
	close(timer_fd);
	return fd >= 0 && poll(&pollfd, 1, 0) == 1;
}

/* As the session sets a vring up; the start's result */
static inline int start_control(uint32_t base)
{
	const struct vhb_kdev_ops *ops = guest.kdev->ops;
	struct guest_ring *ring = &guest.driver.ring;
	const struct vhost_vring_addr addr = {
		.index = guest.index,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};
	int ret;

	ret = ops->set_vring_num(guest.kdev, guest.index, ring->num);
	if (ret)
		return ret;
	assert_int_equal(ops->set_vring_base(guest.kdev, guest.index, base), 0);
	assert_int_equal(ops->set_vring_addr(guest.kdev, &addr), 0);
	assert_int_equal(ops->set_vring_kick(guest.kdev, guest.index,
					     ring->kick_fd), 0);
	assert_int_equal(ops->set_vring_err(guest.kdev, guest.index,
					    guest.err_fd), 0);
	assert_int_equal(ops->set_vring_call(guest.kdev, guest.index,
					     ring->call_fd), 0);
	return ops->start_vring(guest.kdev, guest.index);
}

static inline void share_memory(void)
{
	/* Two that adjoin, as a window with two files may be told */
	const struct vhost_memory_region regions[] = {
		{ .guest_phys_addr = CONTROL_GPA,
		  .memory_size = 0x8000,
		  .userspace_addr = (uintptr_t)guest.memory.base },
		{ .guest_phys_addr = CONTROL_GPA + 0x8000,
		  .memory_size = (CONTROL_MIB << 20) - 0x8000,
		  .userspace_addr = (uintptr_t)guest.memory.base + 0x8000 },
	};
	struct vhost_memory *table = calloc(1, sizeof(*table) +
					       sizeof(regions));

	assert_non_null(table);
	table->nregions = VHB_ARRAY_COUNT(regions);
	memcpy(table->regions, regions, sizeof(regions));
	assert_int_equal(guest.kdev->ops->set_mem_table(guest.kdev, table), 0);
	free(table);
}

/* A device with a guest whose data vrings run, its control queue does not yet */
static inline void begin_guest(unsigned int pairs, uint64_t without)
{
	unsigned int i;

	memset(&guest, 0, sizeof(guest));
	guest.kdev = make_net(pairs);
	assert_int_equal(vhb_loop_create(&guest.loop), 0);
	guest.listener = (struct vhb_kdev_listener){
		.on_config = on_guest_config,
		.on_broken = on_guest_broken,
		.argument = &guest,
	};
	guest.kdev->ops->listen(guest.kdev, guest.loop, &guest.listener);
	guest.err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(guest.err_fd >= 0);
	assert_int_equal(guest_memory_create(&guest.memory, CONTROL_MIB,
					     CONTROL_GPA, 0), 0);
	assert_int_equal(net_driver_init(&guest.driver, &guest.memory, 0x7000,
					 CONTROL_NUM), 0);
	/* What the session acks only where there is a log, or an IOMMU */
	without |= vhb_bit(VHOST_F_LOG_ALL) | vhb_bit(VIRTIO_F_ACCESS_PLATFORM);
	guest.features = guest.kdev->ops->features(guest.kdev) & ~without;
	guest.driver.ring.has_event_idx = vhb_has_bit(guest.features,
						      VIRTIO_RING_F_EVENT_IDX);
	guest.index = vhb_has_bit(guest.features, VIRTIO_NET_F_MQ) ?
		      2 * pairs : 2;
	assert_int_equal(guest.kdev->ops->set_owner(guest.kdev), 0);
	assert_int_equal(guest.kdev->ops->set_features(guest.kdev,
						       guest.features), 0);
	share_memory();
	for (i = 0; i < 2 * pairs; i++) {
		if (i != guest.index)
			assert_int_equal(guest.kdev->ops->start_vring(guest.kdev,
								      i), 0);
	}
}

static inline void end_guest(void)
{
	guest.kdev->ops->reset(guest.kdev);
	guest.kdev->ops->listen(guest.kdev, guest.loop, NULL);
	guest.kdev->ops->destroy(guest.kdev);
	vhb_loop_destroy(guest.loop);
	net_driver_destroy(&guest.driver);
	guest_memory_destroy(&guest.memory);
	close(guest.err_fd);
}

/* The answer to a command, of which the driver hears by a call */
static inline int command(uint8_t class, uint8_t code, const void *argument,
			  size_t argument_bytes)
{
	eventfd_t count;

	assert_int_equal(net_driver_post(&guest.driver, class, code, argument,
					 argument_bytes), 0);
	guest_ring_want_call(&guest.driver.ring, true);
	/* It may be just about to look by itself. */
	assert_true(guest_ring_kick(&guest.driver.ring) >= 0);
	assert_true(turn_until(guest.driver.ring.call_fd, CONTROL_WAIT_MS));
	assert_int_equal(eventfd_read(guest.driver.ring.call_fd, &count), 0);
	return net_driver_answer(&guest.driver, 0);
}

static inline uint16_t told_status(void)
{
	uint8_t data[2];

	assert_int_equal(guest.kdev->ops->get_config(guest.kdev,
						     offsetof(struct virtio_net_config,
							      status),
						     sizeof(data), data), 0);
	return data[0] | data[1] << 8;
}

#endif
