// SPDX-License-Identifier: GPL-2.0-or-later
/* Links by netlink, each test in a network namespace of its own. */
#include "net/net_fixture.h"

#include "netlink/link.h"

#define TAP_FLAGS (IFF_TAP | IFF_NO_PI)

static int setup(void **state)
{
	(void)state;
	return begin_netns_test();
}

static int teardown(void **state)
{
	(void)state;
	return end_netns_test();
}

static struct vhb_link link_of(const char *name)
{
	struct vhb_link link;

	assert_int_equal(vhb_link_get(name, &link), 0);
	assert_int_equal(link.ifindex, if_nametoindex(name));
	return link;
}

static void test_what_the_kernel_says(void **state)
{
	struct vhb_link link;

	(void)state;
	link = link_of("lo");
	assert_true(link.flags & IFF_LOOPBACK);
	assert_false(link.flags & IFF_UP);
	assert_int_equal(link.mtu, 65536);
	assert_int_equal(link.master_ifindex, 0);
	assert_false(link.is_bridge);

	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	link = link_of("vhb0");
	assert_int_equal(link.mtu, 1500);
	assert_in_range(link.max_mtu, 60000, 65535);
	assert_false(link.is_bridge);
}

static void test_missing_links(void **state)
{
	struct vhb_link link;

	(void)state;
	assert_int_equal(vhb_link_get("vhb0", &link), -ENODEV);
	assert_int_equal(vhb_link_get("", &link), -ENODEV);
	assert_int_equal(vhb_link_get("a-name-that-is-much-too-long", &link),
			 -ENODEV);
	assert_int_equal(vhb_link_set_up(4711), -ENODEV);
	assert_int_equal(vhb_link_set_mtu(4711, 1500), -ENODEV);
	assert_int_equal(vhb_link_set_master(4711, 1), -ENODEV);
}

static void test_carrier_tells_that_a_tap_is_open(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	assert_false(link_of("vhb0").has_carrier);
	fd = make_queue("vhb0", TAP_FLAGS);
	assert_true(link_of("vhb0").has_carrier);
	close(fd);
	assert_false(link_of("vhb0").has_carrier);
}

static void test_up(void **state)
{
	struct vhb_link link;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	link = link_of("vhb0");
	assert_false(link.flags & IFF_UP);
	assert_int_equal(vhb_link_set_up(link.ifindex), 0);
	assert_true(link_of("vhb0").flags & IFF_UP);
	assert_int_equal(vhb_link_set_up(link.ifindex), 0);
}

static void test_mtu(void **state)
{
	struct vhb_link link;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	link = link_of("vhb0");
	assert_int_equal(vhb_link_set_mtu(link.ifindex, 9000), 0);
	assert_int_equal(link_of("vhb0").mtu, 9000);
	assert_int_equal(vhb_link_set_mtu(link.ifindex, link.max_mtu), 0);
	assert_int_equal(vhb_link_set_mtu(link.ifindex, link.max_mtu + 1),
			 -EINVAL);
	assert_int_equal(vhb_link_set_mtu(link.ifindex, 67), -EINVAL);
	assert_int_equal(link_of("vhb0").mtu, link.max_mtu);
}

static void test_bridge(void **state)
{
	struct vhb_link tap, bridge;
	int ret;

	(void)state;
	ret = make_bridge("vhbbr0");
	if (ret) {
		print_message("# needs the kernel's bridge driver: %s\n",
			      strerror(-ret));
		skip();
	}
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	tap = link_of("vhb0");
	bridge = link_of("vhbbr0");
	assert_true(bridge.is_bridge);
	assert_false(tap.is_bridge);

	assert_int_equal(vhb_link_set_master(tap.ifindex, bridge.ifindex), 0);
	tap = link_of("vhb0");
	assert_int_equal(tap.master_ifindex, bridge.ifindex);
	/* A port has a kind of its own master in IFLA_LINKINFO as well. */
	assert_false(tap.is_bridge);
	assert_int_equal(vhb_link_set_master(tap.ifindex, 0), 0);
	assert_int_equal(link_of("vhb0").master_ifindex, 0);
	assert_true(vhb_link_set_master(tap.ifindex, 1) < 0);
}

static void test_changes_need_cap_net_admin(void **state)
{
	int up, mtu, master, get;
	struct vhb_link link;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	link = link_of("vhb0");
	set_net_admin(false);
	get = vhb_link_get("vhb0", &link);
	up = vhb_link_set_up(link.ifindex);
	mtu = vhb_link_set_mtu(link.ifindex, 1400);
	master = vhb_link_set_master(link.ifindex, 0);
	set_net_admin(true);
	assert_int_equal(get, 0);
	assert_int_equal(up, -EPERM);
	assert_int_equal(mtu, -EPERM);
	assert_int_equal(master, -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_what_the_kernel_says),
		FIXTURE_TEST(test_missing_links),
		FIXTURE_TEST(test_carrier_tells_that_a_tap_is_open),
		FIXTURE_TEST(test_up),
		FIXTURE_TEST(test_mtu),
		FIXTURE_TEST(test_bridge),
		FIXTURE_TEST(test_changes_need_cap_net_admin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
