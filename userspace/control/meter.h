/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_METER_H
#define VHB_CONTROL_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "control/brokers.h"
#include "netlink/devices.h"

/**
 * DOC: how fast it goes
 *
 * Of a split virtqueue the 16 bits of its used index are all there is: a meter
 * adds up how far it went from one look to the next, so looks must not be more than
 * 65535 entries apart. A device of module vhost_bridge counts by itself, and then
 * that counts. A broker, or a vring, that begins anew begins at zero.
 */

/** enum vhb_meter_value - what of a tap is metered */
enum vhb_meter_value {
	VHB_METER_RECEIVED_PACKETS,
	VHB_METER_RECEIVED_BYTES,
	VHB_METER_SENT_PACKETS,
	VHB_METER_SENT_BYTES,
	VHB_METER_VALUES,
};

/**
 * struct vhb_meter - of one broker
 * @pid: the broker
 * @begin_ns: when the interval began
 * @now_ns: the last look
 * @last_index: each vring's used index at the last look
 * @had_index: whether it was to be seen then
 * @entries: each vring's progress in this interval
 * @last_chains: likewise, what the module has counted
 * @had_chains: whether it did
 * @tap: at the last look
 * @tap_delta: its progress in this interval
 * @had_tap: whether it was to be seen
 */
struct vhb_meter {
	uint32_t pid;
	uint64_t begin_ns;
	uint64_t now_ns;
	uint16_t last_index[VHB_REPORT_VRINGS_MAX];
	bool had_index[VHB_REPORT_VRINGS_MAX];
	uint64_t entries[VHB_REPORT_VRINGS_MAX];
	uint64_t last_chains[VHB_REPORT_VRINGS_MAX];
	bool had_chains[VHB_REPORT_VRINGS_MAX];
	uint64_t tap[VHB_METER_VALUES];
	uint64_t tap_delta[VHB_METER_VALUES];
	bool had_tap;
};

/**
 * vhb_meter_look() - one look more
 * @meter: zeroed before the first
 * @broker: the broker
 * @device: its device of module vhost_bridge, or NULL
 */
void vhb_meter_look(struct vhb_meter *meter, const struct vhb_broker *broker,
		    const struct vhb_device_info *device);

/** vhb_meter_restart() - a new interval begins with the last look */
void vhb_meter_restart(struct vhb_meter *meter);

/** vhb_meter_vring_rate() - entries a second in this interval; 0 without one */
uint64_t vhb_meter_vring_rate(const struct vhb_meter *meter,
			      unsigned int index);

/** vhb_meter_tap_rate() - likewise, what the tap has counted */
uint64_t vhb_meter_tap_rate(const struct vhb_meter *meter,
			    enum vhb_meter_value value);

/**
 * struct vhb_meters - of all brokers
 * @meters: one each
 * @count: how many
 */
struct vhb_meters {
	struct vhb_meter *meters;
	unsigned int count;
};

/**
 * vhb_meters_find() - the meter of a broker
 * @meters: all of them
 * @pid: the broker
 *
 * Return: it, made if need be; good until the next is made; NULL without memory.
 */
struct vhb_meter *vhb_meters_find(struct vhb_meters *meters, uint32_t pid);

/**
 * vhb_meters_keep() - forget those of brokers that are gone
 * @meters: all of them
 * @list: the brokers that are there
 */
void vhb_meters_keep(struct vhb_meters *meters,
		     const struct vhb_broker_list *list);

/** vhb_meters_free() - forget them */
void vhb_meters_free(struct vhb_meters *meters);

/**
 * vhb_device_of() - the device of module vhost_bridge that a broker drives
 * @list: all devices; may be empty
 * @broker: the broker
 *
 * Return: it, or NULL.
 */
const struct vhb_device_info *vhb_device_of(const struct vhb_device_list *list,
					    const struct vhb_broker *broker);

#endif
