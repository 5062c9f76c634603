// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/inflight.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include <linux/vhost_bridge.h>

#include "lib/bits.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/own_memory.h"

/**
 * struct slot - what is kept of a vring
 * @saved: written by the kernel device when the vring starts and stops
 * @reserved: zero
 */
struct slot {
	struct vhost_bridge_saved_base saved;
	uint8_t reserved[VHB_INFLIGHT_SLOT_BYTES -
			 sizeof(struct vhost_bridge_saved_base)];
};

static_assert(sizeof(struct slot) == VHB_INFLIGHT_SLOT_BYTES,
	      "front-ends keep it for the next release");

struct vhb_inflight {
	struct slot *slots;
	unsigned int count;
	bool is_reported;
};

int vhb_inflight_create(unsigned int queue_count,
			struct vhb_wire_inflight *description, int *fd_out)
{
	const uint64_t size_bytes = queue_count * sizeof(struct slot);
	int fd, ret;

	fd = memfd_create("vhost-bridge-inflight",
			  MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size_bytes) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	description->mmap_bytes = size_bytes;
	description->mmap_offset_bytes = 0;
	*fd_out = fd;
	return 0;
}

/* Reading a hole of a huge page file is an error when there is no page left. */
static int check_file(const struct vhb_wire_inflight *description, int fd,
		      struct vhb_why *why)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	const uint64_t system_page_bytes = sysconf(_SC_PAGESIZE);
	uint64_t page_bytes;
	struct stat st;
	int ret;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return vhb_wrong(why, -EINVAL,
				 "the descriptor is no memfd that is sealed against shrinking");
	ret = vhb_fd_page_bytes(fd, &page_bytes);
	if (ret)
		return vhb_wrong(why, ret, "fstatfs: %s",
				 strerrordesc_np(-ret));
	if (page_bytes != system_page_bytes)
		return vhb_wrong(why, -EINVAL, "the memfd has huge pages");
	if (fstat(fd, &st)) {
		ret = -errno;
		return vhb_wrong(why, ret, "fstat: %s", strerrordesc_np(-ret));
	}
	if (!vhb_range_contains(0, st.st_size, description->mmap_offset_bytes,
				description->mmap_bytes))
		return vhb_wrong(why, -EINVAL,
				 "%#llx bytes at %#llx of a memfd that has %#llx",
				 (unsigned long long)description->mmap_bytes,
				 (unsigned long long)description->mmap_offset_bytes,
				 (unsigned long long)st.st_size);
	return 0;
}

int vhb_inflight_map(const struct vhb_wire_inflight *description, int fd,
		     struct vhb_why *why, struct vhb_inflight **inflight_out)
{
	const size_t size_bytes = description->queue_count *
				  sizeof(struct slot);
	struct vhb_inflight *inflight;
	void *slots;
	int ret;

	if (description->mmap_bytes < size_bytes)
		return vhb_wrong(why, -EINVAL,
				 "%#llx bytes for %u queues, which need %#zx",
				 (unsigned long long)description->mmap_bytes,
				 description->queue_count, size_bytes);
	if (description->mmap_offset_bytes % sysconf(_SC_PAGESIZE))
		return vhb_wrong(why, -EINVAL, "offset %#llx is not that of a page",
				 (unsigned long long)description->mmap_offset_bytes);
	ret = check_file(description, fd, why);
	if (ret)
		return ret;

	inflight = calloc(1, sizeof(*inflight));
	if (!inflight)
		return vhb_wrong(why, -ENOMEM, "out of memory");
	slots = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     description->mmap_offset_bytes);
	if (slots == MAP_FAILED) {
		ret = -errno;
		free(inflight);
		return vhb_wrong(why, ret, "mmap: %s", strerrordesc_np(-ret));
	}
	inflight->slots = slots;
	inflight->count = description->queue_count;
	*inflight_out = inflight;
	return 0;
}

void vhb_inflight_unmap(struct vhb_inflight *inflight)
{
	if (!inflight)
		return;
	munmap(inflight->slots, inflight->count * sizeof(struct slot));
	free(inflight);
}

uint64_t vhb_inflight_slot(const struct vhb_inflight *inflight,
			   unsigned int index)
{
	if (!inflight || index >= inflight->count)
		return 0;
	return (uintptr_t)&inflight->slots[index];
}

/* A front-end can make holes, and the host may have no page to fill them. */
static void report(struct vhb_inflight *inflight, unsigned int index,
		   const char *what, int error)
{
	if (!inflight->is_reported)
		vhb_warn("the saved base of vring %u is not %s: %s; further ones are not logged",
			 index, what, strerrordesc_np(-error));
	inflight->is_reported = true;
}

/* The flag first: only with it the base means something. */
static int read_base(uint64_t slot_addr, bool *is_saved, uint32_t *base)
{
	uint32_t flag;
	int ret;

	ret = vhb_own_memory_read(slot_addr + offsetof(struct slot,
						       saved.is_saved),
				  &flag, sizeof(flag));
	if (ret)
		return ret;
	*is_saved = flag == 1;
	return vhb_own_memory_read(slot_addr + offsetof(struct slot,
							saved.base),
				   base, sizeof(*base));
}

bool vhb_inflight_base(struct vhb_inflight *inflight, unsigned int index,
		       uint32_t *base_out)
{
	const uint64_t slot_addr = vhb_inflight_slot(inflight, index);
	bool is_saved;
	uint32_t base;
	int ret;

	if (!slot_addr)
		return false;
	ret = read_base(slot_addr, &is_saved, &base);
	if (ret) {
		report(inflight, index, "read", ret);
		return false;
	}
	if (is_saved)
		*base_out = base;
	return is_saved;
}

void vhb_inflight_forget(struct vhb_inflight *inflight, unsigned int index)
{
	const uint64_t slot_addr = vhb_inflight_slot(inflight, index);
	const uint32_t is_saved = 0;
	int ret;

	if (!slot_addr)
		return;
	ret = vhb_own_memory_write(slot_addr + offsetof(struct slot,
							saved.is_saved),
				   &is_saved, sizeof(is_saved));
	if (ret)
		report(inflight, index, "forgotten", ret);
}
