// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/blk_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "kdev/bridge_ioctl.h"
#include "kdev/vhost_ioctl.h"
#include "lib/bits.h"
#include "lib/log.h"
#include "wire/protocol.h"

/* Kernel headers before 6.2 (the first), 5.17 (the second), 5.19 (the third) */
#ifndef VIRTIO_F_RING_RESET
#define VIRTIO_F_RING_RESET 40
#endif
#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif
#ifndef VIRTIO_BLK_F_SECURE_ERASE
#define VIRTIO_BLK_F_SECURE_ERASE 16
#endif

/* What is passed through between front-end and module */
static const unsigned int passed_bits[] = {
	VIRTIO_BLK_F_SIZE_MAX,
	VIRTIO_BLK_F_SEG_MAX,
	VIRTIO_BLK_F_GEOMETRY,
	VIRTIO_BLK_F_RO,
	VIRTIO_BLK_F_BLK_SIZE,
	VIRTIO_BLK_F_FLUSH,
	VIRTIO_BLK_F_TOPOLOGY,
	VIRTIO_BLK_F_CONFIG_WCE,
	VIRTIO_BLK_F_MQ,
	VIRTIO_BLK_F_DISCARD,
	VIRTIO_BLK_F_WRITE_ZEROES,
	VIRTIO_BLK_F_SECURE_ERASE,
	VIRTIO_F_NOTIFY_ON_EMPTY,
	VHOST_F_LOG_ALL,
	VIRTIO_F_ANY_LAYOUT,
	VIRTIO_RING_F_INDIRECT_DESC,
	VIRTIO_RING_F_EVENT_IDX,
	VIRTIO_F_VERSION_1,
	VIRTIO_F_ACCESS_PLATFORM,
	VIRTIO_F_RING_PACKED,
	VIRTIO_F_IN_ORDER,
	VIRTIO_F_RING_RESET,
};

static uint64_t features(struct vhb_kdev *kdev)
{
	const struct vhb_blk *blk = vhb_blk_of(kdev);
	uint64_t mask = 0;
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(passed_bits); i++)
		mask |= blk->kernel_mask & vhb_bit(passed_bits[i]);
	return mask;
}

static uint64_t protocol_features(struct vhb_kdev *kdev)
{
	uint64_t mask = vhb_bit(VHB_PROTOCOL_F_INFLIGHT_SHMFD) |
			vhb_bit(VHB_PROTOCOL_F_PAGEFAULT);

	if (vhb_has_bit(vhb_blk_of(kdev)->kernel_mask, VHOST_F_LOG_ALL))
		mask |= vhb_bit(VHB_PROTOCOL_F_LOG_SHMFD);
	return mask;
}

static int set_owner(struct vhb_kdev *kdev)
{
	struct vhb_blk *blk = vhb_blk_of(kdev);
	int ret;

	if (blk->is_in_use)
		return -EBUSY;
	ret = vhb_blk_own(blk);
	if (ret)
		return ret;
	blk->is_in_use = true;
	blk->needs_reset = true;
	vhb_blk_wait_for_news(blk);
	return 0;
}

/* Each drains; the module does too, but says nothing of one that fails. */
static void stop_all(struct vhb_blk *blk)
{
	unsigned int i;
	int ret;

	for (i = 0; i < blk->kdev.vring_count; i++) {
		if (!blk->is_running[i])
			continue;
		ret = vhb_bridge_stop_vring(blk->vhost_fd, i);
		if (ret && ret != -ESRCH)
			vhb_warn("VHOST_BRIDGE_STOP_VRING for vring %u: %s", i,
				 strerrordesc_np(-ret));
	}
	memset(blk->is_running, 0, sizeof(blk->is_running));
	memset(blk->slot_addrs, 0, sizeof(blk->slot_addrs));
}

static void let_go(struct vhb_blk *blk)
{
	int ret;

	vhb_blk_forget_drains(blk);
	stop_all(blk);
	vhb_iotlb_port_close(&blk->iotlb);
	blk->is_in_use = false;
	ret = vhb_vhost_reset_owner(blk->vhost_fd);
	if (!ret) {
		blk->is_owned = false;
		/* It says what is wrong; set_owner tries again. */
		vhb_blk_own(blk);
		return;
	}
	vhb_warn("VHOST_RESET_OWNER: %s", strerrordesc_np(-ret));
	/* Closing drains as well. A given descriptor cannot be replaced. */
	if (!blk->vhost_path)
		return;
	vhb_blk_forget_news(blk);
	close(blk->vhost_fd);
	blk->vhost_fd = -1;
	blk->is_owned = false;
	blk->has_backing = false;
}

/* The module keeps the file, and what the guest has set, when it loses its owner. */
static void disown(struct vhb_kdev *kdev)
{
	struct vhb_blk *blk = vhb_blk_of(kdev);

	if (blk->is_in_use)
		let_go(blk);
}

static void reset(struct vhb_kdev *kdev)
{
	struct vhb_blk *blk = vhb_blk_of(kdev);

	if (!blk->needs_reset)
		return;
	blk->needs_reset = false;
	/* The next one starts anew. */
	blk->has_backing = false;
	let_go(blk);
}

static int set_features(struct vhb_kdev *kdev, uint64_t acked_mask)
{
	struct vhb_blk *blk = vhb_blk_of(kdev);
	int ret;

	if (acked_mask & ~features(kdev))
		return -EINVAL;
	vhb_iotlb_port_close(&blk->iotlb);
	if (vhb_has_bit(acked_mask, VIRTIO_F_ACCESS_PLATFORM)) {
		ret = vhb_iotlb_port_open(&blk->iotlb, blk->vhost_fd);
		if (ret)
			return ret;
	}
	return vhb_vhost_set_features(blk->vhost_fd, acked_mask);
}

static int set_mem_table(struct vhb_kdev *kdev,
			 const struct vhost_memory *table)
{
	return vhb_vhost_set_mem_table(vhb_blk_of(kdev)->vhost_fd, table);
}

static int set_log_base(struct vhb_kdev *kdev, uint64_t address)
{
	return vhb_vhost_set_log_base(vhb_blk_of(kdev)->vhost_fd, address);
}

static int set_log_fd(struct vhb_kdev *kdev, int fd)
{
	return vhb_vhost_set_log_fd(vhb_blk_of(kdev)->vhost_fd, fd);
}

static int set_vring_num(struct vhb_kdev *kdev, unsigned int index,
			 uint32_t num)
{
	return vhb_vhost_set_vring_num(vhb_blk_of(kdev)->vhost_fd, index, num);
}

static int set_vring_base(struct vhb_kdev *kdev, unsigned int index,
			  uint32_t base)
{
	return vhb_vhost_set_vring_base(vhb_blk_of(kdev)->vhost_fd, index,
					base);
}

static int set_vring_addr(struct vhb_kdev *kdev,
			  const struct vhost_vring_addr *addr)
{
	return vhb_vhost_set_vring_addr(vhb_blk_of(kdev)->vhost_fd, addr);
}

static int set_vring_kick(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	return vhb_vhost_set_vring_kick(vhb_blk_of(kdev)->vhost_fd, index, fd);
}

static int set_vring_call(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	const struct vhb_blk *blk = vhb_blk_of(kdev);

	return vhb_vhost_set_vring_call(blk->vhost_fd, index,
					fd < 0 ? blk->silent_fd : fd);
}

static int set_vring_err(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	return vhb_vhost_set_vring_err(vhb_blk_of(kdev)->vhost_fd, index, fd);
}

static void set_vring_slot(struct vhb_kdev *kdev, unsigned int index,
			   uint64_t slot_addr)
{
	vhb_blk_of(kdev)->slot_addrs[index] = slot_addr;
}

static void listen(struct vhb_kdev *kdev, struct vhb_loop *loop,
		   const struct vhb_kdev_listener *listener)
{
	struct vhb_blk *blk = vhb_blk_of(kdev);

	blk->loop = loop;
	blk->listener = listener;
	vhb_iotlb_port_listen(&blk->iotlb, loop, listener);
	if (listener)
		vhb_blk_wait_for_news(blk);
}

static int drain_vring(struct vhb_kdev *kdev, unsigned int index)
{
	return vhb_blk_drain_vring(vhb_blk_of(kdev), index);
}

static int iotlb_write(struct vhb_kdev *kdev,
		       const struct vhost_iotlb_msg *message)
{
	return vhb_iotlb_port_write(&vhb_blk_of(kdev)->iotlb, message);
}

static int start_vring(struct vhb_kdev *kdev, unsigned int index)
{
	struct vhb_blk *blk = vhb_blk_of(kdev);
	int ret;

	if (blk->poll_us) {
		ret = vhb_vhost_set_vring_poll_us(blk->vhost_fd, index,
						  blk->poll_us);
		if (ret)
			return ret;
	}
	ret = vhb_bridge_start_vring(blk->vhost_fd, index,
				     blk->slot_addrs[index]);
	if (!ret)
		blk->is_running[index] = true;
	/* What the guest may not read now, it may when the IOTLB is told more. */
	return ret == -EACCES && blk->iotlb.is_open ? -EAGAIN : ret;
}

static int stop_vring(struct vhb_kdev *kdev, unsigned int index,
		      uint32_t *base_out)
{
	struct vhb_blk *blk = vhb_blk_of(kdev);
	int ret;

	if (blk->is_running[index]) {
		ret = vhb_bridge_stop_vring(blk->vhost_fd, index);
		if (ret && ret != -ESRCH)
			return ret;
		blk->is_running[index] = false;
	}
	return vhb_vhost_get_vring_base(blk->vhost_fd, index, base_out);
}

static int get_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
		      uint32_t size_bytes, uint8_t *data)
{
	if (!vhb_range_contains(0, VHB_CONFIG_MAX_BYTES, offset_bytes,
				size_bytes))
		return -EINVAL;
	return vhb_bridge_get_config(vhb_blk_of(kdev)->vhost_fd, offset_bytes,
				     size_bytes, data);
}

static int set_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
		      uint32_t size_bytes, const uint8_t *data)
{
	struct vhb_blk *blk = vhb_blk_of(kdev);

	if (!vhb_range_contains(0, VHB_CONFIG_MAX_BYTES, offset_bytes,
				size_bytes))
		return -EACCES;
	blk->needs_reset = true;
	return vhb_bridge_set_config(blk->vhost_fd, offset_bytes, size_bytes,
				     data);
}

static void destroy(struct vhb_kdev *kdev)
{
	struct vhb_blk *blk = vhb_blk_of(kdev);

	vhb_blk_forget_drains(blk);
	vhb_blk_forget_news(blk);
	vhb_iotlb_port_close(&blk->iotlb);
	if (blk->vhost_fd >= 0)
		close(blk->vhost_fd);
	if (blk->silent_fd >= 0)
		close(blk->silent_fd);
	if (blk->file_fd >= 0)
		close(blk->file_fd);
	free(blk->vhost_path);
	free(blk);
}

const struct vhb_kdev_ops vhb_blk_ops = {
	.name = "blk",
	.features = features,
	.protocol_features = protocol_features,
	.set_owner = set_owner,
	.disown = disown,
	.reset = reset,
	.set_features = set_features,
	.set_mem_table = set_mem_table,
	.set_log_base = set_log_base,
	.set_log_fd = set_log_fd,
	.set_vring_num = set_vring_num,
	.set_vring_base = set_vring_base,
	.set_vring_addr = set_vring_addr,
	.set_vring_kick = set_vring_kick,
	.set_vring_call = set_vring_call,
	.set_vring_err = set_vring_err,
	.set_vring_slot = set_vring_slot,
	.listen = listen,
	.drain_vring = drain_vring,
	.iotlb_write = iotlb_write,
	.start_vring = start_vring,
	.stop_vring = stop_vring,
	.get_config = get_config,
	.set_config = set_config,
	.save_state = vhb_blk_save_state,
	.load_state = vhb_blk_load_state,
	.destroy = destroy,
};
