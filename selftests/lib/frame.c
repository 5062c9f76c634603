// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>

#define ETHER_BYTES_MIN 60
#define TTL 64

/* What UDP's checksum covers besides the datagram */
struct pseudo_header {
	uint32_t src_ip;
	uint32_t dst_ip;
	uint8_t zero;
	uint8_t protocol;
	uint16_t length;
};

/* Only the last part of a sum may have an odd length. */
static uint32_t sum_bytes(uint32_t sum, const void *data, size_t size_bytes)
{
	const uint8_t *bytes = data;
	size_t i;

	for (i = 0; i + 1 < size_bytes; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	if (size_bytes & 1)
		sum += bytes[size_bytes - 1] << 8;
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static uint16_t udp_checksum(const struct iphdr *ip, const struct udphdr *udp,
			     const void *payload, size_t payload_bytes)
{
	struct pseudo_header pseudo = {
		.src_ip = ip->saddr,
		.dst_ip = ip->daddr,
		.protocol = IPPROTO_UDP,
		.length = udp->len,
	};
	uint32_t sum = sum_bytes(0, &pseudo, sizeof(pseudo));

	sum = sum_bytes(sum, udp, sizeof(*udp));
	return checksum(sum_bytes(sum, payload, payload_bytes));
}

/* The headers are not aligned in the buffer, so they are copied. */
static size_t put(uint8_t *buffer, size_t at, const void *data, size_t size)
{
	if (size)
		memcpy(buffer + at, data, size);
	return at + size;
}

static size_t put_ethernet(uint8_t *buffer, size_t vnet_bytes,
			   const uint8_t *src_mac, const uint8_t *dst_mac,
			   uint16_t type)
{
	struct ether_header ethernet = { .ether_type = htons(type) };

	memcpy(ethernet.ether_shost, src_mac, FRAME_MAC_BYTES);
	memcpy(ethernet.ether_dhost, dst_mac, FRAME_MAC_BYTES);
	memset(buffer, 0, vnet_bytes);
	return put(buffer, vnet_bytes, &ethernet, sizeof(ethernet));
}

int frame_build_udp(uint8_t *buffer, size_t vnet_bytes,
		    const struct frame_udp *udp)
{
	struct udphdr datagram = {
		.source = htons(udp->src_port),
		.dest = htons(udp->dst_port),
		.len = htons(sizeof(datagram) + udp->payload_bytes),
	};
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons(sizeof(ip) + sizeof(datagram) +
				 udp->payload_bytes),
		.ttl = TTL,
		.protocol = IPPROTO_UDP,
		.saddr = htonl(udp->src_ip),
		.daddr = htonl(udp->dst_ip),
	};
	size_t at;

	if (udp->payload_bytes > FRAME_UDP_PAYLOAD_MAX)
		return -EMSGSIZE;

	ip.check = htons(checksum(sum_bytes(0, &ip, sizeof(ip))));
	datagram.check = htons(udp_checksum(&ip, &datagram, udp->payload,
					    udp->payload_bytes));
	/* On the wire zero means that there is no checksum */
	if (!datagram.check)
		datagram.check = 0xffff;

	at = put_ethernet(buffer, vnet_bytes, udp->src_mac, udp->dst_mac,
			  ETHERTYPE_IP);
	at = put(buffer, at, &ip, sizeof(ip));
	at = put(buffer, at, &datagram, sizeof(datagram));
	return put(buffer, at, udp->payload, udp->payload_bytes);
}

int frame_build_arp(uint8_t *buffer, size_t vnet_bytes,
		    const struct frame_arp *arp)
{
	static const uint8_t broadcast[FRAME_MAC_BYTES] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff
	};
	struct ether_arp packet = {
		.ea_hdr = {
			.ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETHERTYPE_IP),
			.ar_hln = FRAME_MAC_BYTES,
			.ar_pln = sizeof(uint32_t),
			.ar_op = htons(arp->operation),
		},
	};
	uint32_t sender_ip = htonl(arp->sender_ip);
	uint32_t target_ip = htonl(arp->target_ip);
	const uint8_t *dst_mac = arp->target_mac;
	size_t at;

	if (arp->operation == FRAME_ARP_REQUEST)
		dst_mac = broadcast;
	memcpy(packet.arp_sha, arp->sender_mac, FRAME_MAC_BYTES);
	memcpy(packet.arp_spa, &sender_ip, sizeof(sender_ip));
	memcpy(packet.arp_tha, arp->target_mac, FRAME_MAC_BYTES);
	memcpy(packet.arp_tpa, &target_ip, sizeof(target_ip));

	memset(buffer, 0, vnet_bytes + ETHER_BYTES_MIN);
	at = put_ethernet(buffer, vnet_bytes, arp->sender_mac, dst_mac,
			  ETHERTYPE_ARP);
	put(buffer, at, &packet, sizeof(packet));
	return vnet_bytes + ETHER_BYTES_MIN;
}

/* Returns where the packet begins, or 0 when it is not of this type. */
static size_t parse_ethernet(const uint8_t *bytes, size_t size_bytes,
			     size_t vnet_bytes, uint16_t type,
			     struct ether_header *ethernet_out)
{
	if (size_bytes < vnet_bytes + sizeof(*ethernet_out))
		return 0;
	memcpy(ethernet_out, bytes + vnet_bytes, sizeof(*ethernet_out));
	if (ethernet_out->ether_type != htons(type))
		return 0;
	return vnet_bytes + sizeof(*ethernet_out);
}

int frame_parse_udp(const uint8_t *bytes, size_t size_bytes, size_t vnet_bytes,
		    struct frame_udp *udp_out)
{
	struct ether_header ethernet;
	struct udphdr datagram;
	struct iphdr ip;
	size_t total;
	size_t at;

	at = parse_ethernet(bytes, size_bytes, vnet_bytes, ETHERTYPE_IP,
			    &ethernet);
	if (!at || size_bytes < at + sizeof(ip) + sizeof(datagram))
		return -ENOMSG;
	memcpy(&ip, bytes + at, sizeof(ip));
	if (ip.version != 4 || ip.ihl != 5 || ip.protocol != IPPROTO_UDP)
		return -ENOMSG;
	memcpy(&datagram, bytes + at + sizeof(ip), sizeof(datagram));

	total = ntohs(ip.tot_len);
	if (total > size_bytes - at || total < sizeof(ip) + sizeof(datagram) ||
	    ntohs(datagram.len) != total - sizeof(ip) ||
	    checksum(sum_bytes(0, &ip, sizeof(ip))))
		return -EBADMSG;

	memcpy(udp_out->src_mac, ethernet.ether_shost, FRAME_MAC_BYTES);
	memcpy(udp_out->dst_mac, ethernet.ether_dhost, FRAME_MAC_BYTES);
	udp_out->src_ip = ntohl(ip.saddr);
	udp_out->dst_ip = ntohl(ip.daddr);
	udp_out->src_port = ntohs(datagram.source);
	udp_out->dst_port = ntohs(datagram.dest);
	udp_out->payload = bytes + at + sizeof(ip) + sizeof(datagram);
	udp_out->payload_bytes = total - sizeof(ip) - sizeof(datagram);

	if (vnet_bytes && bytes[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return 0;
	if (datagram.check && udp_checksum(&ip, &datagram, udp_out->payload,
					   udp_out->payload_bytes))
		return -EBADMSG;
	return 0;
}

int frame_parse_arp(const uint8_t *bytes, size_t size_bytes, size_t vnet_bytes,
		    struct frame_arp *arp_out)
{
	struct ether_header ethernet;
	struct ether_arp packet;
	uint32_t ip;
	size_t at;

	at = parse_ethernet(bytes, size_bytes, vnet_bytes, ETHERTYPE_ARP,
			    &ethernet);
	if (!at || size_bytes < at + sizeof(packet))
		return -ENOMSG;
	memcpy(&packet, bytes + at, sizeof(packet));

	arp_out->operation = ntohs(packet.ea_hdr.ar_op);
	memcpy(arp_out->sender_mac, packet.arp_sha, FRAME_MAC_BYTES);
	memcpy(&ip, packet.arp_spa, sizeof(ip));
	arp_out->sender_ip = ntohl(ip);
	memcpy(arp_out->target_mac, packet.arp_tha, FRAME_MAC_BYTES);
	memcpy(&ip, packet.arp_tpa, sizeof(ip));
	arp_out->target_ip = ntohl(ip);
	return 0;
}
