// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/script_mutate.h"

#include <string.h>

#include "lib/bits.h"
#include "lib/fuzz_script.h"
#include "lib/random.h"
#include "lib/session_fixture.h"
#include "wire/message_table.h"

/* New payloads of one mutation live here until the script is written. */
#define STORE_BYTES (1u << 20)
#define SCRIPT_BYTES_MAX (1u << 18)
#define CHANGES_MAX 4

/**
 * struct mutation - a script being changed
 * @random: decides
 * @script: itself
 * @store: payloads that are new
 * @stored_bytes: how much of it is taken
 */
struct mutation {
	struct test_random random;
	struct script script;
	uint8_t store[STORE_BYTES];
	size_t stored_bytes;
};

static uint64_t below(struct mutation *mutation, uint64_t limit)
{
	return test_random_below(&mutation->random, limit);
}

static bool one_in(struct mutation *mutation, unsigned int count)
{
	return test_random_one_in(&mutation->random, count);
}

/* Numbers at which something may change, and those that mean something here */
static uint64_t number(struct mutation *mutation)
{
	static const uint64_t numbers[] = {
		0, 1, 2, 3, 4, 8, 16, 64, 255, 256, 257, 1023, 1024, 4095, 4096,
		0x7fff, 0x8000, 0xffff, 0x10000, 0x80008000, 0x7fffffff,
		0x80000000, 0xffffffff, UINT64_C(1) << 32, UINT64_C(1) << 40,
		UINT64_C(1) << 47, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX,
		UINT64_MAX - 4095, 0x100000, 0x200000, FIXTURE_MEMORY_BYTES,
		FIXTURE_UVA, FIXTURE_UVA + 0x100000, FIXTURE_UVA + 0x108000,
		FIXTURE_UVA + 0x10c000, FIXTURE_UVA + FIXTURE_MEMORY_BYTES,
		FIXTURE_VERSION_1, FIXTURE_BIT30, FIXTURE_FEATURES,
		FIXTURE_PROTOCOL_FEATURES, FIXTURE_BLK_FEATURES, FIXTURE_PACKED,
		FIXTURE_BLK_PROTOCOL_FEATURES,
	};
	uint64_t value = numbers[below(mutation, VHB_ARRAY_COUNT(numbers))];

	switch (below(mutation, 8)) {
	case 0:
		return value + below(mutation, 5) - 2;
	case 1:
		return value + 16 * below(mutation, 4096);
	case 2:
		return value - 16 * below(mutation, 64);
	case 3:
		return vhb_bit(below(mutation, 64));
	case 4:
		return value | numbers[below(mutation,
					     VHB_ARRAY_COUNT(numbers))];
	default:
		return value;
	}
}

static uint8_t *reserve(struct mutation *mutation, size_t size_bytes)
{
	uint8_t *at = mutation->store + mutation->stored_bytes;

	if (size_bytes > STORE_BYTES - mutation->stored_bytes)
		return NULL;
	mutation->stored_bytes += size_bytes;
	return memset(at, 0, size_bytes);
}

static void put_number(struct mutation *mutation, uint8_t *bytes,
		       size_t size_bytes)
{
	const size_t width = one_in(mutation, 2) ? 8 : 4;
	uint64_t value = number(mutation);
	size_t offset;

	if (size_bytes < width)
		return;
	offset = below(mutation, size_bytes / 4) * 4;
	if (offset > size_bytes - width)
		offset = size_bytes - width;
	memcpy(bytes + offset, &value, width);
}

/* As far as a table of descriptors of all kinds goes, those that fit best first */
static uint8_t any_fd(struct mutation *mutation)
{
	if (one_in(mutation, 3))
		return SCRIPT_EVENTFD_0 + below(mutation, SCRIPT_MEMORY_4M_0);
	if (one_in(mutation, 3))
		return SCRIPT_MEMORY_4M_0 + below(mutation, 5);
	return below(mutation, SCRIPT_FD_COUNT);
}

static void set_payload(struct mutation *mutation, struct script_step *step,
			size_t size_bytes)
{
	uint8_t *bytes = reserve(mutation, size_bytes);
	size_t old_bytes = step->size_bytes;

	if (!bytes)
		return;
	if (old_bytes > size_bytes)
		old_bytes = size_bytes;
	if (old_bytes)
		memcpy(bytes, step->bytes, old_bytes);
	step->bytes = bytes;
	step->size_bytes = size_bytes;
}

/* A part of a ring that ends, or begins, about where memory does */
static uint64_t aim(struct mutation *mutation, unsigned int entry_bytes)
{
	const uint64_t num = one_in(mutation, 4) ? 1u << below(mutation, 16) :
						   256;
	const uint64_t part_bytes = (entry_bytes == 16 ? 0 : 6) +
				    num * entry_bytes;
	const uint64_t about = 2 * below(mutation, 8) - 8;

	if (one_in(mutation, 4))
		return FIXTURE_UVA + about;
	return FIXTURE_UVA + FIXTURE_MEMORY_BYTES - part_bytes + about;
}

static void edit_addr(struct mutation *mutation, struct script_step *step)
{
	struct vhb_wire_vring_addr addr = { 0 };

	if (step->size_bytes != sizeof(addr))
		return;
	memcpy(&addr, step->bytes, sizeof(addr));
	if (one_in(mutation, 3))
		addr.desc_uva = aim(mutation, 16);
	else if (one_in(mutation, 2))
		addr.avail_uva = aim(mutation, 2);
	else
		addr.used_uva = aim(mutation, 8);
	memcpy((uint8_t *)step->bytes, &addr, sizeof(addr));
}

static void edit_payload(struct mutation *mutation, struct script_step *step)
{
	uint8_t *bytes;
	unsigned int i;

	set_payload(mutation, step, step->size_bytes);
	if (step->request == VHB_SET_VRING_ADDR && !one_in(mutation, 4))
		return edit_addr(mutation, step);
	bytes = (uint8_t *)step->bytes;
	for (i = 0; i <= below(mutation, 3); i++)
		put_number(mutation, bytes, step->size_bytes);
	/* Another vring */
	if (step->size_bytes >= 4 && one_in(mutation, 3))
		bytes[0] = below(mutation, 5);
}

static void edit_message(struct mutation *mutation, struct script_step *step)
{
	if (step->request == VHB_SET_VRING_ADDR && one_in(mutation, 2))
		return edit_payload(mutation, step);
	switch (below(mutation, 8)) {
	case 0:
		step->flags ^= 1u << (one_in(mutation, 8) ?
				      below(mutation, 8) :
				      VHB_FLAG_NEED_REPLY_BIT);
		break;
	case 1:
		step->fd_count = one_in(mutation, 4) ?
				 below(mutation, SCRIPT_FDS_MAX) :
				 below(mutation, 3);
		break;
	case 2:
	case 3:
		if (step->fd_count)
			step->fds[below(mutation, step->fd_count)] =
				any_fd(mutation);
		break;
	case 4:
		set_payload(mutation, step, one_in(mutation, 4) ?
			    below(mutation, 5000) :
			    step->size_bytes + 8 * below(mutation, 3) - 8);
		break;
	default:
		edit_payload(mutation, step);
		break;
	}
}

static void edit_step(struct mutation *mutation, struct script_step *step)
{
	if (step->kind == SCRIPT_MESSAGE)
		return edit_message(mutation, step);
	if (step->kind == SCRIPT_RAW)
		return edit_payload(mutation, step);
	if (one_in(mutation, 3))
		step->event = below(mutation, SCRIPT_EVENT_COUNT);
	step->index = below(mutation, one_in(mutation, 2) ? 4 : 64);
	step->value = number(mutation);
}

static void fill_region(struct mutation *mutation,
			struct vhb_wire_region *region, unsigned int index)
{
	*region = (struct vhb_wire_region){
		.gpa = index * (one_in(mutation, 2) ? FIXTURE_MEMORY_BYTES :
				number(mutation)),
		.size_bytes = one_in(mutation, 4) ? number(mutation) :
			      FIXTURE_MEMORY_BYTES >> below(mutation, 3),
		.uva = FIXTURE_UVA + index * FIXTURE_MEMORY_BYTES,
		.offset_bytes = one_in(mutation, 4) ? number(mutation) : 0,
	};
}

static void fill_table(struct mutation *mutation, struct script_step *step)
{
	struct vhb_wire_memory table = {
		.region_count = 1 + below(mutation, one_in(mutation, 8) ?
					  VHB_FDS_MAX : 3),
	};
	unsigned int i;

	step->fd_count = table.region_count;
	for (i = 0; i < table.region_count; i++) {
		fill_region(mutation, &table.regions[i], i);
		step->fds[i] = any_fd(mutation);
	}
	set_payload(mutation, step, offsetof(struct vhb_wire_memory, regions) +
		    table.region_count * sizeof(table.regions[0]));
	memcpy((uint8_t *)step->bytes, &table, step->size_bytes);
}

/* A bit for each page of the fixture's memory, or nearly */
static void fill_log(struct mutation *mutation, struct script_step *step)
{
	const struct vhb_wire_log log = {
		.size_bytes = one_in(mutation, 2) ? number(mutation) :
			      FIXTURE_MEMORY_BYTES / 4096 / 8 +
			      below(mutation, 3) - 1,
		.offset_bytes = one_in(mutation, 2) ? 0 :
				8 * below(mutation, 1024),
	};

	if (step->size_bytes == sizeof(log))
		memcpy((uint8_t *)step->bytes, &log, sizeof(log));
}

static void fill_inflight(struct mutation *mutation, struct script_step *step)
{
	const struct vhb_wire_inflight inflight = {
		.mmap_bytes = one_in(mutation, 4) ? number(mutation) :
			      128 * below(mutation, 3),
		.mmap_offset_bytes = 4096 * below(mutation, 3),
		.queue_count = 1 + below(mutation, 5),
		.queue_entries = 256,
	};

	step->fds[0] = SCRIPT_SEALED_0 + below(mutation, 2);
	if (one_in(mutation, 4))
		step->fds[0] = SCRIPT_RECEIVED;
	memcpy((uint8_t *)step->bytes, &inflight, VHB_WIRE_INFLIGHT_BYTES);
}

/* Half of the time one of those with which rings start and stop */
static uint8_t any_request(struct mutation *mutation)
{
	static const uint8_t common[] = {
		VHB_SET_MEM_TABLE, VHB_SET_VRING_ADDR, VHB_SET_VRING_NUM,
		VHB_SET_VRING_BASE, VHB_GET_VRING_BASE, VHB_SET_VRING_KICK,
		VHB_SET_VRING_ENABLE, VHB_SET_INFLIGHT_FD, VHB_ADD_MEM_REG,
		VHB_REM_MEM_REG, VHB_SET_FEATURES, VHB_SET_LOG_BASE,
		VHB_IOTLB_MSG,
	};

	if (one_in(mutation, 2))
		return common[below(mutation, VHB_ARRAY_COUNT(common))];
	return below(mutation, VHB_REQUEST_COUNT);
}

/* A message that may even be right */
static void new_message(struct mutation *mutation, struct script_step *step)
{
	const struct vhb_message_row *row;
	struct vhb_wire_single_region single = { 0 };
	const unsigned int index = below(mutation, 4);
	const uint64_t uva = FIXTURE_UVA + 0x100000 + index * 0x10000;
	const struct vhb_wire_vring_addr addr = {
		.index = index,
		.desc_uva = uva,
		.avail_uva = uva + 0x8000,
		.used_uva = uva + 0xc000,
	};

	*step = (struct script_step){
		.kind = SCRIPT_MESSAGE,
		.request = any_request(mutation),
		.flags = one_in(mutation, 2) ? 9 : 1,
	};
	row = vhb_message_row(step->request);
	if (!row)
		return;
	set_payload(mutation, step, one_in(mutation, 2) ?
		    row->payload_min_bytes : row->payload_max_bytes);
	step->fd_count = one_in(mutation, 3) ? row->fd_min : row->fd_max;
	for (unsigned int i = 0; i < step->fd_count; i++)
		step->fds[i] = any_fd(mutation);
	if (step->request == VHB_SET_MEM_TABLE) {
		fill_table(mutation, step);
	} else if (step->request == VHB_SET_VRING_ADDR) {
		memcpy((uint8_t *)step->bytes, &addr, sizeof(addr));
		if (one_in(mutation, 2))
			edit_addr(mutation, step);
	} else if (step->request == VHB_SET_LOG_BASE) {
		fill_log(mutation, step);
	} else if (step->request == VHB_GET_INFLIGHT_FD ||
		   step->request == VHB_SET_INFLIGHT_FD) {
		fill_inflight(mutation, step);
	} else if (step->request == VHB_ADD_MEM_REG ||
		   step->request == VHB_REM_MEM_REG) {
		fill_region(mutation, &single.region, index);
		memcpy((uint8_t *)step->bytes, &single, sizeof(single));
	} else if (step->size_bytes >= 8) {
		((uint8_t *)step->bytes)[0] = index;
		put_number(mutation, (uint8_t *)step->bytes + 4,
			   step->size_bytes - 4);
	}
	if (one_in(mutation, 4))
		edit_message(mutation, step);
}

static void new_event(struct mutation *mutation, struct script_step *step)
{
	*step = (struct script_step){ .kind = SCRIPT_EVENT };
	step->event = below(mutation, SCRIPT_EVENT_COUNT);
	edit_step(mutation, step);
}

/* Makes room for a step at a place, and returns it. */
static struct script_step *insert(struct mutation *mutation, unsigned int at)
{
	struct script *script = &mutation->script;

	if (script->step_count == SCRIPT_STEPS_MAX)
		return NULL;
	memmove(&script->steps[at + 1], &script->steps[at],
		(script->step_count++ - at) * sizeof(script->steps[0]));
	return &script->steps[at];
}

static void insert_new(struct mutation *mutation)
{
	struct script_step *step =
		insert(mutation, below(mutation,
				       mutation->script.step_count + 1));

	if (!step)
		return;
	if (one_in(mutation, 3))
		new_event(mutation, step);
	else
		new_message(mutation, step);
}

static void repeat(struct mutation *mutation, unsigned int which)
{
	const struct script_step copy = mutation->script.steps[which];
	struct script_step *step =
		insert(mutation, below(mutation,
				       mutation->script.step_count + 1));

	if (step)
		*step = copy;
}

static void remove_steps(struct mutation *mutation, unsigned int from)
{
	struct script *script = &mutation->script;
	unsigned int count = one_in(mutation, 4) ? 1 + below(mutation, 8) : 1;

	if (count > script->step_count - from)
		count = script->step_count - from;
	script->step_count -= count;
	memmove(&script->steps[from], &script->steps[from + count],
		(script->step_count - from) * sizeof(script->steps[0]));
}

static void swap(struct mutation *mutation, unsigned int which)
{
	struct script *script = &mutation->script;
	struct script_step *other =
		&script->steps[below(mutation, script->step_count)];
	const struct script_step copy = *other;

	*other = script->steps[which];
	script->steps[which] = copy;
}

static void edit_device(struct mutation *mutation)
{
	struct script_device *device = &mutation->script.device;

	switch (below(mutation, 5)) {
	case 0:
		device->vring_count = below(mutation, 34);
		break;
	case 1:
		device->features_mask ^= vhb_bit(below(mutation, 41));
		break;
	case 2:
		device->protocol_features_mask ^= vhb_bit(below(mutation, 24));
		break;
	default:
		device->flags ^= 1u << below(mutation, 3);
		break;
	}
}

static void change(struct mutation *mutation)
{
	const unsigned int count = mutation->script.step_count;
	const unsigned int which = count ? below(mutation, count) : 0;

	if (!count)
		return insert_new(mutation);
	switch (below(mutation, 12)) {
	case 0:
	case 1:
	case 2:
		return insert_new(mutation);
	case 3:
		return repeat(mutation, which);
	case 4:
		return remove_steps(mutation, which);
	case 5:
		return swap(mutation, which);
	case 6:
		return edit_device(mutation);
	default:
		return edit_step(mutation, &mutation->script.steps[which]);
	}
}

static struct mutation *start(uint64_t seed)
{
	static struct mutation mutation;

	mutation.random = test_random_of(seed);
	mutation.stored_bytes = 0;
	return &mutation;
}

size_t script_mutate(uint8_t *bytes, size_t size_bytes, size_t room_bytes,
		     uint64_t seed)
{
	static uint8_t before[SCRIPT_BYTES_MAX];
	struct mutation *mutation = start(seed);
	unsigned int i;

	if (size_bytes > sizeof(before))
		size_bytes = sizeof(before);
	memcpy(before, bytes, size_bytes);
	script_read(&mutation->script, before, size_bytes);
	for (i = 0; i <= below(mutation, CHANGES_MAX); i++)
		change(mutation);
	return script_write(&mutation->script, bytes, room_bytes);
}

size_t script_cross(const uint8_t *first, size_t first_bytes,
		    const uint8_t *second, size_t second_bytes, uint8_t *bytes,
		    size_t room_bytes, uint64_t seed)
{
	static struct script other;
	struct mutation *mutation = start(seed);
	struct script *script = &mutation->script;
	unsigned int from;

	script_read(script, first, first_bytes);
	script_read(&other, second, second_bytes);
	if (script->step_count)
		script->step_count = below(mutation, script->step_count + 1);
	from = other.step_count ? below(mutation, other.step_count) : 0;
	while (from < other.step_count &&
	       script->step_count < SCRIPT_STEPS_MAX)
		script->steps[script->step_count++] = other.steps[from++];
	return script_write(script, bytes, room_bytes);
}
