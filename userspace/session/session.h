/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_SESSION_H
#define VHB_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "kdev/kdev.h"
#include "loop/loop.h"

/**
 * Vrings a session can serve: 64 pairs of a network device and its control queue. A
 * vring index has eight bits on the wire
 */
#define VHB_VRING_COUNT_MAX 129

/** struct vhb_session - one front-end's connection, from accept to close */
struct vhb_session;

/**
 * typedef vhb_session_end_fn - the session is over
 * @argument: as given in &struct vhb_session_config
 *
 * Called once, from the loop, when the front-end has left or was shown the
 * door. The receiver calls vhb_session_destroy().
 */
typedef void (*vhb_session_end_fn)(void *argument);

/**
 * struct vhb_session_config - what a session works with
 * @loop: the event loop
 * @kdev: the kernel device; used by one session at a time
 * @queue_num: what GET_QUEUE_NUM answers
 * @protocol_features_mask: to offer besides what is always offered:
 *                          VHB_PROTOCOL_F_INBAND_NOTIFICATIONS and
 *                          VHB_PROTOCOL_F_GPA_ADDRESSES are possible
 * @has_iommu: offer VIRTIO_F_ACCESS_PLATFORM, if the device has it
 * @log_reply_bytes: length of the reply to SET_LOG_BASE, 8 or 16; 0 for what
 *                   suits the front-end by all that can be told of it
 * @patience_ms: how long a message may take to arrive; 0 for VHB_PATIENCE_MS
 * @is_wanted: does somebody wait for this session to end? NULL: nobody ever does
 * @has_postcopy: offer postcopy, where @kdev can do it too
 * @on_end: called when the session is over
 * @argument: handed to both
 */
struct vhb_session_config {
	struct vhb_loop *loop;
	struct vhb_kdev *kdev;
	uint64_t queue_num;
	uint64_t protocol_features_mask;
	bool has_iommu;
	unsigned int log_reply_bytes;
	unsigned int patience_ms;
	bool (*is_wanted)(void *argument);
	bool has_postcopy;
	vhb_session_end_fn on_end;
	void *argument;
};

/**
 * vhb_message_has_handler() - does a session do anything with a message?
 * @request: as on the wire
 *
 * What has none is refused, whatever was negotiated.
 */
bool vhb_message_has_handler(uint32_t request);

/**
 * vhb_session_create() - serve a front-end
 * @config: what to work with; copied
 * @fd: a connected socket; owned by the session also when this fails
 * @session_out: the session
 *
 * Return: 0 or -ENOMEM or another -errno.
 */
int vhb_session_create(const struct vhb_session_config *config, int fd,
		       struct vhb_session **session_out);

/**
 * vhb_session_end() - end a session as if the front-end had left
 * @session: the session
 *
 * @on_end is called when all requests that were begun are done; at once, before
 * this returns, when there is nothing to wait for.
 */
void vhb_session_end(struct vhb_session *session);

/**
 * vhb_session_destroy() - end a session and free everything it held
 * @session: may be NULL
 *
 * Stops the kernel device, unmaps the guest's memory, closes every descriptor
 * of the front-end. Where @on_end was not called before, it waits for requests
 * in flight, however long the kernel device takes.
 */
void vhb_session_destroy(struct vhb_session *session);

#endif
