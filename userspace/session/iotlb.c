// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/iotlb.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/virtio_config.h>

#include "lib/bits.h"
#include "lib/log.h"
#include "session/postcopy.h"
#include "session/program.h"
#include "session/state.h"
#include "wire/backend.h"

bool vhb_iotlb_is_wanted(const struct vhb_want *want)
{
	return want->has_features &&
	       vhb_has_bit(want->features_mask, VIRTIO_F_ACCESS_PLATFORM);
}

bool vhb_iotlb_is_had(const struct vhb_session *session)
{
	const struct vhb_have *have = &session->have;

	return have->is_owner && have->has_features &&
	       vhb_has_bit(have->features_mask, VIRTIO_F_ACCESS_PLATFORM);
}

static int tell_kernel(struct vhb_session *session,
		       const struct vhost_iotlb_msg *message)
{
	struct vhb_kdev *kdev = session->config.kdev;

	return kdev->ops->iotlb_write(kdev, message);
}

/* In two halves: one size cannot be all there is. */
int vhb_iotlb_forget_all(struct vhb_session *session)
{
	struct vhost_iotlb_msg half = {
		.type = VHOST_IOTLB_INVALIDATE,
		.size = UINT64_C(1) << 63,
	};
	int ret = tell_kernel(session, &half);

	if (ret)
		return ret;
	half.iova = half.size;
	return tell_kernel(session, &half);
}

void vhb_iotlb_retry(const struct vhb_session *session)
{
	unsigned int i;

	if (!vhb_iotlb_is_had(session))
		return;
	for (i = 0; i < session->config.kdev->vring_count; i++) {
		const struct vhb_vring_have *have = &session->have.vrings[i];

		if (have->is_running && have->kick_fd >= 0)
			vhb_loop_signal(session->config.loop, have->kick_fd);
	}
}

/* Piece by piece, as regions have it; with @dry only to see if it can be done */
static int update(struct vhb_session *session, const struct vhb_want *want,
		  const struct vhb_wire_iotlb *entry, bool dry)
{
	struct vhost_iotlb_msg piece = {
		.type = VHOST_IOTLB_UPDATE,
		.perm = entry->permission,
	};
	uint64_t done_bytes = 0;
	uint64_t hva, chunk_bytes;
	int ret;

	while (done_bytes < entry->size_bytes) {
		ret = vhb_memory_map_translate_first(want->map,
						     entry->uva + done_bytes,
						     entry->size_bytes -
						     done_bytes, &hva,
						     &chunk_bytes);
		if (ret)
			return ret;
		piece.iova = entry->iova + done_bytes;
		piece.size = chunk_bytes;
		piece.uaddr = hva;
		ret = dry ? 0 : tell_kernel(session, &piece);
		if (ret)
			return ret;
		done_bytes += chunk_bytes;
	}
	return 0;
}

static int check_update(struct vhb_session *session,
			const struct vhb_want *want,
			const struct vhb_wire_iotlb *entry)
{
	if (!entry->permission || entry->permission > VHOST_ACCESS_RW)
		return vhb_refuse(session, -EINVAL,
				  "permission %u is not 1 (read), 2 (write) or 3",
				  entry->permission);
	if (vhb_range_wraps(entry->uva, entry->size_bytes) ||
	    update(session, want, entry, true))
		return vhb_refuse(session, -EFAULT,
				  "user address 0x%llx, %llu bytes, is not in guest memory",
				  (unsigned long long)entry->uva,
				  (unsigned long long)entry->size_bytes);
	return 0;
}

static int edit_update(struct vhb_session *session, const struct vhb_want *want,
		       const struct vhb_wire_iotlb *entry)
{
	const struct vhost_iotlb_msg all_of_it = {
		.type = VHOST_IOTLB_INVALIDATE,
		.iova = entry->iova,
		.size = entry->size_bytes,
	};
	int ret;

	ret = check_update(session, want, entry);
	if (ret || !vhb_iotlb_is_had(session))
		return ret;
	ret = update(session, want, entry, false);
	if (ret) {
		/* Not the one half without the other. */
		tell_kernel(session, &all_of_it);
		return vhb_refuse(session, ret, "the IOTLB does not take it: %s",
				  strerrordesc_np(-ret));
	}
	/* Maybe this is what they could not start without. */
	vhb_program_awake(session);
	return 0;
}

static int edit_invalidate(struct vhb_session *session,
			   const struct vhb_wire_iotlb *entry)
{
	const struct vhost_iotlb_msg message = {
		.type = VHOST_IOTLB_INVALIDATE,
		.iova = entry->iova,
		.size = entry->size_bytes,
	};
	int ret;

	if (!vhb_iotlb_is_had(session))
		return 0;
	ret = entry->size_bytes ? tell_kernel(session, &message) :
				  vhb_iotlb_forget_all(session);
	return ret ? vhb_refuse(session, ret, "invalidation: %s",
				strerrordesc_np(-ret)) : 0;
}

int vhb_act_iotlb(struct vhb_session *session, struct vhb_want *want,
		  struct vhb_message *message)
{
	const struct vhb_wire_iotlb *entry = &message->payload.iotlb;
	/* QEMU's mask of all addresses, plus one */
	const bool is_all = !entry->iova && !entry->size_bytes;

	if (!vhb_iotlb_is_wanted(want))
		return vhb_refuse(session, -EOPNOTSUPP,
				  "VIRTIO_F_ACCESS_PLATFORM was not negotiated");
	if (entry->type != VHOST_IOTLB_UPDATE &&
	    entry->type != VHOST_IOTLB_INVALIDATE)
		return vhb_refuse(session, -EINVAL,
				  "type %u is not 2 (update) or 3 (invalidate)",
				  entry->type);
	if (!(is_all && entry->type == VHOST_IOTLB_INVALIDATE) &&
	    (!entry->size_bytes ||
	     entry->size_bytes - 1 > UINT64_MAX - entry->iova))
		return vhb_refuse(session, -EINVAL,
				  "%llu bytes at 0x%llx are none, or wrap",
				  (unsigned long long)entry->size_bytes,
				  (unsigned long long)entry->iova);
	return entry->type == VHOST_IOTLB_UPDATE ?
		       edit_update(session, want, entry) :
		       edit_invalidate(session, entry);
}

static bool has_channel(const struct vhb_want *want)
{
	return want->backend_fd >= 0 &&
	       vhb_has_bit(want->protocol_features_mask,
			   VHB_PROTOCOL_F_BACKEND_REQ);
}

static int ask(int fd, const struct vhb_miss *miss)
{
	const struct vhb_wire_iotlb payload = {
		.iova = miss->iova,
		.permission = miss->permission,
		.type = VHOST_IOTLB_MISS,
	};

	return vhb_backend_send(fd, VHB_BACKEND_IOTLB_MSG, &payload,
				sizeof(payload));
}

/* Some were not asked what they need. */
static void miss_again(struct vhb_session *session)
{
	vhb_iotlb_retry(session);
	/* With a message under way the next one does it. */
	if (session->stage != VHB_SESSION_SERVES)
		return;
	vhb_program_awake(session);
	if (vhb_program(session, &session->want))
		vhb_warn("a vring that waited for the IOTLB: %s",
			 session->why.clause);
}

/*
 * Starting a vring may need a page that is still on its way. A message that is under
 * way has said so. On return the session may be gone.
 */
static void resume_alone(struct vhb_session *session)
{
	if (session->stage != VHB_SESSION_SERVES) {
		vhb_iotlb_resume(session);
		return;
	}
	vhb_postcopy_alert(session);
	vhb_iotlb_resume(session);
	if (vhb_postcopy_calm(session))
		vhb_session_end(session);
}

static void on_room(void *argument, unsigned int events)
{
	struct vhb_session *session = argument;

	(void)events;
	session->misses.watch.value = 0;
	resume_alone(session);
}

static void wait_for_room(struct vhb_session *session)
{
	int ret;

	ret = vhb_loop_watch(session->config.loop, session->want.backend_fd,
			     POLLOUT, on_room, session,
			     &session->misses.watch);
	if (ret)
		vhb_warn("the back-end channel is not watched: %s",
			 strerrordesc_np(-ret));
}

void vhb_iotlb_pause(struct vhb_session *session)
{
	vhb_loop_unwatch(session->config.loop, &session->misses.watch);
}

void vhb_iotlb_resume(struct vhb_session *session)
{
	struct vhb_miss_queue *queue = &session->misses;
	const int fd = session->want.backend_fd;
	int ret = 0;

	if (!queue->count || queue->watch.value || !has_channel(&session->want))
		return;
	while (queue->count && !ret) {
		ret = ask(fd, &queue->misses[queue->first]);
		if (ret)
			break;
		queue->first = (queue->first + 1) % VHB_MISS_COUNT_MAX;
		queue->count--;
	}
	if (ret == -EAGAIN) {
		wait_for_room(session);
		return;
	}
	if (ret) {
		/* A front-end that closed it will not answer. */
		vhb_debug("BACKEND_IOTLB_MSG: %s", strerrordesc_np(-ret));
		queue->count = 0;
	}
	if (queue->has_lost) {
		queue->has_lost = false;
		miss_again(session);
	}
}

static bool is_queued(const struct vhb_miss_queue *queue,
		      const struct vhb_miss *miss)
{
	unsigned int i;

	for (i = 0; i < queue->count; i++) {
		const struct vhb_miss *queued =
			&queue->misses[(queue->first + i) % VHB_MISS_COUNT_MAX];

		if (queued->iova == miss->iova &&
		    queued->permission == miss->permission)
			return true;
	}
	return false;
}

static void enqueue(struct vhb_miss_queue *queue, const struct vhb_miss *miss)
{
	if (is_queued(queue, miss))
		return;
	if (queue->count == VHB_MISS_COUNT_MAX) {
		queue->first = (queue->first + 1) % VHB_MISS_COUNT_MAX;
		queue->count--;
		queue->has_lost = true;
	}
	queue->misses[(queue->first + queue->count) % VHB_MISS_COUNT_MAX] =
		*miss;
	queue->count++;
}

void vhb_iotlb_miss(void *argument, uint64_t iova, uint8_t permission)
{
	const struct vhb_miss miss = { .iova = iova, .permission = permission };
	struct vhb_session *session = argument;

	if (session->stage == VHB_SESSION_ENDS)
		return;
	vhb_debug("IOTLB: miss at 0x%llx, permission %u",
		  (unsigned long long)iova, permission);
	enqueue(&session->misses, &miss);
	if (!has_channel(&session->want) && !session->misses.is_reported) {
		session->misses.is_reported = true;
		vhb_warn("VIRTIO_F_ACCESS_PLATFORM was acked without a back-end channel (BACKEND_REQ) to ask on what address 0x%llx is: its vring waits until the front-end tells of itself",
			 (unsigned long long)iova);
	}
	resume_alone(session);
}

void vhb_iotlb_unanswered(void *argument, unsigned int index)
{
	struct vhb_session *session = argument;

	if (session->stage != VHB_SESSION_SERVES)
		return;
	if (!session->misses.has_rested)
		vhb_warn("vring %u rests until the front-end answers what it was asked (BACKEND_IOTLB_MSG); further ones are not logged",
			 index);
	session->misses.has_rested = true;
	/* A worker that waits for a page cannot be stopped; see there. */
	vhb_postcopy_alert(session);
	vhb_program_rest(session, index);
	if (vhb_postcopy_calm(session))
		vhb_session_end(session);
}
