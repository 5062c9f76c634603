/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_RING_DRIVER_H
#define VHB_RING_DRIVER_H

#include "ring/ring.h"
#include "ring/test_memory.h"

/**
 * DOC: the driver's side of a ring, for tests
 *
 * One set of calls for both layouts, written from the specification and sharing
 * nothing with the device's side, numbers neither. Descriptors and IDs are taken
 * and given back so that an ID is hardly ever its chain's position.
 */

/** Descriptors an indirect table has room for */
#define DRIVER_TABLE_DESCS 1100

/** Tables there are; a chain uses the one of its ID modulo this */
#define DRIVER_TABLES 64

#define DRIVER_NEXT 1
#define DRIVER_WRITE 2
#define DRIVER_INDIRECT 4

/**
 * enum driver_form - how a chain is laid out
 * @DRIVER_DIRECT: in the ring
 * @DRIVER_TABLE: in an indirect table
 * @DRIVER_MIXED: split: first buffer direct, the others in a table; packed: as
 *                DRIVER_TABLE, because there it is forbidden
 */
enum driver_form {
	DRIVER_DIRECT,
	DRIVER_TABLE,
	DRIVER_MIXED,
};

/**
 * struct driver_buffer - a piece of memory a chain shall have
 * @gpa: guest address
 * @length_bytes: length
 * @is_writable: by the device
 */
struct driver_buffer {
	u64 gpa;
	u32 length_bytes;
	bool is_writable;
};

/**
 * struct driver_desc - a descriptor as it lies in memory
 * @addr: address
 * @len: length
 * @flags: without those that make it available
 * @next_or_id: split: next; packed: ID
 */
struct driver_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next_or_id;
};

/**
 * struct driver_chain - what the driver knows of an ID
 * @is_in_flight: made available and not used
 * @desc_count: descriptors it takes of the ring
 */
struct driver_chain {
	bool is_in_flight;
	u16 desc_count;
};

/**
 * struct ring_driver - a driver with a ring
 * @memory: where ring, tables and buffers are
 * @is_packed: layout
 * @has_event_idx: VIRTIO_F_EVENT_IDX
 * @num: entries
 * @desc: offset of the descriptors
 * @avail: offset of the available ring or the driver's event structure
 * @used: offset of the used ring or the device's event structure
 * @tables: offset of indirect tables
 * @next_avail: split: index to come; packed: slot to come
 * @avail_wrap: packed: wrap counter of @next_avail
 * @next_used: split: index to come; packed: slot to come
 * @used_wrap: packed: wrap counter of @next_used
 * @unkicked_slots: entries made available since ring_driver_must_kick()
 * @free_slots: descriptors that are free
 * @free_ids: stack of free IDs or, split, free descriptors
 * @free_id_count: its height
 * @next_of: split: the driver's own note how chains go on
 * @chains: by ID
 */
struct ring_driver {
	struct test_memory memory;
	bool is_packed;
	bool has_event_idx;
	u32 num;
	size_t desc;
	size_t avail;
	size_t used;
	size_t tables;
	u16 next_avail;
	bool avail_wrap;
	u16 next_used;
	bool used_wrap;
	u32 unkicked_slots;
	u32 free_slots;
	u16 *free_ids;
	u32 free_id_count;
	u16 *next_of;
	struct driver_chain *chains;
};

/**
 * ring_driver_init() - a ring in memory of its own
 * @driver: uninitialized
 * @config: layout, size and features; gets the addresses
 */
void ring_driver_init(struct ring_driver *driver,
		      struct vhb_ring_config *config);

/**
 * ring_driver_destroy() - free all
 * @driver: initialized
 */
void ring_driver_destroy(struct ring_driver *driver);

/**
 * ring_driver_add() - make a chain available
 * @driver: the driver
 * @buffers: what it consists of
 * @count: how many; not zero
 * @form: how it is laid out
 *
 * Return: its ID, or -1 when there is no room.
 */
int ring_driver_add(struct ring_driver *driver,
		    const struct driver_buffer *buffers, u32 count,
		    enum driver_form form);

/**
 * ring_driver_take() - take back a used chain
 * @driver: the driver
 * @id_out: which
 * @length_out: bytes the device wrote
 *
 * Return: 1, 0 when there is none, -1 when what is there is nonsense.
 */
int ring_driver_take(struct ring_driver *driver, u16 *id_out, u32 *length_out);

/**
 * ring_driver_must_kick() - does the device want a kick for what was added?
 * @driver: the driver
 *
 * Asks about everything added since it was asked last.
 *
 * Return: whether it does.
 */
bool ring_driver_must_kick(struct ring_driver *driver);

/**
 * ring_driver_want_calls() - ask for a call for whatever is used next
 * @driver: the driver
 */
void ring_driver_want_calls(struct ring_driver *driver);

/**
 * ring_driver_want_call_behind() - ask for a call later
 * @driver: the driver; has the event index
 * @slots: entries that are used without a call before it
 */
void ring_driver_want_call_behind(struct ring_driver *driver, u32 slots);

/**
 * ring_driver_want_no_calls() - ask for no calls
 * @driver: the driver; packed or without the event index
 */
void ring_driver_want_no_calls(struct ring_driver *driver);

/**
 * ring_driver_put_desc() - write a descriptor
 * @driver: the driver
 * @offset: where
 * @desc: what
 */
void ring_driver_put_desc(struct ring_driver *driver, size_t offset,
			  const struct driver_desc *desc);

/**
 * ring_driver_put_table() - write an indirect table
 * @driver: the driver
 * @descs: what is in it
 * @count: how many
 *
 * Always the same table.
 *
 * Return: its guest address.
 */
u64 ring_driver_put_table(struct ring_driver *driver,
			  const struct driver_desc *descs, u32 count);

/**
 * ring_driver_offer() - make descriptors available as they are, right or wrong
 * @driver: the driver
 * @descs: the first descriptors of the table (split), the next ones (packed)
 * @count: how many
 *
 * The driver remembers nothing of them: nothing else works after this but the
 * same again.
 */
void ring_driver_offer(struct ring_driver *driver,
		       const struct driver_desc *descs, u32 count);

/**
 * ring_driver_offer_head() - put a number into the available ring
 * @driver: the driver; split
 * @head: the number
 */
void ring_driver_offer_head(struct ring_driver *driver, u16 head);

#endif
