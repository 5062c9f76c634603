// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/net_guest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "lib/bits.h"

/* Where things lie in their region */
#define RING_STRIDE (64 << 10)
#define BUFFERS_STRIDE (1 << 20)
#define TABLE_ENTRIES 2

static const uint64_t region_gpa[NET_GUEST_REGIONS_MAX] = {
	0, UINT64_C(1) << 30, UINT64_C(1) << 32
};

const struct net_guest_config net_guest_config_default = {
	.features = UINT64_C(1) << VIRTIO_F_VERSION_1 |
		    UINT64_C(1) << VHB_F_PROTOCOL_FEATURES_BIT,
	.pairs = 1,
	.regions = 1,
	.ring_num = 256,
	.buffer_bytes = 2048,
};

static struct net_guest_queue *rx_of(struct net_guest *guest, unsigned int pair)
{
	return &guest->queues[2 * pair];
}

static struct net_guest_queue *tx_of(struct net_guest *guest, unsigned int pair)
{
	return &guest->queues[2 * pair + 1];
}

/* All rings lie below the buffers of the first. */
static uint64_t ring_stride(const struct net_guest_config *config)
{
	return config->pairs > BUFFERS_STRIDE / RING_STRIDE / 2 ?
		       BUFFERS_STRIDE / (2 * NET_GUEST_PAIRS_MAX) :
		       RING_STRIDE;
}

static unsigned int region_mib(const struct net_guest_config *config)
{
	const unsigned int needed = 2 * config->pairs + 1;

	return needed > NET_GUEST_REGION_MIB ? needed : NET_GUEST_REGION_MIB;
}

static int init_queue(struct net_guest *guest, unsigned int index)
{
	const struct net_guest_config *config = &guest->config;
	struct net_guest_queue *queue = &guest->queues[index];
	unsigned int region = index & 1 ? 1 : 2;

	if (region >= config->regions)
		region = config->regions - 1;
	queue->buffers = &guest->memory[region];
	queue->buffers_offset = (UINT64_C(1) + index) * BUFFERS_STRIDE;
	queue->is_started = false;
	return guest_ring_init(&queue->ring, &guest->memory[0],
			       index * ring_stride(config), config->ring_num);
}

int net_guest_init(struct net_guest *guest,
		   const struct net_guest_config *config)
{
	const bool is_modern =
		config->features & (vhb_bit(VIRTIO_F_VERSION_1) |
				    vhb_bit(VIRTIO_NET_F_MRG_RXBUF));
	unsigned int i;
	int ret;

	memset(guest, 0, sizeof(*guest));
	guest->config = *config;
	guest->frontend.fd = -1;
	guest->vnet_bytes = is_modern ? sizeof(struct virtio_net_hdr_mrg_rxbuf) :
					sizeof(struct virtio_net_hdr);
	for (i = 0; i < NET_GUEST_REGIONS_MAX; i++)
		guest->memory[i].fd = -1;
	for (i = 0; i < 2 * NET_GUEST_PAIRS_MAX; i++) {
		guest->queues[i].ring.kick_fd = -1;
		guest->queues[i].ring.call_fd = -1;
	}

	for (i = 0; i < config->regions; i++) {
		ret = guest_memory_create(&guest->memory[i],
					  region_mib(config), region_gpa[i],
					  0);
		if (!ret && config->translator)
			ret = translator_scatter(config->translator,
						 &guest->memory[i]);
		if (ret)
			goto close_guest;
	}
	for (i = 0; i < 2 * config->pairs; i++) {
		ret = init_queue(guest, i);
		if (ret)
			goto close_guest;
		guest->queues[i].ring.has_event_idx =
			vhb_has_bit(config->features, VIRTIO_RING_F_EVENT_IDX);
	}
	return 0;

close_guest:
	net_guest_close(guest);
	return ret;
}

static int negotiate_protocol(struct net_guest *guest)
{
	struct frontend *frontend = &guest->frontend;
	int ret;

	ret = frontend_get_protocol_features(frontend,
					     &guest->offered_protocol);
	if (ret)
		return ret;
	frontend->need_reply = true;
	/* Its user addresses are its own. */
	return frontend_set_protocol_features(frontend,
					      guest->offered_protocol &
		~vhb_bit(VHB_PROTOCOL_F_GPA_ADDRESSES));
}

static int negotiate(struct net_guest *guest)
{
	struct frontend *frontend = &guest->frontend;
	const uint64_t features = guest->config.features;
	int ret;

	ret = frontend_get_features(frontend, &guest->offered);
	if (ret)
		return ret;
	if (features & ~guest->offered)
		return -ENOTSUP;
	if (vhb_has_bit(features, VHB_F_PROTOCOL_FEATURES_BIT)) {
		ret = negotiate_protocol(guest);
		if (ret)
			return ret;
	}
	ret = frontend_set_owner(frontend);
	if (ret)
		return ret;
	return frontend_set_features(frontend, features);
}

int net_guest_connect(struct net_guest *guest, const char *socket_path)
{
	int ret;

	ret = frontend_connect(&guest->frontend, socket_path,
			       NET_GUEST_TIMEOUT_MS);
	return ret ? ret : negotiate(guest);
}

int net_guest_accept(struct net_guest *guest, int fd)
{
	frontend_adopt(&guest->frontend, fd, NET_GUEST_TIMEOUT_MS);
	return negotiate(guest);
}

int net_guest_share_memory(struct net_guest *guest)
{
	struct vhb_wire_region regions[NET_GUEST_REGIONS_MAX];
	int fds[NET_GUEST_REGIONS_MAX];
	unsigned int i;

	if (guest->config.translator)
		return translator_attach(guest->config.translator,
					 &guest->frontend);
	for (i = 0; i < guest->config.regions; i++) {
		regions[i] = guest->memory[i].region;
		fds[i] = guest->memory[i].fd;
	}
	return frontend_set_mem_table(&guest->frontend, regions, fds,
				      guest->config.regions);
}

/* The buffer of the chain that begins (or will begin) with this descriptor */
static uint64_t buffer_gpa(const struct net_guest *guest,
			   const struct net_guest_queue *queue,
			   unsigned int head)
{
	return queue->buffers->region.gpa + queue->buffers_offset +
	       (uint64_t)head * guest->config.buffer_bytes;
}

static uint8_t *buffer_at(const struct net_guest *guest,
			  const struct net_guest_queue *queue,
			  unsigned int head)
{
	return guest_memory_at(queue->buffers, buffer_gpa(guest, queue, head),
			       guest->config.buffer_bytes);
}

/* Where a buffer that was given to the device before lies */
static uint8_t *given_buffer_at(const struct net_guest *guest, uint64_t gpa)
{
	unsigned int i;
	void *at;

	for (i = 0; i < NET_GUEST_REGIONS_MAX; i++) {
		at = guest_memory_at(&guest->memory[i], gpa,
				     guest->config.buffer_bytes);
		if (at)
			return at;
	}
	return NULL;
}

/* How the driver cuts a buffer into descriptors */
static unsigned int cut(const struct net_guest *guest, uint64_t gpa,
			size_t size_bytes, struct guest_buffer pieces[2])
{
	size_t first_bytes = size_bytes;

	if (guest->config.has_header_apart)
		first_bytes = guest->vnet_bytes;
	pieces[0] = (struct guest_buffer){ gpa, first_bytes };
	pieces[1] = (struct guest_buffer){ gpa + first_bytes,
					   size_bytes - first_bytes };
	return first_bytes == size_bytes ? 1 : 2;
}

/* Returns -ENOSPC when all descriptors are with the device */
static int give_receive_buffer(struct net_guest *guest,
			       struct net_guest_queue *queue)
{
	struct guest_buffer pieces[2];
	unsigned int count;

	if (!queue->ring.free_count)
		return -ENOSPC;
	count = cut(guest, buffer_gpa(guest, queue, queue->ring.free_head),
		    guest->config.buffer_bytes, pieces);
	return guest_ring_add(&queue->ring, pieces, 0, count);
}

static int kick(struct guest_ring *ring)
{
	int ret = guest_ring_kick(ring);

	return ret < 0 ? ret : 0;
}

static uint16_t device_used_idx(const struct guest_ring *ring)
{
	return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);
}

static unsigned int base_of(const struct net_guest *guest,
			    const struct guest_ring *ring)
{
	switch (guest->base) {
	case NET_GUEST_BASE_AVAIL:
		return ring->avail_idx;
	case NET_GUEST_BASE_FIRST:
		return 0;
	default:
		return device_used_idx(ring);
	}
}

/*
 * Goes on where the device stopped, whether or not the driver has seen all of
 * that. Who does not know of protocol features sends no ENABLE.
 */
static int tell_ring(struct net_guest *guest, unsigned int index)
{
	struct guest_ring *ring = &guest->queues[index].ring;
	struct frontend *frontend = &guest->frontend;
	struct vhb_wire_vring_addr addr;
	int ret;

	guest_ring_addr(ring, index, &addr);
	ret = frontend_set_vring_num(frontend, index, ring->num);
	if (ret)
		return ret;
	ret = frontend_set_vring_base(frontend, index, base_of(guest, ring));
	if (ret)
		return ret;
	ret = frontend_set_vring_addr(frontend, &addr);
	if (ret)
		return ret;
	if (!guest->config.is_inband) {
		ret = frontend_set_vring_call(frontend, index, ring->call_fd);
		if (ret)
			return ret;
		ret = frontend_set_vring_kick(frontend, index, ring->kick_fd);
	}
	if (ret || !frontend->acked_protocol_mask)
		return ret;
	return frontend_set_vring_enable(frontend, index, true);
}

static int start_queue(struct net_guest *guest, unsigned int index)
{
	struct net_guest_queue *queue = &guest->queues[index];
	int sockets[2];
	int ret;

	if (!guest->config.has_call_sockets || queue->is_started)
		return tell_ring(guest, index);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       sockets) < 0)
		return -errno;
	close(queue->ring.call_fd);
	queue->ring.call_fd = sockets[1];
	ret = tell_ring(guest, index);
	queue->ring.call_fd = sockets[0];
	close(sockets[1]);
	return ret;
}

int net_guest_start_pair(struct net_guest *guest, unsigned int pair)
{
	struct net_guest_queue *rx = rx_of(guest, pair);
	unsigned int i;
	int ret;

	while (give_receive_buffer(guest, rx) >= 0)
		;
	for (i = 2 * pair; i < 2 * pair + 2; i++) {
		ret = start_queue(guest, i);
		if (ret)
			return ret;
		guest->queues[i].is_started = true;
	}
	return kick(&rx->ring);
}

static int stop_ring(struct frontend *frontend, unsigned int index,
		     unsigned int *base_out)
{
	int ret = 0;

	if (frontend->acked_protocol_mask)
		ret = frontend_set_vring_enable(frontend, index, false);
	return ret ? ret : frontend_get_vring_base(frontend, index, base_out);
}

int net_guest_stop_pair(struct net_guest *guest, unsigned int pair)
{
	unsigned int base;
	unsigned int i;
	int ret;

	for (i = 2 * pair; i < 2 * pair + 2; i++) {
		struct guest_ring *ring = &guest->queues[i].ring;

		ret = stop_ring(&guest->frontend, i, &base);
		if (ret)
			return ret;
		if (base != device_used_idx(ring))
			return -EBADMSG;
	}
	return 0;
}

int net_guest_open(struct net_guest *guest,
		   const struct net_guest_config *config,
		   const char *socket_path)
{
	unsigned int i;
	int ret;

	ret = net_guest_init(guest, config);
	if (ret)
		return ret;
	ret = net_guest_connect(guest, socket_path);
	if (ret)
		goto close_guest;
	ret = net_guest_share_memory(guest);
	if (ret)
		goto close_guest;
	for (i = 0; i < config->pairs; i++) {
		ret = net_guest_start_pair(guest, i);
		if (ret)
			goto close_guest;
	}
	return 0;

close_guest:
	net_guest_close(guest);
	return ret;
}

void net_guest_close(struct net_guest *guest)
{
	unsigned int i;

	if (guest->config.translator)
		translator_detach(guest->config.translator);
	frontend_close(&guest->frontend);
	for (i = 0; i < 2 * NET_GUEST_PAIRS_MAX; i++)
		guest_ring_destroy(&guest->queues[i].ring);
	for (i = 0; i < NET_GUEST_REGIONS_MAX; i++)
		guest_memory_destroy(&guest->memory[i]);
}

/*
 * As guest_ring_add(), with the descriptors in a table at the end of the
 * buffer. The one descriptor must say so before it is made available.
 */
static int add_indirect(struct net_guest *guest, struct net_guest_queue *queue,
			const struct guest_buffer *pieces, unsigned int count)
{
	struct guest_ring *ring = &queue->ring;
	const uint16_t head = ring->free_head;
	const size_t table_bytes = TABLE_ENTRIES * sizeof(struct vring_desc);
	const uint64_t offset = guest->config.buffer_bytes - table_bytes;
	struct vring_desc *table =
		(struct vring_desc *)(buffer_at(guest, queue, head) + offset);
	unsigned int i;

	for (i = 0; i < count; i++) {
		table[i] = (struct vring_desc){
			.addr = pieces[i].gpa,
			.len = pieces[i].size_bytes,
			.flags = i + 1 < count ? VRING_DESC_F_NEXT : 0,
			.next = i + 1,
		};
	}
	ring->free_head = ring->desc[head].next;
	ring->free_count--;
	ring->is_busy[head] = true;
	ring->desc[head].addr = buffer_gpa(guest, queue, head) + offset;
	ring->desc[head].len = count * sizeof(struct vring_desc);
	ring->desc[head].flags = VRING_DESC_F_INDIRECT;
	ring->avail->ring[ring->avail_idx % ring->num] = head;
	ring->avail_idx++;
	/* Pairs with the device's read of idx before it reads the ring. */
	__atomic_store_n(&ring->avail->idx, ring->avail_idx, __ATOMIC_RELEASE);
	return head;
}

static int reclaim(struct net_guest_queue *queue, unsigned int needed)
{
	int ret;

	do {
		ret = guest_ring_get(&queue->ring, 0, NULL);
	} while (ret >= 0);
	if (ret != -ETIMEDOUT)
		return ret;
	while (queue->ring.free_count < needed) {
		ret = guest_ring_get(&queue->ring, NET_GUEST_TIMEOUT_MS, NULL);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int net_guest_send(struct net_guest *guest, unsigned int pair,
		   const void *frame, size_t frame_bytes)
{
	struct net_guest_queue *queue = tx_of(guest, pair);
	struct guest_buffer pieces[2];
	unsigned int count;
	uint16_t head;
	int ret;

	if (frame_bytes > guest->config.buffer_bytes -
				  TABLE_ENTRIES * sizeof(struct vring_desc))
		return -EMSGSIZE;
	ret = reclaim(queue, 2);
	if (ret)
		return ret;

	head = queue->ring.free_head;
	memcpy(buffer_at(guest, queue, head), frame, frame_bytes);
	count = cut(guest, buffer_gpa(guest, queue, head), frame_bytes, pieces);
	if (guest->config.is_indirect)
		ret = add_indirect(guest, queue, pieces, count);
	else
		ret = guest_ring_add(&queue->ring, pieces, count, 0);
	if (ret < 0)
		return ret;
	return kick(&queue->ring);
}

int net_guest_flush(struct net_guest *guest, unsigned int pair)
{
	return reclaim(tx_of(guest, pair), guest->config.ring_num);
}

static int take_buffer(struct net_guest *guest, struct net_guest_queue *queue,
		       uint8_t *frame, size_t room_bytes,
		       unsigned int timeout_ms)
{
	uint32_t size_bytes;
	int head = guest_ring_get(&queue->ring, timeout_ms, &size_bytes);
	const uint8_t *buffer;
	int ret;

	if (head < 0)
		return head;
	if (size_bytes > guest->config.buffer_bytes)
		return -EPROTO;
	if (size_bytes > room_bytes)
		return -EMSGSIZE;
	buffer = given_buffer_at(guest, queue->ring.desc[head].addr);
	if (!buffer)
		return -EPROTO;
	memcpy(frame, buffer, size_bytes);
	ret = give_receive_buffer(guest, queue);
	return ret < 0 ? ret : (int)size_bytes;
}

int net_guest_receive(struct net_guest *guest, unsigned int pair, void *frame,
		      size_t room_bytes, unsigned int timeout_ms)
{
	struct net_guest_queue *queue = rx_of(guest, pair);
	struct virtio_net_hdr_mrg_rxbuf header;
	unsigned int count = 1;
	unsigned int i;
	size_t used;
	int ret;

	ret = take_buffer(guest, queue, frame, room_bytes, timeout_ms);
	if (ret < 0)
		return ret;
	used = ret;
	if (used < guest->vnet_bytes)
		return -EPROTO;
	/* Linux before 6.14 leaves the number alone if it can only be one. */
	if (vhb_has_bit(guest->config.features, VIRTIO_NET_F_MRG_RXBUF)) {
		memcpy(&header, frame, sizeof(header));
		count = header.num_buffers;
		if (!count)
			return -EPROTO;
	}
	for (i = 1; i < count; i++) {
		ret = take_buffer(guest, queue, (uint8_t *)frame + used,
				  room_bytes - used, NET_GUEST_TIMEOUT_MS);
		if (ret < 0)
			return ret;
		used += ret;
	}
	ret = kick(&queue->ring);
	return ret ? ret : (int)used;
}
