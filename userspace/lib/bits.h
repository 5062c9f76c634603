/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_BITS_H
#define VHB_LIB_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * vhb_bit() - the mask of one bit
 * @bit: bit number, 0 to 63
 *
 * Feature bits are numbers everywhere (names end in _BIT or are VIRTIO_*_F_*);
 * this is the only way they become masks.
 */
static inline uint64_t vhb_bit(unsigned int bit)
{
	return UINT64_C(1) << bit;
}

/**
 * vhb_has_bit() - is a bit set in a mask?
 * @mask: the mask
 * @bit: bit number, 0 to 63
 */
static inline bool vhb_has_bit(uint64_t mask, unsigned int bit)
{
	return mask & vhb_bit(bit);
}

/**
 * vhb_range_wraps() - does a range reach past the end of 64-bit addresses?
 * @start: first byte
 * @size_bytes: length; a range that ends exactly at 2^64 counts as wrapping,
 *              so that start + size_bytes is always a valid end
 */
static inline bool vhb_range_wraps(uint64_t start, uint64_t size_bytes)
{
	return start + size_bytes < start;
}

/**
 * vhb_range_contains() - does one range lie wholly inside another?
 * @outer_start: first byte of the outer range
 * @outer_bytes: its length; must not wrap
 * @start: first byte of the inner range
 * @size_bytes: its length
 */
static inline bool vhb_range_contains(uint64_t outer_start,
				      uint64_t outer_bytes, uint64_t start,
				      uint64_t size_bytes)
{
	return start >= outer_start && size_bytes <= outer_bytes &&
	       start - outer_start <= outer_bytes - size_bytes;
}

/**
 * vhb_ranges_overlap() - do two ranges share a byte?
 * @a_start: first byte of one; must not wrap
 * @a_bytes: its length
 * @b_start: first byte of the other; must not wrap
 * @b_bytes: its length
 */
static inline bool vhb_ranges_overlap(uint64_t a_start, uint64_t a_bytes,
				      uint64_t b_start, uint64_t b_bytes)
{
	return a_start < b_start + b_bytes && b_start < a_start + a_bytes;
}

#define VHB_ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
