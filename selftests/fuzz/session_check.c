// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel is given, judged by what is really mapped. */
#include <string.h>

#include <linux/vhost_bridge.h>
#include <linux/virtio_config.h>

#include "fuzz/mappings.h"
#include "fuzz/must.h"
#include "fuzz/session_run_state.h"
#include "lib/bits.h"

/* Memory that a byte of a dirty log stands for: a bit for 4 KiB */
#define LOG_BYTE_BYTES (8 * UINT64_C(4096))

/* kdev.h: the operations have no argument of their own. */
static struct run *checked;

static void check_parts(const struct recorder *recorder,
			const struct recorded_vring *vring)
{
	const struct vhost_vring_addr *addr = &vring->addr;
	const bool is_packed = vhb_has_bit(recorder->acked_mask,
					   VIRTIO_F_RING_PACKED);
	const uint64_t num = vring->num;

	if (vring->slot_addr)
		must(mappings_are_files(vring->slot_addr,
					sizeof(struct vhost_bridge_saved_base)));
	/* Then they are the guest's, for the IOTLB. */
	if (vhb_has_bit(recorder->acked_mask, VIRTIO_F_ACCESS_PLATFORM))
		return;
	must(mappings_are_files(addr->desc_user_addr, 16 * num));
	must(mappings_are_files(addr->avail_user_addr,
				is_packed ? 4 : 6 + 2 * num));
	must(mappings_are_files(addr->used_user_addr,
				is_packed ? 4 : 6 + 8 * num));
}

static void check_entries(const struct recorded_iotlb *iotlb)
{
	for (unsigned int i = 0; i < iotlb->entry_count; i++)
		must(mappings_are_files(iotlb->entries[i].hva,
					iotlb->entries[i].size_bytes));
}

/* The kernel does not know how long it is. */
static void check_log(const struct recorder *recorder)
{
	const struct vhost_memory *table = recorder->table;

	for (uint32_t i = 0; i < table->nregions; i++) {
		const struct vhost_memory_region *region = &table->regions[i];
		const uint64_t last = region->guest_phys_addr +
				      region->memory_size - 1;

		must(mappings_are_files(recorder->log_base +
					region->guest_phys_addr / LOG_BYTE_BYTES,
					1));
		must(mappings_are_files(recorder->log_base +
					last / LOG_BYTE_BYTES, 1));
	}
}

static void check_table(const struct vhost_memory *table)
{
	for (uint32_t i = 0; i < table->nregions; i++)
		must(mappings_are_ours(table->regions[i].userspace_addr,
				       table->regions[i].memory_size));
}

void run_check_kdev(const struct run *run)
{
	const struct recorder *recorder = run->recorder;

	if (recorder->fault)
		fprintf(stderr, "the kernel device was misused: %s\n",
			recorder->fault);
	must(!recorder->fault);
	if (recorder->table)
		check_table(recorder->table);
	check_entries(&recorder->iotlb);
	if (recorder_count_running(recorder) &&
	    vhb_has_bit(recorder->acked_mask, VHOST_F_LOG_ALL))
		check_log(recorder);
	for (unsigned int i = 0; i < recorder->kdev.vring_count; i++)
		if (recorder->vrings[i].is_running)
			check_parts(recorder, &recorder->vrings[i]);
}

static int checked_start(struct vhb_kdev *kdev, unsigned int index)
{
	must(index < kdev->vring_count);
	must(checked->recorder->table);
	check_parts(checked->recorder, &checked->recorder->vrings[index]);
	return checked->below->start_vring(kdev, index);
}

static int checked_table(struct vhb_kdev *kdev,
			 const struct vhost_memory *table)
{
	check_table(table);
	return checked->below->set_mem_table(kdev, table);
}

void run_check_before(struct run *run)
{
	checked = run;
	run->below = run->recorder->kdev.ops;
	run->ops = *run->below;
	run->ops.start_vring = checked_start;
	run->ops.set_mem_table = checked_table;
	run->recorder->kdev.ops = &run->ops;
}

/* FNV-1a */
static uint64_t hash(const void *bytes, size_t size_bytes)
{
	const uint8_t *byte = bytes;
	uint64_t value = UINT64_C(0xcbf29ce484222325);

	while (size_bytes--)
		value = (value ^ *byte++) * UINT64_C(0x100000001b3);
	return value;
}

void run_take_snapshot(const struct run *run, struct run_snapshot *snapshot)
{
	const struct recorder *recorder = run->recorder;

	memset(snapshot, 0, sizeof(*snapshot));
	for (unsigned int i = 0; i < recorder->kdev.vring_count; i++) {
		const struct recorded_vring *vring = &recorder->vrings[i];

		if (!vring->is_running)
			continue;
		snapshot->running_mask |= vhb_bit(i);
		snapshot->vrings[i].num = vring->num;
		snapshot->vrings[i].base = vring->base;
		snapshot->vrings[i].addr = vring->addr;
	}
	if (!snapshot->running_mask)
		return;
	snapshot->features_mask = recorder->acked_mask;
	snapshot->table_hash = hash(recorder->table,
				    sizeof(*recorder->table) +
				    recorder->table->nregions *
				    sizeof(recorder->table->regions[0]));
}

static bool is_any_stuck(const struct recorder *recorder)
{
	for (unsigned int i = 0; i < recorder->kdev.vring_count; i++)
		if (recorder->vrings[i].is_stuck)
			return true;
	return false;
}

void run_check_same(const struct run *run, const struct run_snapshot *before)
{
	struct run_snapshot now;

	/* A kernel that does not stop a vring says no base either. */
	if (is_any_stuck(run->recorder))
		return;
	run_take_snapshot(run, &now);
	must(now.running_mask == before->running_mask);
	must(now.features_mask == before->features_mask);
	must(now.table_hash == before->table_hash);
	must(!memcmp(now.vrings, before->vrings, sizeof(now.vrings)));
}
