/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BRIDGE_URING_H
#define SELFTESTS_LIB_BRIDGE_URING_H

#include <stdint.h>

#include <liburing.h>

#include "lib/bridge_device.h"

/**
 * DOC: commands of io_uring to a device of the module
 *
 * Each has a tag by which its answer is known.
 */

/** How long nothing has to come to be nothing */
#define BRIDGE_URING_SILENCE_MS 300

/** struct bridge_uring - a ring; nothing but such commands goes through it */
struct bridge_uring {
	struct io_uring ring;
};

/** bridge_uring_open() - make one; fails the test when there is no io_uring */
void bridge_uring_open(struct bridge_uring *uring);

/** bridge_uring_close() - the reverse, whatever is pending */
void bridge_uring_close(struct bridge_uring *uring);

/**
 * bridge_uring_send() - submit a command
 * @uring: the ring
 * @bridge: the device
 * @request: VHOST_BRIDGE_URING_*
 * @area: its command area
 * @tag: not zero
 */
void bridge_uring_send(struct bridge_uring *uring, const struct bridge *bridge,
		       uint32_t request, struct vhost_bridge_uring area,
		       uint64_t tag);

/**
 * bridge_uring_add() - put a command into a batch, to be submitted
 *
 * Return: its entry.
 */
struct io_uring_sqe *bridge_uring_add(struct bridge_uring *uring,
				      const struct bridge *bridge,
				      uint32_t request,
				      struct vhost_bridge_uring area,
				      uint64_t tag);

/** bridge_uring_add_nop() - the same of one that does nothing; has no answer */
void bridge_uring_add_nop(struct bridge_uring *uring);

/** bridge_uring_add_write() - the same of what is written to the device */
void bridge_uring_add_write(struct bridge_uring *uring,
			    const struct bridge *bridge, const void *data,
			    unsigned int size_bytes, uint64_t tag);

/** bridge_uring_submit() - all that was added, which are so many */
void bridge_uring_submit(struct bridge_uring *uring, int count);

/** bridge_uring_cancel() - ask for the end of a command; has no answer itself */
void bridge_uring_cancel(struct bridge_uring *uring, uint64_t tag);

/**
 * bridge_uring_wait() - wait for an answer
 * @uring: the ring
 * @timeout_ms: the longest time
 * @result_out: the answer
 *
 * Return: the tag, or 0 when none came.
 */
uint64_t bridge_uring_wait(struct bridge_uring *uring, unsigned int timeout_ms,
			   int *result_out);

/** bridge_uring_answer() - wait for the answer to a command, the next there is */
int bridge_uring_answer(struct bridge_uring *uring, uint64_t tag);

/** bridge_uring_assert_silence() - no answer comes for a while */
void bridge_uring_assert_silence(struct bridge_uring *uring);

#endif
