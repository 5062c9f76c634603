// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/recorder_state.h"

#include <errno.h>
#include <unistd.h>

#include <sys/uio.h>

#include <linux/virtio_config.h>

#include "lib/bits.h"

#define LOG_PAGE_BYTES 4096
#define SYSTEM_PAGE_BYTES 4096

/* As the kernel does it, which sees that nothing is mapped there. */
static bool set_bit(uint64_t address, unsigned int bit)
{
	uint8_t byte;
	struct iovec local = { .iov_base = &byte, .iov_len = 1 };
	struct iovec remote = {
		.iov_base = (void *)(uintptr_t)address,
		.iov_len = 1,
	};

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1)
		return false;
	byte |= 1u << bit;
	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == 1;
}

static void mark_page(struct recorder *recorder, uint64_t gpa)
{
	const uint64_t page = gpa / LOG_PAGE_BYTES;

	if (set_bit(recorder->log_base + page / 8, page % 8) ||
	    recorder->may_miss_log)
		return;
	recorder_fault(recorder, "no dirty log to mark %#llx in",
		       (unsigned long long)gpa);
}

static void mark_range(struct recorder *recorder, uint64_t gpa, uint64_t bytes)
{
	mark_page(recorder, gpa);
	mark_page(recorder, gpa + (bytes - 1));
}

static void mark_all(struct recorder *recorder)
{
	const struct vhost_memory *table = recorder->table;

	for (uint32_t i = 0; table && i < table->nregions; i++)
		mark_range(recorder, table->regions[i].guest_phys_addr,
			   table->regions[i].memory_size);
}

static void mark_ring(struct recorder *recorder,
		      const struct recorded_vring *vring)
{
	if (vhb_has_bit(recorder->acked_mask, VIRTIO_F_RING_PACKED) ||
	    vhb_has_bit(recorder->acked_mask, VIRTIO_F_ACCESS_PLATFORM))
		mark_all(recorder);
	else
		mark_range(recorder, vring->addr.log_guest_addr,
			   6 + 8 * (uint64_t)vring->num);
}

void recorder_mark(struct recorder *recorder)
{
	const bool has_log_all =
		vhb_has_bit(recorder->acked_mask, VHOST_F_LOG_ALL);

	for (unsigned int i = 0; i < recorder->kdev.vring_count; i++) {
		const struct recorded_vring *vring = &recorder->vrings[i];

		if (!vring->is_running ||
		    (!has_log_all && !vring->addr.flags))
			continue;
		if (!recorder->log_base) {
			recorder_fault(recorder, "marks, but no dirty log");
			return;
		}
		if (has_log_all)
			mark_all(recorder);
		if (vring->addr.flags)
			mark_ring(recorder, vring);
	}
}

int recorder_set_log_base(struct vhb_kdev *kdev, uint64_t address)
{
	struct recorder *recorder = (struct recorder *)kdev;
	int ret = recorder_begin(recorder, "SET_LOG_BASE");

	if (!ret) {
		recorder->log_base = address;
		recorder_mark(recorder);
	}
	return recorder_finish(recorder, ret, "SET_LOG_BASE %#llx",
			       (unsigned long long)address % SYSTEM_PAGE_BYTES);
}

int recorder_set_log_fd(struct vhb_kdev *kdev, int fd)
{
	struct recorder *recorder = (struct recorder *)kdev;
	int ret = recorder_begin(recorder, "SET_LOG_FD");
	const char *text = recorder_fd_text(recorder, fd, &ret);

	return recorder_finish(recorder, ret, "SET_LOG_FD %s", text);
}

/* Not a vhost ioctl: no owner is asked for. */
int recorder_send_rarp(struct vhb_kdev *kdev, const uint8_t *mac)
{
	struct recorder *recorder = (struct recorder *)kdev;
	int error;

	pthread_mutex_lock(&recorder->lock);
	error = mac[0] & 1 ? EINVAL :
			     recorder_named_failure(recorder, "SEND_RARP");
	return recorder_finish(recorder, -error,
			       "SEND_RARP %02x:%02x:%02x:%02x:%02x:%02x",
			       mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void recorder_allow_log_misses(struct recorder *recorder)
{
	pthread_mutex_lock(&recorder->lock);
	recorder->may_miss_log = true;
	pthread_mutex_unlock(&recorder->lock);
}
