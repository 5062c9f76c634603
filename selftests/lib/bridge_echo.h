/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BRIDGE_ECHO_H
#define SELFTESTS_LIB_BRIDGE_ECHO_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bridge_device.h"
#include "lib/random.h"

/**
 * DOC: traffic through the loop device
 *
 * Chains of random buffers; each comes back with as much of what was sent as
 * fits, and not a byte more is written.
 */

#define ECHO_BUFFERS_MAX 6
#define ECHO_CHAINS_MAX 256

/**
 * struct echo_chain - a chain that is under way
 * @buffers: what it consists of
 * @count: how many
 * @length_bytes: how much must come back
 * @seed: what the bytes follow from
 * @is_busy: it is under way
 */
struct echo_chain {
	struct vq_buffer buffers[ECHO_BUFFERS_MAX];
	unsigned int count;
	uint32_t length_bytes;
	uint8_t seed;
	bool is_busy;
};

/**
 * struct echo - traffic on one queue
 * @bridge: the device
 * @queue: the queue
 * @buffers_gpa: where its buffers are
 * @random: where they are random
 * @chains: chains under way
 * @chain_of: by ID: which of them
 * @busy_count: how many
 * @sent_count: how many were sent since echo_init()
 * @byte_count: bytes that came back since
 */
struct echo {
	struct bridge *bridge;
	struct bridge_queue *queue;
	uint64_t buffers_gpa;
	struct test_random random;
	struct echo_chain chains[ECHO_CHAINS_MAX];
	uint16_t chain_of[ECHO_CHAINS_MAX];
	unsigned int busy_count;
	uint64_t sent_count;
	uint64_t byte_count;
};

/** echo_init() - no traffic yet, on a queue of at most ECHO_CHAINS_MAX entries */
void echo_init(struct echo *echo, struct bridge *bridge, unsigned int index,
	       uint64_t seed);

/**
 * echo_send() - make a chain of random buffers available; no kick
 * @echo: the traffic
 * @form: how it is laid out
 *
 * Return: whether there was room.
 */
bool echo_send(struct echo *echo, enum vq_form form);

/** echo_receive() - wait for a chain to come back and look at all of it */
void echo_receive(struct echo *echo);

/** echo_burst() - up to @count chains, kick if need be, and back with them all */
void echo_burst(struct echo *echo, unsigned int count, enum vq_form form);

/** echo_works() - one chain on a queue that has none, kicked and called */
void echo_works(struct bridge *bridge, unsigned int index);

#endif
