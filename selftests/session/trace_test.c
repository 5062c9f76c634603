// SPDX-License-Identifier: GPL-2.0-or-later
/* --trace=protocol: what is written of a session, whatever a front-end does. */
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

#include "lib/session_fixture.h"
#include "lib/trace.h"

static char path[32];
static char written[65536];

static int set_up(void **state)
{
	int fd = mkstemp(strcpy(path, "/tmp/vhb-trace-XXXXXX"));
	int ret;

	close(fd);
	ret = vhb_trace_open(path, "net");
	return ret ? ret : session_fixture_setup(state);
}

static int set_up_drain(void **state)
{
	int ret = set_up(state);

	if (!ret)
		recorder_make_drain(((struct session_fixture *)*state)->recorder);
	return ret;
}

static int tear_down(void **state)
{
	/* The fixture has counted the trace's descriptor as there. */
	if (session_fixture_teardown(state))
		return -1;
	vhb_trace_close();
	return unlink(path);
}

/* Only to be asked when the session is done with what was sent. */
static const char *read_trace(void)
{
	FILE *file = fopen(path, "r");
	size_t size_bytes;

	assert_non_null(file);
	size_bytes = fread(written, 1, sizeof(written) - 1, file);
	written[size_bytes] = '\0';
	fclose(file);
	return written;
}

/* The line that contains these, in this order */
static void expect_line(const char *beginning, const char *end)
{
	const char *line = strstr(read_trace(), beginning);
	const char *found;

	if (!line)
		fail_msg("no \"%s\" in:\n%s", beginning, written);
	found = strstr(line, end);
	if (!found || found > strchr(line, '\n'))
		fail_msg("no \"%s\" behind \"%s\" in:\n%s", end, beginning,
			 written);
}

static void a_session_is_told_from_beginning_to_end(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	fixture_disconnect(fixture);
	expect_line(" front-end connected pid=", " uid=");
	expect_line(" SET_OWNER -> none (", " us)");
	expect_line(" GET_FEATURES -> reply features=0x", "VERSION_1");
	expect_line(" SET_PROTOCOL_FEATURES ",
		    "features=0x9a239(MQ,REPLY_ACK,MTU,BACKEND_REQ,CONFIG,RESET_DEVICE,CONFIGURE_MEM_SLOTS,STATUS,DEVICE_STATE) -> ");
	expect_line(" SET_FEATURES need_reply features=0x140000000(",
		    "PROTOCOL_FEATURES,VERSION_1) -> ack 0 (");
	expect_line(" SET_MEM_TABLE need_reply regions=1 {gpa=0x0 size=0x400000 uva=0x123400000000 offset=0x0} fds=1[memfd:0x400000]",
		    " -> ack 0 (");
	expect_line(" SET_VRING_KICK need_reply vring=0 fds=1[eventfd]",
		    " -> ack 0 (");
	expect_line(" SET_VRING_ENABLE need_reply vring=0 enable=1",
		    " -> ack 0 (");
	expect_line(" front-end disconnected", "\n");
}

static void a_refusal_says_why(void **state)
{
	const struct vhb_wire_vring_state state_9 = { .index = 99 };
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_tell(&fixture->frontend, VHB_SET_VRING_NUM,
				       &state_9, sizeof(state_9), NULL, 0),
			 -EREMOTEIO);
	fixture_expect_alive(fixture);
	expect_line(" SET_VRING_NUM need_reply vring=99 num=0 -> ack EINVAL, refused (EINVAL: vring 99 of a device that has",
		    " us)");
	/* Without a reply the connection closes. */
	assert_int_equal(frontend_send(&fixture->frontend, VHB_SET_VRING_NUM,
				       VHB_FLAG_VERSION, &state_9,
				       sizeof(state_9), NULL, 0), 0);
	fixture_expect_ended(fixture);
	expect_line(" SET_VRING_NUM vring=99 num=0 -> none, refused (EINVAL: ",
		    " us)");
}

static void what_is_no_message_is_told(void **state)
{
	static const char text[] = "GET / HTTP/1.0\r\n\r\n";
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	assert_int_equal(frontend_send(&fixture->frontend, 77,
				       VHB_FLAG_VERSION, "\033[2J", 4, NULL, 0),
			 0);
	fixture_expect_ended(fixture);
	expect_line(" REQUEST_77 data=1b5b324a -> none, refused (EOPNOTSUPP: ",
		    " us)");
	fixture_connect(fixture);
	assert_int_equal(frontend_send_bytes(&fixture->frontend, text,
					     sizeof(text), NULL, 0), 0);
	fixture_expect_ended(fixture);
	expect_line(" malformed: request ", "version");
	assert_null(strchr(written, '\033'));
}

static void a_message_that_waits_is_told_when_it_is_answered(void **state)
{
	const struct vhb_wire_vring_state vring = { .index = 0 };
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	assert_int_equal(frontend_send(&fixture->frontend, VHB_GET_VRING_BASE,
				       VHB_FLAG_VERSION, &vring, sizeof(vring),
				       NULL, 0), 0);
	recorder_wait_draining(fixture->recorder, 1);
	assert_null(strstr(read_trace(), "GET_VRING_BASE"));
	recorder_finish_drain(fixture->recorder, 0);
	assert_int_equal(frontend_receive_reply(&fixture->frontend,
						VHB_GET_VRING_BASE, NULL,
						sizeof(vring)), 0);
	fixture_expect_alive(fixture);
	expect_line(" GET_VRING_BASE vring=0 num=0 -> reply vring=0 base=0x0 (",
		    " us)");
}

#define trace_test(function, set_up) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		trace_test(a_session_is_told_from_beginning_to_end, set_up),
		trace_test(a_refusal_says_why, set_up),
		trace_test(what_is_no_message_is_told, set_up),
		trace_test(a_message_that_waits_is_told_when_it_is_answered, set_up_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
