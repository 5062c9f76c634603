// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: the codec. What a script says (lib/fuzz_script.h) goes through a
 * socket in pieces cut anywhere, descriptors travel with the first byte of any
 * piece, and what the channel makes of it is compared with what was sent. How it
 * is cut and what is replied is decided by what the script says of the device.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fd_pool.h"
#include "fuzz/must.h"
#include "fuzz/script_mutate.h"
#include "lib/bits.h"
#include "lib/fuzz_script.h"
#include "lib/random.h"
#include "wire/backend.h"
#include "wire/channel.h"
#include "wire/describe.h"
#include "wire/message_table.h"

#define STREAM_BYTES_MAX (1u << 17)
#define STREAM_FDS_MAX 1024
#define PIECE_BYTES_MAX 6000
#define TIGHT_BYTES 4608
#define HEADER_BYTES sizeof(struct vhb_wire_header)

/**
 * struct flow - a stream of messages
 * @random: decides where it is cut
 * @channel: the broker's end
 * @front_fd: ours
 * @gate: what was negotiated
 * @bytes: all that was sent so far
 * @sent_bytes: how much that is
 * @message_start: where the message begins that the channel is at
 * @fds: each descriptor that was sent: where, and which file it is
 * @fd_count: how many
 * @reply: what must come back to us, and has not yet
 * @reply_bytes: how much
 * @reply_fds: with so many descriptors
 * @is_over: the channel has had enough
 */
struct flow {
	struct test_random random;
	struct vhb_channel channel;
	int front_fd;
	struct vhb_gate gate;
	uint8_t bytes[STREAM_BYTES_MAX];
	size_t sent_bytes;
	size_t message_start;
	struct {
		size_t at;
		ino_t inode;
	} fds[STREAM_FDS_MAX];
	unsigned int fd_count;
	uint8_t reply[STREAM_BYTES_MAX];
	size_t reply_bytes;
	unsigned int reply_fds;
	bool is_over;
};

static uint64_t below(struct flow *flow, uint64_t limit)
{
	return test_random_below(&flow->random, limit);
}

static bool one_in(struct flow *flow, unsigned int count)
{
	return test_random_one_in(&flow->random, count);
}

static ino_t inode_of(int fd)
{
	struct stat st;

	must(!fstat(fd, &st));
	return st.st_ino;
}

/* A text that says something and ends */
static void must_say(const struct vhb_why *why)
{
	must(why->clause[0]);
	must(memchr(why->clause, '\0', sizeof(why->clause)));
}

/* What came with a message is what was sent with its bytes, in this order. */
static void compare_fds(struct flow *flow, size_t end)
{
	const struct vhb_message *message = &flow->channel.message;
	unsigned int count = 0;

	must(message->fd_count <= VHB_FDS_MAX);
	for (unsigned int i = 0; i < flow->fd_count; i++) {
		if (flow->fds[i].at < flow->message_start ||
		    flow->fds[i].at >= end)
			continue;
		must(count < message->fd_count);
		must(inode_of(message->fds[count++]) == flow->fds[i].inode);
	}
	must(count == message->fd_count);
}

static void compare_message(struct flow *flow)
{
	static const uint8_t nothing[VHB_PAYLOAD_MAX_BYTES];
	const struct vhb_message *message = &flow->channel.message;
	const uint8_t *sent = flow->bytes + flow->message_start;
	const size_t size_bytes = message->header.size_bytes;

	must(size_bytes <= VHB_PAYLOAD_MAX_BYTES);
	must(flow->message_start + HEADER_BYTES + size_bytes <=
	     flow->sent_bytes);
	must(!memcmp(&message->header, sent, HEADER_BYTES));
	must(!memcmp(message->payload.bytes, sent + HEADER_BYTES, size_bytes));
	must(!memcmp(message->payload.bytes + size_bytes, nothing,
		     VHB_PAYLOAD_MAX_BYTES - size_bytes));
	compare_fds(flow, flow->message_start + HEADER_BYTES + size_bytes);
}

/* What --trace=protocol says of it: printable, and no more than there is room */
static void describe_message(struct flow *flow)
{
	const struct vhb_message *message = &flow->channel.message;
	static const char *const types[] = { "net", "blk", "?" };
	const size_t room_bytes = 4 + below(flow, 400);
	char *bytes = malloc(room_bytes);
	struct vhb_text text;

	must(bytes);
	vhb_text_begin(&text, bytes, room_bytes);
	vhb_describe_message(message, types[below(flow, 3)], &text);
	vhb_describe_reply(message->header.request, message->payload.bytes,
			   message->header.size_bytes, "net", &text);
	vhb_describe_backend(message->header.request, message->payload.bytes,
			     message->header.size_bytes, &text);
	must(text.used_bytes < room_bytes && !bytes[text.used_bytes]);
	for (size_t i = 0; i < text.used_bytes; i++)
		must(bytes[i] >= ' ' && bytes[i] <= '~');
	free(bytes);
}

/* Whatever a handler relies on */
static void check_message(const struct flow *flow)
{
	const struct vhb_message *message = &flow->channel.message;
	const struct vhb_message_row *row =
		vhb_message_row(message->header.request);
	struct vhb_why why;
	int ret;

	memset(&why, 'x', sizeof(why));
	ret = vhb_message_check(message, &flow->gate, &why);
	must(ret <= 0);
	must(vhb_message_name(message->header.request));
	if (ret)
		return must_say(&why);
	must(row);
	must(message->header.size_bytes >= row->payload_min_bytes);
	must(message->header.size_bytes <= row->payload_max_bytes);
	must(message->fd_count <= row->fd_max);
	if (row->index_kind != VHB_INDEX_NONE)
		must(vhb_message_vring_index(message) < flow->gate.vring_count);
	if (row->index_kind == VHB_INDEX_U64_NOFD)
		must(message->fd_count ==
		     !vhb_has_bit(message->payload.u64, VHB_VRING_NOFD_BIT));
	if (message->header.request == VHB_SET_MEM_TABLE) {
		must(message->payload.memory.region_count);
		must(message->payload.memory.region_count <= VHB_FDS_MAX);
		must(message->payload.memory.region_count == message->fd_count);
	}
	if (message->header.request == VHB_GET_CONFIG ||
	    message->header.request == VHB_SET_CONFIG)
		must(message->payload.config.size_bytes +
		     VHB_WIRE_CONFIG_HEADER_BYTES <=
		     message->header.size_bytes);
}

static void take_fds(struct flow *flow, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	int fd;

	must(!(msg->msg_flags & MSG_CTRUNC));
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		must(cmsg->cmsg_len == CMSG_LEN(sizeof(int)));
		must(flow->reply_fds--);
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
		close(fd);
	}
}

static void read_replies(struct flow *flow)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	uint8_t bytes[1024];
	struct iovec iov = { bytes, 1 + below(flow, sizeof(bytes)) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t received = recvmsg(flow->front_fd, &msg,
				   MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (received <= 0)
		return;
	take_fds(flow, &msg);
	must((size_t)received <= flow->reply_bytes);
	must(!memcmp(bytes, flow->reply, received));
	flow->reply_bytes -= received;
	memmove(flow->reply, flow->reply + received, flow->reply_bytes);
}

static void expect_reply(struct flow *flow, const void *payload,
			 size_t size_bytes)
{
	const struct vhb_wire_header header = {
		flow->channel.message.header.request,
		VHB_FLAG_VERSION | vhb_bit(VHB_FLAG_REPLY_BIT), size_bytes,
	};

	must(flow->reply_bytes + HEADER_BYTES + size_bytes <
	     sizeof(flow->reply));
	memcpy(flow->reply + flow->reply_bytes, &header, HEADER_BYTES);
	memcpy(flow->reply + flow->reply_bytes + HEADER_BYTES, payload,
	       size_bytes);
	flow->reply_bytes += HEADER_BYTES + size_bytes;
}

static void finish_reply(struct flow *flow, int ret)
{
	while (ret == -EAGAIN) {
		must(flow->channel.reply_bytes);
		must(vhb_channel_reply(&flow->channel, "", 0) == -EBUSY);
		read_replies(flow);
		ret = vhb_channel_flush(&flow->channel);
	}
	must(!ret);
}

static void reply(struct flow *flow)
{
	static const uint8_t payload[2 * sizeof(struct vhb_wire_memory)] = {
		1, 2, 3,
	};
	const size_t size_bytes = below(flow, one_in(flow, 4) ?
					sizeof(payload) :
					sizeof(struct vhb_wire_memory));
	const bool fits = size_bytes <= sizeof(struct vhb_wire_memory);
	const bool has_fd = one_in(flow, 3);
	int ret;

	if (has_fd)
		vhb_channel_attach(&flow->channel,
				   dup(fd_pool_get(SCRIPT_MEMORY_PAGE)));
	if (one_in(flow, 8))
		return;
	ret = vhb_channel_reply(&flow->channel, payload, size_bytes);
	must(fits ? ret != -EMSGSIZE : ret == -EMSGSIZE);
	if (!fits)
		return;
	expect_reply(flow, payload, size_bytes);
	flow->reply_fds += has_fd;
	finish_reply(flow, ret);
}

/* The channel gave up: there is a reason that one sees from here. */
static void check_refusal(struct flow *flow)
{
	const uint8_t *sent = flow->bytes + flow->message_start;
	struct vhb_wire_header header;
	unsigned int fds = 0;

	must_say(&flow->channel.why);
	flow->is_over = true;
	for (unsigned int i = 0; i < flow->fd_count; i++)
		fds += flow->fds[i].at >= flow->message_start;
	if (fds > VHB_FDS_MAX)
		return;
	must(flow->sent_bytes - flow->message_start >= HEADER_BYTES);
	memcpy(&header, sent, HEADER_BYTES);
	must((header.flags & VHB_FLAG_VERSION_MASK) != VHB_FLAG_VERSION ||
	     vhb_has_bit(header.flags, VHB_FLAG_REPLY_BIT) ||
	     header.size_bytes > VHB_PAYLOAD_MAX_BYTES);
}

static void receive(struct flow *flow)
{
	int waiting_bytes = 0;
	int ret;

	while ((ret = vhb_channel_receive(&flow->channel)) == 1) {
		compare_message(flow);
		check_message(flow);
		describe_message(flow);
		flow->message_start += HEADER_BYTES +
				       flow->channel.message.header.size_bytes;
		if (one_in(flow, 2))
			reply(flow);
		vhb_channel_done(&flow->channel);
	}
	if (ret)
		must(ret == -EPROTO);
	if (ret)
		return check_refusal(flow);
	must(!ioctl(flow->channel.fd, FIONREAD, &waiting_bytes));
	must(!waiting_bytes);
	must(flow->message_start + flow->channel.received_bytes ==
	     flow->sent_bytes);
}

/* One piece; what was in the channel is read before the next. */
static void send_piece(struct flow *flow, const uint8_t *bytes,
		       size_t size_bytes, const int *fds, unsigned int fd_count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(SCRIPT_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)bytes, size_bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (flow->fd_count + fd_count > STREAM_FDS_MAX)
		fd_count = 0;
	if (fd_count) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
	}
	for (unsigned int i = 0; i < fd_count; i++) {
		flow->fds[flow->fd_count].at = flow->sent_bytes;
		flow->fds[flow->fd_count++].inode = inode_of(fds[i]);
	}
	must(sendmsg(flow->front_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	     (ssize_t)size_bytes);
	memcpy(flow->bytes + flow->sent_bytes, bytes, size_bytes);
	flow->sent_bytes += size_bytes;
	/* Sometimes a second one is there before the first was read. */
	if (!one_in(flow, 3))
		receive(flow);
	if (one_in(flow, 2))
		read_replies(flow);
}

static void send_cut(struct flow *flow, const uint8_t *bytes, size_t size_bytes,
		     const struct script_step *step)
{
	unsigned int fds_left = step->fd_count;
	int fds[SCRIPT_FDS_MAX];
	unsigned int i, count;
	size_t piece_bytes;

	if (size_bytes > sizeof(flow->bytes) - flow->sent_bytes)
		return;
	while (size_bytes && !flow->is_over) {
		piece_bytes = 1 + below(flow, one_in(flow, 3) ? 16 :
					PIECE_BYTES_MAX);
		if (piece_bytes > size_bytes || one_in(flow, 3))
			piece_bytes = size_bytes < PIECE_BYTES_MAX ?
				      size_bytes : PIECE_BYTES_MAX;
		count = one_in(flow, 2) ? fds_left : below(flow, fds_left + 1);
		for (i = 0; i < count; i++)
			fds[i] = fd_pool_get(step->fds[i] % SCRIPT_OUR_END);
		fds_left -= count;
		send_piece(flow, bytes, piece_bytes, fds, count);
		bytes += piece_bytes;
		size_bytes -= piece_bytes;
	}
}

static void send_step(struct flow *flow, const struct script_step *step)
{
	static uint8_t bytes[HEADER_BYTES + UINT16_MAX];
	const struct vhb_wire_header header = {
		step->request, step->flags, step->size_bytes,
	};
	size_t size_bytes = 0;

	if (step->kind == SCRIPT_MESSAGE) {
		memcpy(bytes, &header, HEADER_BYTES);
		size_bytes = HEADER_BYTES;
	}
	if (step->size_bytes)
		memcpy(bytes + size_bytes, step->bytes, step->size_bytes);
	send_cut(flow, bytes, size_bytes + step->size_bytes, step);
}

/* What the broker says on its own account */
static void check_backend(struct flow *flow)
{
	const struct vhb_wire_header header = {
		VHB_BACKEND_IOTLB_MSG, VHB_FLAG_VERSION, below(flow, 33),
	};
	uint8_t payload[32], bytes[HEADER_BYTES + sizeof(payload)];
	int pair[2];

	for (unsigned int i = 0; i < sizeof(payload); i++)
		payload[i] = below(flow, 256);
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	must(!vhb_backend_send(pair[0], VHB_BACKEND_IOTLB_MSG, payload,
			       header.size_bytes));
	must(recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT) ==
	     (ssize_t)(HEADER_BYTES + header.size_bytes));
	must(!memcmp(bytes, &header, HEADER_BYTES));
	must(!memcmp(bytes + HEADER_BYTES, payload, header.size_bytes));
	close(pair[0]);
	must(vhb_backend_send(pair[1], VHB_BACKEND_IOTLB_MSG, payload, 8) < 0);
	close(pair[1]);
}

static void start(struct flow *flow, const struct script_device *device)
{
	const int room_bytes = TIGHT_BYTES;
	int fds[2];

	flow->sent_bytes = 0;
	flow->message_start = 0;
	flow->fd_count = 0;
	flow->reply_bytes = 0;
	flow->reply_fds = 0;
	flow->is_over = false;
	flow->random = test_random_of(device->features_mask + device->queue_num);
	flow->gate = (struct vhb_gate){
		.offered_mask = device->protocol_features_mask,
		.acked_mask = device->protocol_features_mask >>
			      (device->flags & 1 ? 8 : 0),
		.vring_count = 1 + device->vring_count,
	};
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	must(!setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room_bytes,
			 sizeof(room_bytes)));
	flow->front_fd = fds[0];
	must(!vhb_channel_init(&flow->channel, fds[1]));
}

static void end(struct flow *flow)
{
	int ret;

	if (!flow->is_over)
		receive(flow);
	if (!flow->is_over) {
		shutdown(flow->front_fd, SHUT_WR);
		ret = vhb_channel_receive(&flow->channel);
		must(ret == (flow->channel.received_bytes ? -EPROTO :
							    -ECONNRESET));
		if (ret == -EPROTO)
			must_say(&flow->channel.why);
	}
	while (flow->reply_bytes)
		read_replies(flow);
	must(!flow->reply_fds);
	vhb_channel_close(&flow->channel);
	close(flow->front_fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size_bytes, size_t room_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size_bytes,
			       size_t room_bytes, unsigned int seed);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fd_pool_open();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	const unsigned int fds_at_first = fd_count_open();
	static struct script script;
	static struct flow flow;

	script_read(&script, bytes, size_bytes);
	start(&flow, &script.device);
	for (unsigned int i = 0; i < script.step_count && !flow.is_over; i++)
		send_step(&flow, &script.steps[i]);
	end(&flow);
	check_backend(&flow);
	fd_pool_clean();
	must(fd_count_open() == fds_at_first);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size_bytes,
			       size_t room_bytes, unsigned int seed)
{
	if (seed & 1)
		return LLVMFuzzerMutate(bytes, size_bytes, room_bytes);
	return script_mutate(bytes, size_bytes, room_bytes, seed);
}
