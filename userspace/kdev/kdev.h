/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_KDEV_H
#define VHB_KDEV_KDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vhost_types.h>

/**
 * DOC: kernel devices
 *
 * A kernel device is what the broker drives by ioctl: vhost-net and so on. The
 * session knows nothing but this table of operations. Vring indexes are the
 * front-end's; the device finds the descriptor and the kernel's index for it.
 *
 * Order of calls, as the session makes them: set_owner, set_features,
 * set_mem_table, then for each vring num, base, addr, kick, call, err, slot,
 * start. stop gives the base back. num, base, addr and slot are only called while
 * the vring is stopped; features only while all are; set_mem_table, kick, call and err
 * at any time after set_owner. reset ends it all and may be called at any time.
 *
 * The dirty log is switched while vrings run: set_log_base and set_log_fd may be
 * called at any time after set_owner, set_features when nothing but VHOST_F_LOG_ALL
 * changes, addr when only flags and log address do. There was a set_log_base before
 * either asks for marks, and all that may be marked is in that log.
 */

struct vhb_kdev;
struct vhb_loop;

/** Longest state of a device */
#define VHB_KDEV_STATE_MAX_BYTES 256

/**
 * struct vhb_kdev_listener - who wants to hear of a kernel device
 * @on_drained: a vring that @drain_vring was called for: @stop_vring does not
 *              wait for it any more
 * @on_broken: the driver broke a vring's rules; which of them, in a word. The
 *             vring is not processed any more; its err eventfd was signalled
 * @on_config: the configuration space has changed by itself
 * @on_memory: the device is about to read or write guest memory in this process,
 *             or (false) has done so; that may take as long as a page is under
 *             way. May be NULL
 * @on_miss: somebody needs an address that the IOTLB does not know, and waits
 *           until @iotlb_write of &struct vhb_kdev_ops tells it; for
 *           VHOST_ACCESS_RO or VHOST_ACCESS_WO
 * @on_unanswered: so many misses of a vring were not answered that it must be
 *                 stopped, for the kernel keeps them all. It can start again when
 *                 more is told
 * @argument: handed to them
 *
 * Called from the loop, never out of an operation. What is called may do
 * anything with the device.
 */
struct vhb_kdev_listener {
	void (*on_drained)(void *argument, unsigned int index);
	void (*on_broken)(void *argument, unsigned int index,
			  const char *fault);
	void (*on_config)(void *argument);
	void (*on_memory)(void *argument, bool begins);
	void (*on_miss)(void *argument, uint64_t iova, uint8_t permission);
	void (*on_unanswered)(void *argument, unsigned int index);
	void *argument;
};

/**
 * struct vhb_kdev_ops - what a kernel device can do
 * @name: "net", ... as on the command line
 * @features: the bits to offer to front-ends, without
 *            VHOST_USER_F_PROTOCOL_FEATURES: what the kernel device does and
 *            the broker can honour, and what tap or VMM add to it
 * @protocol_features: protocol feature bits this device adds to those every
 *                     session has (VHB_PROTOCOL_F_MTU for net,
 *                     VHB_PROTOCOL_F_INFLIGHT_SHMFD for one with @set_vring_slot,
 *                     VHB_PROTOCOL_F_PAGEFAULT where the kernel can wait for
 *                     pages that are missing,
 *                     VHB_PROTOCOL_F_LOG_SHMFD for one that offers
 *                     VHOST_F_LOG_ALL, VHB_PROTOCOL_F_RARP for @send_rarp)
 * @set_owner: make the calling process the owner (VHOST_SET_OWNER); its
 *             address space is what the kernel copies through
 * @disown: let go of owner, memory, features, vrings and eventfds, as before
 *          set_owner, but not of what guest and front-end have set in the device.
 *          Never fails: what cannot be reset is closed and opened again on the
 *          next set_owner
 * @reset: that, and forget what was set; for the end of a session
 * @set_features: the bits the front-end acked, a subset of @features. The
 *                device passes down what the kernel knows and applies the rest
 *                (offloads and header size of a tap)
 * @set_mem_table: the whole guest memory (VHOST_SET_MEM_TABLE)
 * @set_log_base: address in the broker of the bitmap for marks of what is written
 *                (VHOST_SET_LOG_BASE); when it returns none is made in another.
 *                The kernel does not know how long it is. NULL, like
 *                @set_log_fd, for a device that marks nothing
 * @set_log_fd: eventfd that is told of marks, or -1 (VHOST_SET_LOG_FD)
 * @set_vring_num: entries; of a split virtqueue a power of two
 *                 (VHOST_SET_VRING_NUM)
 * @set_vring_base: split: next available index; packed: next available slot and
 *                  wrap counter in the low half, the same for used in the high
 *                  half, as the specification has it (VHOST_SET_VRING_BASE)
 * @set_vring_addr: addresses in the broker; log address zero without
 *                  VHOST_VRING_F_LOG (VHOST_SET_VRING_ADDR). The index in
 *                  @addr is the front-end's
 * @set_vring_kick: eventfd, or -1 (VHOST_SET_VRING_KICK)
 * @set_vring_call: eventfd, or -1 (VHOST_SET_VRING_CALL)
 * @set_vring_err: eventfd, or -1 (VHOST_SET_VRING_ERR)
 * @set_vring_slot: where the vring, from its next start on, has to leave its base
 *                  when it stops, also when this process is gone: address of a
 *                  &struct vhost_bridge_saved_base, 8-aligned and valid until
 *                  the vring has stopped; 0 for nowhere. NULL for a device that
 *                  does not drain when its owner is killed
 * @listen: tell this one, by way of this loop; NULL for nobody any more. The
 *          loop is the same each time and goes after the device; the listener
 *          is not copied. NULL for a device that has nothing to tell
 * @drain_vring: begin to stop a vring that runs: it takes no more requests, and
 *               @on_drained is called when those it has taken are done. Then
 *               @stop_vring is due. NULL, as on failure, where stop_vring alone
 *               does it all, however long it waits
 * @iotlb_write: tell the IOTLB of every descriptor: VHOST_IOTLB_UPDATE with an
 *               address of the broker or VHOST_IOTLB_INVALIDATE. Sizes are never
 *               zero. There is an IOTLB while VIRTIO_F_ACCESS_PLATFORM is
 *               acked; set_features with that bit makes an empty one. When this
 *               fails some descriptors may have been told. NULL for a device
 *               that does not offer the bit
 * @start_vring: begin to process (VHOST_NET_SET_BACKEND); -EAGAIN when the IOTLB
 *               does not know the vring's used ring, which it tells as a miss
 * @stop_vring: end to process; when it returns the kernel touches the vring no
 *              more. Gives the base to go on from. Must work for a vring that
 *              already failed to start
 * @get_config: read the configuration space; bytes beyond the device's fields
 *              read as zero. -EINVAL beyond VHB_CONFIG_MAX_BYTES
 * @set_config: write it; -EACCES for read-only fields. May be NULL
 * @set_mtu: VHOST_USER_NET_SET_MTU; -EINVAL out of range. May be NULL
 * @save_state: write down, in VHB_KDEV_STATE_MAX_BYTES, what the guest has changed in
 *              the device and no message tells the next one, in little-endian and
 *              the same for every release; its length or -errno. May be NULL
 * @load_state: the reverse, all or nothing; -EINVAL for what is no such thing.
 *              NULL if @save_state is. Neither is called while a vring runs; both
 *              may be before set_owner
 * @reset_state: forget what the guest, not the front-end, has changed in the
 *               device and is not remembered elsewhere (a front-end may keep the
 *               configuration space); @reset forgets all. No vring runs; may be called
 *               before set_owner. May be NULL
 * @send_rarp: make the guest's address known to the network
 *             (VHOST_USER_SEND_RARP). May be NULL
 * @destroy: close everything and free
 *
 * All return 0 or -errno unless said otherwise.
 */
struct vhb_kdev_ops {
	const char *name;
	uint64_t (*features)(struct vhb_kdev *kdev);
	uint64_t (*protocol_features)(struct vhb_kdev *kdev);
	int (*set_owner)(struct vhb_kdev *kdev);
	void (*disown)(struct vhb_kdev *kdev);
	void (*reset)(struct vhb_kdev *kdev);
	int (*set_features)(struct vhb_kdev *kdev, uint64_t acked_mask);
	int (*set_mem_table)(struct vhb_kdev *kdev,
			     const struct vhost_memory *table);
	int (*set_log_base)(struct vhb_kdev *kdev, uint64_t address);
	int (*set_log_fd)(struct vhb_kdev *kdev, int fd);
	int (*set_vring_num)(struct vhb_kdev *kdev, unsigned int index,
			     uint32_t num);
	int (*set_vring_base)(struct vhb_kdev *kdev, unsigned int index,
			      uint32_t base);
	int (*set_vring_addr)(struct vhb_kdev *kdev,
			      const struct vhost_vring_addr *addr);
	int (*set_vring_kick)(struct vhb_kdev *kdev, unsigned int index,
			      int fd);
	int (*set_vring_call)(struct vhb_kdev *kdev, unsigned int index,
			      int fd);
	int (*set_vring_err)(struct vhb_kdev *kdev, unsigned int index, int fd);
	void (*set_vring_slot)(struct vhb_kdev *kdev, unsigned int index,
			       uint64_t slot_addr);
	void (*listen)(struct vhb_kdev *kdev, struct vhb_loop *loop,
		       const struct vhb_kdev_listener *listener);
	int (*drain_vring)(struct vhb_kdev *kdev, unsigned int index);
	int (*iotlb_write)(struct vhb_kdev *kdev,
			   const struct vhost_iotlb_msg *message);
	int (*start_vring)(struct vhb_kdev *kdev, unsigned int index);
	int (*stop_vring)(struct vhb_kdev *kdev, unsigned int index,
			  uint32_t *base_out);
	int (*get_config)(struct vhb_kdev *kdev, uint32_t offset_bytes,
			  uint32_t size_bytes, uint8_t *data);
	int (*set_config)(struct vhb_kdev *kdev, uint32_t offset_bytes,
			  uint32_t size_bytes, const uint8_t *data);
	int (*set_mtu)(struct vhb_kdev *kdev, uint64_t mtu);
	int (*save_state)(struct vhb_kdev *kdev, uint8_t *data);
	int (*load_state)(struct vhb_kdev *kdev, const uint8_t *data,
			  size_t size_bytes);
	int (*reset_state)(struct vhb_kdev *kdev);
	int (*send_rarp)(struct vhb_kdev *kdev, const uint8_t *mac);
	void (*destroy)(struct vhb_kdev *kdev);
};

/**
 * struct vhb_kdev - a kernel device
 * @ops: what it can do
 * @vring_count: vrings a front-end may use; indexes are below it
 * @keeps_nothing: of a vring that has stopped, also because its owner was killed,
 *                 all that was taken is in the used ring, in order; so that is
 *                 where it goes on, whatever the front-end says (split only)
 *
 * The first member of each device's own structure.
 */
struct vhb_kdev {
	const struct vhb_kdev_ops *ops;
	unsigned int vring_count;
	bool keeps_nothing;
};

#endif
