/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_RANDOM_H
#define SELFTESTS_LIB_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/**
 * DOC: numbers that come back
 *
 * $VHB_SEED, or the time. Print it: who gets the same seed gets the same
 * numbers.
 */

/** struct test_random - a sequence (xorshift64*) */
struct test_random {
	uint64_t state;
};

static inline struct test_random test_random_of(uint64_t seed)
{
	/* Spread, as seeds are often neighbours; never zero. */
	struct test_random random = { seed * UINT64_C(0x9e3779b97f4a7c15) | 1 };

	return random;
}

/** test_random_seed() - the seed of this run, printed as a TAP comment */
static inline uint64_t test_random_seed(void)
{
	const char *given = getenv("VHB_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	printf("# VHB_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static inline uint64_t test_random_next(struct test_random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * UINT64_C(0x2545f4914f6cdd1d);
}

/** test_random_below() - 0 to @limit - 1 */
static inline uint64_t test_random_below(struct test_random *random,
					 uint64_t limit)
{
	return (test_random_next(random) >> 16) % limit;
}

/** test_random_one_in() - true once in @count */
static inline bool test_random_one_in(struct test_random *random,
				      unsigned int count)
{
	return !test_random_below(random, count);
}

#endif
