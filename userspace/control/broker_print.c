// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/broker_print.h"

#include <inttypes.h>

#include "lib/bits.h"
#include "lib/feature_names.h"

/* Where a list of names goes on in the next line */
#define LINE_COLUMNS 78
#define INDENT "    "

void vhb_write_bytes(uint64_t bytes, char text[VHB_BYTES_TEXT_BYTES])
{
	static const char * const units[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB",
	};
	double value = bytes;
	unsigned int unit = 0;

	/* From here on it would be shown as 1024.0. */
	for (; value >= 1023.95; unit++)
		value /= 1024;
	snprintf(text, VHB_BYTES_TEXT_BYTES, unit ? "%.1f %s" : "%.0f %s",
		 value, units[unit]);
}

static const char *state_of(const struct vhb_report_vring *vring)
{
	if (vring->is_draining)
		return "draining";
	if (vring->is_running)
		return "running";
	if (!vring->is_started)
		return "no kick";
	return vring->is_enabled ? "waiting" : "disabled";
}

static void write_rate(const struct vhb_meter *meter, unsigned int index,
		       char text[24])
{
	if (meter && (meter->had_index[index] || meter->had_chains[index]))
		snprintf(text, 24, "%" PRIu64 "/s",
			 vhb_meter_vring_rate(meter, index));
	else
		snprintf(text, 24, "-");
}

/* Only while both are to be seen: how much the driver waits for */
static void write_indices(const struct vhb_report_vring *vring, char avail[8],
			  char used[8])
{
	if (vring->has_indices) {
		snprintf(avail, 8, "%u", vring->avail_index);
		snprintf(used, 8, "%u", vring->used_index);
	} else {
		snprintf(avail, 8, "-");
		snprintf(used, 8, "-");
	}
}

static void print_names(const char *title, uint64_t mask, const char *type_name,
			FILE *out)
{
	int column = fprintf(out, "  %s: ", title);
	unsigned int bit, count = 0;
	char text[40];

	for (bit = 0; bit < 64; bit++) {
		const char *name = type_name ?
					   vhb_feature_name(type_name, bit) :
					   vhb_protocol_feature_name(bit);
		int length;

		if (!vhb_has_bit(mask, bit))
			continue;
		if (name)
			length = snprintf(text, sizeof(text), "%s", name);
		else
			length = snprintf(text, sizeof(text), "%u", bit);
		if (count++) {
			putc(',', out);
			column++;
			if (column + 1 + length > LINE_COLUMNS)
				column = fprintf(out, "\n" INDENT) - 1;
			else
				column += fprintf(out, " ");
		}
		column += fprintf(out, "%s", text);
	}
	fputs(count ? "\n" : "none\n", out);
}

static void print_front_end(const struct vhb_broker *broker, FILE *out)
{
	const struct vhb_report *session = &broker->session;
	char memory[VHB_BYTES_TEXT_BYTES];

	if (!session->has_front_end) {
		fputs("  front-end: none\n", out);
		return;
	}
	fputs("  front-end: ", out);
	if (session->pid)
		fprintf(out, "%s, pid %u, uid %u\n",
			*session->command ? session->command : "?",
			session->pid, session->uid);
	else
		fprintf(out, "in another PID namespace, uid %u\n",
			session->uid);
	vhb_write_bytes(session->memory_bytes, memory);
	fprintf(out, "  memory: %s in %u region%s\n", memory,
		session->region_count, session->region_count == 1 ? "" : "s");
	print_names("features", session->features_mask, broker->type, out);
	print_names("protocol features", session->protocol_features_mask, NULL,
		    out);
}

static void print_flow(const char *title, uint64_t packets, uint64_t bytes,
		       uint64_t dropped, const struct vhb_meter *meter,
		       enum vhb_meter_value value, FILE *out)
{
	char text[VHB_BYTES_TEXT_BYTES];

	vhb_write_bytes(bytes, text);
	fprintf(out, "  %s: %" PRIu64 " packets, %s, %" PRIu64 " dropped",
		title, packets, text, dropped);
	if (meter && meter->had_tap) {
		/* The value behind a count of packets is that of bytes. */
		vhb_write_bytes(vhb_meter_tap_rate(meter, value + 1), text);
		fprintf(out, "; %" PRIu64 " packets/s, %s/s",
			vhb_meter_tap_rate(meter, value), text);
	}
	putc('\n', out);
}

static void print_vrings(const struct vhb_broker *broker,
			 const struct vhb_meter *meter, FILE *out)
{
	const struct vhb_report *session = &broker->session;
	char rate[24], avail[8], used[8];
	unsigned int i;

	if (!session->vring_count)
		return;
	fprintf(out, "  %5s  %-8s  %7s  %6s  %6s  %12s  %-11s  %s\n", "VRING",
		"STATE", "ENTRIES", "AVAIL", "USED", "RATE", "KICK", "CALL");
	for (i = 0; i < session->vring_count; i++) {
		const struct vhb_report_vring *vring = &session->vrings[i];

		write_rate(meter, vring->index, rate);
		write_indices(vring, avail, used);
		fprintf(out, "  %5u  %-8s  %7u  %6s  %6s  %12s  %-11s  %s\n",
			vring->index, state_of(vring), vring->num, avail, used,
			rate, vring->kick_kind, vring->call_kind);
	}
}

void vhb_broker_print(const struct vhb_broker *broker,
		      const struct vhb_meter *meter,
		      const struct vhb_device_info *device, FILE *out)
{
	const struct vhb_link_stats *stats = &broker->stats;

	fprintf(out, "bridge %u: %s, %s", broker->pid, broker->type,
		*broker->host ? broker->host : "?");
	if (*broker->socket)
		fprintf(out, ", socket %s", broker->socket);
	if (device)
		fprintf(out, ", device %u", device->id);
	putc('\n', out);
	print_front_end(broker, out);
	if (broker->has_stats) {
		print_flow("from the guest", stats->received_packets,
			   stats->received_bytes, stats->received_dropped,
			   meter, VHB_METER_RECEIVED_PACKETS, out);
		print_flow("to the guest", stats->sent_packets,
			   stats->sent_bytes, stats->sent_dropped, meter,
			   VHB_METER_SENT_PACKETS, out);
	}
	print_vrings(broker, meter, out);
}

unsigned int vhb_broker_print_short(const struct vhb_broker *broker,
				    const struct vhb_meter *meter, FILE *out)
{
	const struct vhb_report *session = &broker->session;
	char rate[24], avail[8], used[8];
	unsigned int i, lines = 1;

	fprintf(out, "%-7u %-4s %-20.20s %-15s", broker->pid, broker->type,
		broker->host, session->has_front_end ? session->command :
						       "(no front-end)");
	if (broker->has_stats && meter)
		fprintf(out, "  from guest %" PRIu64 "/s, to guest %" PRIu64
			"/s",
			vhb_meter_tap_rate(meter, VHB_METER_RECEIVED_PACKETS),
			vhb_meter_tap_rate(meter, VHB_METER_SENT_PACKETS));
	putc('\n', out);
	for (i = 0; i < session->vring_count; i++) {
		const struct vhb_report_vring *vring = &session->vrings[i];

		if (!vring->is_running && !vring->is_draining)
			continue;
		write_rate(meter, vring->index, rate);
		write_indices(vring, avail, used);
		fprintf(out, "  vring %-3u %-8s %6u entries  avail %-5s used %-5s %14s\n",
			vring->index, state_of(vring), vring->num, avail, used,
			rate);
		lines++;
	}
	return lines;
}
