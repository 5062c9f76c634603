// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/attack.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fcntl.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"

#define ALIVE_MS 10000
/* Descriptors at the start of a region that indirect ones may point to */
#define LIES_MAX 1024
#define PAGE_BYTES 4096

unsigned int attack_seconds(unsigned int seconds)
{
	const char *given = getenv("VHB_ATTACK_SECONDS");

	return given ? strtoul(given, NULL, 0) : seconds;
}

static uint64_t below(struct attack *attack, uint64_t limit)
{
	return test_random_below(&attack->random, limit);
}

static bool one_in(struct attack *attack, unsigned int count)
{
	return test_random_one_in(&attack->random, count);
}

/* Numbers at which something may change */
static uint64_t edge(struct attack *attack)
{
	static const uint64_t edges[] = {
		0, 1, 2, 7, 64, 128, 255, 256, 257, 0x7fff, 0x8000, 0xffff,
		0x10000, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_C(1) << 32,
		UINT64_C(1) << 47, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX,
	};
	uint64_t number = edges[below(attack, VHB_ARRAY_COUNT(edges))];

	switch (below(attack, 4)) {
	case 0:
		return number + below(attack, 5) - 2;
	case 1:
		return test_random_next(&attack->random);
	default:
		return number;
	}
}

/* Around the guest's memory, on this side and that */
static uint64_t near_memory(struct attack *attack, bool by_uva)
{
	const struct vhb_wire_region *region =
		&attack->memory[below(attack, attack->region_count)].region;
	uint64_t start = by_uva ? region->uva : region->gpa;

	switch (below(attack, 8)) {
	case 0:
		return start + region->size_bytes - below(attack, 32);
	case 1:
		return start - below(attack, 32);
	case 2:
		return edge(attack);
	case 3:
		return start + (below(attack, region->size_bytes) & ~15ULL);
	default:
		/* Where the lies are */
		return start + 16 * below(attack, LIES_MAX);
	}
}

static int any_fd(struct attack *attack)
{
	if (one_in(attack, 24))
		return attack->frontend->fd;
	return attack->fds.fds[below(attack, attack->fds.count)];
}

/* Take what has come, wait for nothing. */
static void listen_to_broker(struct attack *attack)
{
	struct pollfd pollfd = {
		.fd = attack->frontend->fd, .events = POLLIN
	};
	struct frontend_reply reply;

	while (!attack->is_over && poll(&pollfd, 1, 0) > 0) {
		attack->is_over = frontend_receive(attack->frontend,
						   &reply);
		frontend_reply_close(&reply);
	}
}

static void tell(struct attack *attack, uint32_t request, const void *payload,
		 size_t size_bytes, const int *fds, unsigned int fd_count)
{
	uint32_t flags = VHB_FLAG_VERSION;

	if (attack->is_over)
		return;
	if (one_in(attack, 2))
		flags |= vhb_bit(VHB_FLAG_NEED_REPLY_BIT);
	if (frontend_send(attack->frontend, request, flags, payload,
			  size_bytes, fds, fd_count))
		attack->is_over = true;
	/* Sometimes the kernel gets time to act on it. */
	if (one_in(attack, 4))
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	listen_to_broker(attack);
}

static void tell_u64(struct attack *attack, uint32_t request, uint64_t value)
{
	tell(attack, request, &value, sizeof(value), NULL, 0);
}

static void tell_state(struct attack *attack, uint32_t request, uint32_t index,
		       uint32_t num)
{
	const struct vhb_wire_vring_state state = { index, num };

	tell(attack, request, &state, sizeof(state), NULL, 0);
}

static uint32_t any_index(struct attack *attack)
{
	return one_in(attack, 16) ? edge(attack) : below(attack, attack->ring_count);
}

static struct guest_ring *ring_of(struct attack *attack, uint32_t index)
{
	return attack->rings[index % attack->ring_count];
}

static void tell_fd(struct attack *attack, uint32_t request, uint32_t index)
{
	struct guest_ring *ring = ring_of(attack, index);
	uint64_t value = index & VHB_VRING_INDEX_MASK;
	int fd = request == VHB_SET_VRING_KICK ? ring->kick_fd : ring->call_fd;

	if (one_in(attack, 6))
		fd = any_fd(attack);
	if (one_in(attack, 16))
		value |= vhb_bit(VHB_VRING_NOFD_BIT);
	tell(attack, request, &value, sizeof(value), &fd,
	     vhb_has_bit(value, VHB_VRING_NOFD_BIT) ? 0 : 1);
}

static void tell_addr(struct attack *attack, uint32_t index)
{
	struct vhb_wire_vring_addr addr;

	guest_ring_addr(ring_of(attack, index), index, &addr);
	if (one_in(attack, 8))
		addr.desc_uva = near_memory(attack, true);
	if (one_in(attack, 8))
		addr.avail_uva = near_memory(attack, true);
	if (one_in(attack, 8))
		addr.used_uva = near_memory(attack, true);
	if (one_in(attack, 8))
		addr.log_gpa = edge(attack);
	if (one_in(attack, 16))
		addr.flags = edge(attack);
	tell(attack, VHB_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static void bend_region(struct attack *attack, struct vhb_wire_region *region)
{
	switch (below(attack, 4)) {
	case 0:
		region->gpa = near_memory(attack, false);
		break;
	case 1:
		region->uva = near_memory(attack, true);
		break;
	case 2:
		region->size_bytes = edge(attack);
		break;
	case 3:
		region->offset_bytes = edge(attack);
		break;
	}
}

static void tell_memory(struct attack *attack)
{
	struct vhb_wire_memory table = {
		.region_count = 1 + below(attack, attack->region_count),
	};
	int fds[ATTACK_REGIONS_MAX];
	unsigned int i;

	for (i = 0; i < table.region_count; i++) {
		fds[i] = attack->memory[i].fd;
		table.regions[i] = attack->memory[i].region;
		if (one_in(attack, 12))
			bend_region(attack, &table.regions[i]);
		if (one_in(attack, 24))
			fds[i] = any_fd(attack);
	}
	tell(attack, VHB_SET_MEM_TABLE, &table,
	     offsetof(struct vhb_wire_memory, regions) +
	     table.region_count * sizeof(table.regions[0]),
	     fds, table.region_count);
}

static void tell_region(struct attack *attack, uint32_t request)
{
	const struct guest_memory *memory =
		&attack->memory[below(attack, attack->region_count)];
	struct vhb_wire_single_region single = { .region = memory->region };
	int fd = memory->fd;

	if (one_in(attack, 3))
		bend_region(attack, &single.region);
	if (one_in(attack, 12))
		fd = any_fd(attack);
	tell(attack, request, &single, sizeof(single), &fd,
	     request == VHB_ADD_MEM_REG || one_in(attack, 2));
}

static void tell_features(struct attack *attack)
{
	uint64_t mask = attack->offered;

	if (one_in(attack, 2))
		mask &= test_random_next(&attack->random);
	if (one_in(attack, 8))
		mask |= vhb_bit(below(attack, 64));
	tell_u64(attack, VHB_SET_FEATURES, mask);
}

static void tell_config(struct attack *attack)
{
	struct vhb_wire_config config = {
		.offset_bytes = one_in(attack, 2) ? 0 : edge(attack),
		.size_bytes = one_in(attack, 4) ? edge(attack) : 12,
		.flags = below(attack, 3),
	};

	tell(attack, one_in(attack, 4) ? VHB_SET_CONFIG : VHB_GET_CONFIG,
	     &config, VHB_WIRE_CONFIG_HEADER_BYTES + 12, NULL, 0);
}

static void lie_in_descriptor(struct attack *attack, struct vring_desc *desc)
{
	desc->addr = near_memory(attack, false);
	desc->len = one_in(attack, 3) ? edge(attack) : below(attack, 4096);
	desc->flags = below(attack, 8);
	desc->next = one_in(attack, 4) ? edge(attack) : below(attack, 64);
}

/* For a disk, which is not told that the lies are descriptors */
static void lie_in_header(struct attack *attack, struct virtio_blk_outhdr *header)
{
	static const uint32_t types[] = {
		VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH,
		VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_DISCARD,
		VIRTIO_BLK_T_WRITE_ZEROES,
	};

	header->type = types[below(attack, VHB_ARRAY_COUNT(types))];
	header->ioprio = below(attack, 8);
	header->sector = one_in(attack, 4) ? edge(attack) : below(attack, 4096);
}

/* Descriptors, tables of descriptors, what is available, what was used */
static void lie_in_ring(struct attack *attack, uint32_t index)
{
	struct guest_ring *ring = ring_of(attack, index);
	uint8_t *buffers = attack->memory[1].base;
	unsigned int i;

	if (attack->is_memory_gone)
		return;
	for (i = 0; i < ring->num; i++) {
		if (one_in(attack, 3))
			lie_in_descriptor(attack, &ring->desc[i]);
		if (one_in(attack, 3))
			ring->avail->ring[i] = one_in(attack, 8) ?
					       edge(attack) :
					       below(attack, ring->num);
		lie_in_descriptor(attack, (struct vring_desc *)buffers +
				  below(attack, LIES_MAX));
		lie_in_header(attack, (struct virtio_blk_outhdr *)buffers +
			      below(attack, LIES_MAX));
	}
	if (one_in(attack, 4))
		ring->avail->flags = edge(attack);
	if (one_in(attack, 4))
		ring->used->idx = edge(attack);
	if (one_in(attack, 2))
		ring->avail->ring[ring->num] = edge(attack);
	ring->avail->idx = one_in(attack, 4) ? edge(attack) :
			   ring->avail->idx + below(attack, ring->num + 2);
}

static void ring_doorbell(struct attack *attack)
{
	guest_ring_kick_always(ring_of(attack, below(attack, attack->ring_count)));
}

static void truncate_memory(struct attack *attack)
{
	unsigned int i;

	attack->is_memory_gone = true;
	for (i = 0; i < attack->region_count; i++)
		if (one_in(attack, 2))
			assert_int_equal(ftruncate(attack->memory[i].fd,
						   below(attack, 2) << 12), 0);
}

/* The guest's balloon: pages go under the device's hands. */
static void punch_memory(struct attack *attack)
{
	const struct guest_memory *memory =
		&attack->memory[below(attack, attack->region_count)];
	const uint64_t pages = memory->region.size_bytes / PAGE_BYTES;

	/* What was truncated has nothing to punch. */
	fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		  below(attack, pages) * PAGE_BYTES,
		  (1 + below(attack, pages)) * PAGE_BYTES);
}

static void tell_inflight(struct attack *attack)
{
	const struct vhb_wire_inflight inflight = {
		.mmap_bytes = one_in(attack, 2) ? edge(attack) : 4096,
		.mmap_offset_bytes = one_in(attack, 2) ? edge(attack) : 0,
		.queue_count = one_in(attack, 4) ? edge(attack) :
						   attack->ring_count,
		.queue_entries = 64,
	};
	int fd = any_fd(attack);

	if (one_in(attack, 2))
		return tell(attack, VHB_GET_INFLIGHT_FD, &inflight,
			    VHB_WIRE_INFLIGHT_BYTES, NULL, 0);
	tell(attack, VHB_SET_INFLIGHT_FD, &inflight, VHB_WIRE_INFLIGHT_BYTES,
	     &fd, 1);
}

void attack_set_up(struct attack *attack)
{
	uint32_t i;

	tell_u64(attack, VHB_SET_PROTOCOL_FEATURES,
		 attack->offered_protocol);
	tell(attack, VHB_SET_OWNER, NULL, 0, NULL, 0);
	tell_features(attack);
	tell_memory(attack);
	for (i = 0; i < attack->ring_count; i++) {
		lie_in_ring(attack, i);
		tell_state(attack, VHB_SET_VRING_NUM, i,
			   one_in(attack, 16) ? edge(attack) :
						ring_of(attack, i)->num);
		tell_state(attack, VHB_SET_VRING_BASE, i,
			   one_in(attack, 8) ? edge(attack) : 0);
		tell_addr(attack, i);
		tell_fd(attack, VHB_SET_VRING_CALL, i);
		tell_fd(attack, VHB_SET_VRING_KICK, i);
		if (!one_in(attack, 8))
			tell_state(attack, VHB_SET_VRING_ENABLE, i, 1);
	}
}

static void move_by_message(struct attack *attack)
{
	uint32_t index = any_index(attack);

	switch (below(attack, 19)) {
	case 0:
		return tell_state(attack, VHB_SET_VRING_NUM, index,
				  one_in(attack, 2) ? 64 : edge(attack));
	case 1:
		return tell_state(attack, VHB_SET_VRING_BASE, index,
				  edge(attack));
	case 2:
	case 3:
		return tell_addr(attack, index);
	case 4:
		return tell_fd(attack, VHB_SET_VRING_CALL, index);
	case 5:
	case 6:
		return tell_fd(attack, VHB_SET_VRING_KICK, index);
	case 7:
		return tell_fd(attack, VHB_SET_VRING_ERR, index);
	case 8:
	case 9:
		return tell_state(attack, VHB_SET_VRING_ENABLE, index,
				  below(attack, 2));
	case 10:
		return tell_state(attack, VHB_GET_VRING_BASE, index, 0);
	case 11:
		return tell_memory(attack);
	case 12:
		return tell_region(attack, VHB_ADD_MEM_REG);
	case 13:
		return tell_region(attack, VHB_REM_MEM_REG);
	case 14:
		return tell_features(attack);
	case 15:
		return tell_config(attack);
	case 16:
		return tell_u64(attack, VHB_SET_STATUS, below(attack, 256));
	case 17:
		return tell_inflight(attack);
	default:
		if (one_in(attack, 4))
			return tell(attack, VHB_RESET_DEVICE, NULL, 0, NULL, 0);
		/* Any request at all, with some payload */
		return tell_u64(attack, below(attack, VHB_REQUEST_COUNT + 2),
				edge(attack));
	}
}

void attack_move(struct attack *attack)
{
	switch (below(attack, 6)) {
	case 0:
		return lie_in_ring(attack, below(attack, attack->ring_count));
	case 1:
		return ring_doorbell(attack);
	case 2:
		if (attack->send)
			attack->send(attack);
		return ring_doorbell(attack);
	default:
		if (one_in(attack, 200))
			return truncate_memory(attack);
		if (one_in(attack, 60))
			return punch_memory(attack);
		return move_by_message(attack);
	}
}

bool attack_is_borne(struct attack *attack)
{
	struct frontend *frontend = attack->frontend;
	struct frontend_reply reply;
	int ret;

	frontend->timeout_ms = ALIVE_MS;
	if (attack->is_over || frontend_send(frontend, VHB_GET_QUEUE_NUM,
					     VHB_FLAG_VERSION, NULL, 0, NULL,
					     0))
		return true;
	do {
		ret = frontend_receive(frontend, &reply);
		frontend_reply_close(&reply);
	} while (!ret && reply.header.request != VHB_GET_QUEUE_NUM);
	return ret != -ETIMEDOUT;
}
