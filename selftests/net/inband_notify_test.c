// SPDX-License-Identifier: GPL-2.0-or-later
/* A network card of which the guest's kicks and calls are messages */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "lib/bits.h"
#include "lib/broker.h"
#include "lib/inband_channel.h"
#include "lib/net_bench.h"

#define ok(call) assert_int_equal(call, 0)

#define ROUNDS 20
#define RX 0
#define TX 1

static int set_up(void **state)
{
	static const char *const arguments[] = {
		"--protocol-features=inband-notifications", NULL
	};
	static struct net_bench bench;

	*state = &bench;
	return net_bench_start(&bench, arguments);
}

static int tear_down(void **state)
{
	struct net_bench *bench = *state;

	net_guest_close(&bench->guest);
	if (!broker_is_alive(&bench->broker)) {
		broker_show_log(&bench->broker);
		net_bench_stop(bench);
		return -1;
	}
	return net_bench_stop(bench);
}

/* Returns the front-end's end of the channel */
static int start(struct net_bench *bench)
{
	struct net_guest_config config = net_guest_config_default;
	struct net_guest *guest = &bench->guest;
	int fd;

	config.is_inband = true;
	ok(net_guest_init(guest, &config));
	ok(net_guest_connect(guest, bench->broker.socket_path));
	assert_true(vhb_has_bit(guest->frontend.acked_protocol_mask,
				VHB_PROTOCOL_F_INBAND_NOTIFICATIONS));
	fd = inband_channel_give(&guest->frontend);
	assert_true(fd >= 0);
	ok(net_guest_share_memory(guest));
	ok(net_guest_start_pair(guest, 0));
	ok(inband_kick(&guest->frontend, RX));
	ok(inband_kick(&guest->frontend, TX));
	return fd;
}

static void guest_sends(struct net_bench *bench)
{
	ok(net_bench_guest_queue(bench, 0, NET_BENCH_BURST));
	ok(inband_kick(&bench->guest.frontend, TX));
	ok(net_bench_host_take(bench, NET_BENCH_BURST));
}

static void host_sends(struct net_bench *bench, int fd)
{
	ok(net_bench_host_queue(bench, 0, NET_BENCH_BURST));
	ok(inband_channel_wait(fd, VHB_BACKEND_VRING_CALL, RX,
			       NET_GUEST_TIMEOUT_MS));
	ok(net_bench_guest_take(bench, 0, NET_BENCH_BURST));
	ok(inband_kick(&bench->guest.frontend, RX));
}

static void frames_pass(void **state)
{
	struct net_bench *bench = *state;
	int fd = start(bench);

	for (unsigned int i = 0; i < ROUNDS; i++) {
		guest_sends(bench);
		host_sends(bench, fd);
	}
	ok(net_guest_stop_pair(&bench->guest, 0));
	close(fd);
}

/* Without the message the guest's frames stay where they are. */
static void nothing_leaves_without_a_kick(void **state)
{
	struct net_bench *bench = *state;
	int fd = start(bench);
	uint16_t used;

	guest_sends(bench);
	ok(net_guest_flush(&bench->guest, 0));
	used = bench->guest.queues[TX].ring.used->idx;
	ok(net_bench_guest_queue(bench, 0, 1));
	usleep(200000);
	assert_int_equal(bench->guest.queues[TX].ring.used->idx, used);
	ok(inband_kick(&bench->guest.frontend, TX));
	ok(net_bench_host_take(bench, 1));
	close(fd);
}

/* As the driver is bound again: stopped by its base, begun by a kick */
static void pair_starts_again(void **state)
{
	struct net_bench *bench = *state;
	int fd = start(bench);

	for (unsigned int i = 0; i < 3; i++) {
		guest_sends(bench);
		host_sends(bench, fd);
		ok(net_guest_flush(&bench->guest, 0));
		ok(net_guest_stop_pair(&bench->guest, 0));
		ok(net_guest_start_pair(&bench->guest, 0));
		ok(inband_kick(&bench->guest.frontend, RX));
		ok(inband_kick(&bench->guest.frontend, TX));
	}
	close(fd);
}

/* Its calls wait, its frames do not: it may look into its rings by itself. */
static void guest_that_answers_no_call_gets_its_frames(void **state)
{
	struct net_bench *bench = *state;
	int fd = start(bench);

	for (unsigned int i = 0; i < ROUNDS; i++) {
		guest_sends(bench);
		ok(net_bench_host_queue(bench, 0, NET_BENCH_BURST));
		ok(net_bench_guest_take(bench, 0, NET_BENCH_BURST));
		ok(inband_kick(&bench->guest.frontend, RX));
	}
	host_sends(bench, fd);
	close(fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(frames_pass),
		CASE(nothing_leaves_without_a_kick),
		CASE(pair_starts_again),
		CASE(guest_that_answers_no_call_gets_its_frames),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	return cmocka_run_group_tests_name("net in-band", tests, NULL, NULL);
}
