// SPDX-License-Identifier: GPL-2.0-or-later
/* How much is logged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "lib/log.h"
#include "lib/log_capture.h"

#define BURST_LINES 100
#define LINE_INTERVAL_S 10
#define LONG_S 1000000

/* More than an impatient front-end causes in a while */
#define FLOOD_LINES 5000

static time_t now_s = LONG_S;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){ .tv_sec = now_s };
	return 0;
}

static struct log_capture capture;

static unsigned int flood(void)
{
	log_capture_begin(&capture);
	for (unsigned int i = 0; i < FLOOD_LINES; i++)
		vhb_warn("too much, %u", i);
	log_capture_end(&capture);
	return log_capture_count(&capture, "warning: too much");
}

static void test_flood_is_cut_off(void **state)
{
	(void)state;
	now_s += LONG_S;
	assert_int_equal(flood(), BURST_LINES);
	assert_int_equal(flood(), 0);
}

static void test_one_line_now_and_then_tells_of_the_others(void **state)
{
	(void)state;
	now_s += LONG_S;
	flood();
	now_s += LINE_INTERVAL_S;
	assert_int_equal(flood(), 1);
	assert_int_equal(log_capture_count(&capture, "4900 more like the next"),
			 1);
	now_s += LINE_INTERVAL_S - 1;
	assert_int_equal(flood(), 0);
	now_s += 1;
	assert_int_equal(flood(), 1);
	assert_int_equal(log_capture_count(&capture, "9999 more like the next"),
			 1);
}

static void test_quiet_time_makes_up_for_a_flood(void **state)
{
	(void)state;
	now_s += LONG_S;
	flood();
	now_s += LONG_S;
	assert_int_equal(flood(), BURST_LINES);
}

static void test_warnings_do_not_hide_errors(void **state)
{
	(void)state;
	now_s += LONG_S;
	flood();
	log_capture_begin(&capture);
	vhb_err("important");
	log_capture_end(&capture);
	assert_int_equal(log_capture_count(&capture, "error: important"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_is_cut_off),
		cmocka_unit_test(test_one_line_now_and_then_tells_of_the_others),
		cmocka_unit_test(test_quiet_time_makes_up_for_a_flood),
		cmocka_unit_test(test_warnings_do_not_hide_errors),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
