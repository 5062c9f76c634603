// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/vq_driver.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define DESC_BYTES 16
#define FLAG_AVAIL 0x0080
#define FLAG_USED 0x8000

/* Event suppression of a packed ring */
#define EVENT_ENABLE 0
#define EVENT_DISABLE 1
#define EVENT_DESC 2

/*
 * What both sides look at goes through these. The barriers that matter stand
 * where the specification has them.
 */
static uint16_t get16(const uint8_t *where)
{
	return le16toh(__atomic_load_n((const uint16_t *)where,
				       __ATOMIC_ACQUIRE));
}

static void put16(uint8_t *where, uint16_t value)
{
	__atomic_store_n((uint16_t *)where, htole16(value), __ATOMIC_RELEASE);
}

static uint32_t get32(const uint8_t *where)
{
	return le32toh(__atomic_load_n((const uint32_t *)where,
				       __ATOMIC_RELAXED));
}

static void put32(uint8_t *where, uint32_t value)
{
	__atomic_store_n((uint32_t *)where, htole32(value), __ATOMIC_RELAXED);
}

static void put64(uint8_t *where, uint64_t value)
{
	__atomic_store_n((uint64_t *)where, htole64(value), __ATOMIC_RELAXED);
}

/* Between writing what the other side reads and reading what it writes */
static void full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void *zeroed(size_t count, size_t size_bytes)
{
	void *memory = calloc(count, size_bytes);

	if (!memory)
		abort();
	return memory;
}

size_t vq_desc_bytes(const struct vq_driver *driver)
{
	return (size_t)driver->num * DESC_BYTES;
}

size_t vq_avail_bytes(const struct vq_driver *driver)
{
	return driver->is_packed ? 4 : 6 + (size_t)driver->num * 2;
}

size_t vq_used_bytes(const struct vq_driver *driver)
{
	return driver->is_packed ? 4 : 6 + (size_t)driver->num * 8;
}

void vq_driver_init(struct vq_driver *driver)
{
	uint32_t i;

	memset(driver->desc, 0, vq_desc_bytes(driver));
	memset(driver->avail, 0, vq_avail_bytes(driver));
	memset(driver->used, 0, vq_used_bytes(driver));
	driver->avail_wrap = true;
	driver->used_wrap = true;
	driver->next_avail = driver->is_packed ? 0 : driver->first;
	driver->next_used = driver->next_avail;
	driver->unkicked_slots = 0;
	if (!driver->is_packed) {
		put16(driver->avail + 2, driver->next_avail);
		put16(driver->used + 2, driver->next_used);
	}
	driver->free_slots = driver->num;
	driver->free_ids = zeroed(driver->num, sizeof(*driver->free_ids));
	driver->next_of = zeroed(driver->num, sizeof(*driver->next_of));
	driver->chains = zeroed(driver->num, sizeof(*driver->chains));
	for (i = 0; i < driver->num; i++)
		driver->free_ids[i] = i;
	driver->free_id_count = driver->num;
}

void vq_driver_destroy(struct vq_driver *driver)
{
	free(driver->free_ids);
	free(driver->next_of);
	free(driver->chains);
	driver->free_ids = NULL;
	driver->next_of = NULL;
	driver->chains = NULL;
}

static uint16_t position(uint16_t slot, bool wrap)
{
	return slot | wrap << 15;
}

uint32_t vq_driver_base(const struct vq_driver *driver)
{
	if (!driver->is_packed)
		return driver->next_avail;
	return position(driver->next_avail, driver->avail_wrap) |
	       (uint32_t)position(driver->next_used, driver->used_wrap) << 16;
}

static uint8_t *desc_at(const struct vq_driver *driver, uint32_t index)
{
	return driver->desc + index * DESC_BYTES;
}

void vq_driver_put_desc(const struct vq_driver *driver, uint8_t *where,
			const struct vq_desc *desc)
{
	put64(where, desc->addr);
	put32(where + 8, desc->len);
	put16(where + (driver->is_packed ? 12 : 14), desc->next_or_id);
	put16(where + (driver->is_packed ? 14 : 12), desc->flags);
}

static struct vq_desc of_buffer(const struct vq_buffer *buffer)
{
	return (struct vq_desc){
		.addr = buffer->gpa,
		.len = buffer->size_bytes,
		.flags = buffer->is_writable ? VQ_WRITE : 0,
	};
}

/* Returns the descriptor that refers to the table. */
static struct vq_desc put_buffers(struct vq_driver *driver, uint32_t table,
				  const struct vq_buffer *buffers,
				  uint32_t count)
{
	const size_t offset = (size_t)table * driver->table_descs * DESC_BYTES;
	uint32_t i;

	if (count > driver->table_descs)
		abort();
	for (i = 0; i < count; i++) {
		struct vq_desc desc = of_buffer(&buffers[i]);

		if (!driver->is_packed && i + 1 < count) {
			desc.flags |= VQ_NEXT;
			desc.next_or_id = i + 1;
		}
		vq_driver_put_desc(driver,
				   driver->tables + offset + i * DESC_BYTES,
				   &desc);
	}
	return (struct vq_desc){
		.addr = driver->tables_gpa + offset,
		.len = count * DESC_BYTES,
		.flags = VQ_INDIRECT,
	};
}

void vq_driver_jump(struct vq_driver *driver, uint16_t count)
{
	driver->next_avail += count;
	put16(driver->avail + 2, driver->next_avail);
	driver->unkicked_slots += count;
}

void vq_driver_offer_head(struct vq_driver *driver, uint16_t head)
{
	const uint16_t entry = driver->next_avail % driver->num;

	put16(driver->avail + 4 + entry * 2, head);
	vq_driver_jump(driver, 1);
}

static void add_split(struct vq_driver *driver, const struct vq_desc *descs,
		      uint32_t count, uint16_t head)
{
	uint16_t index = head;
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct vq_desc desc = descs[i];

		if (i + 1 < count) {
			driver->next_of[index] =
				driver->free_ids[--driver->free_id_count];
			desc.flags |= VQ_NEXT;
			desc.next_or_id = driver->next_of[index];
		}
		vq_driver_put_desc(driver, desc_at(driver, index), &desc);
		index = driver->next_of[index];
	}
	vq_driver_offer_head(driver, head);
}

static void skip(const struct vq_driver *driver, uint16_t *slot, bool *wrap,
		 uint32_t count)
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
static void put_packed(struct vq_driver *driver, const struct vq_desc *descs,
		       uint32_t count)
{
	uint32_t i;

	for (i = count; i-- > 0;) {
		struct vq_desc desc = descs[i];
		uint16_t slot = driver->next_avail;
		bool wrap = driver->avail_wrap;

		skip(driver, &slot, &wrap, i);
		desc.flags |= wrap ? FLAG_AVAIL : FLAG_USED;
		vq_driver_put_desc(driver, desc_at(driver, slot), &desc);
	}
	skip(driver, &driver->next_avail, &driver->avail_wrap, count);
	driver->unkicked_slots += count;
}

static void add_packed(struct vq_driver *driver, struct vq_desc *descs,
		       uint32_t count, uint16_t id)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		/* The last one's counts */
		descs[i].next_or_id = i + 1 < count ? 0xdead : id;
		if (i + 1 < count)
			descs[i].flags |= VQ_NEXT;
	}
	put_packed(driver, descs, count);
}

int vq_driver_add(struct vq_driver *driver, const struct vq_buffer *buffers,
		  uint32_t count, enum vq_form form)
{
	uint32_t direct_count = count;
	struct vq_desc *descs;
	uint32_t i;
	uint16_t id;

	if (form != VQ_DIRECT)
		direct_count =
			form == VQ_MIXED && !driver->is_packed && count > 1 ?
				2 :
				1;
	if (direct_count > driver->free_slots || !driver->free_id_count)
		return -1;
	id = driver->free_ids[--driver->free_id_count];
	descs = zeroed(direct_count, sizeof(*descs));
	for (i = 0; i < direct_count; i++)
		descs[i] = of_buffer(&buffers[i]);
	if (form != VQ_DIRECT)
		descs[direct_count - 1] =
			put_buffers(driver, id, buffers + direct_count - 1,
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

static bool read_used(struct vq_driver *driver, uint32_t *id_out,
		      uint32_t *length_out)
{
	const uint8_t *where;
	uint16_t flags;

	if (!driver->is_packed) {
		if (get16(driver->used + 2) == driver->next_used)
			return false;
		where = driver->used + 4 + driver->next_used % driver->num * 8;
		*id_out = get32(where);
		*length_out = get32(where + 4);
		return true;
	}
	where = desc_at(driver, driver->next_used);
	flags = get16(where + 14);
	if (!!(flags & FLAG_AVAIL) != driver->used_wrap ||
	    !!(flags & FLAG_USED) != driver->used_wrap)
		return false;
	*id_out = get16(where + 12);
	*length_out = flags & VQ_WRITE ? get32(where + 8) : 0;
	return true;
}

int vq_driver_take(struct vq_driver *driver, uint16_t *id_out,
		   uint32_t *length_out)
{
	uint32_t id, count, i;

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
static bool was_made_available(const struct vq_driver *driver,
			       uint16_t off_wrap)
{
	uint32_t i;

	for (i = 1; i <= driver->unkicked_slots && i <= 2 * driver->num; i++) {
		int slot = (int)driver->next_avail - (int)i;
		bool wrap = driver->avail_wrap;

		while (slot < 0) {
			slot += driver->num;
			wrap = !wrap;
		}
		if (off_wrap == position(slot, wrap))
			return true;
	}
	return false;
}

bool vq_driver_must_kick(struct vq_driver *driver)
{
	const uint16_t added = driver->unkicked_slots;
	bool must_kick;
	uint16_t flags;

	full_barrier();
	if (driver->is_packed) {
		flags = get16(driver->used + 2);
		must_kick = flags == EVENT_ENABLE ||
			    (flags == EVENT_DESC &&
			     was_made_available(driver, get16(driver->used)));
	} else if (driver->has_event_idx) {
		uint16_t event = get16(driver->used + 4 + driver->num * 8);

		must_kick = (uint16_t)(driver->next_avail - 1 - event) < added;
	} else {
		must_kick = !(get16(driver->used) & 1);
	}
	must_kick = must_kick && added;
	driver->unkicked_slots = 0;
	return must_kick;
}

void vq_driver_want_call_behind(struct vq_driver *driver, uint32_t slots)
{
	uint16_t slot = driver->next_used;
	bool wrap = driver->used_wrap;

	if (!driver->is_packed) {
		put16(driver->avail + 4 + driver->num * 2, slot + slots);
		full_barrier();
		return;
	}
	skip(driver, &slot, &wrap, slots);
	put16(driver->avail, position(slot, wrap));
	put16(driver->avail + 2, EVENT_DESC);
	full_barrier();
}

void vq_driver_want_calls(struct vq_driver *driver)
{
	if (driver->has_event_idx)
		vq_driver_want_call_behind(driver, 0);
	else if (driver->is_packed)
		put16(driver->avail + 2, EVENT_ENABLE);
	else
		put16(driver->avail, 0);
	full_barrier();
}

void vq_driver_want_no_calls(struct vq_driver *driver)
{
	if (driver->is_packed)
		put16(driver->avail + 2, EVENT_DISABLE);
	else
		put16(driver->avail, 1);
	full_barrier();
}

uint64_t vq_driver_put_table(struct vq_driver *driver,
			     const struct vq_desc *descs, uint32_t count)
{
	uint32_t i;

	if (count > driver->num * driver->table_descs)
		abort();
	for (i = 0; i < count; i++)
		vq_driver_put_desc(driver, driver->tables + i * DESC_BYTES,
				   &descs[i]);
	return driver->tables_gpa;
}

void vq_driver_offer(struct vq_driver *driver, const struct vq_desc *descs,
		     uint32_t count)
{
	uint32_t i;

	if (driver->is_packed) {
		put_packed(driver, descs, count);
		return;
	}
	for (i = 0; i < count; i++)
		vq_driver_put_desc(driver, desc_at(driver, i), &descs[i]);
	vq_driver_offer_head(driver, 0);
}
