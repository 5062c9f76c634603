/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_OPTION_VALUES_H
#define VHB_OPTION_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/**
 * vhb_value_number() - a decimal number, nothing else
 * @text: digits only; no sign, no space, nothing behind it
 * @min: least value
 * @max: greatest value
 * @number_out: the number
 *
 * Return: 0, -EINVAL (no number) or -ERANGE.
 */
int vhb_value_number(const char *text, uint64_t min, uint64_t max,
		     uint64_t *number_out);

/**
 * vhb_value_fds() - a comma-separated list of descriptor numbers
 * @text: the list
 * @fds: receives them
 * @max: room in @fds
 * @count_out: how many
 *
 * Return: 0, -EINVAL (no list of numbers), -E2BIG (more than @max) or -EEXIST
 * (the same number twice).
 */
int vhb_value_fds(const char *text, int *fds, unsigned int max,
		  unsigned int *count_out);

/**
 * vhb_value_mac() - a unicast Ethernet address
 * @text: six times two hexadecimal digits with colons between
 * @mac: receives it
 *
 * Return: 0, -EINVAL (no address) or -EADDRNOTAVAIL (all zero, or a group
 * address, which no station can have).
 */
int vhb_value_mac(const char *text, uint8_t mac[6]);

/**
 * vhb_value_protocol_features() - a comma-separated list of protocol features
 * @text: the list, of such as are offered only when asked for
 * @mask_out: their bits
 *
 * Return: 0, -EINVAL (something else is in the list) or -EEXIST (the same one
 * twice).
 */
int vhb_value_protocol_features(const char *text, uint64_t *mask_out);

/** VHB_VALUE_PROTOCOL_FEATURES - what may be in it, for messages */
#define VHB_VALUE_PROTOCOL_FEATURES "inband-notifications, gpa-addresses"

/**
 * vhb_value_is_interface_name() - may a network interface have this name?
 * @text: the name. A '%' is refused: the kernel would make a number of it and
 *        so a name that nobody asked for
 */
bool vhb_value_is_interface_name(const char *text);

#endif
