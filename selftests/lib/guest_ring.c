// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/guest_ring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define NUM_MAX 32768
#define POLL_NS 100000

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "guest rings are written in the byte order of the machine"
#endif

static uint64_t avail_offset(unsigned int num)
{
	return num * sizeof(struct vring_desc);
}

/* flags, idx, the ring, used_event; then used is aligned to 4 */
static uint64_t used_offset(unsigned int num)
{
	uint64_t end = avail_offset(num) + (3 + num) * sizeof(uint16_t);

	return (end + 3) & ~UINT64_C(3);
}

uint64_t guest_ring_bytes(unsigned int num)
{
	return used_offset(num) + 3 * sizeof(uint16_t) +
	       num * sizeof(struct vring_used_elem);
}

static uint16_t *used_event(struct guest_ring *ring)
{
	return &ring->avail->ring[ring->num];
}

static uint16_t *avail_event(struct guest_ring *ring)
{
	return (uint16_t *)&ring->used->ring[ring->num];
}

int guest_ring_init(struct guest_ring *ring, struct guest_memory *memory,
		    uint64_t offset_bytes, unsigned int num)
{
	uint64_t gpa = memory->region.gpa + offset_bytes;
	uint8_t *base;
	unsigned int i;
	int ret;

	*ring = (struct guest_ring){
		.memory = memory,
		.num = num,
		.gpa = gpa,
		.free_count = num,
		.kick_fd = -1,
		.call_fd = -1,
	};
	if (!num || num > NUM_MAX || num & (num - 1) || gpa % 16)
		return -EINVAL;
	base = guest_memory_at(memory, gpa, guest_ring_bytes(num));
	if (!base)
		return -EINVAL;

	memset(base, 0, guest_ring_bytes(num));
	ring->desc = (struct vring_desc *)base;
	ring->avail = (struct vring_avail *)(base + avail_offset(num));
	ring->used = (struct vring_used *)(base + used_offset(num));
	for (i = 0; i < num; i++)
		ring->desc[i].next = i + 1;

	ring->is_busy = calloc(num, sizeof(*ring->is_busy));
	if (!ring->is_busy)
		return -ENOMEM;
	ring->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->kick_fd < 0)
		goto destroy;
	ring->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->call_fd < 0)
		goto destroy;
	return 0;

destroy:
	ret = -errno;
	guest_ring_destroy(ring);
	return ret;
}

void guest_ring_destroy(struct guest_ring *ring)
{
	if (ring->kick_fd >= 0)
		close(ring->kick_fd);
	if (ring->call_fd >= 0)
		close(ring->call_fd);
	free(ring->is_busy);
	ring->is_busy = NULL;
	ring->kick_fd = -1;
	ring->call_fd = -1;
}

void guest_ring_addr(const struct guest_ring *ring, unsigned int index,
		     struct vhb_wire_vring_addr *addr_out)
{
	const struct vhb_wire_region *region = &ring->memory->region;
	uint64_t uva = region->uva + (ring->gpa - region->gpa);

	*addr_out = (struct vhb_wire_vring_addr){
		.index = index,
		.desc_uva = uva,
		.avail_uva = uva + avail_offset(ring->num),
		.used_uva = uva + used_offset(ring->num),
	};
}

int guest_ring_start(struct guest_ring *ring, struct frontend *frontend,
		     unsigned int index)
{
	struct vhb_wire_vring_addr addr;
	int ret;

	guest_ring_addr(ring, index, &addr);
	ret = frontend_set_vring_num(frontend, index, ring->num);
	if (ret)
		return ret;
	ret = frontend_set_vring_base(frontend, index, ring->used_idx);
	if (ret)
		return ret;
	ret = frontend_set_vring_addr(frontend, &addr);
	if (ret)
		return ret;
	ret = frontend_set_vring_call(frontend, index, ring->call_fd);
	if (ret)
		return ret;
	ret = frontend_set_vring_kick(frontend, index, ring->kick_fd);
	if (ret)
		return ret;
	return frontend_set_vring_enable(frontend, index, true);
}

int guest_ring_add(struct guest_ring *ring, const struct guest_buffer *buffers,
		   unsigned int out_count, unsigned int in_count)
{
	unsigned int count = out_count + in_count;
	uint16_t head = ring->free_head;
	struct vring_desc *desc = NULL;
	uint16_t next = head;
	unsigned int i;

	if (!count)
		return -EINVAL;
	if (count > ring->free_count)
		return -ENOSPC;

	for (i = 0; i < count; i++) {
		desc = &ring->desc[next];
		desc->addr = buffers[i].gpa;
		desc->len = buffers[i].size_bytes;
		desc->flags = VRING_DESC_F_NEXT;
		if (i >= out_count)
			desc->flags |= VRING_DESC_F_WRITE;
		next = desc->next;
	}
	desc->flags &= ~VRING_DESC_F_NEXT;
	ring->free_head = next;
	ring->free_count -= count;
	ring->is_busy[head] = true;

	ring->avail->ring[ring->avail_idx % ring->num] = head;
	ring->avail_idx++;
	/* Pairs with the device's read of idx before it reads the ring. */
	__atomic_store_n(&ring->avail->idx, ring->avail_idx, __ATOMIC_RELEASE);
	return head;
}

static bool device_wants_kick(struct guest_ring *ring)
{
	uint16_t old = ring->kicked_idx;
	uint16_t event;

	/*
	 * The device first says that it wants a kick and then looks at idx
	 * again; so idx must be visible before its wish is read.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->has_event_idx)
		return !(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) &
			 VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n(avail_event(ring), __ATOMIC_RELAXED);
	return vring_need_event(event, ring->avail_idx, old);
}

int guest_ring_kick(struct guest_ring *ring)
{
	bool wanted = device_wants_kick(ring);
	int ret;

	ring->kicked_idx = ring->avail_idx;
	if (!wanted)
		return 0;
	ret = guest_ring_kick_always(ring);
	return ret ? ret : 1;
}

int guest_ring_kick_always(struct guest_ring *ring)
{
	uint64_t one = 1;

	ring->kicked_idx = ring->avail_idx;
	if (write(ring->kick_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

static bool has_used(struct guest_ring *ring)
{
	/* Pairs with the device's write of idx after it wrote the element. */
	return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) !=
	       ring->used_idx;
}

static void free_chain(struct guest_ring *ring, uint16_t head)
{
	uint16_t last = head;
	uint16_t count = 1;

	while (ring->desc[last].flags & VRING_DESC_F_NEXT) {
		last = ring->desc[last].next;
		count++;
	}
	ring->desc[last].next = ring->free_head;
	ring->free_head = head;
	ring->free_count += count;
	ring->is_busy[head] = false;
}

int guest_ring_get(struct guest_ring *ring, unsigned int timeout_ms,
		   uint32_t *size_bytes_out)
{
	uint64_t left = (uint64_t)timeout_ms * 1000000 / POLL_NS;
	struct timespec pause = { .tv_nsec = POLL_NS };
	struct vring_used_elem element;

	while (!has_used(ring)) {
		if (!left--)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}

	element = ring->used->ring[ring->used_idx % ring->num];
	if (element.id >= ring->num || !ring->is_busy[element.id])
		return -EPROTO;
	ring->used_idx++;
	free_chain(ring, element.id);
	if (size_bytes_out)
		*size_bytes_out = element.len;
	return element.id;
}

void guest_ring_want_call(struct guest_ring *ring, bool want)
{
	uint16_t flags = want ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
	uint16_t event = ring->used_idx;

	if (!ring->has_event_idx) {
		__atomic_store_n(&ring->avail->flags, flags, __ATOMIC_SEQ_CST);
		return;
	}
	/* An event half the number space away does not happen soon. */
	if (!want)
		event += 0x8000;
	__atomic_store_n(used_event(ring), event, __ATOMIC_SEQ_CST);
}

int guest_ring_wait_call(struct guest_ring *ring, unsigned int timeout_ms)
{
	struct pollfd pollfd = { .fd = ring->call_fd, .events = POLLIN };
	uint64_t count;

	if (poll(&pollfd, 1, timeout_ms) <= 0)
		return -ETIMEDOUT;
	if (read(ring->call_fd, &count, sizeof(count)) != sizeof(count))
		return -EAGAIN;
	return 0;
}
