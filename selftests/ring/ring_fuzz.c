// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: both layouts against a driver that does what it likes, while we
 * read, too.
 *
 * The input's first bytes say what ring it is, the rest is a program: calls to
 * the ring, writes to guest memory, accesses to come that fail, and bytes that
 * the driver writes to what was just read. What must hold whatever comes is
 * checked here (must()); that memory is not touched elsewhere, is by memory and
 * the sanitizers.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/test_memory.h"
#include "ring/ring.h"

#define NUM_MAX 16
#define MEMORY_BYTES 0x8000
/* Offsets that leave room for NUM_MAX entries, and tables behind */
#define DESC_OFFSET 0x100
#define AVAIL_OFFSET 0x300
#define USED_OFFSET 0x400
#define TABLES_OFFSET 0x600
#define TABLE_BYTES 0x400

#define IN_FLIGHT_MAX NUM_MAX

#define must(condition)                                            \
	do {                                                       \
		if (!(condition)) {                                \
			fprintf(stderr, "%s:%d: not so: %s\n",     \
				__FILE__, __LINE__, #condition);   \
			abort();                                   \
		}                                                  \
	} while (0)

struct input {
	const u8 *bytes;
	size_t left;
};

struct fuzz {
	struct input input;
	struct test_memory memory;
	struct vhb_ring_config config;
	struct vhb_ring ring;
	struct vhb_segment segments[VHB_RING_SEGMENTS_MAX];
	struct vhb_chain chain;
	/* Chains popped and not pushed */
	struct vhb_used in_flight[IN_FLIGHT_MAX];
	u32 in_flight_count;
	/* How often an ID was popped and not written as used */
	u8 popped_ids[65536];
	u32 popped_count;
	u32 written_count;
	/* Tables the ring was pointed to in the call that is being made */
	struct {
		u64 addr;
		u64 size_bytes;
	} tables[4 * NUM_MAX];
	u32 table_count;
	bool changes_memory;
};

static u8 take8(struct input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->bytes++;
}

static u16 take16(struct input *input)
{
	u16 low = take8(input);

	return low | take8(input) << 8;
}

static u32 get(const void *bytes, size_t size_bytes)
{
	const u8 *byte = bytes;
	u32 value = 0;

	while (size_bytes--)
		value = value << 8 | byte[size_bytes];
	return value;
}

static bool is_packed(const struct fuzz *fuzz)
{
	return fuzz->config.layout == VHB_RING_PACKED;
}

static bool is_in_desc_area(const struct fuzz *fuzz, u64 addr)
{
	return addr - fuzz->config.desc_addr < fuzz->config.num * 16;
}

/* Only these may be read as tables. */
static void remember_table(struct fuzz *fuzz, const struct test_access *access)
{
	const u8 *bytes = access->bytes;
	u64 addr = 0;
	int i;

	/* 14: a packed chain's first descriptor, flags were read before */
	if (access->size_bytes < 14)
		return;
	for (i = 7; i >= 0; i--)
		addr = addr << 8 | bytes[i];
	must(fuzz->table_count < 4 * NUM_MAX);
	fuzz->tables[fuzz->table_count].addr = addr;
	fuzz->tables[fuzz->table_count].size_bytes = get(bytes + 8, 4);
	fuzz->table_count++;
}

static void check_table_read(const struct fuzz *fuzz,
			     const struct test_access *access)
{
	u32 i;

	must(fuzz->config.has_indirect);
	must(!access->is_write);
	must(access->size_bytes % 16 == 0);
	for (i = 0; i < fuzz->table_count; i++) {
		const u64 offset = access->addr - fuzz->tables[i].addr;

		if (access->addr >= fuzz->tables[i].addr &&
		    offset % 16 == 0 && offset < fuzz->tables[i].size_bytes &&
		    access->size_bytes <= fuzz->tables[i].size_bytes - offset)
			return;
	}
	must(!"a read that is in no table");
}

/* A used entry names what was popped. */
static void check_used_write(struct fuzz *fuzz,
			     const struct test_access *access)
{
	const u8 *bytes = access->bytes;
	u32 id;

	if (is_packed(fuzz) ? !is_in_desc_area(fuzz, access->addr) :
			      access->size_bytes != 8)
		return;
	if (access->size_bytes == 2)
		return;
	id = is_packed(fuzz) ? get(bytes + 4, 2) : get(bytes, 4);
	must(id <= UINT16_MAX);
	must(fuzz->popped_ids[id]);
	fuzz->popped_ids[id]--;
	fuzz->written_count++;
	must(fuzz->written_count <= fuzz->popped_count);
}

static void on_access(void *context, const struct test_access *access)
{
	struct fuzz *fuzz = context;
	u64 offset = access->addr -
		     (access->is_area ? TEST_AREA_BASE : TEST_GUEST_BASE);
	u8 where;

	if (access->is_area && access->is_write)
		check_used_write(fuzz, access);
	else if (access->is_area)
		remember_table(fuzz, access);
	else
		check_table_read(fuzz, access);
	if (!fuzz->changes_memory)
		return;
	/* The driver changes some of it, or what comes next. */
	where = take8(&fuzz->input);
	if (where & 1)
		fuzz->memory.bytes[(offset + (where >> 1)) % MEMORY_BYTES] =
			take8(&fuzz->input);
}

static struct vhb_ring_config make_config(struct input *input)
{
	const u8 kind = take8(input);
	const u8 size = take8(input);

	return (struct vhb_ring_config){
		.layout = kind & 1 ? VHB_RING_PACKED : VHB_RING_SPLIT,
		.num = kind & 1 ? 1 + size % NUM_MAX : 1u << size % 5,
		.desc_addr = TEST_AREA_BASE + DESC_OFFSET,
		.avail_addr = TEST_AREA_BASE + AVAIL_OFFSET,
		.used_addr = TEST_AREA_BASE + USED_OFFSET,
		.has_indirect = kind & 2,
		.has_event_idx = kind & 4,
		.has_in_order = kind & 8,
		.notify_on_empty = kind & 16,
	};
}

static void start(struct fuzz *fuzz, u32 base)
{
	int ret;

	ret = vhb_ring_start(&fuzz->ring, &fuzz->memory.handle, base);
	must(ret <= 0);
	if (ret)
		return;
	must(!fuzz->ring.error);
	fuzz->in_flight_count = 0;
	memset(fuzz->popped_ids, 0, sizeof(fuzz->popped_ids));
	fuzz->popped_count = 0;
	fuzz->written_count = 0;
}

/* One for all runs: the heap would take most of the time. */
static struct fuzz *clean_fuzz(void)
{
	static struct fuzz fuzz;
	struct test_memory *memory = &fuzz.memory;

	if (!memory->bytes)
		test_memory_init(memory, MEMORY_BYTES);
	memset(memory->bytes, 0, MEMORY_BYTES);
	memory->access_count = 0;
	memory->fail_error = 0;
	memset(fuzz.in_flight, 0, sizeof(fuzz.in_flight));
	return &fuzz;
}

static struct fuzz *set_up(const u8 *bytes, size_t size)
{
	struct fuzz *fuzz = clean_fuzz();
	u64 sizes[TEST_AREAS];

	fuzz->input = (struct input){ bytes, size };
	fuzz->config = make_config(&fuzz->input);
	fuzz->chain.segments = fuzz->segments;
	must(!vhb_ring_check(&fuzz->config));
	must(!vhb_ring_init(&fuzz->ring, &fuzz->config));
	vhb_ring_area_bytes(&fuzz->config, &sizes[0], &sizes[1], &sizes[2]);
	fuzz->memory.areas[0] = (struct test_area){ fuzz->config.desc_addr,
						    sizes[0],
						    is_packed(fuzz) };
	fuzz->memory.areas[1] = (struct test_area){ fuzz->config.avail_addr,
						    sizes[1], false };
	fuzz->memory.areas[2] = (struct test_area){ fuzz->config.used_addr,
						    sizes[2], true };
	fuzz->memory.on_access = on_access;
	fuzz->memory.context = fuzz;
	start(fuzz, is_packed(fuzz) ? 0x80008000 : 0);
	must(!fuzz->ring.error);
	return fuzz;
}

static void put_desc(struct fuzz *fuzz, size_t offset, u64 addr, u32 len,
		     u16 flags, u16 next_or_id)
{
	struct test_memory *memory = &fuzz->memory;

	test_memory_put64(memory, offset, addr);
	test_memory_put32(memory, offset + 8, len);
	test_memory_put16(memory, offset + (is_packed(fuzz) ? 14 : 12), flags);
	test_memory_put16(memory, offset + (is_packed(fuzz) ? 12 : 14),
			  next_or_id);
}

/* A descriptor in the ring that may even be right */
static void write_desc(struct fuzz *fuzz)
{
	struct input *input = &fuzz->input;
	const u32 slot = take8(input) % fuzz->config.num;
	const u8 what = take8(input);
	const u16 next_or_id = take8(input);
	u16 flags = what & 7;
	u64 addr = TEST_GUEST_BASE + TABLES_OFFSET +
		   TABLE_BYTES * (what >> 3 & 15);
	u32 len = take8(input) * 16;

	/* Now and then one that does not fit */
	if (what & 0x80) {
		len += take8(input);
		addr |= (u64)take8(input) << 56;
	}
	if (what == 0xff)
		addr = -(u64)take8(input);
	if (is_packed(fuzz))
		flags |= take8(input) & 1 ? 0x0080 : 0x8000;
	put_desc(fuzz, DESC_OFFSET + slot * 16, addr, len, flags, next_or_id);
}

static void write_table(struct fuzz *fuzz)
{
	struct input *input = &fuzz->input;
	const size_t offset = TABLES_OFFSET + TABLE_BYTES * (take8(input) & 15);
	u32 count = take8(input) & 63;
	u32 i;

	for (i = 0; i < count; i++) {
		const u8 what = take8(input);
		u16 flags = what & 2;
		u16 next = i + 1;

		if (i + 1 < count || what & 0x10)
			flags |= 1;
		if ((what & 0x7c) == 0x7c)
			flags |= 4;
		if (what & 0x80)
			next = take8(input) & 63;
		put_desc(fuzz, offset + i * 16, (u64)what << 56, what * 64,
			 flags, next);
	}
}

/* The next chain of a driver that is all right so far */
static void offer(struct fuzz *fuzz)
{
	const u16 slot = fuzz->ring.next_avail;
	const u16 avail = test_memory_get16(&fuzz->memory, AVAIL_OFFSET + 2);
	size_t offset = DESC_OFFSET + slot * 16 + 14;
	u16 flags;

	if (!is_packed(fuzz)) {
		test_memory_put16(&fuzz->memory,
				  AVAIL_OFFSET + 4 +
					  avail % fuzz->config.num * 2,
				  take8(&fuzz->input) %
					  (fuzz->config.num + 1));
		test_memory_put16(&fuzz->memory, AVAIL_OFFSET + 2, avail + 1);
		return;
	}
	flags = test_memory_get16(&fuzz->memory, offset) & 7;
	test_memory_put16(&fuzz->memory, offset,
			  flags | (fuzz->ring.avail_wrap ? 0x0080 : 0x8000));
}

/* What can be said of any chain */
static void check_chain(const struct fuzz *fuzz)
{
	const struct vhb_chain *chain = &fuzz->chain;
	const u32 count = chain->readable_count + chain->writable_count;
	u64 readable_bytes = 0, writable_bytes = 0;
	u32 i;

	must(count <= VHB_RING_SEGMENTS_MAX);
	for (i = 0; i < count; i++) {
		must(chain->segments[i].length_bytes);
		if (i < chain->readable_count)
			readable_bytes += chain->segments[i].length_bytes;
		else
			writable_bytes += chain->segments[i].length_bytes;
	}
	must(readable_bytes == chain->readable_bytes);
	must(writable_bytes == chain->writable_bytes);
	must(readable_bytes + writable_bytes <= UINT32_MAX);
	must(chain->slot_count >= 1);
	must(chain->slot_count <= fuzz->config.num);
	must(is_packed(fuzz) || chain->id < fuzz->config.num);
	must(is_packed(fuzz) || chain->slot_count == 1);
}

static int pop(struct fuzz *fuzz)
{
	const struct vhb_used used = { .sequence = fuzz->ring.sequence };
	int ret;

	ret = vhb_ring_pop(&fuzz->ring, &fuzz->chain);
	must(ret <= 1);
	if (ret != 1)
		return ret;
	check_chain(fuzz);
	must(fuzz->in_flight_count < fuzz->config.num);
	fuzz->in_flight[fuzz->in_flight_count] = used;
	fuzz->in_flight[fuzz->in_flight_count].id = fuzz->chain.id;
	fuzz->in_flight[fuzz->in_flight_count].slot_count =
		fuzz->chain.slot_count;
	fuzz->in_flight_count++;
	fuzz->popped_ids[fuzz->chain.id]++;
	fuzz->popped_count++;
	return ret;
}

static int push(struct fuzz *fuzz)
{
	const u8 which = take8(&fuzz->input);
	struct vhb_used *used;
	int ret;

	if (!fuzz->in_flight_count)
		return 0;
	used = &fuzz->in_flight[which % fuzz->in_flight_count];
	used->written_bytes = which;
	ret = vhb_ring_push(&fuzz->ring, used);
	must(ret <= 0 && ret != -EINVAL);
	if (!ret)
		*used = fuzz->in_flight[--fuzz->in_flight_count];
	return ret;
}

static int call_ring(struct fuzz *fuzz, u8 what)
{
	switch (what) {
	case 0:
		return push(fuzz);
	case 1:
		return vhb_ring_publish(&fuzz->ring);
	case 2:
		return vhb_ring_must_call(&fuzz->ring);
	case 3:
		return vhb_ring_disable_kicks(&fuzz->ring);
	case 4:
		return vhb_ring_enable_kicks(&fuzz->ring);
	default:
		return pop(fuzz);
	}
}

/* A call, and what holds for all of them */
static void call(struct fuzz *fuzz, u8 what)
{
	const unsigned long access_count = fuzz->memory.access_count;
	const struct vhb_ring before = fuzz->ring;
	unsigned long limit;
	int ret;

	/* pop: descriptors of the ring, those of a table one by one */
	limit = what > 4 ? 3 + fuzz->config.num + VHB_RING_SEGMENTS_MAX :
			   1 + fuzz->config.num;
	if (limit < 4)
		limit = 4;
	fuzz->table_count = 0;
	fuzz->changes_memory = true;
	ret = call_ring(fuzz, what);
	fuzz->changes_memory = false;
	must(fuzz->memory.access_count - access_count <= limit);
	must(!fuzz->memory.stray_count);
	must(ret <= 1);
	if (before.error) {
		must(what == 0 || ret == before.error);
		must(fuzz->memory.access_count == access_count);
	} else if (ret < 0 && ret != -EAGAIN) {
		must(fuzz->ring.error == ret);
		must(fuzz->ring.fault != VHB_RING_FAULT_NONE);
	} else {
		must(!fuzz->ring.error);
	}
	must(fuzz->ring.in_flight_count == fuzz->in_flight_count);
	must(fuzz->ring.held_slots <= fuzz->config.num);
	must(fuzz->ring.unpublished_slots + fuzz->ring.in_flight_slots <=
	     fuzz->ring.held_slots);
}

static void step(struct fuzz *fuzz)
{
	struct input *input = &fuzz->input;
	const u8 what = take8(input);
	u32 base;

	switch (what & 15) {
	case 9:
		write_desc(fuzz);
		break;
	case 10:
		write_table(fuzz);
		break;
	case 11:
	case 12:
		offer(fuzz);
		break;
	case 13:
		fuzz->memory.bytes[take16(input) % MEMORY_BYTES] = take8(input);
		break;
	case 14:
		test_memory_fail_in(&fuzz->memory, what >> 5,
				    what & 16 ? -EAGAIN : -EFAULT);
		break;
	case 15:
		/* What fails here was not meant for it. */
		fuzz->memory.fail_error = 0;
		base = take16(input);
		start(fuzz, base | (u32)take16(input) << 16);
		break;
	default:
		call(fuzz, what & 15);
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size);

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	struct fuzz *fuzz = set_up(bytes, size);

	while (fuzz->input.left)
		step(fuzz);
	vhb_ring_destroy(&fuzz->ring);
	return 0;
}
