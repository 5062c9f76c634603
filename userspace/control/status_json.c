// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices and events as JSON. */
#include <inttypes.h>

#include "control/json.h"
#include "control/status.h"
#include "lib/names.h"

static void put_vring(struct vhb_json *json, const struct vhb_vring_info *vring)
{
	const struct vhost_bridge_vring_status *status = &vring->status;

	vhb_json_open(json, NULL, '{');
	vhb_json_number(json, "index", status->index);
	vhb_json_string(json, "state", vhb_vring_state_name(status->state));
	vhb_json_string(json, "fault", vhb_fault_name(status->fault));
	vhb_json_number(json, "num", vring->num);
	vhb_json_number(json, "in_flight_count", status->in_flight_count);
	vhb_json_number(json, "chain_count", status->chain_count);
	vhb_json_number(json, "read_bytes", status->read_bytes);
	vhb_json_number(json, "written_bytes", status->written_bytes);
	vhb_json_number(json, "error_count", status->error_count);
	vhb_json_number(json, "kick_count", status->kick_count);
	vhb_json_number(json, "call_count", status->call_count);
	vhb_json_number(json, "call_suppressed_count",
			status->call_suppressed_count);
	vhb_json_number(json, "drain_count", status->drain_count);
	vhb_json_close(json, '}');
}

static void put_device(struct vhb_json *json,
		       const struct vhb_device_info *device)
{
	char features[32];
	unsigned int i;

	/* Text: most readers take numbers for floating point. */
	snprintf(features, sizeof(features), "0x%" PRIx64, device->features);
	vhb_json_open(json, NULL, '{');
	vhb_json_number(json, "id", device->id);
	vhb_json_string(json, "type", device->type);
	if (device->has_owner)
		vhb_json_number(json, "owner_pid", device->owner_pid);
	else
		vhb_json_null(json, "owner_pid");
	vhb_json_string(json, "features", features);
	vhb_json_number(json, "vring_count_max", device->vring_count_max);
	vhb_json_open(json, "vrings", '[');
	for (i = 0; i < device->vring_count; i++)
		if (vhb_status_was_used(&device->vrings[i]))
			put_vring(json, &device->vrings[i]);
	vhb_json_close(json, ']');
	vhb_json_close(json, '}');
}

void vhb_status_print_json(const struct vhb_broker_list *brokers,
			   const struct vhb_device_list *devices, FILE *out)
{
	struct vhb_json json = { .out = out };
	unsigned int i;

	vhb_json_open(&json, NULL, '{');
	vhb_json_open(&json, "bridges", '[');
	for (i = 0; i < brokers->count; i++)
		vhb_broker_write(&json, NULL, &brokers->brokers[i]);
	vhb_json_close(&json, ']');
	if (devices) {
		vhb_json_open(&json, "devices", '[');
		for (i = 0; i < devices->count; i++)
			put_device(&json, &devices->devices[i]);
		vhb_json_close(&json, ']');
	} else {
		vhb_json_null(&json, "devices");
	}
	vhb_json_close(&json, '}');
	putc('\n', out);
}

void vhb_status_print_event_json(const struct vhb_vring_event *event,
				 const struct timespec *when, FILE *out)
{
	struct vhb_json json = { .out = out };

	vhb_json_open(&json, NULL, '{');
	vhb_json_number(&json, "time_ms",
			(uint64_t)when->tv_sec * 1000 +
				when->tv_nsec / 1000000);
	if (event) {
		vhb_json_number(&json, "device", event->device_id);
		vhb_json_string(&json, "type", event->type);
		vhb_json_number(&json, "vring", event->index);
		vhb_json_string(&json, "state",
				vhb_vring_state_name(event->state));
		vhb_json_string(&json, "fault", vhb_fault_name(event->fault));
	} else {
		vhb_json_true(&json, "lost");
	}
	vhb_json_close(&json, '}');
	putc('\n', out);
}
