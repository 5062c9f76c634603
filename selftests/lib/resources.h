/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_RESOURCES_H
#define VHB_SELFTESTS_RESOURCES_H

#include <stdint.h>

/**
 * struct resources - what a process holds
 * @fd_count: entries in /proc/self/fd
 * @thread_count: entries in /proc/self/task
 * @shared_count: shared mappings in /proc/self/maps (guest memory is, nothing
 *                the C library or a sanitizer does on its own)
 * @map_count: all mappings
 * @address_mib: size of the address space, for reserved windows
 */
struct resources {
	unsigned int fd_count;
	unsigned int thread_count;
	unsigned int shared_count;
	unsigned int map_count;
	uint64_t address_mib;
};

/** resources_count() - count what this process holds now */
void resources_count(struct resources *resources);

/**
 * resources_assert_same() - fail the test unless this process holds as much
 *
 * Waits for up to two seconds: the kernel lets go of what a ring of io_uring
 * held a moment after it is closed. All mappings and the address space may
 * differ a little, since memory allocators keep some for later.
 */
void resources_assert_same(const struct resources *before);

#endif
