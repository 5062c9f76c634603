// SPDX-License-Identifier: GPL-2.0-or-later
/* The trace: which line comes where, and what happens when there is too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "lib/trace.h"

static char path[32];
static char written[200000];

static int set_up(void **state)
{
	int fd = mkstemp(strcpy(path, "/tmp/vhb-trace-XXXXXX"));

	(void)state;
	close(fd);
	unlink(path);
	return vhb_trace_open(path, "net");
}

static int tear_down(void **state)
{
	(void)state;
	vhb_trace_close();
	return unlink(path);
}

/* Time of day and duration become T and D. */
static const char *take(void)
{
	FILE *file = fopen(path, "r");
	char line[16384], *at = written;
	unsigned int numbers[4];
	int length;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *text = line, *duration = strstr(line, " us)\n");

		if (sscanf(line, "%2u:%2u:%2u.%6u %n", &numbers[0], &numbers[1],
			   &numbers[2], &numbers[3], &length) == 4) {
			text += length;
			*at++ = 'T';
			*at++ = ' ';
		}
		if (duration) {
			*duration = '\0';
			assert_non_null(strrchr(text, '('));
			*strrchr(text, '(') = '\0';
			at += sprintf(at, "%s(D)\n", text);
		} else {
			at += sprintf(at, "%s", text);
		}
	}
	*at = '\0';
	fclose(file);
	return written;
}

static void test_off_costs_and_writes_nothing(void **state)
{
	(void)state;
	vhb_trace_close();
	assert_false(vhb_trace_enabled());
	vhb_trace_begin("MESSAGE");
	vhb_trace_event("event");
	vhb_trace_note("note");
	vhb_trace_end("none");
	assert_string_equal(take(), "");
	assert_int_equal(vhb_trace_open(path, "net"), 0);
}

static void test_what_a_message_caused_stands_below_it(void **state)
{
	(void)state;
	assert_true(vhb_trace_enabled());
	assert_string_equal(vhb_trace_type(), "net");
	vhb_trace_event("begins %d", 1);
	vhb_trace_note("VHOST_GET_FEATURES = 0");
	vhb_trace_begin("SET_OWNER need_reply");
	vhb_trace_note("VHOST_SET_OWNER = 0");
	vhb_trace_event("backend CONFIG_CHANGE_MSG");
	assert_string_equal(take(),
			    "T begins 1\n    VHOST_GET_FEATURES = 0\n");
	vhb_trace_end("ack 0");
	vhb_trace_note("later");
	vhb_trace_event("ends");
	assert_string_equal(take(),
			    "T begins 1\n    VHOST_GET_FEATURES = 0\n"
			    "T SET_OWNER need_reply -> ack 0 (D)\n"
			    "    VHOST_SET_OWNER = 0\n"
			    "    backend CONFIG_CHANGE_MSG\n"
			    "    later\n"
			    "T ends\n");
}

static void test_a_message_without_end_is_not_lost(void **state)
{
	(void)state;
	vhb_trace_begin("ONE");
	vhb_trace_begin("TWO");
	vhb_trace_close();
	assert_string_equal(take(), "T ONE -> none (D)\nT TWO -> none (D)\n");
}

static void test_nothing_hostile_gets_through(void **state)
{
	(void)state;
	vhb_trace_event("%s", "a\nb\033[2J");
	vhb_trace_note("%s", "c\nd");
	vhb_trace_begin("e\nf");
	vhb_trace_end("g\nh");
	assert_string_equal(take(), "T a\\x0ab\\x1b[2J\n    c\\x0ad\n"
			    "T e\\x0af -> g\\x0ah (D)\n");
}

static void test_lines_and_notes_are_bounded(void **state)
{
	static char huge[20000];
	const char *text;
	unsigned int i;

	(void)state;
	memset(huge, 'x', sizeof(huge) - 1);
	vhb_trace_begin(huge);
	for (i = 0; i < 100; i++)
		vhb_trace_note("%.7000s", huge);
	vhb_trace_end(huge);
	text = take();
	assert_non_null(strstr(text, "    ... and 91 lines more\n"));
	assert_true(strlen(text) < 65536 + 10000);
	/* And it goes on. */
	vhb_trace_begin("NEXT");
	vhb_trace_note("note");
	vhb_trace_end("none");
	assert_non_null(strstr(take(), "\nT NEXT -> none (D)\n    note\n"));
}

static void test_files_are_private_and_added_to(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	vhb_trace_event("one");
	vhb_trace_close();
	assert_int_equal(vhb_trace_open(path, "net"), 0);
	vhb_trace_event("two");
	assert_string_equal(take(), "T one\nT two\n");
	assert_int_equal(vhb_trace_open("/no/such/directory/file", "net"),
			 -ENOENT);
	assert_false(vhb_trace_enabled());
}

/* A full disk must not end or hold up a back-end. */
static void test_a_write_that_fails_is_not_repeated(void **state)
{
	(void)state;
	assert_int_equal(vhb_trace_open("/dev/full", "net"), 0);
	vhb_trace_event("lost");
	vhb_trace_begin("LOST");
	vhb_trace_note("lost");
	vhb_trace_end("none");
	assert_true(vhb_trace_enabled());
}

#define trace_test(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		trace_test(test_off_costs_and_writes_nothing),
		trace_test(test_what_a_message_caused_stands_below_it),
		trace_test(test_a_message_without_end_is_not_lost),
		trace_test(test_nothing_hostile_gets_through),
		trace_test(test_lines_and_notes_are_bounded),
		trace_test(test_files_are_private_and_added_to),
		trace_test(test_a_write_that_fails_is_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
