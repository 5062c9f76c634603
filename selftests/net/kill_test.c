// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Brokers and front-ends are killed under traffic, and the next one goes on: no
 * frame comes twice, and what the guest had sent gets there. Frames the host sent
 * while nobody was there are lost, as on a cable that was pulled out.
 *
 * VHB_KILL_ROUNDS: how often each
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/host_link.h"
#include "lib/net_bench.h"
#include "lib/random.h"
#include "wire/socket.h"

#define ROUNDS 6
#define LOAD_MS_MAX 60
/* An emulated and busy machine; the times themselves are printed. */
#define RESUME_MS_MAX 10000
/* Each of the front-ends that are killed numbers its frames from here on. */
#define NUMBERS_EACH (UINT32_C(1) << 20)
/* Nothing comes any more of a front-end that is dead. */
#define QUIET_MS 50

/**
 * struct kill_bench - a broker on a tap that outlives it, and a guest
 * @net: broker, guest and host
 * @is_client: the broker connects, the front-end listens
 * @listen_fd: where, or -1
 * @guest_next: no frame below this number may come to the guest any more
 * @lost: frames from the host that did not get there
 * @slowest_ms: the longest that traffic took to go on
 * @random: when to kill
 */
struct kill_bench {
	struct net_bench net;
	bool is_client;
	int listen_fd;
	uint32_t guest_next;
	unsigned int lost;
	uint64_t slowest_ms;
	struct test_random random;
};

static uint64_t seed;

static unsigned int rounds(void)
{
	const char *given = getenv("VHB_KILL_ROUNDS");
	const unsigned int count = given ? strtoul(given, NULL, 0) : 0;

	return count ? count : ROUNDS;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *const *arguments(const struct kill_bench *bench)
{
	static const char *const listening[] = { "--tap=" NET_BENCH_TAP, NULL };
	static const char *const client[] = { "--tap=" NET_BENCH_TAP,
					      "--connect", NULL };

	return bench->is_client ? client : listening;
}

static void check(struct kill_bench *bench, const char *what, int ret)
{
	if (!ret)
		return;
	printf("# %s: %s; %s\n", what, strerror(-ret),
	       bench->net.guest.frontend.why);
	if (bench->net.broker.pid)
		broker_show_log(&bench->net.broker);
	fail();
}

static void connect_guest(struct kill_bench *bench)
{
	struct net_guest *guest = &bench->net.guest;
	struct pollfd pollfd = { .fd = bench->listen_fd, .events = POLLIN };

	if (bench->is_client) {
		assert_int_equal(poll(&pollfd, 1, RESUME_MS_MAX), 1);
		check(bench, "accept",
		      net_guest_accept(guest,
				       vhb_socket_accept(bench->listen_fd)));
	} else {
		check(bench, "connect",
		      net_guest_connect(guest, bench->net.broker.socket_path));
	}
	check(bench, "memory", net_guest_share_memory(guest));
	check(bench, "rings", net_guest_start_pair(guest, 0));
}

static int set_up(void **state, bool is_client)
{
	struct kill_bench *bench = calloc(1, sizeof(*bench));
	int ret;

	if (!bench)
		return -ENOMEM;
	*state = bench;
	bench->is_client = is_client;
	bench->listen_fd = -1;
	bench->random = test_random_of(seed);
	if (system("ip tuntap add " NET_BENCH_TAP " mode tap"))
		return -ENODEV;
	ret = net_bench_start(&bench->net, arguments(bench) + 1);
	if (ret)
		return ret;
	if (is_client) {
		bench->listen_fd =
			vhb_socket_listen(bench->net.broker.socket_path);
		if (bench->listen_fd < 0)
			return bench->listen_fd;
	}
	return net_guest_init(&bench->net.guest, &net_guest_config_default);
}

static int set_up_listening(void **state)
{
	return set_up(state, false);
}

static int set_up_client(void **state)
{
	return set_up(state, true);
}

static int tear_down(void **state)
{
	struct kill_bench *bench = *state;
	int ret;

	net_guest_close(&bench->net.guest);
	ret = net_bench_stop(&bench->net);
	if (bench->listen_fd >= 0)
		close(bench->listen_fd);
	free(bench);
	return system("ip link del " NET_BENCH_TAP) || ret;
}

static uint32_t number_of(struct kill_bench *bench, const uint8_t *frame,
			  size_t frame_bytes, size_t vnet_bytes)
{
	struct frame_udp udp;
	uint32_t number;

	check(bench, "frame",
	      frame_parse_udp(frame, frame_bytes, vnet_bytes, &udp));
	assert_true(udp.payload_bytes >= sizeof(number));
	memcpy(&number, udp.payload, sizeof(number));
	check(bench, "frame",
	      net_bench_check(frame, frame_bytes, vnet_bytes, number, 0));
	return number;
}

/* The number of the next frame at the guest, unharmed, or -errno */
static int64_t take_at_guest(struct kill_bench *bench, unsigned int timeout_ms)
{
	uint8_t frame[FRAME_BYTES_MAX];
	int ret;

	ret = net_guest_receive(&bench->net.guest, 0, frame, sizeof(frame),
				timeout_ms);
	if (ret < 0)
		return ret;
	return number_of(bench, frame, ret, bench->net.guest.vnet_bytes);
}

/*
 * Everything up to the last frame sent, or until there is nothing for a while.
 * None may come twice or be overtaken.
 */
static void drain_at_guest(struct kill_bench *bench, unsigned int timeout_ms)
{
	int64_t number;

	while (bench->guest_next < bench->net.host_sent) {
		number = take_at_guest(bench, timeout_ms);
		if (number == -ETIMEDOUT)
			return;
		if (number < 0)
			check(bench, "receive", number);
		assert_true(number >= bench->guest_next);
		assert_true(number < bench->net.host_sent);
		bench->lost += number - bench->guest_next;
		bench->guest_next = number + 1;
	}
}

static void let_run(struct kill_bench *bench)
{
	const uint64_t end_ms =
		now_ms() + test_random_below(&bench->random, LOAD_MS_MAX);

	do {
		check(bench, "guest sends",
		      net_bench_guest_queue(&bench->net, 0, NET_BENCH_BURST));
		check(bench, "host sends",
		      net_bench_host_queue(&bench->net, 0, NET_BENCH_BURST));
		check(bench, "host takes",
		      net_bench_host_take(&bench->net, NET_BENCH_BURST));
		drain_at_guest(bench, NET_GUEST_TIMEOUT_MS);
		assert_int_equal(bench->guest_next, bench->net.host_sent);
	} while (now_ms() < end_ms);
}

/* Frames both ways that the kernel is at work on when this returns */
static void leave_unfinished(struct kill_bench *bench)
{
	check(bench, "guest sends",
	      net_bench_guest_queue(&bench->net, 0, NET_BENCH_BURST));
	check(bench, "host sends",
	      net_bench_host_queue(&bench->net, 0, NET_BENCH_BURST));
}

/* All that the guest has sent, and then new frames both ways */
static void expect_resumed(struct kill_bench *bench, uint64_t since_ms,
			   unsigned int waiting_count)
{
	uint64_t took_ms;

	check(bench, "frames that waited",
	      net_bench_host_take(&bench->net, waiting_count));
	do {
		check(bench, "host sends",
		      net_bench_host_queue(&bench->net, 0, 1));
		drain_at_guest(bench, 10);
		took_ms = now_ms() - since_ms;
		assert_true(took_ms < RESUME_MS_MAX);
	} while (bench->guest_next < bench->net.host_sent);
	if (took_ms > bench->slowest_ms)
		bench->slowest_ms = took_ms;
}

static void report(const struct kill_bench *bench, const char *what)
{
	printf("# %s killed %u times: traffic again after %" PRIu64
	       " ms at most; %u frames from the guest, %u from the host, %u of those lost\n",
	       what, rounds(), bench->slowest_ms, bench->net.guest_sent,
	       bench->net.host_sent, bench->lost);
}

static void brokers_are_killed(void **state)
{
	struct kill_bench *bench = *state;
	struct net_guest *guest = &bench->net.guest;
	uint64_t start_ms;
	unsigned int i;

	connect_guest(bench);
	for (i = 0; i < rounds(); i++) {
		let_run(bench);
		leave_unfinished(bench);
		broker_kill(&bench->net.broker);
		frontend_close(&guest->frontend);
		/* What was left unfinished, and more that nobody looks at */
		check(bench, "guest sends",
		      net_bench_guest_queue(&bench->net, 0, NET_BENCH_BURST));
		/* Whatever it says of its rings, the used ring is believed. */
		guest->base = i % 3;
		check(bench, "broker",
		      broker_start_again(&bench->net.broker, "net",
					 arguments(bench)));
		start_ms = now_ms();
		connect_guest(bench);
		expect_resumed(bench, start_ms, 2 * NET_BENCH_BURST);
	}
	let_run(bench);
	report(bench, "broker");
	check(bench, "stop", net_guest_stop_pair(guest, 0));
}

/* A front-end with a guest of its own, which sends until it is killed */
static void be_front_end(struct kill_bench *bench, uint32_t first)
{
	uint8_t frame[FRAME_BYTES_MAX];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bench->net.guest_sent = first;
	if (net_guest_init(&bench->net.guest, &net_guest_config_default))
		_exit(1);
	connect_guest(bench);
	for (;;) {
		if (net_bench_guest_queue(&bench->net, 0, 1))
			_exit(1);
		/* Answers to nobody; they keep the receive ring busy. */
		net_guest_receive(&bench->net.guest, 0, frame, sizeof(frame),
				  0);
	}
}

static pid_t start_front_end(struct kill_bench *bench, uint32_t first)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		be_front_end(bench, first);
	return pid;
}

/*
 * Each frame once and in its turn: the next of the front-end before, as long as
 * it is not gone for good, then the first of this one and what follows.
 */
static bool take_at_host(struct kill_bench *bench, uint32_t first,
			 unsigned int timeout_ms)
{
	uint8_t frame[FRAME_BYTES_MAX];
	uint32_t number;
	int ret;

	ret = host_link_receive(bench->net.host_fd, frame, sizeof(frame),
				timeout_ms);
	if (ret == -ETIMEDOUT)
		return false;
	if (ret < 0)
		check(bench, "receive", ret);
	number = number_of(bench, frame, ret, 0);
	if (bench->net.host_taken < first && number == first)
		bench->net.host_taken = first;
	assert_int_equal(number, bench->net.host_taken);
	bench->net.host_taken++;
	return true;
}

static void front_ends_are_killed(void **state)
{
	struct kill_bench *bench = *state;
	uint64_t start_ms, end_ms;
	uint32_t first;
	unsigned int i;
	pid_t pid;

	net_guest_close(&bench->net.guest);
	for (i = 1; i <= rounds(); i++) {
		first = i * NUMBERS_EACH;
		start_ms = now_ms();
		pid = start_front_end(bench, first);
		while (bench->net.host_taken <= first)
			assert_true(take_at_host(bench, first, RESUME_MS_MAX));
		end_ms = now_ms();
		if (end_ms - start_ms > bench->slowest_ms)
			bench->slowest_ms = end_ms - start_ms;
		check(bench, "host sends",
		      net_bench_host_queue(&bench->net, 0, NET_BENCH_BURST));
		end_ms += test_random_below(&bench->random, LOAD_MS_MAX);
		while (now_ms() < end_ms)
			take_at_host(bench, first, 1);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		while (take_at_host(bench, first, QUIET_MS))
			;
		bench->net.guest_sent += bench->net.host_taken - first;
		assert_true(broker_is_alive(&bench->net.broker));
	}
	report(bench, "front-end");
}

#define CASE(function, kind)						\
	{ #function "_" #kind, function, set_up_##kind, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(brokers_are_killed, listening),
		CASE(brokers_are_killed, client),
		CASE(front_ends_are_killed, listening),
		CASE(front_ends_are_killed, client),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	seed = test_random_seed();
	return cmocka_run_group_tests_name("net: kill", tests, NULL, NULL) ? 1 :
									    0;
}
