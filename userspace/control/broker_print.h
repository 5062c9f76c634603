/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_BROKER_PRINT_H
#define VHB_CONTROL_BROKER_PRINT_H

#include <stdio.h>

#include "control/broker.h"
#include "control/meter.h"

/** Room for a number of bytes in words */
#define VHB_BYTES_TEXT_BYTES 32

/** vhb_write_bytes() - up to four digits and a unit: 12 B, 1.5 GiB */
void vhb_write_bytes(uint64_t bytes, char text[VHB_BYTES_TEXT_BYTES]);

/**
 * vhb_broker_print() - a broker and its front-end, features by name, a table of vrings
 * @broker: the broker
 * @meter: looked at twice, for rates; NULL for none
 * @device: its device of module vhost_bridge, or NULL
 * @out: where to
 */
void vhb_broker_print(const struct vhb_broker *broker,
		      const struct vhb_meter *meter,
		      const struct vhb_device_info *device, FILE *out);

/**
 * vhb_broker_print_short() - a line, and one for each vring that is in use
 * @broker: the broker
 * @meter: looked at twice; NULL for none
 * @out: where to
 *
 * Return: how many lines.
 */
unsigned int vhb_broker_print_short(const struct vhb_broker *broker,
				    const struct vhb_meter *meter, FILE *out);

#endif
