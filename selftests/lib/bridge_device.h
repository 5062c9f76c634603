/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BRIDGE_DEVICE_H
#define SELFTESTS_LIB_BRIDGE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost.h>
#include <linux/vhost_bridge.h>

#include "lib/vq_driver.h"

/**
 * DOC: a device of the module and a guest for it
 *
 * Guest memory is a memfd. The test has all of it at @base; the device is given
 * two regions that adjoin in the guest and are two mappings far apart.
 *
 * Each queue has its own part of the guest's first region: ring, indirect
 * tables and the place where its base is saved. Behind them are the buffers.
 */

#define BRIDGE_QUEUES 8

#define BRIDGE_GPA UINT64_C(0x40000000)
#define BRIDGE_BYTES (64u << 20)
/** Where the second region begins */
#define BRIDGE_SPLIT_GPA (BRIDGE_GPA + (16u << 20))
#define BRIDGE_BUFFERS_GPA (BRIDGE_GPA + (8u << 20))
/** Buffers of one queue, for tests that use several */
#define BRIDGE_BUFFER_STRIDE (1u << 20)

/** Guest addresses that are in no region */
#define BRIDGE_NOWHERE_GPA UINT64_C(0x10000)

#define BRIDGE_WAIT_MS 20000

/**
 * struct bridge_queue - a virtqueue and its driver
 * @driver: the driver
 * @kick_fd: eventfd from driver to device
 * @call_fd: eventfd from device to driver
 * @err_fd: eventfd that tells of a broken ring
 * @kick_count: kicks made
 * @saved: where the base is saved
 */
struct bridge_queue {
	struct vq_driver driver;
	int kick_fd;
	int call_fd;
	int err_fd;
	uint64_t kick_count;
	struct vhost_bridge_saved_base *saved;
};

/**
 * struct bridge - a device and a guest
 * @fd: the device
 * @memory_fd: guest memory
 * @base: all of it
 * @second: another mapping, of the second region
 * @features: acked. With VIRTIO_F_ACCESS_PLATFORM the driver's addresses, which
 *            tests call guest addresses, are IOVAs
 * @queues: those that are set up have a @driver.num
 */
struct bridge {
	int fd;
	int memory_fd;
	uint8_t *base;
	uint8_t *second;
	uint64_t features;
	struct bridge_queue queues[BRIDGE_QUEUES];
};

/** struct bridge_memory_table - an argument of VHOST_SET_MEM_TABLE */
struct bridge_memory_table {
	uint32_t nregions;
	uint32_t padding;
	struct vhost_memory_region regions[2];
};

/** bridge_bit() - a feature bit's mask */
static inline uint64_t bridge_bit(unsigned int bit)
{
	return UINT64_C(1) << bit;
}

/** bridge_call() - ioctl() that returns 0 or -errno */
int bridge_call(const struct bridge *bridge, unsigned long request,
		const void *argument);

/**
 * bridge_open() - open a device and make guest memory
 * @bridge: uninitialized
 * @name: /dev/vhost-bridge-NAME
 *
 * This and all that returns nothing fails the test when it fails.
 */
void bridge_open(struct bridge *bridge, const char *name);

/** bridge_make_guest() - the guest alone, without a device */
void bridge_make_guest(struct bridge *bridge);

/** bridge_open_device() - the device alone */
void bridge_open_device(struct bridge *bridge, const char *name);

/** bridge_set_up() - own it, ack @features, hand over the memory */
void bridge_set_up(struct bridge *bridge, uint64_t features);

/** bridge_close() - close and free all; may be repeated */
void bridge_close(struct bridge *bridge);

/** bridge_table() - the memory table, as bridge_set_up() hands it over */
void bridge_table(const struct bridge *bridge,
		  struct bridge_memory_table *table);

/** bridge_at() - where the test has a guest address */
static inline void *bridge_at(const struct bridge *bridge, uint64_t gpa)
{
	return bridge->base + (gpa - BRIDGE_GPA);
}

/** bridge_gpa() - the other way round */
static inline uint64_t bridge_gpa(const struct bridge *bridge,
				  const void *where)
{
	return BRIDGE_GPA + ((const uint8_t *)where - bridge->base);
}

/**
 * bridge_make_queue() - a driver with an empty ring, and its eventfds
 * @bridge: features are known
 * @index: which
 * @num: entries
 * @table_descs: descriptors each indirect table has room for
 *
 * A split ring begins a little before its indexes wrap. The device is not told.
 */
void bridge_make_queue(struct bridge *bridge, unsigned int index,
		       uint32_t num, uint32_t table_descs);

/** bridge_program_queue() - tell the device of it: num, base, address, eventfds */
void bridge_program_queue(struct bridge *bridge, unsigned int index);

/** bridge_addr() - VHOST_SET_VRING_ADDR's argument for it */
void bridge_addr(const struct bridge *bridge, unsigned int index,
		 struct vhost_vring_addr *addr);

/** bridge_add_queue() - make it, program it, start it with its base saved */
void bridge_add_queue(struct bridge *bridge, unsigned int index, uint32_t num,
		      uint32_t table_descs);

/** bridge_free_queue() - eventfds and driver; the device is not told */
void bridge_free_queue(struct bridge *bridge, unsigned int index);

/** bridge_start() - VHOST_BRIDGE_START_VRING: 0 or -errno */
int bridge_start(const struct bridge *bridge, unsigned int index);

/** bridge_stop() - VHOST_BRIDGE_STOP_VRING: 0 or -errno */
int bridge_stop(const struct bridge *bridge, unsigned int index);

/** bridge_give_up() - the same with VHOST_BRIDGE_VRING_GIVE_UP */
int bridge_give_up(const struct bridge *bridge, unsigned int index);

/** bridge_status() - VHOST_BRIDGE_GET_VRING_STATUS */
void bridge_status(const struct bridge *bridge, unsigned int index,
		   struct vhost_bridge_vring_status *status);

/** bridge_wait_state() - wait for a state: 0 or -ETIMEDOUT */
int bridge_wait_state(const struct bridge *bridge, unsigned int index,
		      uint32_t state);

/** bridge_get_base() - VHOST_GET_VRING_BASE */
uint32_t bridge_get_base(const struct bridge *bridge, unsigned int index);

/** bridge_kick() - kick when the device wants it; returns whether it did */
bool bridge_kick(struct bridge_queue *queue);

/** bridge_kick_always() - kick */
void bridge_kick_always(struct bridge_queue *queue);

/**
 * bridge_take() - wait for a used chain
 * @queue: the queue
 * @length_out: bytes written; may be NULL
 *
 * Return: its ID, -ETIMEDOUT, or -EPROTO for what was not in flight.
 */
int bridge_take(struct bridge_queue *queue, uint32_t *length_out);

/** bridge_read_event() - what an eventfd has counted, 0 when nothing */
uint64_t bridge_read_event(int fd);

/** bridge_wait_event() - wait for it to count: 0 or -ETIMEDOUT */
int bridge_wait_event(int fd, unsigned int timeout_ms);

#endif
