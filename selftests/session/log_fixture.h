/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_LOG_FIXTURE_H
#define VHB_SELFTESTS_LOG_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/frontend_log.h"
#include "lib/session_fixture.h"

/* A session of a device that keeps a dirty log, for the tests of it */

#define PAGE UINT64_C(4096)
/* The bits of all memory of the fixture: 1024 pages */
#define LOG_BYTES (FIXTURE_MEMORY_BYTES / PAGE / 8)
#define LOG_ALL vhb_bit(VHOST_F_LOG_ALL)
#define LOG_FEATURES (FIXTURE_VERSION_1 | FIXTURE_BIT30)
#define LOG_PROTOCOL_FEATURES \
	(FIXTURE_PROTOCOL_FEATURES | vhb_bit(VHB_PROTOCOL_F_LOG_SHMFD) | \
	 vhb_bit(VHB_PROTOCOL_F_RARP))

/* Where the used ring of a vring is in guest memory */
#define USED_GPA(i) (0x100000 + (i) * 0x10000 + 0xc000)

#define LOG_ADDR_LINE(i, gpa) \
	"SET_VRING_ADDR " #i " desc=0x1" #i "0000 avail=0x1" #i \
	"8000 used=0x1" #i "c000 log=" #gpa "\n"

static inline void ok(int ret)
{
	assert_int_equal(ret, 0);
}

static inline int log_fixture_setup(void **state)
{
	struct session_fixture *fixture;
	int ret = session_fixture_setup(state);

	if (ret)
		return ret;
	fixture = *state;
	recorder_set_features(fixture->recorder, FIXTURE_FEATURES |
						 LOG_ALL | FIXTURE_PACKED);
	recorder_set_protocol_features(fixture->recorder,
				       vhb_bit(VHB_PROTOCOL_F_MTU) |
				       vhb_bit(VHB_PROTOCOL_F_LOG_SHMFD) |
				       vhb_bit(VHB_PROTOCOL_F_RARP));
	return 0;
}

#define log_fixture_test(function) \
	cmocka_unit_test_setup_teardown(function, log_fixture_setup, \
					session_fixture_teardown)

/* Connected, and so many vrings run; it asks for a reply to all it sends */
static inline void log_start(struct session_fixture *fixture,
			     uint64_t features, unsigned int vring_count)
{
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, features, LOG_PROTOCOL_FEATURES);
	fixture_declare_memory(fixture);
	for (unsigned int i = 0; i < vring_count; i++)
		fixture_start_vring(fixture, i);
	fixture_forget_calls(fixture);
	assert_int_equal(recorder_running(fixture->recorder), vring_count);
}

static inline int set_ring_log(struct session_fixture *fixture,
			       unsigned int index, bool is_on, uint64_t gpa)
{
	struct vhb_wire_vring_addr addr = fixture_vring_addr(index);

	addr.flags = is_on;
	addr.log_gpa = gpa;
	return frontend_set_vring_addr(&fixture->frontend, &addr);
}

static inline int set_log(struct session_fixture *fixture,
			  const struct frontend_log *log)
{
	return frontend_set_log_base(&fixture->frontend, log);
}

#endif
