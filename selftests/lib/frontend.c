// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/frontend.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/bits.h"
#include "lib/fuzz_seed.h"

#define CONNECT_RETRY_MS 10
#define SEND_FDS_MAX 253
#define REPLY_FLAGS 0x5u

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int broken(struct frontend *frontend, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int broken(struct frontend *frontend, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(frontend->why, sizeof(frontend->why), format, args);
	va_end(args);
	return -EPROTO;
}

/* Hang-ups and errors count as ready: the system call that follows tells. */
static int wait_ready(int fd, short events, int64_t deadline_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = events };
	int64_t left_ms;
	int ready;

	for (;;) {
		left_ms = deadline_ms - now_ms();
		ready = poll(&pollfd, 1, left_ms > 0 ? (int)left_ms : 0);
		if (ready > 0)
			return 0;
		if (!ready)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int frontend_connect(struct frontend *frontend, const char *path,
		     unsigned int timeout_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timespec pause = { .tv_nsec = CONNECT_RETRY_MS * 1000000L };
	int64_t deadline_ms = now_ms() + timeout_ms;
	int ret;
	int fd;

	frontend_adopt(frontend, -1, timeout_ms);
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		ret = -errno;
		if (ret != -ENOENT && ret != -ECONNREFUSED && ret != -EAGAIN &&
		    ret != -EINTR)
			goto close_fd;
		if (now_ms() >= deadline_ms) {
			ret = -ETIMEDOUT;
			goto close_fd;
		}
		nanosleep(&pause, NULL);
	}
	frontend->fd = fd;
	return 0;

close_fd:
	close(fd);
	return ret;
}

void frontend_adopt(struct frontend *frontend, int fd, unsigned int timeout_ms)
{
	memset(frontend, 0, sizeof(*frontend));
	frontend->fd = fd;
	frontend->timeout_ms = timeout_ms;
}

void frontend_close(struct frontend *frontend)
{
	if (frontend->fd >= 0)
		close(frontend->fd);
	frontend->fd = -1;
}

int frontend_send_bytes(struct frontend *frontend, const void *bytes,
			size_t size_bytes, const int *fds,
			unsigned int fd_count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(SEND_FDS_MAX * sizeof(int))];
	} control = { 0 };
	int64_t deadline_ms = now_ms() + frontend->timeout_ms;
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = size_bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;
	int ret;

	if (fd_count > SEND_FDS_MAX)
		return -EINVAL;
	fuzz_seed_send(bytes, size_bytes, fds, fd_count);
	if (fd_count) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
	}

	while (iov.iov_len) {
		sent = sendmsg(frontend->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (sent < 0) {
			ret = wait_ready(frontend->fd, POLLOUT, deadline_ms);
			if (ret)
				return ret;
			continue;
		}
		iov.iov_base = (char *)iov.iov_base + sent;
		iov.iov_len -= sent;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	return 0;
}

int frontend_send(struct frontend *frontend, uint32_t request, uint32_t flags,
		  const void *payload, size_t size_bytes, const int *fds,
		  unsigned int fd_count)
{
	struct {
		struct vhb_wire_header header;
		uint8_t payload[2 * VHB_PAYLOAD_MAX_BYTES];
	} message = {
		.header = {
			.request = request,
			.flags = flags,
			.size_bytes = size_bytes,
		},
	};

	if (size_bytes > sizeof(message.payload))
		return -EMSGSIZE;
	if (size_bytes)
		memcpy(message.payload, payload, size_bytes);
	return frontend_send_bytes(frontend, &message,
				   sizeof(message.header) + size_bytes, fds,
				   fd_count);
}

static void keep_fds(struct frontend_reply *reply, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	size_t count;
	size_t i;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd),
			       sizeof(fd));
			if (reply->fd_count < FRONTEND_REPLY_FDS_MAX)
				reply->fds[reply->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

void frontend_reply_close(struct frontend_reply *reply)
{
	unsigned int i;

	for (i = 0; i < reply->fd_count; i++)
		close(reply->fds[i]);
	reply->fd_count = 0;
}

static int receive_bytes(struct frontend *frontend,
			 struct frontend_reply *reply, void *buffer,
			 size_t size_bytes, int64_t deadline_ms)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FRONTEND_REPLY_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = buffer, .iov_len = size_bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t received;
	int ret;

	while (iov.iov_len) {
		ret = wait_ready(frontend->fd, POLLIN, deadline_ms);
		if (ret)
			return ret;
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		received = recvmsg(frontend->fd, &msg,
				   MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (received < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (received < 0)
			return -errno;
		if (!received)
			return -ECONNRESET;
		keep_fds(reply, &msg);
		iov.iov_base = (char *)iov.iov_base + received;
		iov.iov_len -= received;
	}
	return 0;
}

int frontend_receive(struct frontend *frontend, struct frontend_reply *reply)
{
	int64_t deadline_ms = now_ms() + frontend->timeout_ms;
	int ret;

	memset(reply, 0, sizeof(*reply));
	ret = receive_bytes(frontend, reply, &reply->header,
			    sizeof(reply->header), deadline_ms);
	if (ret)
		goto close_fds;
	if (reply->header.size_bytes > sizeof(reply->payload)) {
		ret = broken(frontend, "reply %u of %u bytes",
			     reply->header.request, reply->header.size_bytes);
		goto close_fds;
	}
	ret = receive_bytes(frontend, reply, &reply->payload,
			    reply->header.size_bytes, deadline_ms);
	if (ret)
		goto close_fds;
	return 0;

close_fds:
	frontend_reply_close(reply);
	return ret;
}

static int receive_checked(struct frontend *frontend, uint32_t request,
			   struct frontend_reply *reply)
{
	int ret = frontend_receive(frontend, reply);

	if (ret)
		return ret;
	if (reply->fd_count) {
		frontend_reply_close(reply);
		return broken(frontend, "reply to %u with descriptors",
			      request);
	}
	if (reply->header.request != request)
		return broken(frontend, "reply to %u instead of %u",
			      reply->header.request, request);
	if (reply->header.flags != REPLY_FLAGS)
		return broken(frontend, "reply to %u with flags %#x", request,
			      reply->header.flags);
	return 0;
}

int frontend_receive_reply(struct frontend *frontend, uint32_t request,
			   void *payload, size_t size_bytes)
{
	struct frontend_reply reply;
	int ret;

	frontend->is_reply_empty = false;
	ret = receive_checked(frontend, request, &reply);
	if (ret)
		return ret;
	frontend->is_reply_empty = !reply.header.size_bytes;
	if (reply.header.size_bytes != size_bytes)
		return broken(frontend, "reply to %u of %u bytes, not %zu",
			      request, reply.header.size_bytes, size_bytes);
	if (payload)
		memcpy(payload, &reply.payload, size_bytes);
	return 0;
}

static bool wants_ack(const struct frontend *frontend)
{
	return frontend->need_reply &&
	       vhb_has_bit(frontend->acked_protocol_mask,
			   VHB_PROTOCOL_F_REPLY_ACK);
}

static uint32_t request_flags(const struct frontend *frontend)
{
	if (!wants_ack(frontend))
		return VHB_FLAG_VERSION;
	return VHB_FLAG_VERSION | vhb_bit(VHB_FLAG_NEED_REPLY_BIT);
}

static void lock(struct frontend *frontend)
{
	if (frontend->lock)
		pthread_mutex_lock(frontend->lock);
}

static int unlock(struct frontend *frontend, int ret)
{
	if (frontend->lock)
		pthread_mutex_unlock(frontend->lock);
	return ret;
}

int frontend_ask(struct frontend *frontend, uint32_t request,
		 const void *payload, size_t size_bytes, void *reply,
		 size_t reply_bytes)
{
	int ret;

	lock(frontend);
	ret = frontend_send(frontend, request, request_flags(frontend),
			    payload, size_bytes, NULL, 0);
	if (!ret)
		ret = frontend_receive_reply(frontend, request, reply,
					     reply_bytes);
	return unlock(frontend, ret);
}

int frontend_ask_fd(struct frontend *frontend, uint32_t request,
		    const void *payload, size_t size_bytes, void *answer,
		    int *fd_out)
{
	struct frontend_reply reply;
	int ret;

	ret = frontend_send(frontend, request, request_flags(frontend), payload,
			    size_bytes, NULL, 0);
	if (!ret)
		ret = frontend_receive(frontend, &reply);
	if (ret)
		return ret;
	if (reply.header.request != request ||
	    reply.header.flags != REPLY_FLAGS ||
	    reply.header.size_bytes != size_bytes || reply.fd_count != 1) {
		frontend_reply_close(&reply);
		return broken(frontend,
			      "reply to %u of %u bytes with %u descriptors",
			      request, reply.header.size_bytes, reply.fd_count);
	}
	memcpy(answer, &reply.payload, size_bytes);
	*fd_out = reply.fds[0];
	return 0;
}

int frontend_tell(struct frontend *frontend, uint32_t request,
		  const void *payload, size_t size_bytes, const int *fds,
		  unsigned int fd_count)
{
	int ret;

	lock(frontend);
	ret = frontend_send(frontend, request, request_flags(frontend),
			    payload, size_bytes, fds, fd_count);
	if (!ret && wants_ack(frontend)) {
		ret = frontend_receive_reply(frontend, request,
					     &frontend->last_ack,
					     sizeof(frontend->last_ack));
		if (!ret && frontend->last_ack)
			ret = -EREMOTEIO;
	}
	return unlock(frontend, ret);
}

static int expect_end(struct frontend *frontend, unsigned int wait_ms)
{
	ssize_t received;
	char byte;
	int ret;

	ret = wait_ready(frontend->fd, POLLIN, now_ms() + wait_ms);
	if (ret)
		return ret;
	received = recv(frontend->fd, &byte, 1, MSG_DONTWAIT);
	if (received > 0)
		return -EEXIST;
	return received < 0 ? -errno : -ECONNRESET;
}

int frontend_expect_silence(struct frontend *frontend, unsigned int wait_ms)
{
	int ret = expect_end(frontend, wait_ms);

	return ret == -ETIMEDOUT ? 0 : ret;
}

int frontend_expect_closed(struct frontend *frontend)
{
	int ret = expect_end(frontend, frontend->timeout_ms);

	return ret == -ECONNRESET ? 0 : ret;
}
