// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/session_run.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/fd_pool.h"
#include "fuzz/hand_loop.h"
#include "fuzz/mappings.h"
#include "fuzz/must.h"
#include "fuzz/session_run_state.h"
#include "lib/bits.h"
#include "lib/log.h"
#include "wire/message_table.h"

#define SEND_BYTES_MAX (sizeof(struct vhb_wire_header) + UINT16_MAX)
/* Turns that a message, or what happens besides, may cost */
#define TURNS_MAX 64
#define BYTES_PER_TURN (16 * sizeof(struct vhb_wire_header))
/* Drain, stop, start, for once and back, and what is not a vring's */
#define CALLS_PER_VRING 24
#define CALLS_BESIDES 16
#define TIGHT_BYTES 4608
#define END_ROUNDS_MAX 512

/* What a recorder can do */
#define PROTOCOL_MASK \
	(vhb_bit(VHB_PROTOCOL_F_MTU) | vhb_bit(VHB_PROTOCOL_F_INFLIGHT_SHMFD) | \
	 vhb_bit(VHB_PROTOCOL_F_LOG_SHMFD) | vhb_bit(VHB_PROTOCOL_F_RARP))

void session_run_init(void)
{
	vhb_log_set_level(VHB_LOG_ERROR);
	fd_pool_open();
}

static void on_end(void *argument)
{
	struct run *run = argument;

	vhb_session_destroy(run->session);
	run->session = NULL;
}

static void connect_front_end(struct run *run)
{
	const struct vhb_session_config config = {
		.loop = run->loop,
		.kdev = &run->recorder->kdev,
		.queue_num = run->script->device.queue_num,
		.on_end = on_end,
		.argument = run,
	};
	const int room_bytes = TIGHT_BYTES;
	int fds[2];

	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	if (run->script->device.flags & SCRIPT_IS_TIGHT)
		must(!setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room_bytes,
				 sizeof(room_bytes)));
	run->front_fd = fds[0];
	run->is_deaf = false;
	run->waiting_bytes = 0;
	run->is_raw = false;
	run->is_mixed = false;
	run->due_count = 0;
	run->reply_bytes = 0;
	must(!vhb_session_create(&config, fds[1], &run->session));
}

void run_settle(struct run *run, size_t size_bytes)
{
	const unsigned int calls = recorder_call_count(run->recorder);
	unsigned int calls_max, turns_left;

	run->waiting_bytes += size_bytes;
	calls_max = (1 + run->waiting_bytes / sizeof(struct vhb_wire_header)) *
		    (CALLS_PER_VRING * run->recorder->kdev.vring_count +
		     CALLS_BESIDES);
	turns_left = TURNS_MAX + run->waiting_bytes / BYTES_PER_TURN;
	while (hand_loop_turn(run->loop)) {
		must(turns_left--);
		run_read_replies(run);
	}
	must(recorder_call_count(run->recorder) - calls <= calls_max);
	if (!run->session ||
	    (run->session->stage == VHB_SESSION_SERVES && !run->is_deaf))
		run->waiting_bytes = 0;
	run_check_kdev(run);
	run_check_replies(run);
}

static bool finish_drains(struct run *run)
{
	bool is_any = false;

	for (unsigned int i = 0; i < run->recorder->kdev.vring_count; i++) {
		if (!run->recorder->vrings[i].is_draining)
			continue;
		recorder_finish_drain(run->recorder, i);
		is_any = true;
	}
	return is_any;
}

/* The front-end leaves, and that is the end of the session. */
static void hang_up(struct run *run)
{
	unsigned int rounds_left = END_ROUNDS_MAX;

	if (run->front_fd < 0)
		return;
	/* It may have been given its own end, and would keep it open. */
	shutdown(run->front_fd, SHUT_RDWR);
	run->is_raw = true;
	while (run->session) {
		const unsigned int called = hand_loop_turn(run->loop);

		must(rounds_left--);
		must(finish_drains(run) || called || !run->session);
	}
	close(run->front_fd);
	run->front_fd = -1;
}

static int fd_of(struct run *run, uint8_t number)
{
	switch (number % SCRIPT_FD_COUNT) {
	case SCRIPT_OUR_END:
		return run->front_fd;
	case SCRIPT_THEIR_END:
		return run->session ? run->session->channel.fd : -1;
	case SCRIPT_RECEIVED:
		return run->received_fd;
	default:
		return fd_pool_get(number % SCRIPT_FD_COUNT);
	}
}

static unsigned int collect_fds(struct run *run, const struct script_step *step,
				int *fds)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < step->fd_count; i++) {
		fds[count] = fd_of(run, step->fds[i]);
		if (fds[count] >= 0)
			count++;
	}
	return count;
}

/* One that is called there hears, or says, what no back-end or front-end does. */
static bool gives_an_end(const struct script_step *step)
{
	for (unsigned int i = 0; i < step->fd_count; i++) {
		const unsigned int number = step->fds[i] % SCRIPT_FD_COUNT;

		if (number == SCRIPT_OUR_END || number == SCRIPT_THEIR_END)
			return true;
	}
	return false;
}

/* Returns whether all of it is on its way. */
static bool send_bytes(struct run *run, const struct script_step *step,
		       const uint8_t *bytes, size_t size_bytes)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(SCRIPT_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)bytes, size_bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[SCRIPT_FDS_MAX];
	unsigned int count = collect_fds(run, step, fds);
	ssize_t sent;

	if (gives_an_end(step)) {
		run->is_mixed = true;
		run->is_raw = true;
	}
	if (count) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	sent = sendmsg(run->front_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent == (ssize_t)size_bytes;
}

static void send_message(struct run *run, const struct script_step *step)
{
	static uint8_t bytes[SEND_BYTES_MAX];
	const struct vhb_wire_header header = {
		step->request, step->flags, step->size_bytes,
	};
	const bool is_judged = run->session && !run->is_raw &&
			       run->session->stage == VHB_SESSION_SERVES &&
			       !run->is_deaf;
	struct run_snapshot before;

	memcpy(bytes, &header, sizeof(header));
	if (step->size_bytes)
		memcpy(bytes + sizeof(header), step->bytes, step->size_bytes);
	if (is_judged)
		run_take_snapshot(run, &before);
	run->has_ack = false;
	if (send_bytes(run, step, bytes, sizeof(header) + step->size_bytes))
		run_expect_reply(run, step);
	else
		run->is_raw = true;
	run_settle(run, sizeof(header) + step->size_bytes);
	if (is_judged && run->session && run->has_ack && run->ack)
		run_check_same(run, &before);
}

static void play(struct run *run, const struct script_step *step)
{
	if (step->kind == SCRIPT_EVENT && step->event == SCRIPT_CONNECT) {
		hang_up(run);
		connect_front_end(run);
	} else if (step->kind == SCRIPT_EVENT) {
		run_event(run, step);
		run_settle(run, 0);
	} else if (run->front_fd >= 0 && step->kind == SCRIPT_MESSAGE) {
		send_message(run, step);
	} else if (run->front_fd >= 0 && step->size_bytes) {
		run->is_raw = true;
		send_bytes(run, step, step->bytes, step->size_bytes);
		run_settle(run, step->size_bytes);
	}
}

static void create_recorder(struct run *run)
{
	const struct script_device *device = &run->script->device;

	run->recorder = recorder_create(1 + (device->vring_count - 1u) %
					    RUN_VRING_COUNT_MAX,
					device->features_mask &
					~vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT));
	recorder_set_protocol_features(run->recorder,
				       device->protocol_features_mask &
				       PROTOCOL_MASK);
	/* Where it is, is checked here; its file may be truncated. */
	recorder_allow_log_misses(run->recorder);
	if (device->flags & SCRIPT_DRAINS)
		recorder_make_drain(run->recorder);
	run_check_before(run);
}

static void check_nothing_left(const struct run *run)
{
	must(!hand_loop_watch_count(run->loop));
	must(!recorder_running(run->recorder));
	must(!run->recorder->is_owned);
	must(!run->recorder->fault);
	must(!mappings_bytes());
}

static void end(struct run *run)
{
	if (run->session && run->script->device.flags & SCRIPT_ENDS_AT_ONCE) {
		vhb_session_destroy(run->session);
		run->session = NULL;
	}
	hang_up(run);
	if (run->received_fd >= 0)
		close(run->received_fd);
	mappings_fail_nth(0);
	check_nothing_left(run);
}

void session_run(const struct script *script, FILE *calls)
{
	const unsigned int fds_at_first = fd_count_open();
	static struct run run;
	char *lines;

	memset(&run, 0, sizeof(run));
	run.script = script;
	run.front_fd = -1;
	run.received_fd = -1;
	must(!vhb_loop_create(&run.loop));
	create_recorder(&run);
	connect_front_end(&run);
	for (unsigned int i = 0; i < script->step_count; i++)
		play(&run, &script->steps[i]);
	end(&run);
	lines = recorder_take(run.recorder);
	if (calls)
		fputs(lines, calls);
	free(lines);
	run.recorder->kdev.ops = run.below;
	recorder_destroy(run.recorder);
	vhb_loop_destroy(run.loop);
	fd_pool_clean();
	must(fd_count_open() == fds_at_first);
}
