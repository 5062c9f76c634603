/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_GUEST_MEMORY_H
#define SELFTESTS_LIB_GUEST_MEMORY_H

#include <stdint.h>

#include "wire/protocol.h"

/**
 * struct guest_memory - memory shared between a test's guest and the back-end
 * @fd: the memfd
 * @base: where the test has it mapped
 * @region: how a message describes it, the whole file from offset 0
 */
struct guest_memory {
	int fd;
	uint8_t *base;
	struct vhb_wire_region region;
};

/**
 * guest_memory_create() - zeroed memory
 * @memory: set up by this
 * @mib: how many MiB
 * @gpa: the guest address it begins at
 * @uva: the user address it begins at; 0 takes that of the test's mapping
 */
int guest_memory_create(struct guest_memory *memory, unsigned int mib,
			uint64_t gpa, uint64_t uva);

/** guest_memory_destroy() - unmap and close; may be destroyed already */
void guest_memory_destroy(struct guest_memory *memory);

/** guest_memory_at() - @size_bytes at @gpa, or NULL when not all inside */
void *guest_memory_at(const struct guest_memory *memory, uint64_t gpa,
		      uint64_t size_bytes);

#endif
