/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_LEFTOVERS_H
#define VHB_CONTROL_LEFTOVERS_H

/**
 * vhb_control_remove_leftovers() - remove the control sockets of killed brokers
 * @directory: of control sockets
 *
 * A broker that ends removes its own; one that is killed cannot. Removed is what
 * nobody listens on, whose process does not exist, and which is a minute old: a
 * broker of another PID namespace may just be about to listen.
 */
void vhb_control_remove_leftovers(const char *directory);

#endif
