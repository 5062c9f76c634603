/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_BLK_FAKE_BRIDGE_H
#define SELFTESTS_BLK_FAKE_BRIDGE_H

/**
 * DOC: a made-up module vhost_bridge
 *
 * Ioctls of vhost and of our module end in this file (link with --wrap=ioctl),
 * so that its answers can be chosen. It is as strict as <linux/vhost_bridge.h>
 * says. Every descriptor is a device of it; /dev/null stands in for the node.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <linux/vhost.h>
#include <linux/vhost_bridge.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "kdev/blk_private.h"
#include "lib/bits.h"
#include "lib/log.h"
#include "lib/log_capture.h"
#include "lib/resources.h"
#include "wire/protocol.h"

#define FD_MAX 512
#define QUEUES 4
#define VRINGS_MAX 16
#define IMAGE "/tmp/vhb-blk-test.img"
#define IMAGE_BYTES (1 << 20)

/* What the module may answer some day: all that we know, and more */
#define KERNEL_MASK (1ULL << VIRTIO_BLK_F_SEG_MAX |			\
		     1ULL << VIRTIO_BLK_F_BLK_SIZE |			\
		     1ULL << VIRTIO_BLK_F_FLUSH |			\
		     1ULL << VIRTIO_BLK_F_TOPOLOGY |			\
		     1ULL << VIRTIO_BLK_F_CONFIG_WCE |			\
		     1ULL << VIRTIO_BLK_F_MQ |				\
		     1ULL << VIRTIO_BLK_F_DISCARD |			\
		     1ULL << VIRTIO_BLK_F_WRITE_ZEROES | 1ULL << 24 |	\
		     1ULL << VHOST_F_LOG_ALL | 1ULL << 27 |		\
		     1ULL << VIRTIO_RING_F_INDIRECT_DESC |		\
		     1ULL << VIRTIO_RING_F_EVENT_IDX |			\
		     1ULL << VIRTIO_F_VERSION_1 |			\
		     1ULL << VIRTIO_F_ACCESS_PLATFORM |			\
		     1ULL << VIRTIO_F_RING_PACKED | 1ULL << 35 |	\
		     1ULL << 50)

struct fake_vring {
	uint32_t num, base, poll_us;
	int kick_fd, call_fd, err_fd;
	struct vhost_vring_addr addr;
	uint64_t base_addr;
	enum vhost_bridge_fault fault;
	bool is_running;
};

struct fake_bridge {
	bool has_owner;
	uint64_t features_mask;
	unsigned int table_count;
	unsigned int backing_count;
	struct vhost_bridge_blk_backing backing;
	struct fake_vring vrings[VRINGS_MAX];
};

static struct fake_bridge bridges[FD_MAX];
static struct vhost_bridge_info fake_info;
static uint64_t kernel_mask;
static unsigned long fail_request;
static unsigned int fail_times;
static int fail_error;
static uint8_t fake_config[256];

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);

static inline bool is_zero(const void *bytes, size_t count)
{
	const uint8_t *byte = bytes;

	while (count--)
		if (*byte++)
			return false;
	return true;
}

static inline int fake_vring_ioctl(struct fake_bridge *bridge,
				   unsigned long request, void *argument)
{
	struct vhost_vring_state *number = argument;
	struct vhost_vring_file *file = argument;
	struct fake_vring *vring;

	if (number->index >= VRINGS_MAX)
		return -ENOBUFS;
	vring = &bridge->vrings[number->index];
	switch (request) {
	case VHOST_SET_VRING_NUM:
		vring->num = number->num;
		return vring->is_running ? -EBUSY : 0;
	case VHOST_SET_VRING_BASE:
		vring->base = number->num;
		return vring->is_running ? -EBUSY : 0;
	case VHOST_GET_VRING_BASE:
		number->num = vring->base;
		return 0;
	case VHOST_SET_VRING_ADDR:
		memcpy(&vring->addr, argument, sizeof(vring->addr));
		return vring->is_running ? -EBUSY : 0;
	case VHOST_SET_VRING_KICK:
		vring->kick_fd = file->fd;
		return 0;
	case VHOST_SET_VRING_CALL:
		vring->call_fd = file->fd;
		return 0;
	case VHOST_SET_VRING_ERR:
		vring->err_fd = file->fd;
		return 0;
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
		vring->poll_us = number->num;
		return 0;
	default:
		return -ENOTTY;
	}
}

static inline int fake_run_ioctl(struct fake_bridge *bridge,
				 unsigned long request,
				 const struct vhost_bridge_vring *argument)
{
	struct fake_vring *vring;

	if (argument->size_bytes != sizeof(*argument) || argument->reserved0 ||
	    !is_zero(argument->reserved, sizeof(argument->reserved)))
		return -EINVAL;
	if (argument->index >= VRINGS_MAX)
		return -ENOBUFS;
	vring = &bridge->vrings[argument->index];
	if (request == VHOST_BRIDGE_STOP_VRING) {
		if (argument->base_addr ||
		    argument->flags & ~VHOST_BRIDGE_VRING_GIVE_UP)
			return -EINVAL;
		if (!vring->is_running)
			return -ESRCH;
		vring->is_running = false;
		return 0;
	}
	if (argument->flags)
		return -EINVAL;
	if (vring->is_running)
		return -EBUSY;
	if (!vring->num || !bridge->table_count)
		return -EINVAL;
	vring->base_addr = argument->base_addr;
	vring->is_running = true;
	return 0;
}

/* A vring with a fault is a broken one. */
static inline int fake_status_ioctl(const struct fake_bridge *bridge,
				    struct vhost_bridge_vring_status *argument)
{
	const struct fake_vring *vring;

	if (argument->size_bytes != sizeof(*argument) || argument->reserved0 ||
	    !is_zero(argument->reserved, sizeof(argument->reserved)))
		return -EINVAL;
	if (argument->index >= VRINGS_MAX)
		return -ENOBUFS;
	vring = &bridge->vrings[argument->index];
	argument->fault = vring->fault;
	argument->state = VHOST_BRIDGE_VRING_STOPPED;
	if (vring->is_running)
		argument->state = vring->fault ? VHOST_BRIDGE_VRING_BROKEN :
						 VHOST_BRIDGE_VRING_RUNNING;
	return 0;
}

static inline int fake_config_ioctl(unsigned long request,
				    const struct vhost_bridge_config *argument)
{
	void *data = (void *)(uintptr_t)argument->data_addr;

	if (argument->size_bytes != sizeof(*argument) || argument->reserved ||
	    !vhb_range_contains(0, sizeof(fake_config), argument->offset_bytes,
				argument->length_bytes))
		return -EINVAL;
	if (request == VHOST_BRIDGE_GET_CONFIG) {
		memcpy(data, fake_config + argument->offset_bytes,
		       argument->length_bytes);
		return 0;
	}
	if (argument->offset_bytes != 32 || argument->length_bytes != 1)
		return -EACCES;
	memcpy(fake_config + argument->offset_bytes, data, 1);
	return 0;
}

static inline int fake_backing_ioctl(struct fake_bridge *bridge,
				     const struct vhost_bridge_blk_backing *argument)
{
	if (argument->size_bytes != sizeof(*argument) ||
	    argument->flags & ~VHOST_BRIDGE_BLK_READ_ONLY ||
	    !is_zero(argument->reserved, sizeof(argument->reserved)) ||
	    !argument->vring_count ||
	    argument->vring_count > fake_info.vring_count_max)
		return -EINVAL;
	bridge->backing = *argument;
	bridge->backing_count++;
	return 0;
}

static inline int fake_reset(struct fake_bridge *bridge)
{
	const struct fake_bridge kept = *bridge;

	memset(bridge, 0, sizeof(*bridge));
	bridge->backing = kept.backing;
	bridge->backing_count = kept.backing_count;
	return 0;
}

static inline int fake_ioctl(struct fake_bridge *bridge, unsigned long request,
			     void *argument)
{
	if (request == fail_request && fail_times) {
		fail_times--;
		return fail_error;
	}
	switch (request) {
	case VHOST_BRIDGE_GET_INFO:
		if (((struct vhost_bridge_info *)argument)->size_bytes !=
		    sizeof(fake_info))
			return -EINVAL;
		memcpy(argument, &fake_info, sizeof(fake_info));
		return 0;
	case VHOST_GET_FEATURES:
		*(uint64_t *)argument = bridge->backing_count ? kernel_mask : 0;
		return 0;
	case VHOST_SET_OWNER:
		if (bridge->has_owner)
			return -EBUSY;
		bridge->has_owner = true;
		return 0;
	case VHOST_BRIDGE_GET_CONFIG:
		return fake_config_ioctl(request, argument);
	case VHOST_BRIDGE_GET_VRING_STATUS:
		return fake_status_ioctl(bridge, argument);
	}
	if (!bridge->has_owner)
		return -EPERM;
	switch (request) {
	case VHOST_RESET_OWNER:
		return fake_reset(bridge);
	case VHOST_SET_FEATURES:
		bridge->features_mask = *(uint64_t *)argument;
		return bridge->features_mask & ~kernel_mask ? -EOPNOTSUPP : 0;
	case VHOST_SET_MEM_TABLE:
		bridge->table_count++;
		return 0;
	case VHOST_BRIDGE_SET_CONFIG:
		return fake_config_ioctl(request, argument);
	case VHOST_BRIDGE_BLK_SET_BACKING:
		return fake_backing_ioctl(bridge, argument);
	case VHOST_BRIDGE_START_VRING:
	case VHOST_BRIDGE_STOP_VRING:
		return fake_run_ioctl(bridge, request, argument);
	}
	return fake_vring_ioctl(bridge, request, argument);
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	int ret;

	if (_IOC_TYPE(request) != VHOST_VIRTIO &&
	    _IOC_TYPE(request) != VHOST_BRIDGE_IOCTL)
		return __real_ioctl(fd, request, argument);
	assert_in_range(fd, 0, FD_MAX - 1);
	ret = fake_ioctl(&bridges[fd], request, argument);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

static inline void fail_next(unsigned long request, unsigned int times,
			     int error)
{
	fail_request = request;
	fail_times = times;
	fail_error = error;
}

/* Whatever is opened from now on is a new device. */
static inline void forget_descriptors(void)
{
	memset(bridges, 0, sizeof(bridges));
}

static inline bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static inline void make_image(const char *path, off_t size_bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size_bytes), 0);
	close(fd);
}

static struct resources before_test;

static inline int setup(void **state)
{
	(void)state;
	vhb_log_set_level(VHB_LOG_ERROR);
	forget_descriptors();
	fail_next(0, 0, 0);
	kernel_mask = KERNEL_MASK;
	fake_info = (struct vhost_bridge_info){
		.size_bytes = sizeof(fake_info),
		.abi = VHOST_BRIDGE_ABI,
		.virtio_id = VIRTIO_ID_BLOCK,
		.vring_count_max = VRINGS_MAX,
		.version = VHOST_BRIDGE_VERSION,
	};
	make_image(IMAGE, IMAGE_BYTES);
	resources_count(&before_test);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	resources_assert_same(&before_test);
	unlink(IMAGE);
	return 0;
}

static inline struct vhb_blk_config config_of(unsigned int queues)
{
	return (struct vhb_blk_config){
		.vhost_path = "/dev/null",
		.vhost_fd = -1,
		.file_path = IMAGE,
		.queue_count = queues,
		.serial = "serial0",
	};
}

static inline struct vhb_kdev *make_blk(unsigned int queues)
{
	const struct vhb_blk_config config = config_of(queues);
	struct vhb_kdev *kdev = NULL;

	assert_int_equal(vhb_blk_create(&config, &kdev), 0);
	assert_non_null(kdev);
	assert_int_equal(kdev->vring_count, queues);
	return kdev;
}

static inline struct fake_bridge *bridge_of(struct vhb_kdev *kdev)
{
	return &bridges[vhb_blk_of(kdev)->vhost_fd];
}

static inline void prepare(struct vhb_kdev *kdev)
{
	const struct vhost_memory no_memory = { .nregions = 0 };

	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	assert_int_equal(kdev->ops->set_features(kdev,
						 kdev->ops->features(kdev) &
						 ~vhb_bit(VIRTIO_F_ACCESS_PLATFORM)),
			 0);
	assert_int_equal(kdev->ops->set_mem_table(kdev, &no_memory), 0);
}

#define BLK_TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
