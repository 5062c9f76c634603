// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/inband_channel.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <sys/socket.h>

#include "lib/bits.h"

int inband_channel_give(struct frontend *frontend)
{
	int fds[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	ret = frontend_tell(frontend, VHB_SET_BACKEND_REQ_FD, NULL, 0, &fds[1],
			    1);
	close(fds[1]);
	if (!ret)
		return fds[0];
	close(fds[0]);
	return ret;
}

static int wait_readable(int fd, unsigned int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	int ret;

	do {
		ret = poll(&pollfd, 1, timeout_ms);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	return ret ? 0 : -ETIMEDOUT;
}

/* The back-end sends a message whole. */
int inband_channel_receive(int fd, unsigned int timeout_ms,
			   struct inband_message *message)
{
	ssize_t length;
	int ret = wait_readable(fd, timeout_ms);

	if (ret)
		return ret;
	length = recv(fd, message, sizeof(*message), MSG_WAITALL);
	if (length < 0)
		return -errno;
	if (!length)
		return -ECONNRESET;
	if (length != sizeof(*message) ||
	    message->header.size_bytes != sizeof(message->state) ||
	    message->state.num)
		return -EPROTO;
	return 0;
}

int inband_channel_answer(int fd, const struct inband_message *message,
			  uint64_t result)
{
	struct {
		struct vhb_wire_header header;
		uint64_t result;
	} __attribute__((packed)) reply = {
		.header = {
			.request = message->header.request,
			.flags = VHB_FLAG_VERSION | vhb_bit(VHB_FLAG_REPLY_BIT),
			.size_bytes = sizeof(result),
		},
		.result = result,
	};

	return send(fd, &reply, sizeof(reply), MSG_NOSIGNAL) == sizeof(reply) ?
		       0 : -errno;
}

int inband_channel_wait(int fd, enum vhb_backend_request request,
			unsigned int index, unsigned int timeout_ms)
{
	struct inband_message message;
	int ret;

	for (;;) {
		ret = inband_channel_receive(fd, timeout_ms, &message);
		if (ret)
			return ret;
		if (vhb_has_bit(message.header.flags, VHB_FLAG_NEED_REPLY_BIT))
			ret = inband_channel_answer(fd, &message, 0);
		if (ret || (message.header.request == request &&
			    message.state.index == index))
			return ret;
	}
}

int inband_channel_silence(int fd, unsigned int wait_ms)
{
	int ret = wait_readable(fd, wait_ms);

	if (ret == -ETIMEDOUT)
		return 0;
	return ret ? ret : -EEXIST;
}

int inband_kick(struct frontend *frontend, unsigned int index)
{
	const struct vhb_wire_vring_state state = { .index = index };

	return frontend_tell(frontend, VHB_VRING_KICK, &state, sizeof(state),
			     NULL, 0);
}
