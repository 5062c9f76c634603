// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/bits.h"

#define HEADER_BYTES sizeof(struct vhb_wire_header)

static void close_fds(struct vhb_message *message)
{
	unsigned int i;

	for (i = 0; i < message->fd_count; i++)
		if (message->fds[i] >= 0)
			close(message->fds[i]);
	message->fd_count = 0;
}

static void close_reply_fd(struct vhb_channel *channel)
{
	if (channel->reply_fd >= 0)
		close(channel->reply_fd);
	channel->reply_fd = -1;
}

int vhb_channel_init(struct vhb_channel *channel, int fd)
{
	int flags;
	int ret;

	memset(channel, 0, sizeof(*channel));
	channel->fd = fd;
	channel->reply_fd = -1;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		ret = -errno;
		vhb_channel_close(channel);
		return ret;
	}
	return 0;
}

void vhb_channel_close(struct vhb_channel *channel)
{
	close_fds(&channel->message);
	close_reply_fd(channel);
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	channel->received_bytes = 0;
	channel->reply_bytes = 0;
}

/* Returns -EPROTO, and closes what there is no room for. */
static int keep_fds(struct vhb_channel *channel, const struct cmsghdr *cmsg)
{
	struct vhb_message *message = &channel->message;
	size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	size_t i;
	int ret = 0;
	int fd;

	for (i = 0; i < count; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (message->fd_count < VHB_FDS_MAX) {
			message->fds[message->fd_count++] = fd;
			continue;
		}
		close(fd);
		ret = -EPROTO;
	}
	if (ret)
		vhb_wrong(&channel->why, ret,
			  "more than %u descriptors with one message",
			  VHB_FDS_MAX);
	return ret;
}

static int keep_control_data(struct vhb_channel *channel, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	int ret = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		if (keep_fds(channel, cmsg))
			ret = -EPROTO;
	}
	if (!ret && msg->msg_flags & MSG_CTRUNC)
		ret = vhb_wrong(&channel->why, -EPROTO,
				"descriptors lost: more than %u, or none left to open",
				VHB_FDS_MAX);
	return ret;
}

/* Returns how many bytes came, 0 at the end of the stream, or -errno. */
static ssize_t receive_some(struct vhb_channel *channel, void *buffer,
			    size_t size_bytes)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VHB_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = buffer, .iov_len = size_bytes };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t received;
	int ret;

	do {
		received = recvmsg(channel->fd, &msg,
				   MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;

	ret = keep_control_data(channel, &msg);
	return ret ? ret : received;
}

static int header_check(struct vhb_channel *channel)
{
	const struct vhb_wire_header *header = &channel->message.header;
	uint32_t version = header->flags & VHB_FLAG_VERSION_MASK;

	if (version != VHB_FLAG_VERSION)
		return vhb_wrong(&channel->why, -EPROTO,
				 "request %u of protocol version %u, not %u",
				 header->request, version, VHB_FLAG_VERSION);
	if (vhb_has_bit(header->flags, VHB_FLAG_REPLY_BIT))
		return vhb_wrong(&channel->why, -EPROTO,
				 "request %u is marked as a reply",
				 header->request);
	if (header->size_bytes > VHB_PAYLOAD_MAX_BYTES)
		return vhb_wrong(&channel->why, -EPROTO,
				 "request %u with a payload of %u bytes, %u are the most",
				 header->request, header->size_bytes,
				 VHB_PAYLOAD_MAX_BYTES);
	return 0;
}

static int end_of_stream(struct vhb_channel *channel)
{
	if (!channel->received_bytes)
		return -ECONNRESET;
	return vhb_wrong(&channel->why, -EPROTO,
			 "connection closed %zu bytes into a message",
			 channel->received_bytes);
}

int vhb_channel_receive(struct vhb_channel *channel)
{
	struct vhb_message *message = &channel->message;
	size_t end_bytes;
	ssize_t received;
	uint8_t *next;
	int ret;

	for (;;) {
		if (channel->received_bytes < HEADER_BYTES) {
			end_bytes = HEADER_BYTES;
			next = (uint8_t *)&message->header +
			       channel->received_bytes;
		} else {
			end_bytes = HEADER_BYTES + message->header.size_bytes;
			if (channel->received_bytes == end_bytes)
				return 1;
			next = &message->payload.bytes[channel->received_bytes -
						       HEADER_BYTES];
		}

		received = receive_some(channel, next,
					end_bytes - channel->received_bytes);
		if (received == -EAGAIN)
			return 0;
		if (!received || received == -ECONNRESET)
			return end_of_stream(channel);
		if (received < 0)
			return received;

		channel->received_bytes += received;
		if (channel->received_bytes == HEADER_BYTES) {
			ret = header_check(channel);
			if (ret)
				return ret;
		}
	}
}

void vhb_channel_done(struct vhb_channel *channel)
{
	close_fds(&channel->message);
	if (!channel->reply_bytes)
		close_reply_fd(channel);
	memset(&channel->message, 0, sizeof(channel->message));
	channel->received_bytes = 0;
}

void vhb_channel_attach(struct vhb_channel *channel, int fd)
{
	close_reply_fd(channel);
	channel->reply_fd = fd;
}

int vhb_channel_reply(struct vhb_channel *channel, const void *payload,
		      size_t size_bytes)
{
	struct vhb_wire_header header = {
		.request = channel->message.header.request,
		.flags = VHB_FLAG_VERSION | vhb_bit(VHB_FLAG_REPLY_BIT),
		.size_bytes = size_bytes,
	};

	if (channel->reply_bytes)
		return -EBUSY;
	if (size_bytes > sizeof(channel->reply) - sizeof(header))
		return -EMSGSIZE;

	memcpy(channel->reply, &header, sizeof(header));
	if (size_bytes)
		memcpy(channel->reply + sizeof(header), payload, size_bytes);
	channel->reply_bytes = sizeof(header) + size_bytes;
	channel->reply_sent_bytes = 0;
	channel->reply_had_fd = channel->reply_fd >= 0;
	return vhb_channel_flush(channel);
}

static ssize_t send_with_fd(struct vhb_channel *channel, void *bytes,
			    size_t size_bytes)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {
		.header = {
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)),
		},
	};
	struct iovec iov = { .iov_base = bytes, .iov_len = size_bytes };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	memcpy(CMSG_DATA(&control.header), &channel->reply_fd,
	       sizeof(channel->reply_fd));
	return sendmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Returns how many bytes left, or -1 as send() does. */
static ssize_t send_some(struct vhb_channel *channel)
{
	void *bytes = channel->reply + channel->reply_sent_bytes;
	size_t size_bytes = channel->reply_bytes - channel->reply_sent_bytes;

	if (channel->reply_fd >= 0)
		return send_with_fd(channel, bytes, size_bytes);
	return send(channel->fd, bytes, size_bytes,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

int vhb_channel_flush(struct vhb_channel *channel)
{
	ssize_t sent;

	while (channel->reply_sent_bytes < channel->reply_bytes) {
		sent = send_some(channel);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		close_reply_fd(channel);
		channel->reply_sent_bytes += sent;
	}
	channel->reply_bytes = 0;
	channel->reply_sent_bytes = 0;
	return 0;
}
