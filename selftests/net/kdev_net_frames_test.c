// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames through the net device and the real vhost-net, both ways. Needs
 * /dev/vhost-net and root; runs in the VM.
 */
#include "net/kdev_guest.h"

static void exchange(uint64_t acked_mask)
{
	struct vhb_kdev *kdev = make_net(1);
	int host_fd = open_host_end("vhb0");
	struct guest guest;
	uint32_t base;

	begin(&guest, kdev, acked_mask);
	add_ring(&guest, 0);
	add_ring(&guest, 1);
	start(&guest, 0, 0);
	start(&guest, 1, 0);
	transmit(&guest, 1, host_fd, 0x11);
	receive(&guest, 0, host_fd, 0x22);
	transmit(&guest, 1, host_fd, 0x33);
	assert_int_equal(kdev->ops->stop_vring(kdev, 1, &base), 0);
	assert_int_equal(base, 2);
	assert_int_equal(kdev->ops->stop_vring(kdev, 0, &base), 0);
	assert_int_equal(base, guest.rings[0].used_idx);
	/* Once more from where they were */
	start(&guest, 0, base);
	start(&guest, 1, 2);
	receive(&guest, 0, host_fd, 0x44);
	transmit(&guest, 1, host_fd, 0x55);
	end(&guest);
	close(host_fd);
	kdev->ops->destroy(kdev);
}

static void test_frames_of_a_legacy_driver(void **state)
{
	(void)state;
	exchange(0);
}

static void test_frames_in_any_layout(void **state)
{
	(void)state;
	/* The bit that would garble them if vhost-net got to see it */
	exchange(vhb_bit(27) | vhb_bit(VIRTIO_NET_F_GUEST_CSUM));
}

static void test_frames_with_mergeable_buffers(void **state)
{
	(void)state;
	exchange(vhb_bit(VIRTIO_NET_F_MRG_RXBUF));
}

static void test_frames_of_virtio_1(void **state)
{
	(void)state;
	exchange(vhb_bit(VIRTIO_F_VERSION_1));
}

static void test_frames_with_offloads(void **state)
{
	struct vhb_kdev *kdev = make_net(1);
	uint64_t mask = kdev->ops->features(kdev);

	(void)state;
	kdev->ops->destroy(kdev);
	exchange(mask & ~vhb_bit(VIRTIO_RING_F_EVENT_IDX) &
		 ~vhb_bit(VIRTIO_F_ACCESS_PLATFORM));
}

static void test_rounds_of_frames_leave_nothing(void **state)
{
	struct vhb_kdev *kdev = make_net(1);
	int host_fd = open_host_end("vhb0");
	struct guest guest;
	int fds = count_fds();
	unsigned int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++) {
		begin(&guest, kdev, vhb_bit(VIRTIO_F_VERSION_1));
		add_ring(&guest, 0);
		add_ring(&guest, 1);
		start(&guest, 1, 0);
		start(&guest, 0, 0);
		transmit(&guest, 1, host_fd, i);
		receive(&guest, 0, host_fd, i);
		assert_workers(1);
		end(&guest);
		assert_workers(0);
		assert_int_equal(count_fds(), fds);
	}
	close(host_fd);
	kdev->ops->destroy(kdev);
}

static void test_each_pair_works_alone(void **state)
{
	struct vhb_kdev *kdev = make_net(4);
	int host_fd = open_host_end("vhb0");
	struct guest guest;
	unsigned int i;
	uint32_t base;

	(void)state;
	begin(&guest, kdev, vhb_bit(VIRTIO_F_VERSION_1));
	for (i = 0; i < 8; i++)
		add_ring(&guest, i);
	/* Running alone, a pair gets every frame, whichever it is. */
	assert_int_equal(vhb_tap_attach(&vhb_net_of(kdev)->tap, 0, false), 0);
	for (i = 0; i < 8; i += 2) {
		start(&guest, i, 0);
		start(&guest, i + 1, 0);
		transmit(&guest, i + 1, host_fd, i);
		receive(&guest, i, host_fd, i);
		assert_int_equal(vhb_net_of(kdev)->tap.attached_mask,
				 1 << i / 2);
		assert_int_equal(kdev->ops->stop_vring(kdev, i, &base), 0);
		assert_int_equal(kdev->ops->stop_vring(kdev, i + 1, &base), 0);
		assert_int_equal(base, 1);
		assert_int_equal(vhb_net_of(kdev)->tap.attached_mask, 0);
	}
	/* All together */
	for (i = 0; i < 8; i++)
		start(&guest, i, guest.rings[i].used_idx);
	for (i = 1; i < 8; i += 2)
		transmit(&guest, i, host_fd, i);
	end(&guest);
	close(host_fd);
	kdev->ops->destroy(kdev);
}

static void test_memory_and_eventfds_may_change_while_running(void **state)
{
	struct vhb_kdev *kdev = make_net(1);
	int host_fd = open_host_end("vhb0");
	struct guest_ring *ring;
	struct guest guest;

	(void)state;
	begin(&guest, kdev, vhb_bit(VIRTIO_F_VERSION_1));
	ring = add_ring(&guest, 1);
	start(&guest, 1, 0);
	transmit(&guest, 1, host_fd, 1);
	set_memory(&guest);
	transmit(&guest, 1, host_fd, 2);

	close(ring->kick_fd);
	close(ring->call_fd);
	ring->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(kdev->ops->set_vring_kick(kdev, 1, ring->kick_fd), 0);
	assert_int_equal(kdev->ops->set_vring_call(kdev, 1, ring->call_fd), 0);
	transmit(&guest, 1, host_fd, 3);
	assert_int_equal(guest_ring_wait_call(ring, WAIT_MS), 0);
	assert_int_equal(kdev->ops->set_vring_call(kdev, 1, -1), 0);
	transmit(&guest, 1, host_fd, 4);
	/* A running vring may not be given other addresses or sizes. */
	assert_int_equal(kdev->ops->set_vring_num(kdev, 1, 128), -EBUSY);
	end(&guest);
	close(host_fd);
	kdev->ops->destroy(kdev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_frames_of_a_legacy_driver),
		FIXTURE_TEST(test_frames_in_any_layout),
		FIXTURE_TEST(test_frames_with_mergeable_buffers),
		FIXTURE_TEST(test_frames_of_virtio_1),
		FIXTURE_TEST(test_frames_with_offloads),
		FIXTURE_TEST(test_rounds_of_frames_leave_nothing),
		FIXTURE_TEST(test_each_pair_works_alone),
		FIXTURE_TEST(test_memory_and_eventfds_may_change_while_running),
	};

	return cmocka_run_group_tests(tests, find_vhost, NULL);
}
