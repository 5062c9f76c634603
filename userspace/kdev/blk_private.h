/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_BLK_PRIVATE_H
#define VHB_KDEV_BLK_PRIVATE_H

#include "kdev/blk.h"
#include "kdev/iotlb.h"
#include "kdev/kdev.h"
#include "loop/loop.h"

/**
 * struct vhb_blk_drain - VHOST_BRIDGE_URING_DRAIN of a vring
 * @blk: whose
 * @index: which
 * @command: as long as it is under way
 */
struct vhb_blk_drain {
	struct vhb_blk *blk;
	unsigned int index;
	struct vhb_watch_ref command;
};

/**
 * struct vhb_blk - our module's block device on a file
 * @kdev: what the session sees
 * @vhost_path: where to open the device; NULL when its descriptor was given
 * @vhost_fd: the device; -1 when it could not be reset and is opened again
 * @is_owned: VHOST_SET_OWNER was done on @vhost_fd. It stays owned between
 *            sessions, as the module takes orders from its owner only
 * @has_backing: VHOST_BRIDGE_BLK_SET_BACKING was done on @vhost_fd
 * @is_in_use: set_owner was done, disown and reset were not
 * @needs_reset: set_owner or set_config was done, reset was not: a driver's
 *               features may have switched the write cache as well
 * @file_fd: the file
 * @is_read_only: it is not written to
 * @serial: padded with zeros
 * @poll_us: see &struct vhb_blk_config
 * @kernel_mask: feature bits of the module
 * @is_running: vrings that were started
 * @slot_addrs: where vrings leave their base, or 0
 * @silent_fd: the call eventfd of vrings whose driver gave none: without one the
 *             module would tell us of each call
 * @loop: where commands go; NULL until somebody listens
 * @listener: who wants to hear, or NULL
 * @event: VHOST_BRIDGE_URING_EVENT, as long as it is under way
 * @drains: by vring
 * @iotlb: open while VIRTIO_F_ACCESS_PLATFORM is acked
 */
struct vhb_blk {
	struct vhb_kdev kdev;
	char *vhost_path;
	int vhost_fd;
	bool is_owned;
	bool has_backing;
	bool is_in_use;
	bool needs_reset;
	int file_fd;
	bool is_read_only;
	uint8_t serial[VHB_BLK_SERIAL_BYTES];
	uint32_t poll_us;
	uint64_t kernel_mask;
	bool is_running[VHB_BLK_QUEUES_MAX];
	uint64_t slot_addrs[VHB_BLK_QUEUES_MAX];
	int silent_fd;
	struct vhb_loop *loop;
	const struct vhb_kdev_listener *listener;
	struct vhb_watch_ref event;
	struct vhb_blk_drain drains[VHB_BLK_QUEUES_MAX];
	struct vhb_iotlb_port iotlb;
};

static inline struct vhb_blk *vhb_blk_of(struct vhb_kdev *kdev)
{
	return (struct vhb_blk *)kdev;
}

/**
 * vhb_blk_own() - open the device if need be, own it, give it the file
 * @blk: what is done already is not done again
 *
 * Return: 0 or -errno (reported).
 */
int vhb_blk_own(struct vhb_blk *blk);

/**
 * vhb_blk_wait_for_news() - have a command that waits for what the module tells
 * @blk: nothing happens when it has one, or no loop or device
 *
 * It ends with an error when the device is closed or has no owner; so whoever
 * opens or owns it calls this.
 */
void vhb_blk_wait_for_news(struct vhb_blk *blk);

/** vhb_blk_forget_news() - the device is about to be closed */
void vhb_blk_forget_news(struct vhb_blk *blk);

/** vhb_blk_drain_vring() - &vhb_kdev_ops.drain_vring */
int vhb_blk_drain_vring(struct vhb_blk *blk, unsigned int index);

/** vhb_blk_forget_drains() - nobody waits for them any more */
void vhb_blk_forget_drains(struct vhb_blk *blk);

/** &vhb_kdev_ops.save_state and load_state: blk_state.c */
int vhb_blk_save_state(struct vhb_kdev *kdev, uint8_t *data);
int vhb_blk_load_state(struct vhb_kdev *kdev, const uint8_t *data,
		       size_t size_bytes);

extern const struct vhb_kdev_ops vhb_blk_ops;

#endif
