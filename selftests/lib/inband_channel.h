/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_INBAND_CHANNEL_H
#define SELFTESTS_LIB_INBAND_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/frontend.h"

/**
 * DOC: a front-end with in-band notifications
 *
 * Its end of the back-end channel, and its kicks. Functions return 0 or -errno
 * unless said otherwise, as those of &struct frontend.
 */

/**
 * struct inband_message - what the back-end told
 * @header: as on the wire
 * @state: the vring
 */
struct inband_message {
	struct vhb_wire_header header;
	struct vhb_wire_vring_state state;
};

/**
 * inband_channel_give() - SET_BACKEND_REQ_FD
 * @frontend: connected
 *
 * Return: the front-end's end, or -errno.
 */
int inband_channel_give(struct frontend *frontend);

/** inband_channel_receive() - the next message, or -ETIMEDOUT, -ECONNRESET */
int inband_channel_receive(int fd, unsigned int timeout_ms,
			   struct inband_message *message);

/** inband_channel_answer() - the reply to a message */
int inband_channel_answer(int fd, const struct inband_message *message,
			  uint64_t result);

/**
 * inband_channel_wait() - wait for a message about a vring
 * @fd: the channel
 * @request: BACKEND_VRING_CALL or BACKEND_VRING_ERR
 * @index: the vring
 * @timeout_ms: the longest time for any one message
 *
 * Answers all that come if they want it; those about other vrings are not kept.
 */
int inband_channel_wait(int fd, enum vhb_backend_request request,
			unsigned int index, unsigned int timeout_ms);

/** inband_channel_silence() - nothing comes for a while: 0 or -EEXIST */
int inband_channel_silence(int fd, unsigned int wait_ms);

/** inband_kick() - VRING_KICK */
int inband_kick(struct frontend *frontend, unsigned int index);

#endif
