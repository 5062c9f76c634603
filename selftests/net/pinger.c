// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pinger - a guest with one network card that pings, or is pinged
 *
 * Usage: pinger SOCKET OWN echo
 *        pinger SOCKET OWN ping PEER COUNT
 *        pinger SOCKET OWN hold
 *
 * A front-end of the back-end that listens on SOCKET. OWN and PEER are the last
 * byte of a guest's IPv4 and Ethernet addresses. echo answers ARP requests and
 * UDP datagrams to port 7 until it is ended; ping asks PEER for its address,
 * sends COUNT datagrams and compares what comes back; hold does nothing with its
 * working card. All say "up" when the card works. Exit status: 0 when all came
 * back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "lib/bits.h"
#include "lib/frame.h"
#include "lib/net_guest.h"

#define NETWORK 0x0a090800u
#define ECHO_PORT 7
#define REPLY_MS 2000

/** struct station - who we are */
struct station {
	struct net_guest guest;
	uint8_t mac[FRAME_MAC_BYTES];
	uint32_t ip;
};

static void mac_of(uint8_t number, uint8_t mac[FRAME_MAC_BYTES])
{
	memcpy(mac, (uint8_t[]){ 2, 0, 0, 0, 1, number }, FRAME_MAC_BYTES);
}

static int send_arp(struct station *station, uint16_t operation,
		    const uint8_t *target_mac, uint32_t target_ip)
{
	struct frame_arp arp = {
		.operation = operation,
		.sender_ip = station->ip,
		.target_ip = target_ip,
	};
	uint8_t frame[FRAME_BYTES_MAX];
	int length;

	memcpy(arp.sender_mac, station->mac, FRAME_MAC_BYTES);
	memcpy(arp.target_mac, target_mac, FRAME_MAC_BYTES);
	length = frame_build_arp(frame, station->guest.vnet_bytes, &arp);
	return net_guest_send(&station->guest, 0, frame, length);
}

static int send_udp(struct station *station, const struct frame_udp *udp)
{
	uint8_t frame[FRAME_BYTES_MAX];
	int length = frame_build_udp(frame, station->guest.vnet_bytes, udp);

	if (length < 0)
		return length;
	return net_guest_send(&station->guest, 0, frame, length);
}

static int echo(struct station *station, const struct frame_udp *request)
{
	struct frame_udp reply = {
		.src_ip = station->ip,
		.dst_ip = request->src_ip,
		.src_port = request->dst_port,
		.dst_port = request->src_port,
		.payload = request->payload,
		.payload_bytes = request->payload_bytes,
	};

	memcpy(reply.src_mac, station->mac, FRAME_MAC_BYTES);
	memcpy(reply.dst_mac, request->src_mac, FRAME_MAC_BYTES);
	return send_udp(station, &reply);
}

/* Answers what must be answered; 0 when the frame was none of that */
static int serve(struct station *station, const uint8_t *frame, size_t length)
{
	const size_t vnet_bytes = station->guest.vnet_bytes;
	struct frame_arp arp;
	struct frame_udp udp;

	if (!frame_parse_arp(frame, length, vnet_bytes, &arp) &&
	    arp.operation == FRAME_ARP_REQUEST && arp.target_ip == station->ip)
		return send_arp(station, FRAME_ARP_REPLY, arp.sender_mac,
				arp.sender_ip);
	if (!frame_parse_udp(frame, length, vnet_bytes, &udp) &&
	    udp.dst_ip == station->ip && udp.dst_port == ECHO_PORT)
		return echo(station, &udp);
	return 0;
}

static int serve_forever(struct station *station)
{
	uint8_t frame[FRAME_BYTES_MAX];
	int ret;

	for (;;) {
		ret = net_guest_receive(&station->guest, 0, frame,
					sizeof(frame), REPLY_MS);
		if (ret == -ETIMEDOUT)
			continue;
		if (ret < 0)
			return ret;
		ret = serve(station, frame, ret);
		if (ret)
			return ret;
	}
}

/* The next frame that parses: as ARP if @udp_out is NULL, else as UDP */
static int wait_for(struct station *station, uint8_t *frame,
		    struct frame_arp *arp_out, struct frame_udp *udp_out)
{
	const size_t vnet_bytes = station->guest.vnet_bytes;
	int ret;

	do {
		ret = net_guest_receive(&station->guest, 0, frame,
					FRAME_BYTES_MAX, REPLY_MS);
		if (ret < 0)
			return ret;
		ret = udp_out ? frame_parse_udp(frame, ret, vnet_bytes,
						udp_out) :
				frame_parse_arp(frame, ret, vnet_bytes,
						arp_out);
	} while (ret);
	return 0;
}

static int resolve(struct station *station, uint32_t ip,
		   uint8_t mac_out[FRAME_MAC_BYTES])
{
	static const uint8_t unknown_mac[FRAME_MAC_BYTES];
	uint8_t frame[FRAME_BYTES_MAX];
	struct frame_arp arp;
	int ret;

	ret = send_arp(station, FRAME_ARP_REQUEST, unknown_mac, ip);
	if (ret)
		return ret;
	do {
		ret = wait_for(station, frame, &arp, NULL);
		if (ret)
			return ret;
	} while (arp.operation != FRAME_ARP_REPLY || arp.sender_ip != ip);
	memcpy(mac_out, arp.sender_mac, FRAME_MAC_BYTES);
	return 0;
}

static int ping_once(struct station *station, struct frame_udp *udp,
		     unsigned int number)
{
	uint8_t frame[FRAME_BYTES_MAX], payload[FRAME_UDP_PAYLOAD_MAX];
	struct frame_udp reply;
	int ret;

	udp->payload = payload;
	udp->payload_bytes = 1 + number * 97 % FRAME_UDP_PAYLOAD_MAX;
	memset(payload, number, udp->payload_bytes);
	ret = send_udp(station, udp);
	if (ret)
		return ret;
	ret = wait_for(station, frame, NULL, &reply);
	if (ret)
		return ret;
	if (reply.src_port != ECHO_PORT ||
	    reply.payload_bytes != udp->payload_bytes ||
	    memcmp(reply.payload, payload, udp->payload_bytes))
		return -EBADMSG;
	return 0;
}

static int ping(struct station *station, uint8_t peer, unsigned int count)
{
	struct frame_udp udp = {
		.src_ip = station->ip,
		.dst_ip = NETWORK + peer,
		.src_port = 5000,
		.dst_port = ECHO_PORT,
	};
	uint8_t expected_mac[FRAME_MAC_BYTES];
	unsigned int i;
	int ret;

	mac_of(peer, expected_mac);
	memcpy(udp.src_mac, station->mac, FRAME_MAC_BYTES);
	ret = resolve(station, udp.dst_ip, udp.dst_mac);
	if (ret)
		return ret;
	if (memcmp(udp.dst_mac, expected_mac, FRAME_MAC_BYTES))
		return -EBADMSG;
	for (i = 0; i < count; i++) {
		ret = ping_once(station, &udp, i);
		if (ret) {
			printf("%u of %u came back\n", i, count);
			return ret;
		}
	}
	printf("%u of %u came back\n", i, count);
	return 0;
}

static int open_station(struct station *station, const char *socket_path,
			uint8_t number)
{
	struct net_guest_config config = net_guest_config_default;
	int ret;

	config.features |= vhb_bit(VIRTIO_NET_F_MRG_RXBUF);
	mac_of(number, station->mac);
	station->ip = NETWORK + number;
	ret = net_guest_open(&station->guest, &config, socket_path);
	if (ret)
		return ret;
	puts("up");
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static struct station station;
	int ret = -EINVAL;

	if (argc < 4) {
		fprintf(stderr, "usage: pinger SOCKET OWN echo|hold|ping [PEER COUNT]\n");
		return 2;
	}
	ret = open_station(&station, argv[1], atoi(argv[2]));
	if (!ret) {
		if (!strcmp(argv[3], "echo"))
			ret = serve_forever(&station);
		else if (!strcmp(argv[3], "hold"))
			pause();
		else if (argc == 6)
			ret = ping(&station, atoi(argv[4]), atoi(argv[5]));
		else
			ret = -EINVAL;
	}
	if (ret)
		fprintf(stderr, "pinger: %s\n", strerror(-ret));
	net_guest_close(&station.guest);
	return ret ? 1 : 0;
}
