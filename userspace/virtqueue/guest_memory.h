/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_VIRTQUEUE_GUEST_MEMORY_H
#define VHB_VIRTQUEUE_GUEST_MEMORY_H

#include <linux/types.h>
#include <linux/vhost_types.h>

#include "memory/memory.h"
#include "virtqueue/virtqueue.h"

/**
 * struct vhb_memory - how a virtqueue of the broker sees guest memory
 * @table: where guest addresses lie in this process
 * @log: where marks of what was written go
 * @used_addr: area address of the used ring, all of the ring that is written
 *
 * For the accessors of the module's memory/memory.h, as far as its rings call
 * them. Area addresses are addresses of this process; the session has looked them
 * up in one region.
 */
struct vhb_memory {
	const struct vhost_memory *table;
	struct vhb_virtqueue_log log;
	u64 used_addr;
};

/**
 * vhb_guest_write() - copy to guest memory, across regions that adjoin
 * @memory: guest memory
 * @gpa: guest address
 * @from: where from
 * @size_bytes: how much
 *
 * Return: 0; -EFAULT; -EIO when it was written and cannot be marked.
 */
int vhb_guest_write(const struct vhb_memory *memory, u64 gpa, const void *from,
		    size_t size_bytes);

#endif
