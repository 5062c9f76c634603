// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/broker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/json_read.h"
#include "lib/bits.h"
#include "lib/feature_names.h"

/* Values of a broker with all vrings and features, and as many to come */
#define VALUES_MAX 8192

/* Text: most readers take numbers for floating point. */
static void put_mask(struct vhb_json *json, const char *key, uint64_t mask)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, mask);
	vhb_json_string(json, key, text);
}

static void put_name(struct vhb_json *json, const char *name, unsigned int bit)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", bit);
	vhb_json_string(json, NULL, name ? name : number);
}

static void put_feature_names(struct vhb_json *json,
			      const struct vhb_broker *broker)
{
	unsigned int bit;

	vhb_json_open(json, "feature_names", '[');
	for (bit = 0; bit < 64; bit++)
		if (vhb_has_bit(broker->session.features_mask, bit))
			put_name(json, vhb_feature_name(broker->type, bit), bit);
	vhb_json_close(json, ']');
	vhb_json_open(json, "protocol_feature_names", '[');
	for (bit = 0; bit < 64; bit++)
		if (vhb_has_bit(broker->session.protocol_features_mask, bit))
			put_name(json, vhb_protocol_feature_name(bit), bit);
	vhb_json_close(json, ']');
}

static void put_vring(struct vhb_json *json,
		      const struct vhb_report_vring *vring)
{
	vhb_json_open(json, NULL, '{');
	vhb_json_number(json, "index", vring->index);
	vhb_json_number(json, "num", vring->num);
	vhb_json_number(json, "base", vring->base);
	vhb_json_bool(json, "started", vring->is_started);
	vhb_json_bool(json, "enabled", vring->is_enabled);
	vhb_json_bool(json, "running", vring->is_running);
	vhb_json_bool(json, "draining", vring->is_draining);
	if (vring->has_indices) {
		vhb_json_number(json, "avail_index", vring->avail_index);
		vhb_json_number(json, "used_index", vring->used_index);
	} else {
		vhb_json_null(json, "avail_index");
		vhb_json_null(json, "used_index");
	}
	vhb_json_string(json, "kick", vring->kick_kind);
	vhb_json_string(json, "call", vring->call_kind);
	vhb_json_close(json, '}');
}

static void put_front_end(struct vhb_json *json,
			  const struct vhb_report *session)
{
	if (!session->has_front_end) {
		vhb_json_null(json, "front_end");
		return;
	}
	vhb_json_open(json, "front_end", '{');
	vhb_json_number(json, "pid", session->pid);
	vhb_json_number(json, "uid", session->uid);
	vhb_json_string(json, "command", session->command);
	vhb_json_close(json, '}');
}

static void put_stats(struct vhb_json *json, const struct vhb_broker *broker)
{
	const struct vhb_link_stats *stats = &broker->stats;

	if (!broker->has_stats) {
		vhb_json_null(json, "tap");
		return;
	}
	vhb_json_open(json, "tap", '{');
	vhb_json_number(json, "received_packets", stats->received_packets);
	vhb_json_number(json, "received_bytes", stats->received_bytes);
	vhb_json_number(json, "received_dropped", stats->received_dropped);
	vhb_json_number(json, "sent_packets", stats->sent_packets);
	vhb_json_number(json, "sent_bytes", stats->sent_bytes);
	vhb_json_number(json, "sent_dropped", stats->sent_dropped);
	vhb_json_close(json, '}');
}

void vhb_broker_write(struct vhb_json *json, const char *key,
		      const struct vhb_broker *broker)
{
	const struct vhb_report *session = &broker->session;
	unsigned int i;

	vhb_json_open(json, key, '{');
	vhb_json_string(json, "version", broker->version);
	vhb_json_number(json, "pid", broker->pid);
	vhb_json_string(json, "type", broker->type);
	vhb_json_string(json, "socket", broker->socket);
	vhb_json_string(json, "host", broker->host);
	vhb_json_number(json, "time_ns", broker->time_ns);
	put_front_end(json, session);
	put_mask(json, "offered_features", session->offered_mask);
	put_mask(json, "features", session->features_mask);
	put_mask(json, "offered_protocol_features",
		 session->offered_protocol_mask);
	put_mask(json, "protocol_features", session->protocol_features_mask);
	put_feature_names(json, broker);
	vhb_json_number(json, "region_count", session->region_count);
	vhb_json_number(json, "memory_bytes", session->memory_bytes);
	vhb_json_open(json, "vrings", '[');
	for (i = 0; i < session->vring_count; i++)
		put_vring(json, &session->vrings[i]);
	vhb_json_close(json, ']');
	put_stats(json, broker);
	vhb_json_close(json, '}');
}

static void read_vring(const struct vhb_json_value *value,
		       struct vhb_report_vring *vring)
{
	const struct vhb_json_value *used;

	vring->index = vhb_json_get_number(value, "index");
	vring->num = vhb_json_get_number(value, "num");
	vring->base = vhb_json_get_number(value, "base");
	vring->is_started = vhb_json_get_bool(value, "started");
	vring->is_enabled = vhb_json_get_bool(value, "enabled");
	vring->is_running = vhb_json_get_bool(value, "running");
	vring->is_draining = vhb_json_get_bool(value, "draining");
	used = vhb_json_member(value, "used_index");
	vring->has_indices = used && used->kind == VHB_JSON_NUMBER;
	vring->avail_index = vhb_json_get_number(value, "avail_index");
	vring->used_index = vhb_json_get_number(value, "used_index");
	vhb_json_get_string(value, "kick", vring->kick_kind,
			    sizeof(vring->kick_kind));
	vhb_json_get_string(value, "call", vring->call_kind,
			    sizeof(vring->call_kind));
}

/* Their indexes grow, so that each is there once. */
static void read_vrings(const struct vhb_json_value *array,
			struct vhb_report *session)
{
	const struct vhb_json_value *value;
	unsigned int next_index = 0;

	if (!array || array->kind != VHB_JSON_ARRAY)
		return;
	for (value = array + 1; value < array + array->span &&
	     session->vring_count < VHB_REPORT_VRINGS_MAX;
	     value += value->span) {
		struct vhb_report_vring *vring =
			&session->vrings[session->vring_count];

		read_vring(value, vring);
		if (vring->index < next_index ||
		    vring->index >= VHB_REPORT_VRINGS_MAX) {
			memset(vring, 0, sizeof(*vring));
			continue;
		}
		next_index = vring->index + 1;
		session->vring_count++;
	}
}

static void read_session(const struct vhb_json_value *value,
			 struct vhb_report *session)
{
	const struct vhb_json_value *front_end =
		vhb_json_member(value, "front_end");

	session->has_front_end = front_end &&
				 front_end->kind == VHB_JSON_OBJECT;
	session->pid = vhb_json_get_number(front_end, "pid");
	session->uid = vhb_json_get_number(front_end, "uid");
	vhb_json_get_string(front_end, "command", session->command,
			    sizeof(session->command));
	session->offered_mask = vhb_json_get_mask(value, "offered_features");
	session->features_mask = vhb_json_get_mask(value, "features");
	session->offered_protocol_mask =
		vhb_json_get_mask(value, "offered_protocol_features");
	session->protocol_features_mask =
		vhb_json_get_mask(value, "protocol_features");
	session->region_count = vhb_json_get_number(value, "region_count");
	session->memory_bytes = vhb_json_get_number(value, "memory_bytes");
	read_vrings(vhb_json_member(value, "vrings"), session);
}

static void read_stats(const struct vhb_json_value *tap,
		       struct vhb_broker *broker)
{
	struct vhb_link_stats *stats = &broker->stats;

	broker->has_stats = tap && tap->kind == VHB_JSON_OBJECT;
	stats->received_packets = vhb_json_get_number(tap, "received_packets");
	stats->received_bytes = vhb_json_get_number(tap, "received_bytes");
	stats->received_dropped = vhb_json_get_number(tap, "received_dropped");
	stats->sent_packets = vhb_json_get_number(tap, "sent_packets");
	stats->sent_bytes = vhb_json_get_number(tap, "sent_bytes");
	stats->sent_dropped = vhb_json_get_number(tap, "sent_dropped");
}

int vhb_broker_read(const char *text, size_t size_bytes,
		    struct vhb_broker *broker)
{
	struct vhb_json_value *values;
	int ret;

	memset(broker, 0, sizeof(*broker));
	values = calloc(VALUES_MAX, sizeof(*values));
	if (!values)
		return -ENOMEM;
	ret = vhb_json_parse(text, size_bytes, values, VALUES_MAX);
	if (ret < 0)
		goto free_values;
	vhb_json_get_string(values, "version", broker->version,
			    sizeof(broker->version));
	vhb_json_get_string(values, "type", broker->type,
			    sizeof(broker->type));
	vhb_json_get_string(values, "socket", broker->socket,
			    sizeof(broker->socket));
	vhb_json_get_string(values, "host", broker->host,
			    sizeof(broker->host));
	broker->pid = vhb_json_get_number(values, "pid");
	broker->time_ns = vhb_json_get_number(values, "time_ns");
	read_session(values, &broker->session);
	read_stats(vhb_json_member(values, "tap"), broker);
	ret = *broker->version && *broker->type ? 0 : -EBADMSG;
free_values:
	free(values);
	return ret;
}
