// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A front-end that leaves the control queue to the back-end, as crosvm and User-Mode
 * Linux do, with the real broker and vhost-net.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <sys/socket.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"
#include "lib/net_driver.h"

#define PAIRS 2
#define CONTROL_INDEX (2 * PAIRS)
#define CONTROL_NUM 64
/* In the first region, between rings and buffers */
#define CONTROL_OFFSET (512 << 10)
#define ROUNDS 10
#define FRAMES 64
#define WAIT_MS 10000
#define QUIET_MS 300
#define PAUSE_MS 50
#define FLOOD 20000

/**
 * struct control_bench - the bench, and the guest's control queue
 * @bench: broker, guest and tap
 * @driver: the driver's side
 */
struct control_bench {
	struct net_bench bench;
	struct net_driver driver;
};

static int set_up(void **state)
{
	static const char *const arguments[] = { "--queue-pairs=2", NULL };
	static struct control_bench control;

	*state = &control;
	control.driver.ring.kick_fd = -1;
	control.driver.ring.call_fd = -1;
	control.driver.ring.is_busy = NULL;
	return net_bench_start(&control.bench, arguments);
}

static int tear_down(void **state)
{
	struct control_bench *control = *state;

	net_driver_destroy(&control->driver);
	net_guest_close(&control->bench.guest);
	if (!broker_is_alive(&control->bench.broker))
		broker_show_log(&control->bench.broker);
	return net_bench_stop(&control->bench);
}

/* A guest whose pairs run; its control queue is laid out, and not started. */
static void open_guest(struct control_bench *control)
{
	struct net_guest_config config = net_guest_config_default;
	struct net_guest *guest = &control->bench.guest;

	config.pairs = PAIRS;
	config.features |= vhb_bit(VIRTIO_NET_F_MQ) |
			   vhb_bit(VIRTIO_NET_F_CTRL_VQ) |
			   vhb_bit(VIRTIO_NET_F_CTRL_RX) |
			   vhb_bit(VIRTIO_NET_F_CTRL_MAC_ADDR) |
			   vhb_bit(VIRTIO_NET_F_STATUS) |
			   vhb_bit(VIRTIO_NET_F_GUEST_ANNOUNCE) |
			   vhb_bit(VIRTIO_RING_F_EVENT_IDX);
	assert_int_equal(net_guest_open(guest, &config,
					control->bench.broker.socket_path), 0);
	assert_int_equal(net_driver_init(&control->driver, &guest->memory[0],
					 CONTROL_OFFSET, CONTROL_NUM), 0);
	control->driver.ring.has_event_idx = true;
}

static void start_control(struct control_bench *control)
{
	assert_int_equal(guest_ring_start(&control->driver.ring,
					  &control->bench.guest.frontend,
					  CONTROL_INDEX), 0);
}

static int set_pairs(struct control_bench *control, uint8_t count)
{
	const uint8_t argument[] = { count, 0 };

	return net_driver_command(&control->driver, VIRTIO_NET_CTRL_MQ,
				  VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, argument,
				  sizeof(argument));
}

static void config_of(struct control_bench *control,
		      struct virtio_net_config *config)
{
	assert_int_equal(frontend_get_config(&control->bench.guest.frontend, 0,
					     0, config, sizeof(*config)), 0);
}

static void guest_says_how_many_pairs_it_uses(void **state)
{
	struct control_bench *control = *state;
	struct net_bench *bench = &control->bench;
	unsigned int round;

	open_guest(control);
	start_control(control);
	for (round = 0; round < ROUNDS; round++) {
		/* Whatever flow it was, it comes by the only queue there is. */
		assert_int_equal(net_bench_exchange(bench, 0, FRAMES), 0);
		assert_int_equal(net_bench_host_queue(bench, 1,
						      NET_BENCH_BURST), 0);
		assert_int_equal(net_bench_guest_take(bench, 0,
						      NET_BENCH_BURST), 0);
		assert_int_equal(set_pairs(control, 2), VIRTIO_NET_OK);
		assert_int_equal(net_bench_exchange(bench, 0, FRAMES), 0);
		assert_int_equal(net_bench_exchange(bench, 1, FRAMES), 0);
		assert_int_equal(set_pairs(control, 3), VIRTIO_NET_ERR);
		assert_int_equal(set_pairs(control, 1), VIRTIO_NET_OK);
	}
}

static void address_is_in_the_configuration_space(void **state)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 9, 8, 7 };
	struct control_bench *control = *state;
	struct virtio_net_config config;

	open_guest(control);
	start_control(control);
	assert_int_equal(net_driver_command(&control->driver,
					    VIRTIO_NET_CTRL_MAC,
					    VIRTIO_NET_CTRL_MAC_ADDR_SET, mac,
					    sizeof(mac)), VIRTIO_NET_OK);
	config_of(control, &config);
	assert_memory_equal(config.mac, mac, sizeof(mac));
}

/* The whole life of a vring: paused, stopped, started where it was */
static void queue_goes_on_where_it_stopped(void **state)
{
	struct control_bench *control = *state;
	struct frontend *frontend = &control->bench.guest.frontend;
	struct net_driver *driver = &control->driver;
	unsigned int base, round;

	open_guest(control);
	start_control(control);
	for (round = 0; round < ROUNDS; round++) {
		assert_int_equal(set_pairs(control, 1 + round % 2),
				 VIRTIO_NET_OK);
		assert_int_equal(frontend_set_vring_enable(frontend,
							   CONTROL_INDEX,
							   false), 0);
		/* What is sent meanwhile is served after the pause. */
		assert_int_equal(net_driver_post(driver, 0xff, 0xff, NULL, 0),
				 0);
		guest_ring_kick_always(&driver->ring);
		assert_int_equal(net_driver_answer(driver, PAUSE_MS),
				 -ETIMEDOUT);
		assert_int_equal(frontend_set_vring_enable(frontend,
							   CONTROL_INDEX,
							   true), 0);
		assert_int_equal(net_driver_answer(driver, WAIT_MS),
				 VIRTIO_NET_ERR);
		assert_int_equal(frontend_get_vring_base(frontend,
							 CONTROL_INDEX, &base),
				 0);
		assert_int_equal(base, driver->ring.used_idx);
		start_control(control);
	}
}

static void guest_that_comes_back_announces_itself(void **state)
{
	struct control_bench *control = *state;
	struct net_guest *guest = &control->bench.guest;
	struct virtio_net_config config;
	struct pollfd pollfd = { .events = POLLIN };
	struct vhb_wire_header header;
	int fds[2];

	open_guest(control);
	start_control(control);
	assert_int_equal(set_pairs(control, 2), VIRTIO_NET_OK);
	config_of(control, &config);
	assert_int_equal(config.status, VIRTIO_NET_S_LINK_UP);

	/* The same guest, in another place or with another broker */
	frontend_close(&guest->frontend);
	assert_int_equal(net_guest_connect(guest,
					   control->bench.broker.socket_path),
			 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	assert_int_equal(frontend_tell(&guest->frontend, VHB_SET_BACKEND_REQ_FD,
				       NULL, 0, &fds[1], 1), 0);
	assert_int_equal(net_guest_share_memory(guest), 0);
	start_control(control);
	pollfd.fd = fds[0];
	assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
	assert_int_equal(recv(fds[0], &header, sizeof(header), 0),
			 sizeof(header));
	assert_int_equal(header.request, VHB_BACKEND_CONFIG_CHANGE_MSG);
	config_of(control, &config);
	assert_int_equal(config.status,
			 VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	assert_int_equal(net_driver_command(&control->driver,
					    VIRTIO_NET_CTRL_ANNOUNCE,
					    VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL,
					    0), VIRTIO_NET_OK);
	config_of(control, &config);
	assert_int_equal(config.status, VIRTIO_NET_S_LINK_UP);
	close(fds[0]);
	close(fds[1]);
}

/* User-Mode Linux hears its calls on a socket. */
static void calls_come_by_socket(void **state)
{
	struct control_bench *control = *state;
	struct guest_ring *ring = &control->driver.ring;
	int fds[2];

	open_guest(control);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
				    SOCK_NONBLOCK, 0, fds), 0);
	close(ring->call_fd);
	ring->call_fd = fds[1];
	start_control(control);
	ring->call_fd = fds[0];
	close(fds[1]);
	guest_ring_want_call(ring, true);
	assert_int_equal(set_pairs(control, 2), VIRTIO_NET_OK);
	assert_int_equal(guest_ring_wait_call(ring, WAIT_MS), 0);
}

static void next_guest_works(struct control_bench *control)
{
	assert_true(broker_is_alive(&control->bench.broker));
	net_driver_destroy(&control->driver);
	net_guest_close(&control->bench.guest);
	net_bench_forget(&control->bench);
	open_guest(control);
	start_control(control);
	assert_int_equal(set_pairs(control, 2), VIRTIO_NET_OK);
	assert_int_equal(net_bench_exchange(&control->bench, 1, FRAMES), 0);
}

/* A flood of commands and kicks stops neither messages nor packets. */
static void flood_of_commands_harms_nobody(void **state)
{
	struct control_bench *control = *state;
	struct guest_ring *ring = &control->driver.ring;
	struct virtio_net_config config;
	unsigned int i;

	open_guest(control);
	start_control(control);
	for (i = 0; i < FLOOD; i++) {
		if (net_driver_post(&control->driver, i, i >> 8, NULL, 0))
			guest_ring_get(ring, WAIT_MS, NULL);
		guest_ring_kick_always(ring);
		if (!(i % (FLOOD / ROUNDS))) {
			config_of(control, &config);
			assert_int_equal(net_bench_exchange(&control->bench, 0,
							    NET_BENCH_BURST),
					 0);
		}
	}
	next_guest_works(control);
}

static void broken_queue_rests_and_costs_no_packets(void **state)
{
	struct control_bench *control = *state;
	struct guest_ring *ring = &control->driver.ring;
	unsigned int base;

	open_guest(control);
	start_control(control);
	ring->avail->ring[0] = CONTROL_NUM;
	__atomic_store_n(&ring->avail->idx, 1, __ATOMIC_RELEASE);
	guest_ring_kick_always(ring);
	usleep(QUIET_MS * 1000);
	assert_true(broker_comes_to_say(&control->bench.broker,
					"vring 4 is broken: its driver broke the rules (head)"));
	assert_int_equal(net_bench_exchange(&control->bench, 0, FRAMES), 0);
	assert_int_equal(frontend_get_vring_base(&control->bench.guest.frontend,
						 CONTROL_INDEX, &base), 0);
	next_guest_works(control);
}

static void truncated_memory_costs_the_session_at_most(void **state)
{
	struct control_bench *control = *state;
	struct guest_ring *ring = &control->driver.ring;

	open_guest(control);
	start_control(control);
	assert_int_equal(set_pairs(control, 2), VIRTIO_NET_OK);
	assert_int_equal(ftruncate(control->bench.guest.memory[0].fd, 0), 0);
	guest_ring_kick_always(ring);
	usleep(QUIET_MS * 1000);
	next_guest_works(control);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(guest_says_how_many_pairs_it_uses),
		CASE(address_is_in_the_configuration_space),
		CASE(queue_goes_on_where_it_stopped),
		CASE(guest_that_comes_back_announces_itself),
		CASE(calls_come_by_socket),
		CASE(flood_of_commands_harms_nobody),
		CASE(broken_queue_rests_and_costs_no_packets),
		CASE(truncated_memory_costs_the_session_at_most),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: control queue", tests, NULL,
					   NULL);
}
