/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_MODULE_H
#define VHB_KDEV_MODULE_H

/**
 * vhb_kdev_open() - open a kernel device node, loading its module when needed
 * @path: the device node
 * @module_name: the kernel module that provides it
 *
 * Tries to open, and when the node or its driver is missing loads the module
 * through libkmod and tries again. On failure says in one line what is missing
 * and what to do: load the module (as root), install or configure a kernel that
 * has it, be allowed to open the node, or pass a ready descriptor.
 *
 * Return: a close-on-exec descriptor or -errno (reported).
 */
int vhb_kdev_open(const char *path, const char *module_name);

#endif
