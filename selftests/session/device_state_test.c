// SPDX-License-Identifier: GPL-2.0-or-later
/* What a device knows goes to the front-end, and into the next device. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/crc32.h"
#include "lib/device_state.h"
#include "lib/refusal.h"
#include "lib/session_fixture.h"

#define ok(call) assert_int_equal(call, 0)

#define FAILED 0x101
#define CRC_BYTES 4
#define VERSION_OFFSET 8
#define TYPE_OFFSET 12
#define STATE_OFFSET 20
#define STREAM_BYTES (STATE_OFFSET + RECORDER_STATE_BYTES + CRC_BYTES)

static const uint8_t first[] = { 1, 2, 3, 4 };
static const uint8_t second[] = { 9, 8, 7, 6 };

static void begin(struct session_fixture *fixture)
{
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, FIXTURE_VERSION_1 | FIXTURE_BIT30,
			  FIXTURE_PROTOCOL_FEATURES);
	recorder_set_state(fixture->recorder, first);
	fixture_forget_calls(fixture);
}

static void expect_state(struct session_fixture *fixture,
			 const uint8_t *expected)
{
	uint8_t state[RECORDER_STATE_BYTES];

	recorder_state(fixture->recorder, state);
	assert_memory_equal(state, expected, sizeof(state));
}

static void save(struct session_fixture *fixture, uint8_t *stream)
{
	size_t bytes = STREAM_BYTES + 1;

	ok(device_state_save(&fixture->frontend, stream, &bytes));
	assert_int_equal(bytes, STREAM_BYTES);
}

static void put_crc(uint8_t *stream, size_t bytes)
{
	const uint32_t crc = vhb_crc32(stream, bytes - CRC_BYTES);

	for (unsigned int i = 0; i < CRC_BYTES; i++)
		stream[bytes - CRC_BYTES + i] = crc >> (8 * i);
}

static void the_checksum_is_the_usual_one(void **state)
{
	(void)state;
	assert_int_equal(vhb_crc32("123456789", 9), 0xcbf43926);
	assert_int_equal(vhb_crc32("", 0), 0);
}

/* The stream must be read by the releases to come: byte by byte */
static void state_is_saved(void **state)
{
	static const uint8_t start[] = {
		'v', 'h', 'b', 's', 't', 'a', 't', 'e', 1, 0, 4, 0,
		'r', 'e', 'c', 'o', 'r', 'd', 'e', 'r', 1, 2, 3, 4,
	};
	struct session_fixture *fixture = *state;
	uint8_t stream[STREAM_BYTES + 1], expected[STREAM_BYTES];

	begin(fixture);
	save(fixture, stream);
	memcpy(expected, start, sizeof(start));
	put_crc(expected, STREAM_BYTES);
	assert_memory_equal(stream, expected, STREAM_BYTES);
	fixture_expect_calls(fixture, "SAVE\n");
}

static void state_is_loaded(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t stream[STREAM_BYTES + 1];

	begin(fixture);
	recorder_set_state(fixture->recorder, second);
	save(fixture, stream);
	/* Of another session, before it has even set features */
	fixture_disconnect(fixture);
	recorder_set_state(fixture->recorder, first);
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	ok(frontend_set_protocol_features(&fixture->frontend,
					  FIXTURE_PROTOCOL_FEATURES));
	ok(device_state_load(&fixture->frontend, stream, STREAM_BYTES));
	expect_state(fixture, second);
	/* Asked again, the same answer, and nothing is done. */
	ok(device_state_check(&fixture->frontend));
	fixture_expect_calls(fixture, "SAVE\nRESET\nLOAD 9\n");
}

static void what_was_saved_cannot_be_written(void **state)
{
	struct session_fixture *fixture = *state;
	int fd;

	begin(fixture);
	ok(device_state_begin(&fixture->frontend, VHB_TRANSFER_SAVE, &fd));
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
}

static void refuse_stream(struct session_fixture *fixture,
			  const uint8_t *stream, size_t bytes)
{
	assert_int_equal(device_state_load(&fixture->frontend, stream, bytes),
			 -EREMOTEIO);
	expect_state(fixture, first);
}

static void bad_streams_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	static uint8_t large[1 << 20];
	uint8_t stream[STREAM_BYTES + 1] = { 0 };
	uint8_t bad[STREAM_BYTES + 1] = { 0 };

	begin(fixture);
	save(fixture, stream);
	for (size_t bytes = 0; bytes <= STREAM_BYTES + 1; bytes++)
		if (bytes != STREAM_BYTES)
			refuse_stream(fixture, stream, bytes);
	memcpy(large, stream, STREAM_BYTES);
	refuse_stream(fixture, large, sizeof(large));
	for (unsigned int bit = 0; bit < 8 * STREAM_BYTES; bit++) {
		memcpy(bad, stream, STREAM_BYTES);
		bad[bit / 8] ^= 1 << bit % 8;
		refuse_stream(fixture, bad, STREAM_BYTES);
	}
	fixture_expect_calls(fixture, "SAVE\n");
	ok(device_state_load(&fixture->frontend, stream, STREAM_BYTES));
}

/* Whole and sound, but not for this one */
static void streams_of_others_are_refused(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t stream[STREAM_BYTES + 1] = { 0 };
	uint8_t bad[STREAM_BYTES + 1] = { 0 };
	const unsigned int offsets[] = {
		VERSION_OFFSET, VERSION_OFFSET + 1, TYPE_OFFSET,
		TYPE_OFFSET + 7, 0,
	};

	begin(fixture);
	save(fixture, stream);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(offsets); i++) {
		memcpy(bad, stream, STREAM_BYTES);
		bad[offsets[i]]++;
		put_crc(bad, STREAM_BYTES);
		refuse_stream(fixture, bad, STREAM_BYTES);
	}
	/* One byte more, or fewer, in the device's own part */
	memcpy(bad, stream, STREAM_BYTES);
	bad[10]++;
	put_crc(bad, STREAM_BYTES + 1);
	fixture_expect_calls(fixture, "SAVE\n");
	refuse_stream(fixture, bad, STREAM_BYTES + 1);
	bad[10] -= 2;
	put_crc(bad, STREAM_BYTES - 1);
	refuse_stream(fixture, bad, STREAM_BYTES - 1);
	/* What the device cannot have */
	memcpy(bad, stream, STREAM_BYTES);
	bad[STATE_OFFSET] = 0;
	put_crc(bad, STREAM_BYTES);
	refuse_stream(fixture, bad, STREAM_BYTES);
	fixture_expect_calls(fixture, "LOAD 1 = EINVAL\nLOAD 1 = EINVAL\nLOAD 0 = EINVAL\n");
}

static void expect_failed(struct session_fixture *fixture,
			  uint32_t direction, uint32_t phase)
{
	const struct vhb_wire_transfer wanted = { direction, phase };
	uint64_t reply = 0;
	int fds[2];

	ok(pipe2(fds, O_CLOEXEC));
	ok(frontend_send(&fixture->frontend, VHB_SET_DEVICE_STATE_FD,
			 REFUSAL_NEED_REPLY, &wanted, sizeof(wanted), &fds[1],
			 1));
	ok(frontend_receive_reply(&fixture->frontend, VHB_SET_DEVICE_STATE_FD,
				  &reply, sizeof(reply)));
	assert_int_equal(reply, FAILED);
	close(fds[0]);
	close(fds[1]);
}

static void other_directions_and_phases_are_refused(void **state)
{
	struct session_fixture *fixture = *state;

	begin(fixture);
	expect_failed(fixture, 2, 0);
	expect_failed(fixture, UINT32_MAX, 0);
	expect_failed(fixture, VHB_TRANSFER_SAVE, 1);
	expect_failed(fixture, VHB_TRANSFER_LOAD, 1);
	assert_int_equal(device_state_check(&fixture->frontend), -EREMOTEIO);
	fixture_expect_calls(fixture, "");
}

static void a_device_that_runs_has_no_state(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t stream[STREAM_BYTES + 1];
	unsigned int base;
	int fd;

	begin(fixture);
	save(fixture, stream);
	fixture_declare_memory(fixture);
	/* Begun while it was stopped */
	ok(device_state_begin(&fixture->frontend, VHB_TRANSFER_LOAD, &fd));
	assert_int_equal(write(fd, stream, STREAM_BYTES), STREAM_BYTES);
	close(fd);
	fixture_start_vring(fixture, 1);
	assert_int_equal(device_state_check(&fixture->frontend), -EREMOTEIO);
	expect_failed(fixture, VHB_TRANSFER_SAVE, 0);
	expect_failed(fixture, VHB_TRANSFER_LOAD, 0);
	fixture_forget_calls(fixture);
	ok(frontend_get_vring_base(&fixture->frontend, 1, &base));
	save(fixture, stream);
	ok(device_state_load(&fixture->frontend, stream, STREAM_BYTES));
	fixture_expect_calls(fixture, "STOP 1\nSAVE\nLOAD 1\n");
}

static void a_refused_transfer_leaves_the_one_before(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t stream[STREAM_BYTES + 1];
	int fd;

	begin(fixture);
	recorder_set_state(fixture->recorder, second);
	save(fixture, stream);
	recorder_set_state(fixture->recorder, first);
	ok(device_state_begin(&fixture->frontend, VHB_TRANSFER_LOAD, &fd));
	assert_int_equal(write(fd, stream, STREAM_BYTES), STREAM_BYTES);
	close(fd);
	expect_failed(fixture, 2, 0);
	expect_failed(fixture, VHB_TRANSFER_SAVE, 1);
	ok(device_state_check(&fixture->frontend));
	expect_state(fixture, second);
}

static void check_without_a_transfer_fails(void **state)
{
	struct session_fixture *fixture = *state;

	begin(fixture);
	assert_int_equal(device_state_check(&fixture->frontend), -EREMOTEIO);
	assert_int_equal(device_state_check(&fixture->frontend), -EREMOTEIO);
}

/* None of them is left behind; the fixture looks. */
static void the_last_transfer_counts(void **state)
{
	struct session_fixture *fixture = *state;
	uint8_t stream[STREAM_BYTES + 1];
	int fd;

	begin(fixture);
	for (unsigned int i = 0; i < 100; i++) {
		ok(device_state_begin(&fixture->frontend, VHB_TRANSFER_LOAD,
				      &fd));
		close(fd);
	}
	save(fixture, stream);
	ok(device_state_begin(&fixture->frontend, VHB_TRANSFER_LOAD, &fd));
	close(fd);
}

static void needs_the_feature(void **state)
{
	struct session_fixture *fixture = *state;

	fixture_connect(fixture);
	fixture_negotiate(fixture, FIXTURE_BIT30, FIXTURE_REPLY_ACK);
	ok(frontend_send(&fixture->frontend, VHB_CHECK_DEVICE_STATE,
			 REFUSAL_NEED_REPLY, NULL, 0, NULL, 0));
	fixture_expect_ended(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksum_is_the_usual_one),
		fixture_test(state_is_saved),
		fixture_test(state_is_loaded),
		fixture_test(what_was_saved_cannot_be_written),
		fixture_test(bad_streams_are_refused),
		fixture_test(streams_of_others_are_refused),
		fixture_test(other_directions_and_phases_are_refused),
		fixture_test(a_device_that_runs_has_no_state),
		fixture_test(a_refused_transfer_leaves_the_one_before),
		fixture_test(check_without_a_transfer_fails),
		fixture_test(the_last_transfer_counts),
		fixture_test(needs_the_feature),
	};

	return cmocka_run_group_tests_name("device state", tests, NULL, NULL);
}
