/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_NET_GUEST_H
#define SELFTESTS_LIB_NET_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/frontend.h"
#include "lib/guest_ring.h"
#include "lib/translator.h"

/**
 * DOC: a guest with a network card, front-end and driver in one
 *
 * Memory has one to three regions: rings in the first, transmit buffers in the
 * second, receive buffers in the third (or in the last there is). A buffer
 * belongs to the descriptor its chain begins with. Functions return 0 or -errno
 * unless said otherwise.
 */

#define NET_GUEST_PAIRS_MAX 64
#define NET_GUEST_REGIONS_MAX 3
/** A region of a guest with few pairs; with many they are larger */
#define NET_GUEST_REGION_MIB 8
#define NET_GUEST_TIMEOUT_MS 10000

/**
 * enum net_guest_base - what SET_VRING_BASE says
 * @NET_GUEST_BASE_USED: where the used ring ends
 * @NET_GUEST_BASE_AVAIL: where the available ring ends, as Cloud Hypervisor does
 * @NET_GUEST_BASE_FIRST: zero, as DPDK does
 */
enum net_guest_base {
	NET_GUEST_BASE_USED,
	NET_GUEST_BASE_AVAIL,
	NET_GUEST_BASE_FIRST,
};

/**
 * struct net_guest_config - what kind of guest
 * @features: bits to ack; all must be offered. Without bit 30 the guest is one
 *            that never heard of protocol features
 * @pairs: queue pairs to use
 * @regions: memory regions
 * @ring_num: entries of each ring; with many pairs no more than 256
 * @buffer_bytes: size of each buffer; with @ring_num no more than 1 MiB in all
 * @has_header_apart: the virtio-net header gets a descriptor of its own, as
 *                    drivers did before VIRTIO 1
 * @is_indirect: send with indirect descriptors
 * @translator: its memory is behind an IOMMU; or NULL
 * @has_call_sockets: calls come through socket pairs, as with User-Mode Linux
 * @is_inband: kick and call eventfds stay here: who uses the guest sends
 *             VRING_KICK and receives BACKEND_VRING_CALL
 */
struct net_guest_config {
	uint64_t features;
	unsigned int pairs;
	unsigned int regions;
	unsigned int ring_num;
	unsigned int buffer_bytes;
	bool has_header_apart;
	bool is_indirect;
	bool has_call_sockets;
	bool is_inband;
	struct translator *translator;
};

/**
 * struct net_guest_queue - one direction of a pair
 * @ring: its ring
 * @buffers: memory the buffers lie in; may be changed while traffic flows
 * @buffers_offset: where in it
 * @is_started: the back-end was told about it
 */
struct net_guest_queue {
	struct guest_ring ring;
	struct guest_memory *buffers;
	uint64_t buffers_offset;
	bool is_started;
};

/**
 * struct net_guest - a guest
 * @config: as given
 * @frontend: its connection
 * @base: what it says of its rings; may be changed
 * @offered: what GET_FEATURES said
 * @offered_protocol: what GET_PROTOCOL_FEATURES said
 * @vnet_bytes: length of the header before each frame
 * @memory: its regions
 * @queues: as on the wire, receive at 2 * pair, transmit behind it
 */
struct net_guest {
	struct net_guest_config config;
	struct frontend frontend;
	enum net_guest_base base;
	uint64_t offered;
	uint64_t offered_protocol;
	size_t vnet_bytes;
	struct guest_memory memory[NET_GUEST_REGIONS_MAX];
	struct net_guest_queue queues[2 * NET_GUEST_PAIRS_MAX];
};

/** net_guest_config_default - modern, one pair, one region */
extern const struct net_guest_config net_guest_config_default;

/** net_guest_init() - memory and rings, no connection yet */
int net_guest_init(struct net_guest *guest,
		   const struct net_guest_config *config);

/** net_guest_connect() - connect and negotiate features; -ENOTSUP if not offered */
int net_guest_connect(struct net_guest *guest, const char *socket_path);

/** net_guest_accept() - the same with a back-end that came to us; owns @fd */
int net_guest_accept(struct net_guest *guest, int fd);

/** net_guest_share_memory() - SET_MEM_TABLE with all regions */
int net_guest_share_memory(struct net_guest *guest);

/** net_guest_start_pair() - both rings, with receive buffers ready */
int net_guest_start_pair(struct net_guest *guest, unsigned int pair);

/**
 * net_guest_stop_pair() - ENABLE(0) and GET_VRING_BASE for both rings
 *
 * Return: 0; -EBADMSG when a base is not where the used ring ends.
 */
int net_guest_stop_pair(struct net_guest *guest, unsigned int pair);

/** net_guest_open() - all of the above: a guest whose card works */
int net_guest_open(struct net_guest *guest,
		   const struct net_guest_config *config,
		   const char *socket_path);

/** net_guest_close() - hang up and free; may be closed already */
void net_guest_close(struct net_guest *guest);

/**
 * net_guest_send() - queue a frame and kick
 * @guest: the guest
 * @pair: its queue pair
 * @frame: virtio-net header first
 * @frame_bytes: no more than a buffer holds
 *
 * Waits for room if need be.
 */
int net_guest_send(struct net_guest *guest, unsigned int pair,
		   const void *frame, size_t frame_bytes);

/** net_guest_flush() - wait until all that was sent has come back */
int net_guest_flush(struct net_guest *guest, unsigned int pair);

/**
 * net_guest_receive() - take the next frame, give its buffers back
 * @guest: the guest
 * @pair: its queue pair
 * @frame: receives it, virtio-net header first
 * @room_bytes: room for it
 * @timeout_ms: how long to wait
 *
 * Return: the length, -ETIMEDOUT, -EMSGSIZE, or -EPROTO for a header that says
 * something impossible.
 */
int net_guest_receive(struct net_guest *guest, unsigned int pair, void *frame,
		      size_t room_bytes, unsigned int timeout_ms);

#endif
