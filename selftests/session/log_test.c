// SPDX-License-Identifier: GPL-2.0-or-later
/* The dirty log while vrings run: on, off, another one; what the kernel hears. */
#include "session/log_fixture.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

static void marks_begin_and_end_while_vrings_run(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct frontend_log log;

	log_start(fixture, LOG_FEATURES, 2);
	frontend_log_open(&log, LOG_BYTES, 0, 0);
	ok(set_log(fixture, &log));
	fixture_expect_calls(fixture, "SET_LOG_BASE 0\n");
	assert_int_equal(frontend_log_count(&log), 0);

	ok(frontend_set_features(frontend, LOG_FEATURES | LOG_ALL));
	fixture_expect_calls(fixture, "SET_FEATURES 0x104000000\n");
	ok(set_ring_log(fixture, 0, true, USED_GPA(0)));
	ok(set_ring_log(fixture, 1, true, USED_GPA(1)));
	fixture_expect_calls(fixture, LOG_ADDR_LINE(0, 0x10c000)
				      LOG_ADDR_LINE(1, 0x11c000));
	assert_true(frontend_log_has(&log, USED_GPA(0)));
	assert_true(frontend_log_has(&log, USED_GPA(1)));
	assert_true(frontend_log_has(&log, FIXTURE_MEMORY_BYTES - 1));

	ok(frontend_set_features(frontend, LOG_FEATURES));
	ok(set_ring_log(fixture, 0, false, USED_GPA(0)));
	ok(set_ring_log(fixture, 1, false, 3));
	fixture_expect_calls(fixture, "SET_FEATURES 0x100000000\n"
				      FIXTURE_ADDR_LINE(0)
				      FIXTURE_ADDR_LINE(1));
	frontend_log_close(&log);
	fixture_expect_alive(fixture);
}

/* QEMU that starts while it migrates */
static void marks_wait_for_the_log(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct frontend_log log;

	fixture_connect(fixture);
	frontend->need_reply = true;
	fixture_negotiate(fixture, LOG_FEATURES | LOG_ALL,
			  LOG_PROTOCOL_FEATURES);
	fixture_declare_memory(fixture);
	fixture_set_up_vring(fixture, 0);
	ok(set_ring_log(fixture, 0, true, USED_GPA(0)));
	fixture_expect_calls(fixture, "");
	frontend_log_open(&log, LOG_BYTES, 0, 0);
	ok(set_log(fixture, &log));
	fixture_expect_calls(fixture, "");
	ok(frontend_set_vring_enable(frontend, 0, true));
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_LOG_BASE 0\n"
			     "SET_FEATURES 0x104000000\n"
			     FIXTURE_TABLE_LINE
			     "SET_VRING_NUM 0 256\n"
			     "SET_VRING_BASE 0 0\n"
			     LOG_ADDR_LINE(0, 0x10c000)
			     "SET_VRING_KICK 0 kick0\n"
			     "SET_VRING_ERR 0 none\n"
			     "SET_VRING_CALL 0 none\n"
			     "START 0\n");
	frontend_log_close(&log);
}

/* The vrings run without until there is one. */
static void vrings_do_not_wait_for_the_log(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend_log log;

	log_start(fixture, LOG_FEATURES | LOG_ALL, 2);
	ok(set_ring_log(fixture, 0, true, USED_GPA(0)));
	ok(set_ring_log(fixture, 1, true, UINT64_MAX));
	fixture_expect_calls(fixture, "");
	ok(set_ring_log(fixture, 1, true, USED_GPA(1)));
	frontend_log_open(&log, LOG_BYTES, 0, 0);
	ok(set_log(fixture, &log));
	fixture_expect_calls(fixture, "SET_LOG_BASE 0\n"
				      "SET_FEATURES 0x104000000\n"
				      LOG_ADDR_LINE(0, 0x10c000)
				      LOG_ADDR_LINE(1, 0x11c000));
	assert_true(frontend_log_has(&log, USED_GPA(0)));
	frontend_log_close(&log);
}

static void the_old_log_is_let_go_of(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend_log logs[8];
	struct resources before;

	log_start(fixture, LOG_FEATURES, 2);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(logs); i++)
		frontend_log_open(&logs[i], LOG_BYTES, i * 100, 50);
	ok(set_log(fixture, &logs[0]));
	ok(frontend_set_features(&fixture->frontend, LOG_FEATURES | LOG_ALL));
	ok(set_ring_log(fixture, 0, true, USED_GPA(0)));
	ok(set_ring_log(fixture, 1, true, USED_GPA(1)));
	fixture_forget_calls(fixture);
	resources_count(&before);
	for (unsigned int i = 1; i < VHB_ARRAY_COUNT(logs); i++) {
		ok(set_log(fixture, &logs[i]));
		frontend_log_clear(&logs[i - 1]);
		/* Whatever is marked from now on is not in there. */
		assert_int_equal(frontend_set_mem_table(&fixture->frontend,
							&fixture->memory.region,
							&fixture->memory.fd, 1),
				 0);
		assert_int_equal(frontend_log_count(&logs[i - 1]), 0);
		assert_true(frontend_log_has(&logs[i], USED_GPA(0)));
		assert_true(frontend_log_is_alone(&logs[i]));
		resources_assert_same(&before);
	}
	fixture_forget_calls(fixture);
	assert_int_equal(recorder_running(fixture->recorder), 2);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(logs); i++)
		frontend_log_close(&logs[i]);
}

static void a_vring_is_stopped_and_started_with_its_log(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend_log log;
	unsigned int base;

	log_start(fixture, LOG_FEATURES | LOG_ALL, 1);
	frontend_log_open(&log, LOG_BYTES, 0, 0);
	ok(set_log(fixture, &log));
	ok(set_ring_log(fixture, 0, true, USED_GPA(0)));
	fixture_forget_calls(fixture);
	ok(frontend_get_vring_base(&fixture->frontend, 0, &base));
	fixture_expect_calls(fixture, "STOP 0\n");
	ok(frontend_set_vring_kick(&fixture->frontend, 0,
				   fixture->kick_fds[0]));
	fixture_expect_calls(fixture, "SET_VRING_NUM 0 256\n"
				      "SET_VRING_BASE 0 0\n"
				      LOG_ADDR_LINE(0, 0x10c000)
				      "SET_VRING_KICK 0 kick0\n"
				      "SET_VRING_ERR 0 none\n"
				      "SET_VRING_CALL 0 call0\n"
				      "START 0\n");
	frontend_log_close(&log);
}

/* The kernel looks its pages up; front-ends give the address of a part of it. */
static void a_packed_ring_has_no_log_address(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend_log log;

	log_start(fixture, LOG_FEATURES | FIXTURE_PACKED | LOG_ALL, 1);
	frontend_log_open(&log, LOG_BYTES, 0, 0);
	ok(set_log(fixture, &log));
	fixture_forget_calls(fixture);
	ok(set_ring_log(fixture, 0, true, USED_GPA(0)));
	fixture_expect_calls(fixture, LOG_ADDR_LINE(0, 0x0));
	frontend_log_close(&log);
}

static void marks_are_told_of_by_eventfd(void **state)
{
	struct session_fixture *fixture = *state;
	int fd = eventfd(0, EFD_CLOEXEC);
	int wrong = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	log_start(fixture, LOG_FEATURES, 1);
	recorder_label_fd(fixture->recorder, fd, "marks");
	ok(frontend_tell(&fixture->frontend, VHB_SET_LOG_FD, NULL, 0, &fd, 1));
	fixture_expect_calls(fixture, "SET_LOG_FD marks\n");
	assert_int_equal(frontend_tell(&fixture->frontend, VHB_SET_LOG_FD, NULL,
				       0, &wrong, 1), -EREMOTEIO);
	recorder_fail_named(fixture->recorder, "SET_LOG_FD", ENOMEM, 1);
	assert_int_equal(frontend_tell(&fixture->frontend, VHB_SET_LOG_FD, NULL,
				       0, &fixture->call_fds[3], 1),
			 -EREMOTEIO);
	fixture_expect_calls(fixture, "SET_LOG_FD call3 = ENOMEM\n"
				      "SET_LOG_FD marks\n");
	close(fd);
	close(wrong);
}

/* Half of it may have been done: the old one is told again. */
static void a_log_the_kernel_refuses_changes_nothing(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend_log logs[2];
	struct resources before;

	fixture->log_reply_bytes = 8;
	log_start(fixture, LOG_FEATURES | LOG_ALL, 2);
	frontend_log_open(&logs[0], LOG_BYTES, 0, 0);
	frontend_log_open(&logs[1], LOG_BYTES, 16, 0);
	ok(set_log(fixture, &logs[0]));
	fixture_forget_calls(fixture);
	resources_count(&before);
	recorder_fail_named(fixture->recorder, "SET_LOG_BASE", EFAULT, 1);
	assert_int_equal(set_log(fixture, &logs[1]), -EREMOTEIO);
	fixture_expect_calls(fixture, "SET_LOG_BASE 0x10 = EFAULT\n"
				      "SET_LOG_BASE 0\n");
	resources_assert_same(&before);
	assert_int_equal(frontend_log_count(&logs[1]), 0);
	ok(set_log(fixture, &logs[1]));
	fixture_expect_calls(fixture, "SET_LOG_BASE 0x10\n");
	assert_int_equal(recorder_running(fixture->recorder), 2);
	frontend_log_close(&logs[0]);
	frontend_log_close(&logs[1]);
}

/* The first log, and what waited for it fails: nothing is marked any more. */
static void a_first_log_that_fails_half_way_is_taken_back(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend_log log;

	fixture->log_reply_bytes = 8;
	log_start(fixture, LOG_FEATURES | LOG_ALL, 1);
	ok(set_ring_log(fixture, 0, true, USED_GPA(0)));
	frontend_log_open(&log, LOG_BYTES, 0, 0);
	recorder_fail_named(fixture->recorder, "SET_VRING_ADDR", EINVAL, 1);
	assert_int_equal(set_log(fixture, &log), -EREMOTEIO);
	fixture_expect_calls(fixture, "SET_LOG_BASE 0\n"
				      "SET_FEATURES 0x104000000\n"
				      "SET_VRING_ADDR 0 desc=0x100000 avail=0x108000 used=0x10c000 log=0x10c000 = EINVAL\n"
				      "SET_FEATURES 0x100000000\n");
	ok(set_log(fixture, &log));
	fixture_expect_calls(fixture, "SET_LOG_BASE 0\n"
				      "SET_FEATURES 0x104000000\n"
				      LOG_ADDR_LINE(0, 0x10c000));
	frontend_log_close(&log);
}

static void memory_grows_within_the_log(void **state)
{
	struct session_fixture *fixture = *state;
	struct guest_memory more;
	struct frontend_log log;

	ok(guest_memory_create(&more, 1, FIXTURE_MEMORY_BYTES,
			       FIXTURE_UVA + FIXTURE_MEMORY_BYTES));
	log_start(fixture, LOG_FEATURES | LOG_ALL, 1);
	frontend_log_open(&log, LOG_BYTES + 32, 0, 0);
	ok(set_log(fixture, &log));
	fixture_forget_calls(fixture);
	ok(frontend_add_mem_reg(&fixture->frontend, &more.region, more.fd));
	fixture_expect_calls(fixture, "SET_MEM_TABLE 1: 0x0+0x500000\n");
	assert_true(frontend_log_has(&log, FIXTURE_MEMORY_BYTES + (1 << 20) -
						   1));
	guest_memory_destroy(&more);
	frontend_log_close(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_fixture_test(marks_begin_and_end_while_vrings_run),
		log_fixture_test(marks_wait_for_the_log),
		log_fixture_test(vrings_do_not_wait_for_the_log),
		log_fixture_test(the_old_log_is_let_go_of),
		log_fixture_test(a_vring_is_stopped_and_started_with_its_log),
		log_fixture_test(a_packed_ring_has_no_log_address),
		log_fixture_test(marks_are_told_of_by_eventfd),
		log_fixture_test(a_log_the_kernel_refuses_changes_nothing),
		log_fixture_test(a_first_log_that_fails_half_way_is_taken_back),
		log_fixture_test(memory_grows_within_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
