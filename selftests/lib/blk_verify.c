// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/blk_verify.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/virtio_blk.h>

#include "lib/blk_pattern.h"
#include "lib/random.h"

#define SECTOR_BYTES BLK_PATTERN_SECTOR_BYTES
#define SECTORS_PER_BLOCK (BLK_VERIFY_BLOCK_BYTES / SECTOR_BYTES)
#define WORDS_PER_SECTOR (SECTOR_BYTES / sizeof(uint64_t))
#define BLOCKS_PER_REQUEST (BLK_GUEST_DATA_MAX_BYTES / BLK_VERIFY_BLOCK_BYTES)
#define PIECES_MAX 4

/* Longer than any restart of the broker takes on emulated CPUs */
#define ANSWER_MS 60000
/* A call that does not come shows as a pause of this length. */
#define CALL_MS 15000
#define LOOK_MS 20

#define STATUS_NONE 0xee

/**
 * struct block - what must be there
 * @version: of the last write that was acknowledged, 0: none
 * @is_zero: it was zeroed since
 * @is_busy: part of a request
 */
struct block {
	uint32_t version;
	bool is_zero;
	bool is_busy;
};

/**
 * struct request - one in flight
 * @is_busy: it is
 * @type: VIRTIO_BLK_T_*
 * @first_block: where
 * @block_count: how many; none for a flush
 * @since_ms: when it was made available
 */
struct request {
	bool is_busy;
	uint32_t type;
	uint32_t first_block;
	uint32_t block_count;
	int64_t since_ms;
};

struct blk_verify {
	struct blk_guest *guest;
	struct test_random random;
	pthread_t thread;
	bool is_running;
	bool must_end;
	bool is_wrong;
	bool is_reading_all;
	uint32_t next_to_read;
	uint64_t submitted_count;
	uint64_t completed_count;
	char why[256];
	struct block blocks[BLK_VERIFY_BLOCKS];
	struct request requests[BLK_GUEST_QUEUES][BLK_GUEST_SLOTS];
	/* Slot of each chain ID, by queue */
	uint8_t slot_of[BLK_GUEST_QUEUES][64];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The first one counts. */
static void wrong(struct blk_verify *verify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void wrong(struct blk_verify *verify, const char *format, ...)
{
	va_list args;

	if (verify->is_wrong)
		return;
	va_start(args, format);
	vsnprintf(verify->why, sizeof(verify->why), format, args);
	va_end(args);
	__atomic_store_n(&verify->is_wrong, true, __ATOMIC_RELEASE);
}

static bool compare_sector(struct blk_verify *verify, uint32_t block,
			   uint32_t sector, const uint8_t *data)
{
	const struct block *expected = &verify->blocks[block];
	const bool is_zero = expected->is_zero || !expected->version;
	uint64_t found, first, wanted;
	uint32_t i;

	memcpy(&first, data, sizeof(first));
	for (i = 0; i < WORDS_PER_SECTOR; i++) {
		memcpy(&found, data + i * sizeof(found), sizeof(found));
		wanted = is_zero ? 0 : blk_pattern_word(block,
							expected->version,
							sector, i);
		if (found == wanted)
			continue;
		wrong(verify,
		      "block %u sector %u word %u is %#llx (first: block %u version %u), should be version %u%s",
		      block, sector, i, (unsigned long long)found,
		      (uint32_t)(first >> 32), (uint32_t)first,
		      expected->version, is_zero ? " zeroed" : "");
		return false;
	}
	return true;
}

bool blk_verify_compare(struct blk_verify *verify, uint32_t block,
			const uint8_t *data)
{
	uint32_t sector;

	for (sector = 0; sector < SECTORS_PER_BLOCK; sector++)
		if (!compare_sector(verify, block, sector,
				    data + sector * SECTOR_BYTES))
			return false;
	return true;
}

static bool are_free(const struct blk_verify *verify, uint32_t first,
		     uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (verify->blocks[first + i].is_busy)
			return false;
	return true;
}

/* False when there is nothing to do now */
static bool choose(struct blk_verify *verify, struct request *request)
{
	const uint32_t dice = test_random_below(&verify->random, 100);
	uint32_t tries;

	*request = (struct request){
		.is_busy = true,
		.type = dice < 60 ? VIRTIO_BLK_T_OUT :
			dice < 92 ? VIRTIO_BLK_T_IN :
			dice < 96 ? VIRTIO_BLK_T_WRITE_ZEROES :
				    VIRTIO_BLK_T_FLUSH,
		.since_ms = now_ms(),
	};
	if (verify->is_reading_all) {
		request->type = VIRTIO_BLK_T_IN;
		request->first_block = verify->next_to_read;
		request->block_count = BLOCKS_PER_REQUEST;
		verify->next_to_read += BLOCKS_PER_REQUEST;
		return true;
	}
	if (request->type == VIRTIO_BLK_T_FLUSH)
		return true;
	for (tries = 0; tries < 8; tries++) {
		const uint32_t count =
			1 + test_random_below(&verify->random,
					      BLOCKS_PER_REQUEST);
		const uint32_t first =
			test_random_below(&verify->random,
					  BLK_VERIFY_BLOCKS - count + 1);

		if (!are_free(verify, first, count))
			continue;
		request->first_block = first;
		request->block_count = count;
		return true;
	}
	return false;
}

/* Cuts the data into pieces, on sectors. Returns how many. */
static uint32_t cut(struct blk_verify *verify, struct vq_buffer *buffers,
		    uint64_t gpa, uint32_t size_bytes, bool is_writable)
{
	uint32_t count = 0;

	while (size_bytes) {
		uint32_t bytes = size_bytes;

		if (count + 1 < PIECES_MAX)
			bytes = SECTOR_BYTES *
				(1 + test_random_below(&verify->random,
						       size_bytes /
							       SECTOR_BYTES));
		buffers[count++] = (struct vq_buffer){
			.gpa = gpa,
			.size_bytes = bytes,
			.is_writable = is_writable,
		};
		gpa += bytes;
		size_bytes -= bytes;
	}
	return count;
}

static uint32_t put_data(struct blk_verify *verify,
			 const struct request *request,
			 const struct blk_guest_slot *slot,
			 struct vq_buffer *buffers)
{
	const struct virtio_blk_discard_write_zeroes range = {
		.sector = htole64((uint64_t)request->first_block *
				  SECTORS_PER_BLOCK),
		.num_sectors = htole32(request->block_count *
				       SECTORS_PER_BLOCK),
	};
	const uint32_t size_bytes =
		request->block_count * BLK_VERIFY_BLOCK_BYTES;
	const uint64_t gpa = blk_guest_gpa(verify->guest, slot->data);
	uint32_t i;

	switch (request->type) {
	case VIRTIO_BLK_T_OUT:
		for (i = 0; i < request->block_count; i++) {
			const uint32_t block = request->first_block + i;

			blk_pattern_fill(slot->data + i * BLK_VERIFY_BLOCK_BYTES,
					 block, verify->blocks[block].version + 1);
		}
		return cut(verify, buffers, gpa, size_bytes, false);
	case VIRTIO_BLK_T_IN:
		memset(slot->data, STATUS_NONE, size_bytes);
		return cut(verify, buffers, gpa, size_bytes, true);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		memcpy(slot->data, &range, sizeof(range));
		*buffers = (struct vq_buffer){
			.gpa = gpa,
			.size_bytes = sizeof(range),
		};
		return 1;
	default:
		return 0;
	}
}

static void hold_blocks(struct blk_verify *verify,
			const struct request *request, bool is_busy)
{
	uint32_t i;

	for (i = 0; i < request->block_count; i++)
		verify->blocks[request->first_block + i].is_busy = is_busy;
}

/* False when the queue, or the choice of blocks, has no room */
static bool submit(struct blk_verify *verify, unsigned int index,
		   unsigned int slot_index)
{
	const struct blk_guest_slot slot =
		blk_guest_slot(verify->guest, index, slot_index);
	struct vq_driver *driver = &verify->guest->queues[index].driver;
	struct request *request = &verify->requests[index][slot_index];
	struct virtio_blk_outhdr header = { 0 };
	struct vq_buffer buffers[PIECES_MAX + 2];
	struct request chosen;
	uint32_t count = 1;
	int id;

	if (!choose(verify, &chosen))
		return false;
	header.type = htole32(chosen.type);
	if (chosen.type == VIRTIO_BLK_T_OUT || chosen.type == VIRTIO_BLK_T_IN)
		header.sector = htole64((uint64_t)chosen.first_block *
					SECTORS_PER_BLOCK);
	memcpy(slot.header, &header, sizeof(header));
	*slot.status = STATUS_NONE;
	buffers[0] = (struct vq_buffer){
		.gpa = blk_guest_gpa(verify->guest, slot.header),
		.size_bytes = sizeof(header),
	};
	count += put_data(verify, &chosen, &slot, buffers + 1);
	buffers[count++] = (struct vq_buffer){
		.gpa = blk_guest_gpa(verify->guest, slot.status),
		.size_bytes = 1,
		.is_writable = true,
	};
	id = vq_driver_add(driver, buffers, count,
			   test_random_below(&verify->random, VQ_FORMS));
	if (id < 0) {
		/* What it would have read again is still to be read. */
		if (verify->is_reading_all)
			verify->next_to_read -= chosen.block_count;
		return false;
	}
	*request = chosen;
	hold_blocks(verify, request, true);
	verify->slot_of[index][id] = slot_index;
	__atomic_add_fetch(&verify->submitted_count, 1, __ATOMIC_RELEASE);
	return true;
}

static void settle(struct blk_verify *verify, const struct request *request,
		   const struct blk_guest_slot *slot)
{
	uint32_t i;

	for (i = 0; i < request->block_count; i++) {
		const uint32_t number = request->first_block + i;
		struct block *block = &verify->blocks[number];

		switch (request->type) {
		case VIRTIO_BLK_T_OUT:
			block->version++;
			block->is_zero = false;
			break;
		case VIRTIO_BLK_T_WRITE_ZEROES:
			block->is_zero = true;
			break;
		case VIRTIO_BLK_T_IN:
			if (!blk_verify_compare(verify, number,
						slot->data +
						i * BLK_VERIFY_BLOCK_BYTES))
				return;
			break;
		}
	}
}

static void take(struct blk_verify *verify, unsigned int index, uint16_t id,
		 uint32_t length_bytes)
{
	const unsigned int slot_index = verify->slot_of[index][id];
	const struct blk_guest_slot slot =
		blk_guest_slot(verify->guest, index, slot_index);
	struct request *request = &verify->requests[index][slot_index];
	uint32_t expected_bytes = 1;

	if (request->type == VIRTIO_BLK_T_IN)
		expected_bytes += request->block_count * BLK_VERIFY_BLOCK_BYTES;
	if (*slot.status != VIRTIO_BLK_S_OK)
		wrong(verify,
		      "queue %u: request of type %u on %u blocks at %u has status %#x",
		      index, request->type, request->block_count,
		      request->first_block, *slot.status);
	else if (length_bytes != expected_bytes)
		wrong(verify,
		      "queue %u: %u bytes were written for a request of type %u, not %u",
		      index, length_bytes, request->type, expected_bytes);
	else
		settle(verify, request, &slot);
	hold_blocks(verify, request, false);
	request->is_busy = false;
	if (!verify->is_wrong)
		__atomic_add_fetch(&verify->completed_count, 1,
				   __ATOMIC_RELEASE);
}

static bool take_all(struct blk_verify *verify, unsigned int index)
{
	struct vq_driver *driver = &verify->guest->queues[index].driver;
	bool was_there = false;
	uint32_t length_bytes;
	uint16_t id;
	int ret = 1;

	while (!verify->is_wrong && ret) {
		ret = vq_driver_take(driver, &id, &length_bytes);
		was_there |= ret;
		if (ret > 0)
			take(verify, index, id, length_bytes);
		else if (ret)
			wrong(verify, "queue %u: used, but not in flight",
			      index);
	}
	return was_there;
}

static bool has_more(const struct blk_verify *verify)
{
	if (verify->is_reading_all)
		return verify->next_to_read < BLK_VERIFY_BLOCKS;
	return !__atomic_load_n(&verify->must_end, __ATOMIC_ACQUIRE);
}

static void submit_all(struct blk_verify *verify, unsigned int index)
{
	struct blk_guest_queue *queue = &verify->guest->queues[index];
	const uint64_t one = 1;
	unsigned int i;

	for (i = 0; i < BLK_GUEST_SLOTS && has_more(verify); i++)
		if (!verify->requests[index][i].is_busy &&
		    !submit(verify, index, i))
			break;
	if (vq_driver_must_kick(&queue->driver) &&
	    write(queue->kick_fd, &one, sizeof(one)) < 0)
		wrong(verify, "kick: %s", strerror(errno));
}

/* The age of the oldest request of a queue, -1 without one */
static int64_t oldest_ms(const struct blk_verify *verify, unsigned int index)
{
	const int64_t now = now_ms();
	const struct request *request = verify->requests[index];
	int64_t oldest = -1;
	unsigned int i;

	for (i = 0; i < BLK_GUEST_SLOTS; i++, request++)
		if (request->is_busy && now - request->since_ms > oldest)
			oldest = now - request->since_ms;
	return oldest;
}

static bool is_anything_in_flight(const struct blk_verify *verify)
{
	return oldest_ms(verify, 0) >= 0 || oldest_ms(verify, 1) >= 0;
}

/* What was used though no call came: then the call is only a moment late. */
static void expect_no_silence(struct blk_verify *verify, struct pollfd *polls)
{
	unsigned int i;

	for (i = 0; i < BLK_GUEST_QUEUES; i++)
		if (take_all(verify, i) && poll(&polls[i], 1, CALL_MS) <= 0)
			wrong(verify, "queue %u: used, but not called", i);
}

/* Sleeps until a call comes, which was asked for. */
static void wait_calls(struct blk_verify *verify)
{
	struct pollfd polls[BLK_GUEST_QUEUES];
	uint64_t count;
	unsigned int i;

	for (i = 0; i < BLK_GUEST_QUEUES; i++) {
		vq_driver_want_calls(&verify->guest->queues[i].driver);
		/* One that came in before it was wanted */
		if (take_all(verify, i))
			return;
		polls[i] = (struct pollfd){
			.fd = verify->guest->queues[i].call_fd,
			.events = POLLIN,
		};
	}
	if (poll(polls, BLK_GUEST_QUEUES, LOOK_MS) <= 0) {
		expect_no_silence(verify, polls);
		return;
	}
	for (i = 0; i < BLK_GUEST_QUEUES; i++)
		if (polls[i].revents &&
		    read(polls[i].fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN)
			wrong(verify, "call: %s", strerror(errno));
}

static void check_ages(struct blk_verify *verify)
{
	unsigned int i;

	for (i = 0; i < BLK_GUEST_QUEUES; i++)
		if (oldest_ms(verify, i) > ANSWER_MS)
			wrong(verify,
			      "queue %u: a request was not answered for %d s", i,
			      ANSWER_MS / 1000);
}

static void run_load(struct blk_verify *verify)
{
	unsigned int i;

	while (!verify->is_wrong) {
		for (i = 0; i < BLK_GUEST_QUEUES; i++) {
			take_all(verify, i);
			submit_all(verify, i);
		}
		if (!has_more(verify) && !is_anything_in_flight(verify))
			break;
		wait_calls(verify);
		check_ages(verify);
	}
}

static void *run_thread(void *argument)
{
	struct blk_verify *verify = argument;

	run_load(verify);
	verify->is_reading_all = true;
	run_load(verify);
	return NULL;
}

struct blk_verify *blk_verify_start(struct blk_guest *guest, uint64_t seed)
{
	struct blk_verify *verify = calloc(1, sizeof(*verify));

	if (!verify)
		abort();
	verify->guest = guest;
	verify->random = test_random_of(seed);
	if (pthread_create(&verify->thread, NULL, run_thread, verify))
		abort();
	verify->is_running = true;
	return verify;
}

uint64_t blk_verify_submitted(struct blk_verify *verify)
{
	return __atomic_load_n(&verify->submitted_count, __ATOMIC_ACQUIRE);
}

uint64_t blk_verify_completed(struct blk_verify *verify)
{
	return __atomic_load_n(&verify->completed_count, __ATOMIC_ACQUIRE);
}

static bool has_gone_wrong(const struct blk_verify *verify)
{
	return __atomic_load_n(&verify->is_wrong, __ATOMIC_ACQUIRE);
}

int blk_verify_wait(struct blk_verify *verify, uint64_t completed_count)
{
	const int64_t deadline_ms = now_ms() + ANSWER_MS;
	const struct timespec pause = { .tv_nsec = 1000000 };

	while (blk_verify_completed(verify) < completed_count) {
		if (has_gone_wrong(verify))
			return -EIO;
		if (now_ms() > deadline_ms)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return has_gone_wrong(verify) ? -EIO : 0;
}

static void join(struct blk_verify *verify)
{
	if (!verify->is_running)
		return;
	__atomic_store_n(&verify->must_end, true, __ATOMIC_RELEASE);
	pthread_join(verify->thread, NULL);
	verify->is_running = false;
}

int blk_verify_finish(struct blk_verify *verify)
{
	join(verify);
	return verify->is_wrong ? -EIO : 0;
}

const char *blk_verify_why(const struct blk_verify *verify)
{
	return has_gone_wrong(verify) ? verify->why : "";
}

void blk_verify_free(struct blk_verify *verify)
{
	if (!verify)
		return;
	/* Nobody may answer any more. */
	wrong(verify, "given up");
	join(verify);
	free(verify);
}
