// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests on a disk, as fast as they come back: on a block device or file by
 * io_uring, or on a vhost-user back-end as a guest's driver does it. One line
 * of figures for a run. Both ways share the choice of requests, so what they
 * differ in is the way.
 *
 * Usage: blk_bench ENGINE TARGET PATTERN SIZE_BYTES QUEUES DEPTH REQUESTS
 *   ENGINE   uring (TARGET is the device), split or packed (TARGET is a socket)
 *   PATTERN  randread, randwrite, seqread, seqwrite
 *   DEPTH    requests in flight on each queue
 *   REQUESTS in all
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <liburing.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/frontend.h"
#include "lib/guest_memory.h"
#include "lib/random.h"
#include "lib/vq_driver.h"

#define QUEUES_MAX 16
#define RING_ENTRIES 128
#define DEPTH_MAX RING_ENTRIES
#define SIZE_MAX_BYTES (1u << 20)
#define PAGE_BYTES 4096u
#define TABLE_DESCS 4
#define MEMORY_GPA UINT64_C(0x40000000)
#define TIMEOUT_MS 20000
/* Per queue, before the clock starts: page tables, caches, idle workers */
#define WARM_UP_COUNT 64

/* Of each queue's part of guest memory; data follows */
#define AVAIL_OFFSET (16u << 10)
#define USED_OFFSET (32u << 10)
#define TABLES_OFFSET (48u << 10)
#define HEADERS_OFFSET (64u << 10)
#define HEADER_STRIDE_BYTES 64u
#define STATUS_OFFSET 32u
#define DATA_OFFSET (128u << 10)

/**
 * struct load - what is to be done
 * @is_uring: by which way
 * @is_packed: layout of the virtqueues
 * @is_write: not read
 * @is_random: not one after the other
 * @size_bytes: of a request
 * @queue_count: queues, each with a thread
 * @depth: requests in flight on each
 * @request_count: on each
 * @block_count: requests that fit on the disk
 */
struct load {
	bool is_uring;
	bool is_packed;
	bool is_write;
	bool is_random;
	uint32_t size_bytes;
	unsigned int queue_count;
	unsigned int depth;
	uint64_t request_count;
	uint64_t block_count;
};

/**
 * struct queue - a queue and its thread
 * @load: what it does
 * @guest: the memory it shares with the back-end
 * @index: which one
 * @random: where requests go
 * @next_block: or where the next one goes
 * @thread: the thread
 * @error: what went wrong, 0 or -errno
 * @kick_count: kicks
 * @wait_count: times it waited for the other side
 * @fd: uring: the device
 * @ring: uring
 * @data: uring: a buffer for each request
 * @driver: virtqueue
 * @kick_fd: eventfd to the back-end
 * @call_fd: eventfd from it
 * @slot_of: the request's room, by chain ID
 */
struct queue {
	const struct load *load;
	const struct guest_memory *guest;
	unsigned int index;
	struct test_random random;
	uint64_t next_block;
	pthread_t thread;
	int error;
	uint64_t kick_count;
	uint64_t wait_count;
	int fd;
	struct io_uring ring;
	uint8_t *data;
	struct vq_driver driver;
	int kick_fd;
	int call_fd;
	uint8_t slot_of[RING_ENTRIES];
};

static struct queue queues[QUEUES_MAX];
static pthread_barrier_t warm, start;

static uint64_t choose_byte(struct queue *queue)
{
	const struct load *load = queue->load;
	uint64_t block;

	if (load->is_random)
		block = test_random_below(&queue->random, load->block_count);
	else
		block = queue->next_block++ % load->block_count;
	return block * load->size_bytes;
}

static void submit_uring(struct queue *queue, unsigned int slot)
{
	const uint32_t size_bytes = queue->load->size_bytes;
	uint8_t *data = queue->data + (size_t)slot * size_bytes;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&queue->ring);

	if (queue->load->is_write)
		io_uring_prep_write(sqe, queue->fd, data, size_bytes,
				    choose_byte(queue));
	else
		io_uring_prep_read(sqe, queue->fd, data, size_bytes,
				   choose_byte(queue));
	sqe->user_data = slot;
}

/* Hands in what is free in one system call, which also waits for one. */
static int run_uring(struct queue *queue, uint64_t count)
{
	const unsigned int depth = queue->load->depth;
	struct io_uring_cqe *cqes[DEPTH_MAX];
	uint8_t free_slots[DEPTH_MAX];
	uint64_t submitted = 0, done = 0;
	unsigned int free_count, seen, i;
	int ret;

	for (free_count = 0; free_count < depth; free_count++)
		free_slots[free_count] = free_count;
	while (done < count) {
		for (; free_count && submitted < count; submitted++)
			submit_uring(queue, free_slots[--free_count]);
		ret = io_uring_submit_and_wait(&queue->ring, 1);
		if (ret < 0)
			return ret;
		queue->wait_count++;
		seen = io_uring_peek_batch_cqe(&queue->ring, cqes, depth);
		for (i = 0; i < seen; i++) {
			if (cqes[i]->res != (int)queue->load->size_bytes)
				return cqes[i]->res < 0 ? cqes[i]->res : -EIO;
			free_slots[free_count++] = cqes[i]->user_data;
		}
		io_uring_cq_advance(&queue->ring, seen);
		done += seen;
	}
	return 0;
}

static size_t part_bytes(const struct load *load)
{
	return DATA_OFFSET + (size_t)load->depth * load->size_bytes;
}

static uint8_t *part_of(const struct queue *queue)
{
	return queue->guest->base + queue->index * part_bytes(queue->load);
}

static uint8_t *header_of(const struct queue *queue, unsigned int slot)
{
	return part_of(queue) + HEADERS_OFFSET + slot * HEADER_STRIDE_BYTES;
}

static uint64_t gpa_of(const struct queue *queue, const uint8_t *where)
{
	return queue->guest->region.gpa + (where - queue->guest->base);
}

static int submit_guest(struct queue *queue, unsigned int slot)
{
	const struct load *load = queue->load;
	uint8_t *header = header_of(queue, slot);
	uint8_t *data = part_of(queue) + DATA_OFFSET +
			(size_t)slot * load->size_bytes;
	const struct virtio_blk_outhdr request = {
		.type = htole32(load->is_write ? VIRTIO_BLK_T_OUT :
						 VIRTIO_BLK_T_IN),
		.sector = htole64(choose_byte(queue) >> 9),
	};
	const struct vq_buffer buffers[] = {
		{ gpa_of(queue, header), sizeof(request), false },
		{ gpa_of(queue, data), load->size_bytes, !load->is_write },
		{ gpa_of(queue, header + STATUS_OFFSET), 1, true },
	};
	int id;

	memcpy(header, &request, sizeof(request));
	header[STATUS_OFFSET] = 0xff;
	/* As Linux does */
	id = vq_driver_add(&queue->driver, buffers, 3, VQ_TABLE);
	if (id < 0)
		return -ENOSPC;
	queue->slot_of[id] = slot;
	return 0;
}

/* Takes all there is. Returns how many or -errno. */
static int take(struct queue *queue, uint8_t *free_slots,
		unsigned int *free_count)
{
	uint32_t length;
	uint16_t id;
	int taken = 0;
	int ret;

	while ((ret = vq_driver_take(&queue->driver, &id, &length)) > 0) {
		const unsigned int slot = queue->slot_of[id];

		if (header_of(queue, slot)[STATUS_OFFSET] != VIRTIO_BLK_S_OK)
			return -EIO;
		free_slots[(*free_count)++] = slot;
		taken++;
	}
	return ret < 0 ? -EPROTO : taken;
}

static int wait_for_call(struct queue *queue)
{
	uint64_t value;

	queue->wait_count++;
	while (read(queue->call_fd, &value, sizeof(value)) < 0) {
		if (errno != EAGAIN)
			return -errno;
		/* The back-end made it so; it is the same file there. */
		if (fcntl(queue->call_fd, F_SETFL, O_RDWR) < 0)
			return -errno;
	}
	return 0;
}

static int kick(struct queue *queue)
{
	const uint64_t one = 1;

	queue->kick_count++;
	return write(queue->kick_fd, &one, sizeof(one)) < 0 ? -errno : 0;
}

/*
 * A driver's way: makes available what is free, kicks only when asked to, takes
 * what is used, and waits for a call only when nothing is, having looked again
 * after it asked for one.
 */
static int run_guest(struct queue *queue, uint64_t count)
{
	const unsigned int depth = queue->load->depth;
	uint8_t free_slots[DEPTH_MAX];
	uint64_t submitted = 0, done = 0;
	unsigned int free_count;
	int ret;

	for (free_count = 0; free_count < depth; free_count++)
		free_slots[free_count] = free_count;
	while (done < count) {
		for (; free_count && submitted < count; submitted++) {
			ret = submit_guest(queue, free_slots[--free_count]);
			if (ret)
				return ret;
		}
		if (vq_driver_must_kick(&queue->driver)) {
			ret = kick(queue);
			if (ret)
				return ret;
		}
		ret = take(queue, free_slots, &free_count);
		if (!ret) {
			vq_driver_want_calls(&queue->driver);
			ret = take(queue, free_slots, &free_count);
		}
		if (ret < 0)
			return ret;
		done += ret;
		if (!ret)
			ret = wait_for_call(queue);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void *run(void *argument)
{
	struct queue *queue = argument;
	const struct load *load = queue->load;
	int (*way)(struct queue *queue, uint64_t count) =
		load->is_uring ? run_uring : run_guest;

	queue->error = way(queue, WARM_UP_COUNT);
	queue->kick_count = 0;
	queue->wait_count = 0;
	pthread_barrier_wait(&warm);
	pthread_barrier_wait(&start);
	if (!queue->error)
		queue->error = way(queue, load->request_count);
	return NULL;
}

static int open_uring(struct load *load, const char *target)
{
	off_t end_byte;
	unsigned int i;
	int ret;
	int fd;

	fd = open(target, (load->is_write ? O_RDWR : O_RDONLY) | O_DIRECT |
			  O_CLOEXEC);
	if (fd < 0)
		return -errno;
	end_byte = lseek(fd, 0, SEEK_END);
	if (end_byte < 0)
		return -errno;
	load->block_count = end_byte / load->size_bytes;
	for (i = 0; i < load->queue_count; i++) {
		struct queue *queue = &queues[i];
		const size_t bytes = (size_t)load->depth * load->size_bytes;

		queue->fd = fd;
		ret = io_uring_queue_init(load->depth, &queue->ring, 0);
		if (ret)
			return ret;
		queue->data = aligned_alloc(PAGE_BYTES, bytes);
		if (!queue->data)
			return -ENOMEM;
		memset(queue->data, 0, bytes);
	}
	return 0;
}

/* Takes what a Linux guest would take; only @wanted must be there. */
static int negotiate(struct frontend *frontend, bool is_packed,
		     bool *has_event_idx)
{
	const uint64_t protocol = vhb_bit(VHB_PROTOCOL_F_MQ) |
				  vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
				  vhb_bit(VHB_PROTOCOL_F_CONFIG);
	const uint64_t wanted =
		vhb_bit(VIRTIO_F_VERSION_1) |
		vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT) |
		vhb_bit(VIRTIO_RING_F_INDIRECT_DESC) |
		(is_packed ? vhb_bit(VIRTIO_F_RING_PACKED) : 0);
	const uint64_t liked = wanted | vhb_bit(VIRTIO_RING_F_EVENT_IDX) |
			       vhb_bit(VIRTIO_BLK_F_MQ) |
			       vhb_bit(VIRTIO_BLK_F_FLUSH);
	uint64_t features, mask;
	int ret;

	ret = frontend_get_features(frontend, &features);
	if (ret)
		return ret;
	if (wanted & ~features)
		return -EOPNOTSUPP;
	*has_event_idx = vhb_has_bit(features, VIRTIO_RING_F_EVENT_IDX);
	ret = frontend_get_protocol_features(frontend, &mask);
	if (!ret)
		ret = frontend_set_protocol_features(frontend, mask & protocol);
	if (!ret)
		ret = frontend_set_owner(frontend);
	if (!ret)
		ret = frontend_set_features(frontend, features & liked);
	return ret;
}

static int start_queue(struct frontend *frontend, struct queue *queue,
		       bool has_event_idx)
{
	struct vq_driver *driver = &queue->driver;
	uint8_t *part = part_of(queue);
	const struct vhb_wire_vring_addr addr = {
		.index = queue->index,
		.desc_uva = (uintptr_t)part,
		.avail_uva = (uintptr_t)part + AVAIL_OFFSET,
		.used_uva = (uintptr_t)part + USED_OFFSET,
	};
	int ret;

	*driver = (struct vq_driver){
		.is_packed = queue->load->is_packed,
		.has_event_idx = has_event_idx,
		.num = RING_ENTRIES,
		.desc = part,
		.avail = part + AVAIL_OFFSET,
		.used = part + USED_OFFSET,
		.tables = part + TABLES_OFFSET,
		.tables_gpa = gpa_of(queue, part + TABLES_OFFSET),
		.table_descs = TABLE_DESCS,
	};
	vq_driver_init(driver);
	/* The thread sleeps in read(). */
	queue->kick_fd = eventfd(0, EFD_CLOEXEC);
	queue->call_fd = eventfd(0, EFD_CLOEXEC);
	if (queue->kick_fd < 0 || queue->call_fd < 0)
		return -errno;
	ret = frontend_set_vring_num(frontend, queue->index, RING_ENTRIES);
	if (!ret)
		ret = frontend_set_vring_base(frontend, queue->index,
					      vq_driver_base(driver));
	if (!ret)
		ret = frontend_set_vring_addr(frontend, &addr);
	if (!ret)
		ret = frontend_set_vring_kick(frontend, queue->index,
					      queue->kick_fd);
	if (!ret)
		ret = frontend_set_vring_call(frontend, queue->index,
					      queue->call_fd);
	if (!ret)
		ret = frontend_set_vring_enable(frontend, queue->index, true);
	return ret;
}

static int open_guest(struct load *load, const char *target,
		      struct frontend *frontend, struct guest_memory *memory)
{
	const size_t bytes = load->queue_count * part_bytes(load);
	bool has_event_idx = false;
	uint64_t sectors = 0;
	unsigned int i;
	int ret;

	ret = guest_memory_create(memory, (bytes >> 20) + 1, MEMORY_GPA, 0);
	if (ret)
		return ret;
	memset(memory->base, 0, bytes);
	ret = frontend_connect(frontend, target, TIMEOUT_MS);
	if (ret)
		return ret;
	ret = negotiate(frontend, load->is_packed, &has_event_idx);
	if (!ret)
		ret = frontend_get_config(frontend, 0, 0, &sectors,
					  sizeof(sectors));
	load->block_count = (le64toh(sectors) << 9) / load->size_bytes;
	/* Not before: libvhost-user keeps the flag in replies. */
	frontend->need_reply = true;
	if (!ret)
		ret = frontend_set_mem_table(frontend, &memory->region,
					     &memory->fd, 1);
	for (i = 0; !ret && i < load->queue_count; i++)
		ret = start_queue(frontend, &queues[i], has_event_idx);
	return ret;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Of the whole machine: the other side's count too. */
static uint64_t switches(void)
{
	FILE *file = fopen("/proc/stat", "re");
	uint64_t count = 0;
	char line[4096];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "ctxt %" SCNu64, &count) == 1)
			break;
	if (file)
		fclose(file);
	return count;
}

/* Prints the figures. Returns 0 or what went wrong with a queue. */
static int measure(const struct load *load)
{
	uint64_t kick_count = 0, wait_count = 0, switch_count, duration_ns;
	unsigned int i;
	int ret = 0;

	pthread_barrier_init(&warm, NULL, load->queue_count + 1);
	pthread_barrier_init(&start, NULL, load->queue_count + 1);
	for (i = 0; i < load->queue_count; i++) {
		/* A barrier that waits for it has no other way out. */
		if (pthread_create(&queues[i].thread, NULL, run, &queues[i]))
			abort();
	}
	pthread_barrier_wait(&warm);
	switch_count = switches();
	duration_ns = now_ns();
	pthread_barrier_wait(&start);
	for (i = 0; i < load->queue_count; i++) {
		pthread_join(queues[i].thread, NULL);
		kick_count += queues[i].kick_count;
		wait_count += queues[i].wait_count;
		if (queues[i].error)
			ret = queues[i].error;
	}
	duration_ns = now_ns() - duration_ns;
	switch_count = switches() - switch_count;
	if (ret)
		return ret;
	printf("requests=%" PRIu64 " ns=%" PRIu64 " kicks=%" PRIu64
	       " waits=%" PRIu64 " switches=%" PRIu64 "\n",
	       load->request_count * load->queue_count, duration_ns, kick_count,
	       wait_count, switch_count);
	return 0;
}

static bool parse(char **argv, struct load *load)
{
	const char *const engine = argv[1], *const pattern = argv[3];

	*load = (struct load){
		.is_uring = !strcmp(engine, "uring"),
		.is_packed = !strcmp(engine, "packed"),
		.is_write = !!strstr(pattern, "write"),
		.is_random = !strncmp(pattern, "rand", 4),
		.size_bytes = strtoul(argv[4], NULL, 0),
		.queue_count = strtoul(argv[5], NULL, 0),
		.depth = strtoul(argv[6], NULL, 0),
		.request_count = strtoull(argv[7], NULL, 0),
	};
	if (load->queue_count)
		load->request_count /= load->queue_count;
	return (load->is_uring || load->is_packed || !strcmp(engine, "split")) &&
	       load->size_bytes && load->size_bytes % PAGE_BYTES == 0 &&
	       load->size_bytes <= SIZE_MAX_BYTES && load->queue_count &&
	       load->queue_count <= QUEUES_MAX && load->depth &&
	       load->depth <= DEPTH_MAX && load->request_count;
}

int main(int argc, char **argv)
{
	static struct guest_memory memory = { .fd = -1 };
	struct frontend frontend = { .fd = -1 };
	struct load load;
	unsigned int i;
	int ret;

	if (argc != 8 || !parse(argv, &load)) {
		fprintf(stderr,
			"usage: %s uring|split|packed TARGET PATTERN SIZE_BYTES QUEUES DEPTH REQUESTS\n",
			argv[0]);
		return 2;
	}
	for (i = 0; i < load.queue_count; i++)
		queues[i] = (struct queue){
			.load = &load,
			.guest = &memory,
			.index = i,
			.random = test_random_of(i + 1),
		};
	if (load.is_uring)
		ret = open_uring(&load, argv[2]);
	else
		ret = open_guest(&load, argv[2], &frontend, &memory);
	if (!ret && !load.block_count)
		ret = -ENOSPC;
	/* Sequential queues begin apart. */
	for (i = 0; i < load.queue_count; i++)
		queues[i].next_block = load.block_count / load.queue_count * i;
	if (!ret)
		ret = measure(&load);
	if (ret)
		fprintf(stderr, "%s: %s: %s %s\n", argv[0], argv[2],
			strerror(-ret), frontend.why);
	frontend_close(&frontend);
	return ret ? 1 : 0;
}
