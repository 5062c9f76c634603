// SPDX-License-Identifier: GPL-2.0-or-later
/* A front-end whose user addresses are guest addresses */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/session_fixture.h"

#define ok(call) assert_int_equal(call, 0)

#define GPA (UINT64_C(1) << VHB_PROTOCOL_F_GPA_ADDRESSES)
#define MEMORY_GPA UINT64_C(0x40000000)
#define START_LINES \
	"SET_OWNER\n" \
	"SET_FEATURES 0x100000000\n" \
	"SET_MEM_TABLE 1: 0x40000000+0x400000\n" \
	"SET_VRING_NUM 0 256\n" \
	"SET_VRING_BASE 0 0\n" \
	"SET_VRING_ADDR 0 desc=0x40100000 avail=0x40108000 used=0x4010c000\n" \
	"SET_VRING_KICK 0 kick0\n" \
	"SET_VRING_ERR 0 none\n" \
	"SET_VRING_CALL 0 none\n" \
	"START 0\n"

static void begin(struct session_fixture *fixture, uint64_t mask)
{
	fixture->protocol_features_mask = GPA;
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, FIXTURE_VERSION_1 | FIXTURE_BIT30, mask);
}

/* What it says of its own address space is nonsense. */
static struct vhb_wire_region region_of(const struct session_fixture *fixture,
					uint64_t uva)
{
	struct vhb_wire_region region = fixture->memory.region;

	region.gpa = MEMORY_GPA;
	region.uva = uva;
	return region;
}

static struct vhb_wire_vring_addr addr_of(void)
{
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);

	addr.desc_uva += MEMORY_GPA - FIXTURE_UVA;
	addr.avail_uva += MEMORY_GPA - FIXTURE_UVA;
	addr.used_uva += MEMORY_GPA - FIXTURE_UVA;
	return addr;
}

static void start_vring(struct session_fixture *fixture)
{
	const struct vhb_wire_vring_addr addr = addr_of();
	struct frontend *frontend = &fixture->frontend;

	ok(frontend_set_vring_num(frontend, 0, FIXTURE_VRING_NUM));
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
	ok(frontend_set_vring_enable(frontend, 0, true));
}

static void rings_are_at_guest_addresses(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = region_of(fixture, UINT64_MAX - 4095);

	begin(fixture, FIXTURE_PROTOCOL_FEATURES | GPA);
	ok(frontend_set_mem_table(&fixture->frontend, &region,
				  &fixture->memory.fd, 1));
	start_vring(fixture);
	fixture_expect_calls(fixture, START_LINES);
}

static void regions_come_and_go_by_guest_address(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = region_of(fixture, 0);
	unsigned int base;

	begin(fixture, FIXTURE_PROTOCOL_FEATURES | GPA);
	ok(frontend_add_mem_reg(&fixture->frontend, &region,
				fixture->memory.fd));
	start_vring(fixture);
	fixture_expect_calls(fixture, START_LINES);
	ok(frontend_get_vring_base(&fixture->frontend, 0, &base));
	region.uva = 0x1000;
	ok(frontend_rem_mem_reg(&fixture->frontend, &region));
}

static void without_it_user_addresses_count(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = region_of(fixture, FIXTURE_UVA);
	const struct vhb_wire_vring_addr good = fixture_vring_addr(0);
	const struct vhb_wire_vring_addr bad = addr_of();

	begin(fixture, FIXTURE_PROTOCOL_FEATURES);
	ok(frontend_set_mem_table(&fixture->frontend, &region,
				  &fixture->memory.fd, 1));
	ok(frontend_set_vring_num(&fixture->frontend, 0, FIXTURE_VRING_NUM));
	assert_int_equal(frontend_set_vring_addr(&fixture->frontend, &bad),
			 -EREMOTEIO);
	ok(frontend_set_vring_addr(&fixture->frontend, &good));
}

static void it_stays_while_there_is_memory(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region = region_of(fixture, FIXTURE_UVA);
	struct frontend *frontend = &fixture->frontend;

	begin(fixture, FIXTURE_PROTOCOL_FEATURES);
	ok(frontend_set_protocol_features(frontend,
					  FIXTURE_PROTOCOL_FEATURES | GPA));
	ok(frontend_set_mem_table(frontend, &region, &fixture->memory.fd, 1));
	assert_int_equal(frontend_set_protocol_features(frontend,
							FIXTURE_PROTOCOL_FEATURES),
			 -EREMOTEIO);
	/* The same again, or another one, is no change of it. */
	ok(frontend_set_protocol_features(frontend, FIXTURE_REPLY_ACK | GPA));
	start_vring(fixture);
	fixture_expect_calls(fixture, START_LINES);
}

static void offered_only_when_asked_for(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t mask;

	fixture_connect(fixture);
	ok(frontend_get_protocol_features(&fixture->frontend, &mask));
	assert_int_equal(mask & GPA, 0);
	fixture_disconnect(fixture);
	begin(fixture, FIXTURE_REPLY_ACK);
	ok(frontend_get_protocol_features(&fixture->frontend, &mask));
	assert_int_equal(mask & GPA, GPA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(rings_are_at_guest_addresses),
		fixture_test(regions_come_and_go_by_guest_address),
		fixture_test(without_it_user_addresses_count),
		fixture_test(it_stays_while_there_is_memory),
		fixture_test(offered_only_when_asked_for),
	};

	return cmocka_run_group_tests_name("GPA addresses", tests, NULL, NULL);
}
