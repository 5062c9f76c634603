/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BRIDGE_IOTLB_H
#define SELFTESTS_LIB_BRIDGE_IOTLB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/bridge_device.h"

/**
 * DOC: an IOMMU for a device of the module
 *
 * The driver's addresses are the guest addresses of lib/bridge_device.h; where
 * they are the device is told piece by piece.
 */

/** bridge_iotlb_write() - hand over a message: 0 or -errno */
int bridge_iotlb_write(const struct bridge *bridge,
		       const struct vhost_msg_v2 *message);

/** bridge_iotlb_send() - UPDATE, INVALIDATE or ACCESS_FAIL: 0 or -errno */
int bridge_iotlb_send(const struct bridge *bridge, uint8_t type, uint64_t iova,
		      uint64_t size_bytes, uint8_t perm);

/**
 * bridge_iotlb_set_table() - guest memory where the test has it, in one piece
 *
 * That is where this IOMMU says it is.
 */
void bridge_iotlb_set_table(const struct bridge *bridge);

/** bridge_iotlb_map() - UPDATE where it is in guest memory; must succeed */
void bridge_iotlb_map(const struct bridge *bridge, uint64_t iova,
		      uint64_t size_bytes, uint8_t perm);

/** bridge_iotlb_unmap() - INVALIDATE; must succeed */
void bridge_iotlb_unmap(const struct bridge *bridge, uint64_t iova,
			uint64_t size_bytes);

/** bridge_iotlb_map_ring() - all parts of a queue's ring, but not its buffers */
void bridge_iotlb_map_ring(const struct bridge *bridge, unsigned int index);

/**
 * bridge_iotlb_wait() - wait for a miss and read it
 * @bridge: the device
 * @message: the message
 *
 * Return: 0 or -ETIMEDOUT.
 */
int bridge_iotlb_wait(const struct bridge *bridge,
		      struct vhost_msg_v2 *message);

/** bridge_iotlb_is_quiet() - is there no miss to be read? */
bool bridge_iotlb_is_quiet(const struct bridge *bridge);

/** bridge_iotlb_start() - start a queue whose IOMMU answers: 0 or -errno */
int bridge_iotlb_start(const struct bridge *bridge, unsigned int index);

/**
 * struct iotlb_server - answers misses
 * @bridge: the device
 * @piece_bytes: how much is told at a time
 * @first: where pieces begin: guest addresses of this and multiples of
 *         @piece_bytes more
 * @miss_count: misses that were answered
 * @must_stop: end
 * @thread: who does it
 */
struct iotlb_server {
	const struct bridge *bridge;
	uint32_t piece_bytes;
	uint32_t first;
	atomic_uint miss_count;
	atomic_bool must_stop;
	pthread_t thread;
};

/** iotlb_server_start() - answer from now on; the first three members are set */
void iotlb_server_start(struct iotlb_server *server);

/** iotlb_server_stop() - no more */
void iotlb_server_stop(struct iotlb_server *server);

#endif
