// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/report.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/bits.h"
#include "lib/fd_kind.h"
#include "lib/own_memory.h"
#include "session/postcopy.h"
#include "session/state.h"

static_assert(VHB_REPORT_VRINGS_MAX >= VHB_VRING_COUNT_MAX, "room for all");

/* Not what must be fetched first: whoever has to fetch it may never do so. */
static bool is_resident(uint64_t addr)
{
	const uint64_t page_bytes = sysconf(_SC_PAGESIZE);
	unsigned char residence;

	return !mincore((void *)(uintptr_t)(addr & ~(page_bytes - 1)),
			page_bytes, &residence) && residence & 1;
}

static bool read_index(uint64_t addr, uint16_t *index_out)
{
	return is_resident(addr) &&
	       !vhb_own_memory_read(addr, index_out, sizeof(*index_out));
}

static void read_indices(const struct vhb_vring_have *have,
			 struct vhb_report_vring *vring)
{
	const uint64_t avail = have->addr.avail_user_addr +
			       offsetof(struct vring_avail, idx);
	const uint64_t used = have->addr.used_user_addr +
			      offsetof(struct vring_used, idx);

	/* In this order what is used was available before. */
	vring->has_indices = read_index(used, &vring->used_index) &&
			     read_index(avail, &vring->avail_index);
}

static void write_kind(int fd, char *kind)
{
	struct vhb_text text;

	vhb_text_begin(&text, kind, VHB_REPORT_KIND_BYTES);
	vhb_fd_add_kind(fd, &text);
}

static void report_vring(const struct vhb_session *session, unsigned int index,
			 struct vhb_report_vring *vring)
{
	const struct vhb_vring_want *want = &session->want.vrings[index];
	const struct vhb_vring_have *have = &session->have.vrings[index];

	vring->index = index;
	vring->num = want->num;
	vring->base = want->base;
	vring->is_started = want->kick_fd >= 0;
	vring->is_enabled = want->is_enabled;
	vring->is_running = have->is_running;
	vring->is_draining = have->is_draining;
	write_kind(want->kick_fd, vring->kick_kind);
	write_kind(want->call_fd, vring->call_kind);
	/*
	 * Packed ones have none; with an IOMMU the addresses are the guest's. In
	 * postcopy even a page that is there may be gone a moment later.
	 */
	if (have->is_running && !vhb_postcopy_is_listening(session) &&
	    !vhb_has_bit(session->have.features_mask, VIRTIO_F_RING_PACKED) &&
	    !vhb_has_bit(session->have.features_mask, VIRTIO_F_ACCESS_PLATFORM))
		read_indices(have, vring);
}

static bool was_told_of(const struct vhb_vring_want *want)
{
	return want->num || want->has_addr || want->kick_fd >= 0 ||
	       want->call_fd >= 0;
}

/* Whoever has the number now: a front-end may be gone, and it passed the socket on. */
static void read_command(uint32_t pid, char *command)
{
	char path[32];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	length = read(fd, command, VHB_REPORT_COMMAND_BYTES - 1);
	close(fd);
	command[length > 0 ? length : 0] = '\0';
	command[strcspn(command, "\n")] = '\0';
}

static void report_front_end(const struct vhb_session *session,
			     struct vhb_report *report)
{
	socklen_t size_bytes = sizeof(struct ucred);
	struct ucred peer;

	if (getsockopt(session->channel.fd, SOL_SOCKET, SO_PEERCRED, &peer,
		       &size_bytes))
		return;
	report->pid = peer.pid > 0 ? peer.pid : 0;
	report->uid = peer.uid;
	if (report->pid)
		read_command(report->pid, report->command);
}

void vhb_session_report(const struct vhb_session *session,
			struct vhb_report *report)
{
	const struct vhb_want *want;
	unsigned int i;

	memset(report, 0, sizeof(*report));
	if (!session || session->stage == VHB_SESSION_ENDS)
		return;
	want = &session->want;
	report->has_front_end = true;
	report_front_end(session, report);
	report->offered_mask = session->offered_mask;
	report->features_mask = want->features_mask;
	report->offered_protocol_mask = session->offered_protocol_mask;
	report->protocol_features_mask = want->protocol_features_mask;
	report->region_count = vhb_memory_map_region_count(want->map);
	report->memory_bytes = vhb_memory_map_bytes(want->map);
	for (i = 0; i < session->config.kdev->vring_count; i++)
		if (was_told_of(&want->vrings[i]))
			report_vring(session, i,
				     &report->vrings[report->vring_count++]);
}
