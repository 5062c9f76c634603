/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BLK_PATTERN_H
#define SELFTESTS_LIB_BLK_PATTERN_H

#include <stdint.h>

#define BLK_PATTERN_SECTOR_BYTES 512u

/**
 * blk_pattern_word() - what a word of a block is to be
 * @block: number of the block
 * @version: how often it was written
 * @sector: of the block
 * @word: of the sector, eight bytes each
 *
 * Word 0 names block and version, word 1 the sector; the rest follows of them.
 */
uint64_t blk_pattern_word(uint32_t block, uint32_t version, uint32_t sector,
			  uint32_t word);

/**
 * blk_pattern_fill() - make a block
 * @data: room for 4096 bytes
 * @block: its number
 * @version: how often it was written
 */
void blk_pattern_fill(uint8_t *data, uint32_t block, uint32_t version);

#endif
