/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_OWN_MEMORY_H
#define VHB_LIB_OWN_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/**
 * vhb_own_memory_read() - read this process's memory by way of the kernel
 * @addr: where; need not be mapped
 * @to: receives it
 * @size_bytes: how much
 *
 * For what a front-end can take away at any time: where its file was shortened,
 * reading would be SIGBUS.
 *
 * Return: 0, -EFAULT, or another -errno of process_vm_readv(2).
 */
int vhb_own_memory_read(uint64_t addr, void *to, size_t size_bytes);

/**
 * vhb_own_memory_write() - write this process's memory by way of the kernel
 * @addr: where; need not be mapped
 * @from: what
 * @size_bytes: how much; when it fails some of it may have been written
 *
 * As vhb_own_memory_read(), for what writing would be SIGBUS.
 *
 * Return: 0, -EFAULT, or another -errno of process_vm_writev(2).
 */
int vhb_own_memory_write(uint64_t addr, const void *from, size_t size_bytes);

#endif
