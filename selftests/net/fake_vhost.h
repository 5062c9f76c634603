/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_NET_FAKE_VHOST_H
#define SELFTESTS_NET_FAKE_VHOST_H

/**
 * DOC: a made-up vhost-net
 *
 * Ioctls of vhost end in this file (link with --wrap=ioctl), so that its errors
 * can be chosen. Taps, bridges and links are the kernel's, in a network
 * namespace of each test's own.
 */

#include "net/net_fixture.h"

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "kdev/net_private.h"
#include "lib/bits.h"
#include "netlink/link.h"
#include "wire/protocol.h"

#define FD_MAX 512
#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
#define PAIRS 3

/* What Linux 6.12 answers */
#define KERNEL_MASK (1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << 24 |	\
		     1ULL << VHOST_F_LOG_ALL | 1ULL << 27 |		\
		     1ULL << VIRTIO_RING_F_INDIRECT_DESC |		\
		     1ULL << VIRTIO_RING_F_EVENT_IDX |			\
		     1ULL << VIRTIO_F_VERSION_1 |			\
		     1ULL << VIRTIO_F_ACCESS_PLATFORM | 1ULL << 40)

/* One vring of a made-up descriptor */
struct fake_vring {
	uint32_t num, base, poll_us;
	int kick_fd, call_fd, err_fd, backend_fd;
	bool was_attached;
};

/* A descriptor that the made-up kernel knows */
struct fake_vhost {
	bool is_vhost;
	bool has_owner;
	uint64_t features_mask;
	uint64_t log_base;
	int log_fd;
	unsigned int table_count;
	struct vhost_vring_addr addr[2];
	struct fake_vring vrings[2];
};

static struct fake_vhost vhosts[FD_MAX];
static uint64_t kernel_mask;
static unsigned long fail_request;
static unsigned int fail_after;
static int fail_error;
static unsigned int set_backend_count;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);

static inline bool is_attached(int fd)
{
	struct ifreq request = { 0 };

	assert_int_equal(__real_ioctl(fd, TUNGETIFF, &request), 0);
	return !(request.ifr_flags & IFF_DETACH_QUEUE);
}

static inline int fake_vring_ioctl(struct fake_vhost *vhost,
				   unsigned long request, void *argument)
{
	struct vhost_vring_state *number = argument;
	struct vhost_vring_file *file = argument;
	struct fake_vring *vring;

	if (number->index > 1)
		return -ENOBUFS;
	vring = &vhost->vrings[number->index];
	switch (request) {
	case VHOST_SET_VRING_NUM:
		vring->num = number->num;
		return 0;
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
		vring->poll_us = number->num;
		return 0;
	case VHOST_SET_VRING_BASE:
		vring->base = number->num;
		return 0;
	case VHOST_GET_VRING_BASE:
		number->num = vring->base;
		return 0;
	case VHOST_SET_VRING_ADDR:
		memcpy(&vhost->addr[number->index], argument,
		       sizeof(struct vhost_vring_addr));
		return 0;
	case VHOST_SET_VRING_KICK:
		vring->kick_fd = file->fd;
		return 0;
	case VHOST_SET_VRING_CALL:
		vring->call_fd = file->fd;
		return 0;
	case VHOST_SET_VRING_ERR:
		vring->err_fd = file->fd;
		return 0;
	case VHOST_NET_SET_BACKEND:
		set_backend_count++;
		if (!vhost->table_count)
			return -EFAULT;
		if (file->fd >= 0)
			vring->was_attached = is_attached(file->fd);
		vring->backend_fd = file->fd;
		return 0;
	default:
		return -ENOTTY;
	}
}

static inline int fake_ioctl(struct fake_vhost *vhost, unsigned long request,
			     void *argument)
{
	if (!vhost->is_vhost)
		return -ENOTTY;
	if (request == fail_request && fail_after-- == 0) {
		fail_request = 0;
		return fail_error;
	}
	switch (request) {
	case VHOST_GET_FEATURES:
		*(uint64_t *)argument = kernel_mask;
		return 0;
	case VHOST_SET_FEATURES:
		vhost->features_mask = *(uint64_t *)argument;
		return vhost->features_mask & ~kernel_mask ? -EOPNOTSUPP : 0;
	case VHOST_SET_OWNER:
		if (vhost->has_owner)
			return -EBUSY;
		vhost->has_owner = true;
		return 0;
	}
	if (!vhost->has_owner)
		return -EPERM;
	if (request == VHOST_RESET_OWNER) {
		memset(vhost, 0, sizeof(*vhost));
		vhost->is_vhost = true;
		return 0;
	}
	if (request == VHOST_SET_LOG_BASE) {
		vhost->log_base = *(uint64_t *)argument;
		return 0;
	}
	if (request == VHOST_SET_LOG_FD) {
		vhost->log_fd = *(int *)argument;
		return 0;
	}
	if (request == VHOST_SET_MEM_TABLE) {
		vhost->table_count++;
		return 0;
	}
	return fake_vring_ioctl(vhost, request, argument);
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	int ret;

	if (_IOC_TYPE(request) != VHOST_VIRTIO)
		return __real_ioctl(fd, request, argument);
	assert_in_range(fd, 0, FD_MAX - 1);
	ret = fake_ioctl(&vhosts[fd], request, argument);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

static inline void fail_next(unsigned long request, unsigned int after,
			     int error)
{
	fail_request = request;
	fail_after = after;
	fail_error = error;
}

/* Whatever is opened from now on is a new vhost-net. */
static inline void forget_descriptors(void)
{
	unsigned int i;

	memset(vhosts, 0, sizeof(vhosts));
	for (i = 0; i < FD_MAX; i++)
		vhosts[i].is_vhost = true;
}

static inline int setup(void **state)
{
	(void)state;
	forget_descriptors();
	kernel_mask = KERNEL_MASK;
	fail_request = 0;
	set_backend_count = 0;
	return begin_netns_test();
}

static inline int teardown(void **state)
{
	(void)state;
	return end_netns_test();
}

static inline struct vhb_net_config config_of(unsigned int pairs)
{
	return (struct vhb_net_config){
		.vhost_path = "/dev/null",
		.tap_name = "vhb0",
		.queue_pairs = pairs,
	};
}

static inline struct vhb_kdev *make_net(unsigned int pairs)
{
	const struct vhb_net_config config = config_of(pairs);
	struct vhb_kdev *kdev = NULL;

	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	assert_non_null(kdev);
	assert_int_equal(kdev->vring_count, 2 * pairs + 1);
	return kdev;
}

static inline struct fake_vhost *vhost_of(struct vhb_kdev *kdev,
					  unsigned int pair)
{
	return &vhosts[vhb_net_of(kdev)->vhost_fds[pair]];
}

static inline bool is_queue_attached(struct vhb_kdev *kdev,
				     unsigned int pair)
{
	return is_attached(vhb_net_of(kdev)->tap.fds[pair]);
}

static inline void prepare(struct vhb_kdev *kdev)
{
	const struct vhost_memory no_memory = { .nregions = 0 };

	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	/* No IOTLB: what is read and written there, a fake has not. */
	assert_int_equal(kdev->ops->set_features(kdev,
						 kdev->ops->features(kdev) &
						 ~vhb_bit(VIRTIO_F_ACCESS_PLATFORM)),
			 0);
	assert_int_equal(kdev->ops->set_mem_table(kdev, &no_memory), 0);
}

#endif
