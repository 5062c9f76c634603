// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/must.h"
#include "fuzz/session_run_state.h"
#include "lib/bits.h"
#include "wire/message_table.h"

#define REPLY_FLAGS (VHB_FLAG_VERSION | 1u << VHB_FLAG_REPLY_BIT)

static bool has_own_reply(uint32_t request)
{
	const struct vhb_message_row *row = vhb_message_row(request);

	return row && row->reply_kind == VHB_REPLY_OWN;
}

void run_expect_reply(struct run *run, const struct script_step *step)
{
	if (!has_own_reply(step->request) &&
	    !vhb_has_bit(step->flags, VHB_FLAG_NEED_REPLY_BIT))
		return;
	/* Answered by hanging up */
	if ((step->flags & VHB_FLAG_VERSION_MASK) != VHB_FLAG_VERSION ||
	    vhb_has_bit(step->flags, VHB_FLAG_REPLY_BIT) ||
	    step->size_bytes > VHB_PAYLOAD_MAX_BYTES) {
		run->is_raw = true;
		return;
	}
	must(run->due_count < RUN_REPLY_COUNT_MAX);
	run->due[run->due_count++] = step->request;
}

/* It answers the first of its kind; none before it waits for its own. */
static void match_reply(struct run *run, uint32_t request)
{
	unsigned int i;

	if (run->is_raw)
		return;
	for (i = 0; i < run->due_count && run->due[i] != request; i++)
		must(!has_own_reply(run->due[i]));
	must(i < run->due_count);
	i++;
	run->due_count -= i;
	memmove(run->due, run->due + i, run->due_count);
}

static void judge_reply(struct run *run, const struct vhb_wire_header *header,
			const uint8_t *payload)
{
	must(header->flags == REPLY_FLAGS);
	match_reply(run, header->request);
	if (has_own_reply(header->request))
		return;
	must(header->size_bytes == sizeof(run->ack));
	run->has_ack = true;
	memcpy(&run->ack, payload, sizeof(run->ack));
}

static void parse_replies(struct run *run)
{
	struct vhb_wire_header header;
	size_t size_bytes;

	if (run->is_mixed)
		run->reply_bytes = 0;
	while (run->reply_bytes >= sizeof(header)) {
		memcpy(&header, run->reply, sizeof(header));
		must(header.size_bytes <= sizeof(struct vhb_wire_memory));
		size_bytes = sizeof(header) + header.size_bytes;
		if (run->reply_bytes < size_bytes)
			return;
		judge_reply(run, &header, run->reply + sizeof(header));
		run->reply_bytes -= size_bytes;
		memmove(run->reply, run->reply + size_bytes, run->reply_bytes);
	}
}

static void keep_fd(struct run *run, struct msghdr *msg)
{
	struct cmsghdr *cmsg;

	must(!(msg->msg_flags & MSG_CTRUNC));
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		must(cmsg->cmsg_level == SOL_SOCKET &&
		     cmsg->cmsg_type == SCM_RIGHTS);
		must(cmsg->cmsg_len == CMSG_LEN(sizeof(int)));
		if (run->received_fd >= 0)
			close(run->received_fd);
		memcpy(&run->received_fd, CMSG_DATA(cmsg), sizeof(int));
	}
}

void run_read_replies(struct run *run)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t received;

	if (run->front_fd < 0 || run->is_deaf)
		return;
	for (;;) {
		iov.iov_base = run->reply + run->reply_bytes;
		iov.iov_len = sizeof(run->reply) - run->reply_bytes;
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		received = recvmsg(run->front_fd, &msg,
				   MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (received <= 0)
			return;
		keep_fd(run, &msg);
		run->reply_bytes += received;
		parse_replies(run);
		/*
		 * Whole replies and room for more: there is nothing more. But a
		 * descriptor ends what one recvmsg() gives, whatever is behind.
		 */
		if (!run->reply_bytes && !msg.msg_controllen &&
		    (size_t)received < sizeof(run->reply))
			return;
	}
}

void run_check_replies(const struct run *run)
{
	if (run->is_raw || run->is_deaf || !run->session ||
	    run->session->stage != VHB_SESSION_SERVES)
		return;
	for (unsigned int i = 0; i < run->due_count; i++)
		must(!has_own_reply(run->due[i]));
	must(!run->reply_bytes);
}
