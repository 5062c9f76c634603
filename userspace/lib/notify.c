// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char ready[] = "READY=1";

/* Return: the length of the address, or -EINVAL. */
static int notify_address(const char *name, struct sockaddr_un *address)
{
	size_t length = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || length < 2 ||
	    length >= sizeof(address->sun_path))
		return -EINVAL;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, name, length);
	if (name[0] == '@') {
		/* Every byte of an abstract name counts, so none may follow. */
		address->sun_path[0] = '\0';
		return offsetof(struct sockaddr_un, sun_path) + length;
	}
	return offsetof(struct sockaddr_un, sun_path) + length + 1;
}

int vhb_notify_ready(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	int address_bytes;
	ssize_t sent;
	int ret = 0;
	int fd;

	if (!name || !*name)
		return 0;
	address_bytes = notify_address(name, &address);
	if (address_bytes < 0)
		return address_bytes;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	do {
		sent = sendto(fd, ready, sizeof(ready) - 1, MSG_NOSIGNAL,
			      (struct sockaddr *)&address, address_bytes);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		ret = -errno;
	close(fd);
	return ret;
}
