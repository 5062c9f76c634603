/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_FUZZ_SESSION_RUN_STATE_H
#define SELFTESTS_FUZZ_SESSION_RUN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "fuzz/session_run.h"
#include "lib/recorder_state.h"
#include "session/state.h"

/* What the parts of session_run share */

#define RUN_VRING_COUNT_MAX 32
#define RUN_REPLY_COUNT_MAX 256
#define RUN_REPLY_BYTES_MAX 8192

/**
 * struct run_snapshot - what runs on the kernel device
 * @running_mask: which vrings
 * @features_mask: with these features
 * @table_hash: and this memory
 * @vrings: so set up
 */
struct run_snapshot {
	uint64_t running_mask;
	uint64_t features_mask;
	uint64_t table_hash;
	struct {
		uint32_t num;
		uint32_t base;
		struct vhost_vring_addr addr;
	} vrings[RUN_VRING_COUNT_MAX];
};

/**
 * struct run - a script that is played
 * @script: the script
 * @loop: of the session
 * @recorder: its kernel device
 * @ops: what the device does, with more checks
 * @below: what the recorder itself does
 * @session: NULL when it is over
 * @front_fd: the front-end's end of the connection, or -1
 * @received_fd: the last descriptor that came with a reply, or -1
 * @is_deaf: the front-end does not read
 * @waiting_bytes: what it has sent that the session may not have looked at yet
 * @is_raw: it sent what we did not understand, so replies are not judged
 * @is_mixed: replies are among what the front-end says to itself
 * @has_ack: an acknowledgment has come
 * @ack: the last one
 * @due: requests that may be answered, in order
 * @due_count: how many
 * @reply: what has come of replies
 * @reply_bytes: how much of it
 */
struct run {
	const struct script *script;
	struct vhb_loop *loop;
	struct recorder *recorder;
	struct vhb_kdev_ops ops;
	const struct vhb_kdev_ops *below;
	struct vhb_session *session;
	int front_fd;
	int received_fd;
	bool is_deaf;
	size_t waiting_bytes;
	bool is_raw;
	bool is_mixed;
	bool has_ack;
	uint64_t ack;
	uint8_t due[RUN_REPLY_COUNT_MAX];
	unsigned int due_count;
	uint8_t reply[RUN_REPLY_BYTES_MAX];
	size_t reply_bytes;
};

/** run_settle() - turn the loop until nothing moves; what @size_bytes may cost */
void run_settle(struct run *run, size_t size_bytes);

/** run_event() - what happens besides messages */
void run_event(struct run *run, const struct script_step *step);

/** run_read_replies() - take what has come, and judge it */
void run_read_replies(struct run *run);

/** run_expect_reply() - a message was sent */
void run_expect_reply(struct run *run, const struct script_step *step);

/** run_check_replies() - nobody waits in vain */
void run_check_replies(const struct run *run);

/** run_check_kdev() - what the kernel device has is what it may have */
void run_check_kdev(const struct run *run);

/** run_check_before() - put the checks between session and recorder */
void run_check_before(struct run *run);

/** run_take_snapshot() - what runs now */
void run_take_snapshot(const struct run *run, struct run_snapshot *snapshot);

/** run_check_same() - a refused message has changed nothing */
void run_check_same(const struct run *run, const struct run_snapshot *before);

#endif
