/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_FUZZ_MAPPINGS_H
#define SELFTESTS_FUZZ_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * DOC: what the broker has mapped
 *
 * The broker's files are compiled with mmap() and munmap() named as here, so that
 * we know without its help what it has mapped, and where a file is behind.
 * Mapping over what is not its own, or unmapping it, is the end of the fuzzer.
 */

void *fuzz_mmap(void *address, size_t size_bytes, int protection, int flags,
		int fd, off_t offset_bytes);
int fuzz_munmap(void *address, size_t size_bytes);

/** mappings_fail_nth() - let an mmap() fail: the next is 1; 0 for none */
void mappings_fail_nth(unsigned int nth);

/** mappings_bytes() - how much is mapped */
uint64_t mappings_bytes(void);

/** mappings_are_ours() - is all of it mapped, be it with nothing behind? */
bool mappings_are_ours(uint64_t start, uint64_t size_bytes);

/** mappings_are_files() - is there a file behind all of it? */
bool mappings_are_files(uint64_t start, uint64_t size_bytes);

#endif
