/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_REFUSAL_H
#define VHB_SELFTESTS_REFUSAL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/session_fixture.h"

/** Flags of a message that asks for a reply */
#define REFUSAL_NEED_REPLY \
	(VHB_FLAG_VERSION | 1u << VHB_FLAG_NEED_REPLY_BIT)

/**
 * struct bad_message - a message that must be refused
 * @request: its number
 * @payload: its payload
 * @size_bytes: length of @payload
 * @fds: its descriptors
 * @fd_count: how many
 * @calls: lines the recorder may show when it is refused; NULL for none
 */
struct bad_message {
	uint32_t request;
	const void *payload;
	size_t size_bytes;
	const int *fds;
	unsigned int fd_count;
	const char *calls;
};

/**
 * refusal_begin() - connect a front-end whose vring 0 runs
 * @fixture: the fixture, not connected
 */
void refusal_begin(struct session_fixture *fixture);

/**
 * refusal_expect() - send a bad message and see what design rule 4 demands
 * @fixture: after refusal_begin(), and again as after it on return
 * @bad: the message
 *
 * Once asking for a reply: the acknowledgment is not zero, the kernel device
 * was told nothing (but bad->calls), vring 0 still runs, the session answers.
 * A request with a reply of its own closes the connection instead. Then without
 * asking: the connection closes. Each time the process holds as much as before.
 */
void refusal_expect(struct session_fixture *fixture,
		    const struct bad_message *bad);

/** refusal_expect_u64() - the same for a payload of one number */
void refusal_expect_u64(struct session_fixture *fixture, uint32_t request,
			uint64_t value);

/** refusal_expect_state() - the same for an index and a number */
void refusal_expect_state(struct session_fixture *fixture, uint32_t request,
			  uint32_t index, uint32_t num);

/** refusal_expect_fd() - the same for a vring's descriptor */
void refusal_expect_fd(struct session_fixture *fixture, uint32_t request,
		       uint64_t value, int fd, const char *calls);

#endif
