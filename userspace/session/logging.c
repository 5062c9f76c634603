// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/logging.h"

#include <errno.h>
#include <string.h>

#include "lib/bits.h"

#define LOG_ADDRESS_ALIGN_BYTES 4

/* Neither a descriptor nor none */
#define LOG_FD_UNKNOWN (-2)

static bool logs_ring(const struct vhb_vring_want *vring)
{
	return vring->has_addr &&
	       vhb_has_bit(vring->addr.flags, VHB_VRING_F_LOG_BIT);
}

uint64_t vhb_logging_features(const struct vhb_want *want)
{
	if (want->log)
		return want->features_mask;
	return want->features_mask & ~vhb_bit(VHOST_F_LOG_ALL);
}

static bool marks_anything(const struct vhb_session *session,
			   const struct vhb_want *want)
{
	if (vhb_has_bit(want->features_mask, VHOST_F_LOG_ALL))
		return true;
	for (unsigned int i = 0; i < session->config.kdev->vring_count; i++)
		/* What a stopped one was told last counts when it starts again. */
		if (want->vrings[i].kick_fd >= 0 && logs_ring(&want->vrings[i]))
			return true;
	return false;
}

int vhb_logging_check(struct vhb_session *session, const struct vhb_want *want)
{
	const struct vhost_memory_region *last;
	const struct vhost_memory *table;

	if (!want->log || !want->map || !marks_anything(session, want))
		return 0;
	table = vhb_memory_map_table(want->map);
	if (!table->nregions)
		return 0;
	last = &table->regions[table->nregions - 1];
	if (vhb_dirty_log_covers(want->log, last->guest_phys_addr,
				 last->memory_size))
		return 0;
	return vhb_refuse(session, -ERANGE,
			  "the dirty log is too short for memory up to guest address %#llx",
			  (unsigned long long)(last->guest_phys_addr +
					       (last->memory_size - 1)));
}

int vhb_logging_locate(struct vhb_session *session, const struct vhb_want *want,
		       uint64_t used_bytes, struct vhost_vring_addr *addr)
{
	const struct vhb_vring_want *vring = &want->vrings[addr->index];
	const uint64_t gpa = vring->addr.log_gpa;

	/*
	 * The address stays zero where it is not used: front-ends put anything
	 * there when they do not log (UML: all ones), and the kernel wants it
	 * aligned all the same.
	 */
	addr->flags = 0;
	addr->log_guest_addr = 0;
	if (!want->log || !logs_ring(vring))
		return 0;
	addr->flags = vhb_bit(VHOST_VRING_F_LOG);
	if (!used_bytes)
		return 0;
	if (gpa % LOG_ADDRESS_ALIGN_BYTES)
		return vhb_refuse(session, -EINVAL,
				  "the log address of vring %u is not aligned",
				  addr->index);
	if (!vhb_dirty_log_covers(want->log, gpa, used_bytes))
		return vhb_refuse(session, -ERANGE,
				  "the used ring of vring %u, at %#llx for the dirty log, is not in it",
				  addr->index, (unsigned long long)gpa);
	addr->log_guest_addr = gpa;
	return 0;
}

static int program_base(struct vhb_session *session,
			const struct vhb_want *want)
{
	struct vhb_kdev *kdev = session->config.kdev;
	struct vhb_have *have = &session->have;
	int ret;

	/*
	 * Without one nothing is marked, so the kernel may keep what it has; the
	 * reference keeps it mapped.
	 */
	if (!want->log || have->log == want->log)
		return 0;
	ret = kdev->ops->set_log_base(kdev, vhb_dirty_log_address(want->log));
	/* Even if it fails half of it may have been done: tell all of it again. */
	vhb_dirty_log_put(have->log);
	have->log = ret ? NULL : vhb_dirty_log_get(want->log);
	return ret ? vhb_refuse(session, ret, "VHOST_SET_LOG_BASE: %s",
				strerrordesc_np(-ret)) :
		     0;
}

static int program_call(struct vhb_session *session,
			const struct vhb_want *want)
{
	struct vhb_kdev *kdev = session->config.kdev;
	struct vhb_have *have = &session->have;
	int ret;

	if ((have->has_log_fd ? have->log_fd : -1) == want->log_fd)
		return 0;
	ret = kdev->ops->set_log_fd(kdev, want->log_fd);
	have->has_log_fd = true;
	have->log_fd = ret ? LOG_FD_UNKNOWN : want->log_fd;
	return ret ? vhb_refuse(session, ret, "VHOST_SET_LOG_FD: %s",
				strerrordesc_np(-ret)) :
		     0;
}

int vhb_logging_program(struct vhb_session *session,
			const struct vhb_want *want)
{
	int ret = program_base(session, want);

	return ret ? ret : program_call(session, want);
}
