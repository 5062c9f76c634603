// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/postcopy.h"
#include "lib/session_fixture.h"

#define PAGE_BYTES 4096
#define PAGEFAULT vhb_bit(VHB_PROTOCOL_F_PAGEFAULT)
#define GPA vhb_bit(VHB_PROTOCOL_F_GPA_ADDRESSES)
#define PROTOCOL (FIXTURE_PROTOCOL_FEATURES | PAGEFAULT)
#define FEATURES (FIXTURE_BIT30 | FIXTURE_VERSION_1)

#define OWNER_LINES "SET_OWNER\nSET_FEATURES 0x100000000\n"

/* What the guest's memory holds where it comes from */
static uint8_t content_at(uint64_t offset_bytes)
{
	return offset_bytes / PAGE_BYTES * 7 + offset_bytes + 1;
}

/* A front-end that is offered postcopy, with a guest whose memory is elsewhere */
static void connect_and_negotiate(struct session_fixture *fixture,
				  struct page_server *server)
{
	memset(server, 0, sizeof(*server));
	for (uint64_t i = 0; i < FIXTURE_MEMORY_BYTES; i++)
		fixture->memory.base[i] = content_at(i);
	assert_int_equal(page_server_evacuate(server, &fixture->memory), 0);
	recorder_set_protocol_features(fixture->recorder,
				       vhb_bit(VHB_PROTOCOL_F_MTU) | PAGEFAULT);
	fixture->has_postcopy = true;
	fixture_connect(fixture);
	fixture_negotiate(fixture, FEATURES, PROTOCOL);
}

static void begin(struct session_fixture *fixture, struct page_server *server)
{
	connect_and_negotiate(fixture, server);
	assert_int_equal(postcopy_advise(&fixture->frontend,
					 &server->userfault_fd), 0);
	assert_int_equal(postcopy_listen(&fixture->frontend), 0);
}

static void share(struct session_fixture *fixture, struct page_server *server)
{
	assert_int_equal(postcopy_set_mem_table(&fixture->frontend,
						&fixture->memory.region,
						&fixture->memory.fd, 1,
						server->bases), 0);
}

/* As the kernel would see it; the page server answers for what is missing. */
static uint8_t read_by_kernel(const struct page_server *server,
			      uint64_t offset_bytes)
{
	const uint8_t *at = (void *)(uintptr_t)(server->bases[0] +
						offset_bytes);

	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static void expect_no_fault_yet(const struct page_server *server)
{
	struct pollfd pollfd = { .fd = server->userfault_fd,
				 .events = POLLIN };

	assert_int_equal(poll(&pollfd, 1, 0), 0);
}

static void expect_offered(struct session_fixture *fixture, bool is_offered)
{
	uint64_t mask;

	fixture_connect(fixture);
	assert_int_equal(frontend_get_protocol_features(&fixture->frontend,
							&mask), 0);
	assert_int_equal(!!(mask & PAGEFAULT), is_offered);
	fixture_disconnect(fixture);
}

static void it_is_offered_when_asked_for_and_possible(void **state)
{
	struct session_fixture *fixture = *state;

	fixture->has_postcopy = true;
	expect_offered(fixture, false);
	recorder_set_protocol_features(fixture->recorder, PAGEFAULT);
	expect_offered(fixture, true);
	fixture->has_postcopy = false;
	expect_offered(fixture, false);
}

static void it_must_be_negotiated(void **state)
{
	struct session_fixture *fixture = *state;
	int fd;

	recorder_set_protocol_features(fixture->recorder, PAGEFAULT);
	fixture->has_postcopy = true;
	fixture_connect(fixture);
	fixture_negotiate(fixture, FEATURES, PROTOCOL & ~PAGEFAULT &
			  ~vhb_bit(VHB_PROTOCOL_F_MTU));
	assert_true(postcopy_advise(&fixture->frontend, &fd) < 0);
	fixture_expect_ended(fixture);
}

/* The kernel hears of memory when the front-end can answer for it. */
static void a_table_is_answered_by_addresses_and_waits(void **state)
{
	struct session_fixture *fixture = *state;
	struct page_server server;

	begin(fixture, &server);
	fixture_start_vring(fixture, 0);
	share(fixture, &server);
	fixture_expect_calls(fixture, "");
	expect_no_fault_yet(&server);

	/* A vring that starts has its used index read. */
	assert_int_equal(page_server_start(&server), 0);
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
	fixture_expect_calls(fixture, OWNER_LINES FIXTURE_TABLE_LINE
			     FIXTURE_START_LINES(0, 256, 0, kick0, call0));
	assert_true(recorder_addr(fixture->recorder, 0).desc_user_addr ==
		    server.bases[0] + 0x100000);
	page_server_stop(&server);
}

static void user_addresses_stay_while_a_table_waits(void **state)
{
	struct session_fixture *fixture = *state;
	struct page_server server;

	fixture->protocol_features_mask = GPA;
	begin(fixture, &server);
	share(fixture, &server);
	fixture->frontend.need_reply = true;
	assert_int_equal(frontend_set_protocol_features(&fixture->frontend,
							PROTOCOL | GPA),
			 -EREMOTEIO);
	assert_int_equal(fixture->frontend.last_ack, EBUSY);
	fixture->frontend.need_reply = false;
	assert_int_equal(page_server_start(&server), 0);
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
	fixture_start_vring(fixture, 0);
	fixture_expect_alive(fixture);
	assert_true(recorder_is_running(fixture->recorder, 0));
	page_server_stop(&server);
}

static void faults_reach_the_front_end(void **state)
{
	struct session_fixture *fixture = *state;
	struct page_server server;

	begin(fixture, &server);
	share(fixture, &server);
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
	fixture_expect_alive(fixture);
	assert_int_equal(page_server_start(&server), 0);
	for (uint64_t at = 5; at < FIXTURE_MEMORY_BYTES; at += 0x33333)
		assert_int_equal(read_by_kernel(&server, at), content_at(at));
	assert_true(server.served_count > 10);
	assert_int_equal(server.unknown_count, 0);

	/* All of it, so that none is missing at the end */
	assert_int_equal(page_server_bring_all(&server), 0);
	assert_int_equal(postcopy_end(&fixture->frontend), 0);
	for (uint64_t at = 0; at < FIXTURE_MEMORY_BYTES; at += PAGE_BYTES)
		assert_int_equal(read_by_kernel(&server, at), content_at(at));
	page_server_stop(&server);
}

/* QEMU does it so, and acknowledges all at once. */
static void regions_added_one_by_one_wait_for_one_ack(void **state)
{
	static const uint32_t numbers[] = { VHB_ADD_MEM_REG, VHB_REM_MEM_REG,
					    0 };
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region;
	struct page_server server;
	uint64_t base;

	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(numbers); i++) {
		begin(fixture, &server);
		fixture_start_vring(fixture, 0);
		region = fixture->memory.region;
		region.size_bytes /= 2;
		assert_int_equal(postcopy_add_mem_reg(&fixture->frontend,
						      &region,
						      fixture->memory.fd,
						      server.bases), 0);
		region.gpa += region.size_bytes;
		region.uva += region.size_bytes;
		region.offset_bytes += region.size_bytes;
		assert_int_equal(postcopy_add_mem_reg(&fixture->frontend,
						      &region,
						      fixture->memory.fd,
						      &base), 0);
		/* One window, as in any other map */
		assert_true(base == server.bases[0] + region.size_bytes);
		fixture_expect_calls(fixture, "");
		assert_int_equal(page_server_start(&server), 0);
		assert_int_equal(postcopy_ack(&fixture->frontend, numbers[i],
					      0), 0);
		fixture_expect_calls(fixture, OWNER_LINES FIXTURE_TABLE_LINE
				     FIXTURE_START_LINES(0, 256, 0, kick0,
							 call0));
		page_server_stop(&server);
		fixture_disconnect(fixture);
		free(recorder_take(fixture->recorder));
	}
}

/* One whose memory comes from the front-end */
static void run_a_vring(struct session_fixture *fixture,
			struct page_server *server)
{
	begin(fixture, server);
	fixture_start_vring(fixture, 0);
	share(fixture, server);
	assert_int_equal(page_server_start(server), 0);
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
	fixture_forget_calls(fixture);
}

static void a_vring_runs_on_while_a_new_table_waits(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region regions[2];
	struct page_server server;
	struct guest_memory more;
	uint64_t bases[2];

	assert_int_equal(guest_memory_create(&more, 1, 0x10000000,
					     0x777700000000), 0);
	run_a_vring(fixture, &server);

	regions[0] = fixture->memory.region;
	regions[1] = more.region;
	assert_int_equal(postcopy_set_mem_table(&fixture->frontend, regions,
						(int[]){ fixture->memory.fd,
							 more.fd }, 2, bases),
			 0);
	assert_true(bases[0] == server.bases[0]);
	assert_int_equal(postcopy_set_mem_table(&fixture->frontend, regions,
						(int[]){ fixture->memory.fd,
							 more.fd }, 2, bases),
			 0);
	fixture_expect_calls(fixture, "");
	assert_true(recorder_is_running(fixture->recorder, 0));
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
	fixture_expect_calls(fixture,
			     "SET_MEM_TABLE 1: 0x0+0x10100000\n");
	page_server_stop(&server);
	guest_memory_destroy(&more);
}

static void a_region_is_removed_with_the_ack(void **state)
{
	struct session_fixture *fixture = *state;
	struct page_server server;

	begin(fixture, &server);
	share(fixture, &server);
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
	fixture->frontend.need_reply = true;
	assert_int_equal(frontend_rem_mem_reg(&fixture->frontend,
					      &fixture->memory.region), 0);
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_REM_MEM_REG, 0),
			 0);
	fixture_expect_alive(fixture);
	assert_int_equal(frontend_rem_mem_reg(&fixture->frontend,
					      &fixture->memory.region),
			 -EREMOTEIO);
	page_server_stop(&server);
}

static void as_many_regions_as_a_table_has_room_for(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region regions[VHB_FDS_MAX];
	const uint64_t piece_bytes = FIXTURE_MEMORY_BYTES / VHB_FDS_MAX;
	uint64_t bases[VHB_FDS_MAX];
	struct page_server server;
	int fds[VHB_FDS_MAX];

	begin(fixture, &server);
	for (unsigned int i = 0; i < VHB_FDS_MAX; i++) {
		regions[i] = (struct vhb_wire_region){
			.gpa = i * piece_bytes,
			.size_bytes = piece_bytes,
			.uva = FIXTURE_UVA + i * piece_bytes,
			.offset_bytes = i * piece_bytes,
		};
		fds[i] = fixture->memory.fd;
	}
	assert_int_equal(postcopy_set_mem_table(&fixture->frontend, regions,
						fds, VHB_FDS_MAX, bases), 0);
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
	fixture_expect_alive(fixture);
	page_server_stop(&server);
}

static void after_the_end_memory_is_as_ever(void **state)
{
	struct session_fixture *fixture = *state;
	struct page_server server;

	begin(fixture, &server);
	share(fixture, &server);
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
	assert_int_equal(postcopy_end(&fixture->frontend), 0);
	page_server_stop(&server);
	/* Nobody waits for a page that never came. */
	assert_int_equal(read_by_kernel(&server, 0), 0);
	fixture->frontend.need_reply = true;
	assert_int_equal(frontend_set_mem_table(&fixture->frontend,
						&fixture->memory.region,
						&fixture->memory.fd, 1), 0);
	/* And the guest may migrate to here once more, as far as we know. */
	assert_int_equal(postcopy_advise(&fixture->frontend,
					 &server.userfault_fd), 0);
	close(server.userfault_fd);
}

/* QEMU is advised also of migrations that end before postcopy begins. */
static void advice_without_postcopy_changes_nothing(void **state)
{
	struct session_fixture *fixture = *state;
	struct page_server server;
	int fd;

	connect_and_negotiate(fixture, &server);
	assert_int_equal(postcopy_advise(&fixture->frontend, &fd), 0);
	close(fd);
	assert_int_equal(postcopy_advise(&fixture->frontend, &fd), 0);
	close(fd);
	fixture->frontend.need_reply = true;
	assert_int_equal(frontend_set_mem_table(&fixture->frontend,
						&fixture->memory.region,
						&fixture->memory.fd, 1), 0);
	fixture_start_vring(fixture, 0);
	fixture_expect_alive(fixture);
	assert_true(recorder_is_running(fixture->recorder, 0));
	page_server_stop(&server);
}

static void steps_out_of_order_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	struct page_server server;
	int fd;

	/* Not advised */
	connect_and_negotiate(fixture, &server);
	assert_int_equal(postcopy_listen(&fixture->frontend), -EREMOTEIO);
	assert_true(postcopy_end(&fixture->frontend) < 0);
	fixture_expect_ended(fixture);
	page_server_stop(&server);

	/* With memory in use */
	connect_and_negotiate(fixture, &server);
	assert_int_equal(frontend_set_mem_table(&fixture->frontend,
						&fixture->memory.region,
						&fixture->memory.fd, 1), 0);
	assert_int_equal(postcopy_advise(&fixture->frontend,
					 &server.userfault_fd), 0);
	assert_int_equal(postcopy_listen(&fixture->frontend), -EREMOTEIO);
	/* Nor does an ack mean anything then. */
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
	fixture_expect_ended(fixture);
	page_server_stop(&server);

	/* Advised again in the middle */
	begin(fixture, &server);
	assert_true(postcopy_advise(&fixture->frontend, &fd) < 0);
	fixture_expect_ended(fixture);
	page_server_stop(&server);
}

static void a_front_end_that_cannot_answer_is_let_go(void **state)
{
	struct session_fixture *fixture = *state;
	struct page_server server;

	begin(fixture, &server);
	share(fixture, &server);
	assert_int_equal(postcopy_ack(&fixture->frontend, VHB_SET_MEM_TABLE, 5),
			 0);
	fixture_expect_ended(fixture);
	page_server_stop(&server);
}

static void a_bad_table_loses_nothing(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_region region;
	struct page_server server;
	uint64_t base;

	begin(fixture, &server);
	share(fixture, &server);
	region = fixture->memory.region;
	region.offset_bytes = 1 << 30;
	assert_true(postcopy_add_mem_reg(&fixture->frontend, &region,
					 fixture->memory.fd, &base) < 0);
	fixture_expect_ended(fixture);
	page_server_stop(&server);
}

/* A table without what a vring uses: it still waits, and can be replaced. */
static void a_refused_ack_leaves_the_table_waiting(void **state)
{
	struct session_fixture *fixture = *state;
	struct page_server server;
	struct guest_memory other;
	const uint64_t taken = 0;
	uint64_t bases[1];

	assert_int_equal(guest_memory_create(&other, 1, 0x10000000,
					     0x777700000000), 0);
	run_a_vring(fixture, &server);
	assert_int_equal(postcopy_set_mem_table(&fixture->frontend,
						&other.region, &other.fd, 1,
						bases), 0);
	fixture->frontend.need_reply = true;
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(frontend_tell(&fixture->frontend,
					       VHB_SET_MEM_TABLE, &taken,
					       sizeof(taken), NULL, 0),
				 -EREMOTEIO);
	fixture_expect_calls(fixture, "");
	assert_true(recorder_is_running(fixture->recorder, 0));
	guest_memory_destroy(&other);
	page_server_stop(&server);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		fixture_test(it_is_offered_when_asked_for_and_possible),
		fixture_test(it_must_be_negotiated),
		fixture_test(a_table_is_answered_by_addresses_and_waits),
		fixture_test(user_addresses_stay_while_a_table_waits),
		fixture_test(faults_reach_the_front_end),
		fixture_test(regions_added_one_by_one_wait_for_one_ack),
		fixture_test(a_vring_runs_on_while_a_new_table_waits),
		fixture_test(a_region_is_removed_with_the_ack),
		fixture_test(as_many_regions_as_a_table_has_room_for),
		fixture_test(after_the_end_memory_is_as_ever),
		fixture_test(advice_without_postcopy_changes_nothing),
		fixture_test(steps_out_of_order_are_refused),
		fixture_test(a_front_end_that_cannot_answer_is_let_go),
		fixture_test(a_bad_table_loses_nothing),
		fixture_test(a_refused_ack_leaves_the_table_waiting),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (!postcopy_is_possible())
		return 4;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
