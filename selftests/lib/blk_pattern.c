// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/blk_pattern.h"

#include <string.h>

#define SECTORS_PER_BLOCK 8
#define WORDS_PER_SECTOR (BLK_PATTERN_SECTOR_BYTES / sizeof(uint64_t))

uint64_t blk_pattern_word(uint32_t block, uint32_t version, uint32_t sector,
			  uint32_t word)
{
	uint64_t seed = (uint64_t)block << 32 | version;

	if (!word)
		return seed;
	seed = (seed ^ (uint64_t)sector << 20) * UINT64_C(0x9e3779b97f4a7c15);
	return word == 1 ? sector : seed + word * UINT64_C(0xd1342543de82ef95);
}

void blk_pattern_fill(uint8_t *data, uint32_t block, uint32_t version)
{
	uint32_t sector, i;
	uint64_t word;

	for (sector = 0; sector < SECTORS_PER_BLOCK; sector++)
		for (i = 0; i < WORDS_PER_SECTOR; i++) {
			word = blk_pattern_word(block, version, sector, i);
			memcpy(data, &word, sizeof(word));
			data += sizeof(word);
		}
}
