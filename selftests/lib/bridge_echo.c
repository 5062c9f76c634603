// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bridge_echo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CHAIN_STRIDE 4096
#define BUFFER_BYTES_MAX 600
#define UNTOUCHED 0xee

void echo_init(struct echo *echo, struct bridge *bridge, unsigned int index,
	       uint64_t seed)
{
	memset(echo, 0, sizeof(*echo));
	echo->bridge = bridge;
	echo->queue = &bridge->queues[index];
	assert_true(echo->queue->driver.num <= ECHO_CHAINS_MAX);
	echo->buffers_gpa = BRIDGE_BUFFERS_GPA + index * BRIDGE_BUFFER_STRIDE;
	echo->random = test_random_of(seed + index);
}

static uint8_t byte_of(uint8_t seed, uint32_t offset)
{
	return seed + offset * 7 + (offset >> 8);
}

static struct echo_chain *free_chain(struct echo *echo, unsigned int *place)
{
	unsigned int i;

	for (i = 0; i < ECHO_CHAINS_MAX; i++) {
		*place = (echo->sent_count + i) % ECHO_CHAINS_MAX;
		if (!echo->chains[*place].is_busy)
			return &echo->chains[*place];
	}
	return NULL;
}

/* Sizes may be zero: such buffers mean nothing. */
static void choose_buffers(struct echo *echo, struct echo_chain *chain,
			   uint64_t gpa)
{
	const unsigned int out_count = test_random_below(&echo->random, 4);
	uint32_t bytes[2] = { 0, 0 };
	unsigned int i;

	chain->count = out_count + test_random_below(&echo->random, 4);
	if (!chain->count)
		chain->count = 1;
	for (i = 0; i < chain->count; i++) {
		struct vq_buffer *buffer = &chain->buffers[i];

		buffer->gpa = gpa;
		buffer->size_bytes =
			test_random_below(&echo->random, BUFFER_BYTES_MAX);
		buffer->is_writable = i >= out_count;
		gpa += buffer->size_bytes;
		bytes[buffer->is_writable] += buffer->size_bytes;
	}
	chain->length_bytes = bytes[0] < bytes[1] ? bytes[0] : bytes[1];
}

static void fill_buffers(const struct echo *echo,
			 const struct echo_chain *chain)
{
	uint32_t offset = 0;
	unsigned int i;

	for (i = 0; i < chain->count; i++) {
		const struct vq_buffer *buffer = &chain->buffers[i];
		uint8_t *bytes = bridge_at(echo->bridge, buffer->gpa);
		uint32_t j;

		if (buffer->is_writable) {
			memset(bytes, UNTOUCHED, buffer->size_bytes);
			continue;
		}
		for (j = 0; j < buffer->size_bytes; j++)
			bytes[j] = byte_of(chain->seed, offset++);
	}
}

static void check_buffers(const struct echo *echo,
			  const struct echo_chain *chain)
{
	uint32_t offset = 0;
	unsigned int i;

	for (i = 0; i < chain->count; i++) {
		const struct vq_buffer *buffer = &chain->buffers[i];
		const uint8_t *bytes = bridge_at(echo->bridge, buffer->gpa);
		uint32_t j;

		if (!buffer->is_writable)
			continue;
		for (j = 0; j < buffer->size_bytes; j++, offset++) {
			const uint8_t wanted =
				offset < chain->length_bytes ?
					byte_of(chain->seed, offset) :
					UNTOUCHED;

			if (bytes[j] != wanted)
				fail_msg("byte %u of %u is %02x, not %02x",
					 offset, chain->length_bytes, bytes[j],
					 wanted);
		}
	}
}

bool echo_send(struct echo *echo, enum vq_form form)
{
	struct echo_chain *chain;
	unsigned int place;
	int id;

	chain = free_chain(echo, &place);
	if (!chain)
		return false;
	choose_buffers(echo, chain, echo->buffers_gpa + place * CHAIN_STRIDE);
	chain->seed = test_random_next(&echo->random) >> 32;
	fill_buffers(echo, chain);
	id = vq_driver_add(&echo->queue->driver, chain->buffers, chain->count,
			   form);
	if (id < 0)
		return false;
	chain->is_busy = true;
	echo->chain_of[id] = place;
	echo->busy_count++;
	echo->sent_count++;
	return true;
}

void echo_receive(struct echo *echo)
{
	struct echo_chain *chain;
	uint32_t length_bytes;
	int id;

	id = bridge_take(echo->queue, &length_bytes);
	if (id < 0)
		fail_msg("chain %llu: %s", (unsigned long long)echo->sent_count,
			 strerror(-id));
	chain = &echo->chains[echo->chain_of[id]];
	assert_true(chain->is_busy);
	assert_int_equal(length_bytes, chain->length_bytes);
	check_buffers(echo, chain);
	chain->is_busy = false;
	echo->busy_count--;
	echo->byte_count += length_bytes;
}

void echo_burst(struct echo *echo, unsigned int count, enum vq_form form)
{
	while (count-- && echo_send(echo, form))
		;
	bridge_kick(echo->queue);
	while (echo->busy_count)
		echo_receive(echo);
}

void echo_works(struct bridge *bridge, unsigned int index)
{
	struct bridge_queue *queue = &bridge->queues[index];
	struct echo echo;

	bridge_read_event(queue->call_fd);
	vq_driver_want_calls(&queue->driver);
	echo_init(&echo, bridge, index, 1);
	assert_true(echo_send(&echo, VQ_DIRECT));
	bridge_kick_always(queue);
	echo_receive(&echo);
	assert_int_equal(bridge_wait_event(queue->call_fd, BRIDGE_WAIT_MS), 0);
}
