// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/net_driver.h"

#include <errno.h>
#include <string.h>

#include <linux/virtio_net.h>

#define ANSWER_MS 10000
/* What the driver puts where the answer is to be */
#define NO_ANSWER 0x5a

/* Header, argument and answer, each on a line of its own */
#define ARGUMENT_OFFSET 64
#define ANSWER_OFFSET (ARGUMENT_OFFSET + NET_DRIVER_ARGUMENT_MAX)
#define BUFFERS_BYTES (ANSWER_OFFSET + 64)

static uint8_t *buffers_of(const struct net_driver *driver)
{
	return guest_memory_at(driver->memory,
			       driver->memory->region.gpa +
			       driver->offset_bytes, BUFFERS_BYTES);
}

int net_driver_init(struct net_driver *driver, struct guest_memory *memory,
		    uint64_t offset_bytes, unsigned int num)
{
	driver->memory = memory;
	driver->offset_bytes = offset_bytes +
			       ((guest_ring_bytes(num) + 63) & ~UINT64_C(63));
	if (!buffers_of(driver))
		return -EINVAL;
	return guest_ring_init(&driver->ring, memory, offset_bytes, num);
}

void net_driver_destroy(struct net_driver *driver)
{
	guest_ring_destroy(&driver->ring);
}

int net_driver_post(struct net_driver *driver, uint8_t class, uint8_t code,
		    const void *argument, size_t argument_bytes)
{
	const uint64_t gpa = driver->memory->region.gpa + driver->offset_bytes;
	uint8_t *buffers = buffers_of(driver);
	struct guest_buffer pieces[3];
	unsigned int count = 0;
	int ret;

	if (argument_bytes > NET_DRIVER_ARGUMENT_MAX)
		return -EMSGSIZE;
	buffers[0] = class;
	buffers[1] = code;
	if (argument_bytes)
		memcpy(buffers + ARGUMENT_OFFSET, argument, argument_bytes);
	buffers[ANSWER_OFFSET] = NO_ANSWER;
	pieces[count++] = (struct guest_buffer){ gpa, 2 };
	if (argument_bytes)
		pieces[count++] = (struct guest_buffer){
			gpa + ARGUMENT_OFFSET, argument_bytes
		};
	pieces[count++] = (struct guest_buffer){ gpa + ANSWER_OFFSET, 1 };
	ret = guest_ring_add(&driver->ring, pieces, count - 1, 1);
	return ret < 0 ? ret : 0;
}

int net_driver_answer(struct net_driver *driver, unsigned int timeout_ms)
{
	uint32_t written_bytes;
	int ret;

	ret = guest_ring_get(&driver->ring, timeout_ms, &written_bytes);
	if (ret < 0)
		return ret;
	return written_bytes == 1 ? buffers_of(driver)[ANSWER_OFFSET] : -EPROTO;
}

int net_driver_command(struct net_driver *driver, uint8_t class, uint8_t code,
		       const void *argument, size_t argument_bytes)
{
	int ret = net_driver_post(driver, class, code, argument,
				  argument_bytes);

	if (!ret)
		ret = guest_ring_kick(&driver->ring);
	return ret < 0 ? ret : net_driver_answer(driver, ANSWER_MS);
}
