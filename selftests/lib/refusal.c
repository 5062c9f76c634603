// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/message_table.h"

void refusal_begin(struct session_fixture *fixture)
{
	fixture_start(fixture, 1);
}

static bool has_own_reply(uint32_t request)
{
	const struct vhb_message_row *row = vhb_message_row(request);

	/* Without LOG_SHMFD, which this front-end does not negotiate, it has none. */
	if (request == VHB_SET_LOG_BASE)
		return false;
	return row && row->reply_kind == VHB_REPLY_OWN;
}

static void send_bad(struct session_fixture *fixture,
		     const struct bad_message *bad, uint32_t flags)
{
	assert_int_equal(frontend_send(&fixture->frontend, bad->request, flags,
				       bad->payload, bad->size_bytes, bad->fds,
				       bad->fd_count), 0);
}

static void begin_again(struct session_fixture *fixture)
{
	fixture_expect_ended(fixture);
	recorder_assert_no_fault(fixture->recorder);
	assert_int_equal(recorder_running(fixture->recorder), 0);
	refusal_begin(fixture);
}

static void expect_ack_of_failure(struct session_fixture *fixture,
				  const struct bad_message *bad)
{
	uint64_t ack = 0;

	assert_int_equal(frontend_receive_reply(&fixture->frontend,
						bad->request, &ack,
						sizeof(ack)), 0);
	assert_int_not_equal(ack, 0);
	fixture_expect_calls(fixture, bad->calls ? bad->calls : "");
	assert_true(recorder_is_running(fixture->recorder, 0));
}

void refusal_expect(struct session_fixture *fixture,
		    const struct bad_message *bad)
{
	struct resources before;

	resources_count(&before);
	send_bad(fixture, bad, REFUSAL_NEED_REPLY);
	if (has_own_reply(bad->request))
		begin_again(fixture);
	else
		expect_ack_of_failure(fixture, bad);
	resources_assert_same(&before);

	send_bad(fixture, bad, VHB_FLAG_VERSION);
	begin_again(fixture);
	resources_assert_same(&before);
}

void refusal_expect_u64(struct session_fixture *fixture, uint32_t request,
			uint64_t value)
{
	const struct bad_message bad = {
		.request = request,
		.payload = &value,
		.size_bytes = sizeof(value),
	};

	refusal_expect(fixture, &bad);
}

void refusal_expect_state(struct session_fixture *fixture, uint32_t request,
			  uint32_t index, uint32_t num)
{
	const struct vhb_wire_vring_state state = {
		.index = index,
		.num = num,
	};
	const struct bad_message bad = {
		.request = request,
		.payload = &state,
		.size_bytes = sizeof(state),
	};

	refusal_expect(fixture, &bad);
}

void refusal_expect_fd(struct session_fixture *fixture, uint32_t request,
		       uint64_t value, int fd, const char *calls)
{
	const struct bad_message bad = {
		.request = request,
		.payload = &value,
		.size_bytes = sizeof(value),
		.fds = &fd,
		.fd_count = 1,
		.calls = calls,
	};

	refusal_expect(fixture, &bad);
}
