// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/blk_guest.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/vhost_types.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "session/inflight.h"

#define MEMORY_MIB 8
#define MEMORY_GPA UINT64_C(0x40000000)

#define RING_ENTRIES 64
#define TABLE_DESCS 8
#define STATUS_NONE 0xee

/* Of each queue's part of the memory */
#define QUEUE_BYTES (4u << 20)
#define AVAIL_OFFSET (64u << 10)
#define USED_OFFSET (128u << 10)
#define TABLES_OFFSET (192u << 10)
#define SLOTS_OFFSET (1u << 20)
#define SLOT_BYTES (BLK_GUEST_DATA_MAX_BYTES + 8192)
#define HEADER_OFFSET 0
#define STATUS_OFFSET 64
/* Not the start of a page, but a sector */
#define DATA_OFFSET 512

static uint8_t *queue_part(const struct blk_guest *guest, unsigned int index)
{
	return guest->memory.base + (size_t)index * QUEUE_BYTES;
}

uint64_t blk_guest_gpa(const struct blk_guest *guest, const void *where)
{
	return guest->memory.region.gpa +
	       ((const uint8_t *)where - guest->memory.base);
}

struct blk_guest_slot blk_guest_slot(const struct blk_guest *guest,
				     unsigned int index, unsigned int slot)
{
	uint8_t *room = queue_part(guest, index) + SLOTS_OFFSET +
			(size_t)slot * SLOT_BYTES;

	return (struct blk_guest_slot){
		.header = room + HEADER_OFFSET,
		.data = room + DATA_OFFSET,
		.status = room + STATUS_OFFSET,
	};
}

static int make_queue(struct blk_guest *guest, unsigned int index)
{
	struct blk_guest_queue *queue = &guest->queues[index];
	uint8_t *part = queue_part(guest, index);

	queue->driver = (struct vq_driver){
		.is_packed = guest->is_packed,
		.has_event_idx = true,
		.num = RING_ENTRIES,
		.desc = part,
		.avail = part + AVAIL_OFFSET,
		.used = part + USED_OFFSET,
		.tables = part + TABLES_OFFSET,
		.tables_gpa = blk_guest_gpa(guest, part + TABLES_OFFSET),
		.table_descs = TABLE_DESCS,
	};
	vq_driver_init(&queue->driver);
	guest->first_bases[index] = vq_driver_base(&queue->driver);
	queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return queue->kick_fd < 0 || queue->call_fd < 0 ? -errno : 0;
}

int blk_guest_open(struct blk_guest *guest, bool is_packed)
{
	unsigned int i;
	int ret;

	*guest = (struct blk_guest){
		.is_packed = is_packed,
		.timeout_ms = BLK_GUEST_TIMEOUT_MS,
		.frontend.fd = -1,
		.inflight_fd = -1,
	};
	for (i = 0; i < BLK_GUEST_QUEUES; i++) {
		guest->queues[i].kick_fd = -1;
		guest->queues[i].call_fd = -1;
	}
	ret = guest_memory_create(&guest->memory, MEMORY_MIB, MEMORY_GPA, 0);
	for (i = 0; !ret && i < BLK_GUEST_QUEUES; i++)
		ret = make_queue(guest, i);
	if (ret)
		blk_guest_close(guest);
	return ret;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void blk_guest_close(struct blk_guest *guest)
{
	unsigned int i;

	blk_guest_hang_up(guest);
	for (i = 0; i < BLK_GUEST_QUEUES; i++) {
		close_fd(&guest->queues[i].kick_fd);
		close_fd(&guest->queues[i].call_fd);
		vq_driver_destroy(&guest->queues[i].driver);
	}
	if (guest->saved)
		munmap(guest->saved, guest->inflight.mmap_bytes);
	guest->saved = NULL;
	close_fd(&guest->inflight_fd);
	guest_memory_destroy(&guest->memory);
}

void blk_guest_hang_up(struct blk_guest *guest)
{
	if (guest->translator)
		translator_detach(guest->translator);
	frontend_close(&guest->frontend);
}

uint16_t blk_guest_used(const struct blk_guest *guest, unsigned int index)
{
	const uint8_t *used = guest->queues[index].driver.used;

	return le16toh(__atomic_load_n((const uint16_t *)(used + 2),
				       __ATOMIC_ACQUIRE));
}

struct vhost_bridge_saved_base blk_guest_saved(const struct blk_guest *guest,
					       unsigned int index)
{
	struct vhost_bridge_saved_base saved;

	memcpy(&saved, guest->saved + (size_t)index * VHB_INFLIGHT_SLOT_BYTES,
	       sizeof(saved));
	return saved;
}

static int keep_inflight(struct blk_guest *guest)
{
	int ret;

	ret = frontend_get_inflight_fd(&guest->frontend, BLK_GUEST_QUEUES,
				       RING_ENTRIES, &guest->inflight,
				       &guest->inflight_fd);
	if (ret)
		return ret;
	guest->saved = mmap(NULL, guest->inflight.mmap_bytes, PROT_READ,
			    MAP_SHARED, guest->inflight_fd,
			    guest->inflight.mmap_offset_bytes);
	if (guest->saved != MAP_FAILED)
		return 0;
	guest->saved = NULL;
	return -errno;
}

static uint64_t wanted_features(const struct blk_guest *guest)
{
	uint64_t mask = vhb_bit(VIRTIO_F_VERSION_1) |
			vhb_bit(VIRTIO_RING_F_EVENT_IDX) |
			vhb_bit(VIRTIO_RING_F_INDIRECT_DESC) |
			vhb_bit(VIRTIO_BLK_F_MQ) |
			vhb_bit(VIRTIO_BLK_F_FLUSH) |
			vhb_bit(VIRTIO_BLK_F_WRITE_ZEROES) |
			vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT);

	if (guest->is_packed)
		mask |= vhb_bit(VIRTIO_F_RING_PACKED);
	if (guest->translator)
		mask |= vhb_bit(VIRTIO_F_ACCESS_PLATFORM);
	return mask;
}

static int negotiate(struct blk_guest *guest)
{
	const uint64_t log = vhb_bit(VHB_PROTOCOL_F_LOG_SHMFD);
	const uint64_t postcopy = vhb_bit(VHB_PROTOCOL_F_PAGEFAULT);
	uint64_t protocol = (guest->has_log ? log : 0) |
				  (guest->source ? postcopy : 0) |
				  vhb_bit(VHB_PROTOCOL_F_MQ) |
				  vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
				  vhb_bit(VHB_PROTOCOL_F_BACKEND_REQ) |
				  vhb_bit(VHB_PROTOCOL_F_CONFIG) |
				  vhb_bit(VHB_PROTOCOL_F_INFLIGHT_SHMFD) |
				  vhb_bit(VHB_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
	const uint64_t wanted = wanted_features(guest);
	struct frontend *frontend = &guest->frontend;
	uint64_t mask, count;
	int ret;

	if (guest->is_inband)
		protocol |= vhb_bit(VHB_PROTOCOL_F_INBAND_NOTIFICATIONS);
	ret = frontend_get_features(frontend, &mask);
	if (ret)
		return ret;
	if ((mask & wanted) != wanted)
		return -EOPNOTSUPP;
	ret = frontend_get_protocol_features(frontend, &mask);
	if (ret)
		return ret;
	if ((mask & protocol) != protocol)
		return -EOPNOTSUPP;
	ret = frontend_set_protocol_features(frontend, protocol);
	if (!ret)
		ret = frontend_get_queue_num(frontend, &count);
	if (!ret && count < BLK_GUEST_QUEUES)
		ret = -ENOBUFS;
	if (!ret)
		ret = frontend_set_owner(frontend);
	if (!ret)
		ret = frontend_set_features(frontend, wanted);
	return ret;
}

static void describe_queue(const struct blk_guest *guest, unsigned int index,
			   struct vhb_wire_vring_addr *addr)
{
	const struct vq_driver *driver = &guest->queues[index].driver;
	const uint64_t shift = guest->memory.region.uva -
			       (uintptr_t)guest->memory.base;

	*addr = (struct vhb_wire_vring_addr){
		.index = index,
		.desc_uva = (uintptr_t)driver->desc + shift,
		.avail_uva = (uintptr_t)driver->avail + shift,
		.used_uva = (uintptr_t)driver->used + shift,
	};
}

static int start_queue(struct blk_guest *guest, unsigned int index,
		       enum blk_guest_base base)
{
	const struct blk_guest_queue *queue = &guest->queues[index];
	struct frontend *frontend = &guest->frontend;
	uint32_t number = guest->first_bases[index];
	struct vhb_wire_vring_addr addr;
	int ret;

	if (base == BLK_GUEST_BASE_USED && !guest->is_packed)
		number = blk_guest_used(guest, index);
	describe_queue(guest, index, &addr);
	ret = frontend_set_vring_num(frontend, index, RING_ENTRIES);
	if (!ret)
		ret = frontend_set_vring_base(frontend, index, number);
	if (!ret)
		ret = frontend_set_vring_addr(frontend, &addr);
	if (!ret && !guest->is_inband)
		ret = frontend_set_vring_kick(frontend, index, queue->kick_fd);
	if (!ret && !guest->is_inband)
		ret = frontend_set_vring_call(frontend, index, queue->call_fd);
	if (!ret)
		ret = frontend_set_vring_enable(frontend, index, true);
	return ret;
}

static int share_memory(struct blk_guest *guest)
{
	struct frontend *frontend = &guest->frontend;
	struct page_server *source = guest->source;
	int ret;

	if (guest->translator)
		return translator_attach(guest->translator, frontend);
	if (!source)
		return frontend_set_mem_table(frontend, &guest->memory.region,
					      &guest->memory.fd, 1);
	ret = postcopy_advise(frontend, &source->userfault_fd);
	if (!ret)
		ret = postcopy_listen(frontend);
	if (!ret)
		ret = postcopy_set_mem_table(frontend, &guest->memory.region,
					     &guest->memory.fd, 1,
					     source->bases);
	if (!ret)
		ret = postcopy_ack(frontend, VHB_SET_MEM_TABLE, 0);
	if (!ret && source->region_count)
		ret = page_server_start(source);
	return ret;
}

int blk_guest_connect(struct blk_guest *guest, const char *path,
		      enum blk_guest_base base)
{
	struct frontend *frontend = &guest->frontend;
	unsigned int i;
	int ret;

	ret = frontend_connect(frontend, path, guest->timeout_ms);
	if (ret)
		return ret;
	frontend->need_reply = true;
	ret = negotiate(guest);
	if (!ret && guest->inflight_fd < 0)
		ret = keep_inflight(guest);
	if (!ret)
		ret = frontend_set_inflight_fd(frontend, &guest->inflight,
					       guest->inflight_fd);
	if (!ret)
		ret = share_memory(guest);
	for (i = 0; !ret && i < BLK_GUEST_QUEUES; i++)
		ret = start_queue(guest, i, base);
	if (ret)
		blk_guest_hang_up(guest);
	return ret;
}

int blk_guest_mark(struct blk_guest *guest, bool is_on)
{
	const uint64_t log_all = is_on ? vhb_bit(VHOST_F_LOG_ALL) : 0;
	struct vhb_wire_vring_addr addr;
	int ret;

	ret = frontend_set_features(&guest->frontend,
				    wanted_features(guest) | log_all);
	for (unsigned int i = 0; !ret && i < BLK_GUEST_QUEUES; i++) {
		describe_queue(guest, i, &addr);
		addr.flags = is_on;
		addr.log_gpa = blk_guest_gpa(guest,
					     guest->queues[i].driver.used);
		ret = frontend_set_vring_addr(&guest->frontend, &addr);
	}
	return ret;
}

int blk_guest_channel(struct blk_guest *guest)
{
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	ret = frontend_tell(&guest->frontend, VHB_SET_BACKEND_REQ_FD, NULL, 0,
			    &fds[1], 1);
	close(fds[1]);
	if (!ret)
		return fds[0];
	close(fds[0]);
	return ret;
}

void blk_guest_submit(struct blk_guest *guest, unsigned int index,
		      unsigned int slot, uint32_t type, uint64_t sector,
		      uint32_t bytes)
{
	const struct blk_guest_slot room = blk_guest_slot(guest, index, slot);
	struct blk_guest_queue *queue = &guest->queues[index];
	const struct virtio_blk_outhdr header = {
		.type = htole32(type),
		.sector = htole64(sector),
	};
	const struct vq_buffer buffers[] = {
		{ blk_guest_gpa(guest, room.header), sizeof(header), false },
		{ blk_guest_gpa(guest, room.data), bytes,
		  type != VIRTIO_BLK_T_OUT },
		{ blk_guest_gpa(guest, room.status), 1, true },
	};

	memcpy(room.header, &header, sizeof(header));
	*room.status = STATUS_NONE;
	if (vq_driver_add(&queue->driver, buffers, VHB_ARRAY_COUNT(buffers),
			  VQ_DIRECT) < 0)
		abort();
	if (vq_driver_must_kick(&queue->driver))
		eventfd_write(queue->kick_fd, 1);
}

int blk_guest_wait(struct blk_guest *guest, unsigned int index,
		   unsigned int timeout_ms)
{
	struct vq_driver *driver = &guest->queues[index].driver;
	uint32_t length;
	uint16_t id;

	for (unsigned int ms = 0; vq_driver_take(driver, &id, &length) != 1;
	     ms++) {
		if (ms == timeout_ms)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

int blk_guest_run(struct blk_guest *guest, unsigned int index, uint32_t type,
		  uint64_t sector, uint32_t bytes)
{
	int ret;

	blk_guest_submit(guest, index, 0, type, sector, bytes);
	ret = blk_guest_wait(guest, index, guest->timeout_ms);
	return ret ? ret : *blk_guest_slot(guest, index, 0).status;
}
