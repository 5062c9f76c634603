/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_CRC32_H
#define VHB_LIB_CRC32_H

#include <stddef.h>
#include <stdint.h>

/**
 * vhb_crc32() - the checksum of IEEE 802.3 (that of zlib)
 * @data: of this
 * @size_bytes: its length
 */
uint32_t vhb_crc32(const void *data, size_t size_bytes);

#endif
