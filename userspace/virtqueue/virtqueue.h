/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_VIRTQUEUE_VIRTQUEUE_H
#define VHB_VIRTQUEUE_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vhost_types.h>

/**
 * DOC: a virtqueue that the broker serves itself
 *
 * The device's side of a split virtqueue, for the few that no kernel device
 * knows: a control queue. The engine is the module's (module/ring), built for
 * user space with the headers in shim/. It trusts the driver with nothing; see
 * its ring.h.
 *
 * Guest memory is read and written with process_vm_readv(2) and writev on this
 * very process: a front-end that truncates a file which is mapped here costs us
 * an EFAULT, where touching the mapping would cost a SIGBUS. So each access is a
 * system call, which is fine for a queue that is used a few times an hour.
 *
 * One chain is with the device at a time.
 */
struct vhb_virtqueue;

/**
 * struct vhb_virtqueue_config - how a virtqueue is set up
 * @num: entries, a power of two
 * @base: available index to begin with
 * @addr: where it lies in this process; flags and log address are not used
 * @has_indirect: VIRTIO_RING_F_INDIRECT_DESC was negotiated
 * @has_event_idx: VIRTIO_RING_F_EVENT_IDX was negotiated
 * @has_in_order: VIRTIO_F_IN_ORDER was negotiated
 * @notify_on_empty: VIRTIO_F_NOTIFY_ON_EMPTY was negotiated
 */
struct vhb_virtqueue_config {
	uint32_t num;
	uint32_t base;
	struct vhost_vring_addr addr;
	bool has_indirect;
	bool has_event_idx;
	bool has_in_order;
	bool notify_on_empty;
};

/**
 * struct vhb_virtqueue_log - marks of what is written, for a migration
 * @address: of the bitmap in this process, a bit for each page of 4 KiB from guest
 *           address 0; it covers all that may be marked
 * @marks_buffers: what is written to chains is marked (VHOST_F_LOG_ALL)
 * @marks_ring: the used ring is marked (VHOST_VRING_F_LOG)
 * @used_gpa: as the used ring's guest address
 */
struct vhb_virtqueue_log {
	uint64_t address;
	bool marks_buffers;
	bool marks_ring;
	uint64_t used_gpa;
};

/**
 * struct vhb_virtqueue_sizes - the chain the driver made available
 * @readable_bytes: what the device may read
 * @writable_bytes: what it may write
 */
struct vhb_virtqueue_sizes {
	uint32_t readable_bytes;
	uint32_t writable_bytes;
};

/**
 * vhb_virtqueue_create() - begin to serve a virtqueue
 * @config: how it is set up
 * @table: guest memory as the process has it mapped; must stay until
 *         vhb_virtqueue_set_table() names another one
 * @queue_out: the virtqueue
 *
 * Return: 0; -EINVAL for what can be no virtqueue; -EFAULT when it cannot be read;
 * -ENOMEM.
 */
int vhb_virtqueue_create(const struct vhb_virtqueue_config *config,
			 const struct vhost_memory *table,
			 struct vhb_virtqueue **queue_out);

/** vhb_virtqueue_destroy() - leave it to the driver; @queue may be NULL */
void vhb_virtqueue_destroy(struct vhb_virtqueue *queue);

/** vhb_virtqueue_set_table() - guest memory is this from now on */
void vhb_virtqueue_set_table(struct vhb_virtqueue *queue,
			     const struct vhost_memory *table);

/**
 * vhb_virtqueue_set_log() - mark what is written from now on, there
 *
 * A log that cannot be written breaks the virtqueue: a migration that misses a page
 * is worse.
 */
void vhb_virtqueue_set_log(struct vhb_virtqueue *queue,
			   const struct vhb_virtqueue_log *log);

/**
 * vhb_virtqueue_pop() - take the next chain
 * @queue: the virtqueue; no chain is with the device
 * @sizes_out: how large it is
 *
 * Return: 1 with a chain, 0 when there is none, or -errno: the driver broke the
 * rules, and all calls fail from now on.
 */
int vhb_virtqueue_pop(struct vhb_virtqueue *queue,
		      struct vhb_virtqueue_sizes *sizes_out);

/**
 * vhb_virtqueue_read() - copy from the chain's readable part
 * @queue: has a chain with the device
 * @offset_bytes: where to begin
 * @to: where to
 * @size_bytes: how much
 *
 * Each byte is to be read once: the driver can change it meanwhile.
 *
 * Return: 0; -EINVAL beyond the end; -EFAULT when it is not in guest memory.
 */
int vhb_virtqueue_read(struct vhb_virtqueue *queue, uint32_t offset_bytes,
		       void *to, uint32_t size_bytes);

/**
 * vhb_virtqueue_write_byte() - write the first byte of the writable part
 * @queue: has a chain with the device
 * @value: what
 *
 * Return: 0; -EINVAL when there is none; -EFAULT as above; -EIO when it cannot be
 * marked in the log.
 */
int vhb_virtqueue_write_byte(struct vhb_virtqueue *queue, uint8_t value);

/**
 * vhb_virtqueue_finish() - give the chain back
 * @queue: has a chain with the device
 * @written_bytes: how much of its writable part was written
 *
 * Return: 1 when the driver wants to hear of it, 0 when not, or -errno.
 */
int vhb_virtqueue_finish(struct vhb_virtqueue *queue, uint32_t written_bytes);

/**
 * vhb_virtqueue_enable_kicks() - ask for kicks, and look once more
 * @queue: the virtqueue
 *
 * Return: 1 when there is a chain already, 0 when not, or -errno.
 */
int vhb_virtqueue_enable_kicks(struct vhb_virtqueue *queue);

/**
 * vhb_virtqueue_break() - the chain cannot be served
 * @queue: has a chain with the device, which is left to who comes next
 * @fault: enum vhost_bridge_fault
 */
void vhb_virtqueue_break(struct vhb_virtqueue *queue, uint32_t fault);

/** vhb_virtqueue_base() - available index to go on with */
uint32_t vhb_virtqueue_base(const struct vhb_virtqueue *queue);

/** vhb_virtqueue_fault() - enum vhost_bridge_fault; 0 while all is well */
uint32_t vhb_virtqueue_fault(const struct vhb_virtqueue *queue);

#endif
