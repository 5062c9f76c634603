// SPDX-License-Identifier: GPL-2.0-or-later
/* A recorder with an IOTLB, as strict as vhost's and as forgetful. */
#include "lib/recorder_state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <cmocka.h>

#include <linux/virtio_config.h>

#include "lib/bits.h"

/* Flags and index of a used ring */
#define USED_HEADER_BYTES 4

static struct vhb_kdev_ops iotlb_ops;

bool recorder_has_iotlb(const struct recorder *recorder)
{
	return vhb_has_bit(recorder->acked_mask, VIRTIO_F_ACCESS_PLATFORM);
}

static void add_entry(struct recorder *recorder,
		      const struct vhost_iotlb_msg *message)
{
	struct recorded_iotlb *iotlb = &recorder->iotlb;

	if (iotlb->entry_count == RECORDER_ENTRIES_MAX) {
		recorder_fault(recorder, "more entries than a test needs");
		return;
	}
	iotlb->entries[iotlb->entry_count++] = (struct recorded_entry){
		.iova = message->iova,
		.size_bytes = message->size,
		.hva = message->uaddr,
		.permission = message->perm,
	};
}

static void remove_entries(struct recorded_iotlb *iotlb, uint64_t iova,
			   uint64_t size_bytes)
{
	const uint64_t last = iova + size_bytes - 1;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < iotlb->entry_count; i++) {
		const struct recorded_entry *entry = &iotlb->entries[i];

		if (entry->iova > last ||
		    entry->iova + entry->size_bytes - 1 < iova)
			iotlb->entries[kept++] = *entry;
	}
	iotlb->entry_count = kept;
}

static int op_iotlb_write(struct vhb_kdev *kdev,
			  const struct vhost_iotlb_msg *message)
{
	struct recorder *recorder = (struct recorder *)kdev;
	const bool is_update = message->type == VHOST_IOTLB_UPDATE;
	int ret = recorder_begin(recorder, is_update ? "IOTLB_UPDATE" :
						       "IOTLB_INVALIDATE");
	char line[160];

	if (!recorder_has_iotlb(recorder))
		recorder_fault(recorder, "there is no IOTLB");
	if (!message->size ||
	    message->size - 1 > UINT64_MAX - message->iova)
		recorder_fault(recorder, "no size for the IOTLB, or one that wraps");
	if (!is_update && message->type != VHOST_IOTLB_INVALIDATE)
		recorder_fault(recorder, "a message the IOTLB does not know");
	if (is_update && (!message->perm || message->perm > VHOST_ACCESS_RW))
		recorder_fault(recorder, "a permission that is none");
	if (is_update)
		snprintf(line, sizeof(line),
			 "IOTLB_UPDATE 0x%llx+0x%llx at 0x%llx permission %u",
			 message->iova, message->size,
			 (unsigned long long)recorder_gpa(recorder,
							  message->uaddr,
							  message->size),
			 message->perm);
	else
		snprintf(line, sizeof(line), "IOTLB_INVALIDATE 0x%llx+0x%llx",
			 message->iova, message->size);
	if (!ret && is_update)
		add_entry(recorder, message);
	else if (!ret)
		remove_entries(&recorder->iotlb, message->iova, message->size);
	return recorder_finish(recorder, ret, "%s", line);
}

void recorder_check_entries(struct recorder *recorder)
{
	for (unsigned int i = 0; i < recorder->iotlb.entry_count; i++) {
		const struct recorded_entry *entry =
			&recorder->iotlb.entries[i];

		recorder_gpa(recorder, entry->hva, entry->size_bytes);
	}
}

static void add_miss(struct recorder *recorder, uint64_t iova,
		     uint8_t permission)
{
	struct recorded_iotlb *iotlb = &recorder->iotlb;

	if (iotlb->miss_count == RECORDER_MISSES_MAX) {
		recorder_fault(recorder, "more misses than a test needs");
		return;
	}
	iotlb->misses[iotlb->miss_count++] =
		(struct recorded_miss){ iova, permission };
	eventfd_write(recorder->news_fd, 1);
}

int recorder_look_up_used(struct recorder *recorder,
			  const struct recorded_vring *vring)
{
	const uint64_t used = vring->addr.used_user_addr;

	if (!recorder_has_iotlb(recorder))
		return 0;
	for (unsigned int i = 0; i < recorder->iotlb.entry_count; i++) {
		const struct recorded_entry *entry =
			&recorder->iotlb.entries[i];

		if (entry->permission == VHOST_ACCESS_RW &&
		    vhb_range_contains(entry->iova, entry->size_bytes, used,
				       USED_HEADER_BYTES))
			return 0;
	}
	add_miss(recorder, used, VHOST_ACCESS_WO);
	return -EAGAIN;
}

static bool take_miss(struct recorder *recorder, unsigned int index,
		      struct recorded_miss *miss)
{
	struct recorded_iotlb *iotlb = &recorder->iotlb;
	bool is_there;

	pthread_mutex_lock(&recorder->lock);
	is_there = index < iotlb->miss_count;
	if (is_there)
		*miss = iotlb->misses[index];
	else
		iotlb->miss_count = 0;
	pthread_mutex_unlock(&recorder->lock);
	return is_there;
}

void recorder_tell_misses(struct recorder *recorder)
{
	struct recorded_miss miss;
	unsigned int i;

	for (i = 0; recorder->listener && take_miss(recorder, i, &miss); i++)
		recorder->listener->on_miss(recorder->listener->argument,
					    miss.iova, miss.permission);
}

void recorder_miss(struct recorder *recorder, uint64_t iova, uint8_t permission)
{
	pthread_mutex_lock(&recorder->lock);
	add_miss(recorder, iova, permission);
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_make_iotlb(struct recorder *recorder)
{
	iotlb_ops = *recorder->kdev.ops;
	iotlb_ops.listen = recorder_listen;
	iotlb_ops.iotlb_write = op_iotlb_write;
	recorder->kdev.ops = &iotlb_ops;
	recorder->features_mask |= vhb_bit(VIRTIO_F_ACCESS_PLATFORM);
	if (recorder->news_fd >= 0)
		return;
	recorder->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(recorder->news_fd >= 0);
}
