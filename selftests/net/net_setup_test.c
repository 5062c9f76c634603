// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a net device is set up, its links and its configuration space, on a
 * made-up vhost-net.
 */
#include "net/fake_vhost.h"

#include <sys/resource.h>
#include <sys/wait.h>

static void test_config_space(void **state)
{
	struct vhb_net_config config = config_of(2);
	uint8_t all[VHB_CONFIG_MAX_BYTES], byte;
	struct virtio_net_config space;
	struct vhb_kdev *kdev;
	unsigned int i;

	(void)state;
	config.has_mac = true;
	memcpy(config.mac, "\x52\x54\x00\x12\x34\x56", 6);
	config.mtu = 9000;
	assert_int_equal(vhb_net_create(&config, &kdev), 0);

	assert_int_equal(kdev->ops->get_config(kdev, 0, sizeof(all), all), 0);
	memcpy(&space, all, sizeof(space));
	assert_memory_equal(space.mac, config.mac, 6);
	assert_int_equal(space.status, VIRTIO_NET_S_LINK_UP);
	assert_int_equal(space.max_virtqueue_pairs, 2);
	assert_int_equal(space.mtu, 9000);
	assert_true(space.speed == UINT32_MAX);
	assert_int_equal(space.duplex, 0xff);
	for (i = offsetof(struct virtio_net_config, duplex) + 1;
	     i < sizeof(all); i++)
		assert_int_equal(all[i], 0);

	for (i = 0; i < sizeof(all); i++) {
		assert_int_equal(kdev->ops->get_config(kdev, i, 1, &byte), 0);
		assert_int_equal(byte, all[i]);
	}
	assert_int_equal(kdev->ops->get_config(kdev, sizeof(all), 1, all),
			 -EINVAL);
	assert_int_equal(kdev->ops->get_config(kdev, 1, sizeof(all), all),
			 -EINVAL);
	assert_int_equal(kdev->ops->get_config(kdev, UINT32_MAX, 2, all),
			 -EINVAL);
	kdev->ops->destroy(kdev);
}

static void test_only_the_address_is_writable(void **state)
{
	static const uint8_t mac[8] = { 2, 0, 0, 0, 0, 9, 1, 1 };
	struct vhb_net_config config = config_of(1);
	struct vhb_kdev *kdev;
	uint8_t read_back[6];

	(void)state;
	config.has_mac = true;
	memcpy(config.mac, "\x52\x54\x00\x12\x34\x56", 6);
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	assert_int_equal(kdev->ops->set_config(kdev, 0, 7, mac), -EACCES);
	assert_int_equal(kdev->ops->set_config(kdev, 6, 1, mac), -EACCES);
	assert_int_equal(kdev->ops->set_config(kdev, UINT32_MAX, 8, mac),
			 -EACCES);
	assert_int_equal(kdev->ops->get_config(kdev, 0, 6, read_back), 0);
	assert_memory_equal(read_back, config.mac, 6);

	/* A legacy driver writes byte by byte, or all at once. */
	assert_int_equal(kdev->ops->set_config(kdev, 5, 1, mac), 0);
	assert_int_equal(kdev->ops->get_config(kdev, 5, 1, read_back), 0);
	assert_int_equal(read_back[0], 2);
	assert_int_equal(kdev->ops->set_config(kdev, 0, 6, mac), 0);
	assert_int_equal(kdev->ops->get_config(kdev, 0, 6, read_back), 0);
	assert_memory_equal(read_back, mac, 6);
	/* The next guest starts anew. */
	kdev->ops->reset(kdev);
	assert_int_equal(kdev->ops->get_config(kdev, 0, 6, read_back), 0);
	assert_memory_equal(read_back, config.mac, 6);
	kdev->ops->destroy(kdev);
}

static uint16_t told_mtu(struct vhb_kdev *kdev)
{
	uint16_t mtu;

	assert_int_equal(kdev->ops->get_config(kdev,
					       offsetof(struct virtio_net_config,
							mtu),
					       sizeof(mtu), (uint8_t *)&mtu),
			 0);
	return mtu;
}

static unsigned int link_mtu(const char *name)
{
	struct vhb_link link;

	assert_int_equal(vhb_link_get(name, &link), 0);
	return link.mtu;
}

/* What a front-end asks for changes what its guest is told, never the host. */
static void test_mtu(void **state)
{
	struct vhb_kdev *kdev = make_net(1);

	(void)state;
	assert_int_equal(told_mtu(kdev), 1500);
	assert_int_equal(kdev->ops->set_mtu(kdev, 1400), 0);
	assert_int_equal(told_mtu(kdev), 1400);
	assert_int_equal(kdev->ops->set_mtu(kdev, 68), 0);
	assert_int_equal(kdev->ops->set_mtu(kdev, 67), -EINVAL);
	assert_int_equal(kdev->ops->set_mtu(kdev, 1501), -EINVAL);
	assert_int_equal(kdev->ops->set_mtu(kdev, 65536), -EINVAL);
	assert_int_equal(kdev->ops->set_mtu(kdev, 1ULL << 32 | 1500), -EINVAL);
	assert_int_equal(told_mtu(kdev), 68);
	assert_int_equal(link_mtu("vhb0"), 1500);
	/* The next front-end starts afresh. */
	kdev->ops->reset(kdev);
	assert_int_equal(told_mtu(kdev), 1500);
	kdev->ops->destroy(kdev);
}

/* Not what the tap takes by then: that is told when the guest starts anew. */
static void test_what_was_set_outlives_the_owner(void **state)
{
	static const uint8_t mac[] = { 2, 4, 6, 8, 10, 12 };
	struct vhb_kdev *kdev = make_net(1);
	uint8_t now[6];

	(void)state;
	assert_int_equal(kdev->ops->set_config(kdev, 0, 6, mac), 0);
	assert_int_equal(kdev->ops->set_mtu(kdev, 1500), 0);
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	assert_int_equal(vhb_link_set_mtu(if_nametoindex("vhb0"), 1400), 0);
	kdev->ops->disown(kdev);
	assert_int_equal(told_mtu(kdev), 1500);
	assert_int_equal(kdev->ops->get_config(kdev, 0, 6, now), 0);
	assert_memory_equal(now, mac, 6);
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	kdev->ops->destroy(kdev);
}

static void test_state_is_address_and_mtu(void **state)
{
	static const uint8_t mac[] = { 2, 4, 6, 8, 10, 12 };
	uint8_t data[VHB_KDEV_STATE_MAX_BYTES], now[6];
	struct vhb_kdev *kdev = make_net(1);

	(void)state;
	assert_int_equal(kdev->ops->set_config(kdev, 0, 6, mac), 0);
	assert_int_equal(kdev->ops->set_mtu(kdev, 1400), 0);
	assert_int_equal(kdev->ops->save_state(kdev, data), 8);
	assert_memory_equal(data, mac, 6);
	assert_memory_equal(data + 6, "\x78\x05", 2);
	kdev->ops->reset(kdev);
	assert_int_equal(told_mtu(kdev), 1500);
	/* All or nothing; a tap that does not take the frames is refused. */
	assert_int_equal(kdev->ops->load_state(kdev, data, 7), -EINVAL);
	assert_int_equal(kdev->ops->load_state(kdev, data, 9), -EINVAL);
	memcpy(data + 6, "\xdd\x05", 2);
	assert_int_equal(kdev->ops->load_state(kdev, data, 8), -EINVAL);
	assert_int_equal(told_mtu(kdev), 1500);
	assert_int_equal(kdev->ops->get_config(kdev, 0, 6, now), 0);
	assert_memory_not_equal(now, mac, 6);
	memcpy(data + 6, "\x78\x05", 2);
	assert_int_equal(kdev->ops->load_state(kdev, data, 8), 0);
	assert_int_equal(told_mtu(kdev), 1400);
	assert_int_equal(kdev->ops->get_config(kdev, 0, 6, now), 0);
	assert_memory_equal(now, mac, 6);
	/* Where the MTU was not known it stays what it is. */
	memset(data + 6, 0, 2);
	assert_int_equal(kdev->ops->load_state(kdev, data, 8), 0);
	assert_int_equal(told_mtu(kdev), 1400);
	kdev->ops->destroy(kdev);
}

static void test_link_is_up_and_in_its_bridge(void **state)
{
	struct vhb_net_config config = config_of(2);
	struct vhb_link link, bridge;
	struct vhb_kdev *kdev;
	int ret;

	(void)state;
	config.bridge_name = "vhbbr0";
	config.mtu = 1450;
	ret = make_bridge("vhbbr0");
	if (ret) {
		print_message("# needs the kernel's bridge driver: %s\n",
			      strerror(-ret));
		skip();
	}
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	assert_int_equal(vhb_link_get("vhb0", &link), 0);
	assert_int_equal(vhb_link_get("vhbbr0", &bridge), 0);
	assert_int_equal(link.master_ifindex, bridge.ifindex);
	assert_int_equal(link.mtu, 1450);
	assert_true(link.flags & IFF_UP);
	kdev->ops->destroy(kdev);
	assert_int_equal(vhb_link_get("vhb0", &link), -ENODEV);
}

static void test_bad_bridges(void **state)
{
	struct vhb_net_config config = config_of(1);
	struct vhb_kdev *kdev;

	(void)state;
	config.bridge_name = "vhbbr0";
	assert_fails(vhb_net_create(&config, &kdev), -ENODEV,
		     "ip link add vhbbr0 type bridge && ip link set vhbbr0 up");
	config.bridge_name = "lo";
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL, "not a bridge");
	config.bridge_name = NULL;
	config.mtu = 67;
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL,
		     "does not take an MTU of 67");
	/* Nothing is left behind. */
	assert_int_equal(if_nametoindex("vhb0"), 0);
}

/* What root set up is enough: no privilege is needed to use it. */
static void test_ready_made_link_needs_no_capability(void **state)
{
	struct vhb_net_config config = config_of(1);
	struct vhb_link link, bridge = { 0 };
	struct vhb_kdev *kdev = NULL;
	int ret;

	(void)state;
	assert_int_equal(make_persistent("vhb0", TAP_FLAGS), 0);
	assert_int_equal(vhb_link_get("vhb0", &link), 0);

	set_net_admin(false);
	assert_fails(vhb_net_create(&config, &kdev), -EPERM,
		     "ip link set vhb0 up");
	set_net_admin(true);
	assert_int_equal(vhb_link_set_up(link.ifindex), 0);
	if (!make_bridge("vhbbr0")) {
		config.bridge_name = "vhbbr0";
		set_net_admin(false);
		assert_fails(vhb_net_create(&config, &kdev), -EPERM,
			     "ip link set vhb0 master vhbbr0");
		set_net_admin(true);
		assert_int_equal(vhb_link_get("vhbbr0", &bridge), 0);
		assert_int_equal(vhb_link_set_master(link.ifindex,
						     bridge.ifindex), 0);
	}
	config.mtu = 1500;
	config.tap_fds[0] = make_queue("vhb0", TAP_FLAGS);
	config.tap_fd_count = 1;
	set_net_admin(false);
	ret = vhb_net_create(&config, &kdev);
	if (!ret)
		prepare(kdev);
	set_net_admin(true);
	assert_int_equal(ret, 0);
	kdev->ops->destroy(kdev);
}

static void test_tap_of_another_netns(void **state)
{
	struct vhb_net_config config = config_of(1);
	struct vhb_kdev *kdev;

	(void)state;
	config.tap_fds[0] = make_queue("vhb0", TAP_FLAGS);
	config.tap_fd_count = 1;
	config.bridge_name = "vhbbr0";
	assert_int_equal(enter_netns(), 0);
	assert_fails(vhb_net_create(&config, &kdev), -ENODEV, "not in this");

	config.tap_fds[0] = make_queue("vhb0", TAP_FLAGS);
	config.bridge_name = NULL;
	assert_int_equal(enter_netns(), 0);
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	/* Its MTU is not known. */
	assert_false(vhb_has_bit(kdev->ops->features(kdev), VIRTIO_NET_F_MTU));
	assert_false(vhb_has_bit(kdev->ops->protocol_features(kdev),
				 VHB_PROTOCOL_F_MTU));
	assert_int_equal(kdev->ops->set_mtu(kdev, 1500), -ENODEV);
	prepare(kdev);
	assert_int_equal(kdev->ops->start_vring(kdev, 1), 0);
	kdev->ops->destroy(kdev);
}

static void test_bad_descriptors_are_closed(void **state)
{
	struct vhb_net_config config = config_of(2);
	struct vhb_kdev *kdev;
	int *fds = config.vhost_fds;

	(void)state;
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	config.vhost_fd_count = 2;
	vhosts[fds[1]].is_vhost = false;
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL, "no vhost-net");
	vhosts[fds[1]].is_vhost = true;
	assert_false(is_open(fds[0]) || is_open(fds[1]));

	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[1] = fds[0];
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL, "given twice");
	assert_false(is_open(fds[0]));

	/* As vhost-vsock answers */
	kernel_mask &= ~vhb_bit(VIRTIO_NET_F_MRG_RXBUF);
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL, "no vhost-net");
	assert_false(is_open(fds[0]) || is_open(fds[1]));

	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	config.vhost_fd_count = 1;
	config.tap_fds[0] = make_queue("vhb0", TAP_FLAGS);
	config.tap_fd_count = 1;
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL,
		     "1 vhost descriptors for 2 queue pairs");
	assert_false(is_open(fds[0]) || is_open(config.tap_fds[0]));

	config.vhost_fd_count = 0;
	config.tap_fds[0] = make_queue("vhb0", TAP_FLAGS);
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL,
		     "1 tap descriptors for 2 queue pairs");
	config.tap_fd_count = 0;
	config.queue_pairs = 0;
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL, "0 queue pairs");
	config.queue_pairs = VHB_NET_QUEUE_PAIRS_MAX + 1;
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL, "65 queue pairs");
	/* Descriptors are all right, the tap is not. */
	config.queue_pairs = 1;
	config.vhost_fd_count = 1;
	config.tap_name = "lo";
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL, "not a tap");
	assert_false(is_open(fds[0]));
}

/* In a process of its own: not everybody can raise the hard limit again. */
static int with_a_low_limit(void)
{
	struct vhb_net_config config = config_of(VHB_NET_QUEUE_PAIRS_MAX);
	const struct rlimit few = { .rlim_cur = 100, .rlim_max = 300 };
	struct caught_lines lines;
	struct vhb_kdev *kdev;
	int ret;

	if (setrlimit(RLIMIT_NOFILE, &few))
		return 1;
	catch_lines(&lines);
	ret = vhb_net_create(&config, &kdev);
	if (release_lines(&lines) != 1 || ret != -EMFILE ||
	    !strstr(lines.text, "LimitNOFILE="))
		return 2;
	/* The hard limit is used before anybody complains. */
	config.queue_pairs = 20;
	if (vhb_net_create(&config, &kdev))
		return 3;
	kdev->ops->destroy(kdev);
	return 0;
}

static void test_too_low_a_limit_is_told_at_once(void **state)
{
	int status = -1;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(with_a_low_limit());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_path_that_is_no_vhost(void **state)
{
	struct vhb_net_config config = config_of(1);
	struct vhb_kdev *kdev;
	unsigned int i;

	(void)state;
	for (i = 0; i < FD_MAX; i++)
		vhosts[i].is_vhost = false;
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL,
		     "/dev/null is no vhost-net");
	config.vhost_path = "/dev/vhb-none";
	assert_fails(vhb_net_create(&config, &kdev), -ENOENT, "vhost_net");
	config.vhost_path = "/dev/vhost-bridge-none";
	assert_fails(vhb_net_create(&config, &kdev), -ENOENT, "vhost_bridge");
}

static void test_as_many_pairs_as_possible(void **state)
{
	struct vhb_kdev *kdev = make_net(VHB_NET_QUEUE_PAIRS_MAX);
	unsigned int i;

	(void)state;
	prepare(kdev);
	for (i = 0; i < 2 * VHB_NET_QUEUE_PAIRS_MAX; i++)
		assert_int_equal(kdev->ops->start_vring(kdev, i), 0);
	kdev->ops->reset(kdev);
	kdev->ops->destroy(kdev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_config_space),
		FIXTURE_TEST(test_only_the_address_is_writable),
		FIXTURE_TEST(test_mtu),
		FIXTURE_TEST(test_what_was_set_outlives_the_owner),
		FIXTURE_TEST(test_state_is_address_and_mtu),
		FIXTURE_TEST(test_too_low_a_limit_is_told_at_once),
		FIXTURE_TEST(test_link_is_up_and_in_its_bridge),
		FIXTURE_TEST(test_bad_bridges),
		FIXTURE_TEST(test_ready_made_link_needs_no_capability),
		FIXTURE_TEST(test_tap_of_another_netns),
		FIXTURE_TEST(test_bad_descriptors_are_closed),
		FIXTURE_TEST(test_path_that_is_no_vhost),
		FIXTURE_TEST(test_as_many_pairs_as_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
