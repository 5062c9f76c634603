// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtqueue/guest_memory.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/syscall.h>
#include <sys/uio.h>

#include <linux/futex.h>

/* Guest memory that a bit of the log stands for */
#define LOG_PAGE_BYTES 4096

/* Reads of an index until it is the same twice; see vhb_area_read16() */
#define READS_MAX 4

typedef ssize_t (*vm_copy_fn)(pid_t pid, const struct iovec *local,
			      unsigned long local_count,
			      const struct iovec *remote,
			      unsigned long remote_count, unsigned long flags);

/* All or nothing is not promised, but nothing less than all is a success. */
static int copy(vm_copy_fn vm_copy, u64 addr, void *bytes, size_t size_bytes)
{
	const struct iovec here = {
		.iov_base = bytes,
		.iov_len = size_bytes,
	};
	const struct iovec there = {
		.iov_base = (void *)(uintptr_t)addr,
		.iov_len = size_bytes,
	};
	ssize_t done = vm_copy(getpid(), &here, 1, &there, 1, 0);

	return done >= 0 && (size_t)done == size_bytes ? 0 : -EFAULT;
}

int vhb_area_read(const struct vhb_memory *memory, u64 addr, void *to,
		  size_t size_bytes)
{
	(void)memory;
	return copy(process_vm_readv, addr, to, size_bytes);
}

/*
 * Sets a bit in a word that others set bits in at the same time, and which may lie
 * in a file that has shrunk: the kernel does it for us, and says EFAULT where we
 * would get a SIGBUS. Nobody waits at either address.
 */
static int set_bit_in_word(u64 addr, unsigned int bit)
{
	const unsigned int or_shifted = FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT;
	const unsigned int operation =
		FUTEX_OP(or_shifted, bit, FUTEX_OP_CMP_EQ, 0);
	u32 nobody = 0;

	return syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG,
		       0, NULL, (void *)(uintptr_t)addr, operation) < 0 ?
		       -EIO : 0;
}

/* The log is bytes from a front-end's file: its first may have any address. */
static int mark(const struct vhb_memory *memory, u64 gpa, size_t size_bytes)
{
	u64 page = gpa / LOG_PAGE_BYTES;
	const u64 last_page = (gpa + size_bytes - 1) / LOG_PAGE_BYTES;
	u64 byte;
	int ret = 0;

	for (; !ret && page <= last_page; page++) {
		byte = memory->log.address + page / 8;
		ret = set_bit_in_word(byte & ~UINT64_C(3),
				      (byte & 3) * 8 + page % 8);
	}
	return ret;
}

int vhb_area_write(const struct vhb_memory *memory, u64 addr, const void *from,
		   size_t size_bytes)
{
	const struct vhb_virtqueue_log *log = &memory->log;
	int ret = copy(process_vm_writev, addr, (void *)from, size_bytes);

	if (ret || !log->marks_ring)
		return ret;
	return mark(memory, log->used_gpa + (addr - memory->used_addr),
		    size_bytes);
}

/*
 * The kernel may copy byte by byte, so that an index which the driver changes
 * just now could be half old and half new: it is only taken when it was the same
 * twice. A driver that changes it all the time harms itself.
 */
int vhb_area_read16(const struct vhb_memory *memory, u64 addr, u16 *value_out)
{
	u16 last, value;
	unsigned int i;
	int ret;

	ret = vhb_area_read(memory, addr, &value, sizeof(value));
	for (i = 1; !ret && i < READS_MAX; i++) {
		last = value;
		ret = vhb_area_read(memory, addr, &value, sizeof(value));
		if (value == last)
			break;
	}
	if (!ret)
		*value_out = le16toh(value);
	return ret;
}

/*
 * A driver that sees the first half of a new used index takes an entry that is
 * there already, as entries are written before: with one chain each index it can
 * take none that is not.
 */
int vhb_area_write16(const struct vhb_memory *memory, u64 addr, u16 value)
{
	const u16 raw = htole16(value);

	return vhb_area_write(memory, addr, &raw, sizeof(raw));
}

/* Where a guest address lies, and how far it goes on there */
static int find(const struct vhb_memory *memory, u64 gpa, size_t size_bytes,
		u64 *addr_out, size_t *chunk_bytes_out)
{
	const struct vhost_memory *table = memory->table;
	u64 offset, rest;
	u32 i;

	for (i = 0; i < table->nregions; i++) {
		const struct vhost_memory_region *region = &table->regions[i];

		offset = gpa - region->guest_phys_addr;
		if (gpa < region->guest_phys_addr ||
		    offset >= region->memory_size)
			continue;
		rest = region->memory_size - offset;
		*addr_out = region->userspace_addr + offset;
		*chunk_bytes_out = rest < size_bytes ? rest : size_bytes;
		return 0;
	}
	return -EFAULT;
}

static int copy_guest(vm_copy_fn vm_copy, const struct vhb_memory *memory,
		      u64 gpa, void *bytes, size_t size_bytes)
{
	u8 *at = bytes;
	size_t chunk_bytes;
	u64 addr;
	int ret;

	while (size_bytes) {
		ret = find(memory, gpa, size_bytes, &addr, &chunk_bytes);
		if (!ret)
			ret = copy(vm_copy, addr, at, chunk_bytes);
		if (ret)
			return ret;
		gpa += chunk_bytes;
		at += chunk_bytes;
		size_bytes -= chunk_bytes;
	}
	return 0;
}

int vhb_guest_read(const struct vhb_memory *memory, u64 gpa, void *to,
		   size_t size_bytes)
{
	return copy_guest(process_vm_readv, memory, gpa, to, size_bytes);
}

int vhb_guest_write(const struct vhb_memory *memory, u64 gpa, const void *from,
		    size_t size_bytes)
{
	int ret = copy_guest(process_vm_writev, memory, gpa, (void *)from,
			     size_bytes);

	if (ret || !memory->log.marks_buffers)
		return ret;
	return mark(memory, gpa, size_bytes);
}
