/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_VHOST_IOCTL_H
#define VHB_KDEV_VHOST_IOCTL_H

#include <stdint.h>

#include <linux/vhost_types.h>

/**
 * DOC: the vhost ioctls, typed
 *
 * The only place that issues them; what is our module's own is in
 * kdev/bridge_ioctl.h. All take a vhost descriptor and return 0 or -errno. A
 * vring index is the kernel device's own, counted from 0 each descriptor. What
 * the kernel checks and what it does not: see Documentation/architecture.rst.
 */

int vhb_vhost_set_owner(int fd);
int vhb_vhost_reset_owner(int fd);
int vhb_vhost_get_features(int fd, uint64_t *mask_out);
int vhb_vhost_set_features(int fd, uint64_t mask);
int vhb_vhost_get_backend_features(int fd, uint64_t *mask_out);
int vhb_vhost_set_backend_features(int fd, uint64_t mask);
int vhb_vhost_set_mem_table(int fd, const struct vhost_memory *table);
int vhb_vhost_set_log_base(int fd, uint64_t address);
int vhb_vhost_set_log_fd(int fd, int eventfd);
int vhb_vhost_set_vring_num(int fd, unsigned int index, uint32_t num);
int vhb_vhost_set_vring_base(int fd, unsigned int index, uint32_t base);
int vhb_vhost_get_vring_base(int fd, unsigned int index, uint32_t *base_out);
int vhb_vhost_set_vring_addr(int fd, const struct vhost_vring_addr *addr);
int vhb_vhost_set_vring_kick(int fd, unsigned int index, int eventfd);
int vhb_vhost_set_vring_call(int fd, unsigned int index, int eventfd);
int vhb_vhost_set_vring_err(int fd, unsigned int index, int eventfd);
int vhb_vhost_set_vring_poll_us(int fd, unsigned int index, uint32_t poll_us);

/**
 * vhb_vhost_net_set_backend() - attach a socket-like file to a vring
 * @fd: a vhost-net descriptor
 * @index: 0 receive, 1 transmit
 * @backend_fd: a tap queue, or -1 to stop; returns when the worker is out
 *
 * Return: 0 or -errno.
 */
int vhb_vhost_net_set_backend(int fd, unsigned int index, int backend_fd);

#endif
