// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/session_fixture.h"

/* What the virtio driver of a User-Mode Linux sends, and how it is called */

#define ok(call) assert_int_equal(call, 0)

#define FEATURES (FIXTURE_VERSION_1 | FIXTURE_BIT30)
/* Guest memory begins behind the kernel's image */
#define IMAGE_BYTES UINT64_C(0x80000)
#define TABLE_LINE "SET_MEM_TABLE 1: 0x60080000+0x380000\n"
#define UML_BASE UINT64_C(0x60000000)
#define ADDR_LINE(i) \
	"SET_VRING_ADDR " #i " desc=0x601" #i "0000 avail=0x601" #i \
	"8000 used=0x601" #i "c000\n"
#define START_LINES(i, kick) \
	"SET_VRING_NUM " #i " 256\n" \
	"SET_VRING_BASE " #i " 0\n" \
	ADDR_LINE(i) \
	"SET_VRING_KICK " #i " " #kick "\n" \
	"SET_VRING_ERR " #i " none\n" \
	"SET_VRING_CALL " #i " eventfd\n" \
	"START " #i "\n"
#define CALL_WAIT_MS 5000

/* Ends of the two rings' sockets: [0] is the guest's */
struct calls {
	int fds[2][2];
};

static void create_calls(struct calls *calls)
{
	for (unsigned int i = 0; i < 2; i++)
		ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
			      calls->fds[i]));
}

static void destroy_calls(struct calls *calls)
{
	for (unsigned int i = 0; i < 2; i++)
		for (unsigned int end = 0; end < 2; end++)
			close(calls->fds[i][end]);
}

static void connect_uml(struct session_fixture *fixture)
{
	struct frontend *frontend = &fixture->frontend;
	uint64_t mask;

	fixture_connect(fixture);
	ok(frontend_set_owner(frontend));
	ok(frontend_get_features(frontend, &mask));
	ok(frontend_get_protocol_features(frontend, &mask));
	/* In-band notifications would mean no eventfds at all. */
	assert_false(vhb_has_bit(mask, VHB_PROTOCOL_F_INBAND_NOTIFICATIONS));
	ok(frontend_set_protocol_features(frontend, mask &
			(vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
			 vhb_bit(VHB_PROTOCOL_F_BACKEND_REQ) |
			 vhb_bit(VHB_PROTOCOL_F_CONFIG))));
	frontend->need_reply = true;
	/* Without the offer its driver finds no interrupt for its rings. */
	assert_true(vhb_has_bit(mask, VHB_PROTOCOL_F_BACKEND_REQ));
	fixture_give_channel(fixture);
}

/* Always room for two regions, in use is one */
static void declare_memory(struct session_fixture *fixture)
{
	const struct vhb_wire_memory table = {
		.region_count = 1,
		.regions[0] = {
			.gpa = UML_BASE + IMAGE_BYTES,
			.size_bytes = FIXTURE_MEMORY_BYTES - IMAGE_BYTES,
			.uva = UML_BASE + IMAGE_BYTES,
			.offset_bytes = IMAGE_BYTES,
		},
	};

	ok(frontend_tell(&fixture->frontend, VHB_SET_MEM_TABLE, &table,
			 offsetof(struct vhb_wire_memory, regions[2]),
			 &fixture->memory.fd, 1));
}

static void set_up_vring(struct session_fixture *fixture, unsigned int index,
			 int call_fd)
{
	struct vhb_wire_vring_addr addr = fixture_vring_addr(index);
	struct frontend *frontend = &fixture->frontend;

	addr.desc_uva += UML_BASE - FIXTURE_UVA;
	addr.avail_uva += UML_BASE - FIXTURE_UVA;
	addr.used_uva += UML_BASE - FIXTURE_UVA;
	addr.log_gpa = UINT64_MAX;
	ok(frontend_set_vring_call(frontend, index, call_fd));
	ok(frontend_set_vring_num(frontend, index, 256));
	ok(frontend_set_vring_base(frontend, index, 0));
	ok(frontend_set_vring_addr(frontend, &addr));
}

static void start_vrings(struct session_fixture *fixture,
			 const struct calls *calls, const int *kick_fds)
{
	struct frontend *frontend = &fixture->frontend;

	for (unsigned int i = 0; i < 2; i++)
		set_up_vring(fixture, i, calls->fds[i][1]);
	for (unsigned int i = 0; i < 2; i++) {
		ok(frontend_set_vring_kick(frontend, i, kick_fds[i]));
		ok(frontend_set_vring_enable(frontend, i, true));
	}
}

static void start_uml(struct session_fixture *fixture, struct calls *calls)
{
	create_calls(calls);
	connect_uml(fixture);
	ok(frontend_set_features(&fixture->frontend, FEATURES));
	declare_memory(fixture);
	start_vrings(fixture, calls, fixture->kick_fds);
}

/* del_vqs: in reverse order, never GET_VRING_BASE */
static void unbind(struct session_fixture *fixture)
{
	for (unsigned int i = 2; i-- > 0;)
		ok(frontend_set_vring_enable(&fixture->frontend, i, false));
	fixture_expect_alive(fixture);
}

static unsigned int bytes_waiting(int fd)
{
	int count = -1;

	ok(ioctl(fd, FIONREAD, &count));
	return count;
}

static void expect_bytes(int fd, unsigned int count)
{
	for (unsigned int i = 0; i < CALL_WAIT_MS; i++) {
		if (bytes_waiting(fd) >= count)
			break;
		usleep(1000);
	}
	assert_int_equal(bytes_waiting(fd), count);
}

/* As vu_interrupt does: nothing but a read of eight bytes is a call. */
static void expect_one_call(int fd)
{
	uint8_t bytes[64];

	expect_bytes(fd, 8);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), 8);
}

static void signal_ring(struct session_fixture *fixture, unsigned int index)
{
	const uint64_t one = 1;
	int fd = recorder_call_fd(fixture->recorder, index);

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void uml_starts(void **state)
{
	struct session_fixture *fixture = *state;
	struct calls calls;

	start_uml(fixture, &calls);
	fixture_expect_calls(fixture,
			     "SET_OWNER\n"
			     "SET_FEATURES 0x100000000\n"
			     TABLE_LINE
			     START_LINES(0, kick0)
			     START_LINES(1, kick1));
	destroy_calls(&calls);
}

static void uml_binds_the_driver_again(void **state)
{
	struct session_fixture *fixture = *state;
	struct calls calls;

	start_uml(fixture, &calls);
	recorder_advance(fixture->recorder, 0, 50);
	fixture_forget_calls(fixture);
	unbind(fixture);
	fixture_expect_calls(fixture, "STOP 1\nSTOP 0\n");
	ok(frontend_set_features(&fixture->frontend, FEATURES));
	start_vrings(fixture, &calls, fixture->kick_fds + 2);
	/* The base is the one of the new rings. */
	fixture_expect_calls(fixture,
			     START_LINES(0, kick2)
			     START_LINES(1, kick3));
	destroy_calls(&calls);
}

/* As after a reset, which sends nothing */
static void uml_sets_up_rings_that_run(void **state)
{
	struct session_fixture *fixture = *state;
	struct calls calls;

	start_uml(fixture, &calls);
	recorder_advance(fixture->recorder, 0, 50);
	fixture_forget_calls(fixture);
	set_up_vring(fixture, 0, calls.fds[0][1]);
	fixture_expect_calls(fixture,
			     "SET_VRING_CALL 0 eventfd\n"
			     "STOP 0\n");
	ok(frontend_set_vring_kick(&fixture->frontend, 0,
				   fixture->kick_fds[2]));
	fixture_expect_calls(fixture, START_LINES(0, kick2));
	destroy_calls(&calls);
}

static void uml_may_have_two_regions(void **state)
{
	struct session_fixture *fixture = *state;
	struct guest_memory high;
	struct vhb_wire_memory table = { .region_count = 2 };
	struct calls calls;
	int fds[2];

	start_uml(fixture, &calls);
	fixture_forget_calls(fixture);
	ok(guest_memory_create(&high, 2, 0x80000000, 0x80000000));
	table.regions[0] = (struct vhb_wire_region){
		.gpa = UML_BASE + IMAGE_BYTES,
		.size_bytes = FIXTURE_MEMORY_BYTES - IMAGE_BYTES,
		.uva = UML_BASE + IMAGE_BYTES,
		.offset_bytes = IMAGE_BYTES,
	};
	table.regions[1] = high.region;
	fds[0] = fixture->memory.fd;
	fds[1] = high.fd;
	ok(frontend_tell(&fixture->frontend, VHB_SET_MEM_TABLE, &table, 72, fds,
			 2));
	fixture_expect_calls(fixture,
			     "SET_MEM_TABLE 1: 0x60080000+0x20180000\n");
	guest_memory_destroy(&high);
	destroy_calls(&calls);
}

static void a_call_passes_exactly_eight_bytes(void **state)
{
	struct session_fixture *fixture = *state;
	struct calls calls;

	start_uml(fixture, &calls);
	for (unsigned int i = 0; i < 20; i++) {
		signal_ring(fixture, i % 2);
		expect_one_call(calls.fds[i % 2][0]);
		assert_int_equal(bytes_waiting(calls.fds[1 - i % 2][0]), 0);
	}
	destroy_calls(&calls);
}

static void many_signals_at_once_may_become_one_call(void **state)
{
	struct session_fixture *fixture = *state;
	struct calls calls;
	uint8_t bytes[8192];
	ssize_t count;

	start_uml(fixture, &calls);
	for (unsigned int i = 0; i < 1000; i++)
		signal_ring(fixture, 0);
	fixture_expect_alive(fixture);
	usleep(100000);
	count = read(calls.fds[0][0], bytes, sizeof(bytes));
	assert_true(count > 0);
	assert_int_equal(count % 8, 0);
	destroy_calls(&calls);
}

static void a_guest_that_does_not_read_its_calls_blocks_nobody(void **state)
{
	struct session_fixture *fixture = *state;
	const int flags = O_NONBLOCK;
	struct calls calls;
	char junk[4096] = { 0 };

	start_uml(fixture, &calls);
	ok(fcntl(calls.fds[0][1], F_SETFL, flags));
	while (write(calls.fds[0][1], junk, sizeof(junk)) > 0)
		;
	/* The guest made it blocking: the broker must not care. */
	ok(fcntl(calls.fds[0][1], F_SETFL, 0));
	for (unsigned int i = 0; i < 10; i++) {
		signal_ring(fixture, 0);
		usleep(2000);
	}
	fixture_expect_alive(fixture);
	signal_ring(fixture, 1);
	expect_one_call(calls.fds[1][0]);
	destroy_calls(&calls);
}

static void a_guest_that_closed_its_end_does_no_harm(void **state)
{
	struct session_fixture *fixture = *state;
	struct calls calls;

	start_uml(fixture, &calls);
	destroy_calls(&calls);
	for (unsigned int i = 0; i < 4; i++) {
		signal_ring(fixture, i % 2);
		usleep(2000);
	}
	fixture_expect_alive(fixture);
	assert_int_equal(recorder_running(fixture->recorder), 2);
}

static void a_call_given_before_the_ring_stops_is_passed_on(void **state)
{
	struct session_fixture *fixture = *state;
	struct calls calls;
	unsigned int base;

	start_uml(fixture, &calls);
	signal_ring(fixture, 0);
	ok(frontend_get_vring_base(&fixture->frontend, 0, &base));
	expect_one_call(calls.fds[0][0]);
	destroy_calls(&calls);
}

static void a_call_given_before_the_end_is_passed_on(void **state)
{
	struct session_fixture *fixture = *state;
	struct calls calls;

	start_uml(fixture, &calls);
	fixture_expect_alive(fixture);
	signal_ring(fixture, 1);
	fixture_disconnect(fixture);
	expect_one_call(calls.fds[1][0]);
	destroy_calls(&calls);
}

static void an_eventfd_takes_the_place_of_a_relay(void **state)
{
	struct session_fixture *fixture = *state;
	struct calls calls;

	start_uml(fixture, &calls);
	fixture_forget_calls(fixture);
	ok(frontend_set_vring_call(&fixture->frontend, 0,
				   fixture->call_fds[0]));
	ok(frontend_set_vring_call(&fixture->frontend, 0, calls.fds[0][1]));
	fixture_expect_calls(fixture,
			     "SET_VRING_CALL 0 call0\n"
			     "SET_VRING_CALL 0 eventfd\n");
	/* The one that comes with a new descriptor, then the test's */
	expect_one_call(calls.fds[0][0]);
	signal_ring(fixture, 0);
	expect_one_call(calls.fds[0][0]);
	destroy_calls(&calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(uml_starts),
		fixture_test(uml_binds_the_driver_again),
		fixture_test(uml_sets_up_rings_that_run),
		fixture_test(uml_may_have_two_regions),
		fixture_test(a_call_passes_exactly_eight_bytes),
		fixture_test(many_signals_at_once_may_become_one_call),
		fixture_test(a_guest_that_does_not_read_its_calls_blocks_nobody),
		fixture_test(a_guest_that_closed_its_end_does_no_harm),
		fixture_test(a_call_given_before_the_ring_stops_is_passed_on),
		fixture_test(a_call_given_before_the_end_is_passed_on),
		fixture_test(an_eventfd_takes_the_place_of_a_relay),
	};

	return cmocka_run_group_tests_name("UML", tests, NULL, NULL);
}
