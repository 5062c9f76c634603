// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a net device on the real vhost-net: what a session may do, and
 * that nothing is left behind. Needs /dev/vhost-net and root; runs in the VM.
 */
#include "net/kdev_guest.h"

#include <stdlib.h>

static void test_features_of_this_kernel(void **state)
{
	struct vhb_kdev *kdev = make_net(1);
	struct vhb_net *net = vhb_net_of(kdev);
	uint64_t mask = kdev->ops->features(kdev);

	(void)state;
	print_message("# vhost-net has %#llx, offered are %#llx\n",
		      (unsigned long long)net->kernel_mask,
		      (unsigned long long)mask);
	assert_true(vhb_has_bit(mask, VIRTIO_F_VERSION_1));
	assert_true(vhb_has_bit(mask, VIRTIO_NET_F_MRG_RXBUF));
	assert_true(vhb_has_bit(mask, VIRTIO_RING_F_EVENT_IDX));
	assert_true(vhb_has_bit(mask, VIRTIO_NET_F_GUEST_TSO4));
	assert_true(vhb_has_bit(mask, VHOST_F_LOG_ALL));
	assert_false(vhb_has_bit(mask, 30));
	assert_true(vhb_has_bit(mask, VIRTIO_F_ACCESS_PLATFORM));
	/* All of it at once is taken. */
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	assert_int_equal(kdev->ops->set_features(kdev, mask), 0);
	kdev->ops->destroy(kdev);
}

static void own_and_reset(unsigned int pairs)
{
	struct vhb_kdev *kdev = make_net(pairs);
	int fds = count_fds();
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		assert_int_equal(kdev->ops->set_owner(kdev), 0);
		assert_workers(pairs);
		assert_int_equal(kdev->ops->set_owner(kdev), -EBUSY);
		kdev->ops->reset(kdev);
		assert_workers(0);
		assert_int_equal(count_fds(), fds);
	}
	kdev->ops->destroy(kdev);
}

static void test_rounds_of_owner_and_reset_leave_nothing(void **state)
{
	(void)state;
	own_and_reset(1);
	own_and_reset(4);
}

static void test_stop_without_start(void **state)
{
	struct vhb_kdev *kdev = make_net(1);
	uint32_t base;
	int ret;

	(void)state;
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	/* Why stop_vring takes away only what is there */
	ret = vhb_vhost_net_set_backend(vhb_net_of(kdev)->vhost_fds[0], 0, -1);
	print_message("# to stop without memory gives %d\n", ret);
	assert_int_equal(kdev->ops->set_vring_base(kdev, 0, 1234), 0);
	assert_int_equal(kdev->ops->stop_vring(kdev, 0, &base), 0);
	assert_int_equal(base, 1234);
	kdev->ops->destroy(kdev);
}

/* A ring outside memory does not start, and can still be stopped. */
static void test_failed_start_can_be_stopped(void **state)
{
	struct vhb_kdev *kdev = make_net(2);
	struct vhost_vring_addr addr = {
		.index = 2,
		.desc_user_addr = 0x1000,
		.avail_user_addr = 0x2000,
		.used_user_addr = 0x3000,
	};
	struct guest guest;
	uint32_t base;

	(void)state;
	begin(&guest, kdev, 0);
	add_ring(&guest, 2);
	program(&guest, 2, 7);
	assert_int_equal(kdev->ops->set_vring_addr(kdev, &addr), 0);
	assert_int_equal(kdev->ops->start_vring(kdev, 2), -EFAULT);
	assert_int_equal(vhb_net_of(kdev)->tap.attached_mask, 1);
	assert_int_equal(kdev->ops->stop_vring(kdev, 2, &base), 0);
	assert_int_equal(base, 7);
	start(&guest, 2, 0);
	end(&guest);
	kdev->ops->destroy(kdev);
}

/* What a bad guest can do: a descriptor that points outside memory. */
static void test_vring_error_is_told_and_survived(void **state)
{
	struct vhb_kdev *kdev = make_net(1);
	int host_fd = open_host_end("vhb0");
	const struct guest_buffer outside = {
		.gpa = GUEST_GPA + (GUEST_MIB << 20),
		.size_bytes = 100,
	};
	struct guest_ring *ring;
	struct guest guest;
	uint64_t count = 0;
	uint32_t base;
	unsigned int i;
	int err_fd;

	(void)state;
	begin(&guest, kdev, vhb_bit(VIRTIO_F_VERSION_1));
	ring = add_ring(&guest, 1);
	program(&guest, 1, 0);
	err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(kdev->ops->set_vring_err(kdev, 1, err_fd), 0);
	assert_int_equal(kdev->ops->start_vring(kdev, 1), 0);
	assert_true(guest_ring_add(ring, &outside, 1, 0) >= 0);
	assert_true(guest_ring_kick_always(ring) >= 0);
	for (i = 0; i < WAIT_MS / 10 && !count; i++) {
		if (read(err_fd, &count, sizeof(count)) < 0)
			usleep(10000);
	}
	assert_true(count > 0);
	assert_int_equal(kdev->ops->stop_vring(kdev, 1, &base), 0);
	close(err_fd);
	end(&guest);

	begin(&guest, kdev, vhb_bit(VIRTIO_F_VERSION_1));
	add_ring(&guest, 1);
	start(&guest, 1, 0);
	transmit(&guest, 1, host_fd, 0x66);
	end(&guest);
	close(host_fd);
	kdev->ops->destroy(kdev);
}

static void test_destroy_while_running(void **state)
{
	struct vhb_kdev *kdev = make_net(2);
	struct guest guest;
	unsigned int i;

	(void)state;
	begin(&guest, kdev, vhb_bit(VIRTIO_F_VERSION_1));
	for (i = 0; i < 4; i++) {
		add_ring(&guest, i);
		start(&guest, i, 0);
	}
	kdev->ops->destroy(kdev);
	assert_workers(0);
	for (i = 0; i < 4; i++)
		guest_ring_destroy(&guest.rings[i]);
	guest_memory_destroy(&guest.memory);
}

static void test_given_descriptors(void **state)
{
	struct vhb_net_config config = config_of(2);
	struct vhb_kdev *kdev;
	struct guest guest;
	int host_fd, ret;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		config.vhost_fds[i] = open(VHOST_PATH, O_RDWR | O_CLOEXEC);
		config.tap_fds[i] = make_queue("vhb0", TAP_FLAGS |
					       IFF_MULTI_QUEUE);
	}
	config.vhost_fd_count = 2;
	config.tap_fd_count = 2;
	config.vhost_path = NULL;
	config.tap_name = NULL;
	assert_int_equal(vhb_link_set_up(if_nametoindex("vhb0")), 0);
	set_net_admin(false);
	ret = vhb_net_create(&config, &kdev);
	set_net_admin(true);
	assert_int_equal(ret, 0);

	host_fd = open_host_end("vhb0");
	for (i = 0; i < 3; i++) {
		set_net_admin(false);
		begin(&guest, kdev, vhb_bit(VIRTIO_F_VERSION_1));
		add_ring(&guest, 2);
		add_ring(&guest, 3);
		start(&guest, 3, 0);
		start(&guest, 2, 0);
		set_net_admin(true);
		transmit(&guest, 3, host_fd, i);
		end(&guest);
	}
	close(host_fd);
	kdev->ops->destroy(kdev);
}

static void test_other_vhost_devices_are_refused(void **state)
{
	struct vhb_net_config config = config_of(1);
	struct vhb_kdev *kdev;
	int fd;

	(void)state;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	config.vhost_fds[0] = fd;
	config.vhost_fd_count = 1;
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL, "no vhost-net");
	assert_false(is_open(fd));

	fd = vhb_kdev_open("/dev/vhost-vsock", "vhost_vsock");
	if (fd < 0) {
		print_message("# needs /dev/vhost-vsock\n");
		skip();
	}
	config.vhost_fds[0] = fd;
	assert_fails(vhb_net_create(&config, &kdev), -EINVAL, "no vhost-net");
	assert_false(is_open(fd));
}

/* Unloads vhost_net: only in the VM. */
static void test_missing_module_is_loaded(void **state)
{
	struct vhb_kdev *kdev;

	(void)state;
	if (!getenv("VHB_IN_VM")) {
		print_message("# needs the test VM, as it unloads vhost_net\n");
		skip();
	}
	if (syscall(SYS_delete_module, "vhost_net", O_NONBLOCK)) {
		print_message("# needs vhost_net as a module nobody uses: %s\n",
			      strerror(errno));
		skip();
	}
	assert_int_equal(access(VHOST_PATH, F_OK), -1);
	assert_int_equal(seteuid(65534), 0);
	assert_fails(vhb_kdev_open(VHOST_PATH, "vhost_net"), -EPERM,
		     "modprobe vhost_net");
	assert_int_equal(seteuid(0), 0);
	kdev = make_net(1);
	assert_int_equal(access(VHOST_PATH, F_OK), 0);
	kdev->ops->destroy(kdev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_features_of_this_kernel),
		FIXTURE_TEST(test_rounds_of_owner_and_reset_leave_nothing),
		FIXTURE_TEST(test_stop_without_start),
		FIXTURE_TEST(test_failed_start_can_be_stopped),
		FIXTURE_TEST(test_vring_error_is_told_and_survived),
		FIXTURE_TEST(test_destroy_while_running),
		FIXTURE_TEST(test_given_descriptors),
		FIXTURE_TEST(test_other_vhost_devices_are_refused),
		FIXTURE_TEST(test_missing_module_is_loaded),
	};

	return cmocka_run_group_tests(tests, find_vhost, NULL);
}
