// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"

/*
 * What a guest acks decides what may cross the tap: packets with half a checksum
 * and packets larger than the MTU. The host's end shows its headers as well
 * (PACKET_VNET_HDR).
 */

#define ROOM_BYTES 20000
#define LARGE_BYTES 9000
#define SEGMENT_BYTES 1400
#define HOST_VNET_BYTES 10
/* Of IPv4 without options */
#define TRANSPORT_OFFSET (sizeof(struct ether_header) + sizeof(struct iphdr))

static int set_up(void **state)
{
	static struct net_bench bench;
	int ret;

	*state = &bench;
	ret = net_bench_start(&bench, NULL);
	if (ret)
		return ret;
	close(bench.host_fd);
	bench.host_fd = host_link_open(NET_BENCH_TAP, ETHERTYPE_IP, true);
	return bench.host_fd < 0 ? bench.host_fd : 0;
}

static int tear_down(void **state)
{
	struct net_bench *bench = *state;

	net_guest_close(&bench->guest);
	if (!broker_is_alive(&bench->broker))
		broker_show_log(&bench->broker);
	return net_bench_stop(bench);
}

static void open_guest(struct net_bench *bench, uint64_t features)
{
	struct net_guest_config config = net_guest_config_default;

	config.features |= features;
	config.ring_num = 64;
	config.buffer_bytes = 16384;
	assert_int_equal(net_guest_open(&bench->guest, &config,
					bench->broker.socket_path), 0);
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum += i & 1 ? bytes[i] : bytes[i] << 8;
	return sum;
}

static uint16_t pseudo_sum(const struct iphdr *ip, size_t transport_bytes)
{
	uint32_t sum = ip->protocol + transport_bytes;

	sum = sum_bytes(sum, (const uint8_t *)&ip->saddr, sizeof(ip->saddr));
	return fold(sum_bytes(sum, (const uint8_t *)&ip->daddr,
			      sizeof(ip->daddr)));
}

/* Is the checksum of everything behind IP's header right? */
static bool is_checksum_right(const uint8_t *frame)
{
	struct iphdr ip;
	size_t count;

	memcpy(&ip, frame + sizeof(struct ether_header), sizeof(ip));
	count = ntohs(ip.tot_len) - sizeof(ip);
	return fold(sum_bytes(pseudo_sum(&ip, count), frame + TRANSPORT_OFFSET,
			      count)) == 0xffff;
}

static size_t put_headers(uint8_t *frame, uint8_t protocol,
			  size_t transport_bytes, uint16_t *sum_out)
{
	struct ether_header ethernet = {
		.ether_dhost = { 2, 0, 0, 0, 0, 2 },
		.ether_shost = { 2, 0, 0, 0, 0, 1 },
		.ether_type = htons(ETHERTYPE_IP),
	};
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(sizeof(ip) + transport_bytes),
		.ttl = 64,
		.protocol = protocol,
		.saddr = htonl(0x0a000001),
		.daddr = htonl(0x0a000002),
	};

	ip.check = htons(~fold(sum_bytes(0, (uint8_t *)&ip, sizeof(ip))));
	*sum_out = htons(pseudo_sum(&ip, transport_bytes));
	memcpy(frame, &ethernet, sizeof(ethernet));
	memcpy(frame + sizeof(ethernet), &ip, sizeof(ip));
	return TRANSPORT_OFFSET;
}

/* A datagram whose checksum covers the pseudo header only; its length */
static size_t build_partial_udp(uint8_t *bytes, size_t vnet_bytes)
{
	const size_t payload_bytes = 333;
	const struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = TRANSPORT_OFFSET,
		.csum_offset = offsetof(struct udphdr, check),
	};
	struct udphdr udp = {
		.source = htons(4000),
		.dest = htons(4001),
		.len = htons(sizeof(udp) + payload_bytes),
	};
	uint16_t sum;
	size_t at;

	memset(bytes, 0, vnet_bytes);
	memcpy(bytes, &header, sizeof(header));
	at = vnet_bytes + put_headers(bytes + vnet_bytes, IPPROTO_UDP,
				      sizeof(udp) + payload_bytes, &sum);
	udp.check = sum;
	memcpy(bytes + at, &udp, sizeof(udp));
	memset(bytes + at + sizeof(udp), 0x5a, payload_bytes);
	return at + sizeof(udp) + payload_bytes;
}

/* A TCP segment of LARGE_BYTES that somebody has to cut up; its length */
static size_t build_large_tcp(uint8_t *bytes, size_t vnet_bytes)
{
	const struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = TRANSPORT_OFFSET + sizeof(struct tcphdr),
		.gso_size = SEGMENT_BYTES,
		.csum_start = TRANSPORT_OFFSET,
		.csum_offset = offsetof(struct tcphdr, check),
	};
	struct tcphdr tcp = {
		.source = htons(4000),
		.dest = htons(4001),
		.seq = htonl(1),
		.doff = sizeof(tcp) / 4,
		.ack = 1,
		.window = htons(1000),
	};
	uint16_t sum;
	size_t at;

	memset(bytes, 0, vnet_bytes);
	memcpy(bytes, &header, sizeof(header));
	at = vnet_bytes + put_headers(bytes + vnet_bytes, IPPROTO_TCP,
				      sizeof(tcp) + LARGE_BYTES, &sum);
	tcp.check = sum;
	memcpy(bytes + at, &tcp, sizeof(tcp));
	for (size_t i = 0; i < LARGE_BYTES; i++)
		bytes[at + sizeof(tcp) + i] = i * 7;
	return at + sizeof(tcp) + LARGE_BYTES;
}

static size_t take_at_host(struct net_bench *bench, uint8_t *bytes,
			   struct virtio_net_hdr *header_out)
{
	int ret = host_link_receive(bench->host_fd, bytes, ROOM_BYTES,
				    NET_GUEST_TIMEOUT_MS);

	assert_in_range(ret, HOST_VNET_BYTES + TRANSPORT_OFFSET, ROOM_BYTES);
	memcpy(header_out, bytes, sizeof(*header_out));
	return ret;
}

static size_t take_at_guest(struct net_bench *bench, uint8_t *bytes,
			    struct virtio_net_hdr *header_out)
{
	int ret = net_guest_receive(&bench->guest, 0, bytes, ROOM_BYTES,
				    NET_GUEST_TIMEOUT_MS);

	assert_in_range(ret, FRAME_VNET_BYTES + TRANSPORT_OFFSET, ROOM_BYTES);
	memcpy(header_out, bytes, sizeof(*header_out));
	return ret;
}

static void host_gets_partial_checksum(void **state)
{
	uint8_t sent[ROOM_BYTES], got[ROOM_BYTES];
	struct net_bench *bench = *state;
	struct virtio_net_hdr header;
	size_t size_bytes;

	open_guest(bench, vhb_bit(VIRTIO_NET_F_CSUM));
	size_bytes = build_partial_udp(sent, FRAME_VNET_BYTES);
	assert_int_equal(net_guest_send(&bench->guest, 0, sent, size_bytes), 0);
	assert_int_equal(take_at_host(bench, got, &header) - HOST_VNET_BYTES,
			 size_bytes - FRAME_VNET_BYTES);
	assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(header.csum_start, TRANSPORT_OFFSET);
	assert_int_equal(header.csum_offset, offsetof(struct udphdr, check));
	assert_memory_equal(got + HOST_VNET_BYTES, sent + FRAME_VNET_BYTES,
			    size_bytes - FRAME_VNET_BYTES);
}

static void host_gets_large_segment(void **state)
{
	uint8_t sent[ROOM_BYTES], got[ROOM_BYTES];
	struct net_bench *bench = *state;
	struct virtio_net_hdr header;
	size_t size_bytes;

	open_guest(bench, vhb_bit(VIRTIO_NET_F_CSUM) |
			  vhb_bit(VIRTIO_NET_F_HOST_TSO4));
	size_bytes = build_large_tcp(sent, FRAME_VNET_BYTES);
	assert_int_equal(net_guest_send(&bench->guest, 0, sent, size_bytes), 0);
	assert_int_equal(take_at_host(bench, got, &header) - HOST_VNET_BYTES,
			 size_bytes - FRAME_VNET_BYTES);
	assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(header.gso_size, SEGMENT_BYTES);
	assert_memory_equal(got + HOST_VNET_BYTES, sent + FRAME_VNET_BYTES,
			    size_bytes - FRAME_VNET_BYTES);
}

static void host_sends(struct net_bench *bench,
		       size_t (*build)(uint8_t *bytes, size_t vnet_bytes))
{
	uint8_t bytes[ROOM_BYTES];
	size_t size_bytes = build(bytes, HOST_VNET_BYTES);

	assert_int_equal(host_link_send(bench->host_fd, bytes, size_bytes), 0);
}

static void guest_gets_partial_checksum_if_it_can(void **state)
{
	struct net_bench *bench = *state;
	struct virtio_net_hdr header;
	uint8_t got[ROOM_BYTES];

	open_guest(bench, vhb_bit(VIRTIO_NET_F_GUEST_CSUM));
	host_sends(bench, build_partial_udp);
	take_at_guest(bench, got, &header);
	assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(header.csum_start, TRANSPORT_OFFSET);
	assert_false(is_checksum_right(got + FRAME_VNET_BYTES));
}

static void guest_gets_whole_checksum_otherwise(void **state)
{
	struct net_bench *bench = *state;
	struct virtio_net_hdr header;
	uint8_t got[ROOM_BYTES];

	open_guest(bench, 0);
	host_sends(bench, build_partial_udp);
	take_at_guest(bench, got, &header);
	assert_false(header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_true(is_checksum_right(got + FRAME_VNET_BYTES));
}

static void guest_gets_large_segment_if_it_can(void **state)
{
	struct net_bench *bench = *state;
	struct virtio_net_hdr header;
	uint8_t got[ROOM_BYTES];
	size_t size_bytes;

	open_guest(bench, vhb_bit(VIRTIO_NET_F_GUEST_CSUM) |
			  vhb_bit(VIRTIO_NET_F_GUEST_TSO4) |
			  vhb_bit(VIRTIO_NET_F_MRG_RXBUF));
	host_sends(bench, build_large_tcp);
	size_bytes = take_at_guest(bench, got, &header);
	assert_int_equal(size_bytes, FRAME_VNET_BYTES + TRANSPORT_OFFSET +
				     sizeof(struct tcphdr) + LARGE_BYTES);
	assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(header.gso_size, SEGMENT_BYTES);
	assert_int_equal(got[size_bytes - 1], (uint8_t)((LARGE_BYTES - 1) * 7));
}

static void guest_gets_small_segments_otherwise(void **state)
{
	const size_t overhead_bytes = FRAME_VNET_BYTES + TRANSPORT_OFFSET +
				      sizeof(struct tcphdr);
	struct net_bench *bench = *state;
	struct virtio_net_hdr header;
	size_t received_bytes = 0;
	uint8_t got[ROOM_BYTES];
	size_t size_bytes;

	open_guest(bench, 0);
	host_sends(bench, build_large_tcp);
	while (received_bytes < LARGE_BYTES) {
		size_bytes = take_at_guest(bench, got, &header);
		assert_int_equal(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		assert_true(size_bytes <= overhead_bytes + SEGMENT_BYTES);
		assert_true(is_checksum_right(got + FRAME_VNET_BYTES));
		received_bytes += size_bytes - overhead_bytes;
	}
	assert_int_equal(received_bytes, LARGE_BYTES);
}

/* The tap must not keep the offloads of the guest before. */
static void offloads_end_with_their_session(void **state)
{
	struct net_bench *bench = *state;

	guest_gets_large_segment_if_it_can(state);
	net_guest_close(&bench->guest);
	guest_gets_small_segments_otherwise(state);
	net_guest_close(&bench->guest);
	guest_gets_partial_checksum_if_it_can(state);
	net_guest_close(&bench->guest);
	guest_gets_whole_checksum_otherwise(state);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(host_gets_partial_checksum),
		CASE(host_gets_large_segment),
		CASE(guest_gets_partial_checksum_if_it_can),
		CASE(guest_gets_whole_checksum_otherwise),
		CASE(guest_gets_large_segment_if_it_can),
		CASE(guest_gets_small_segments_otherwise),
		CASE(offloads_end_with_their_session),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: offload", tests, NULL, NULL);
}
