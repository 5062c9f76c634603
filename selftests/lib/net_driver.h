/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_NET_DRIVER_H
#define SELFTESTS_LIB_NET_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/guest_ring.h"

/**
 * DOC: what a network driver does with its control queue
 */

/** Longest argument of a command */
#define NET_DRIVER_ARGUMENT_MAX 4096

/**
 * struct net_driver - the driver's side of a control queue
 * @ring: the virtqueue
 * @memory: where it and the commands lie
 * @offset_bytes: where the command's buffers begin, behind the ring
 */
struct net_driver {
	struct guest_ring ring;
	struct guest_memory *memory;
	uint64_t offset_bytes;
};

/** net_driver_init() - lay the ring out at an offset in memory: 0 or -errno */
int net_driver_init(struct net_driver *driver, struct guest_memory *memory,
		    uint64_t offset_bytes, unsigned int num);

/** net_driver_destroy() - close and free */
void net_driver_destroy(struct net_driver *driver);

/**
 * net_driver_post() - make a command available; no kick
 * @driver: the driver, without a command under way
 * @class: VIRTIO_NET_CTRL_*
 * @code: the command in this class
 * @argument: what comes with it; may be NULL
 * @argument_bytes: its length
 *
 * Return: 0 or -errno.
 */
int net_driver_post(struct net_driver *driver, uint8_t class, uint8_t code,
		    const void *argument, size_t argument_bytes);

/**
 * net_driver_answer() - wait for the answer
 *
 * Return: VIRTIO_NET_OK or VIRTIO_NET_ERR; -ETIMEDOUT; -EPROTO when the device says
 * that it wrote another number of bytes than one.
 */
int net_driver_answer(struct net_driver *driver, unsigned int timeout_ms);

/** net_driver_command() - post, kick, and wait for the answer */
int net_driver_command(struct net_driver *driver, uint8_t class, uint8_t code,
		       const void *argument, size_t argument_bytes);

#endif
