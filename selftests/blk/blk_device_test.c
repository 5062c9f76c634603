// SPDX-License-Identifier: GPL-2.0-or-later
/* How the block device drives the module, on a made-up one. */
#include "blk/fake_bridge.h"

static void start(struct vhb_kdev *kdev, unsigned int index)
{
	assert_int_equal(kdev->ops->set_vring_num(kdev, index, 256), 0);
	assert_int_equal(kdev->ops->start_vring(kdev, index), 0);
	assert_true(bridge_of(kdev)->vrings[index].is_running);
}

static void test_features(void **state)
{
	struct vhb_kdev *kdev = make_blk(QUEUES);
	uint64_t mask = kdev->ops->features(kdev);

	(void)state;
	assert_true(mask == (KERNEL_MASK &
			     ~vhb_bit(50)));
	assert_true(kdev->ops->protocol_features(kdev) ==
		    (vhb_bit(VHB_PROTOCOL_F_INFLIGHT_SHMFD) |
		     vhb_bit(VHB_PROTOCOL_F_LOG_SHMFD) |
		     vhb_bit(VHB_PROTOCOL_F_PAGEFAULT)));
	assert_string_equal(kdev->ops->name, "blk");
	assert_null(kdev->ops->set_mtu);
	kdev->ops->destroy(kdev);
}

static void test_features_are_what_the_module_has(void **state)
{
	struct vhb_kdev *kdev;

	(void)state;
	kernel_mask = vhb_bit(VIRTIO_F_VERSION_1) | vhb_bit(VIRTIO_BLK_F_RO);
	kdev = make_blk(1);
	assert_true(kdev->ops->features(kdev) == kernel_mask);
	kdev->ops->destroy(kdev);
}

static void test_acked_features_go_down(void **state)
{
	struct vhb_kdev *kdev = make_blk(1);
	const uint64_t acked = vhb_bit(VIRTIO_F_VERSION_1) |
			       vhb_bit(VIRTIO_F_RING_PACKED);

	(void)state;
	prepare(kdev);
	assert_int_equal(kdev->ops->set_features(kdev, acked), 0);
	assert_true(bridge_of(kdev)->features_mask == acked);
	assert_int_equal(kdev->ops->set_features(kdev, vhb_bit(50)), -EINVAL);
	assert_true(bridge_of(kdev)->features_mask == acked);
	kdev->ops->destroy(kdev);
}

static void test_backing(void **state)
{
	struct vhb_kdev *kdev = make_blk(3);
	const struct vhost_bridge_blk_backing *backing =
		&bridge_of(kdev)->backing;

	(void)state;
	assert_int_equal(backing->fd, vhb_blk_of(kdev)->file_fd);
	assert_int_equal(backing->flags, 0);
	assert_int_equal(backing->vring_count, 3);
	assert_memory_equal(backing->serial, "serial0\0\0\0\0\0\0\0\0\0\0\0\0\0",
			    20);
	assert_int_equal(fcntl(backing->fd, F_GETFL) & O_ACCMODE, O_RDWR);
	kdev->ops->destroy(kdev);
}

static void test_read_only_backing(void **state)
{
	struct vhb_blk_config config = config_of(1);
	struct vhb_kdev *kdev;

	(void)state;
	config.is_read_only = true;
	assert_int_equal(vhb_blk_create(&config, &kdev), 0);
	assert_int_equal(bridge_of(kdev)->backing.flags,
			 VHOST_BRIDGE_BLK_READ_ONLY);
	assert_int_equal(fcntl(bridge_of(kdev)->backing.fd, F_GETFL) &
			 O_ACCMODE, O_RDONLY);
	kdev->ops->destroy(kdev);
}

static void test_vrings_get_what_they_are_told(void **state)
{
	struct vhb_kdev *kdev = make_blk(QUEUES);
	struct vhost_vring_addr addr = { 0 };
	unsigned int i;

	(void)state;
	prepare(kdev);
	for (i = 0; i < QUEUES; i++) {
		const struct fake_vring *vring = &bridge_of(kdev)->vrings[i];

		addr.index = i;
		addr.desc_user_addr = 0x1000 * i;
		assert_int_equal(kdev->ops->set_vring_num(kdev, i, 100 + i), 0);
		assert_int_equal(kdev->ops->set_vring_base(kdev, i,
							   0x80018001), 0);
		assert_int_equal(kdev->ops->set_vring_addr(kdev, &addr), 0);
		assert_int_equal(kdev->ops->set_vring_kick(kdev, i, 200 + i),
				 0);
		assert_int_equal(kdev->ops->set_vring_call(kdev, i, 300 + i),
				 0);
		assert_int_equal(kdev->ops->set_vring_err(kdev, i, -1), 0);
		kdev->ops->set_vring_slot(kdev, i, i ? 0x40 * i : 0);
		assert_int_equal(kdev->ops->start_vring(kdev, i), 0);

		assert_true(vring->is_running);
		assert_int_equal(vring->num, 100 + i);
		assert_int_equal(vring->base, 0x80018001);
		assert_int_equal(vring->addr.index, i);
		assert_int_equal(vring->addr.desc_user_addr, 0x1000 * i);
		assert_int_equal(vring->kick_fd, 200 + i);
		assert_int_equal(vring->call_fd, 300 + i);
		assert_int_equal(vring->err_fd, -1);
		assert_int_equal(vring->base_addr, 0x40 * i);
		assert_int_equal(vring->poll_us, 0);
	}
	kdev->ops->destroy(kdev);
}

static void test_polling(void **state)
{
	struct vhb_blk_config config = config_of(1);
	struct vhb_kdev *kdev;

	(void)state;
	config.poll_us = 50;
	assert_int_equal(vhb_blk_create(&config, &kdev), 0);
	prepare(kdev);
	start(kdev, 0);
	assert_int_equal(bridge_of(kdev)->vrings[0].poll_us, 50);
	fail_next(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 1, -EINVAL);
	kdev->ops->reset(kdev);
	prepare(kdev);
	assert_int_equal(kdev->ops->set_vring_num(kdev, 0, 8), 0);
	assert_int_equal(kdev->ops->start_vring(kdev, 0), -EINVAL);
	assert_false(bridge_of(kdev)->vrings[0].is_running);
	kdev->ops->destroy(kdev);
}

static void test_stop_gives_the_base(void **state)
{
	struct vhb_kdev *kdev = make_blk(2);
	uint32_t base = 0;

	(void)state;
	prepare(kdev);
	start(kdev, 0);
	start(kdev, 1);
	bridge_of(kdev)->vrings[1].base = 0x80128012;
	assert_int_equal(kdev->ops->stop_vring(kdev, 1, &base), 0);
	assert_int_equal(base, 0x80128012);
	assert_false(bridge_of(kdev)->vrings[1].is_running);
	assert_true(bridge_of(kdev)->vrings[0].is_running);
	kdev->ops->destroy(kdev);
}

/* A drain is waited for, however many signals come. */
static void test_stop_goes_on_after_signals(void **state)
{
	struct vhb_kdev *kdev = make_blk(1);
	uint32_t base;

	(void)state;
	prepare(kdev);
	start(kdev, 0);
	fail_next(VHOST_BRIDGE_STOP_VRING, 5, -EINTR);
	assert_int_equal(kdev->ops->stop_vring(kdev, 0, &base), 0);
	assert_int_equal(fail_times, 0);
	assert_false(bridge_of(kdev)->vrings[0].is_running);
	kdev->ops->destroy(kdev);
}

static void test_stop_that_fails_can_be_tried_again(void **state)
{
	struct vhb_kdev *kdev = make_blk(1);
	uint32_t base;

	(void)state;
	prepare(kdev);
	start(kdev, 0);
	fail_next(VHOST_BRIDGE_STOP_VRING, 1, -EIO);
	assert_int_equal(kdev->ops->stop_vring(kdev, 0, &base), -EIO);
	assert_int_equal(kdev->ops->stop_vring(kdev, 0, &base), 0);
	assert_false(bridge_of(kdev)->vrings[0].is_running);
	kdev->ops->destroy(kdev);
}

static void test_stop_of_what_does_not_run(void **state)
{
	struct vhb_kdev *kdev = make_blk(2);
	uint32_t base;

	(void)state;
	prepare(kdev);
	assert_int_equal(kdev->ops->set_vring_base(kdev, 0, 7), 0);
	assert_int_equal(kdev->ops->stop_vring(kdev, 0, &base), 0);
	assert_int_equal(base, 7);
	/* One that the module has stopped by itself is as good. */
	start(kdev, 1);
	bridge_of(kdev)->vrings[1].is_running = false;
	assert_int_equal(kdev->ops->stop_vring(kdev, 1, &base), 0);
	/* One that did not start */
	assert_int_equal(kdev->ops->set_vring_num(kdev, 0, 8), 0);
	fail_next(VHOST_BRIDGE_START_VRING, 1, -EFAULT);
	assert_int_equal(kdev->ops->start_vring(kdev, 0), -EFAULT);
	assert_int_equal(kdev->ops->stop_vring(kdev, 0, &base), 0);
	kdev->ops->destroy(kdev);
}

static void test_owner_once(void **state)
{
	struct vhb_kdev *kdev = make_blk(1);

	(void)state;
	/* The module takes a file from its owner only. */
	assert_true(bridge_of(kdev)->has_owner);
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	assert_int_equal(kdev->ops->set_owner(kdev), -EBUSY);
	kdev->ops->reset(kdev);
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	kdev->ops->destroy(kdev);
}

static void test_reset_stops_everything_and_begins_anew(void **state)
{
	struct vhb_kdev *kdev = make_blk(3);
	unsigned int i;

	(void)state;
	kdev->ops->reset(kdev);
	prepare(kdev);
	for (i = 0; i < 3; i++) {
		kdev->ops->set_vring_slot(kdev, i, 64);
		start(kdev, i);
	}
	fail_next(VHOST_BRIDGE_STOP_VRING, 1, -EINTR);
	kdev->ops->reset(kdev);
	assert_int_equal(fail_times, 0);
	assert_int_equal(bridge_of(kdev)->table_count, 0);
	assert_true(bridge_of(kdev)->has_owner);
	/* The file was given again: so the guest's settings are forgotten. */
	assert_int_equal(bridge_of(kdev)->backing_count, 2);
	kdev->ops->reset(kdev);
	assert_int_equal(bridge_of(kdev)->backing_count, 2);

	/* Where bases were saved is no more. */
	prepare(kdev);
	start(kdev, 0);
	assert_int_equal(bridge_of(kdev)->vrings[0].base_addr, 0);
	kdev->ops->destroy(kdev);
}

static void test_device_that_does_not_reset_is_opened_anew(void **state)
{
	struct vhb_kdev *kdev = make_blk(1);
	uint8_t byte;

	(void)state;
	prepare(kdev);
	start(kdev, 0);
	fail_next(VHOST_RESET_OWNER, 1, -EIO);
	kdev->ops->reset(kdev);
	assert_int_equal(vhb_blk_of(kdev)->vhost_fd, -1);
	forget_descriptors();
	prepare(kdev);
	assert_true(vhb_blk_of(kdev)->vhost_fd >= 0);
	assert_int_equal(bridge_of(kdev)->backing_count, 1);
	start(kdev, 0);
	assert_int_equal(kdev->ops->get_config(kdev, 0, 1, &byte), 0);
	kdev->ops->destroy(kdev);
}

static void test_given_descriptor_that_does_not_reset_is_tried_again(void **s)
{
	struct vhb_blk_config config = config_of(1);
	struct vhb_kdev *kdev;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)s;
	config.vhost_path = NULL;
	config.vhost_fd = fd;
	assert_int_equal(vhb_blk_create(&config, &kdev), 0);
	prepare(kdev);
	fail_next(VHOST_RESET_OWNER, 1, -EIO);
	kdev->ops->reset(kdev);
	assert_int_equal(vhb_blk_of(kdev)->vhost_fd, fd);
	prepare(kdev);
	assert_int_equal(bridges[fd].backing_count, 2);
	/* What fails between sessions is done at the start of the next. */
	fail_next(VHOST_BRIDGE_BLK_SET_BACKING, 1, -EIO);
	kdev->ops->reset(kdev);
	assert_int_equal(bridges[fd].backing_count, 2);
	prepare(kdev);
	assert_int_equal(bridges[fd].backing_count, 3);
	kdev->ops->destroy(kdev);
	assert_false(is_open(fd));
}

static void test_config_space_is_the_modules(void **state)
{
	struct vhb_kdev *kdev = make_blk(1);
	uint8_t data[60];
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(fake_config); i++)
		fake_config[i] = i;
	assert_int_equal(kdev->ops->get_config(kdev, 4, sizeof(data), data), 0);
	for (i = 0; i < sizeof(data); i++)
		assert_int_equal(data[i], i + 4);
	assert_int_equal(kdev->ops->get_config(kdev, 256, 0, data), 0);
	assert_int_equal(kdev->ops->get_config(kdev, 250, 7, data), -EINVAL);
	assert_int_equal(kdev->ops->get_config(kdev, UINT32_MAX, 2, data),
			 -EINVAL);

	/* Also before and between sessions */
	data[0] = 0;
	assert_int_equal(kdev->ops->set_config(kdev, 32, 1, data), 0);
	assert_int_equal(fake_config[32], 0);
	assert_int_equal(kdev->ops->set_config(kdev, 0, 8, data), -EACCES);
	assert_int_equal(kdev->ops->set_config(kdev, 256, 1, data), -EACCES);
	/* What one that never got to work has set is not the next one's. */
	assert_int_equal(bridge_of(kdev)->backing_count, 1);
	kdev->ops->reset(kdev);
	assert_int_equal(bridge_of(kdev)->backing_count, 2);
	prepare(kdev);
	kdev->ops->reset(kdev);
	assert_int_equal(kdev->ops->set_config(kdev, 32, 1, data), 0);
	kdev->ops->destroy(kdev);
}

/* A new backing would be one with a write cache. */
static void test_what_was_set_outlives_the_owner(void **state)
{
	const uint8_t has_cache = 0;
	struct vhb_kdev *kdev = make_blk(1);

	(void)state;
	assert_int_equal(kdev->ops->set_config(kdev, 32, 1, &has_cache), 0);
	kdev->ops->disown(kdev);
	prepare(kdev);
	start(kdev, 0);
	kdev->ops->disown(kdev);
	assert_int_equal(bridge_of(kdev)->table_count, 0);
	assert_true(bridge_of(kdev)->has_owner);
	assert_int_equal(bridge_of(kdev)->backing_count, 1);
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	kdev->ops->disown(kdev);
	kdev->ops->reset(kdev);
	assert_int_equal(bridge_of(kdev)->backing_count, 2);
	kdev->ops->destroy(kdev);
}

/* A driver that acked what it did may have switched the write cache off by it. */
static void test_who_comes_after_the_owner_starts_anew(void **state)
{
	struct vhb_kdev *kdev = make_blk(1);

	(void)state;
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	kdev->ops->disown(kdev);
	assert_int_equal(bridge_of(kdev)->backing_count, 1);
	kdev->ops->reset(kdev);
	assert_int_equal(bridge_of(kdev)->backing_count, 2);
	kdev->ops->reset(kdev);
	assert_int_equal(bridge_of(kdev)->backing_count, 2);
	kdev->ops->destroy(kdev);
}

static void test_state_is_the_cache_mode(void **state)
{
	uint8_t data[VHB_KDEV_STATE_MAX_BYTES] = { 0 };
	struct vhb_kdev *kdev = make_blk(1);

	(void)state;
	fake_config[32] = 1;
	assert_int_equal(kdev->ops->save_state(kdev, data), 1);
	assert_int_equal(data[0], 1);
	data[0] = 0;
	assert_int_equal(kdev->ops->load_state(kdev, data, 0), -EINVAL);
	assert_int_equal(kdev->ops->load_state(kdev, data, 2), -EINVAL);
	assert_int_equal(fake_config[32], 1);
	assert_int_equal(kdev->ops->load_state(kdev, data, 1), 0);
	assert_int_equal(fake_config[32], 0);
	assert_int_equal(kdev->ops->save_state(kdev, data), 1);
	assert_int_equal(data[0], 0);
	kdev->ops->destroy(kdev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLK_TEST(test_features),
		BLK_TEST(test_features_are_what_the_module_has),
		BLK_TEST(test_acked_features_go_down),
		BLK_TEST(test_backing),
		BLK_TEST(test_read_only_backing),
		BLK_TEST(test_vrings_get_what_they_are_told),
		BLK_TEST(test_polling),
		BLK_TEST(test_stop_gives_the_base),
		BLK_TEST(test_stop_goes_on_after_signals),
		BLK_TEST(test_stop_that_fails_can_be_tried_again),
		BLK_TEST(test_stop_of_what_does_not_run),
		BLK_TEST(test_owner_once),
		BLK_TEST(test_reset_stops_everything_and_begins_anew),
		BLK_TEST(test_device_that_does_not_reset_is_opened_anew),
		BLK_TEST(test_given_descriptor_that_does_not_reset_is_tried_again),
		BLK_TEST(test_config_space_is_the_modules),
		BLK_TEST(test_what_was_set_outlives_the_owner),
		BLK_TEST(test_who_comes_after_the_owner_starts_anew),
		BLK_TEST(test_state_is_the_cache_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
