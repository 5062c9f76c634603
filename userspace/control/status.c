// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices and events as text. */
#include "control/status.h"

#include <inttypes.h>
#include <string.h>

#include "control/broker_print.h"
#include "lib/bits.h"
#include "lib/names.h"

/* Room for a cell of the table */
#define CELL_BYTES VHB_BYTES_TEXT_BYTES

enum column {
	COLUMN_VRING,
	COLUMN_STATE,
	COLUMN_ENTRIES,
	COLUMN_IN_FLIGHT,
	COLUMN_CHAINS,
	COLUMN_READ,
	COLUMN_WRITTEN,
	COLUMN_ERRORS,
	COLUMN_KICKS,
	COLUMN_CALLS,
	COLUMN_SUPPRESSED,
	COLUMN_STOPS,
	COLUMNS,
};

static const char * const titles[] = {
	[COLUMN_VRING] = "VRING",
	[COLUMN_STATE] = "STATE",
	[COLUMN_ENTRIES] = "ENTRIES",
	[COLUMN_IN_FLIGHT] = "IN-FLIGHT",
	[COLUMN_CHAINS] = "CHAINS",
	[COLUMN_READ] = "READ",
	[COLUMN_WRITTEN] = "WRITTEN",
	[COLUMN_ERRORS] = "ERRORS",
	[COLUMN_KICKS] = "KICKS",
	[COLUMN_CALLS] = "CALLS",
	[COLUMN_SUPPRESSED] = "SUPPRESSED",
	[COLUMN_STOPS] = "STOPS",
};

static void write_number(uint64_t number, char *cell)
{
	snprintf(cell, CELL_BYTES, "%" PRIu64, number);
}

static void write_state(uint32_t state, uint32_t fault, char *cell)
{
	const char *name = vhb_fault_name(fault);

	snprintf(cell, CELL_BYTES, name ? "%s (%s)" : "%s",
		 vhb_vring_state_name(state), name);
}

static void write_cell(const struct vhb_vring_info *vring, enum column column,
		       char *cell)
{
	const struct vhost_bridge_vring_status *status = &vring->status;

	switch (column) {
	case COLUMN_STATE:
		write_state(status->state, status->fault, cell);
		return;
	case COLUMN_READ:
		vhb_write_bytes(status->read_bytes, cell);
		return;
	case COLUMN_WRITTEN:
		vhb_write_bytes(status->written_bytes, cell);
		return;
	case COLUMN_VRING:
		write_number(status->index, cell);
		return;
	case COLUMN_ENTRIES:
		write_number(vring->num, cell);
		return;
	case COLUMN_IN_FLIGHT:
		write_number(status->in_flight_count, cell);
		return;
	case COLUMN_CHAINS:
		write_number(status->chain_count, cell);
		return;
	case COLUMN_ERRORS:
		write_number(status->error_count, cell);
		return;
	case COLUMN_KICKS:
		write_number(status->kick_count, cell);
		return;
	case COLUMN_CALLS:
		write_number(status->call_count, cell);
		return;
	case COLUMN_SUPPRESSED:
		write_number(status->call_suppressed_count, cell);
		return;
	case COLUMN_STOPS:
		write_number(status->drain_count, cell);
		return;
	case COLUMNS:
		break;
	}
	*cell = '\0';
}

bool vhb_status_was_used(const struct vhb_vring_info *vring)
{
	return vring->num || vring->status.drain_count ||
	       vring->status.state != VHOST_BRIDGE_VRING_STOPPED;
}

static int width_of(const struct vhb_device_info *device, enum column column)
{
	size_t width = strlen(titles[column]);
	char cell[CELL_BYTES];
	unsigned int i;

	for (i = 0; i < device->vring_count; i++) {
		if (!vhb_status_was_used(&device->vrings[i]))
			continue;
		write_cell(&device->vrings[i], column, cell);
		if (strlen(cell) > width)
			width = strlen(cell);
	}
	return width;
}

static void print_cell(enum column column, int width, const char *text,
		       FILE *out)
{
	/* Words to the left, numbers to the right */
	fprintf(out, "  %*s", column == COLUMN_STATE ? -width : width, text);
}

static void print_vrings(const struct vhb_device_info *device, FILE *out)
{
	char cell[CELL_BYTES];
	int widths[COLUMNS];
	enum column column;
	unsigned int i;

	for (column = 0; column < COLUMNS; column++) {
		widths[column] = width_of(device, column);
		print_cell(column, widths[column], titles[column], out);
	}
	putc('\n', out);
	for (i = 0; i < device->vring_count; i++) {
		if (!vhb_status_was_used(&device->vrings[i]))
			continue;
		for (column = 0; column < COLUMNS; column++) {
			write_cell(&device->vrings[i], column, cell);
			print_cell(column, widths[column], cell, out);
		}
		putc('\n', out);
	}
}

static unsigned int count_used(const struct vhb_device_info *device)
{
	unsigned int i, count = 0;

	for (i = 0; i < device->vring_count; i++)
		count += vhb_status_was_used(&device->vrings[i]);
	return count;
}

static void print_device(const struct vhb_device_info *device, FILE *out)
{
	const unsigned int used_count = count_used(device);

	fprintf(out, "device %" PRIu32 ": %s, ", device->id, device->type);
	if (!device->has_owner)
		fputs("no owner", out);
	else if (!device->owner_pid)
		fputs("owner in another PID namespace", out);
	else
		fprintf(out, "owner %" PRIu32, device->owner_pid);
	fprintf(out, ", features 0x%" PRIx64 ", %u of %" PRIu32 " vrings used\n",
		device->features, used_count, device->vring_count_max);
	if (used_count)
		print_vrings(device, out);
}

void vhb_status_print(const struct vhb_device_list *list, FILE *out)
{
	unsigned int i;

	if (!list->count)
		fputs("no device of module vhost_bridge is open\n", out);
	for (i = 0; i < list->count; i++)
		print_device(&list->devices[i], out);
}

void vhb_status_print_event(const struct vhb_vring_event *event,
			    const struct timespec *when, FILE *out)
{
	char cell[CELL_BYTES], time[CELL_BYTES];
	struct tm local;

	if (!localtime_r(&when->tv_sec, &local) ||
	    !strftime(time, sizeof(time), "%F %T", &local))
		strcpy(time, "-");
	fprintf(out, "%s.%03ld ", time, when->tv_nsec / 1000000);
	if (!event) {
		fputs("events were lost\n", out);
		return;
	}
	write_state(event->state, event->fault, cell);
	fprintf(out, "device %" PRIu32 " (%s) vring %" PRIu32 ": %s\n",
		event->device_id, event->type, event->index, cell);
}
