/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_HOST_LINK_H
#define SELFTESTS_LIB_HOST_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_net.h>

/**
 * DOC: the host's end of a guest's cable
 *
 * Packet sockets on a tap, in a network namespace of the test's own in which
 * nobody else talks.
 */

/**
 * host_netns_enter() - leave for a new network namespace, without IPv6
 *
 * Programs started from now on, the broker for one, live there too.
 *
 * Return: 0 or -errno.
 */
int host_netns_enter(void);

/**
 * host_link_open() - a packet socket
 * @name: the interface
 * @type: Ethernet type of the frames to receive; 0: all of them
 * @has_vnet_header: frames carry a struct virtio_net_hdr of ten bytes both ways
 *
 * Return: the socket or -errno.
 */
int host_link_open(const char *name, uint16_t type, bool has_vnet_header);

/** host_link_send() - 0 or -errno */
int host_link_send(int fd, const void *frame, size_t frame_bytes);

/** host_link_receive() - the length, -ETIMEDOUT or another -errno */
int host_link_receive(int fd, void *frame, size_t room_bytes,
		      unsigned int timeout_ms);

/** host_link_is_up() - is there such an interface, and is it up? */
bool host_link_is_up(const char *name);

/** host_link_set_up() - up or down, as 'ip link set' does: 0 or -errno */
int host_link_set_up(const char *name, bool up);

/** host_link_mtu() - its MTU or -errno */
int host_link_mtu(const char *name);

#endif
