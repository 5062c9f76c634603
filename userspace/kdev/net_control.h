/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_NET_CONTROL_H
#define VHB_KDEV_NET_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "kdev/control_queue.h"
#include "kdev/kdev.h"

/**
 * DOC: a network device's control queue
 *
 * Most front-ends serve it themselves (QEMU, Cloud Hypervisor, DPDK) and never set
 * it up here. crosvm and User-Mode Linux pass it on: then it is the vring behind
 * the last pair, where the guest knows VIRTIO_NET_F_MQ, or behind the first one
 * where not (VIRTIO 1.2, 5.1.2), and it is served here as soon as it starts.
 *
 * From then on it is the guest that says how many pairs it uses, one to begin
 * with; the tap queues of the others are detached. Without it a pair is used when
 * the front-end lets it run.
 *
 * What the guest wants to receive is noted and not enforced: a device may deliver
 * more than was asked for (5.1.6.5.1), and what is on the bridge is the host's
 * business.
 */

/** VLAN IDs there are */
#define VHB_NET_VLANS 4096

/**
 * struct vhb_net_filter - what the guest wants to receive
 * @is_promiscuous: everything
 * @is_all_multicast: every multicast
 * @unicast_count: addresses besides its own
 * @multicast_count: groups
 * @vlan_bits: VLANs
 */
struct vhb_net_filter {
	bool is_promiscuous;
	bool is_all_multicast;
	uint32_t unicast_count;
	uint32_t multicast_count;
	uint8_t vlan_bits[VHB_NET_VLANS / 8];
};

/**
 * struct vhb_net_control - the control queue and what came by it
 * @queue: the queue
 * @features_mask: what the guest acked
 * @is_ours: it was started in this session
 * @base: where it was when it stopped, while @is_ours
 * @active_pairs: pairs the guest uses, while @is_ours
 * @must_announce: the guest is asked to announce itself
 * @is_announce_new: and was not told yet
 * @filter: what the guest wants to receive
 */
struct vhb_net_control {
	struct vhb_control_queue queue;
	uint64_t features_mask;
	bool is_ours;
	uint32_t base;
	unsigned int active_pairs;
	bool must_announce;
	bool is_announce_new;
	struct vhb_net_filter filter;
};

struct vhb_net;

/** vhb_net_control_init() - when the device is made */
void vhb_net_control_init(struct vhb_net *net);

/** vhb_net_control_reset() - back to that; the session is over */
void vhb_net_control_reset(struct vhb_net *net);

/** vhb_net_control_forget() - what came by it; it does not run */
void vhb_net_control_forget(struct vhb_net *net);

/** vhb_net_control_set_features() - the guest acked these */
void vhb_net_control_set_features(struct vhb_net *net, uint64_t acked_mask);

/**
 * vhb_net_control_has() - is a vring the control queue?
 * @net: the device; features were set
 * @index: the vring
 */
bool vhb_net_control_has(const struct vhb_net *net, unsigned int index);

/**
 * vhb_net_control_allows() - may the guest use this pair?
 * @net: the device
 * @pair: the pair
 */
bool vhb_net_control_allows(const struct vhb_net *net, unsigned int pair);

/**
 * vhb_net_control_start() - serve it
 * @net: the device; its control queue is set up
 *
 * A base that is not the one where it stopped in this session tells of another
 * driver: the guest begins with one pair. One that goes on from somewhere in a
 * session that has not seen it run was somewhere else before: the guest is asked
 * to announce itself (VIRTIO_NET_S_ANNOUNCE).
 *
 * Return: 0 or -errno.
 */
int vhb_net_control_start(struct vhb_net *net);

/** vhb_net_control_stop() - serve it no more; the base to go on from */
uint32_t vhb_net_control_stop(struct vhb_net *net);

#endif
