/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_REPORT_H
#define VHB_SESSION_REPORT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * DOC: what there is to tell of a session
 *
 * Numbers and words only, so that who shows them needs to know nothing of
 * sessions.
 */

/** Vrings a report has room for */
#define VHB_REPORT_VRINGS_MAX 160
/** Room for what kind a descriptor is */
#define VHB_REPORT_KIND_BYTES 24
/** Room for the name of a process */
#define VHB_REPORT_COMMAND_BYTES 16

/**
 * struct vhb_report_vring - a vring that the front-end has set up, in part at least
 * @index: which
 * @num: entries; 0 until told
 * @base: where it began, or is to begin
 * @is_started: it has a kick descriptor
 * @is_enabled: by SET_VRING_ENABLE, or without bit 30
 * @is_running: the kernel processes it
 * @is_draining: it is being stopped and finishes what it has taken
 * @has_indices: @avail_index and @used_index were read: it runs, is a split
 *               virtqueue without an IOMMU, and its memory is there
 * @avail_index: what the driver has made available so far, 16 bits
 * @used_index: what of it was given back
 * @kick_kind: what its kick descriptor is, see vhb_fd_add_kind()
 * @call_kind: likewise
 */
struct vhb_report_vring {
	unsigned int index;
	uint32_t num;
	uint32_t base;
	bool is_started;
	bool is_enabled;
	bool is_running;
	bool is_draining;
	bool has_indices;
	uint16_t avail_index;
	uint16_t used_index;
	char kick_kind[VHB_REPORT_KIND_BYTES];
	char call_kind[VHB_REPORT_KIND_BYTES];
};

/**
 * struct vhb_report - a session, or that there is none
 * @has_front_end: there is one; else the rest is zero
 * @pid: the front-end's process, as far as it can be seen from here; else 0
 * @uid: its user
 * @command: its name, may be empty
 * @offered_mask: features offered
 * @features_mask: features it acked, bit 30 not among them
 * @offered_protocol_mask: protocol features offered
 * @protocol_features_mask: those it set
 * @region_count: of its memory
 * @memory_bytes: likewise
 * @vring_count: members of @vrings that are valid
 * @vrings: those it has told something of
 */
struct vhb_report {
	bool has_front_end;
	uint32_t pid;
	uint32_t uid;
	char command[VHB_REPORT_COMMAND_BYTES];
	uint64_t offered_mask;
	uint64_t features_mask;
	uint64_t offered_protocol_mask;
	uint64_t protocol_features_mask;
	unsigned int region_count;
	uint64_t memory_bytes;
	unsigned int vring_count;
	struct vhb_report_vring vrings[VHB_REPORT_VRINGS_MAX];
};

struct vhb_session;

/**
 * vhb_session_report() - what there is to tell of a session now
 * @session: may be NULL
 * @report: filled in
 *
 * Changes nothing and waits for nobody. Indices are read from the guest's memory
 * through the kernel, and only where that memory is there already: neither a
 * front-end that truncates it nor one that lets it be filled in by hand
 * (userfaultfd, FUSE) does harm.
 */
void vhb_session_report(const struct vhb_session *session,
			struct vhb_report *report);

#endif
