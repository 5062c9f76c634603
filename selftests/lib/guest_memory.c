// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/guest_memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bits.h"

int guest_memory_create(struct guest_memory *memory, unsigned int mib,
			uint64_t gpa, uint64_t uva)
{
	uint64_t size_bytes = (uint64_t)mib << 20;
	int ret;

	memory->base = NULL;
	memory->fd = memfd_create("guest memory", MFD_CLOEXEC);
	if (memory->fd < 0)
		return -errno;
	if (ftruncate(memory->fd, size_bytes) < 0) {
		ret = -errno;
		goto close_fd;
	}
	memory->base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED, memory->fd, 0);
	if (memory->base == MAP_FAILED) {
		ret = -errno;
		goto close_fd;
	}
	memory->region = (struct vhb_wire_region){
		.gpa = gpa,
		.size_bytes = size_bytes,
		.uva = uva ? uva : (uintptr_t)memory->base,
	};
	return 0;

close_fd:
	close(memory->fd);
	memory->fd = -1;
	memory->base = NULL;
	return ret;
}

void guest_memory_destroy(struct guest_memory *memory)
{
	if (memory->base)
		munmap(memory->base, memory->region.size_bytes);
	if (memory->fd >= 0)
		close(memory->fd);
	memory->base = NULL;
	memory->fd = -1;
}

void *guest_memory_at(const struct guest_memory *memory, uint64_t gpa,
		      uint64_t size_bytes)
{
	const struct vhb_wire_region *region = &memory->region;

	if (!vhb_range_contains(region->gpa, region->size_bytes, gpa,
				size_bytes))
		return NULL;
	return memory->base + (gpa - region->gpa);
}
