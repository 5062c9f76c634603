// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/rarp.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "kdev/net_private.h"
#include "lib/bits.h"

/* Without the check sum, which the network adds */
#define FRAME_BYTES 60

/**
 * struct rarp_frame - on Ethernet and for IPv4 (RFC 903 and RFC 826)
 * @header: broadcast
 * @hardware: ARPHRD_ETHER
 * @protocol: ETHERTYPE_IP
 * @hardware_bytes: of an address
 * @protocol_bytes: likewise
 * @operation: ARPOP_RREQUEST
 * @sender_mac: who is it
 * @sender_ip: not known
 * @target_mac: who wants to know its IP address: the sender itself
 * @target_ip: not known
 * @padding: to the shortest length of a frame
 */
struct rarp_frame {
	struct ether_header header;
	uint16_t hardware;
	uint16_t protocol;
	uint8_t hardware_bytes;
	uint8_t protocol_bytes;
	uint16_t operation;
	uint8_t sender_mac[ETH_ALEN];
	uint8_t sender_ip[4];
	uint8_t target_mac[ETH_ALEN];
	uint8_t target_ip[4];
	uint8_t padding[18];
} __attribute__((packed));

static_assert(sizeof(struct rarp_frame) == FRAME_BYTES,
	      "the shortest frame of Ethernet");

int vhb_rarp_send(int tap_fd, const uint8_t *mac)
{
	/* Of all lengths a tap may be told, none is larger. */
	uint8_t vnet_header[256] = { 0 };
	struct rarp_frame frame = {
		.header.ether_type = htons(ETHERTYPE_REVARP),
		.hardware = htons(ARPHRD_ETHER),
		.protocol = htons(ETHERTYPE_IP),
		.hardware_bytes = ETH_ALEN,
		.protocol_bytes = sizeof(frame.sender_ip),
		.operation = htons(ARPOP_RREQUEST),
	};
	struct iovec parts[] = {
		{ .iov_base = vnet_header },
		{ .iov_base = &frame, .iov_len = sizeof(frame) },
	};
	int header_bytes;

	if (mac[0] & 1)
		return -EINVAL;
	if (ioctl(tap_fd, TUNGETVNETHDRSZ, &header_bytes))
		return -errno;
	if (header_bytes < 0 || (size_t)header_bytes > sizeof(vnet_header))
		return -EOVERFLOW;
	parts[0].iov_len = header_bytes;
	memset(frame.header.ether_dhost, 0xff, ETH_ALEN);
	memcpy(frame.header.ether_shost, mac, ETH_ALEN);
	memcpy(frame.sender_mac, mac, ETH_ALEN);
	memcpy(frame.target_mac, mac, ETH_ALEN);
	return writev(tap_fd, parts, VHB_ARRAY_COUNT(parts)) < 0 ? -errno : 0;
}

int vhb_net_send_rarp(struct vhb_kdev *kdev, const uint8_t *mac)
{
	const struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;

	/* A single queue is always attached; of several, one that is. */
	for (i = 0; i < net->tap.queue_count; i++)
		if (!net->tap.is_multi_queue ||
		    vhb_has_bit(net->tap.attached_mask, i))
			return vhb_rarp_send(net->tap.fds[i], mac);
	return -ENETDOWN;
}
