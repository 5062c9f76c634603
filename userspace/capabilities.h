/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CAPABILITIES_H
#define VHB_CAPABILITIES_H

#include <stdio.h>

/**
 * vhb_capabilities_print() - what --print-capabilities says
 * @type_name: device type, as parsed
 * @out: where to
 *
 * One JSON object as the specification's "Backend program conventions" want it.
 * Its features are the names of the options that not every back-end has.
 *
 * Return: 0, -EINVAL for a type that is unknown, or -EIO when writing failed.
 */
int vhb_capabilities_print(const char *type_name, FILE *out);

#endif
