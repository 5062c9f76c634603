/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_NETLINK_LINK_STATS_H
#define VHB_NETLINK_LINK_STATS_H

#include <stdint.h>

/**
 * struct vhb_link_stats - what a network interface has counted
 * @received_packets: of a tap: what the guest sent
 * @received_bytes: likewise
 * @received_dropped: likewise, not taken
 * @sent_packets: of a tap: what the guest was given
 * @sent_bytes: likewise
 * @sent_dropped: likewise, not taken: its queue was full
 */
struct vhb_link_stats {
	uint64_t received_packets;
	uint64_t received_bytes;
	uint64_t received_dropped;
	uint64_t sent_packets;
	uint64_t sent_bytes;
	uint64_t sent_dropped;
};

/**
 * vhb_link_stats_get() - read an interface's counters (RTM_GETLINK)
 * @name: the interface
 * @stats_out: its counters
 *
 * Return: 0; -ENODEV when there is none, or it does not count; another -errno.
 */
int vhb_link_stats_get(const char *name, struct vhb_link_stats *stats_out);

#endif
