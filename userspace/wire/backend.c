// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/backend.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "lib/bits.h"
#include "lib/text.h"
#include "lib/trace.h"
#include "wire/describe.h"

static void trace(enum vhb_backend_request request, const void *payload,
		  size_t size_bytes, int result)
{
	char bytes[512];
	struct vhb_text text;

	vhb_text_begin(&text, bytes, sizeof(bytes));
	vhb_describe_backend(request, payload, size_bytes, &text);
	vhb_trace_event("%s = %s", bytes,
			result ? strerrorname_np(-result) : "0");
}

static int send_message(int fd, enum vhb_backend_request request,
			uint32_t flags, const void *payload, size_t size_bytes)
{
	struct vhb_wire_header header = {
		.request = request,
		.flags = VHB_FLAG_VERSION | flags,
		.size_bytes = size_bytes,
	};
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)payload, .iov_len = size_bytes },
	};
	const struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
	};
	ssize_t sent;

	do {
		sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	/* A UNIX socket takes so little whole or not at all. */
	return (size_t)sent == sizeof(header) + size_bytes ? 0 : -EPROTO;
}

int vhb_backend_send(int fd, enum vhb_backend_request request,
		     const void *payload, size_t size_bytes)
{
	int ret = send_message(fd, request, 0, payload, size_bytes);

	if (vhb_trace_enabled())
		trace(request, payload, size_bytes, ret);
	return ret;
}

int vhb_backend_ask(int fd, enum vhb_backend_request request,
		    const void *payload, size_t size_bytes)
{
	int ret = send_message(fd, request, vhb_bit(VHB_FLAG_NEED_REPLY_BIT),
			       payload, size_bytes);

	if (vhb_trace_enabled())
		trace(request, payload, size_bytes, ret);
	return ret;
}

int vhb_backend_tell(int fd, enum vhb_backend_request request)
{
	return vhb_backend_send(fd, request, NULL, 0);
}
