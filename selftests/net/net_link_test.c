// SPDX-License-Identifier: GPL-2.0-or-later
/* What the guest is told of its cable, with a real tap and a made-up vhost-net. */
#include "net/fake_vhost.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include <sys/timerfd.h>
#include <sys/wait.h>

#include "lib/host_link.h"
#include "loop/loop.h"

#define WAIT_S 5
/* Nothing comes: long enough to have come */
#define QUIET_MS 100
#define FLAPS 100

/* A session, or what stands in for one */
static struct {
	struct vhb_kdev *kdev;
	struct vhb_loop *loop;
	struct vhb_kdev_listener listener;
	unsigned int news_count;
} guest;

static void on_config(void *argument)
{
	assert_ptr_equal(argument, &guest);
	guest.news_count++;
	vhb_loop_stop(guest.loop);
}

static void on_timer(void *argument, unsigned int events)
{
	(void)argument;
	(void)events;
	vhb_loop_stop(guest.loop);
}

/* Turns the loop until there is news or time is up; true for news */
static bool hears_within(unsigned int ms)
{
	const struct itimerspec time = {
		.it_value = { .tv_sec = ms / 1000,
			      .tv_nsec = ms % 1000 * 1000000L + 1 },
	};
	const unsigned int before = guest.news_count;
	struct vhb_watch_ref watch = { 0 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(timerfd_settime(fd, 0, &time, NULL), 0);
	assert_int_equal(vhb_loop_watch(guest.loop, fd, POLLIN, on_timer, NULL,
					&watch), 0);
	assert_int_equal(vhb_loop_run(guest.loop), 0);
	vhb_loop_unwatch(guest.loop, &watch);
	close(fd);
	return guest.news_count != before;
}

static unsigned int told(unsigned int offset_bytes)
{
	uint8_t data[2];

	assert_int_equal(guest.kdev->ops->get_config(guest.kdev, offset_bytes,
						     sizeof(data), data), 0);
	return data[0] | data[1] << 8;
}

static unsigned int told_status(void)
{
	return told(offsetof(struct virtio_net_config, status));
}

static unsigned int told_mtu(void)
{
	return told(offsetof(struct virtio_net_config, mtu));
}

static void expect_status(unsigned int status)
{
	assert_true(hears_within(WAIT_S * 1000));
	assert_int_equal(told_status(), status);
}

static void expect_nothing(void)
{
	assert_false(hears_within(QUIET_MS));
}

static void listen_to(struct vhb_kdev *kdev)
{
	assert_int_equal(vhb_loop_create(&guest.loop), 0);
	guest.kdev = kdev;
	guest.news_count = 0;
	guest.listener = (struct vhb_kdev_listener){
		.on_config = on_config,
		.argument = &guest,
	};
	kdev->ops->listen(kdev, guest.loop, &guest.listener);
}

/* Without a session nobody hears; then the device goes before the loop. */
static void end_guest(void)
{
	guest.kdev->ops->listen(guest.kdev, guest.loop, NULL);
	guest.kdev->ops->destroy(guest.kdev);
	vhb_loop_destroy(guest.loop);
}

static void test_link_follows_the_tap(void **state)
{
	(void)state;
	listen_to(make_net(1));
	assert_int_equal(told_status(), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(host_link_set_up("vhb0", false), 0);
	expect_status(0);
	assert_int_equal(host_link_set_up("vhb0", true), 0);
	expect_status(VIRTIO_NET_S_LINK_UP);
	expect_nothing();
	end_guest();
}

static void test_link_follows_the_carrier(void **state)
{
	int carrier = 0;

	(void)state;
	listen_to(make_net(1));
	assert_int_equal(__real_ioctl(vhb_net_of(guest.kdev)->tap.fds[0],
				      TUNSETCARRIER, &carrier), 0);
	expect_status(0);
	carrier = 1;
	assert_int_equal(__real_ioctl(vhb_net_of(guest.kdev)->tap.fds[0],
				      TUNSETCARRIER, &carrier), 0);
	expect_status(VIRTIO_NET_S_LINK_UP);
	end_guest();
}

static void test_link_follows_the_bridge(void **state)
{
	struct vhb_net_config config = config_of(1);
	struct vhb_kdev *kdev;

	(void)state;
	assert_int_equal(make_bridge("vhbbr0"), 0);
	config.bridge_name = "vhbbr0";
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	listen_to(kdev);
	/* A new bridge is down. */
	assert_int_equal(told_status(), 0);
	assert_int_equal(host_link_set_up("vhbbr0", true), 0);
	expect_status(VIRTIO_NET_S_LINK_UP);
	assert_int_equal(host_link_set_up("vhbbr0", false), 0);
	expect_status(0);
	/* Out of it, it does not matter any more; back in it does. */
	assert_int_equal(vhb_link_set_master(if_nametoindex("vhb0"), 0), 0);
	expect_status(VIRTIO_NET_S_LINK_UP);
	assert_int_equal(vhb_link_set_master(if_nametoindex("vhb0"),
					     if_nametoindex("vhbbr0")), 0);
	expect_status(0);
	end_guest();
}

static void test_other_links_are_no_news(void **state)
{
	(void)state;
	assert_int_equal(make_bridge("vhbbr0"), 0);
	listen_to(make_net(1));
	assert_int_equal(host_link_set_up("vhbbr0", true), 0);
	assert_int_equal(host_link_set_up("lo", true), 0);
	assert_int_equal(host_link_set_up("lo", false), 0);
	expect_nothing();
	assert_int_equal(told_status(), VIRTIO_NET_S_LINK_UP);
	end_guest();
}

static void test_a_change_between_sessions_is_seen_by_the_next(void **state)
{
	struct vhb_kdev *kdev = make_net(1);

	(void)state;
	listen_to(kdev);
	kdev->ops->listen(kdev, guest.loop, NULL);
	assert_int_equal(host_link_set_up("vhb0", false), 0);
	expect_nothing();
	kdev->ops->listen(kdev, guest.loop, &guest.listener);
	assert_int_equal(told_status(), 0);
	assert_int_equal(host_link_set_up("vhb0", true), 0);
	expect_status(VIRTIO_NET_S_LINK_UP);
	end_guest();
}

/* The state is told, not each step; no flood, and the last word is right. */
static void test_flaps_are_told_as_far_as_they_are_seen(void **state)
{
	unsigned int i;

	(void)state;
	listen_to(make_net(1));
	for (i = 0; i < FLAPS; i++) {
		assert_int_equal(host_link_set_up("vhb0", false), 0);
		assert_int_equal(host_link_set_up("vhb0", true), 0);
	}
	assert_int_equal(host_link_set_up("vhb0", false), 0);
	while (hears_within(QUIET_MS))
		;
	assert_in_range(guest.news_count, 1, FLAPS);
	assert_int_equal(told_status(), 0);
	end_guest();
}

static void test_a_deleted_tap_is_down(void **state)
{
	struct vhb_kdev *kdev;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	kdev = make_net(1);
	listen_to(kdev);
	assert_int_equal(system("ip link delete vhb0"), 0);
	expect_status(0);
	expect_nothing();
	end_guest();
}

static void test_a_tap_that_moves_away_counts_as_up(void **state)
{
	struct vhb_kdev *kdev;
	char command[64];
	int pid;

	(void)state;
	kdev = make_net(1);
	listen_to(kdev);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (!unshare(CLONE_NEWNET))
			pause();
		_exit(1);
	}
	usleep(200000);
	snprintf(command, sizeof(command), "ip link set vhb0 netns %d", pid);
	assert_int_equal(system(command), 0);
	hears_within(QUIET_MS);
	assert_int_equal(told_status(), VIRTIO_NET_S_LINK_UP);
	end_guest();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_a_renamed_tap_is_followed(void **state)
{
	(void)state;
	listen_to(make_net(1));
	assert_int_equal(host_link_set_up("vhb0", false), 0);
	expect_status(0);
	assert_int_equal(system("ip link set vhb0 name vhb9"), 0);
	assert_int_equal(host_link_set_up("vhb9", true), 0);
	expect_status(VIRTIO_NET_S_LINK_UP);
	assert_int_equal(guest.kdev->ops->set_mtu(guest.kdev, 1300), 0);
	end_guest();
}

static void test_mtu_follows_while_no_vring_runs(void **state)
{
	uint32_t base;

	(void)state;
	listen_to(make_net(1));
	assert_int_equal(told_mtu(), 1500);
	assert_int_equal(vhb_link_set_mtu(if_nametoindex("vhb0"), 1400), 0);
	assert_true(hears_within(WAIT_S * 1000));
	assert_int_equal(told_mtu(), 1400);

	/* Under a driver it must not change. */
	prepare(guest.kdev);
	assert_int_equal(guest.kdev->ops->start_vring(guest.kdev, 0), 0);
	assert_int_equal(vhb_link_set_mtu(if_nametoindex("vhb0"), 9000), 0);
	expect_nothing();
	assert_int_equal(told_mtu(), 1400);
	assert_int_equal(guest.kdev->ops->stop_vring(guest.kdev, 0, &base), 0);
	assert_int_equal(told_mtu(), 9000);

	/* What the front-end asked for holds, as far as the tap goes. */
	assert_int_equal(guest.kdev->ops->set_mtu(guest.kdev, 1450), 0);
	assert_int_equal(told_mtu(), 1450);
	assert_int_equal(vhb_link_set_mtu(if_nametoindex("vhb0"), 1600), 0);
	expect_nothing();
	assert_int_equal(vhb_link_set_mtu(if_nametoindex("vhb0"), 1300), 0);
	assert_true(hears_within(WAIT_S * 1000));
	assert_int_equal(told_mtu(), 1300);
	guest.kdev->ops->reset(guest.kdev);
	end_guest();
}

static void test_mtu_option_is_the_most(void **state)
{
	struct vhb_net_config config = config_of(1);
	struct vhb_kdev *kdev;

	(void)state;
	config.mtu = 2000;
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	listen_to(kdev);
	assert_int_equal(told_mtu(), 2000);
	assert_int_equal(vhb_link_set_mtu(if_nametoindex("vhb0"), 9000), 0);
	expect_nothing();
	assert_int_equal(told_mtu(), 2000);
	assert_int_equal(vhb_link_set_mtu(if_nametoindex("vhb0"), 1500), 0);
	assert_true(hears_within(WAIT_S * 1000));
	assert_int_equal(told_mtu(), 1500);
	end_guest();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_link_follows_the_tap),
		FIXTURE_TEST(test_link_follows_the_carrier),
		FIXTURE_TEST(test_link_follows_the_bridge),
		FIXTURE_TEST(test_other_links_are_no_news),
		FIXTURE_TEST(test_a_change_between_sessions_is_seen_by_the_next),
		FIXTURE_TEST(test_flaps_are_told_as_far_as_they_are_seen),
		FIXTURE_TEST(test_a_deleted_tap_is_down),
		FIXTURE_TEST(test_a_tap_that_moves_away_counts_as_up),
		FIXTURE_TEST(test_a_renamed_tap_is_followed),
		FIXTURE_TEST(test_mtu_follows_while_no_vring_runs),
		FIXTURE_TEST(test_mtu_option_is_the_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
