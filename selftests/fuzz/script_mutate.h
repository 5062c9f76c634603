/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_FUZZ_SCRIPT_MUTATE_H
#define SELFTESTS_FUZZ_SCRIPT_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/**
 * script_mutate() - another script of this one
 * @bytes: the script, which is replaced
 * @size_bytes: its length
 * @room_bytes: the most it may have
 * @seed: decides what is changed
 *
 * Steps go, come, change places or are repeated; in messages numbers become such
 * at which something may change, and descriptors others.
 *
 * Return: the new length.
 */
size_t script_mutate(uint8_t *bytes, size_t size_bytes, size_t room_bytes,
		     uint64_t seed);

/** script_cross() - the begin of one script and the end of another */
size_t script_cross(const uint8_t *first, size_t first_bytes,
		    const uint8_t *second, size_t second_bytes, uint8_t *bytes,
		    size_t room_bytes, uint64_t seed);

#endif
