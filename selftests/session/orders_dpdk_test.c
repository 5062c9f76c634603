// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/session_fixture.h"

/* What DPDK's virtio-user sends: guest addresses are its own virtual ones */

#define ok(call) assert_int_equal(call, 0)

#define FEATURES (FIXTURE_VERSION_1 | FIXTURE_BIT30)
#define HUGE_A UINT64_C(0x7f5540000000)
#define HUGE_B UINT64_C(0x7e99c0000000)
/* The kernel sees them as they are, in windows far apart */
#define TABLE_1 "SET_MEM_TABLE 1: 0x7f5540000000+0x400000\n"
#define TABLE_2 \
	"SET_MEM_TABLE 2: 0x7e99c0000000+0x200000 0x7f5540000000+0x400000\n"
#define ADDR_LINE(i) \
	"SET_VRING_ADDR " #i " desc=0x7f55401" #i "0000 avail=0x7f55401" #i \
	"8000 used=0x7f55401" #i "c000\n"
#define START_LINES(i, base) \
	"SET_VRING_NUM " #i " 256\n" \
	"SET_VRING_BASE " #i " " #base "\n" \
	ADDR_LINE(i) \
	"SET_VRING_KICK " #i " kick" #i "\n" \
	"SET_VRING_ERR " #i " none\n" \
	"SET_VRING_CALL " #i " call" #i "\n" \
	"START " #i "\n"

struct hugepages {
	struct guest_memory a;
	struct guest_memory b;
};

static void create_hugepages(struct hugepages *pages)
{
	ok(guest_memory_create(&pages->a, 4, HUGE_A, HUGE_A));
	ok(guest_memory_create(&pages->b, 2, HUGE_B, HUGE_B));
}

static void destroy_hugepages(struct hugepages *pages)
{
	guest_memory_destroy(&pages->a);
	guest_memory_destroy(&pages->b);
}

static void set_mem_table(struct session_fixture *fixture,
			  const struct hugepages *pages, unsigned int count)
{
	const struct vhb_wire_region regions[] = {
		pages->a.region, pages->b.region,
	};
	const int fds[] = { pages->a.fd, pages->b.fd };

	ok(frontend_set_mem_table(&fixture->frontend, regions, fds, count));
}

/* Call descriptors of all queues come before SET_FEATURES. */
static void connect_dpdk(struct session_fixture *fixture, bool has_protocol)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask;

	fixture_connect(fixture);
	ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	if (has_protocol) {
		ok(frontend_get_protocol_features(frontend, &mask));
		ok(frontend_set_protocol_features(frontend, mask &
				(vhb_bit(VHB_PROTOCOL_F_MQ) |
				 vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
				 vhb_bit(VHB_PROTOCOL_F_STATUS))));
	}
	for (unsigned int i = 0; i < FIXTURE_VRING_COUNT; i++)
		ok(frontend_set_vring_call(frontend, i, fixture->call_fds[i]));
}

static void set_up_vring(struct session_fixture *fixture, unsigned int index)
{
	struct vhb_wire_vring_addr addr = fixture_vring_addr(index);
	struct frontend *frontend = &fixture->frontend;

	addr.desc_uva += HUGE_A - FIXTURE_UVA;
	addr.avail_uva += HUGE_A - FIXTURE_UVA;
	addr.used_uva += HUGE_A - FIXTURE_UVA;
	ok(frontend_set_vring_num(frontend, index, 256));
	ok(frontend_set_vring_base(frontend, index, 0));
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_kick(frontend, index, fixture->kick_fds[index]));
}

static void enable_pair(struct session_fixture *fixture, unsigned int pair,
			bool on)
{
	for (unsigned int i = 2 * pair; i < 2 * pair + 2; i++)
		ok(frontend_set_vring_enable(&fixture->frontend, i, on));
}

static void start_dpdk(struct session_fixture *fixture,
		       const struct hugepages *pages)
{
	connect_dpdk(fixture, true);
	ok(frontend_set_features(&fixture->frontend, FEATURES));
	set_mem_table(fixture, pages, 1);
	for (unsigned int i = 0; i < FIXTURE_VRING_COUNT; i++)
		set_up_vring(fixture, i);
	enable_pair(fixture, 0, true);
}

static void the_first_pair_starts(void **state)
{
	struct session_fixture *fixture = *state;
	struct hugepages pages;

	create_hugepages(&pages);
	start_dpdk(fixture, &pages);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     TABLE_1
			     START_LINES(0, 0)
			     START_LINES(1, 0));
	destroy_hugepages(&pages);
}

static void the_second_pair_starts_when_the_driver_wants_it(void **state)
{
	struct session_fixture *fixture = *state;
	struct hugepages pages;

	create_hugepages(&pages);
	start_dpdk(fixture, &pages);
	fixture_forget_calls(fixture);
	enable_pair(fixture, 1, true);
	fixture_expect_calls(fixture, START_LINES(2, 0) START_LINES(3, 0));
	destroy_hugepages(&pages);
}

static void an_older_one_without_bit_30_starts(void **state)
{
	struct session_fixture *fixture = *state;
	struct hugepages pages;

	create_hugepages(&pages);
	connect_dpdk(fixture, false);
	ok(frontend_set_features(&fixture->frontend, FIXTURE_VERSION_1));
	set_mem_table(fixture, &pages, 2);
	for (unsigned int i = 0; i < 2; i++)
		set_up_vring(fixture, i);
	enable_pair(fixture, 0, true);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     TABLE_2
			     START_LINES(0, 0)
			     START_LINES(1, 0));
	destroy_hugepages(&pages);
}

/* Neither addresses nor bases are sent again. */
static void memory_grows_between_disable_and_enable(void **state)
{
	struct session_fixture *fixture = *state;
	struct hugepages pages;

	create_hugepages(&pages);
	start_dpdk(fixture, &pages);
	fixture_forget_calls(fixture);
	recorder_advance(fixture->recorder, 0, 100);
	recorder_advance(fixture->recorder, 1, 200);
	enable_pair(fixture, 0, false);
	set_mem_table(fixture, &pages, 2);
	enable_pair(fixture, 0, true);
	fixture_expect_calls(fixture,
			     "STOP 0\nSTOP 1\n"
			     TABLE_2
			     START_LINES(0, 100)
			     START_LINES(1, 200));
	destroy_hugepages(&pages);
}

static void memory_shrinks_between_disable_and_enable(void **state)
{
	struct session_fixture *fixture = *state;
	struct hugepages pages;

	create_hugepages(&pages);
	start_dpdk(fixture, &pages);
	enable_pair(fixture, 0, false);
	set_mem_table(fixture, &pages, 2);
	enable_pair(fixture, 0, true);
	fixture_forget_calls(fixture);
	enable_pair(fixture, 0, false);
	set_mem_table(fixture, &pages, 1);
	enable_pair(fixture, 0, true);
	fixture_expect_calls(fixture,
			     "STOP 0\nSTOP 1\n"
			     TABLE_1
			     START_LINES(0, 0)
			     START_LINES(1, 0));
	destroy_hugepages(&pages);
}

/* The rings keep their user addresses, but lie in other memory by now. */
static void rings_are_translated_anew_when_memory_moves(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhost_vring_addr before, after;
	struct hugepages pages, moved;
	uint64_t *used;

	create_hugepages(&pages);
	create_hugepages(&moved);
	start_dpdk(fixture, &pages);
	fixture_expect_alive(fixture);
	before = recorder_addr(fixture->recorder, 0);
	enable_pair(fixture, 0, false);
	set_mem_table(fixture, &moved, 1);
	enable_pair(fixture, 0, true);
	fixture_expect_alive(fixture);
	after = recorder_addr(fixture->recorder, 0);
	assert_true(before.used_user_addr != after.used_user_addr);
	used = guest_memory_at(&moved.a, HUGE_A + 0x10c000, sizeof(*used));
	*used = 77;
	assert_true(*(uint64_t *)(uintptr_t)after.used_user_addr == 77);
	destroy_hugepages(&moved);
	destroy_hugepages(&pages);
}

static void stopping_disables_and_asks_for_the_bases(void **state)
{
	struct session_fixture *fixture = *state;
	struct hugepages pages;
	unsigned int base;

	create_hugepages(&pages);
	start_dpdk(fixture, &pages);
	fixture_forget_calls(fixture);
	recorder_advance(fixture->recorder, 1, 31);
	enable_pair(fixture, 0, false);
	for (unsigned int i = 0; i < 2; i++)
		ok(frontend_get_vring_base(&fixture->frontend, i, &base));
	assert_int_equal(base, 31);
	fixture_expect_calls(fixture, "STOP 0\nSTOP 1\n");
	destroy_hugepages(&pages);
}

static void an_older_one_stops_by_reset_owner(void **state)
{
	struct session_fixture *fixture = *state;
	struct hugepages pages;

	create_hugepages(&pages);
	start_dpdk(fixture, &pages);
	fixture_forget_calls(fixture);
	ok(frontend_reset_owner(&fixture->frontend));
	fixture_expect_calls(fixture, "STOP 0\nSTOP 1\n");
	destroy_hugepages(&pages);
}

/* It sends the head of control data with no descriptor behind it. */
static void empty_control_data_is_taken_for_none(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_header header = {
		.request = VHB_SET_OWNER,
		.flags = VHB_FLAG_VERSION,
	};
	struct cmsghdr control = {
		.cmsg_len = CMSG_LEN(0),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
	struct iovec iov = { .iov_base = &header, .iov_len = sizeof(header) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	fixture_connect(fixture);
	assert_int_equal(sendmsg(fixture->frontend.fd, &msg, 0),
			 sizeof(header));
	fixture_expect_alive(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(the_first_pair_starts),
		fixture_test(the_second_pair_starts_when_the_driver_wants_it),
		fixture_test(an_older_one_without_bit_30_starts),
		fixture_test(memory_grows_between_disable_and_enable),
		fixture_test(memory_shrinks_between_disable_and_enable),
		fixture_test(rings_are_translated_anew_when_memory_moves),
		fixture_test(stopping_disables_and_asks_for_the_bases),
		fixture_test(an_older_one_stops_by_reset_owner),
		fixture_test(empty_control_data_is_taken_for_none),
	};

	return cmocka_run_group_tests_name("DPDK virtio-user", tests, NULL,
					   NULL);
}
