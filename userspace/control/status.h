/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_STATUS_H
#define VHB_CONTROL_STATUS_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "control/brokers.h"
#include "netlink/devices.h"

/**
 * DOC: how devices and events are shown
 *
 * As text for people, and as JSON for programs: its names and meanings stay.
 * Vrings that were never used are left out: a device has room for many.
 */

/**
 * vhb_status_was_used() - is there anything to tell of a vring?
 * @vring: the vring
 */
bool vhb_status_was_used(const struct vhb_vring_info *vring);

/**
 * vhb_status_print() - all devices, a table of vrings for each
 * @list: the devices
 * @out: where to
 */
void vhb_status_print(const struct vhb_device_list *list, FILE *out);

/**
 * vhb_status_print_json() - all there is, one JSON object in a line
 * @brokers: the brokers
 * @devices: the devices with their vrings; NULL when they are not known
 * @out: where to
 */
void vhb_status_print_json(const struct vhb_broker_list *brokers,
			   const struct vhb_device_list *devices, FILE *out);

/**
 * vhb_status_print_event() - an event, in a line
 * @event: the event; NULL when some were lost
 * @when: when, since the epoch
 * @out: where to
 */
void vhb_status_print_event(const struct vhb_vring_event *event,
			    const struct timespec *when, FILE *out);

/**
 * vhb_status_print_event_json() - an event, one JSON object in a line
 * @event: the event; NULL when some were lost
 * @when: when, since the epoch
 * @out: where to
 */
void vhb_status_print_event_json(const struct vhb_vring_event *event,
				 const struct timespec *when, FILE *out);

#endif
