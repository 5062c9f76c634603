// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel that has no memory for requests, for a while. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <cmocka.h>
#include <liburing.h>

#include "lib/clock.h"
#include "loop/loop.h"

#define EVER 1000000

static unsigned int refusals;

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned int count);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int count);

int __wrap_io_uring_submit(struct io_uring *ring)
{
	if (!refusals)
		return __real_io_uring_submit(ring);
	refusals--;
	return -EAGAIN;
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned int count)
{
	if (!refusals)
		return __real_io_uring_submit_and_wait(ring, count);
	refusals--;
	return -EAGAIN;
}

static int setup(void **state)
{
	struct vhb_loop *loop;

	refusals = 0;
	assert_int_equal(vhb_loop_create(&loop), 0);
	*state = loop;
	return 0;
}

static int teardown(void **state)
{
	vhb_loop_destroy(*state);
	return 0;
}

static void stop(void *argument, unsigned int events)
{
	assert_int_equal(events, POLLIN);
	vhb_loop_stop(argument);
}

/* Until all that was queued before is done with */
static void turn(struct vhb_loop *loop)
{
	const int fd = eventfd(1, EFD_CLOEXEC);
	struct vhb_watch_ref ref;

	assert_int_equal(vhb_loop_watch(loop, fd, POLLIN, stop, loop, &ref), 0);
	assert_int_equal(vhb_loop_run(loop), 0);
	close(fd);
}

static void the_loop_waits_until_there_is_some(void **state)
{
	const int64_t begin_ms = vhb_now_ms();

	refusals = 50;
	turn(*state);
	assert_int_equal(refusals, 0);
	assert_true(vhb_now_ms() - begin_ms >= 49);
}

static void a_signal_is_tried_again(void **state)
{
	const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	eventfd_t value;

	refusals = 3;
	vhb_loop_signal(*state, fd);
	assert_int_equal(refusals, 0);
	assert_int_equal(eventfd_read(fd, &value), 0);
	assert_int_equal(value, 1);
	close(fd);
}

/* Its number is another's by the time there is memory. */
static void a_signal_is_not_somebody_elses(void **state)
{
	const int fd = eventfd(0, EFD_CLOEXEC);
	const int other_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	eventfd_t value;

	refusals = EVER;
	vhb_loop_signal(*state, fd);
	refusals = 0;
	assert_int_equal(dup2(other_fd, fd), fd);
	turn(*state);
	turn(*state);
	assert_int_equal(eventfd_read(other_fd, &value), -1);
	/* The next one works. */
	vhb_loop_signal(*state, fd);
	assert_int_equal(eventfd_read(other_fd, &value), 0);
	assert_int_equal(value, 1);
	close(fd);
	close(other_fd);
}

static void count(void *argument, int result)
{
	(void)result;
	++*(unsigned int *)argument;
}

static void a_command_is_refused(void **state)
{
	const uint8_t area[VHB_COMMAND_AREA_BYTES] = { 0 };
	const int fd = eventfd(0, EFD_CLOEXEC);
	struct vhb_watch_ref ref = { 0 };
	unsigned int count_done = 0;

	refusals = EVER;
	assert_int_equal(vhb_loop_command(*state, fd, 0, area, count,
					  &count_done, &ref), -EBUSY);
	refusals = 0;
	turn(*state);
	turn(*state);
	assert_int_equal(count_done, 0);
	assert_int_equal(ref.value, 0);
	close(fd);
}

#define SHORTAGE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHORTAGE_TEST(the_loop_waits_until_there_is_some),
		SHORTAGE_TEST(a_signal_is_tried_again),
		SHORTAGE_TEST(a_signal_is_not_somebody_elses),
		SHORTAGE_TEST(a_command_is_refused),
	};

	return cmocka_run_group_tests_name("shortage", tests, NULL, NULL);
}
