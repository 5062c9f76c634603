// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/net_bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <netinet/if_ether.h>

#include "lib/host_link.h"

#define ARGUMENTS_MAX 12
#define PORT 4000
#define PAYLOAD_BYTES_MIN 8
#define ROOM_BYTES FRAME_BYTES_MAX

/* Nobody's: the host's stack leaves these frames alone. */
static const uint8_t guest_mac[FRAME_MAC_BYTES] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t other_mac[FRAME_MAC_BYTES] = { 2, 0, 0, 0, 0, 2 };

int net_bench_start(struct net_bench *bench, const char *const *arguments)
{
	const char *argv[ARGUMENTS_MAX + 2] = { "--tap=" NET_BENCH_TAP };
	unsigned int count = 1;
	int ret;

	memset(bench, 0, sizeof(*bench));
	bench->host_fd = -1;
	bench->guest.frontend.fd = -1;
	while (arguments && *arguments && count < ARGUMENTS_MAX)
		argv[count++] = *arguments++;
	ret = broker_start(&bench->broker, argv);
	if (ret)
		return ret;
	bench->host_fd = host_link_open(NET_BENCH_TAP, ETH_P_IP, false);
	if (bench->host_fd < 0) {
		ret = bench->host_fd;
		broker_stop(&bench->broker);
		return ret;
	}
	return 0;
}

int net_bench_stop(struct net_bench *bench)
{
	if (bench->host_fd >= 0)
		close(bench->host_fd);
	bench->host_fd = -1;
	return broker_stop(&bench->broker);
}

static size_t payload_bytes_of(uint32_t number)
{
	/* A prime: all lengths come up, also odd ones. */
	return PAYLOAD_BYTES_MIN +
	       number * 389 % (FRAME_UDP_PAYLOAD_MAX - PAYLOAD_BYTES_MIN + 1);
}

static void fill_payload(uint8_t *payload, size_t size_bytes, uint32_t number)
{
	uint32_t state = number;
	size_t i;

	for (i = 0; i < size_bytes; i++) {
		state = state * 1664525 + 1013904223;
		payload[i] = state >> 24;
	}
	memcpy(payload, &number, sizeof(number));
}

int net_bench_frame(uint8_t *frame, size_t vnet_bytes, uint32_t number,
		    uint16_t port)
{
	uint8_t payload[FRAME_UDP_PAYLOAD_MAX];
	struct frame_udp udp = {
		.src_ip = 0x0a000001,
		.dst_ip = 0x0a000002,
		.src_port = port,
		.dst_port = port,
		.payload = payload,
		.payload_bytes = payload_bytes_of(number),
	};

	memcpy(udp.src_mac, guest_mac, sizeof(guest_mac));
	memcpy(udp.dst_mac, other_mac, sizeof(other_mac));
	fill_payload(payload, udp.payload_bytes, number);
	return frame_build_udp(frame, vnet_bytes, &udp);
}

int net_bench_check(const uint8_t *frame, size_t frame_bytes, size_t vnet_bytes,
		    uint32_t number, uint32_t stale_below)
{
	uint8_t payload[FRAME_UDP_PAYLOAD_MAX];
	struct frame_udp udp;
	uint32_t got = 0;
	int ret;

	ret = frame_parse_udp(frame, frame_bytes, vnet_bytes, &udp);
	if (ret)
		return ret;
	if (memcmp(udp.dst_mac, other_mac, sizeof(other_mac)) ||
	    udp.payload_bytes < sizeof(got))
		return -ENOMSG;
	memcpy(&got, udp.payload, sizeof(got));
	if (got < stale_below)
		return -ENOMSG;
	fill_payload(payload, payload_bytes_of(number), number);
	if (udp.payload_bytes != payload_bytes_of(number) ||
	    memcmp(udp.payload, payload, udp.payload_bytes)) {
		printf("# frame %u: got %u of %zu bytes\n", number, got,
		       udp.payload_bytes);
		return -EBADMSG;
	}
	return 0;
}

static int receive_at_host(struct net_bench *bench, uint32_t number)
{
	uint8_t frame[ROOM_BYTES];
	int ret;

	do {
		ret = host_link_receive(bench->host_fd, frame, sizeof(frame),
					NET_GUEST_TIMEOUT_MS);
		if (ret < 0)
			return ret;
		ret = net_bench_check(frame, ret, 0, number,
				      bench->stale_below);
	} while (ret == -ENOMSG);
	return ret;
}

static int receive_at_guest(struct net_bench *bench, unsigned int pair,
			    uint32_t number)
{
	const size_t vnet_bytes = bench->guest.vnet_bytes;
	uint8_t frame[ROOM_BYTES];
	int ret;

	do {
		ret = net_guest_receive(&bench->guest, pair, frame,
					sizeof(frame), NET_GUEST_TIMEOUT_MS);
		if (ret < 0)
			return ret;
		ret = net_bench_check(frame, ret, vnet_bytes, number,
				      bench->stale_below);
	} while (ret == -ENOMSG);
	return ret;
}

int net_bench_guest_queue(struct net_bench *bench, unsigned int pair,
			  unsigned int count)
{
	uint8_t frame[ROOM_BYTES];
	int ret;

	while (count--) {
		ret = net_bench_frame(frame, bench->guest.vnet_bytes,
				      bench->guest_sent, PORT + pair);
		ret = net_guest_send(&bench->guest, pair, frame, ret);
		if (ret)
			return ret;
		bench->guest_sent++;
	}
	return 0;
}

int net_bench_host_queue(struct net_bench *bench, unsigned int pair,
			 unsigned int count)
{
	uint8_t frame[ROOM_BYTES];
	int ret;

	while (count--) {
		ret = net_bench_frame(frame, 0, bench->host_sent, PORT + pair);
		ret = host_link_send(bench->host_fd, frame, ret);
		if (ret)
			return ret;
		bench->host_sent++;
	}
	return 0;
}

int net_bench_host_take(struct net_bench *bench, unsigned int count)
{
	int ret;

	while (count--) {
		ret = receive_at_host(bench, bench->host_taken);
		if (ret)
			return ret;
		bench->host_taken++;
	}
	return 0;
}

int net_bench_guest_take(struct net_bench *bench, unsigned int pair,
			 unsigned int count)
{
	int ret;

	while (count--) {
		ret = receive_at_guest(bench, pair, bench->guest_taken);
		if (ret)
			return ret;
		bench->guest_taken++;
	}
	return 0;
}

static unsigned int burst_of(unsigned int count)
{
	return count < NET_BENCH_BURST ? count : NET_BENCH_BURST;
}

int net_bench_guest_sends(struct net_bench *bench, unsigned int pair,
			  unsigned int count)
{
	int ret;

	for (; count; count -= burst_of(count)) {
		ret = net_bench_guest_queue(bench, pair, burst_of(count));
		if (ret)
			return ret;
		ret = net_bench_host_take(bench, burst_of(count));
		if (ret)
			return ret;
	}
	return net_guest_flush(&bench->guest, pair);
}

int net_bench_host_sends(struct net_bench *bench, unsigned int pair,
			 unsigned int count)
{
	int ret;

	for (; count; count -= burst_of(count)) {
		ret = net_bench_host_queue(bench, pair, burst_of(count));
		if (ret)
			return ret;
		ret = net_bench_guest_take(bench, pair, burst_of(count));
		if (ret)
			return ret;
	}
	return 0;
}

int net_bench_exchange(struct net_bench *bench, unsigned int pair,
		       unsigned int count)
{
	int ret = net_bench_guest_sends(bench, pair, count);

	return ret ? ret : net_bench_host_sends(bench, pair, count);
}

void net_bench_forget(struct net_bench *bench)
{
	uint32_t next = bench->guest_sent > bench->host_sent ?
			bench->guest_sent : bench->host_sent;
	uint8_t frame[ROOM_BYTES];

	while (host_link_receive(bench->host_fd, frame, sizeof(frame), 0) >= 0)
		;

	bench->guest_sent = next;
	bench->host_taken = next;
	bench->host_sent = next;
	bench->guest_taken = next;
	bench->stale_below = next;
}

int net_bench_session(struct net_bench *bench,
		      const struct net_guest_config *config, unsigned int count)
{
	unsigned int i;
	int ret;

	ret = net_guest_open(&bench->guest, config, bench->broker.socket_path);
	if (ret)
		return ret;
	for (i = 0; i < config->pairs && !ret; i++)
		ret = net_bench_guest_sends(bench, i, count);
	/* The tap chooses the queue by what the guest has sent before. */
	if (!ret)
		ret = net_bench_host_sends(bench, config->pairs - 1, count);
	for (i = 0; i < config->pairs && !ret; i++)
		ret = net_guest_stop_pair(&bench->guest, i);
	net_guest_close(&bench->guest);
	return ret;
}
