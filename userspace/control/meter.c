// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/meter.h"

#include <stdlib.h>
#include <string.h>

static void look_at_vring(struct vhb_meter *meter,
			  const struct vhb_report_vring *vring)
{
	const unsigned int index = vring->index;

	if (vring->has_indices && meter->had_index[index] &&
	    !meter->had_chains[index])
		meter->entries[index] += (uint16_t)(vring->used_index -
						    meter->last_index[index]);
	meter->had_index[index] = vring->has_indices;
	meter->last_index[index] = vring->used_index;
}

static void look_at_device(struct vhb_meter *meter,
			   const struct vhb_device_info *device)
{
	unsigned int i;

	for (i = 0; device && i < device->vring_count; i++) {
		const struct vhost_bridge_vring_status *status =
			&device->vrings[i].status;

		if (status->index >= VHB_REPORT_VRINGS_MAX)
			continue;
		if (meter->had_chains[status->index] &&
		    status->chain_count >= meter->last_chains[status->index])
			meter->entries[status->index] +=
				status->chain_count -
				meter->last_chains[status->index];
		meter->last_chains[status->index] = status->chain_count;
		meter->had_chains[status->index] = true;
	}
}

static void look_at_tap(struct vhb_meter *meter,
			const struct vhb_broker *broker)
{
	const uint64_t now[VHB_METER_VALUES] = {
		[VHB_METER_RECEIVED_PACKETS] = broker->stats.received_packets,
		[VHB_METER_RECEIVED_BYTES] = broker->stats.received_bytes,
		[VHB_METER_SENT_PACKETS] = broker->stats.sent_packets,
		[VHB_METER_SENT_BYTES] = broker->stats.sent_bytes,
	};
	unsigned int i;

	for (i = 0; i < VHB_METER_VALUES; i++)
		if (broker->has_stats && meter->had_tap &&
		    now[i] >= meter->tap[i])
			meter->tap_delta[i] += now[i] - meter->tap[i];
	memcpy(meter->tap, now, sizeof(now));
	meter->had_tap = broker->has_stats;
}

/* What is not told of any more is not to be compared with later. */
static void forget_missing(struct vhb_meter *meter,
			   const struct vhb_report *session)
{
	bool is_there[VHB_REPORT_VRINGS_MAX] = { false };
	unsigned int i;

	for (i = 0; i < session->vring_count; i++)
		is_there[session->vrings[i].index] = true;
	for (i = 0; i < VHB_REPORT_VRINGS_MAX; i++)
		meter->had_index[i] = meter->had_index[i] && is_there[i];
}

void vhb_meter_look(struct vhb_meter *meter, const struct vhb_broker *broker,
		    const struct vhb_device_info *device)
{
	unsigned int i;

	if (!meter->now_ns)
		meter->begin_ns = broker->time_ns;
	meter->now_ns = broker->time_ns;
	forget_missing(meter, &broker->session);
	look_at_device(meter, device);
	for (i = 0; i < broker->session.vring_count; i++)
		look_at_vring(meter, &broker->session.vrings[i]);
	look_at_tap(meter, broker);
}

void vhb_meter_restart(struct vhb_meter *meter)
{
	meter->begin_ns = meter->now_ns;
	memset(meter->entries, 0, sizeof(meter->entries));
	memset(meter->tap_delta, 0, sizeof(meter->tap_delta));
}

static uint64_t rate(const struct vhb_meter *meter, uint64_t progress)
{
	const uint64_t ns = meter->now_ns - meter->begin_ns;

	if (meter->now_ns <= meter->begin_ns)
		return 0;
	return progress * 1e9 / ns + 0.5;
}

uint64_t vhb_meter_vring_rate(const struct vhb_meter *meter,
			      unsigned int index)
{
	return index < VHB_REPORT_VRINGS_MAX ?
		       rate(meter, meter->entries[index]) :
		       0;
}

uint64_t vhb_meter_tap_rate(const struct vhb_meter *meter,
			    enum vhb_meter_value value)
{
	return rate(meter, meter->tap_delta[value]);
}

struct vhb_meter *vhb_meters_find(struct vhb_meters *meters, uint32_t pid)
{
	struct vhb_meter *meter;
	unsigned int i;

	for (i = 0; i < meters->count; i++)
		if (meters->meters[i].pid == pid)
			return &meters->meters[i];
	meter = reallocarray(meters->meters, meters->count + 1,
			     sizeof(*meter));
	if (!meter)
		return NULL;
	meters->meters = meter;
	meter += meters->count++;
	memset(meter, 0, sizeof(*meter));
	meter->pid = pid;
	return meter;
}

static bool is_there(const struct vhb_broker_list *list, uint32_t pid)
{
	unsigned int i;

	for (i = 0; i < list->count; i++)
		if (list->brokers[i].pid == pid)
			return true;
	return false;
}

void vhb_meters_keep(struct vhb_meters *meters,
		     const struct vhb_broker_list *list)
{
	unsigned int i, count = 0;

	for (i = 0; i < meters->count; i++)
		if (is_there(list, meters->meters[i].pid))
			meters->meters[count++] = meters->meters[i];
	meters->count = count;
}

void vhb_meters_free(struct vhb_meters *meters)
{
	free(meters->meters);
	memset(meters, 0, sizeof(*meters));
}

const struct vhb_device_info *vhb_device_of(const struct vhb_device_list *list,
					    const struct vhb_broker *broker)
{
	unsigned int i;

	for (i = 0; i < list->count; i++)
		if (list->devices[i].has_owner &&
		    list->devices[i].owner_pid == broker->pid &&
		    !strcmp(list->devices[i].type, broker->type))
			return &list->devices[i];
	return NULL;
}
