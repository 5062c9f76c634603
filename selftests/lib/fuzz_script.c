// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/fuzz_script.h"

#include <string.h>

#include "lib/bits.h"

#define STEP_HEAD_BYTES_MAX 8

static const char *const call_names[] = {
	"SET_OWNER", "SET_FEATURES", "SET_MEM_TABLE", "SET_VRING_NUM",
	"SET_VRING_BASE", "SET_VRING_ADDR", "SET_VRING_KICK", "SET_VRING_CALL",
	"SET_VRING_ERR", "START", "DRAIN", "STOP",
};

struct reader {
	const uint8_t *bytes;
	size_t left_bytes;
};

static void take(struct reader *reader, void *value, size_t size_bytes)
{
	size_t have_bytes = size_bytes < reader->left_bytes ?
			    size_bytes : reader->left_bytes;

	memset(value, 0, size_bytes);
	memcpy(value, reader->bytes, have_bytes);
	reader->bytes += have_bytes;
	reader->left_bytes -= have_bytes;
}

static uint8_t take8(struct reader *reader)
{
	uint8_t value;

	take(reader, &value, sizeof(value));
	return value;
}

static void read_device(struct reader *reader, struct script_device *device)
{
	device->flags = take8(reader);
	device->vring_count = take8(reader);
	take(reader, &device->queue_num, sizeof(device->queue_num));
	take(reader, &device->features_mask, sizeof(device->features_mask));
	take(reader, &device->protocol_features_mask,
	     sizeof(device->protocol_features_mask));
}

static void read_bytes(struct reader *reader, struct script_step *step)
{
	step->fd_count = take8(reader);
	if (step->fd_count > SCRIPT_FDS_MAX)
		step->fd_count %= SCRIPT_FDS_MAX;
	take(reader, &step->size_bytes, sizeof(step->size_bytes));
	take(reader, step->fds, step->fd_count);
	if (step->size_bytes > reader->left_bytes)
		step->size_bytes = reader->left_bytes;
	step->bytes = reader->bytes;
	reader->bytes += step->size_bytes;
	reader->left_bytes -= step->size_bytes;
}

static void read_step(struct reader *reader, struct script_step *step)
{
	step->kind = take8(reader) % SCRIPT_KIND_COUNT;
	switch (step->kind) {
	case SCRIPT_MESSAGE:
		step->request = take8(reader);
		step->flags = take8(reader);
		read_bytes(reader, step);
		break;
	case SCRIPT_RAW:
		read_bytes(reader, step);
		break;
	default:
		step->event = take8(reader) % SCRIPT_EVENT_COUNT;
		step->index = take8(reader);
		take(reader, &step->value, sizeof(step->value));
		break;
	}
}

void script_read(struct script *script, const uint8_t *bytes, size_t size_bytes)
{
	struct reader reader = { bytes, size_bytes };
	struct script_step *step;

	read_device(&reader, &script->device);
	script->step_count = 0;
	while (reader.left_bytes && script->step_count < SCRIPT_STEPS_MAX) {
		step = &script->steps[script->step_count++];
		memset(step, 0, sizeof(*step));
		read_step(&reader, step);
	}
}

static uint8_t *put(uint8_t *to, const void *value, size_t size_bytes)
{
	memcpy(to, value, size_bytes);
	return to + size_bytes;
}

void script_write_device(const struct script_device *device, uint8_t *bytes)
{
	*bytes++ = device->flags;
	*bytes++ = device->vring_count;
	bytes = put(bytes, &device->queue_num, sizeof(device->queue_num));
	bytes = put(bytes, &device->features_mask,
		    sizeof(device->features_mask));
	put(bytes, &device->protocol_features_mask,
	    sizeof(device->protocol_features_mask));
}

size_t script_write_step(const struct script_step *step, uint8_t *bytes,
			 size_t room_bytes)
{
	const bool is_event = step->kind == SCRIPT_EVENT;
	const size_t fd_count = is_event ? 0 : step->fd_count;
	const size_t size_bytes = is_event ? 0 : step->size_bytes;
	uint8_t *to = bytes;

	if (STEP_HEAD_BYTES_MAX + fd_count + size_bytes > room_bytes)
		return 0;
	*to++ = step->kind;
	if (is_event) {
		*to++ = step->event;
		*to++ = step->index;
		to = put(to, &step->value, sizeof(step->value));
		return to - bytes;
	}
	if (step->kind == SCRIPT_MESSAGE) {
		*to++ = step->request;
		*to++ = step->flags;
	}
	*to++ = step->fd_count;
	to = put(to, &step->size_bytes, sizeof(step->size_bytes));
	to = put(to, step->fds, fd_count);
	if (size_bytes)
		to = put(to, step->bytes, size_bytes);
	return to - bytes;
}

size_t script_write(const struct script *script, uint8_t *bytes,
		    size_t room_bytes)
{
	size_t used_bytes = SCRIPT_DEVICE_BYTES;
	unsigned int i;

	if (room_bytes < SCRIPT_DEVICE_BYTES)
		return 0;
	script_write_device(&script->device, bytes);
	for (i = 0; i < script->step_count; i++)
		used_bytes += script_write_step(&script->steps[i],
						bytes + used_bytes,
						room_bytes - used_bytes);
	return used_bytes;
}

const char *script_call_name(unsigned int index)
{
	return call_names[index % VHB_ARRAY_COUNT(call_names)];
}

unsigned int script_call_index(const char *name)
{
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(call_names); i++)
		if (!strcmp(call_names[i], name))
			return i;
	return 0;
}
