/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_IOTLB_H
#define VHB_SESSION_IOTLB_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

/**
 * DOC: a guest with an IOMMU
 *
 * With VIRTIO_F_ACCESS_PLATFORM the addresses of rings and buffers are those of an
 * IOMMU (IOVA) that the front-end has. The kernel device keeps what it was told of
 * them in its IOTLB. What it misses there goes to the front-end on the back-end
 * channel (BACKEND_IOTLB_MSG); the front-end answers on the main one (IOTLB_MSG),
 * where its user address becomes one of the broker's.
 *
 * Whatever the kernel is told lies in one region of guest memory, so a ring or a
 * buffer can be anywhere the guest likes: what is not known is missed. That stays
 * true when memory goes, since then the kernel is made to forget all it knows.
 *
 * It is a cache. To forget is never wrong: what is still needed is missed again.
 */

/**
 * Misses that wait for the front-end to read those before. Each vring waits for
 * one address at a time, so more than that are old ones.
 */
#define VHB_MISS_COUNT_MAX 256

/**
 * struct vhb_miss - what the kernel asks
 * @iova: where
 * @permission: VHOST_ACCESS_*: what for
 */
struct vhb_miss {
	uint64_t iova;
	uint8_t permission;
};

/**
 * struct vhb_miss_queue - what was not asked yet
 * @misses: each once; oldest first, from @first on, round and round
 * @first: where the oldest is
 * @count: how many there are
 * @has_lost: the oldest had to go: vrings must try again
 * @has_rested: a vring was stopped for want of answers
 * @is_reported: the log has it that nobody can be asked
 * @watch: the channel is watched for room
 */
struct vhb_miss_queue {
	struct vhb_miss misses[VHB_MISS_COUNT_MAX];
	unsigned int first;
	unsigned int count;
	bool has_lost;
	bool has_rested;
	bool is_reported;
	struct vhb_watch_ref watch;
};

struct vhb_message;
struct vhb_session;
struct vhb_want;

/** vhb_iotlb_is_wanted() - are addresses of rings and buffers IOVAs? */
bool vhb_iotlb_is_wanted(const struct vhb_want *want);

/** vhb_iotlb_is_had() - does the kernel device have an IOTLB? */
bool vhb_iotlb_is_had(const struct vhb_session *session);

/**
 * vhb_act_iotlb() - IOTLB_MSG
 * @session: the session
 * @want: memory and features; not changed
 * @message: an update or an invalidation
 *
 * Acts at once; vhb_program() then starts what waited for it. An update that is
 * not wholly in guest memory tells the kernel nothing. One that comes before the
 * kernel has an IOTLB is judged and dropped.
 *
 * Return: 0 or what vhb_refuse() returned.
 */
int vhb_act_iotlb(struct vhb_session *session, struct vhb_want *want,
		  struct vhb_message *message);

/**
 * vhb_iotlb_miss() - the kernel misses something: &vhb_kdev_listener.on_miss
 * @argument: the session
 * @iova: where
 * @permission: what for
 */
void vhb_iotlb_miss(void *argument, uint64_t iova, uint8_t permission);

/** vhb_iotlb_unanswered() - &vhb_kdev_listener.on_unanswered */
void vhb_iotlb_unanswered(void *argument, unsigned int index);

/**
 * vhb_iotlb_forget_all() - have the kernel forget all it was told
 * @session: the kernel device has an IOTLB
 *
 * When it returns the kernel does not use any of it any more.
 *
 * Return: 0 or -errno.
 */
int vhb_iotlb_forget_all(struct vhb_session *session);

/**
 * vhb_iotlb_retry() - have vrings that run look at their rings again
 * @session: the session
 *
 * They may wait for an answer to a miss that the kernel has forgotten.
 */
void vhb_iotlb_retry(const struct vhb_session *session);

/** vhb_iotlb_pause() - the back-end channel is about to be closed */
void vhb_iotlb_pause(struct vhb_session *session);

/** vhb_iotlb_resume() - ask what was not asked yet, if there is a channel */
void vhb_iotlb_resume(struct vhb_session *session);

#endif
