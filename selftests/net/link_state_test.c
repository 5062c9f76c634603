// SPDX-License-Identifier: GPL-2.0-or-later
/* A cable that is pulled out of the host's end, as the front-end sees it. */
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

#include "lib/host_link.h"
#include "lib/net_bench.h"

#define WAIT_MS 10000
#define QUIET_MS 300
#define FRAMES 64
#define FLAPS 100

/**
 * struct cable - the bench, and what the back-end says by itself
 * @bench: broker, guest and tap
 * @channel_fd: our end of SET_BACKEND_REQ_FD
 */
struct cable {
	struct net_bench bench;
	int channel_fd;
};

static void open_channel(struct cable *cable)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	assert_int_equal(frontend_tell(&cable->bench.guest.frontend,
				       VHB_SET_BACKEND_REQ_FD, NULL, 0, &fds[1],
				       1), 0);
	close(fds[1]);
	cable->channel_fd = fds[0];
}

static int set_up(void **state)
{
	static struct cable cable;
	int ret;

	*state = &cable;
	ret = net_bench_start(&cable.bench, NULL);
	if (ret)
		return ret;
	ret = net_guest_open(&cable.bench.guest, &net_guest_config_default,
			     cable.bench.broker.socket_path);
	if (!ret)
		open_channel(&cable);
	return ret;
}

static int tear_down(void **state)
{
	struct cable *cable = *state;

	close(cable->channel_fd);
	net_guest_close(&cable->bench.guest);
	if (!broker_is_alive(&cable->bench.broker))
		broker_show_log(&cable->bench.broker);
	return net_bench_stop(&cable->bench);
}

/* Takes one message; true when it came within this time */
static bool is_told(struct cable *cable, unsigned int ms)
{
	struct pollfd pollfd = { .fd = cable->channel_fd, .events = POLLIN };
	struct vhb_wire_header header;

	if (poll(&pollfd, 1, ms) != 1)
		return false;
	assert_int_equal(recv(cable->channel_fd, &header, sizeof(header),
			      MSG_WAITALL), sizeof(header));
	assert_int_equal(header.request, VHB_BACKEND_CONFIG_CHANGE_MSG);
	assert_int_equal(header.flags, VHB_FLAG_VERSION);
	assert_int_equal(header.size_bytes, 0);
	return true;
}

static unsigned int status_of(struct cable *cable)
{
	uint8_t status[2] = { 0xff, 0xff };

	assert_int_equal(frontend_get_config(&cable->bench.guest.frontend,
					     offsetof(struct virtio_net_config,
						      status), 0, status,
					     sizeof(status)), 0);
	return status[0] | status[1] << 8;
}

static void front_end_is_told_of_down_and_up(void **state)
{
	struct cable *cable = *state;

	assert_int_equal(status_of(cable), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(net_bench_exchange(&cable->bench, 0, FRAMES), 0);
	assert_int_equal(host_link_set_up(NET_BENCH_TAP, false), 0);
	assert_true(is_told(cable, WAIT_MS));
	assert_int_equal(status_of(cable), 0);
	assert_false(is_told(cable, QUIET_MS));
	assert_int_equal(host_link_set_up(NET_BENCH_TAP, true), 0);
	assert_true(is_told(cable, WAIT_MS));
	assert_int_equal(status_of(cable), VIRTIO_NET_S_LINK_UP);
	assert_false(is_told(cable, QUIET_MS));
}

/* Told now and then, no more often than it changed, and right at last */
static void flaps_are_told_in_bounds(void **state)
{
	struct cable *cable = *state;
	unsigned int told_count = 0;
	unsigned int i;

	for (i = 0; i < FLAPS; i++) {
		assert_int_equal(host_link_set_up(NET_BENCH_TAP, false), 0);
		assert_int_equal(host_link_set_up(NET_BENCH_TAP, true), 0);
	}
	assert_int_equal(host_link_set_up(NET_BENCH_TAP, false), 0);
	while (is_told(cable, QUIET_MS))
		told_count++;
	assert_in_range(told_count, 1, 2 * FLAPS + 1);
	assert_int_equal(status_of(cable), 0);
	assert_true(broker_is_alive(&cable->bench.broker));
}

/* One that does not read what it is told neither stops us nor costs memory. */
static void front_end_that_does_not_listen_costs_nothing(void **state)
{
	struct cable *cable = *state;
	struct broker_counts before, after;
	unsigned int i;

	assert_int_equal(broker_count(&cable->bench.broker, &before), 0);
	for (i = 0; i < 4 * FLAPS; i++) {
		assert_int_equal(host_link_set_up(NET_BENCH_TAP, i & 1), 0);
		status_of(cable);
	}
	for (i = 0; status_of(cable) != VIRTIO_NET_S_LINK_UP; i++) {
		assert_true(i < WAIT_MS / 10);
		usleep(10000);
	}
	assert_int_equal(broker_count(&cable->bench.broker, &after), 0);
	assert_int_equal(after.fds, before.fds);
	assert_int_equal(after.maps, before.maps);
}

static void next_front_end_finds_the_link_as_it_is(void **state)
{
	struct cable *cable = *state;

	net_guest_close(&cable->bench.guest);
	assert_int_equal(host_link_set_up(NET_BENCH_TAP, false), 0);
	assert_int_equal(net_guest_open(&cable->bench.guest,
					&net_guest_config_default,
					cable->bench.broker.socket_path), 0);
	assert_int_equal(status_of(cable), 0);
	assert_int_equal(host_link_set_up(NET_BENCH_TAP, true), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(front_end_is_told_of_down_and_up),
		CASE(flaps_are_told_in_bounds),
		CASE(front_end_that_does_not_listen_costs_nothing),
		CASE(next_front_end_finds_the_link_as_it_is),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: link state", tests, NULL,
					   NULL);
}
