// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/socket.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/refusal.h"

/* Messages malformed or meaningless by themselves */

/**
 * struct specimen - what a well-formed message looks like
 * @request: its number
 * @size_bytes: of its payload
 * @largest_bytes: payload that is taken still
 * @fd_count: descriptors with it
 * @has_index: the payload begins with a vring index
 */
struct specimen {
	uint32_t request;
	uint16_t size_bytes;
	uint16_t largest_bytes;
	uint8_t fd_count;
	bool has_index;
};

static const struct specimen specimens[] = {
	{ VHB_GET_FEATURES, 0, 0, 0, false },
	{ VHB_SET_FEATURES, 8, 8, 0, false },
	{ VHB_SET_OWNER, 0, 0, 0, false },
	{ VHB_RESET_OWNER, 0, 0, 0, false },
	{ VHB_SET_MEM_TABLE, 40, 1032, 1, false },
	{ VHB_SET_VRING_NUM, 8, 8, 0, true },
	{ VHB_SET_VRING_ADDR, 40, 40, 0, true },
	{ VHB_SET_VRING_BASE, 8, 8, 0, true },
	{ VHB_GET_VRING_BASE, 8, 8, 0, true },
	{ VHB_SET_VRING_KICK, 8, 8, 1, true },
	{ VHB_SET_VRING_CALL, 8, 8, 1, true },
	{ VHB_SET_VRING_ERR, 8, 8, 1, true },
	{ VHB_GET_PROTOCOL_FEATURES, 0, 0, 0, false },
	{ VHB_SET_PROTOCOL_FEATURES, 8, 8, 0, false },
	{ VHB_GET_QUEUE_NUM, 0, 0, 0, false },
	{ VHB_SET_VRING_ENABLE, 8, 8, 0, true },
	{ VHB_NET_SET_MTU, 8, 8, 0, false },
	{ VHB_SET_BACKEND_REQ_FD, 0, 0, 1, false },
	{ VHB_GET_CONFIG, 20, 268, 0, false },
	{ VHB_SET_CONFIG, 13, 268, 0, false },
	{ VHB_RESET_DEVICE, 0, 0, 0, false },
	{ VHB_GET_MAX_MEM_SLOTS, 0, 0, 0, false },
	{ VHB_ADD_MEM_REG, 40, 40, 1, false },
	{ VHB_REM_MEM_REG, 40, 40, 0, false },
	{ VHB_SET_STATUS, 8, 8, 0, false },
	{ VHB_GET_STATUS, 0, 0, 0, false },
};

static const struct specimen * const specimens_end =
	specimens + VHB_ARRAY_COUNT(specimens);

/* Nothing wrong with it, so that what a test makes wrong is all there is. */
static void fill(const struct session_fixture *fixture,
		 const struct specimen *specimen, union vhb_payload *payload)
{
	memset(payload, 0, sizeof(*payload));
	switch (specimen->request) {
	case VHB_SET_FEATURES:
		payload->u64 = FIXTURE_VERSION_1 | FIXTURE_BIT30;
		break;
	case VHB_SET_PROTOCOL_FEATURES:
		payload->u64 = FIXTURE_PROTOCOL_FEATURES;
		break;
	case VHB_SET_MEM_TABLE:
		payload->memory.region_count = 1;
		payload->memory.regions[0] = fixture->memory.region;
		break;
	case VHB_SET_VRING_NUM:
		payload->vring_state.num = FIXTURE_VRING_NUM;
		break;
	case VHB_SET_VRING_ADDR:
		payload->vring_addr = fixture_vring_addr(0);
		break;
	case VHB_NET_SET_MTU:
		payload->u64 = 1500;
		break;
	case VHB_GET_CONFIG:
		payload->config.size_bytes = 8;
		break;
	case VHB_SET_CONFIG:
		payload->config.size_bytes = 1;
		break;
	case VHB_ADD_MEM_REG:
		payload->single_region.region = fixture->memory.region;
		payload->single_region.region.gpa += FIXTURE_MEMORY_BYTES;
		payload->single_region.region.uva += FIXTURE_MEMORY_BYTES;
		break;
	case VHB_REM_MEM_REG:
		payload->single_region.region = fixture->memory.region;
		break;
	}
}

static const int *fds_of(const struct session_fixture *fixture,
			 const struct specimen *specimen, int *fds)
{
	bool is_memory = specimen->request == VHB_SET_MEM_TABLE ||
			 specimen->request == VHB_ADD_MEM_REG ||
			 specimen->request == VHB_REM_MEM_REG;

	for (unsigned int i = 0; i < VHB_FDS_MAX; i++)
		fds[i] = is_memory ? fixture->memory.fd : fixture->kick_fds[1];
	return fds;
}

static void refuse_specimen(struct session_fixture *fixture,
			    const struct specimen *specimen, size_t size_bytes,
			    unsigned int fd_count)
{
	union vhb_payload payload;
	int fds[VHB_FDS_MAX];
	const struct bad_message bad = {
		.request = specimen->request,
		.payload = &payload,
		.size_bytes = size_bytes,
		.fds = fds_of(fixture, specimen, fds),
		.fd_count = fd_count,
	};

	fill(fixture, specimen, &payload);
	refusal_expect(fixture, &bad);
}

static void a_payload_one_byte_short_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct specimen *specimen;

	refusal_begin(fixture);
	for (specimen = specimens; specimen < specimens_end; specimen++)
		if (specimen->size_bytes)
			refuse_specimen(fixture, specimen,
					specimen->size_bytes - 1,
					specimen->fd_count);
}

static void a_message_without_its_payload_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct specimen *specimen;

	refusal_begin(fixture);
	for (specimen = specimens; specimen < specimens_end; specimen++)
		if (specimen->size_bytes)
			refuse_specimen(fixture, specimen, 0,
					specimen->fd_count);
}

static void a_payload_one_byte_long_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct specimen *specimen;

	refusal_begin(fixture);
	for (specimen = specimens; specimen < specimens_end; specimen++)
		refuse_specimen(fixture, specimen, specimen->largest_bytes + 1,
				specimen->fd_count);
}

static void the_largest_payload_on_any_message_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct specimen *specimen;

	refusal_begin(fixture);
	for (specimen = specimens; specimen < specimens_end; specimen++)
		refuse_specimen(fixture, specimen, VHB_PAYLOAD_MAX_BYTES,
				specimen->fd_count);
}

static void a_payload_larger_than_any_message_closes(void **state)
{
	struct session_fixture *fixture = *state;
	struct vhb_wire_header header = { .flags = REFUSAL_NEED_REPLY };
	const struct specimen *specimen;

	for (specimen = specimens; specimen < specimens_end; specimen++) {
		refusal_begin(fixture);
		header.request = specimen->request;
		header.size_bytes = specimen->fd_count ?
				    UINT32_MAX : VHB_PAYLOAD_MAX_BYTES + 1;
		assert_int_equal(frontend_send_bytes(&fixture->frontend,
						     &header, sizeof(header),
						     NULL, 0), 0);
		fixture_expect_ended(fixture);
	}
}

static void a_missing_descriptor_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct specimen *specimen;

	refusal_begin(fixture);
	for (specimen = specimens; specimen < specimens_end; specimen++)
		if (specimen->fd_count)
			refuse_specimen(fixture, specimen, specimen->size_bytes,
					0);
}

static void one_descriptor_too_many_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct specimen *specimen;

	refusal_begin(fixture);
	for (specimen = specimens; specimen < specimens_end; specimen++)
		/* "MAY accept messages with one file descriptor" */
		if (specimen->request != VHB_REM_MEM_REG)
			refuse_specimen(fixture, specimen, specimen->size_bytes,
					specimen->fd_count + 1);
}

static void as_many_descriptors_as_fit_are_refused_and_closed(void **state)
{
	struct session_fixture *fixture = *state;
	const struct specimen *specimen;

	refusal_begin(fixture);
	for (specimen = specimens; specimen < specimens_end; specimen++)
		refuse_specimen(fixture, specimen, specimen->size_bytes,
				VHB_FDS_MAX);
}

static void refuse_index(struct session_fixture *fixture,
			 const struct specimen *specimen, uint32_t index)
{
	union vhb_payload payload;
	int fds[VHB_FDS_MAX];
	const struct bad_message bad = {
		.request = specimen->request,
		.payload = &payload,
		.size_bytes = specimen->size_bytes,
		.fds = fds_of(fixture, specimen, fds),
		.fd_count = specimen->fd_count,
	};

	fill(fixture, specimen, &payload);
	if (specimen->fd_count)
		payload.u64 = index & VHB_VRING_INDEX_MASK;
	else
		payload.vring_state.index = index;
	refusal_expect(fixture, &bad);
}

static void the_first_vring_index_there_is_not_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const struct specimen *specimen;

	refusal_begin(fixture);
	for (specimen = specimens; specimen < specimens_end; specimen++)
		if (specimen->has_index)
			refuse_index(fixture, specimen, FIXTURE_VRING_COUNT);
}

static void a_vring_index_far_beyond_is_refused(void **state)
{
	static const uint32_t indexes[] = {
		VHB_VRING_COUNT_MAX, 255, UINT32_MAX,
	};
	struct session_fixture *fixture = *state;
	const struct specimen *specimen;

	refusal_begin(fixture);
	for (specimen = specimens; specimen < specimens_end; specimen++)
		for (unsigned int i = 0; i < VHB_ARRAY_COUNT(indexes); i++)
			if (specimen->has_index)
				refuse_index(fixture, specimen, indexes[i]);
}

static void a_descriptor_despite_the_bit_for_none_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	const uint64_t none = vhb_bit(VHB_VRING_NOFD_BIT);
	const int fd = fixture->kick_fds[1];

	refusal_begin(fixture);
	refusal_expect_fd(fixture, VHB_SET_VRING_KICK, none, fd, NULL);
	refusal_expect_fd(fixture, VHB_SET_VRING_CALL, none, fd, NULL);
	refusal_expect_fd(fixture, VHB_SET_VRING_ERR, none, fd, NULL);
}

static void an_unknown_request_is_refused(void **state)
{
	static const uint32_t requests[] = {
		0, VHB_REQUEST_COUNT, 1000, UINT32_MAX,
	};
	struct session_fixture *fixture = *state;

	refusal_begin(fixture);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(requests); i++) {
		const struct bad_message bad = { .request = requests[i] };

		refusal_expect(fixture, &bad);
		refusal_expect_u64(fixture, requests[i], UINT64_MAX);
		refusal_expect_fd(fixture, requests[i], 0, fixture->kick_fds[1],
				  NULL);
	}
}

static void a_request_of_the_specification_not_offered_is_refused(void **state)
{
	static const struct specimen others[] = {
		{ .request = VHB_SET_LOG_BASE, .size_bytes = 8 },
		{ .request = VHB_SET_LOG_FD, .fd_count = 1 },
		{ .request = VHB_SEND_RARP, .size_bytes = 8 },
		{ .request = VHB_IOTLB_MSG, .size_bytes = 32 },
		{ .request = VHB_SET_VRING_ENDIAN, .size_bytes = 8 },
		{ .request = VHB_CREATE_CRYPTO_SESSION, .size_bytes = 100 },
		{ .request = VHB_CLOSE_CRYPTO_SESSION, .size_bytes = 8 },
		{ .request = VHB_POSTCOPY_ADVISE },
		{ .request = VHB_POSTCOPY_LISTEN },
		{ .request = VHB_POSTCOPY_END },
		{ .request = VHB_GET_INFLIGHT_FD, .size_bytes = 24 },
		{ .request = VHB_SET_INFLIGHT_FD, .size_bytes = 24,
		  .fd_count = 1 },
		{ .request = VHB_GPU_SET_SOCKET, .fd_count = 1 },
		{ .request = VHB_VRING_KICK, .size_bytes = 8 },
		{ .request = VHB_GET_SHARED_OBJECT, .size_bytes = 16 },
		{ .request = VHB_GET_SHMEM_CONFIG },
	};
	struct session_fixture *fixture = *state;

	refusal_begin(fixture);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(others); i++)
		refuse_specimen(fixture, &others[i], others[i].size_bytes,
				others[i].fd_count);
}

static void send_flags_and_expect_end(struct session_fixture *fixture,
				      uint32_t flags)
{
	const uint64_t features = FIXTURE_BIT30;

	refusal_begin(fixture);
	assert_int_equal(frontend_send(&fixture->frontend, VHB_SET_FEATURES,
				       flags, &features, sizeof(features),
				       fixture->kick_fds, 2), 0);
	fixture_expect_ended(fixture);
	fixture_expect_calls(fixture, "RESET\n");
}

static void another_protocol_version_closes(void **state)
{
	static const uint32_t versions[] = { 0, 2, 3 };
	struct session_fixture *fixture = *state;

	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(versions); i++) {
		send_flags_and_expect_end(fixture, versions[i]);
		send_flags_and_expect_end(fixture, versions[i] | 8);
	}
}

static void a_request_marked_as_a_reply_closes(void **state)
{
	struct session_fixture *fixture = *state;

	send_flags_and_expect_end(fixture, 0x5);
	send_flags_and_expect_end(fixture, 0xd);
}

static void a_size_of_no_entries_is_refused(void **state)
{
	refusal_begin(*state);
	refusal_expect_state(*state, VHB_SET_VRING_NUM, 0, 0);
	refusal_expect_state(*state, VHB_SET_VRING_NUM, 1, 0);
}

static void a_size_that_is_no_power_of_two_is_refused(void **state)
{
	static const uint32_t sizes[] = { 3, 255, 257, 32767, UINT32_MAX };

	refusal_begin(*state);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(sizes); i++)
		refusal_expect_state(*state, VHB_SET_VRING_NUM, 0, sizes[i]);
}

static void a_size_beyond_32768_is_refused(void **state)
{
	refusal_begin(*state);
	refusal_expect_state(*state, VHB_SET_VRING_NUM, 0, 65536);
	refusal_expect_state(*state, VHB_SET_VRING_NUM, 0, UINT32_C(1) << 31);
}

static void a_base_of_more_than_sixteen_bits_is_refused(void **state)
{
	refusal_begin(*state);
	refusal_expect_state(*state, VHB_SET_VRING_BASE, 0, 65536);
	refusal_expect_state(*state, VHB_SET_VRING_BASE, 1, UINT32_MAX);
}

static void enabling_by_anything_but_0_and_1_is_refused(void **state)
{
	refusal_begin(*state);
	refusal_expect_state(*state, VHB_SET_VRING_ENABLE, 0, 2);
	refusal_expect_state(*state, VHB_SET_VRING_ENABLE, 0, UINT32_MAX);
}

static void ring_flags_are_refused_since_no_log_is_offered(void **state)
{
	struct vhb_wire_vring_addr addr = fixture_vring_addr(0);
	const struct bad_message bad = {
		.request = VHB_SET_VRING_ADDR,
		.payload = &addr,
		.size_bytes = sizeof(addr),
	};

	refusal_begin(*state);
	addr.flags = 1;
	refusal_expect(*state, &bad);
	addr.flags = UINT32_C(1) << 31;
	refusal_expect(*state, &bad);
}

static void every_feature_bit_not_offered_is_refused(void **state)
{
	refusal_begin(*state);
	for (unsigned int bit = 0; bit < 64; bit++)
		if (!vhb_has_bit(FIXTURE_FEATURES | FIXTURE_BIT30, bit))
			refusal_expect_u64(*state, VHB_SET_FEATURES,
					   FIXTURE_BIT30 | vhb_bit(bit));
}

static void every_protocol_feature_bit_not_offered_is_refused(void **state)
{
	refusal_begin(*state);
	for (unsigned int bit = 0; bit < 64; bit++)
		if (!vhb_has_bit(FIXTURE_PROTOCOL_FEATURES, bit))
			refusal_expect_u64(*state, VHB_SET_PROTOCOL_FEATURES,
					   FIXTURE_PROTOCOL_FEATURES |
						   vhb_bit(bit));
}

static void refuse_config(struct session_fixture *fixture, uint32_t request,
			  uint32_t size_bytes, size_t payload_bytes)
{
	const struct vhb_wire_config config = { .size_bytes = size_bytes };
	const struct bad_message bad = {
		.request = request,
		.payload = &config,
		.size_bytes = payload_bytes,
	};

	refusal_expect(fixture, &bad);
}

static void config_larger_than_its_payload_is_refused(void **state)
{
	refusal_begin(*state);
	refuse_config(*state, VHB_GET_CONFIG, 9, 12 + 8);
	refuse_config(*state, VHB_SET_CONFIG, 9, 12 + 8);
	refuse_config(*state, VHB_GET_CONFIG, UINT32_MAX, 12 + 8);
	refuse_config(*state, VHB_SET_CONFIG, UINT32_MAX, 12 + 8);
	refuse_config(*state, VHB_GET_CONFIG, UINT32_MAX - 11, 12 + 256);
	refuse_config(*state, VHB_GET_CONFIG, 257, 12 + 256);
}

/* The kernel takes eventfds only; it is not even asked. */
static void a_kick_descriptor_that_is_no_eventfd_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	refusal_begin(fixture);
	refusal_expect_fd(fixture, VHB_SET_VRING_KICK, 0, null_fd,
			  "");
	refusal_expect_fd(fixture, VHB_SET_VRING_KICK, 0, fds[0],
			  "");
	refusal_expect_fd(fixture, VHB_SET_VRING_KICK, 0, fixture->memory.fd,
			  "");
	close(null_fd);
	close(fds[0]);
	close(fds[1]);
}

static void a_call_descriptor_of_no_use_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	refusal_begin(fixture);
	refusal_expect_fd(fixture, VHB_SET_VRING_CALL, 0, null_fd,
			  "");
	refusal_expect_fd(fixture, VHB_SET_VRING_ERR, 0, null_fd,
			  "");
	close(null_fd);
}

static void a_bad_descriptor_of_a_stopped_ring_is_refused_at_once(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	int pipe_fds[2], inet_fd, null_fd;

	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	inet_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	refusal_begin(fixture);
	assert_int_not_equal(frontend_set_vring_call(frontend, 1, null_fd), 0);
	/* A write to these may wait for ever, however one asks. */
	assert_int_not_equal(frontend_set_vring_call(frontend, 1, inet_fd), 0);
	assert_int_not_equal(frontend_set_vring_call(frontend, 1, pipe_fds[1]),
			     0);
	/* A kept end of our own connection would keep it open for ever. */
	assert_int_not_equal(frontend_set_vring_kick(frontend, 1, frontend->fd),
			     0);
	assert_int_not_equal(frontend_set_vring_err(frontend, 1, frontend->fd),
			     0);
	assert_true(recorder_is_running(fixture->recorder, 0));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(inet_fd);
	close(null_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_payload_one_byte_short_is_refused),
		fixture_test(a_message_without_its_payload_is_refused),
		fixture_test(a_payload_one_byte_long_is_refused),
		fixture_test(the_largest_payload_on_any_message_is_refused),
		fixture_test(a_payload_larger_than_any_message_closes),
		fixture_test(a_missing_descriptor_is_refused),
		fixture_test(one_descriptor_too_many_is_refused),
		fixture_test(as_many_descriptors_as_fit_are_refused_and_closed),
		fixture_test(the_first_vring_index_there_is_not_is_refused),
		fixture_test(a_vring_index_far_beyond_is_refused),
		fixture_test(a_descriptor_despite_the_bit_for_none_is_refused),
		fixture_test(an_unknown_request_is_refused),
		fixture_test(a_request_of_the_specification_not_offered_is_refused),
		fixture_test(another_protocol_version_closes),
		fixture_test(a_request_marked_as_a_reply_closes),
		fixture_test(a_size_of_no_entries_is_refused),
		fixture_test(a_size_that_is_no_power_of_two_is_refused),
		fixture_test(a_size_beyond_32768_is_refused),
		fixture_test(a_base_of_more_than_sixteen_bits_is_refused),
		fixture_test(enabling_by_anything_but_0_and_1_is_refused),
		fixture_test(ring_flags_are_refused_since_no_log_is_offered),
		fixture_test(every_feature_bit_not_offered_is_refused),
		fixture_test(every_protocol_feature_bit_not_offered_is_refused),
		fixture_test(config_larger_than_its_payload_is_refused),
		fixture_test(a_kick_descriptor_that_is_no_eventfd_is_refused),
		fixture_test(a_call_descriptor_of_no_use_is_refused),
		fixture_test(a_bad_descriptor_of_a_stopped_ring_is_refused_at_once),
	};

	return cmocka_run_group_tests_name("bad input", tests, NULL, NULL);
}
