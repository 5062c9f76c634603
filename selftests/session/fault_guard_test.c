// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/userfaultfd.h>

#include <cmocka.h>

#include "lib/postcopy.h"
#include "lib/resources.h"
#include "session/fault_guard.h"

#define PAGE_BYTES 4096
#define MEMORY_BYTES (16 * PAGE_BYTES)
#define ANSWER 0x5a

/* Longer than the guard waits at the end, and much shorter than else */
#define SOON_MS 900

/**
 * struct bench - a guard and somebody who faults
 * @guard: the guard
 * @userfault_fd: the front-end's descriptor
 * @socket_fds: of the broker and of the front-end
 * @memory_fd: guest memory, all missing
 * @memory: as mapped by the broker
 * @zero_fd: what the kernel copies to guest memory
 * @faulter: the thread in the kernel; 0 when there is none
 * @result: what it got: 1, or -errno
 * @is_done: whether it got it
 * @before: what the process held at first
 */
struct bench {
	struct vhb_fault_guard *guard;
	int userfault_fd;
	int socket_fds[2];
	int memory_fd;
	uint8_t *memory;
	int zero_fd;
	pthread_t faulter;
	int result;
	bool is_done;
	struct resources before;
};

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	const char *why;
	int fd;

	assert_non_null(bench);
	resources_count(&bench->before);
	fd = vhb_userfault_open(&why);
	assert_true(fd >= 0);
	bench->userfault_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	assert_true(bench->userfault_fd >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    bench->socket_fds), 0);
	assert_int_equal(vhb_fault_guard_create(fd, bench->socket_fds[0],
						&bench->guard), 0);
	bench->memory_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(bench->memory_fd, MEMORY_BYTES), 0);
	bench->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
			     MAP_SHARED, bench->memory_fd, 0);
	assert_true(bench->memory != MAP_FAILED);
	assert_int_equal(vhb_fault_guard_add(bench->guard,
					     (uintptr_t)bench->memory,
					     MEMORY_BYTES), 0);
	bench->zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_true(bench->zero_fd >= 0);
	*state = bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	struct resources before = bench->before;

	vhb_fault_guard_destroy(bench->guard);
	if (bench->faulter)
		pthread_join(bench->faulter, NULL);
	munmap(bench->memory, MEMORY_BYTES);
	close(bench->memory_fd);
	close(bench->zero_fd);
	close(bench->userfault_fd);
	close(bench->socket_fds[0]);
	if (bench->socket_fds[1] >= 0)
		close(bench->socket_fds[1]);
	free(bench);
	resources_assert_same(&before);
	return 0;
}

static void *fault(void *argument)
{
	struct bench *bench = argument;
	int ret = read(bench->zero_fd, bench->memory + PAGE_BYTES, 1);

	bench->result = ret < 0 ? -errno : ret;
	__atomic_store_n(&bench->is_done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* As a vhost worker does: in the kernel, which gets an error and no signal */
static void begin_to_fault(struct bench *bench)
{
	struct pollfd pollfd = { .fd = bench->userfault_fd, .events = POLLIN };

	assert_int_equal(pthread_create(&bench->faulter, NULL, fault, bench),
			 0);
	assert_int_equal(poll(&pollfd, 1, 5000), 1);
}

static bool is_done_within(struct bench *bench, unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i += 10) {
		if (__atomic_load_n(&bench->is_done, __ATOMIC_ACQUIRE))
			return true;
		usleep(10000);
	}
	return false;
}

static void join(struct bench *bench)
{
	pthread_join(bench->faulter, NULL);
	bench->faulter = 0;
}

static void hang_up(struct bench *bench)
{
	close(bench->socket_fds[1]);
	bench->socket_fds[1] = -1;
}

static bool has_data(const struct bench *bench)
{
	return lseek(bench->memory_fd, 0, SEEK_DATA) >= 0;
}

static void a_fault_waits_for_the_answer(void **state)
{
	const uint8_t answer = ANSWER;
	struct bench *bench = *state;
	struct uffdio_range range = {
		.start = (uintptr_t)bench->memory + PAGE_BYTES,
		.len = PAGE_BYTES,
	};
	struct uffd_msg message;

	begin_to_fault(bench);
	assert_int_equal(read(bench->userfault_fd, &message, sizeof(message)),
			 sizeof(message));
	assert_int_equal(message.event, UFFD_EVENT_PAGEFAULT);
	assert_int_equal(message.arg.pagefault.address & ~(PAGE_BYTES - 1),
			 range.start);
	assert_false(is_done_within(bench, 100));
	assert_int_equal(pwrite(bench->memory_fd, &answer, 1, PAGE_BYTES + 1),
			 1);
	assert_int_equal(ioctl(bench->userfault_fd, UFFDIO_WAKE, &range), 0);
	assert_true(is_done_within(bench, 5000));
	join(bench);
	assert_int_equal(bench->result, 1);
	assert_int_equal(bench->memory[PAGE_BYTES + 1], ANSWER);
}

/* What is taken away from the kernel is not lost to a guest that still waits. */
static void check_fired(struct bench *bench)
{
	assert_true(is_done_within(bench, SOON_MS));
	join(bench);
	assert_int_equal(bench->result, -EFAULT);
	assert_true(vhb_fault_guard_has_fired(bench->guard));
	assert_false(has_data(bench));
	assert_int_equal(vhb_fault_guard_add(bench->guard,
					     (uintptr_t)bench->memory,
					     MEMORY_BYTES), -ECONNABORTED);
}

static void memory_is_taken_away_when_the_front_end_hangs_up(void **state)
{
	struct bench *bench = *state;

	begin_to_fault(bench);
	vhb_fault_guard_busy(bench->guard);
	assert_false(is_done_within(bench, SOON_MS));
	hang_up(bench);
	check_fired(bench);
}

static void memory_is_taken_away_when_the_session_ends(void **state)
{
	struct bench *bench = *state;

	begin_to_fault(bench);
	vhb_fault_guard_hurry(bench->guard);
	vhb_fault_guard_busy(bench->guard);
	check_fired(bench);
}

static void memory_is_taken_away_when_the_process_is_told_to_end(void **state)
{
	struct bench *bench = *state;
	sigset_t term, before;
	int signal_number;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &term, &before);
	begin_to_fault(bench);
	vhb_fault_guard_busy(bench->guard);
	kill(getpid(), SIGTERM);
	check_fired(bench);
	assert_int_equal(sigwait(&term, &signal_number), 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void a_broker_that_asks_for_nothing_lets_faults_wait(void **state)
{
	struct bench *bench = *state;

	begin_to_fault(bench);
	hang_up(bench);
	assert_false(is_done_within(bench, SOON_MS));
	vhb_fault_guard_busy(bench->guard);
	vhb_fault_guard_idle(bench->guard);
	assert_false(is_done_within(bench, SOON_MS));
	assert_false(vhb_fault_guard_has_fired(bench->guard));
}

static void a_call_that_takes_long_for_another_reason_goes_on(void **state)
{
	struct bench *bench = *state;

	vhb_fault_guard_hurry(bench->guard);
	vhb_fault_guard_busy(bench->guard);
	usleep(SOON_MS * 1000);
	assert_false(vhb_fault_guard_has_fired(bench->guard));
	/* And a fault then has its time. */
	begin_to_fault(bench);
	assert_false(is_done_within(bench, 100));
	check_fired(bench);
}

static void pages_that_are_removed_are_empty_ones(void **state)
{
	struct bench *bench = *state;

	begin_to_fault(bench);
	vhb_fault_guard_remove(bench->guard, (uintptr_t)bench->memory,
			       MEMORY_BYTES);
	assert_true(is_done_within(bench, 5000));
	assert_int_equal(bench->result, 1);
	bench->memory[0] = 1;
	assert_int_equal(vhb_fault_guard_add(bench->guard,
					     (uintptr_t)bench->memory,
					     MEMORY_BYTES), 0);
}

static void the_end_of_the_guard_releases_who_waits(void **state)
{
	struct bench *bench = *state;

	begin_to_fault(bench);
	vhb_fault_guard_destroy(bench->guard);
	bench->guard = NULL;
	/* The front-end's own descriptor does not hold anybody. */
	assert_true(is_done_within(bench, 5000));
	assert_int_equal(bench->result, 1);
}

static void pages_added_twice_are_added_once(void **state)
{
	struct bench *bench = *state;
	uint64_t hva = (uintptr_t)bench->memory;

	assert_int_equal(vhb_fault_guard_add(bench->guard, hva, MEMORY_BYTES),
			 0);
	vhb_fault_guard_remove(bench->guard, hva, MEMORY_BYTES);
	vhb_fault_guard_remove(bench->guard, hva, MEMORY_BYTES);
	bench->memory[0] = 1;
}

static void memory_that_cannot_fault_is_an_error(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(vhb_fault_guard_add(bench->guard, PAGE_BYTES,
					     PAGE_BYTES), -EINVAL);
	/* And it goes on. */
	assert_int_equal(vhb_fault_guard_add(bench->guard, PAGE_BYTES,
					     PAGE_BYTES), -EINVAL);
}

#define bench_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		bench_test(a_fault_waits_for_the_answer),
		bench_test(memory_is_taken_away_when_the_front_end_hangs_up),
		bench_test(memory_is_taken_away_when_the_session_ends),
		bench_test(memory_is_taken_away_when_the_process_is_told_to_end),
		bench_test(a_broker_that_asks_for_nothing_lets_faults_wait),
		bench_test(a_call_that_takes_long_for_another_reason_goes_on),
		bench_test(pages_that_are_removed_are_empty_ones),
		bench_test(the_end_of_the_guard_releases_who_waits),
		bench_test(pages_added_twice_are_added_once),
		bench_test(memory_that_cannot_fault_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (!postcopy_is_possible())
		return 4;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
