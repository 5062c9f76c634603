// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/resources.h"
#include "loop/timer.h"

#define SHORT_MS 20
#define LONG_MS 200

/**
 * struct fixture - a loop with two timers
 * @loop: the loop
 * @timer: the one under test
 * @end: stops the loop
 * @calls: of @timer
 * @again_count: @timer is set again so many times, for SHORT_MS
 * @before: what the process held at first
 */
struct fixture {
	struct vhb_loop *loop;
	struct vhb_timer timer;
	struct vhb_timer end;
	unsigned int calls;
	unsigned int again_count;
	struct resources before;
};

static void on_timer(void *argument)
{
	struct fixture *fixture = argument;

	fixture->calls++;
	assert_false(vhb_timer_runs(&fixture->timer));
	if (fixture->again_count && fixture->again_count--)
		assert_int_equal(vhb_timer_set(&fixture->timer, SHORT_MS), 0);
}

static void on_end(void *argument)
{
	vhb_loop_stop(((struct fixture *)argument)->loop);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	resources_count(&fixture->before);
	assert_int_equal(vhb_loop_create(&fixture->loop), 0);
	vhb_timer_init(&fixture->timer, fixture->loop, on_timer, fixture);
	vhb_timer_init(&fixture->end, fixture->loop, on_end, fixture);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct resources before = fixture->before;

	vhb_timer_close(&fixture->timer);
	vhb_timer_close(&fixture->timer);
	vhb_timer_close(&fixture->end);
	vhb_loop_destroy(fixture->loop);
	free(fixture);
	resources_assert_same(&before);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_for(struct fixture *fixture, unsigned int ms)
{
	assert_int_equal(vhb_timer_set(&fixture->end, ms), 0);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
}

static void it_calls_once_and_not_before(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t start_ms = now_ms();

	assert_false(vhb_timer_runs(&fixture->timer));
	assert_int_equal(vhb_timer_set(&fixture->timer, SHORT_MS), 0);
	assert_true(vhb_timer_runs(&fixture->timer));
	run_for(fixture, LONG_MS);
	assert_int_equal(fixture->calls, 1);
	assert_true(now_ms() - start_ms >= LONG_MS);
}

static void it_can_be_set_again_when_called(void **state)
{
	struct fixture *fixture = *state;

	fixture->again_count = 3;
	assert_int_equal(vhb_timer_set(&fixture->timer, SHORT_MS), 0);
	run_for(fixture, 2 * LONG_MS);
	assert_int_equal(fixture->calls, 4);
}

static void setting_it_again_puts_it_off(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(vhb_timer_set(&fixture->timer, SHORT_MS), 0);
	assert_int_equal(vhb_timer_set(&fixture->timer, 100 * LONG_MS), 0);
	run_for(fixture, LONG_MS);
	assert_int_equal(fixture->calls, 0);
	assert_true(vhb_timer_runs(&fixture->timer));
}

/* The loop knows already that the time is over, and then it is not. */
static void an_expiry_that_was_not_seen_yet_is_forgotten(void **state)
{
	struct fixture *fixture = *state;
	struct pollfd pollfd = { .events = POLLIN };

	assert_int_equal(vhb_timer_set(&fixture->timer, SHORT_MS), 0);
	/* Shown to the kernel, so that it is told of the expiry */
	run_for(fixture, 1);
	pollfd.fd = fixture->timer.fd;
	assert_int_equal(poll(&pollfd, 1, 100 * LONG_MS), 1);
	assert_int_equal(vhb_timer_set(&fixture->timer, LONG_MS), 0);
	run_for(fixture, LONG_MS / 2);
	assert_int_equal(fixture->calls, 0);
	run_for(fixture, 2 * LONG_MS);
	assert_int_equal(fixture->calls, 1);
}

static void a_stopped_one_does_not_call(void **state)
{
	struct fixture *fixture = *state;

	vhb_timer_stop(&fixture->timer);
	assert_int_equal(vhb_timer_set(&fixture->timer, SHORT_MS), 0);
	vhb_timer_stop(&fixture->timer);
	assert_false(vhb_timer_runs(&fixture->timer));
	run_for(fixture, LONG_MS);
	assert_int_equal(fixture->calls, 0);
	assert_int_equal(vhb_timer_set(&fixture->timer, SHORT_MS), 0);
	run_for(fixture, LONG_MS);
	assert_int_equal(fixture->calls, 1);
}

#define timer_test(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		timer_test(it_calls_once_and_not_before),
		timer_test(it_can_be_set_again_when_called),
		timer_test(setting_it_again_puts_it_off),
		timer_test(an_expiry_that_was_not_seen_yet_is_forgotten),
		timer_test(a_stopped_one_does_not_call),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
