// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/dirty_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/bits.h"
#include "lib/fd.h"

/* Kept free on each side: the bits of 64 GiB */
#define GUARD_BYTES (UINT64_C(2) << 20)

#define BITS_PER_BYTE 8

/**
 * struct vhb_dirty_log - a mapped, reference-counted bitmap
 * @reference_count: users of it
 * @area: with the stretches on both sides
 * @area_bytes: its length
 * @bits: where the bitmap begins in it
 * @size_bytes: its length
 */
struct vhb_dirty_log {
	unsigned int reference_count;
	void *area;
	size_t area_bytes;
	uint64_t bits;
	uint64_t size_bytes;
};

/* A file of any other kind could keep the kernel waiting when it sets a bit. */
static int check_file(const struct vhb_wire_log *description, int fd,
		      struct vhb_why *why)
{
	struct stat st;
	int ret;

	if (!vhb_fd_is_shared_memory(fd))
		return vhb_wrong(why, -EINVAL,
				 "the descriptor is no shared memory");
	if (fstat(fd, &st)) {
		ret = -errno;
		return vhb_wrong(why, ret, "fstat: %s", strerrordesc_np(-ret));
	}
	if (!S_ISREG(st.st_mode))
		return vhb_wrong(why, -EINVAL,
				 "the descriptor is no file in shared memory");
	if (!description->size_bytes)
		return vhb_wrong(why, -EINVAL, "a log of no bytes");
	if (!vhb_range_contains(0, st.st_size, description->offset_bytes,
				description->size_bytes))
		return vhb_wrong(why, -EINVAL,
				 "a log of %#llx bytes at %#llx of a file that has %#llx",
				 (unsigned long long)description->size_bytes,
				 (unsigned long long)description->offset_bytes,
				 (unsigned long long)st.st_size);
	return 0;
}

/* Huge pages need their alignment, in the file and in memory. */
static int map_bits(struct vhb_dirty_log *log,
		    const struct vhb_wire_log *description, int fd,
		    uint64_t page_bytes)
{
	const uint64_t page_mask = page_bytes - 1;
	const uint64_t lead_bytes = description->offset_bytes & page_mask;
	const uint64_t map_bytes = (lead_bytes + description->size_bytes +
				    page_mask) & ~page_mask;
	const uint64_t guard_bytes = GUARD_BYTES + 2 * page_bytes;
	uint64_t place;
	void *bits;

	if (vhb_range_wraps(map_bytes, 2 * guard_bytes))
		return -ENOMEM;
	log->area_bytes = map_bytes + 2 * guard_bytes;
	log->area = mmap(NULL, log->area_bytes, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (log->area == MAP_FAILED)
		return -errno;
	place = ((uintptr_t)log->area + GUARD_BYTES + page_mask) & ~page_mask;
	bits = mmap((void *)(uintptr_t)place, map_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd,
		    description->offset_bytes - lead_bytes);
	if (bits == MAP_FAILED) {
		const int error = errno;

		munmap(log->area, log->area_bytes);
		return -error;
	}
	log->bits = place + lead_bytes;
	log->size_bytes = description->size_bytes;
	return 0;
}

int vhb_dirty_log_map(const struct vhb_wire_log *description, int fd,
		      struct vhb_why *why, struct vhb_dirty_log **log_out)
{
	struct vhb_dirty_log *log;
	uint64_t page_bytes;
	int ret;

	ret = check_file(description, fd, why);
	if (ret)
		return ret;
	ret = vhb_fd_page_bytes(fd, &page_bytes);
	if (ret)
		return vhb_wrong(why, ret, "fstatfs: %s",
				 strerrordesc_np(-ret));
	log = calloc(1, sizeof(*log));
	if (!log)
		return vhb_wrong(why, -ENOMEM, "out of memory");
	log->reference_count = 1;
	ret = map_bits(log, description, fd, page_bytes);
	if (ret) {
		free(log);
		return vhb_wrong(why, ret, "cannot map the log: %s",
				 strerrordesc_np(-ret));
	}
	*log_out = log;
	return 0;
}

struct vhb_dirty_log *vhb_dirty_log_get(struct vhb_dirty_log *log)
{
	if (log)
		log->reference_count++;
	return log;
}

void vhb_dirty_log_put(struct vhb_dirty_log *log)
{
	if (!log || --log->reference_count)
		return;
	munmap(log->area, log->area_bytes);
	free(log);
}

uint64_t vhb_dirty_log_address(const struct vhb_dirty_log *log)
{
	return log->bits;
}

bool vhb_dirty_log_covers(const struct vhb_dirty_log *log, uint64_t gpa,
			  uint64_t size_bytes)
{
	const uint64_t last = gpa + (size_bytes - 1);

	return last >= gpa && last / VHB_DIRTY_LOG_PAGE_BYTES / BITS_PER_BYTE <
				      log->size_bytes;
}
