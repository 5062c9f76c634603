// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/fault_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include <linux/close_range.h>
#include <linux/userfaultfd.h>

#include "lib/clock.h"
#include "session/memory_map.h"

/* Linux 6.1; headers may be older */
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xaa, 0x00)
#endif

#define TICK_MS 20
/* A thread with a signal pending is in the queue only now and then. */
#define TICKS_WITHOUT_WAITING 10
/* The contract for the end of the process is a second. */
#define PATIENCE_AT_END_MS 300
/* A page may have to come from far, behind many others. */
#define PATIENCE_MS 10000

#define FENCE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED)

/* Both maps, while one is replaced by the other */
#define RANGE_COUNT_MAX (2 * VHB_REGION_COUNT_MAX)

/**
 * struct vhb_fault_guard - see fault_guard.h
 * @thread: stands by
 * @lock: of all that follows
 * @wake: for the thread: @is_busy, @is_hurried, @is_over or @request has changed
 * @done: for others: @is_ready, @socket_fd or @request has
 * @is_ready: the thread has its descriptors, or @error says why not
 * @error: of what the thread did for others
 * @userfault_fd: where the front-end reads the faults; the thread's
 * @socket_fd: where it hangs up; the thread's, -1 when it has none any more
 * @request: an ioctl() for the thread to make; 0 for none
 * @request_argument: of it
 * @is_busy: the broker may wait for the kernel
 * @is_hurried: the session ends
 * @is_over: the thread shall end
 * @has_fired: guest memory was taken away
 * @calm_ticks: how often in a row nobody was seen to wait for a page
 * @answered_ms: when that was so for the last time
 * @range_count: ranges there are
 * @ranges: pages whose faults go to the front-end
 */
struct vhb_fault_guard {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_cond_t done;
	bool is_ready;
	int error;
	int userfault_fd;
	int socket_fd;
	unsigned long request;
	void *request_argument;
	bool is_busy;
	bool is_hurried;
	bool is_over;
	bool has_fired;
	unsigned int calm_ticks;
	int64_t answered_ms;
	unsigned int range_count;
	struct uffdio_range ranges[RANGE_COUNT_MAX];
};

/*
 * The system call wants a privilege for faults of the kernel; who may open the
 * device has it without (since Linux 6.1).
 */
static int open_any(void)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	int device_fd;

	if (fd >= 0 || errno != EPERM)
		return fd < 0 ? -errno : fd;
	device_fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (device_fd < 0)
		return -EPERM;
	fd = ioctl(device_fd, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		fd = -errno;
	close(device_fd);
	return fd;
}

int vhb_userfault_open(const char **why_out)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_MISSING_SHMEM |
			    UFFD_FEATURE_MISSING_HUGETLBFS,
	};
	int fd = open_any();

	switch (fd) {
	case -EPERM:
		*why_out =
			"needs CAP_SYS_PTRACE, /dev/userfaultfd or vm.unprivileged_userfaultfd=1";
		return fd;
	case -ENOSYS:
		*why_out = "this kernel has no userfaultfd";
		return -EOPNOTSUPP;
	}
	if (fd < 0) {
		*why_out = "userfaultfd cannot be opened";
		return fd;
	}
	if (ioctl(fd, UFFDIO_API, &api)) {
		*why_out = "userfaultfd of this kernel knows no shared memory";
		close(fd);
		return -EOPNOTSUPP;
	}
	return fd;
}

/* How many threads wait for a page; at least one when it cannot be told */
static unsigned int waiting_count(const struct vhb_fault_guard *guard)
{
	unsigned long total = 1;
	char path[40];
	char line[80];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d",
		 guard->userfault_fd);
	file = fopen(path, "re");
	if (!file)
		return 1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "total: %lu", &total) == 1)
			break;
	fclose(file);
	return total;
}

/* Blocked in all threads and read from a descriptor, such a signal stays pending. */
static bool is_told_to_end(void)
{
	sigset_t pending;

	return !sigpending(&pending) && (sigismember(&pending, SIGTERM) == 1 ||
					 sigismember(&pending, SIGINT) == 1);
}

static bool has_hung_up(const struct vhb_fault_guard *guard)
{
	struct pollfd pollfd = { .fd = guard->socket_fd,
				 .events = POLLRDHUP };

	return poll(&pollfd, 1, 0) == 1;
}

static void close_socket(struct vhb_fault_guard *guard)
{
	if (guard->socket_fd >= 0)
		close(guard->socket_fd);
	guard->socket_fd = -1;
	pthread_cond_signal(&guard->done);
}

static void make_request(struct vhb_fault_guard *guard)
{
	guard->error = 0;
	if (ioctl(guard->userfault_fd, guard->request,
		  guard->request_argument))
		guard->error = -errno;
	guard->request = 0;
	pthread_cond_signal(&guard->done);
}

/*
 * First all pages go and then all are woken: who has been in the queue before
 * finds nothing there any more, and nobody joins it. Without memory for that,
 * empty pages are better than a process that never ends.
 */
static void fire(struct vhb_fault_guard *guard)
{
	unsigned int i;

	for (i = 0; i < guard->range_count; i++) {
		const struct uffdio_range *range = &guard->ranges[i];
		void *start = (void *)(uintptr_t)range->start;

		if (mmap(start, range->len, PROT_NONE, FENCE_FLAGS, -1, 0) ==
		    MAP_FAILED)
			ioctl(guard->userfault_fd, UFFDIO_UNREGISTER, range);
		else
			madvise(start, range->len, MADV_DONTDUMP);
	}
	for (i = 0; i < guard->range_count; i++)
		ioctl(guard->userfault_fd, UFFDIO_WAKE, &guard->ranges[i]);
	guard->range_count = 0;
	guard->has_fired = true;
}

static void look(struct vhb_fault_guard *guard)
{
	int64_t patience_ms = PATIENCE_MS;

	if (guard->has_fired)
		return;
	if (waiting_count(guard))
		guard->calm_ticks = 0;
	else if (++guard->calm_ticks >= TICKS_WITHOUT_WAITING)
		guard->answered_ms = vhb_now_ms();
	if (guard->calm_ticks)
		return;
	if (guard->is_hurried || has_hung_up(guard) || is_told_to_end())
		patience_ms = PATIENCE_AT_END_MS;
	if (vhb_now_ms() - guard->answered_ms >= patience_ms)
		fire(guard);
}

static void wait_a_tick(struct vhb_fault_guard *guard)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&guard->wake, &guard->lock, &until);
}

/*
 * None of the broker's descriptors but the standard ones: what the kernel does
 * when one is closed counts those that are left.
 */
static int take_descriptors(struct vhb_fault_guard *guard)
{
	int process_fd, ret = 0;

	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE))
		return -errno;
	process_fd = pidfd_open(getpid(), 0);
	if (process_fd < 0)
		return -errno;
	guard->userfault_fd = pidfd_getfd(process_fd, guard->userfault_fd, 0);
	if (guard->userfault_fd >= 0)
		guard->socket_fd = pidfd_getfd(process_fd, guard->socket_fd, 0);
	if (guard->userfault_fd < 0 || guard->socket_fd < 0)
		ret = -errno;
	close(process_fd);
	return ret;
}

static void go_on(struct vhb_fault_guard *guard)
{
	if (guard->request)
		make_request(guard);
	if (guard->is_hurried && guard->socket_fd >= 0)
		close_socket(guard);
	if (!guard->is_busy) {
		pthread_cond_wait(&guard->wake, &guard->lock);
		return;
	}
	wait_a_tick(guard);
	if (guard->is_busy)
		look(guard);
}

/* The front-end has a descriptor too: that ours is closed changes nothing. */
static void release_all(struct vhb_fault_guard *guard)
{
	for (unsigned int i = 0; i < guard->range_count; i++)
		ioctl(guard->userfault_fd, UFFDIO_UNREGISTER,
		      &guard->ranges[i]);
	close(guard->userfault_fd);
	close_socket(guard);
}

static void *stand_by(void *argument)
{
	struct vhb_fault_guard *guard = argument;
	bool is_useless;

	pthread_mutex_lock(&guard->lock);
	guard->error = take_descriptors(guard);
	is_useless = guard->error;
	guard->is_ready = true;
	pthread_cond_signal(&guard->done);
	while (!is_useless && !guard->is_over)
		go_on(guard);
	if (!is_useless)
		release_all(guard);
	pthread_mutex_unlock(&guard->lock);
	return NULL;
}

/* The thread makes it: only there is the descriptor. */
static int ask(struct vhb_fault_guard *guard, unsigned long request,
	       void *argument)
{
	guard->request = request;
	guard->request_argument = argument;
	pthread_cond_signal(&guard->wake);
	while (guard->request)
		pthread_cond_wait(&guard->done, &guard->lock);
	return guard->error;
}

/* Signals are for the thread that asked for them. */
static int start_thread(struct vhb_fault_guard *guard)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&guard->thread, NULL, stand_by, guard);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -ret;
}

static int wait_ready(struct vhb_fault_guard *guard)
{
	int ret;

	pthread_mutex_lock(&guard->lock);
	while (!guard->is_ready)
		pthread_cond_wait(&guard->done, &guard->lock);
	ret = guard->error;
	pthread_mutex_unlock(&guard->lock);
	return ret;
}

int vhb_fault_guard_create(int userfault_fd, int socket_fd,
			   struct vhb_fault_guard **guard_out)
{
	struct vhb_fault_guard *guard = calloc(1, sizeof(*guard));
	pthread_condattr_t attributes;
	int ret;

	if (!guard)
		return -ENOMEM;
	guard->userfault_fd = userfault_fd;
	guard->socket_fd = socket_fd;
	pthread_mutex_init(&guard->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&guard->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_cond_init(&guard->done, NULL);

	ret = start_thread(guard);
	if (ret)
		goto free_guard;
	ret = wait_ready(guard);
	if (ret)
		goto join_thread;
	close(userfault_fd);
	*guard_out = guard;
	return 0;

join_thread:
	pthread_join(guard->thread, NULL);
free_guard:
	pthread_cond_destroy(&guard->done);
	pthread_cond_destroy(&guard->wake);
	pthread_mutex_destroy(&guard->lock);
	free(guard);
	return ret;
}

void vhb_fault_guard_destroy(struct vhb_fault_guard *guard)
{
	if (!guard)
		return;
	pthread_mutex_lock(&guard->lock);
	guard->is_over = true;
	pthread_cond_signal(&guard->wake);
	pthread_mutex_unlock(&guard->lock);
	pthread_join(guard->thread, NULL);
	pthread_cond_destroy(&guard->done);
	pthread_cond_destroy(&guard->wake);
	pthread_mutex_destroy(&guard->lock);
	free(guard);
}

static unsigned int find(const struct vhb_fault_guard *guard, uint64_t hva)
{
	unsigned int i;

	for (i = 0; i < guard->range_count; i++)
		if (guard->ranges[i].start == hva)
			break;
	return i;
}

/*
 * A huge page made of small ones, some of which are missing, would be filled up
 * with zeroes: no such pages here.
 */
static int add_range(struct vhb_fault_guard *guard, uint64_t hva,
		     uint64_t size_bytes)
{
	struct uffdio_register registration = {
		.range = { .start = hva, .len = size_bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int ret;

	if (guard->has_fired)
		return -ECONNABORTED;
	if (find(guard, hva) < guard->range_count)
		return 0;
	if (guard->range_count == RANGE_COUNT_MAX)
		return -ENOSPC;
	madvise((void *)(uintptr_t)hva, size_bytes, MADV_NOHUGEPAGE);
	ret = ask(guard, UFFDIO_REGISTER, &registration);
	if (ret)
		return ret;
	guard->ranges[guard->range_count++] = registration.range;
	return 0;
}

int vhb_fault_guard_add(struct vhb_fault_guard *guard, uint64_t hva,
			uint64_t size_bytes)
{
	int ret;

	pthread_mutex_lock(&guard->lock);
	ret = add_range(guard, hva, size_bytes);
	pthread_mutex_unlock(&guard->lock);
	return ret;
}

void vhb_fault_guard_remove(struct vhb_fault_guard *guard, uint64_t hva,
			    uint64_t size_bytes)
{
	unsigned int i;

	(void)size_bytes;
	pthread_mutex_lock(&guard->lock);
	i = find(guard, hva);
	if (i < guard->range_count) {
		ask(guard, UFFDIO_UNREGISTER, &guard->ranges[i]);
		guard->ranges[i] = guard->ranges[--guard->range_count];
	}
	pthread_mutex_unlock(&guard->lock);
}

void vhb_fault_guard_busy(struct vhb_fault_guard *guard)
{
	if (!guard)
		return;
	pthread_mutex_lock(&guard->lock);
	if (!guard->is_busy)
		guard->answered_ms = vhb_now_ms();
	guard->calm_ticks = 0;
	guard->is_busy = true;
	pthread_cond_signal(&guard->wake);
	pthread_mutex_unlock(&guard->lock);
}

void vhb_fault_guard_idle(struct vhb_fault_guard *guard)
{
	if (!guard)
		return;
	pthread_mutex_lock(&guard->lock);
	guard->is_busy = false;
	pthread_mutex_unlock(&guard->lock);
}

void vhb_fault_guard_hurry(struct vhb_fault_guard *guard)
{
	if (!guard)
		return;
	pthread_mutex_lock(&guard->lock);
	guard->is_hurried = true;
	pthread_cond_signal(&guard->wake);
	while (guard->socket_fd >= 0)
		pthread_cond_wait(&guard->done, &guard->lock);
	pthread_mutex_unlock(&guard->lock);
}

bool vhb_fault_guard_has_fired(struct vhb_fault_guard *guard)
{
	bool has_fired;

	if (!guard)
		return false;
	pthread_mutex_lock(&guard->lock);
	has_fired = guard->has_fired;
	pthread_mutex_unlock(&guard->lock);
	return has_fired;
}
