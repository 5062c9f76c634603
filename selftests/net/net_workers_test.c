// SPDX-License-Identifier: GPL-2.0-or-later
/* Which vhost descriptor, and so which kernel thread, a vring gets. */
#include "net/fake_vhost.h"

static struct vhb_kdev *make_per_vring(unsigned int pairs)
{
	struct vhb_net_config config = config_of(pairs);
	struct vhb_kdev *kdev = NULL;

	config.workers = VHB_NET_WORKERS_PER_VRING;
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	assert_int_equal(kdev->vring_count, 2 * pairs + 1);
	return kdev;
}

static void test_a_pair_shares_a_descriptor(void **state)
{
	struct vhb_kdev *kdev = make_net(2);
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;

	(void)state;
	assert_int_equal(net->vhost_count, 2);
	prepare(kdev);
	for (i = 0; i < 4; i++) {
		assert_int_equal(kdev->ops->set_vring_num(kdev, i, 16 << i), 0);
		assert_int_equal(kdev->ops->start_vring(kdev, i), 0);
		assert_int_equal(vhosts[net->vhost_fds[i / 2]].vrings[i & 1].num,
				 16 << i);
	}
	kdev->ops->destroy(kdev);
}

static void test_each_vring_has_a_descriptor(void **state)
{
	struct vhb_kdev *kdev = make_per_vring(2);
	struct vhb_net *net = vhb_net_of(kdev);
	struct fake_vhost *vhost;
	uint32_t base;
	unsigned int i;

	(void)state;
	assert_int_equal(net->vhost_count, 4);
	prepare(kdev);
	for (i = 0; i < 4; i++) {
		vhost = &vhosts[net->vhost_fds[i]];
		assert_true(vhost->has_owner);
		assert_int_equal(vhost->table_count, 1);
		vhost->vrings[0].backend_fd = -1;
		vhost->vrings[1].backend_fd = -1;
		assert_int_equal(kdev->ops->set_vring_num(kdev, i, 16 << i), 0);
		assert_int_equal(kdev->ops->start_vring(kdev, i), 0);
		/* Receive is 0 and transmit 1 there, too. */
		assert_int_equal(vhost->vrings[i & 1].num, 16 << i);
		assert_int_equal(vhost->vrings[i & 1].backend_fd,
				 net->tap.fds[i / 2]);
		assert_int_equal(vhost->vrings[!(i & 1)].num, 0);
		assert_int_equal(vhost->vrings[!(i & 1)].backend_fd, -1);
	}
	/* A tap queue rests when both have stopped. */
	assert_int_equal(kdev->ops->stop_vring(kdev, 2, &base), 0);
	assert_true(is_queue_attached(kdev, 1));
	assert_int_equal(kdev->ops->stop_vring(kdev, 3, &base), 0);
	assert_false(is_queue_attached(kdev, 1));
	kdev->ops->reset(kdev);
	for (i = 0; i < 4; i++)
		assert_false(vhosts[net->vhost_fds[i]].has_owner);
	kdev->ops->destroy(kdev);
}

static void test_one_that_does_not_reset_is_opened_anew(void **state)
{
	struct vhb_kdev *kdev = make_per_vring(2);
	struct vhb_net *net = vhb_net_of(kdev);

	(void)state;
	prepare(kdev);
	assert_int_equal(kdev->ops->start_vring(kdev, 3), 0);
	set_backend_count = 0;
	fail_next(VHOST_RESET_OWNER, 3, -ENOMEM);
	kdev->ops->reset(kdev);
	/* Stopped first, for its memory goes away. */
	assert_int_equal(set_backend_count, 1);
	assert_int_equal(net->vhost_fds[3], -1);
	assert_true(net->vhost_fds[2] >= 0);
	forget_descriptors();
	prepare(kdev);
	assert_true(vhosts[net->vhost_fds[3]].has_owner);
	kdev->ops->destroy(kdev);
}

static void test_ready_descriptors_of_every_vring(void **state)
{
	struct vhb_net_config config = config_of(1);
	struct vhb_kdev *kdev;
	int *fds = config.vhost_fds;

	(void)state;
	config.workers = VHB_NET_WORKERS_PER_VRING;
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	config.vhost_fd_count = 1;
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL,
		     "1 vhost descriptors for 1 queue pairs, 2 are needed");
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	config.vhost_fd_count = 2;
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	assert_int_equal(vhb_net_of(kdev)->vhost_fds[1], fds[1]);
	kdev->ops->destroy(kdev);
	assert_false(is_open(fds[0]) || is_open(fds[1]));
}

static void test_polling_is_passed_down(void **state)
{
	struct vhb_net_config config = config_of(2);
	struct vhb_kdev *kdev;
	unsigned int i;

	(void)state;
	config.poll_us = 50;
	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	prepare(kdev);
	for (i = 0; i < 4; i++) {
		assert_int_equal(kdev->ops->start_vring(kdev, i), 0);
		assert_int_equal(vhost_of(kdev, i / 2)->vrings[i & 1].poll_us,
				 50);
	}
	/* Reset forgets it; the next start says it again. */
	kdev->ops->reset(kdev);
	prepare(kdev);
	assert_int_equal(vhost_of(kdev, 0)->vrings[0].poll_us, 0);
	assert_int_equal(kdev->ops->start_vring(kdev, 0), 0);
	assert_int_equal(vhost_of(kdev, 0)->vrings[0].poll_us, 50);
	fail_next(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 0, -EFAULT);
	assert_int_equal(kdev->ops->start_vring(kdev, 2), -EFAULT);
	assert_false(is_queue_attached(kdev, 1));
	kdev->ops->destroy(kdev);
}

static void test_without_polling_nothing_is_said(void **state)
{
	struct vhb_kdev *kdev = make_net(1);

	(void)state;
	prepare(kdev);
	fail_next(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 0, -ENOTTY);
	assert_int_equal(kdev->ops->start_vring(kdev, 0), 0);
	kdev->ops->destroy(kdev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_pair_shares_a_descriptor),
		FIXTURE_TEST(test_each_vring_has_a_descriptor),
		FIXTURE_TEST(test_one_that_does_not_reset_is_opened_anew),
		FIXTURE_TEST(test_ready_descriptors_of_every_vring),
		FIXTURE_TEST(test_polling_is_passed_down),
		FIXTURE_TEST(test_without_polling_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
