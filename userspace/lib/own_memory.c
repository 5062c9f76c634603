// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/own_memory.h"

#include <errno.h>
#include <unistd.h>

#include <sys/uio.h>

int vhb_own_memory_read(uint64_t addr, void *to, size_t size_bytes)
{
	const struct iovec into = { to, size_bytes };
	const struct iovec from = { (void *)(uintptr_t)addr, size_bytes };
	ssize_t read_bytes;

	read_bytes = process_vm_readv(getpid(), &into, 1, &from, 1, 0);
	if (read_bytes < 0)
		return -errno;
	return (size_t)read_bytes == size_bytes ? 0 : -EFAULT;
}

int vhb_own_memory_write(uint64_t addr, const void *from, size_t size_bytes)
{
	const struct iovec source = { (void *)from, size_bytes };
	const struct iovec target = { (void *)(uintptr_t)addr, size_bytes };
	ssize_t written_bytes;

	written_bytes = process_vm_writev(getpid(), &source, 1, &target, 1, 0);
	if (written_bytes < 0)
		return -errno;
	return (size_t)written_bytes == size_bytes ? 0 : -EFAULT;
}
