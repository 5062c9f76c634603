// SPDX-License-Identifier: GPL-2.0-or-later
/* News of links: what a message says, and that all of it comes. */
#include "net/net_fixture.h"

#include <poll.h>

#include <linux/if_link.h>

#include "netlink/link.h"
#include "netlink/link_monitor.h"

#define TAP_FLAGS (IFF_TAP | IFF_NO_PI)
#define MTU_FIRST 1000

/* A message of the kernel, made up */
struct made_up {
	union {
		uint8_t bytes[1024];
		struct nlmsghdr header;
	};
};

static struct ifinfomsg *begin_message(struct made_up *message, uint16_t type)
{
	struct ifinfomsg *info;

	memset(message, 0, sizeof(*message));
	mnl_nlmsg_put_header(message->bytes);
	message->header.nlmsg_type = type;
	info = mnl_nlmsg_put_extra_header(&message->header, sizeof(*info));
	info->ifi_index = 7;
	info->ifi_flags = IFF_UP;
	return info;
}

static void test_a_link_is_read_from_a_message(void **state)
{
	struct nlattr *link_info;
	struct made_up message;
	struct vhb_link link;
	bool is_gone = true;

	(void)state;
	begin_message(&message, RTM_NEWLINK);
	mnl_attr_put_u32(&message.header, IFLA_MTU, 1400);
	mnl_attr_put_u8(&message.header, IFLA_CARRIER, 1);
	mnl_attr_put_u32(&message.header, IFLA_MASTER, 9);
	link_info = mnl_attr_nest_start(&message.header, IFLA_LINKINFO);
	mnl_attr_put_strz(&message.header, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(&message.header, link_info);
	assert_int_equal(vhb_link_news_parse(&message.header, &link, &is_gone),
			 0);
	assert_false(is_gone);
	assert_int_equal(link.ifindex, 7);
	assert_int_equal(link.flags, IFF_UP);
	assert_int_equal(link.mtu, 1400);
	assert_int_equal(link.master_ifindex, 9);
	assert_true(link.has_carrier);
	assert_true(link.is_bridge);

	message.header.nlmsg_type = RTM_DELLINK;
	assert_int_equal(vhb_link_news_parse(&message.header, &link, &is_gone),
			 0);
	assert_true(is_gone);
}

/* A bridge says "deleted" of a port that left it, in its own family. */
static void test_what_a_bridge_says_of_ports_is_no_news(void **state)
{
	struct made_up message;
	struct vhb_link link;
	bool is_gone;

	(void)state;
	begin_message(&message, RTM_DELLINK)->ifi_family = AF_BRIDGE;
	assert_int_equal(vhb_link_news_parse(&message.header, &link, &is_gone),
			 -ENOMSG);
	begin_message(&message, RTM_NEWLINK)->ifi_family = AF_BRIDGE;
	assert_int_equal(vhb_link_news_parse(&message.header, &link, &is_gone),
			 -ENOMSG);
	begin_message(&message, RTM_NEWADDR);
	assert_int_equal(vhb_link_news_parse(&message.header, &link, &is_gone),
			 -ENOMSG);
}

static void test_damaged_messages_are_refused(void **state)
{
	struct made_up message;
	struct vhb_link link;
	bool is_gone;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(struct ifinfomsg); i++) {
		begin_message(&message, RTM_NEWLINK);
		message.header.nlmsg_len = NLMSG_HDRLEN + i;
		assert_int_equal(vhb_link_news_parse(&message.header, &link,
						     &is_gone), -EBADMSG);
	}
	begin_message(&message, RTM_NEWLINK);
	mnl_attr_put_u16(&message.header, IFLA_MTU, 1400);
	assert_int_equal(vhb_link_news_parse(&message.header, &link, &is_gone),
			 -EBADMSG);
	begin_message(&message, RTM_NEWLINK);
	mnl_attr_put_u32(&message.header, IFLA_CARRIER, 1);
	assert_int_equal(vhb_link_news_parse(&message.header, &link, &is_gone),
			 -EBADMSG);
	/* An attribute that claims more than there is ends the list. */
	begin_message(&message, RTM_NEWLINK);
	mnl_attr_put_u32(&message.header, IFLA_MTU, 1400);
	((struct nlattr *)(message.bytes + NLMSG_HDRLEN +
			   sizeof(struct ifinfomsg)))->nla_len = 0xffff;
	assert_int_equal(vhb_link_news_parse(&message.header, &link, &is_gone),
			 0);
	assert_int_equal(link.mtu, 0);
}

/* What was heard */
static struct {
	unsigned int ifindex;
	unsigned int count;
	unsigned int gone_count;
	struct vhb_link last;
} heard;

static int setup(void **state)
{
	(void)state;
	memset(&heard, 0, sizeof(heard));
	return begin_netns_test();
}

static int teardown(void **state)
{
	(void)state;
	return end_netns_test();
}

static void on_news(void *argument, const struct vhb_link *link, bool is_gone)
{
	assert_ptr_equal(argument, &heard);
	if (link->ifindex != heard.ifindex)
		return;
	heard.count++;
	heard.gone_count += is_gone;
	heard.last = *link;
}

static bool is_readable(const struct vhb_link_monitor *monitor)
{
	struct pollfd pollfd = {
		.fd = vhb_link_monitor_fd(monitor),
		.events = POLLIN,
	};

	return poll(&pollfd, 1, 0) == 1;
}

/* All there is; fails when reading never ends */
static int read_all(struct vhb_link_monitor *monitor)
{
	unsigned int turns;
	int ret = 0;

	for (turns = 0; is_readable(monitor); turns++) {
		assert_true(turns < 1000);
		ret = vhb_link_monitor_read(monitor, on_news, &heard);
		if (ret)
			return ret;
	}
	return ret;
}

static void test_every_change_is_heard_of(void **state)
{
	struct vhb_link_monitor *monitor;
	struct vhb_link bridge;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	assert_int_equal(make_bridge("vhbbr0"), 0);
	assert_int_equal(vhb_link_get("vhbbr0", &bridge), 0);
	heard.ifindex = if_nametoindex("vhb0");
	assert_int_equal(vhb_link_monitor_open(&monitor), 0);
	assert_int_equal(vhb_link_monitor_read(monitor, on_news, &heard), 0);
	assert_int_equal(heard.count, 0);

	assert_int_equal(vhb_link_set_mtu(heard.ifindex, 1400), 0);
	assert_int_equal(read_all(monitor), 0);
	assert_int_equal(heard.last.mtu, 1400);
	assert_false(heard.last.flags & IFF_UP);
	assert_int_equal(vhb_link_set_up(heard.ifindex), 0);
	assert_int_equal(read_all(monitor), 0);
	assert_true(heard.last.flags & IFF_UP);
	assert_int_equal(vhb_link_set_master(heard.ifindex, bridge.ifindex), 0);
	assert_int_equal(read_all(monitor), 0);
	assert_int_equal(heard.last.master_ifindex, bridge.ifindex);
	assert_int_equal(vhb_link_set_master(heard.ifindex, 0), 0);
	assert_int_equal(read_all(monitor), 0);
	assert_int_equal(heard.last.master_ifindex, 0);
	assert_int_equal(heard.gone_count, 0);
	vhb_link_monitor_close(monitor);
}

static void test_a_turn_is_limited_and_nothing_is_left_behind(void **state)
{
	struct vhb_link_monitor *monitor;
	unsigned int i;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	heard.ifindex = if_nametoindex("vhb0");
	assert_int_equal(vhb_link_monitor_open(&monitor), 0);
	for (i = 0; i < 40; i++)
		assert_int_equal(vhb_link_set_mtu(heard.ifindex, MTU_FIRST + i),
				 0);
	assert_int_equal(vhb_link_monitor_read(monitor, on_news, &heard), 0);
	assert_in_range(heard.count, 1, 32);
	assert_true(is_readable(monitor));
	assert_int_equal(read_all(monitor), 0);
	assert_int_equal(heard.last.mtu, MTU_FIRST + 39);
	vhb_link_monitor_close(monitor);
}

static void test_lost_news_is_told(void **state)
{
	struct vhb_link_monitor *monitor;
	const int room_bytes = 4096;
	unsigned int i;
	int ret;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	heard.ifindex = if_nametoindex("vhb0");
	assert_int_equal(vhb_link_monitor_open(&monitor), 0);
	assert_int_equal(setsockopt(vhb_link_monitor_fd(monitor), SOL_SOCKET,
				    SO_RCVBUF, &room_bytes, sizeof(room_bytes)),
			 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(vhb_link_set_mtu(heard.ifindex, MTU_FIRST + i),
				 0);
	ret = read_all(monitor);
	assert_int_equal(ret, -ENOBUFS);
	/* It goes on. */
	assert_int_equal(read_all(monitor), 0);
	assert_int_equal(vhb_link_set_mtu(heard.ifindex, 1234), 0);
	assert_int_equal(read_all(monitor), 0);
	assert_int_equal(heard.last.mtu, 1234);
	vhb_link_monitor_close(monitor);
}

static void test_a_link_that_goes_is_told(void **state)
{
	struct vhb_link_monitor *monitor;
	int fd;

	(void)state;
	fd = make_queue("vhb0", TAP_FLAGS);
	assert_true(fd >= 0);
	heard.ifindex = if_nametoindex("vhb0");
	assert_int_equal(vhb_link_monitor_open(&monitor), 0);
	close(fd);
	assert_int_equal(read_all(monitor), 0);
	assert_int_equal(heard.gone_count, 1);
	vhb_link_monitor_close(monitor);
	vhb_link_monitor_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_link_is_read_from_a_message),
		cmocka_unit_test(test_what_a_bridge_says_of_ports_is_no_news),
		cmocka_unit_test(test_damaged_messages_are_refused),
		FIXTURE_TEST(test_every_change_is_heard_of),
		FIXTURE_TEST(test_a_turn_is_limited_and_nothing_is_left_behind),
		FIXTURE_TEST(test_lost_news_is_told),
		FIXTURE_TEST(test_a_link_that_goes_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
