/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_VQ_DRIVER_H
#define SELFTESTS_LIB_VQ_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * DOC: the driver of a virtqueue, split or packed
 *
 * What a guest's driver does, in memory that it shares with a device that runs
 * at the same time. One set of calls for both layouts, written from the
 * specification, numbers included. IDs are taken and given back so that an ID
 * is hardly ever its chain's position.
 */

#define VQ_NEXT 1
#define VQ_WRITE 2
#define VQ_INDIRECT 4

/**
 * enum vq_form - how a chain is laid out
 * @VQ_DIRECT: in the ring
 * @VQ_TABLE: in an indirect table
 * @VQ_MIXED: split: first buffer direct, the others in a table; packed: as
 *            VQ_TABLE, because there it is forbidden
 */
enum vq_form {
	VQ_DIRECT,
	VQ_TABLE,
	VQ_MIXED,
	VQ_FORMS,
};

/**
 * struct vq_buffer - a piece of memory a chain shall have
 * @gpa: guest address
 * @size_bytes: length
 * @is_writable: by the device
 */
struct vq_buffer {
	uint64_t gpa;
	uint32_t size_bytes;
	bool is_writable;
};

/**
 * struct vq_desc - a descriptor as it lies in memory
 * @addr: address
 * @len: length
 * @flags: without those that make it available
 * @next_or_id: split: next; packed: ID
 */
struct vq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next_or_id;
};

/**
 * struct vq_chain - what the driver knows of an ID
 * @is_in_flight: made available and not used
 * @desc_count: descriptors it takes of the ring
 */
struct vq_chain {
	bool is_in_flight;
	uint16_t desc_count;
};

/**
 * struct vq_driver - a driver with a ring
 * @is_packed: layout; this and what follows up to @table_descs is set by the
 *             test before vq_driver_init()
 * @has_event_idx: VIRTIO_F_EVENT_IDX
 * @num: entries
 * @first: split: index to begin with
 * @desc: the descriptors
 * @avail: available ring or the driver's event structure
 * @used: used ring or the device's event structure
 * @tables: room for @num indirect tables
 * @tables_gpa: guest address of @tables
 * @table_descs: descriptors of each table
 * @next_avail: split: index to come; packed: slot to come
 * @avail_wrap: packed: wrap counter of @next_avail
 * @next_used: split: index to come; packed: slot to come
 * @used_wrap: packed: wrap counter of @next_used
 * @unkicked_slots: entries made available since vq_driver_must_kick()
 * @free_slots: descriptors that are free
 * @free_ids: stack of free IDs or, split, free descriptors
 * @free_id_count: its height
 * @next_of: split: the driver's own note how chains go on
 * @chains: by ID
 */
struct vq_driver {
	bool is_packed;
	bool has_event_idx;
	uint32_t num;
	uint16_t first;
	uint8_t *desc;
	uint8_t *avail;
	uint8_t *used;
	uint8_t *tables;
	uint64_t tables_gpa;
	uint32_t table_descs;
	uint16_t next_avail;
	bool avail_wrap;
	uint16_t next_used;
	bool used_wrap;
	uint32_t unkicked_slots;
	uint32_t free_slots;
	uint16_t *free_ids;
	uint32_t free_id_count;
	uint16_t *next_of;
	struct vq_chain *chains;
};

/** vq_desc_bytes() - length of the area at @desc; the others' follow */
size_t vq_desc_bytes(const struct vq_driver *driver);
size_t vq_avail_bytes(const struct vq_driver *driver);
size_t vq_used_bytes(const struct vq_driver *driver);

/** vq_driver_init() - an empty ring; the areas are zeroed */
void vq_driver_init(struct vq_driver *driver);

/** vq_driver_destroy() - free what vq_driver_init() took; may be repeated */
void vq_driver_destroy(struct vq_driver *driver);

/** vq_driver_base() - where the driver stands, as VHOST_SET_VRING_BASE has it */
uint32_t vq_driver_base(const struct vq_driver *driver);

/**
 * vq_driver_add() - make a chain available
 * @driver: the driver
 * @buffers: what it consists of
 * @count: how many; not zero
 * @form: how it is laid out
 *
 * Return: its ID, or -1 when there is no room.
 */
int vq_driver_add(struct vq_driver *driver, const struct vq_buffer *buffers,
		  uint32_t count, enum vq_form form);

/**
 * vq_driver_take() - take back a used chain
 * @driver: the driver
 * @id_out: which
 * @length_out: bytes the device wrote
 *
 * Return: 1, 0 when there is none, -1 when what is there is nonsense.
 */
int vq_driver_take(struct vq_driver *driver, uint16_t *id_out,
		   uint32_t *length_out);

/**
 * vq_driver_must_kick() - does the device want a kick for what was added?
 * @driver: the driver
 *
 * Asks about everything added since it was asked last.
 */
bool vq_driver_must_kick(struct vq_driver *driver);

/** vq_driver_want_calls() - ask for a call for whatever is used next */
void vq_driver_want_calls(struct vq_driver *driver);

/**
 * vq_driver_want_call_behind() - ask for a call later
 * @driver: the driver; has the event index
 * @slots: entries that are used without a call before it
 */
void vq_driver_want_call_behind(struct vq_driver *driver, uint32_t slots);

/**
 * vq_driver_want_no_calls() - ask for no calls
 * @driver: the driver; packed or without the event index
 */
void vq_driver_want_no_calls(struct vq_driver *driver);

/** vq_driver_put_desc() - write a descriptor */
void vq_driver_put_desc(const struct vq_driver *driver, uint8_t *where,
			const struct vq_desc *desc);

/**
 * vq_driver_put_table() - write an indirect table, from the first one's place on
 * @driver: the driver
 * @descs: what is in it
 * @count: how many
 *
 * Return: its guest address.
 */
uint64_t vq_driver_put_table(struct vq_driver *driver,
			     const struct vq_desc *descs, uint32_t count);

/**
 * vq_driver_offer() - make descriptors available as they are, right or wrong
 * @driver: the driver
 * @descs: the first descriptors of the table (split), the next ones (packed)
 * @count: how many
 *
 * The driver remembers nothing of them: nothing else works after this but the
 * same again.
 */
void vq_driver_offer(struct vq_driver *driver, const struct vq_desc *descs,
		     uint32_t count);

/**
 * vq_driver_offer_head() - put a number into the available ring
 * @driver: the driver; split
 * @head: the number
 */
void vq_driver_offer_head(struct vq_driver *driver, uint16_t head);

/**
 * vq_driver_jump() - move the available index without chains behind it
 * @driver: the driver; split
 * @count: by how much
 */
void vq_driver_jump(struct vq_driver *driver, uint16_t count);

#endif
