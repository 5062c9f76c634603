// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taps, each test in a network namespace of its own. Needs /dev/net/tun and the
 * right to make a network namespace, not vhost.
 */
#include "net/net_fixture.h"

#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "kdev/tap.h"
#include "lib/bits.h"
#include "netlink/link.h"

#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
#define QUEUES 4
/* MAX_TAP_QUEUES in the kernel's tun.c */
#define TUN_QUEUES_MAX 256

/* Guest offload bits in the order of the TUN_F_* bits */
static const unsigned int guest_bits[] = {
	VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4,
	VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN,
	VIRTIO_NET_F_GUEST_UFO, 54, 55,
};

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

static bool exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

static bool is_detached(int fd)
{
	struct ifreq request = { 0 };

	assert_int_equal(ioctl(fd, TUNGETIFF, &request), 0);
	return request.ifr_flags & IFF_DETACH_QUEUE;
}

static bool ethtool_flag(const char *name, uint32_t command)
{
	struct ethtool_value value = { .cmd = command };
	struct ifreq request = { .ifr_data = (void *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &request), 0);
	close(fd);
	return value.data;
}

static void test_missing_tap_is_made_and_goes_with_us(void **state)
{
	struct vhb_tap tap;

	(void)state;
	assert_int_equal(vhb_tap_open(&tap, "vhb0", 1), 0);
	assert_string_equal(tap.name, "vhb0");
	assert_int_equal(tap.ifindex, if_nametoindex("vhb0"));
	assert_int_equal(tap.queue_count, 1);
	assert_int_equal(tap.attached_mask, 1);
	assert_true(fcntl(tap.fds[0], F_GETFD) & FD_CLOEXEC);
	vhb_tap_close(&tap);
	assert_false(exists("vhb0"));
}

static void test_ready_made_tap_stays(void **state)
{
	struct vhb_tap tap;
	unsigned int ifindex;

	(void)state;
	assert_int_equal(make_persistent("vhb0", IFF_TAP | IFF_NO_PI), 0);
	ifindex = if_nametoindex("vhb0");
	assert_int_equal(vhb_tap_open(&tap, "vhb0", 1), 0);
	assert_int_equal(tap.ifindex, ifindex);
	vhb_tap_close(&tap);
	assert_int_equal(if_nametoindex("vhb0"), ifindex);
}

static void test_tap_in_use_is_busy(void **state)
{
	struct vhb_tap tap;
	int fd;

	(void)state;
	fd = make_queue("vhb0", TAP_FLAGS);
	assert_true(fd >= 0);
	assert_fails(vhb_tap_open(&tap, "vhb0", 1), -EBUSY,
		     "in use by another process");
	close(fd);
	assert_int_equal(vhb_tap_open(&tap, "vhb0", 1), 0);
	vhb_tap_close(&tap);
}

static void test_multi_queue_tap_in_use_is_busy(void **state)
{
	struct vhb_tap tap;
	int fd;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS | IFF_MULTI_QUEUE),
			 0);
	fd = make_queue("vhb0", TAP_FLAGS | IFF_MULTI_QUEUE);
	assert_true(fd >= 0);
	assert_fails(vhb_tap_open(&tap, "vhb0", 1), -EBUSY,
		     "in use by another process");
	assert_fails(vhb_tap_open(&tap, "vhb0", 2), -EBUSY,
		     "in use by another process");
	close(fd);
	assert_int_equal(vhb_tap_open(&tap, "vhb0", 2), 0);
	vhb_tap_close(&tap);
	assert_int_equal(vhb_tap_open(&tap, "vhb0", 1), 0);
	vhb_tap_close(&tap);
}

static void test_one_queue_of_a_multi_queue_tap(void **state)
{
	struct vhb_tap tap;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS | IFF_MULTI_QUEUE),
			 0);
	assert_int_equal(vhb_tap_open(&tap, "vhb0", 1), 0);
	assert_int_equal(tap.queue_count, 1);
	/* With one queue there is nothing to switch. */
	assert_int_equal(vhb_tap_attach(&tap, 0, false), 0);
	assert_false(is_detached(tap.fds[0]));
	vhb_tap_close(&tap);
}

static void test_many_queues_of_a_single_queue_tap_fail(void **state)
{
	struct vhb_tap tap;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	assert_fails(vhb_tap_open(&tap, "vhb0", 2), -EINVAL, "multi_queue");
}

static void test_other_interfaces_are_no_taps(void **state)
{
	struct vhb_tap tap;

	(void)state;
	assert_int_equal(make_persistent("vhbtun0", IFF_TUN | IFF_NO_PI), 0);
	assert_fails(vhb_tap_open(&tap, "vhbtun0", 1), -EINVAL, "not a tap");
	assert_fails(vhb_tap_open(&tap, "vhbtun0", 2), -EINVAL, "not a tap");
	assert_fails(vhb_tap_open(&tap, "lo", 1), -EINVAL, "not a tap");
	/* A name the kernel itself keeps for other things */
	assert_fails(vhb_tap_open(&tap, "default", 1), -EINVAL, "default");
}

static void test_bad_names_are_refused(void **state)
{
	static const char * const names[] = {
		"", "sixteen-letters-", "a/b", "tap%d", "a b", "a:b", ".",
		"..", "a\n", "\x1b[0m",
	};
	struct vhb_tap tap;
	unsigned int i;

	(void)state;
	for (i = 0; i < VHB_ARRAY_COUNT(names); i++)
		assert_fails(vhb_tap_open(&tap, names[i], 1), -EINVAL, "name");
	assert_int_equal(vhb_tap_open(&tap, "fifteen-letters", 1), 0);
	assert_string_equal(tap.name, "fifteen-letters");
	vhb_tap_close(&tap);
}

static void test_as_many_queues_as_there_is_room_for(void **state)
{
	int fds[TUN_QUEUES_MAX];
	struct vhb_tap tap;
	unsigned int i;

	(void)state;
	assert_int_equal(vhb_tap_open(&tap, "vhb0", VHB_NET_QUEUE_PAIRS_MAX),
			 0);
	assert_int_equal(tap.queue_count, VHB_NET_QUEUE_PAIRS_MAX);
	vhb_tap_close(&tap);

	for (i = 0; i < TUN_QUEUES_MAX; i++) {
		fds[i] = make_queue("vhb0", TAP_FLAGS | IFF_MULTI_QUEUE);
		assert_true(fds[i] >= 0);
	}
	assert_fails(vhb_tap_open(&tap, "vhb0", 2), -E2BIG, "no room");
	for (i = 0; i < TUN_QUEUES_MAX; i++)
		close(fds[i]);
}

static void test_without_cap_net_admin(void **state)
{
	struct vhb_tap tap;
	int ret;

	(void)state;
	assert_int_equal(make_persistent("vhbours", TAP_FLAGS), 0);
	set_net_admin(false);
	/* Made ready by root and nobody's: may be used. */
	ret = vhb_tap_open(&tap, "vhbours", 1);
	set_net_admin(true);
	assert_int_equal(ret, 0);
	/* Somebody else's: may not. */
	assert_int_equal(ioctl(tap.fds[0], TUNSETOWNER, 12345), 0);
	vhb_tap_close(&tap);

	set_net_admin(false);
	assert_fails(vhb_tap_open(&tap, "vhbours", 1), -EPERM, "--tap-fd");
	assert_fails(vhb_tap_open(&tap, "vhbnew", 1), -EPERM,
		     "ip tuntap add vhbnew mode tap user");
	assert_fails(vhb_tap_open(&tap, "vhbnew", 2), -EPERM,
		     "ip tuntap add vhbnew mode tap multi_queue user");
	set_net_admin(true);
}

static void test_only_first_queue_starts_attached(void **state)
{
	struct vhb_tap tap;
	unsigned int i;

	(void)state;
	assert_int_equal(vhb_tap_open(&tap, "vhb0", QUEUES), 0);
	assert_int_equal(tap.attached_mask, 1);
	for (i = 0; i < QUEUES; i++)
		assert_int_equal(is_detached(tap.fds[i]), i > 0);

	for (i = 1; i < QUEUES; i++) {
		assert_int_equal(vhb_tap_attach(&tap, i, true), 0);
		assert_int_equal(vhb_tap_attach(&tap, i, true), 0);
		assert_false(is_detached(tap.fds[i]));
	}
	assert_int_equal(tap.attached_mask, (1 << QUEUES) - 1);
	for (i = 0; i < QUEUES; i++) {
		assert_int_equal(vhb_tap_attach(&tap, i, false), 0);
		assert_int_equal(vhb_tap_attach(&tap, i, false), 0);
		assert_true(is_detached(tap.fds[i]));
	}
	assert_int_equal(tap.attached_mask, 0);
	assert_int_equal(vhb_tap_attach(&tap, 2, true), 0);
	assert_int_equal(tap.attached_mask, 1 << 2);
	vhb_tap_close(&tap);
}

static void test_ready_queues_are_adopted(void **state)
{
	struct ifreq detach = { .ifr_flags = IFF_DETACH_QUEUE };
	struct vhb_tap tap;
	unsigned int i;
	int fds[3];

	(void)state;
	for (i = 0; i < 3; i++)
		fds[i] = make_queue("vhb0", TAP_FLAGS | IFF_MULTI_QUEUE);
	/* As it may come: not the first, but another one is attached. */
	assert_int_equal(ioctl(fds[0], TUNSETQUEUE, &detach), 0);
	assert_int_equal(ioctl(fds[2], TUNSETQUEUE, &detach), 0);
	assert_int_equal(vhb_tap_adopt(&tap, fds, 3), 0);
	assert_string_equal(tap.name, "vhb0");
	assert_int_equal(tap.ifindex, if_nametoindex("vhb0"));
	assert_true(tap.is_multi_queue);
	for (i = 0; i < 3; i++)
		assert_int_equal(is_detached(fds[i]), i > 0);
	assert_int_equal(tap.attached_mask, 1);
	vhb_tap_close(&tap);
	assert_false(exists("vhb0"));
}

static void test_adopted_queue_needs_no_capability(void **state)
{
	int fd = make_queue("vhb0", TAP_FLAGS);
	struct vhb_tap tap;
	int ret, feature_ret;

	(void)state;
	set_net_admin(false);
	ret = vhb_tap_adopt(&tap, &fd, 1);
	feature_ret = vhb_tap_set_features(&tap, vhb_tap_features(&tap));
	set_net_admin(true);
	assert_int_equal(ret, 0);
	assert_int_equal(feature_ret, 0);
	vhb_tap_close(&tap);
}

static void test_queue_of_another_netns_has_no_link_here(void **state)
{
	int fd = make_queue("vhb0", TAP_FLAGS);
	struct vhb_tap tap;

	(void)state;
	assert_int_equal(enter_netns(), 0);
	/* The same name here is another interface. */
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	assert_int_equal(vhb_tap_adopt(&tap, &fd, 1), 0);
	assert_int_equal(tap.ifindex, 0);
	vhb_tap_close(&tap);
}

static void test_what_is_no_tap_is_not_adopted(void **state)
{
	struct vhb_tap tap;
	int fds[2], twins[2], other;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_fails(vhb_tap_adopt(&tap, fds, 1), -EINVAL, "no tap queue");
	assert_false(is_open(fds[0]));
	assert_fails(vhb_tap_adopt(&tap, &fds[1], 1), -EINVAL, "no tap queue");

	fds[0] = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	assert_fails(vhb_tap_adopt(&tap, fds, 1), -EINVAL, "TUNSETIFF");
	fds[0] = make_queue("vhb0", IFF_TAP | IFF_NO_PI);
	assert_fails(vhb_tap_adopt(&tap, fds, 1), -EINVAL, "IFF_VNET_HDR");
	fds[0] = make_queue("vhb0", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
	assert_fails(vhb_tap_adopt(&tap, fds, 1), -EINVAL, "IFF_TAP");

	fds[0] = make_queue("vhb0", TAP_FLAGS);
	fds[1] = make_queue("vhb1", TAP_FLAGS);
	assert_fails(vhb_tap_adopt(&tap, fds, 2), -EINVAL, "vhb1");
	assert_false(is_open(fds[0]) || is_open(fds[1]));

	twins[0] = make_queue("vhb0", TAP_FLAGS);
	twins[1] = twins[0];
	assert_fails(vhb_tap_adopt(&tap, twins, 2), -EINVAL, "two tap queues");
	other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(other, twins[0]);
	close(other);
}

static void test_features_follow_offloads(void **state)
{
	struct vhb_tap tap;
	uint64_t mask;
	unsigned int i;

	(void)state;
	assert_int_equal(vhb_tap_open(&tap, "vhb0", 1), 0);
	mask = vhb_tap_features(&tap);
	for (i = 0; i < VHB_ARRAY_COUNT(guest_bits); i++)
		assert_int_equal(vhb_has_bit(mask, guest_bits[i]),
				 vhb_has_bit(tap.offload_mask, i));
	assert_int_equal(vhb_has_bit(mask, 56),
			 vhb_has_bit(tap.offload_mask, 5));
	/* All kernels we run on have these. */
	assert_int_equal(tap.offload_mask & 0x1f, 0x1f);
	print_message("# offloads of this kernel's tun: %#x\n", tap.offload_mask);

	tap.offload_mask = TUN_F_CSUM;
	mask = vhb_tap_features(&tap);
	assert_true(vhb_has_bit(mask, VIRTIO_NET_F_GUEST_CSUM));
	assert_false(vhb_has_bit(mask, VIRTIO_NET_F_GUEST_TSO4));
	assert_true(vhb_has_bit(mask, VIRTIO_NET_F_CSUM));
	assert_true(vhb_has_bit(mask, VIRTIO_NET_F_HOST_TSO4));
	assert_false(vhb_has_bit(mask, 56));
	vhb_tap_close(&tap);
}

static void test_every_set_of_guest_offloads_is_taken(void **state)
{
	struct vhb_tap tap;
	unsigned int set, i;
	uint64_t mask;
	bool has_csum, has_tso;

	(void)state;
	assert_int_equal(vhb_tap_open(&tap, "vhb0", 1), 0);
	for (set = 0; set < 1U << VHB_ARRAY_COUNT(guest_bits); set++) {
		mask = vhb_bit(VIRTIO_F_VERSION_1);
		for (i = 0; i < VHB_ARRAY_COUNT(guest_bits); i++) {
			if (vhb_has_bit(set, i))
				mask |= vhb_bit(guest_bits[i]);
		}
		assert_int_equal(vhb_tap_set_features(&tap, mask), 0);
		has_csum = vhb_has_bit(set, 0);
		has_tso = vhb_has_bit(set, 1) || vhb_has_bit(set, 2);
		assert_int_equal(ethtool_flag("vhb0", ETHTOOL_GTXCSUM),
				 has_csum);
		assert_int_equal(ethtool_flag("vhb0", ETHTOOL_GTSO),
				 has_csum && has_tso);
	}
	assert_int_equal(vhb_tap_set_features(&tap, 0), 0);
	assert_false(ethtool_flag("vhb0", ETHTOOL_GTXCSUM));
	vhb_tap_close(&tap);
}

static void test_header_follows_features(void **state)
{
	static const struct {
		uint64_t mask;
		int header_bytes;
		int is_little_endian;
	} rows[] = {
		{ 0, 10, 0 },
		{ 1ULL << VIRTIO_NET_F_MRG_RXBUF, 12, 0 },
		{ 1ULL << VIRTIO_F_VERSION_1, 12, 1 },
		{ 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF,
		  12, 1 },
		{ 0, 10, 0 },
	};
	struct vhb_tap tap;
	unsigned int i;
	int value;

	(void)state;
	assert_int_equal(vhb_tap_open(&tap, "vhb0", 2), 0);
	for (i = 0; i < VHB_ARRAY_COUNT(rows); i++) {
		assert_int_equal(vhb_tap_set_features(&tap, rows[i].mask), 0);
		assert_int_equal(ioctl(tap.fds[1], TUNGETVNETHDRSZ, &value), 0);
		assert_int_equal(value, rows[i].header_bytes);
		assert_int_equal(ioctl(tap.fds[1], TUNGETVNETLE, &value), 0);
		assert_int_equal(value, rows[i].is_little_endian);
	}
	vhb_tap_close(&tap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_missing_tap_is_made_and_goes_with_us),
		FIXTURE_TEST(test_ready_made_tap_stays),
		FIXTURE_TEST(test_tap_in_use_is_busy),
		FIXTURE_TEST(test_multi_queue_tap_in_use_is_busy),
		FIXTURE_TEST(test_one_queue_of_a_multi_queue_tap),
		FIXTURE_TEST(test_many_queues_of_a_single_queue_tap_fail),
		FIXTURE_TEST(test_other_interfaces_are_no_taps),
		FIXTURE_TEST(test_bad_names_are_refused),
		FIXTURE_TEST(test_as_many_queues_as_there_is_room_for),
		FIXTURE_TEST(test_without_cap_net_admin),
		FIXTURE_TEST(test_only_first_queue_starts_attached),
		FIXTURE_TEST(test_ready_queues_are_adopted),
		FIXTURE_TEST(test_adopted_queue_needs_no_capability),
		FIXTURE_TEST(test_queue_of_another_netns_has_no_link_here),
		FIXTURE_TEST(test_what_is_no_tap_is_not_adopted),
		FIXTURE_TEST(test_features_follow_offloads),
		FIXTURE_TEST(test_every_set_of_guest_offloads_is_taken),
		FIXTURE_TEST(test_header_follows_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
