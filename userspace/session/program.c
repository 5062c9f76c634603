// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/program.h"

#include <errno.h>
#include <string.h>

#include "lib/bits.h"
#include "session/base.h"
#include "session/handle_inband.h"
#include "session/logging.h"
#include "session/postcopy.h"
#include "session/vring.h"

/**
 * struct plan - what shall become of the vrings
 * @run: this vring shall run
 * @addr: with these addresses in the broker, or of an IOMMU
 * @any_runs: there is one that shall run
 * @must_retry: the kernel may have forgotten what vrings that run wait for in the
 *              IOTLB
 */
struct plan {
	bool run[VHB_VRING_COUNT_MAX];
	struct vhost_vring_addr addr[VHB_VRING_COUNT_MAX];
	bool any_runs;
	bool must_retry;
};

static int failed(struct vhb_session *session, int error, const char *call,
		  unsigned int index)
{
	return vhb_refuse(session, error, "%s for vring %u: %s", call, index,
			  strerrordesc_np(-error));
}

static bool is_startable(const struct vhb_want *want, unsigned int index)
{
	const struct vhb_vring_want *vring = &want->vrings[index];

	return want->has_features && want->map && vring->num &&
	       vring->has_addr && vring->kick_fd >= 0 && vring->is_enabled;
}

static int make_plan(struct vhb_session *session, const struct vhb_want *want,
		     struct plan *plan)
{
	unsigned int i;
	int ret;

	memset(plan, 0, sizeof(*plan));
	ret = vhb_logging_check(session, want);
	if (ret)
		return ret;
	for (i = 0; i < session->config.kdev->vring_count; i++) {
		if (!is_startable(want, i))
			continue;
		ret = vhb_vring_locate(session, want, i, &plan->addr[i]);
		if (ret)
			return ret;
		ret = vhb_vring_check_base(session, want, i,
					   vhb_vring_base(want, i));
		if (ret)
			return ret;
		plan->run[i] = true;
		plan->any_runs = true;
	}
	return 0;
}

static bool is_same_ring(const struct vhost_vring_addr *a,
			 const struct vhost_vring_addr *b)
{
	return a->desc_user_addr == b->desc_user_addr &&
	       a->avail_user_addr == b->avail_user_addr &&
	       a->used_user_addr == b->used_user_addr;
}

/* What a vring that runs cannot be given without stopping it */
static bool must_restart(const struct vhb_session *session,
			 const struct vhb_want *want, const struct plan *plan,
			 unsigned int index)
{
	const struct vhb_vring_have *have = &session->have.vrings[index];
	const uint64_t changed_mask =
		session->have.features_mask ^ want->features_mask;

	return changed_mask & ~vhb_bit(VHOST_F_LOG_ALL) ||
	       have->num != want->vrings[index].num ||
	       want->vrings[index].base_is_new ||
	       have->slot_addr != vhb_inflight_slot(want->inflight, index) ||
	       !is_same_ring(&have->addr, &plan->addr[index]);
}

static void note_base(struct vhb_vring_want *vring, uint32_t base)
{
	vring->base = base;
	vring->has_base = true;
}

/* What the kernel has signalled until now is passed on. */
static void call_no_more(struct vhb_session *session, unsigned int index)
{
	struct vhb_vring_have *have = &session->have.vrings[index];

	vhb_call_relay_destroy(have->relay);
	have->relay = NULL;
	vhb_inband_close(session->inband, index, VHB_INBAND_CALL);
	vhb_inband_close(session->inband, index, VHB_INBAND_ERR);
}

static int stop_vring(struct vhb_session *session, struct vhb_want *want,
		      unsigned int index)
{
	struct vhb_kdev *kdev = session->config.kdev;
	struct vhb_vring_have *have = &session->have.vrings[index];
	uint32_t base = session->want.vrings[index].base;
	int ret;

	ret = kdev->ops->stop_vring(kdev, index, &base);
	have->is_running = false;
	call_no_more(session, index);

	note_base(&session->want.vrings[index], base);
	if (!want->vrings[index].base_is_new)
		note_base(&want->vrings[index], base);
	return ret ? failed(session, ret, "stopping", index) : 0;
}

static bool must_stop(const struct vhb_session *session,
		      const struct vhb_want *want, const struct plan *plan,
		      unsigned int index)
{
	return session->have.vrings[index].is_running &&
	       (!plan->run[index] || must_restart(session, want, plan, index));
}

static int stop_vrings(struct vhb_session *session, struct vhb_want *want,
		       struct plan *plan)
{
	int first_error = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < session->config.kdev->vring_count; i++) {
		if (!must_stop(session, want, plan, i))
			continue;
		/* vhost does so for a descriptor's others. */
		plan->must_retry = true;
		ret = stop_vring(session, want, i);
		if (ret && !first_error)
			first_error = ret;
	}
	return first_error;
}

static int program_device(struct vhb_session *session,
			  const struct vhb_want *want, struct plan *plan)
{
	struct vhb_kdev *kdev = session->config.kdev;
	struct vhb_have *have = &session->have;
	const uint64_t features_mask = vhb_logging_features(want);
	int ret;

	if (!have->is_owner) {
		if (!plan->any_runs)
			return 0;
		ret = kdev->ops->set_owner(kdev);
		if (ret)
			return vhb_refuse(session, ret, "VHOST_SET_OWNER: %s",
					  strerrordesc_np(-ret));
		have->is_owner = true;
	}

	ret = vhb_logging_program(session, want);
	if (ret)
		return ret;

	if (want->has_features && (!have->has_features ||
				   have->features_mask != features_mask)) {
		/* Even if it fails half of it may have been done. */
		have->has_features = false;
		if (vhb_iotlb_is_wanted(want))
			have->may_have_iotlb = true;
		plan->must_retry = true;
		ret = kdev->ops->set_features(kdev, features_mask);
		if (ret)
			return vhb_refuse(session, ret,
					  "VHOST_SET_FEATURES: %s",
					  strerrordesc_np(-ret));
		have->has_features = true;
		have->features_mask = features_mask;
	}

	if (want->map &&
	    (have->map != want->map || have->is_map_unsure)) {
		/* No address must live on in the IOTLB that is about to go. */
		if (vhb_iotlb_is_had(session) &&
		    !vhb_memory_map_includes(want->map, have->map)) {
			ret = vhb_iotlb_forget_all(session);
			if (ret)
				return vhb_refuse(session, ret,
						  "invalidating the IOTLB: %s",
						  strerrordesc_np(-ret));
		}
		/* As above: what was there before stays mapped until it is gone. */
		have->is_map_unsure = true;
		ret = kdev->ops->set_mem_table(kdev,
					       vhb_memory_map_table(want->map));
		if (ret)
			return vhb_refuse(session, ret,
					  "VHOST_SET_MEM_TABLE: %s",
					  strerrordesc_np(-ret));
		vhb_memory_map_put(have->map);
		have->map = vhb_memory_map_get(want->map);
		have->is_map_unsure = false;
	}
	return 0;
}

/*
 * The old call descriptor may hold the last call before the switch and the
 * front-end may have stopped to listen to it, so the new one gets one for free.
 */
static int program_call(struct vhb_session *session, unsigned int index, int fd)
{
	struct vhb_kdev *kdev = session->config.kdev;
	struct vhb_vring_have *have = &session->have.vrings[index];
	struct vhb_call_relay *relay = NULL;
	int target_fd = fd;
	int ret;

	if (fd == VHB_FD_INBAND) {
		target_fd = vhb_inband_open(session->inband, index,
					    VHB_INBAND_CALL);
		if (target_fd < 0)
			return failed(session, target_fd, "in-band calls",
				      index);
	} else if (vhb_call_relay_is_needed(fd)) {
		ret = vhb_call_relay_create(session->config.loop, fd, &relay);
		if (ret)
			return failed(session, ret, "call relay", index);
		target_fd = vhb_call_relay_eventfd(relay);
	}

	ret = kdev->ops->set_vring_call(kdev, index, target_fd);
	if (ret) {
		vhb_call_relay_destroy(relay);
		return failed(session, ret, "VHOST_SET_VRING_CALL", index);
	}

	vhb_call_relay_destroy(have->relay);
	have->relay = relay;
	have->call_fd = fd;
	if (fd != VHB_FD_INBAND)
		vhb_inband_close(session->inband, index, VHB_INBAND_CALL);
	return 0;
}

static void call_once(struct vhb_session *session, unsigned int index)
{
	const struct vhb_vring_have *have = &session->have.vrings[index];
	int fd = have->call_fd;

	if (have->relay)
		fd = vhb_call_relay_eventfd(have->relay);
	else if (fd == VHB_FD_INBAND)
		fd = vhb_inband_open(session->inband, index, VHB_INBAND_CALL);
	if (fd >= 0)
		vhb_loop_signal(session->config.loop, fd);
}

static int program_kick(struct vhb_session *session, unsigned int index, int fd)
{
	struct vhb_kdev *kdev = session->config.kdev;
	int ret = kdev->ops->set_vring_kick(kdev, index, fd);

	if (ret)
		return failed(session, ret, "VHOST_SET_VRING_KICK", index);
	session->have.vrings[index].kick_fd = fd;
	return 0;
}

static int program_err(struct vhb_session *session, unsigned int index, int fd)
{
	struct vhb_kdev *kdev = session->config.kdev;
	int target_fd = fd;
	int ret;

	if (fd == VHB_FD_INBAND) {
		target_fd = vhb_inband_open(session->inband, index,
					    VHB_INBAND_ERR);
		if (target_fd < 0)
			return failed(session, target_fd, "in-band errors",
				      index);
	}
	ret = kdev->ops->set_vring_err(kdev, index, target_fd);
	if (ret)
		return failed(session, ret, "VHOST_SET_VRING_ERR", index);
	session->have.vrings[index].err_fd = fd;
	if (fd != VHB_FD_INBAND)
		vhb_inband_close(session->inband, index, VHB_INBAND_ERR);
	return 0;
}

/* How the front-end learns of calls or errors */
static int told_by(const struct vhb_want *want, int fd)
{
	return fd < 0 && vhb_is_inband(want) ? VHB_FD_INBAND : fd;
}

static int start_vring(struct vhb_session *session, struct vhb_want *device,
		       const struct vhost_vring_addr *addr)
{
	struct vhb_kdev *kdev = session->config.kdev;
	const unsigned int index = addr->index;
	struct vhb_vring_want *want = &device->vrings[index];
	struct vhb_vring_have *have = &session->have.vrings[index];
	const int err_fd = told_by(device, want->err_fd);
	uint64_t slot_addr = vhb_inflight_slot(device->inflight, index);
	bool is_taken_over = want->has_unread_slot;
	int ret;

	ret = vhb_postcopy_fetch(session, device, addr);
	if (ret)
		return failed(session, ret, "waiting for the used ring", index);
	vhb_vring_take_saved_base(session, device, index);
	is_taken_over = is_taken_over && !want->has_unread_slot;
	vhb_base_correct(session, device, addr);
	ret = kdev->ops->set_vring_num(kdev, index, want->num);
	if (ret)
		return failed(session, ret, "VHOST_SET_VRING_NUM", index);
	ret = kdev->ops->set_vring_base(kdev, index,
					vhb_vring_base(device, index));
	if (ret)
		return failed(session, ret, "VHOST_SET_VRING_BASE", index);
	ret = kdev->ops->set_vring_addr(kdev, addr);
	if (ret)
		return failed(session, ret, "VHOST_SET_VRING_ADDR", index);
	ret = program_kick(session, index, want->kick_fd);
	if (ret)
		return ret;
	/* A used ring that the IOTLB misses is an error to vhost, but none of the guest. */
	ret = program_err(session, index,
			  vhb_iotlb_is_had(session) ? -1 : err_fd);
	if (ret)
		return ret;
	ret = program_call(session, index, told_by(device, want->call_fd));
	if (ret)
		return ret;

	if (kdev->ops->set_vring_slot)
		kdev->ops->set_vring_slot(kdev, index, slot_addr);
	ret = kdev->ops->start_vring(kdev, index);
	have->num = want->num;
	have->addr = *addr;
	have->slot_addr = slot_addr;
	if (ret) {
		call_no_more(session, index);
		have->is_waiting = ret == -EAGAIN && vhb_iotlb_is_had(session);
		return have->is_waiting ? 0 :
					  failed(session, ret, "starting", index);
	}

	have->is_running = true;
	want->has_unread_slot = false;
	if (have->err_fd != err_fd) {
		ret = program_err(session, index, err_fd);
		if (ret)
			return ret;
	}
	/* Whoever ran this vring before may have died between used and call. */
	if (want->base || is_taken_over)
		call_once(session, index);
	return 0;
}

static int refresh_log(struct vhb_session *session,
		       const struct vhost_vring_addr *addr)
{
	struct vhb_kdev *kdev = session->config.kdev;
	struct vhb_vring_have *have = &session->have.vrings[addr->index];
	int ret;

	if (have->addr.flags == addr->flags &&
	    have->addr.log_guest_addr == addr->log_guest_addr)
		return 0;
	ret = kdev->ops->set_vring_addr(kdev, addr);
	if (ret)
		return failed(session, ret, "VHOST_SET_VRING_ADDR",
			      addr->index);
	have->addr = *addr;
	return 0;
}

static int refresh_vring(struct vhb_session *session,
			 const struct vhb_want *device,
			 const struct vhost_vring_addr *addr)
{
	const unsigned int index = addr->index;
	const struct vhb_vring_want *want = &device->vrings[index];
	struct vhb_vring_have *have = &session->have.vrings[index];
	const int call_fd = told_by(device, want->call_fd);
	const int err_fd = told_by(device, want->err_fd);
	int ret;

	ret = refresh_log(session, addr);
	if (ret)
		return ret;

	if (have->kick_fd != want->kick_fd) {
		ret = program_kick(session, index, want->kick_fd);
		if (ret)
			return ret;
	}
	if (have->err_fd != err_fd) {
		ret = program_err(session, index, err_fd);
		if (ret)
			return ret;
	}
	if (have->call_fd != call_fd) {
		ret = program_call(session, index, call_fd);
		if (ret)
			return ret;
		call_once(session, index);
	}
	return 0;
}

static int program_vring(struct vhb_session *session, struct vhb_want *want,
			 const struct plan *plan, unsigned int index)
{
	struct vhb_vring_have *have = &session->have.vrings[index];

	if (have->is_running)
		return refresh_vring(session, want, &plan->addr[index]);
	if (plan->run[index] && have->is_waiting &&
	    !must_restart(session, want, plan, index))
		return 0;
	have->is_waiting = false;
	return plan->run[index] ?
		       start_vring(session, want, &plan->addr[index]) : 0;
}

/* Last: what is refused before has changed nothing that cannot be brought back. */
static int reset_state(struct vhb_session *session, const struct vhb_want *want)
{
	struct vhb_kdev *kdev = session->config.kdev;
	int ret;

	if (!want->must_reset || !kdev->ops->reset_state)
		return 0;
	ret = kdev->ops->reset_state(kdev);
	return ret ? vhb_refuse(session, ret, "what the guest has set stays: %s",
				strerrordesc_np(-ret)) : 0;
}

static void let_go(struct vhb_session *session,
		   void (*end)(struct vhb_kdev *kdev))
{
	struct vhb_have *have = &session->have;
	unsigned int i;

	/* Ends all work first: relays may then pass on the very last call. */
	end(session->config.kdev);
	for (i = 0; i < session->config.kdev->vring_count; i++)
		call_no_more(session, i);
	vhb_inband_use_channel(session->inband, -1);
	vhb_memory_map_put(have->map);
	vhb_dirty_log_put(have->log);
	memset(have, 0, sizeof(*have));
}

int vhb_program(struct vhb_session *session, struct vhb_want *want)
{
	struct plan plan;
	unsigned int i;
	int ret;

	ret = make_plan(session, want, &plan);
	if (ret)
		return ret;
	vhb_inband_use_channel(session->inband, vhb_inband_channel(want));
	ret = stop_vrings(session, want, &plan);
	if (ret)
		return ret;
	/* vhost-net would keep the IOTLB, its entries, and go on asking it. */
	if (session->have.may_have_iotlb && !vhb_iotlb_is_wanted(want)) {
		let_go(session, session->config.kdev->ops->disown);
		vhb_inband_use_channel(session->inband,
				       vhb_inband_channel(want));
	}
	ret = program_device(session, want, &plan);
	if (ret)
		return ret;

	for (i = 0; i < session->config.kdev->vring_count; i++) {
		ret = program_vring(session, want, &plan, i);
		if (ret)
			return ret;
	}
	if (plan.must_retry)
		vhb_iotlb_retry(session);
	return reset_state(session, want);
}

/* One that cannot drain by itself is stopped, and waited for, when it is due. */
static void begin_drain(struct vhb_session *session, unsigned int index)
{
	struct vhb_kdev *kdev = session->config.kdev;
	struct vhb_vring_have *have = &session->have.vrings[index];

	if (have->is_draining || kdev->ops->drain_vring(kdev, index))
		return;
	have->is_draining = true;
	session->have.draining_count++;
}

bool vhb_program_drain(struct vhb_session *session,
		       const struct vhb_want *want)
{
	struct vhb_kdev *kdev = session->config.kdev;
	struct plan plan;
	unsigned int i;

	/* What is wrong with it is vhb_program()'s to tell. */
	if (!kdev->ops->drain_vring || make_plan(session, want, &plan))
		return false;
	for (i = 0; i < kdev->vring_count; i++)
		if (must_stop(session, want, &plan, i))
			begin_drain(session, i);
	return session->have.draining_count;
}

bool vhb_program_drain_all(struct vhb_session *session)
{
	struct vhb_kdev *kdev = session->config.kdev;
	unsigned int i;

	if (!kdev->ops->drain_vring)
		return false;
	for (i = 0; i < kdev->vring_count; i++)
		if (session->have.vrings[i].is_running)
			begin_drain(session, i);
	return session->have.draining_count;
}

bool vhb_program_drained(struct vhb_session *session, unsigned int index)
{
	session->have.vrings[index].is_draining = false;
	return !--session->have.draining_count;
}

void vhb_program_rest(struct vhb_session *session, unsigned int index)
{
	if (!session->have.vrings[index].is_running)
		return;
	/* What fails is tried again when the session stops it. */
	if (!stop_vring(session, &session->want, index))
		session->have.vrings[index].is_waiting = true;
}

void vhb_program_awake(struct vhb_session *session)
{
	unsigned int i;

	for (i = 0; i < session->config.kdev->vring_count; i++)
		session->have.vrings[i].is_waiting = false;
}

void vhb_program_nothing(struct vhb_session *session)
{
	let_go(session, session->config.kdev->ops->reset);
}
