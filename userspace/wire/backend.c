// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/backend.h"

#include <errno.h>
#include <sys/socket.h>

int vhb_backend_tell(int fd, enum vhb_backend_request request)
{
	const struct vhb_wire_header header = {
		.request = request,
		.flags = VHB_FLAG_VERSION,
	};
	ssize_t sent;

	do {
		sent = send(fd, &header, sizeof(header),
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	/* A UNIX socket takes so little whole or not at all. */
	return sent == sizeof(header) ? 0 : -EPROTO;
}
