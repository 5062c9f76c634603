// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands to devices. The module's own tests have those that succeed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <cmocka.h>

#include "lib/resources.h"
#include "loop/loop.h"

/* More commands than a loop has room for */
#define MANY 4000

/**
 * struct fixture - a loop and a device that knows no command
 * @loop: the loop
 * @device_fd: the device
 * @timer_fd: an eventfd that stops the loop
 * @calls: how many commands were answered
 * @stop_at: at so many the loop stops
 * @result: the last answer
 * @before: what the process held at first
 */
struct fixture {
	struct vhb_loop *loop;
	int device_fd;
	int timer_fd;
	unsigned int calls;
	unsigned int stop_at;
	int result;
	struct resources before;
};

static const uint8_t area[VHB_COMMAND_AREA_BYTES];

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	resources_count(&fixture->before);
	assert_int_equal(vhb_loop_create(&fixture->loop), 0);
	fixture->device_fd = eventfd(0, EFD_CLOEXEC);
	fixture->timer_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(fixture->device_fd >= 0 && fixture->timer_fd >= 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct resources before = fixture->before;

	vhb_loop_destroy(fixture->loop);
	close(fixture->device_fd);
	close(fixture->timer_fd);
	free(fixture);
	resources_assert_same(&before);
	return 0;
}

static void on_answer(void *argument, int result)
{
	struct fixture *fixture = argument;

	fixture->result = result;
	if (++fixture->calls == fixture->stop_at)
		vhb_loop_stop(fixture->loop);
}

static void on_event(void *argument, unsigned int events)
{
	struct fixture *fixture = argument;

	assert_int_equal(events, POLLIN);
	vhb_loop_stop(fixture->loop);
}

static int send_command(struct fixture *fixture, struct vhb_watch_ref *ref)
{
	/* Any number: the device knows none. */
	return vhb_loop_command(fixture->loop, fixture->device_fd, 1, area,
				on_answer, fixture, ref);
}

/* Runs until all that was sent before is answered. */
static void run_all(struct fixture *fixture)
{
	struct vhb_watch_ref ref;

	assert_int_equal(vhb_loop_watch(fixture->loop, fixture->timer_fd,
					POLLIN, on_event, fixture, &ref), 0);
	assert_int_equal(eventfd_write(fixture->timer_fd, 1), 0);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
}

static void test_device_without_commands(void **state)
{
	struct fixture *fixture = *state;
	struct vhb_watch_ref ref;

	fixture->stop_at = 1;
	assert_int_equal(send_command(fixture, &ref), 0);
	assert_true(ref.value);
	assert_int_equal(fixture->calls, 0);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(fixture->calls, 1);
	assert_int_equal(fixture->result, -EOPNOTSUPP);
}

/* /dev/null takes any command, as it takes any data. */
static void test_device_with_commands(void **state)
{
	struct fixture *fixture = *state;
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct vhb_watch_ref ref;

	fixture->stop_at = 1;
	assert_int_equal(vhb_loop_command(fixture->loop, fd, 1, area, on_answer,
					  fixture, &ref), 0);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(fixture->result, 0);
	close(fd);
}

static void test_no_device(void **state)
{
	struct fixture *fixture = *state;
	struct vhb_watch_ref ref;

	fixture->stop_at = 1;
	assert_int_equal(vhb_loop_command(fixture->loop, 999999, 1, area,
					  on_answer, fixture, &ref), 0);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(fixture->result, -EBADF);
}

static void test_forgotten_command_is_not_answered(void **state)
{
	struct fixture *fixture = *state;
	struct vhb_watch_ref ref, other;

	assert_int_equal(send_command(fixture, &ref), 0);
	assert_int_equal(send_command(fixture, &other), 0);
	vhb_loop_forget(fixture->loop, &ref);
	assert_int_equal(ref.value, 0);
	vhb_loop_forget(fixture->loop, &ref);
	run_all(fixture);
	assert_int_equal(fixture->calls, 1);
	/* One that is done is forgotten without harm. */
	vhb_loop_forget(fixture->loop, &other);
}

/* Its room may be somebody else's by the time the answer comes. */
static void test_late_answer_hits_nobody(void **state)
{
	struct fixture *fixture = *state;
	struct vhb_watch_ref ref;
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		assert_int_equal(send_command(fixture, &ref), 0);
		vhb_loop_forget(fixture->loop, &ref);
	}
	run_all(fixture);
	assert_int_equal(fixture->calls, 0);
}

static void test_room_for_commands_ends(void **state)
{
	struct fixture *fixture = *state;
	struct vhb_watch_ref ref;
	unsigned int count = 0;

	while (!send_command(fixture, &ref))
		count++;
	assert_in_range(count, 128, MANY);
	assert_int_equal(send_command(fixture, &ref), -ENOMEM);
	fixture->stop_at = count;
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(fixture->calls, count);
	fixture->stop_at = count + 1;
	assert_int_equal(send_command(fixture, &ref), 0);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_device_without_commands),
		TEST(test_device_with_commands),
		TEST(test_no_device),
		TEST(test_forgotten_command_is_not_answered),
		TEST(test_late_answer_hits_nobody),
		TEST(test_room_for_commands_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
