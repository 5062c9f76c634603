// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/crc32.h"

/* The polynomial of IEEE 802.3, lowest bit first */
#define POLYNOMIAL UINT32_C(0xedb88320)

uint32_t vhb_crc32(const void *data, size_t size_bytes)
{
	const uint8_t *bytes = data;
	uint32_t crc = UINT32_MAX;

	while (size_bytes--) {
		crc ^= *bytes++;
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
	}
	return ~crc;
}
