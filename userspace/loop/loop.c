// SPDX-License-Identifier: GPL-2.0-or-later
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <liburing.h>

#include "lib/bits.h"
#include "lib/clock.h"

/*
 * More watches and commands than a session can have: for each of some 130 vrings
 * a relay, or two of in-band notifications, a command, the misses of its IOTLB and
 * a kick that the broker hears itself; and a dozen of other things
 */
#define SLOT_COUNT 1024
#define RING_ENTRY_COUNT 128
/* Signals on their way, and how long: a full eventfd must not collect them */
#define SIGNAL_COUNT_MAX 1024
#define SIGNAL_TIMEOUT_S 1
/* How often the kernel is asked to take a submission now, and how long between */
#define SUBMIT_TRIES 10
#define PAUSE_MS 1

/**
 * enum event_type - what a completion is about
 * @EVENT_NONE: nobody waits for it (removal of a watch, end of a time limit)
 * @EVENT_WATCH: a watch in the slot named by the index
 * @EVENT_SIGNAL: a signal was sent or given up
 * @EVENT_COMMAND: a command in the slot named by the index
 */
enum event_type {
	EVENT_NONE,
	EVENT_WATCH,
	EVENT_SIGNAL,
	EVENT_COMMAND,
};

/**
 * struct event_ref - the user_data of a submission
 * @index: slot, or a signal's number
 * @generation: of the slot when it was submitted; never zero, so that no
 *              reference is zero as a whole. A slot that was freed and taken
 *              again has another one, which makes late completions harmless
 * @type: an &enum event_type
 */
struct event_ref {
	uint32_t index;
	uint16_t generation;
	uint16_t type;
};

static_assert(sizeof(struct event_ref) == sizeof(uint64_t),
	      "a reference must fit the user_data of io_uring");

union event_data {
	struct event_ref ref;
	uint64_t value;
};

/**
 * struct slot - who waits for a completion; free without a function
 * @function: of a watch
 * @command: of a command
 * @argument: handed to either
 * @generation: see &struct event_ref
 */
struct slot {
	vhb_watch_fn function;
	vhb_command_fn command;
	void *argument;
	uint16_t generation;
};

struct vhb_loop {
	struct io_uring ring;
	struct slot slots[SLOT_COUNT];
	unsigned int signal_count;
	uint32_t next_signal;
	bool is_stopped;
};

static const uint64_t signal_one = 1;
static struct __kernel_timespec signal_timeout = { .tv_sec = SIGNAL_TIMEOUT_S };

int vhb_loop_create(struct vhb_loop **loop_out)
{
	struct vhb_loop *loop = calloc(1, sizeof(*loop));
	int ret;

	if (!loop)
		return -ENOMEM;

	ret = io_uring_queue_init(RING_ENTRY_COUNT, &loop->ring, 0);
	if (ret) {
		free(loop);
		return ret;
	}

	for (unsigned int i = 0; i < SLOT_COUNT; i++)
		loop->slots[i].generation = 1;

	*loop_out = loop;
	return 0;
}

void vhb_loop_destroy(struct vhb_loop *loop)
{
	if (!loop)
		return;
	io_uring_queue_exit(&loop->ring);
	free(loop);
}

static struct io_uring_sqe *take_sqe(struct vhb_loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (sqe)
		return sqe;
	/* The queue is full of submissions not yet shown to the kernel. */
	if (io_uring_submit(&loop->ring) < 0)
		return NULL;
	return io_uring_get_sqe(&loop->ring);
}

/*
 * Shows the kernel what was queued; false when it has not taken the first of the
 * last @count of it, for want of memory as a rule. It reads them when it does, so
 * until then they may be changed.
 */
static bool submit_last(struct vhb_loop *loop, unsigned int count)
{
	for (unsigned int i = 0; i < SUBMIT_TRIES; i++) {
		if (i)
			vhb_pause_ms(PAUSE_MS);
		io_uring_submit(&loop->ring);
		if (io_uring_sq_ready(&loop->ring) < count)
			return true;
	}
	return false;
}

static void withdraw(struct io_uring_sqe *sqe)
{
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data64(sqe, EVENT_NONE);
}

static void free_slot(struct slot *slot)
{
	slot->function = NULL;
	slot->command = NULL;
	if (++slot->generation == 0)
		slot->generation = 1;
}

static bool is_free(const struct slot *slot)
{
	return !slot->function && !slot->command;
}

/* Finds room; the caller fills both in and nothing fails any more. */
static int take_slot(struct vhb_loop *loop, union event_data *data,
		     struct slot **slot_out, struct io_uring_sqe **sqe_out)
{
	uint32_t index;

	for (index = 0; index < SLOT_COUNT; index++)
		if (is_free(&loop->slots[index]))
			break;
	if (index == SLOT_COUNT)
		return -ENOMEM;
	*sqe_out = take_sqe(loop);
	if (!*sqe_out)
		return -EBUSY;
	*slot_out = &loop->slots[index];
	data->ref.index = index;
	data->ref.generation = (*slot_out)->generation;
	return 0;
}

int vhb_loop_watch(struct vhb_loop *loop, int fd, unsigned int events,
		   vhb_watch_fn function, void *argument,
		   struct vhb_watch_ref *ref_out)
{
	union event_data data = { .ref.type = EVENT_WATCH };
	struct io_uring_sqe *sqe;
	struct slot *slot;
	int ret;

	ret = take_slot(loop, &data, &slot, &sqe);
	if (ret)
		return ret;
	slot->function = function;
	slot->argument = argument;

	io_uring_prep_poll_add(sqe, fd, events);
	io_uring_sqe_set_data64(sqe, data.value);
	ref_out->value = data.value;
	return 0;
}

int vhb_loop_command(struct vhb_loop *loop, int fd, uint32_t operation,
		     const void *area, vhb_command_fn function, void *argument,
		     struct vhb_watch_ref *ref_out)
{
	union event_data data = { .ref.type = EVENT_COMMAND };
	struct io_uring_sqe *sqe;
	struct slot *slot;
	int ret;

	ret = take_slot(loop, &data, &slot, &sqe);
	if (ret)
		return ret;
	slot->command = function;
	slot->argument = argument;

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = operation;
	memcpy(sqe->cmd, area, VHB_COMMAND_AREA_BYTES);
	io_uring_sqe_set_data64(sqe, data.value);
	/* Shown to the kernel now: the descriptor may be another's later. */
	if (!submit_last(loop, 1)) {
		withdraw(sqe);
		free_slot(slot);
		return -EBUSY;
	}
	ref_out->value = data.value;
	return 0;
}

static struct slot *find_slot(struct vhb_loop *loop, uint64_t value)
{
	const union event_data data = { .value = value };
	struct slot *slot;

	if ((data.ref.type != EVENT_WATCH && data.ref.type != EVENT_COMMAND) ||
	    data.ref.index >= SLOT_COUNT)
		return NULL;
	slot = &loop->slots[data.ref.index];
	if (is_free(slot) || slot->generation != data.ref.generation)
		return NULL;
	return slot;
}

void vhb_loop_unwatch(struct vhb_loop *loop, struct vhb_watch_ref *ref)
{
	struct slot *slot = find_slot(loop, ref->value);
	struct io_uring_sqe *sqe;

	if (slot) {
		free_slot(slot);
		sqe = take_sqe(loop);
		if (sqe) {
			io_uring_prep_poll_remove(sqe, ref->value);
			io_uring_sqe_set_data64(sqe, EVENT_NONE);
			/*
			 * Now, not when the loop turns: a poll request holds
			 * the file open, and the peer of a socket that is about
			 * to be closed waits for the end of file.
			 */
			io_uring_submit(&loop->ring);
		}
	}
	ref->value = 0;
}

void vhb_loop_forget(struct vhb_loop *loop, struct vhb_watch_ref *ref)
{
	struct slot *slot = find_slot(loop, ref->value);

	if (slot)
		free_slot(slot);
	ref->value = 0;
}

void vhb_loop_signal(struct vhb_loop *loop, int fd)
{
	union event_data data = { .ref.type = EVENT_SIGNAL };
	struct io_uring_sqe *sqe, *limit;

	if (loop->signal_count == SIGNAL_COUNT_MAX)
		return;
	/* A link does not reach from one submission into the next. */
	if (io_uring_sq_space_left(&loop->ring) < 2 &&
	    io_uring_submit(&loop->ring) < 0)
		return;
	sqe = io_uring_get_sqe(&loop->ring);
	if (!sqe)
		return;
	io_uring_prep_write(sqe, fd, &signal_one, sizeof(signal_one), 0);
	/* The kernel finds what a time limit belongs to by its user_data. */
	data.ref.index = loop->next_signal++;
	io_uring_sqe_set_data64(sqe, data.value);
	limit = io_uring_get_sqe(&loop->ring);
	if (limit) {
		sqe->flags |= IOSQE_IO_LINK;
		io_uring_prep_link_timeout(limit, &signal_timeout, 0);
		io_uring_sqe_set_data64(limit, EVENT_NONE);
	}
	/* Shown to the kernel now, which takes its own reference to the file. */
	if (submit_last(loop, limit ? 2 : 1)) {
		loop->signal_count++;
		return;
	}
	withdraw(sqe);
	if (limit)
		withdraw(limit);
}

static void handle_completion(struct vhb_loop *loop, uint64_t value, int result)
{
	const union event_data data = { .value = value };
	struct slot *slot = find_slot(loop, value);
	struct slot called;

	if (data.ref.type == EVENT_SIGNAL)
		loop->signal_count--;
	if (!slot)
		return;

	called = *slot;
	free_slot(slot);
	if (called.command)
		called.command(called.argument, result);
	else
		called.function(called.argument, result < 0 ?
				POLLNVAL : (unsigned int)result);
}

/* Of a kernel that is short of memory, or has completions to be taken first */
static bool will_pass(int error)
{
	return error == -EINTR || error == -EBUSY || error == -EAGAIN;
}

int vhb_loop_run(struct vhb_loop *loop)
{
	loop->is_stopped = false;
	while (!loop->is_stopped) {
		struct io_uring_cqe *cqe;
		int ret;

		ret = io_uring_submit_and_wait(&loop->ring, 1);
		if (ret < 0 && !will_pass(ret))
			return ret;
		if (ret < 0 && ret != -EINTR && !io_uring_cq_ready(&loop->ring))
			vhb_pause_ms(PAUSE_MS);

		while (!loop->is_stopped &&
		       io_uring_peek_cqe(&loop->ring, &cqe) == 0) {
			uint64_t value = io_uring_cqe_get_data64(cqe);
			int result = cqe->res;

			/* Before the call: the watcher may need the space. */
			io_uring_cqe_seen(&loop->ring, cqe);
			handle_completion(loop, value, result);
		}
	}
	return 0;
}

void vhb_loop_stop(struct vhb_loop *loop)
{
	loop->is_stopped = true;
}
