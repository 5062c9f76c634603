// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How the net device drives vhost and tap queues, on a made-up vhost-net. The
 * real one has its turn in kdev_net_test.
 */
#include "net/fake_vhost.h"

#include "lib/host_link.h"

static void test_features_with_one_pair(void **state)
{
	struct vhb_kdev *kdev = make_net(1);
	uint64_t mask = kdev->ops->features(kdev);
	static const unsigned int offered[] = {
		VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_MTU,
		VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_HOST_TSO4,
		VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_STATUS, 24, 27,
		VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX,
		VIRTIO_F_VERSION_1, VIRTIO_F_ACCESS_PLATFORM,
		VHOST_F_LOG_ALL, 40, VIRTIO_NET_F_CTRL_VQ,
		VIRTIO_NET_F_CTRL_RX, VIRTIO_NET_F_CTRL_VLAN,
		VIRTIO_NET_F_GUEST_ANNOUNCE, VIRTIO_NET_F_CTRL_MAC_ADDR,
	};
	static const unsigned int withheld[] = {
		VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, VIRTIO_NET_F_MAC,
		VIRTIO_NET_F_MQ,
		30, 34, 35,
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < VHB_ARRAY_COUNT(offered); i++)
		assert_true(vhb_has_bit(mask, offered[i]));
	for (i = 0; i < VHB_ARRAY_COUNT(withheld); i++)
		assert_false(vhb_has_bit(mask, withheld[i]));
	assert_true(kdev->ops->protocol_features(kdev) ==
		    (vhb_bit(VHB_PROTOCOL_F_MTU) |
		     vhb_bit(VHB_PROTOCOL_F_PAGEFAULT) |
		     vhb_bit(VHB_PROTOCOL_F_RARP) |
		     vhb_bit(VHB_PROTOCOL_F_LOG_SHMFD)));
	kdev->ops->destroy(kdev);
}

static void test_features_with_several_pairs(void **state)
{
	static const unsigned int offered[] = {
		VIRTIO_NET_F_MAC, VIRTIO_NET_F_MQ, VIRTIO_NET_F_CTRL_VQ,
		VIRTIO_NET_F_CTRL_RX, VIRTIO_NET_F_CTRL_VLAN,
		VIRTIO_NET_F_CTRL_MAC_ADDR, VIRTIO_NET_F_GUEST_ANNOUNCE,
		VIRTIO_F_IN_ORDER,
	};
	struct vhb_net_config config = config_of(2);
	struct vhb_kdev *kdev;
	uint64_t mask;
	unsigned int i;

	(void)state;
	config.has_mac = true;
	kernel_mask |= vhb_bit(VIRTIO_F_IN_ORDER);
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	mask = kdev->ops->features(kdev);
	for (i = 0; i < VHB_ARRAY_COUNT(offered); i++)
		assert_true(vhb_has_bit(mask, offered[i]));
	assert_false(vhb_has_bit(mask, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS));
	assert_false(vhb_has_bit(mask, 30));
	kdev->ops->destroy(kdev);
}

static void test_only_what_the_kernel_knows_goes_down(void **state)
{
	struct vhb_kdev *kdev = make_net(2);
	const uint64_t passed = KERNEL_MASK & ~vhb_bit(27) &
				~vhb_bit(VIRTIO_F_ACCESS_PLATFORM);
	uint64_t mask = kdev->ops->features(kdev);

	(void)state;
	prepare(kdev);
	assert_true(vhost_of(kdev, 0)->features_mask == passed);
	assert_true(vhost_of(kdev, 1)->features_mask == passed);
	assert_int_equal(kdev->ops->set_features(kdev, vhb_bit(27)), 0);
	assert_true(vhost_of(kdev, 0)->features_mask == 0);
	assert_int_equal(kdev->ops->set_features(kdev, mask | vhb_bit(50)),
			 -EINVAL);
	kdev->ops->destroy(kdev);
}

static void test_owner_of_all_or_none(void **state)
{
	struct vhb_kdev *kdev = make_net(PAIRS);
	unsigned int i;

	(void)state;
	fail_next(VHOST_SET_OWNER, 2, -ENOMEM);
	assert_int_equal(kdev->ops->set_owner(kdev), -ENOMEM);
	for (i = 0; i < PAIRS; i++)
		assert_false(vhost_of(kdev, i)->has_owner);
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	for (i = 0; i < PAIRS; i++)
		assert_true(vhost_of(kdev, i)->has_owner);
	/* Twice is an error, and the first one stands. */
	assert_int_equal(kdev->ops->set_owner(kdev), -EBUSY);
	for (i = 0; i < PAIRS; i++)
		assert_true(vhost_of(kdev, i)->has_owner);
	kdev->ops->reset(kdev);
	for (i = 0; i < PAIRS; i++)
		assert_false(vhost_of(kdev, i)->has_owner);
	kdev->ops->destroy(kdev);
}

static void test_reset_at_any_time(void **state)
{
	struct vhb_kdev *kdev = make_net(2);

	(void)state;
	kdev->ops->reset(kdev);
	kdev->ops->reset(kdev);
	prepare(kdev);
	assert_int_equal(kdev->ops->start_vring(kdev, 2), 0);
	assert_true(is_queue_attached(kdev, 1));
	kdev->ops->reset(kdev);
	assert_true(is_queue_attached(kdev, 0));
	assert_false(is_queue_attached(kdev, 1));
	prepare(kdev);
	assert_int_equal(kdev->ops->start_vring(kdev, 0), 0);
	kdev->ops->destroy(kdev);
}

static void test_descriptor_that_does_not_reset_is_opened_anew(void **state)
{
	struct vhb_kdev *kdev = make_net(2);
	struct vhb_net *net = vhb_net_of(kdev);

	(void)state;
	prepare(kdev);
	fail_next(VHOST_RESET_OWNER, 1, -ENOMEM);
	kdev->ops->reset(kdev);
	assert_int_equal(net->vhost_fds[1], -1);
	forget_descriptors();
	prepare(kdev);
	assert_true(net->vhost_fds[1] >= 0);
	assert_true(vhost_of(kdev, 1)->has_owner);
	kdev->ops->destroy(kdev);
}

static void test_given_descriptor_that_does_not_reset_is_tried_again(void **s)
{
	struct vhb_net_config config = config_of(1);
	struct vhb_kdev *kdev;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)s;
	config.vhost_path = NULL;
	config.vhost_fds[0] = fd;
	config.vhost_fd_count = 1;
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	prepare(kdev);
	fail_next(VHOST_RESET_OWNER, 0, -ENOMEM);
	kdev->ops->reset(kdev);
	assert_int_equal(vhb_net_of(kdev)->vhost_fds[0], fd);
	assert_true(vhosts[fd].has_owner);
	fail_next(VHOST_RESET_OWNER, 0, -ENOMEM);
	assert_int_equal(kdev->ops->set_owner(kdev), -EBUSY);
	prepare(kdev);
	kdev->ops->destroy(kdev);
	assert_false(is_open(fd));
}

static void test_vring_indexes_are_those_of_the_pair(void **state)
{
	struct vhb_kdev *kdev = make_net(PAIRS);
	struct vhost_vring_addr addr = { 0 };
	uint32_t base;
	unsigned int i;

	(void)state;
	prepare(kdev);
	for (i = 0; i < 2 * PAIRS; i++) {
		struct fake_vring *vring;

		addr.index = i;
		addr.desc_user_addr = 0x1000 * i;
		assert_int_equal(kdev->ops->set_vring_num(kdev, i, 16 << i), 0);
		assert_int_equal(kdev->ops->set_vring_base(kdev, i, 100 + i),
				 0);
		assert_int_equal(kdev->ops->set_vring_addr(kdev, &addr), 0);
		assert_int_equal(kdev->ops->set_vring_kick(kdev, i, 200 + i),
				 0);
		assert_int_equal(kdev->ops->set_vring_call(kdev, i, 300 + i),
				 0);
		assert_int_equal(kdev->ops->set_vring_err(kdev, i, -1), 0);
		assert_int_equal(kdev->ops->start_vring(kdev, i), 0);

		vring = &vhost_of(kdev, i / 2)->vrings[i % 2];
		assert_int_equal(vring->num, 16 << i);
		assert_int_equal(vring->base, 100 + i);
		assert_int_equal(vring->kick_fd, 200 + i);
		assert_int_equal(vring->call_fd, 300 + i);
		assert_int_equal(vring->err_fd, -1);
		assert_int_equal(vring->backend_fd,
				 vhb_net_of(kdev)->tap.fds[i / 2]);
		assert_int_equal(vhost_of(kdev, i / 2)->addr[i % 2].index,
				 i % 2);
		assert_int_equal(vhost_of(kdev, i / 2)->
				 addr[i % 2].desc_user_addr, 0x1000 * i);
	}
	for (i = 0; i < 2 * PAIRS; i++) {
		assert_int_equal(kdev->ops->stop_vring(kdev, i, &base), 0);
		assert_int_equal(base, 100 + i);
		assert_int_equal(vhost_of(kdev, i / 2)->
				 vrings[i % 2].backend_fd, -1);
	}
	for (i = 0; i < PAIRS; i++)
		assert_int_equal(vhost_of(kdev, i)->table_count, 1);
	kdev->ops->destroy(kdev);
}

static void test_queue_is_attached_while_its_pair_runs(void **state)
{
	struct vhb_kdev *kdev = make_net(PAIRS);
	uint32_t base;

	(void)state;
	prepare(kdev);
	assert_true(is_queue_attached(kdev, 0));
	assert_false(is_queue_attached(kdev, 1));
	assert_int_equal(kdev->ops->start_vring(kdev, 2), 0);
	/* Attached before vhost saw it */
	assert_true(vhost_of(kdev, 1)->vrings[0].was_attached);
	assert_int_equal(kdev->ops->start_vring(kdev, 3), 0);
	assert_int_equal(kdev->ops->stop_vring(kdev, 2, &base), 0);
	assert_true(is_queue_attached(kdev, 1));
	assert_int_equal(kdev->ops->stop_vring(kdev, 3, &base), 0);
	assert_false(is_queue_attached(kdev, 1));

	fail_next(VHOST_NET_SET_BACKEND, 0, -EFAULT);
	assert_int_equal(kdev->ops->start_vring(kdev, 4), -EFAULT);
	assert_false(is_queue_attached(kdev, 2));
	/* With the other vring running a failure changes nothing for it. */
	assert_int_equal(kdev->ops->start_vring(kdev, 5), 0);
	fail_next(VHOST_NET_SET_BACKEND, 0, -EFAULT);
	assert_int_equal(kdev->ops->start_vring(kdev, 4), -EFAULT);
	assert_true(is_queue_attached(kdev, 2));
	kdev->ops->destroy(kdev);
}

static void test_stop_of_what_does_not_run(void **state)
{
	struct vhb_kdev *kdev = make_net(1);
	uint32_t base;

	(void)state;
	assert_int_equal(kdev->ops->stop_vring(kdev, 0, &base), -EPERM);
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	assert_int_equal(kdev->ops->set_vring_base(kdev, 1, 77), 0);
	assert_int_equal(kdev->ops->stop_vring(kdev, 1, &base), 0);
	assert_int_equal(base, 77);
	/* The kernel would refuse, as there is no memory yet. */
	assert_int_equal(set_backend_count, 0);
	kdev->ops->destroy(kdev);
}

/* Each pair has a descriptor of its own. */
static void test_log_goes_to_all_pairs(void **state)
{
	struct vhb_kdev *kdev = make_net(2);

	(void)state;
	prepare(kdev);
	assert_int_equal(kdev->ops->set_log_base(kdev, 0x123456789a), 0);
	assert_int_equal(kdev->ops->set_log_fd(kdev, 77), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(vhost_of(kdev, i)->log_base == 0x123456789a);
		assert_int_equal(vhost_of(kdev, i)->log_fd, 77);
	}
	fail_next(VHOST_SET_LOG_BASE, 1, -EFAULT);
	assert_int_equal(kdev->ops->set_log_base(kdev, 1), -EFAULT);
	fail_next(VHOST_SET_LOG_FD, 1, -EFAULT);
	assert_int_equal(kdev->ops->set_log_fd(kdev, -1), -EFAULT);
	kdev->ops->destroy(kdev);
}

static void test_rarp_leaves_the_tap(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	static const uint8_t group[6] = { 3, 0, 0, 0, 0, 9 };
	struct vhb_kdev *kdev = make_net(2);
	uint8_t frame[128];
	int fd;

	(void)state;
	prepare(kdev);
	fd = host_link_open(vhb_net_of(kdev)->tap.name, 0x8035, false);
	assert_true(fd >= 0);
	assert_int_equal(kdev->ops->send_rarp(kdev, group), -EINVAL);
	assert_int_equal(kdev->ops->send_rarp(kdev, mac), 0);
	assert_int_equal(host_link_receive(fd, frame, sizeof(frame), 5000), 60);
	assert_memory_equal(frame + 6, mac, 6);
	assert_memory_equal(frame + 22, mac, 6);
	/* The first queue is detached; another one does. */
	assert_int_equal(vhb_tap_attach(&vhb_net_of(kdev)->tap, 1, true), 0);
	assert_int_equal(vhb_tap_attach(&vhb_net_of(kdev)->tap, 0, false), 0);
	assert_int_equal(kdev->ops->send_rarp(kdev, mac), 0);
	assert_int_equal(host_link_receive(fd, frame, sizeof(frame), 5000), 60);
	assert_int_equal(vhb_tap_attach(&vhb_net_of(kdev)->tap, 1, false), 0);
	assert_int_equal(kdev->ops->send_rarp(kdev, mac), -ENETDOWN);
	close(fd);
	kdev->ops->destroy(kdev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_features_with_one_pair),
		FIXTURE_TEST(test_features_with_several_pairs),
		FIXTURE_TEST(test_only_what_the_kernel_knows_goes_down),
		FIXTURE_TEST(test_owner_of_all_or_none),
		FIXTURE_TEST(test_reset_at_any_time),
		FIXTURE_TEST(test_descriptor_that_does_not_reset_is_opened_anew),
		FIXTURE_TEST(test_given_descriptor_that_does_not_reset_is_tried_again),
		FIXTURE_TEST(test_vring_indexes_are_those_of_the_pair),
		FIXTURE_TEST(test_queue_is_attached_while_its_pair_runs),
		FIXTURE_TEST(test_stop_of_what_does_not_run),
		FIXTURE_TEST(test_log_goes_to_all_pairs),
		FIXTURE_TEST(test_rarp_leaves_the_tap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
