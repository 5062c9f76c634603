// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bridge_blk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

/* Where headers and status bytes of requests are, by queue and ID */
#define HEADER_STRIDE 64
#define STATUS_OFFSET 32
#define NO_STATUS 0xff

#define CUTS_MAX 24

int blk_set_backing(const struct bridge *bridge, int fd, uint32_t flags,
		    uint32_t vring_count)
{
	struct vhost_bridge_blk_backing backing = {
		.size_bytes = sizeof(backing),
		.fd = fd,
		.flags = flags,
		.vring_count = vring_count,
	};

	memcpy(backing.serial, BLK_SERIAL, sizeof(backing.serial));
	return bridge_call(bridge, VHOST_BRIDGE_BLK_SET_BACKING, &backing);
}

uint64_t blk_features(const struct bridge *bridge)
{
	uint64_t features = 0;

	assert_int_equal(bridge_call(bridge, VHOST_GET_FEATURES, &features), 0);
	return features;
}

void blk_open(struct bridge *bridge, const struct disk *disk, bool is_packed,
	      uint64_t without, unsigned int vring_count)
{
	unsigned int i;

	if (!is_packed)
		without |= bridge_bit(VIRTIO_F_RING_PACKED);
	/* Requests end in any order, and so they shall come back. */
	without |= bridge_bit(VIRTIO_F_IN_ORDER) |
		   bridge_bit(VIRTIO_F_NOTIFY_ON_EMPTY) | BLK_FEATURES_ASKED;
	bridge_open(bridge, "blk");
	assert_int_equal(blk_set_backing(bridge, disk->fd, 0, vring_count), 0);
	bridge_set_up(bridge, blk_features(bridge) & ~without);
	for (i = 0; i < vring_count; i++)
		bridge_add_queue(bridge, i, BLK_RING_ENTRIES - is_packed,
				 BLK_TABLE_DESCS - 64);
}

static uint64_t header_gpa(unsigned int index, unsigned int place)
{
	return BRIDGE_BUFFERS_GPA + index * 0x10000 + place * HEADER_STRIDE;
}

/* Direct where there is room for that and for others, else in a table */
static int add_chain(struct bridge *bridge, unsigned int index,
		     const struct vq_buffer *buffers, unsigned int count)
{
	struct vq_driver *driver = &bridge->queues[index].driver;
	const bool is_direct = count + driver->num / 2 <= driver->free_slots;

	return vq_driver_add(driver, buffers, count,
			     is_direct ? VQ_DIRECT : VQ_TABLE);
}

/* The place of a header has to be known before the chain has an ID. */
static unsigned int next_place(const struct vq_driver *driver)
{
	return driver->free_ids[driver->free_id_count - 1];
}

int blk_add(struct bridge *bridge, unsigned int index, uint32_t type,
	    uint64_t sector, const struct vq_buffer *data, unsigned int count)
{
	struct vq_driver *driver = &bridge->queues[index].driver;
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };
	struct vq_buffer *buffers;
	uint64_t gpa;
	int id;

	if (!driver->free_id_count)
		return -1;
	gpa = header_gpa(index, next_place(driver));
	buffers = calloc(count + 2, sizeof(*buffers));
	if (!buffers)
		abort();
	buffers[0] = blk_buffer(gpa, sizeof(header), false);
	if (count)
		memcpy(buffers + 1, data, count * sizeof(*data));
	buffers[count + 1] = blk_buffer(gpa + STATUS_OFFSET, 1, true);
	memcpy(bridge_at(bridge, gpa), &header, sizeof(header));
	*(uint8_t *)bridge_at(bridge, gpa + STATUS_OFFSET) = NO_STATUS;
	id = add_chain(bridge, index, buffers, count + 2);
	free(buffers);
	return id;
}

int blk_wait(struct bridge *bridge, unsigned int index,
	     struct blk_answer *answer)
{
	int id = bridge_take(&bridge->queues[index], &answer->used_bytes);

	if (id < 0)
		fail_msg("request: %s", strerror(-id));
	answer->status = *(uint8_t *)bridge_at(bridge,
					       header_gpa(index, id) +
						       STATUS_OFFSET);
	return id;
}

struct blk_answer blk_run(struct bridge *bridge, uint32_t type,
			  uint64_t sector, const struct vq_buffer *data,
			  unsigned int count)
{
	struct blk_answer answer;
	int id = blk_add(bridge, 0, type, sector, data, count);

	assert_true(id >= 0);
	bridge_kick(&bridge->queues[0]);
	assert_int_equal(blk_wait(bridge, 0, &answer), id);
	return answer;
}

struct blk_answer blk_run_raw(struct bridge *bridge,
			      const struct vq_buffer *buffers,
			      unsigned int count, uint64_t status_gpa)
{
	uint8_t *status = bridge_at(bridge, status_gpa);
	struct blk_answer answer;
	int id;

	*status = NO_STATUS;
	id = add_chain(bridge, 0, buffers, count);
	assert_true(id >= 0);
	bridge_kick(&bridge->queues[0]);
	assert_int_equal(bridge_take(&bridge->queues[0], &answer.used_bytes),
			 id);
	answer.status = *status;
	return answer;
}

/* Returns how many pieces there are; some may be empty. */
static unsigned int cut(struct vq_buffer *buffers, struct test_random *random,
			uint64_t gpa, uint32_t bytes, bool is_writable)
{
	unsigned int count = 1 + test_random_below(random, CUTS_MAX), i;

	for (i = 0; i < count; i++) {
		uint32_t piece = test_random_below(random, bytes + 1);

		/* Small ones are what is interesting. */
		if (test_random_one_in(random, 2) && piece > 16)
			piece = test_random_below(random, 16);
		if (i == count - 1)
			piece = bytes;
		buffers[i] = blk_buffer(gpa, piece, is_writable);
		gpa += piece;
		bytes -= piece;
	}
	return count;
}

struct blk_answer blk_run_cut(struct bridge *bridge,
			      struct test_random *random, uint32_t type,
			      uint64_t sector, uint64_t gpa, uint32_t bytes)
{
	const struct virtio_blk_outhdr header = { .type = type,
						  .sector = sector };
	const uint64_t other = header_gpa(0, 100);
	const bool to_guest = type == VIRTIO_BLK_T_IN ||
			      type == VIRTIO_BLK_T_GET_ID;
	struct vq_buffer buffers[2 * CUTS_MAX];
	unsigned int count;
	uint64_t status;

	if (to_guest) {
		memcpy(bridge_at(bridge, other), &header, sizeof(header));
		count = cut(buffers, random, other, sizeof(header), false);
		count += cut(buffers + count, random, gpa, bytes + 1, true);
		status = gpa + bytes;
	} else {
		memcpy(bridge_at(bridge, gpa - sizeof(header)), &header,
		       sizeof(header));
		count = cut(buffers, random, gpa - sizeof(header),
			    sizeof(header) + bytes, false);
		/* What is before the status means nothing. */
		count += cut(buffers + count, random, other, 7, true);
		status = other + 6;
	}
	return blk_run_raw(bridge, buffers, count, status);
}

void blk_fill(const struct bridge *bridge, struct test_random *random,
	      uint64_t gpa, uint32_t bytes)
{
	uint8_t *at = bridge_at(bridge, gpa);
	uint32_t i;

	for (i = 0; i < bytes; i += 8) {
		const uint64_t value = test_random_next(random);

		memcpy(at + i, &value, bytes - i < 8 ? bytes - i : 8);
	}
}

void blk_note(const struct bridge *bridge, struct disk *disk, uint64_t sector,
	      uint64_t gpa, uint32_t bytes)
{
	assert_true(sector * 512 + bytes <= DISK_BYTES);
	memcpy(disk->shadow + sector * 512, bridge_at(bridge, gpa), bytes);
}

void blk_write(struct bridge *bridge, struct disk *disk, uint64_t sector,
	       uint64_t gpa, uint32_t bytes)
{
	const struct vq_buffer data = blk_buffer(gpa, bytes, false);
	struct blk_answer answer;

	answer = blk_run(bridge, VIRTIO_BLK_T_OUT, sector, &data, 1);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	assert_int_equal(answer.used_bytes, 1);
	blk_note(bridge, disk, sector, gpa, bytes);
}

void blk_read(struct bridge *bridge, const struct disk *disk, uint64_t sector,
	      uint64_t gpa, uint32_t bytes)
{
	const struct vq_buffer data = blk_buffer(gpa, bytes, true);
	struct blk_answer answer;

	memset(bridge_at(bridge, gpa), 0xee, bytes);
	answer = blk_run(bridge, VIRTIO_BLK_T_IN, sector, &data, 1);
	assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	assert_int_equal(answer.used_bytes, bytes + 1);
	assert_memory_equal(bridge_at(bridge, gpa),
			    disk->shadow + sector * 512, bytes);
}
