/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_ATTACK_H
#define SELFTESTS_LIB_ATTACK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/frontend.h"
#include "lib/guest_memory.h"
#include "lib/guest_ring.h"
#include "lib/odd_fds.h"
#include "lib/random.h"

/**
 * DOC: front-ends that follow the protocol's form and break its sense
 *
 * With guests whose rings lie: descriptors that point anywhere, indexes that jump,
 * chains that loop, tables of tables, memory that is truncated, punched or declared
 * anew while the device is in it. Everything comes from the seed.
 */

#define ATTACK_REGIONS_MAX 3
#define ATTACK_RINGS_MAX 4

/**
 * struct attack - one hostile session
 * @random: its numbers
 * @frontend: its connection
 * @memory: its regions, at least two; not owned, nor what follows
 * @region_count: how many
 * @rings: its rings
 * @ring_count: how many
 * @offered: what GET_FEATURES said
 * @offered_protocol: what GET_PROTOCOL_FEATURES said
 * @fds: descriptors of all kinds
 * @send: give the device something to do from its other side, or NULL
 * @argument: for @send
 * @is_memory_gone: its files were truncated: the mapping must not be touched
 * @is_over: the broker has closed the connection
 */
struct attack {
	struct test_random random;
	struct frontend *frontend;
	struct guest_memory *memory;
	unsigned int region_count;
	struct guest_ring *rings[ATTACK_RINGS_MAX];
	unsigned int ring_count;
	uint64_t offered;
	uint64_t offered_protocol;
	struct odd_fds fds;
	void (*send)(struct attack *attack);
	void *argument;
	bool is_memory_gone;
	bool is_over;
};

/** attack_seconds() - how long: $VHB_ATTACK_SECONDS, or as given */
unsigned int attack_seconds(unsigned int seconds);

/** attack_set_up() - nearly as a good front-end would */
void attack_set_up(struct attack *attack);

/** attack_move() - whatever comes next */
void attack_move(struct attack *attack);

/** attack_is_borne() - the broker answers, or has hung up; it is not stuck */
bool attack_is_borne(struct attack *attack);

#endif
