// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/odd_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static void add(struct odd_fds *odd, int fd)
{
	odd->fds[odd->count++] = fd;
}

/* Only the first end stays open. */
static void add_widow(struct odd_fds *odd, int pair[2])
{
	add(odd, pair[0]);
	close(pair[1]);
}

/* Not every test has it. */
static int vhost_net(void)
{
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	return fd < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : fd;
}

static int full_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd >= 0)
		eventfd_write(fd, UINT64_MAX - 1);
	return fd;
}

static int sealed_memfd(void)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && ftruncate(fd, 1 << 20) == 0)
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK);
	return fd;
}

static void open_pairs(struct odd_fds *odd)
{
	int pair[2];

	if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		add_widow(odd, pair);
	if (!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
		add_widow(odd, pair);
	if (!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		add(odd, pair[0]);
		add(odd, pair[1]);
	}
	if (!pipe2(pair, O_CLOEXEC)) {
		add(odd, pair[0]);
		add(odd, pair[1]);
	}
	/* A writing end whose reader is gone */
	if (!pipe2(pair, O_CLOEXEC)) {
		add(odd, pair[1]);
		close(pair[0]);
	}
}

int odd_fds_open(struct odd_fds *odd)
{
	unsigned int i;

	odd->count = 0;
	add(odd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	add(odd, eventfd(0, EFD_CLOEXEC));
	add(odd, eventfd(1, EFD_CLOEXEC | EFD_SEMAPHORE));
	add(odd, full_eventfd());
	add(odd, open("/dev/null", O_RDWR | O_CLOEXEC));
	add(odd, open("/dev/zero", O_RDWR | O_CLOEXEC));
	add(odd, open("/dev/null", O_PATH | O_CLOEXEC));
	add(odd, vhost_net());
	add(odd, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	add(odd, open("/proc/self/mem", O_RDWR | O_CLOEXEC));
	add(odd, epoll_create1(EPOLL_CLOEXEC));
	add(odd, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	add(odd, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	add(odd, memfd_create("empty", MFD_CLOEXEC));
	add(odd, sealed_memfd());
	open_pairs(odd);

	for (i = 0; i < odd->count; i++) {
		if (odd->fds[i] < 0) {
			odd_fds_close(odd);
			return -EMFILE;
		}
	}
	return 0;
}

void odd_fds_close(struct odd_fds *odd)
{
	while (odd->count) {
		int fd = odd->fds[--odd->count];

		if (fd >= 0)
			close(fd);
	}
}
