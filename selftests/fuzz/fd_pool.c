// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/fd_pool.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "fuzz/must.h"

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)
#define FDS_LOOKED_AT 512

/**
 * struct pooled - a descriptor
 * @fd: itself
 * @peer_fd: the other end, or -1
 * @size_bytes: of a file that can be truncated, else 0
 * @is_used: since fd_pool_clean()
 */
struct pooled {
	int fd;
	int peer_fd;
	uint64_t size_bytes;
	bool is_used;
};

static struct pooled pool[SCRIPT_FD_COUNT];

static void set(enum script_fd kind, int fd)
{
	must(fd >= 0);
	pool[kind] = (struct pooled){ .fd = fd, .peer_fd = -1 };
}

static void set_pair(enum script_fd kind, const int pair[2])
{
	set(kind, pair[0]);
	pool[kind].peer_fd = pair[1];
}

static void set_memory(enum script_fd kind, uint64_t size_bytes)
{
	set(kind, memfd_create("fuzz", MFD_CLOEXEC));
	must(!ftruncate(pool[kind].fd, size_bytes));
	pool[kind].size_bytes = size_bytes;
}

static void set_sealed(enum script_fd kind, uint64_t size_bytes)
{
	set(kind, memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	must(!ftruncate(pool[kind].fd, size_bytes));
	must(!fcntl(pool[kind].fd, F_ADD_SEALS, F_SEAL_SHRINK));
}

static void open_memory(void)
{
	set_memory(SCRIPT_MEMORY_4M_0, 4 * MIB);
	set_memory(SCRIPT_MEMORY_4M_0 + 1, 4 * MIB);
	set_memory(SCRIPT_MEMORY_2M_0, 2 * MIB);
	set_memory(SCRIPT_MEMORY_2M_0 + 1, 2 * MIB);
	set_memory(SCRIPT_MEMORY_1G, 1024 * MIB);
	set_memory(SCRIPT_MEMORY_UNEVEN, 4 * MIB + 100);
	set_memory(SCRIPT_MEMORY_PAGE, 4 * KIB);
	set_memory(SCRIPT_MEMORY_EMPTY, 0);
	set_sealed(SCRIPT_SEALED_0, 4 * KIB);
	set_sealed(SCRIPT_SEALED_0 + 1, MIB);
}

static void open_pairs(void)
{
	int pair[2];

	for (unsigned int i = 0; i < SCRIPT_DATAGRAM - SCRIPT_STREAM_0; i++) {
		must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
		set_pair(SCRIPT_STREAM_0 + i, pair);
	}
	must(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
	set_pair(SCRIPT_DATAGRAM, pair);
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	set_pair(SCRIPT_SEQUENCED, pair);
	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	set(SCRIPT_WIDOW, pair[0]);
	close(pair[1]);
	must(!pipe2(pair, O_CLOEXEC));
	set(SCRIPT_PIPE_OUT, pair[0]);
	set(SCRIPT_PIPE_IN, pair[1]);
	must(!pipe2(pair, O_CLOEXEC));
	set(SCRIPT_PIPE_WIDOW, pair[1]);
	close(pair[0]);
}

void fd_pool_open(void)
{
	for (unsigned int i = 0; i < SCRIPT_FD_COUNT; i++)
		pool[i] = (struct pooled){ .fd = -1, .peer_fd = -1 };
	for (unsigned int i = SCRIPT_EVENTFD_0; i < SCRIPT_MEMORY_4M_0; i++)
		set(i, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	set(SCRIPT_EVENTFD_FULL, eventfd(0, EFD_CLOEXEC));
	must(!eventfd_write(pool[SCRIPT_EVENTFD_FULL].fd, UINT64_MAX - 1));
	set(SCRIPT_EVENTFD_BLOCKING, eventfd(0, EFD_CLOEXEC));
	set(SCRIPT_EVENTFD_SEMAPHORE, eventfd(1, EFD_CLOEXEC | EFD_SEMAPHORE));
	open_memory();
	open_pairs();
	set(SCRIPT_DEV_NULL, open("/dev/null", O_RDWR | O_CLOEXEC));
	set(SCRIPT_PATH, open("/dev/null", O_PATH | O_CLOEXEC));
	set(SCRIPT_DIRECTORY, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	set(SCRIPT_OWN_MEMORY, open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
	set(SCRIPT_EPOLL, epoll_create1(EPOLL_CLOEXEC));
	set(SCRIPT_TIMER, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	set(SCRIPT_INET, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

int fd_pool_get(enum script_fd kind)
{
	pool[kind].is_used = true;
	return pool[kind].fd;
}

void fd_pool_truncate(enum script_fd kind, uint64_t size_bytes)
{
	if (!pool[kind].size_bytes)
		return;
	pool[kind].is_used = true;
	must(!ftruncate(pool[kind].fd, size_bytes));
}

static void empty_socket(int fd)
{
	char bytes[4096];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void clean(enum script_fd kind, struct pooled *pooled)
{
	uint64_t count;

	pooled->is_used = false;
	if (kind < SCRIPT_MEMORY_4M_0)
		eventfd_read(pooled->fd, &count);
	if (pooled->size_bytes)
		must(!ftruncate(pooled->fd, pooled->size_bytes));
	if (pooled->peer_fd >= 0) {
		empty_socket(pooled->fd);
		empty_socket(pooled->peer_fd);
	}
}

void fd_pool_clean(void)
{
	for (unsigned int i = 0; i < SCRIPT_FD_COUNT; i++)
		if (pool[i].is_used)
			clean(i, &pool[i]);
}

unsigned int fd_count_open(void)
{
	static struct pollfd pollfds[FDS_LOOKED_AT];
	unsigned int count = 0;

	for (unsigned int i = 0; i < FDS_LOOKED_AT; i++)
		pollfds[i] = (struct pollfd){ .fd = i };
	must(poll(pollfds, FDS_LOOKED_AT, 0) >= 0);
	for (unsigned int i = 0; i < FDS_LOOKED_AT; i++)
		count += !(pollfds[i].revents & POLLNVAL);
	return count;
}
