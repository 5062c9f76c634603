/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_FRAME_H
#define SELFTESTS_LIB_FRAME_H

#include <stddef.h>
#include <stdint.h>

/**
 * DOC: Ethernet frames as they lie in a virtio-net buffer
 *
 * Each begins with @vnet_bytes of virtio-net header: 12 with VERSION_1 or
 * MRG_RXBUF, else 10 (0: a bare frame, as a tap without IFF_VNET_HDR gives it).
 * Addresses and ports of IP are in the byte order of the machine.
 */

#define FRAME_VNET_BYTES_LEGACY 10
#define FRAME_VNET_BYTES 12
#define FRAME_MAC_BYTES 6

/** Room for any frame built here, virtio-net header included */
#define FRAME_BYTES_MAX 2048
/** The most payload frame_build_udp() takes (an MTU of 1500) */
#define FRAME_UDP_PAYLOAD_MAX 1472

/** struct frame_udp - an IPv4 UDP datagram */
struct frame_udp {
	uint8_t src_mac[FRAME_MAC_BYTES];
	uint8_t dst_mac[FRAME_MAC_BYTES];
	uint32_t src_ip;
	uint32_t dst_ip;
	uint16_t src_port;
	uint16_t dst_port;
	const void *payload;
	size_t payload_bytes;
};

/** struct frame_arp - an ARP packet for IPv4 over Ethernet */
struct frame_arp {
	uint16_t operation;
	uint8_t sender_mac[FRAME_MAC_BYTES];
	uint32_t sender_ip;
	uint8_t target_mac[FRAME_MAC_BYTES];
	uint32_t target_ip;
};

#define FRAME_ARP_REQUEST 1
#define FRAME_ARP_REPLY 2

/**
 * frame_build_udp() - build a frame with correct checksums
 * @buffer: at least FRAME_BYTES_MAX
 * @vnet_bytes: length of the virtio-net header, which gets no offload
 * @udp: what to send
 *
 * Return: the length with the virtio-net header, or -EMSGSIZE.
 */
int frame_build_udp(uint8_t *buffer, size_t vnet_bytes,
		    const struct frame_udp *udp);

/**
 * frame_build_arp() - build an ARP packet
 *
 * A request is broadcast, a reply goes to the target. Padded to 60 bytes.
 *
 * Return: the length with the virtio-net header.
 */
int frame_build_arp(uint8_t *buffer, size_t vnet_bytes,
		    const struct frame_arp *arp);

/**
 * frame_parse_udp() - take a received frame apart
 * @bytes: the buffer, virtio-net header first
 * @size_bytes: how much of it the device has written
 * @vnet_bytes: length of the virtio-net header
 * @udp_out: the datagram; its payload points into @bytes
 *
 * Return: 0; -ENOMSG when it is something else; -EBADMSG when it is one with
 * wrong lengths or checksums (that of UDP is not looked at when the header says
 * that it is partial).
 */
int frame_parse_udp(const uint8_t *bytes, size_t size_bytes, size_t vnet_bytes,
		    struct frame_udp *udp_out);

/** frame_parse_arp() - the same for ARP: 0 or -ENOMSG */
int frame_parse_arp(const uint8_t *bytes, size_t size_bytes, size_t vnet_bytes,
		    struct frame_arp *arp_out);

#endif
