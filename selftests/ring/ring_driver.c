// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "ring/ring_driver.h"

#define DESC_BYTES 16
#define FLAG_AVAIL 0x0080
#define FLAG_USED 0x8000

#define TABLE_BYTES (DRIVER_TABLE_DESCS * DESC_BYTES)

/* What is between the parts must not be touched */
#define GAP_BYTES 64

static size_t place(size_t *end, size_t size_bytes)
{
	size_t offset = (*end + GAP_BYTES - 1) / GAP_BYTES * GAP_BYTES;

	*end = offset + size_bytes + GAP_BYTES;
	return offset;
}

static void *zeroed(size_t count, size_t size_bytes)
{
	void *memory = calloc(count, size_bytes);

	if (!memory)
		abort();
	return memory;
}

static void place_ring(struct ring_driver *driver,
		       struct vhb_ring_config *config)
{
	const size_t desc_bytes = driver->num * DESC_BYTES;
	const size_t avail_bytes = driver->is_packed ? 4 : 6 + driver->num * 2;
	const size_t used_bytes = driver->is_packed ? 4 : 6 + driver->num * 8;
	size_t end = GAP_BYTES;

	driver->desc = place(&end, desc_bytes);
	driver->avail = place(&end, avail_bytes);
	driver->used = place(&end, used_bytes);
	driver->tables = place(&end, DRIVER_TABLES * TABLE_BYTES);
	test_memory_init(&driver->memory, end);
	config->desc_addr = TEST_AREA_BASE + driver->desc;
	config->avail_addr = TEST_AREA_BASE + driver->avail;
	config->used_addr = TEST_AREA_BASE + driver->used;
	driver->memory.areas[0] = (struct test_area){
		config->desc_addr, desc_bytes, driver->is_packed
	};
	driver->memory.areas[1] = (struct test_area){ config->avail_addr,
						      avail_bytes, false };
	driver->memory.areas[2] = (struct test_area){ config->used_addr,
						      used_bytes, true };
}

void ring_driver_init(struct ring_driver *driver,
		      struct vhb_ring_config *config)
{
	u32 i;

	memset(driver, 0, sizeof(*driver));
	driver->is_packed = config->layout == VHB_RING_PACKED;
	driver->has_event_idx = config->has_event_idx;
	driver->num = config->num;
	place_ring(driver, config);
	driver->avail_wrap = true;
	driver->used_wrap = true;
	driver->free_slots = driver->num;
	driver->free_ids = zeroed(driver->num, sizeof(*driver->free_ids));
	driver->next_of = zeroed(driver->num, sizeof(*driver->next_of));
	driver->chains = zeroed(driver->num, sizeof(*driver->chains));
	for (i = 0; i < driver->num; i++)
		driver->free_ids[i] = i;
	driver->free_id_count = driver->num;
}

void ring_driver_destroy(struct ring_driver *driver)
{
	test_memory_destroy(&driver->memory);
	free(driver->free_ids);
	free(driver->next_of);
	free(driver->chains);
}

void ring_driver_put_desc(struct ring_driver *driver, size_t offset,
			  const struct driver_desc *desc)
{
	struct test_memory *memory = &driver->memory;
	const size_t flags = driver->is_packed ? 14 : 12;
	const size_t next_or_id = driver->is_packed ? 12 : 14;

	test_memory_put64(memory, offset, desc->addr);
	test_memory_put32(memory, offset + 8, desc->len);
	test_memory_put16(memory, offset + next_or_id, desc->next_or_id);
	test_memory_put16(memory, offset + flags, desc->flags);
}

static size_t desc_offset(const struct ring_driver *driver, u32 index)
{
	return driver->desc + index * DESC_BYTES;
}

static struct driver_desc of_buffer(const struct driver_buffer *buffer)
{
	return (struct driver_desc){
		.addr = buffer->gpa,
		.len = buffer->length_bytes,
		.flags = buffer->is_writable ? DRIVER_WRITE : 0,
	};
}

/* Returns the descriptor that refers to the table. */
static struct driver_desc put_buffers(struct ring_driver *driver, u32 table,
				      const struct driver_buffer *buffers,
				      u32 count)
{
	const size_t offset = driver->tables + table * TABLE_BYTES;
	u32 i;

	if (count > DRIVER_TABLE_DESCS)
		abort();
	for (i = 0; i < count; i++) {
		struct driver_desc desc = of_buffer(&buffers[i]);

		if (!driver->is_packed && i + 1 < count) {
			desc.flags |= DRIVER_NEXT;
			desc.next_or_id = i + 1;
		}
		ring_driver_put_desc(driver, offset + i * DESC_BYTES, &desc);
	}
	return (struct driver_desc){
		.addr = TEST_GUEST_BASE + offset,
		.len = count * DESC_BYTES,
		.flags = DRIVER_INDIRECT,
	};
}

void ring_driver_offer_head(struct ring_driver *driver, u16 head)
{
	const u16 entry = driver->next_avail % driver->num;

	test_memory_put16(&driver->memory, driver->avail + 4 + entry * 2,
			  head);
	driver->next_avail++;
	test_memory_put16(&driver->memory, driver->avail + 2,
			  driver->next_avail);
	driver->unkicked_slots++;
}

static void add_split(struct ring_driver *driver,
		      const struct driver_desc *descs, u32 count, u16 head)
{
	u16 index = head;
	u32 i;

	for (i = 0; i < count; i++) {
		struct driver_desc desc = descs[i];

		if (i + 1 < count) {
			driver->next_of[index] =
				driver->free_ids[--driver->free_id_count];
			desc.flags |= DRIVER_NEXT;
			desc.next_or_id = driver->next_of[index];
		}
		ring_driver_put_desc(driver, desc_offset(driver, index), &desc);
		index = driver->next_of[index];
	}
	ring_driver_offer_head(driver, head);
}

static void skip(const struct ring_driver *driver, u16 *slot, bool *wrap,
		 u32 count)
{
	while (count--) {
		(*slot)++;
		if (*slot == driver->num) {
			*slot = 0;
			*wrap = !*wrap;
		}
	}
}

/* The first descriptor comes last: it makes all of them available. */
static void put_packed(struct ring_driver *driver,
		       const struct driver_desc *descs, u32 count)
{
	u32 i;

	for (i = count; i-- > 0;) {
		struct driver_desc desc = descs[i];
		u16 slot = driver->next_avail;
		bool wrap = driver->avail_wrap;

		skip(driver, &slot, &wrap, i);
		desc.flags |= wrap ? FLAG_AVAIL : FLAG_USED;
		ring_driver_put_desc(driver, desc_offset(driver, slot), &desc);
	}
	skip(driver, &driver->next_avail, &driver->avail_wrap, count);
	driver->unkicked_slots += count;
}

static void add_packed(struct ring_driver *driver, struct driver_desc *descs,
		       u32 count, u16 id)
{
	u32 i;

	for (i = 0; i < count; i++) {
		/* The last one's counts */
		descs[i].next_or_id = i + 1 < count ? 0xdead : id;
		if (i + 1 < count)
			descs[i].flags |= DRIVER_NEXT;
	}
	put_packed(driver, descs, count);
}

int ring_driver_add(struct ring_driver *driver,
		    const struct driver_buffer *buffers, u32 count,
		    enum driver_form form)
{
	u32 direct_count = count;
	struct driver_desc *descs;
	u32 i;
	u16 id;

	if (form != DRIVER_DIRECT)
		direct_count = form == DRIVER_MIXED && !driver->is_packed &&
					       count > 1 ?
				       2 :
				       1;
	if (direct_count > driver->free_slots || !driver->free_id_count)
		return -1;
	id = driver->free_ids[--driver->free_id_count];
	descs = zeroed(direct_count, sizeof(*descs));
	for (i = 0; i < direct_count; i++)
		descs[i] = of_buffer(&buffers[i]);
	if (form != DRIVER_DIRECT)
		descs[direct_count - 1] =
			put_buffers(driver, id % DRIVER_TABLES,
				    buffers + direct_count - 1,
				    count - (direct_count - 1));
	driver->chains[id].is_in_flight = true;
	driver->chains[id].desc_count = direct_count;
	driver->free_slots -= direct_count;
	if (driver->is_packed)
		add_packed(driver, descs, direct_count, id);
	else
		add_split(driver, descs, direct_count, id);
	free(descs);
	return id;
}

static bool read_used(struct ring_driver *driver, u32 *id_out, u32 *length_out)
{
	const struct test_memory *memory = &driver->memory;
	size_t offset;
	u16 flags;

	if (!driver->is_packed) {
		if (test_memory_get16(memory, driver->used + 2) ==
		    driver->next_used)
			return false;
		offset = driver->used + 4 +
			 driver->next_used % driver->num * 8;
		*id_out = test_memory_get32(memory, offset);
		*length_out = test_memory_get32(memory, offset + 4);
		return true;
	}
	offset = desc_offset(driver, driver->next_used);
	flags = test_memory_get16(memory, offset + 14);
	if (!!(flags & FLAG_AVAIL) != driver->used_wrap ||
	    !!(flags & FLAG_USED) != driver->used_wrap)
		return false;
	*id_out = test_memory_get16(memory, offset + 12);
	*length_out = flags & DRIVER_WRITE ?
			      test_memory_get32(memory, offset + 8) :
			      0;
	return true;
}

int ring_driver_take(struct ring_driver *driver, u16 *id_out, u32 *length_out)
{
	u32 id, count, i;

	if (!read_used(driver, &id, length_out))
		return 0;
	if (id >= driver->num || !driver->chains[id].is_in_flight)
		return -1;
	count = driver->chains[id].desc_count;
	driver->chains[id].is_in_flight = false;
	driver->free_slots += count;
	*id_out = id;
	if (driver->is_packed) {
		driver->free_ids[driver->free_id_count++] = id;
		skip(driver, &driver->next_used, &driver->used_wrap, count);
		return 1;
	}
	for (i = 0; i < count; i++) {
		driver->free_ids[driver->free_id_count++] = id;
		id = driver->next_of[id];
	}
	driver->next_used++;
	return 1;
}

/* Is the entry with this event among the last ones made available? */
static bool was_made_available(const struct ring_driver *driver, u16 off_wrap)
{
	u32 i;

	for (i = 1; i <= driver->unkicked_slots && i <= 2 * driver->num; i++) {
		int slot = (int)driver->next_avail - (int)i;
		bool wrap = driver->avail_wrap;

		while (slot < 0) {
			slot += driver->num;
			wrap = !wrap;
		}
		if (off_wrap == (u16)(slot | wrap << 15))
			return true;
	}
	return false;
}

bool ring_driver_must_kick(struct ring_driver *driver)
{
	const struct test_memory *memory = &driver->memory;
	const u16 added = driver->unkicked_slots;
	bool must_kick;
	u16 flags;

	if (driver->is_packed) {
		flags = test_memory_get16(memory, driver->used + 2);
		must_kick = flags == 0 ||
			    (flags == 2 &&
			     was_made_available(driver,
						test_memory_get16(memory,
								  driver->used)));
	} else if (driver->has_event_idx) {
		u16 event = test_memory_get16(memory, driver->used + 4 +
							      driver->num * 8);

		must_kick = (u16)(driver->next_avail - 1 - event) < added;
	} else {
		must_kick = !(test_memory_get16(memory, driver->used) & 1);
	}
	must_kick = must_kick && added;
	driver->unkicked_slots = 0;
	return must_kick;
}

void ring_driver_want_call_behind(struct ring_driver *driver, u32 slots)
{
	u16 slot = driver->next_used;
	bool wrap = driver->used_wrap;

	if (!driver->is_packed) {
		test_memory_put16(&driver->memory,
				  driver->avail + 4 + driver->num * 2,
				  slot + slots);
		return;
	}
	skip(driver, &slot, &wrap, slots);
	test_memory_put16(&driver->memory, driver->avail, slot | wrap << 15);
	test_memory_put16(&driver->memory, driver->avail + 2, 2);
}

void ring_driver_want_calls(struct ring_driver *driver)
{
	if (driver->has_event_idx)
		ring_driver_want_call_behind(driver, 0);
	else if (driver->is_packed)
		test_memory_put16(&driver->memory, driver->avail + 2, 0);
	else
		test_memory_put16(&driver->memory, driver->avail, 0);
}

void ring_driver_want_no_calls(struct ring_driver *driver)
{
	if (driver->is_packed)
		test_memory_put16(&driver->memory, driver->avail + 2, 1);
	else
		test_memory_put16(&driver->memory, driver->avail, 1);
}

u64 ring_driver_put_table(struct ring_driver *driver,
			  const struct driver_desc *descs, u32 count)
{
	const size_t offset = driver->tables;
	u32 i;

	if (count > DRIVER_TABLES * DRIVER_TABLE_DESCS)
		abort();
	for (i = 0; i < count; i++)
		ring_driver_put_desc(driver, offset + i * DESC_BYTES,
				     &descs[i]);
	return TEST_GUEST_BASE + offset;
}

void ring_driver_offer(struct ring_driver *driver,
		       const struct driver_desc *descs, u32 count)
{
	u32 i;

	if (driver->is_packed) {
		put_packed(driver, descs, count);
		return;
	}
	for (i = 0; i < count; i++)
		ring_driver_put_desc(driver, desc_offset(driver, i),
				     &descs[i]);
	ring_driver_offer_head(driver, 0);
}
