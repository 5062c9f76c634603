/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_RARP_H
#define VHB_KDEV_RARP_H

#include <stdint.h>

/**
 * vhb_rarp_send() - broadcast a RARP request as if the guest had sent it
 * @tap_fd: an attached queue of its tap, whatever header it has
 * @mac: the guest's address, six bytes
 *
 * Switches learn from it where the guest is now. What asks (RFC 903) is of no
 * interest to anybody.
 *
 * Return: 0; -EINVAL for an address of a group; -errno of the tap: -EIO when it
 * is down.
 */
int vhb_rarp_send(int tap_fd, const uint8_t *mac);

#endif
