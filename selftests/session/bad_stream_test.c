// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/log_capture.h"
#include "lib/refusal.h"

#define ok(call) assert_int_equal(call, 0)

#define MESSAGES_MAX 32
#define MESSAGE_BYTES_MAX 64
#define ROUNDS 200
#define REFUSALS_LOGGED 20
#define IDLE_MS 300

/* One message as bytes, with a descriptor or -1 */
struct packet {
	uint8_t bytes[MESSAGE_BYTES_MAX];
	size_t size_bytes;
	int fd;
};

struct transcript {
	struct packet packets[MESSAGES_MAX];
	unsigned int count;
};

static void add(struct transcript *transcript, uint32_t request,
		const void *payload, size_t size_bytes, int fd)
{
	struct packet *packet = &transcript->packets[transcript->count++];
	const struct vhb_wire_header header = {
		.request = request,
		.flags = VHB_FLAG_VERSION,
		.size_bytes = size_bytes,
	};

	assert_true(transcript->count <= MESSAGES_MAX);
	assert_true(sizeof(header) + size_bytes <= MESSAGE_BYTES_MAX);
	memcpy(packet->bytes, &header, sizeof(header));
	if (size_bytes)
		memcpy(packet->bytes + sizeof(header), payload, size_bytes);
	packet->size_bytes = sizeof(header) + size_bytes;
	packet->fd = fd;
}

static void add_u64(struct transcript *transcript, uint32_t request,
		    uint64_t value, int fd)
{
	add(transcript, request, &value, sizeof(value), fd);
}

static void add_state(struct transcript *transcript, uint32_t request,
		      uint32_t index, uint32_t num)
{
	const struct vhb_wire_vring_state state = {
		.index = index,
		.num = num,
	};

	add(transcript, request, &state, sizeof(state), -1);
}

static void add_table(struct transcript *transcript,
		      const struct session_fixture *fixture)
{
	const struct vhb_wire_memory table = {
		.region_count = 1,
		.regions[0] = fixture->memory.region,
	};

	add(transcript, VHB_SET_MEM_TABLE, &table, 40, fixture->memory.fd);
}

/* A whole set-up of two rings, and a stop */
static void write_transcript(struct transcript *transcript,
			     const struct session_fixture *fixture)
{
	transcript->count = 0;
	add(transcript, VHB_SET_OWNER, NULL, 0, -1);
	add(transcript, VHB_GET_FEATURES, NULL, 0, -1);
	add_u64(transcript, VHB_SET_PROTOCOL_FEATURES,
		FIXTURE_PROTOCOL_FEATURES, -1);
	add_u64(transcript, VHB_SET_FEATURES, FIXTURE_VERSION_1, -1);
	add_table(transcript, fixture);
	for (unsigned int i = 0; i < 2; i++) {
		const struct vhb_wire_vring_addr addr = fixture_vring_addr(i);

		add_u64(transcript, VHB_SET_VRING_CALL, i,
			fixture->call_fds[i]);
		add_state(transcript, VHB_SET_VRING_NUM, i, FIXTURE_VRING_NUM);
		add_state(transcript, VHB_SET_VRING_BASE, i, 0);
		add(transcript, VHB_SET_VRING_ADDR, &addr, sizeof(addr), -1);
		add_u64(transcript, VHB_SET_VRING_KICK, i,
			fixture->kick_fds[i]);
		add_state(transcript, VHB_SET_VRING_ENABLE, i, 1);
	}
	add_state(transcript, VHB_GET_VRING_BASE, 0, 0);
}

static void send_part(struct session_fixture *fixture,
		      const struct packet *packet, size_t from, size_t to)
{
	const bool has_fd = !from && packet->fd >= 0;

	ok(frontend_send_bytes(&fixture->frontend, packet->bytes + from,
			       to - from, has_fd ? &packet->fd : NULL, has_fd));
}

static void a_set_up_in_single_bytes_works(void **state)
{
	struct session_fixture *fixture = *state;
	struct transcript transcript;

	write_transcript(&transcript, fixture);
	/* But for the replies, which nobody reads here */
	transcript.count--;
	fixture_connect(fixture);
	for (unsigned int i = 0; i < transcript.count; i++) {
		const struct packet *packet = &transcript.packets[i];

		for (size_t at = 0; at < packet->size_bytes; at++)
			send_part(fixture, packet, at, at + 1);
		if (i == 1)
			ok(frontend_receive_reply(&fixture->frontend,
						  VHB_GET_FEATURES, NULL, 8));
	}
	fixture_expect_alive(fixture);
	assert_int_equal(recorder_running(fixture->recorder), 2);
}

static void a_message_split_at_any_byte_is_put_together(void **state)
{
	struct session_fixture *fixture = *state;
	struct transcript transcript = { .count = 0 };
	struct packet *packet = transcript.packets;
	struct resources before;

	fixture_start(fixture, 1);
	add_table(&transcript, fixture);
	packet->bytes[4] = REFUSAL_NEED_REPLY;
	resources_count(&before);
	for (size_t at = 1; at < packet->size_bytes; at++) {
		uint64_t ack = 1;

		send_part(fixture, packet, 0, at);
		/* So that the halves arrive one by one now and then */
		if (at % 8 == 0)
			usleep(2000);
		send_part(fixture, packet, at, packet->size_bytes);
		ok(frontend_receive_reply(&fixture->frontend, VHB_SET_MEM_TABLE,
					  &ack, sizeof(ack)));
		assert_int_equal(ack, 0);
	}
	resources_assert_same(&before);
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void a_descriptor_may_come_with_any_byte_of_its_message(void **state)
{
	struct session_fixture *fixture = *state;
	struct transcript transcript = { .count = 0 };
	struct packet *packet = transcript.packets;

	fixture_start(fixture, 1);
	add_table(&transcript, fixture);
	packet->bytes[4] = REFUSAL_NEED_REPLY;
	for (size_t at = 1; at < packet->size_bytes; at++) {
		uint64_t ack = 1;

		ok(frontend_send_bytes(&fixture->frontend, packet->bytes, at,
				       NULL, 0));
		ok(frontend_send_bytes(&fixture->frontend, packet->bytes + at,
				       packet->size_bytes - at, &packet->fd,
				       1));
		ok(frontend_receive_reply(&fixture->frontend, VHB_SET_MEM_TABLE,
					  &ack, sizeof(ack)));
		assert_int_equal(ack, 0);
	}
}

static void many_messages_at_once_are_all_handled(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t bytes[100 * 20];
	uint64_t ack;

	fixture_start(fixture, 1);
	for (unsigned int i = 0; i < 100; i++) {
		const struct {
			struct vhb_wire_header header;
			uint8_t status[8];
		} message = {
			.header = {
				.request = VHB_SET_STATUS,
				.flags = REFUSAL_NEED_REPLY,
				.size_bytes = 8,
			},
			.status = { 1 + i },
		};

		memcpy(bytes + 20 * i, &message, 20);
	}
	ok(frontend_send_bytes(&fixture->frontend, bytes, sizeof(bytes), NULL,
			       0));
	for (unsigned int i = 0; i < 100; i++) {
		ok(frontend_receive_reply(&fixture->frontend, VHB_SET_STATUS,
					  &ack, sizeof(ack)));
		assert_int_equal(ack, 0);
	}
	ok(frontend_get_status(&fixture->frontend, &ack));
	assert_int_equal(ack, 100);
}

/* Sends so many bytes of the transcript and hangs up. */
static void hang_up_after(struct session_fixture *fixture,
			  const struct transcript *transcript, size_t bytes)
{
	fixture_connect(fixture);
	for (unsigned int i = 0; bytes && i < transcript->count; i++) {
		const struct packet *packet = &transcript->packets[i];
		size_t part = bytes < packet->size_bytes ? bytes :
							   packet->size_bytes;

		send_part(fixture, packet, 0, part);
		bytes -= part;
	}
	fixture_disconnect(fixture);
	assert_int_equal(recorder_running(fixture->recorder), 0);
}

static void a_front_end_may_leave_after_any_byte(void **state)
{
	struct session_fixture *fixture = *state;
	struct transcript transcript;
	struct resources before;
	size_t total_bytes = 0;

	write_transcript(&transcript, fixture);
	for (unsigned int i = 0; i < transcript.count; i++)
		total_bytes += transcript.packets[i].size_bytes;
	resources_count(&before);
	for (size_t bytes = 0; bytes <= total_bytes; bytes++) {
		hang_up_after(fixture, &transcript, bytes);
		free(recorder_take(fixture->recorder));
	}
	recorder_assert_no_fault(fixture->recorder);
	resources_assert_same(&before);
	fixture_start(fixture, 2);
}

static void two_hundred_front_ends_leave_nothing_behind(void **state)
{
	struct session_fixture *fixture = *state;
	struct resources before;

	resources_count(&before);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		fixture_start(fixture, FIXTURE_VRING_COUNT);
		fixture_disconnect(fixture);
		free(recorder_take(fixture->recorder));
	}
	resources_assert_same(&before);
}

static void thirty_three_descriptors_close(void **state)
{
	struct session_fixture *fixture = *state;
	static const unsigned int counts[] = { VHB_FDS_MAX + 1, 100, 253 };
	struct resources before;
	int fds[253];

	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(fds); i++)
		fds[i] = fixture->memory.fd;
	resources_count(&before);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(counts); i++) {
		fixture_start(fixture, 1);
		ok(frontend_send(&fixture->frontend, VHB_SET_MEM_TABLE,
				 REFUSAL_NEED_REPLY, fds, 8, fds, counts[i]));
		fixture_expect_ended(fixture);
		resources_assert_same(&before);
	}
}

static void descriptors_do_not_pile_up_behind_an_unfinished_message(void **state)
{
	struct session_fixture *fixture = *state;
	const struct vhb_wire_header header = {
		.request = VHB_SET_MEM_TABLE,
		.flags = VHB_FLAG_VERSION,
		.size_bytes = 1000,
	};
	struct resources before;
	int fds[10];
	int ret = 0;

	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(fds); i++)
		fds[i] = fixture->memory.fd;
	resources_count(&before);
	fixture_start(fixture, 1);
	ok(frontend_send_bytes(&fixture->frontend, &header, sizeof(header), fds,
			       10));
	for (unsigned int i = 0; !ret && i < 20; i++)
		ret = frontend_send_bytes(&fixture->frontend, "x", 1, fds, 10);
	fixture_expect_ended(fixture);
	resources_assert_same(&before);
}

static void descriptors_of_an_unfinished_message_are_closed(void **state)
{
	struct session_fixture *fixture = *state;
	const uint8_t byte = VHB_SET_MEM_TABLE;
	struct resources before;
	int fds[VHB_FDS_MAX];

	for (unsigned int i = 0; i < VHB_FDS_MAX; i++)
		fds[i] = fixture->memory.fd;
	resources_count(&before);
	for (unsigned int i = 0; i < 50; i++) {
		fixture_connect(fixture);
		ok(frontend_send_bytes(&fixture->frontend, &byte, 1, fds,
				       VHB_FDS_MAX));
		fixture_disconnect(fixture);
	}
	resources_assert_same(&before);
}

static void replaced_descriptors_are_closed(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct resources before;

	fixture_start(fixture, 1);
	/* Once, so that there is one of each */
	ok(frontend_set_vring_err(frontend, 0, fixture->call_fds[2]));
	for (unsigned int i = 1; i < FIXTURE_VRING_COUNT; i++)
		ok(frontend_set_vring_call(frontend, i, fixture->call_fds[i]));
	resources_count(&before);
	for (unsigned int i = 0; i < 300; i++) {
		ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
		ok(frontend_set_vring_call(frontend, i % FIXTURE_VRING_COUNT,
					   fixture->call_fds[1]));
		ok(frontend_set_vring_err(frontend, 0, fixture->call_fds[2]));
	}
	resources_assert_same(&before);
}

static unsigned int send_without_reading(struct session_fixture *fixture)
{
	const struct {
		struct vhb_wire_header header;
		uint32_t config[3];
		uint8_t data[VHB_CONFIG_MAX_BYTES];
	} message = {
		.header = {
			.request = VHB_GET_CONFIG,
			.flags = VHB_FLAG_VERSION,
			.size_bytes = 12 + VHB_CONFIG_MAX_BYTES,
		},
		.config = { 0, VHB_CONFIG_MAX_BYTES, 0 },
	};
	unsigned int count = 0;
	struct pollfd pollfd = {
		.fd = fixture->frontend.fd,
		.events = POLLOUT,
	};

	/* Until the session has taken nothing for a while */
	while (poll(&pollfd, 1, 300) == 1) {
		if (send(pollfd.fd, &message, sizeof(message),
			 MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(message))
			break;
		count++;
	}
	return count;
}

static int64_t used_ms(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static void a_front_end_that_reads_no_replies_is_not_read_from(void **state)
{
	struct session_fixture *fixture = *state;
	struct resources before, now;
	unsigned int count;
	int64_t busy_ms;

	fixture_start(fixture, 1);
	resources_count(&before);
	count = send_without_reading(fixture);
	/* Nor is it asked again and again. */
	busy_ms = used_ms();
	usleep(IDLE_MS * 1000);
	busy_ms = used_ms() - busy_ms;
	assert_true(busy_ms < IDLE_MS / 4);
	/* What fits into two sockets, not more */
	assert_true(count > 10);
	assert_true(count < 10000);
	resources_count(&now);
	assert_int_equal(now.fd_count, before.fd_count);
	assert_true(now.address_mib < before.address_mib + 256);
	fixture_disconnect(fixture);
}

static void replies_go_on_when_the_front_end_reads_again(void **state)
{
	struct session_fixture *fixture = *state;
	unsigned int count;

	fixture_start(fixture, 1);
	count = send_without_reading(fixture);
	for (unsigned int i = 0; i < count; i++)
		ok(frontend_receive_reply(&fixture->frontend, VHB_GET_CONFIG,
					  NULL, 12 + VHB_CONFIG_MAX_BYTES));
	fixture_expect_alive(fixture);
}

static void a_front_end_that_only_closes_its_sending_side_is_done_with(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	ok(shutdown(fixture->frontend.fd, SHUT_WR));
	fixture_expect_ended(fixture);
}

static void a_front_end_that_only_closes_its_receiving_side_is_done_with(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_start(fixture, 1);
	ok(shutdown(fixture->frontend.fd, SHUT_RD));
	frontend_send(&fixture->frontend, VHB_GET_FEATURES, VHB_FLAG_VERSION,
		      NULL, 0, NULL, 0);
	fixture_expect_ended(fixture);
}

static void a_full_call_eventfd_does_not_block_the_session(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct resources before, now;
	int fd = eventfd(0, EFD_CLOEXEC);

	ok(eventfd_write(fd, UINT64_MAX - 1));
	fixture_start(fixture, 1);
	ok(frontend_set_vring_call(frontend, 0, -1));
	resources_count(&before);
	/* Each new one is called once. */
	for (unsigned int i = 0; i < 500; i++) {
		ok(frontend_set_vring_call(frontend, 0, fd));
		ok(frontend_set_vring_call(frontend, 0, -1));
	}
	fixture_expect_alive(fixture);
	resources_count(&now);
	assert_int_equal(now.fd_count, before.fd_count);
	assert_true(now.thread_count < before.thread_count + 20);
	/* Others are still called. */
	ok(frontend_set_vring_call(frontend, 0, fixture->call_fds[3]));
	for (unsigned int i = 0; i < 5000; i++) {
		eventfd_t count;

		if (!eventfd_read(fixture->call_fds[3], &count))
			break;
		assert_true(i < 4999);
		usleep(1000);
	}
	close(fd);
}

static void refuse_status(struct session_fixture *fixture)
{
	assert_int_equal(frontend_set_status(&fixture->frontend, UINT64_MAX),
			 -EREMOTEIO);
}

static void refuse_config(struct session_fixture *fixture)
{
	uint8_t config[8];

	assert_int_equal(frontend_get_config(&fixture->frontend, 1000, 0,
					     config, 8), -EIO);
}

static void refuse_unknown(struct session_fixture *fixture)
{
	assert_int_equal(frontend_tell(&fixture->frontend, 12345, NULL, 0, NULL,
				       0), -EREMOTEIO);
}

static void no_more_than_twenty_refusals_are_logged(void **state)
{
	static void (*const refusals[])(struct session_fixture *fixture) = {
		refuse_status, refuse_config, refuse_unknown,
	};
	struct session_fixture *fixture = *state;
	struct log_capture log;

	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(refusals); i++) {
		fixture_start(fixture, 0);
		log_capture_begin(&log);
		for (unsigned int times = 0; times < 100; times++)
			refusals[i](fixture);
		fixture_expect_alive(fixture);
		log_capture_end(&log);
		assert_int_equal(log_capture_count(&log, "refused "),
				 REFUSALS_LOGGED);
		assert_int_equal(log_capture_count(&log, "\n"),
				 REFUSALS_LOGGED + 1);
		assert_int_equal(log_capture_count(&log, "not logged"), 1);
		fixture_disconnect(fixture);
	}
}

static void send_bad_version(struct session_fixture *fixture)
{
	ok(frontend_send(&fixture->frontend, VHB_SET_OWNER, 2, NULL, 0, NULL,
			 0));
	fixture_expect_ended(fixture);
}

static void send_bad_features(struct session_fixture *fixture)
{
	const uint64_t none = UINT64_MAX;

	ok(frontend_send(&fixture->frontend, VHB_SET_FEATURES, VHB_FLAG_VERSION,
			 &none, sizeof(none), NULL, 0));
	fixture_expect_ended(fixture);
}

static void a_connection_is_closed_with_one_line_that_says_why(void **state)
{
	struct session_fixture *fixture = *state;
	struct log_capture log;

	fixture_start(fixture, 1);
	log_capture_begin(&log);
	send_bad_version(fixture);
	log_capture_end(&log);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	assert_int_equal(log_capture_count(&log, "version"), 1);
	assert_int_equal(log_capture_count(&log, "connection closed"), 1);

	fixture_start(fixture, 1);
	log_capture_begin(&log);
	send_bad_features(fixture);
	log_capture_end(&log);
	assert_int_equal(log_capture_count(&log, "\n"), 1);
	assert_int_equal(log_capture_count(&log, "refused SET_FEATURES"), 1);
	assert_int_equal(log_capture_count(&log, "connection closed"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_set_up_in_single_bytes_works),
		fixture_test(a_message_split_at_any_byte_is_put_together),
		fixture_test(a_descriptor_may_come_with_any_byte_of_its_message),
		fixture_test(many_messages_at_once_are_all_handled),
		fixture_test(a_front_end_may_leave_after_any_byte),
		fixture_test(two_hundred_front_ends_leave_nothing_behind),
		fixture_test(thirty_three_descriptors_close),
		fixture_test(descriptors_do_not_pile_up_behind_an_unfinished_message),
		fixture_test(descriptors_of_an_unfinished_message_are_closed),
		fixture_test(replaced_descriptors_are_closed),
		fixture_test(a_front_end_that_reads_no_replies_is_not_read_from),
		fixture_test(replies_go_on_when_the_front_end_reads_again),
		fixture_test(a_front_end_that_only_closes_its_sending_side_is_done_with),
		fixture_test(a_front_end_that_only_closes_its_receiving_side_is_done_with),
		fixture_test(a_full_call_eventfd_does_not_block_the_session),
		fixture_test(no_more_than_twenty_refusals_are_logged),
		fixture_test(a_connection_is_closed_with_one_line_that_says_why),
	};

	return cmocka_run_group_tests_name("bad stream", tests, NULL, NULL);
}
