// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"
#include "lib/random.h"

/* Front-ends come and go by the hundred; nothing of them may stay behind. */

#define WARM_UP_ROUNDS 10
#define ROUNDS 200
#define FRAMES_EACH_ROUND 8
/* No more than the socket's queue takes */
#define WAITING 4

#define TRANSCRIPT_BYTES_MAX 4096
#define TRANSCRIPT_STEPS_MAX 64

/**
 * struct transcript - a whole set-up as it goes over the wire
 * @bytes: the messages
 * @size_bytes: of them all
 * @steps: for each message where it ends, and its descriptors
 * @step_count: how many messages
 */
struct transcript {
	uint8_t bytes[TRANSCRIPT_BYTES_MAX];
	size_t size_bytes;
	struct {
		size_t end;
		const int *fds;
		unsigned int fd_count;
	} steps[TRANSCRIPT_STEPS_MAX];
	unsigned int step_count;
};

static int set_up(void **state)
{
	static const char *const arguments[] = { "--queue-pairs=2", NULL };
	static struct net_bench bench;

	*state = &bench;
	return net_bench_start(&bench, arguments);
}

static int tear_down(void **state)
{
	struct net_bench *bench = *state;

	net_guest_close(&bench->guest);
	if (!broker_is_alive(&bench->broker))
		broker_show_log(&bench->broker);
	return net_bench_stop(bench);
}

/* A guest of another kind each time */
static void one_session(struct net_bench *bench, unsigned int round)
{
	struct net_guest_config config = net_guest_config_default;

	if (round & 1) {
		config.pairs = 2;
		config.features |= vhb_bit(VIRTIO_NET_F_MQ);
	}
	if (round & 2)
		config.features |= vhb_bit(VIRTIO_RING_F_EVENT_IDX);
	config.has_call_sockets = round & 4;
	config.regions = 1 + round % 3;
	config.ring_num = 64;

	/* Every third time without a good-bye */
	if (round % 3) {
		assert_int_equal(net_bench_session(bench, &config,
						   FRAMES_EACH_ROUND), 0);
		return;
	}
	assert_int_equal(net_guest_open(&bench->guest, &config,
					bench->broker.socket_path), 0);
	assert_int_equal(net_bench_exchange(bench, 0, FRAMES_EACH_ROUND), 0);
	net_guest_close(&bench->guest);
}

static void sessions_leave_nothing(void **state)
{
	struct net_bench *bench = *state;
	struct broker_counts before, after;
	unsigned int i;

	for (i = 0; i < WARM_UP_ROUNDS; i++)
		one_session(bench, i);
	assert_int_equal(broker_count_idle(&bench->broker, &before), 0);
	broker_show_counts("before", &before);
	for (i = 0; i < ROUNDS; i++)
		one_session(bench, i);
	assert_int_equal(broker_count_flat(&bench->broker, &before, &after),
			 0);
	broker_show_counts("after", &after);
}

static void say(struct transcript *transcript, uint32_t request,
		const void *payload, size_t size_bytes, const int *fds,
		unsigned int fd_count)
{
	const struct vhb_wire_header header = {
		.request = request,
		.flags = VHB_FLAG_VERSION | vhb_bit(VHB_FLAG_NEED_REPLY_BIT),
		.size_bytes = size_bytes,
	};
	uint8_t *end = transcript->bytes + transcript->size_bytes;

	transcript->size_bytes += sizeof(header) + size_bytes;
	assert_true(transcript->size_bytes <= TRANSCRIPT_BYTES_MAX);
	assert_true(transcript->step_count < TRANSCRIPT_STEPS_MAX);
	memcpy(end, &header, sizeof(header));
	if (size_bytes)
		memcpy(end + sizeof(header), payload, size_bytes);
	transcript->steps[transcript->step_count].end = transcript->size_bytes;
	transcript->steps[transcript->step_count].fds = fds;
	transcript->steps[transcript->step_count++].fd_count = fd_count;
}

static void say_u64(struct transcript *transcript, uint32_t request,
		    uint64_t value, const int *fd)
{
	say(transcript, request, &value, sizeof(value), fd, fd ? 1 : 0);
}

static void say_state(struct transcript *transcript, uint32_t request,
		      uint32_t index, uint32_t num)
{
	const struct vhb_wire_vring_state state = { index, num };

	say(transcript, request, &state, sizeof(state), NULL, 0);
}

static void say_memory(struct transcript *transcript, struct net_guest *guest)
{
	static int fds[NET_GUEST_REGIONS_MAX];
	struct vhb_wire_memory table = { .region_count = 2 };
	struct vhb_wire_single_region single = {
		.region = guest->memory[2].region,
	};
	unsigned int i;

	for (i = 0; i < NET_GUEST_REGIONS_MAX; i++)
		fds[i] = guest->memory[i].fd;
	for (i = 0; i < 2; i++)
		table.regions[i] = guest->memory[i].region;
	say(transcript, VHB_SET_MEM_TABLE, &table,
	    offsetof(struct vhb_wire_memory, regions[2]), fds, 2);
	say(transcript, VHB_ADD_MEM_REG, &single, sizeof(single), &fds[2], 1);
}

static void say_ring(struct transcript *transcript, struct guest_ring *ring,
		     unsigned int index)
{
	struct vhb_wire_vring_addr addr;

	guest_ring_addr(ring, index, &addr);
	say_u64(transcript, VHB_SET_VRING_CALL, index, &ring->call_fd);
	say_state(transcript, VHB_SET_VRING_NUM, index, ring->num);
	say_state(transcript, VHB_SET_VRING_BASE, index, 0);
	say(transcript, VHB_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	say_u64(transcript, VHB_SET_VRING_KICK, index, &ring->kick_fd);
	say_state(transcript, VHB_SET_VRING_ENABLE, index, 1);
}

static void write_transcript(struct transcript *transcript,
			     struct net_guest *guest)
{
	const struct vhb_wire_config config = { .size_bytes = 12 };
	unsigned int i;

	transcript->size_bytes = 0;
	transcript->step_count = 0;
	say(transcript, VHB_GET_FEATURES, NULL, 0, NULL, 0);
	say(transcript, VHB_GET_PROTOCOL_FEATURES, NULL, 0, NULL, 0);
	say_u64(transcript, VHB_SET_PROTOCOL_FEATURES,
		guest->offered_protocol, NULL);
	say(transcript, VHB_GET_QUEUE_NUM, NULL, 0, NULL, 0);
	say(transcript, VHB_SET_OWNER, NULL, 0, NULL, 0);
	say(transcript, VHB_GET_CONFIG, &config,
	    VHB_WIRE_CONFIG_HEADER_BYTES + config.size_bytes, NULL, 0);
	say_u64(transcript, VHB_SET_FEATURES, guest->config.features, NULL);
	say_memory(transcript, guest);
	for (i = 0; i < 4; i++)
		say_ring(transcript, &guest->queues[i].ring, i);
	for (i = 0; i < 4; i++)
		say_state(transcript, VHB_GET_VRING_BASE, i, 0);
}

/* All up to a byte, whose message may remain a torso */
static void recite(const struct transcript *transcript,
		   struct frontend *frontend, size_t end)
{
	size_t start = 0;
	unsigned int i;

	for (i = 0; i < transcript->step_count && start < end; i++) {
		size_t step_end = transcript->steps[i].end;

		if (step_end > end)
			step_end = end;
		assert_int_equal(frontend_send_bytes(frontend,
						     transcript->bytes + start,
						     step_end - start,
						     transcript->steps[i].fds,
						     transcript->steps[i].fd_count),
				 0);
		start = step_end;
	}
}

static void one_break(struct net_bench *bench,
		      const struct transcript *transcript, size_t end)
{
	struct frontend frontend;

	assert_int_equal(frontend_connect(&frontend, bench->broker.socket_path,
					  NET_GUEST_TIMEOUT_MS), 0);
	recite(transcript, &frontend, end);
	frontend_close(&frontend);
}

static void breaks_at_any_byte_leave_nothing(void **state)
{
	struct net_guest_config config = net_guest_config_default;
	struct test_random random = test_random_of(test_random_seed());
	static struct transcript transcript;
	struct broker_counts before, after;
	struct net_bench *bench = *state;
	unsigned int i;

	config.pairs = 2;
	config.regions = 3;
	config.features |= vhb_bit(VIRTIO_NET_F_MQ);
	/* Learns what is offered, and leaves rings with buffers in them */
	assert_int_equal(net_guest_open(&bench->guest, &config,
					bench->broker.socket_path), 0);
	frontend_close(&bench->guest.frontend);
	write_transcript(&transcript, &bench->guest);

	for (i = 0; i < WARM_UP_ROUNDS; i++)
		one_break(bench, &transcript, transcript.size_bytes);
	assert_int_equal(broker_count_idle(&bench->broker, &before), 0);
	broker_show_counts("before", &before);
	for (i = 0; i < ROUNDS; i++)
		one_break(bench, &transcript,
			  test_random_below(&random,
					    transcript.size_bytes + 1));
	assert_int_equal(broker_count_flat(&bench->broker, &before, &after),
			 0);
	broker_show_counts("after", &after);

	net_guest_close(&bench->guest);
	assert_int_equal(net_bench_session(bench, &config, FRAMES_EACH_ROUND),
			 0);
}

/* They wait in line, for the others do not say a word. */
static void silent_front_ends_leave_nothing(void **state)
{
	struct net_bench *bench = *state;
	struct broker_counts before, after;
	struct frontend frontends[WAITING];
	unsigned int i;

	one_session(bench, 1);
	assert_int_equal(broker_count_idle(&bench->broker, &before), 0);
	for (i = 0; i < VHB_ARRAY_COUNT(frontends); i++)
		assert_int_equal(frontend_connect(&frontends[i],
						  bench->broker.socket_path,
						  NET_GUEST_TIMEOUT_MS), 0);
	for (i = 0; i < VHB_ARRAY_COUNT(frontends); i++)
		frontend_close(&frontends[i]);
	one_session(bench, 1);
	assert_int_equal(broker_count_flat(&bench->broker, &before, &after),
			 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sessions_leave_nothing),
		CASE(breaks_at_any_byte_leave_nothing),
		CASE(silent_front_ends_leave_nothing),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: churn", tests, NULL, NULL);
}
