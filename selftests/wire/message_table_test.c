// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "lib/bits.h"
#include "wire/message_table.h"

#define VRING_COUNT 4
#define NOFD UINT64_C(0x100)
#define ALL_FEATURES UINT64_C(0x7fffff)

enum gate { FREE, ACKED, OFFER };

/*
 * The specification once more, in plain numbers, so that a wrong number in
 * wire/protocol.h shows too. Table: request, name, payload from and to,
 * descriptors from and to, vring index (0, 32 bits, 8 bits), own reply, gate,
 * feature.
 */
struct rule {
	uint32_t request;
	const char *name;
	uint32_t min;
	uint32_t max;
	unsigned int fd_min;
	unsigned int fd_max;
	unsigned int index_bits;
	int own_reply;
	enum gate gate;
	unsigned int feature_bit;
};

static const struct rule rules[] = {
	{ 1, "GET_FEATURES", 0, 0, 0, 0, 0, 1, FREE, 0 },
	{ 2, "SET_FEATURES", 8, 8, 0, 0, 0, 0, FREE, 0 },
	{ 3, "SET_OWNER", 0, 0, 0, 0, 0, 0, FREE, 0 },
	{ 4, "RESET_OWNER", 0, 0, 0, 0, 0, 0, FREE, 0 },
	/* as built by valid_message(): two regions */
	{ 5, "SET_MEM_TABLE", 72, 1032, 2, 2, 0, 0, FREE, 0 },
	/* with LOG_SHMFD */
	{ 6, "SET_LOG_BASE", 16, 16, 1, 1, 0, 1, FREE, 0 },
	{ 7, "SET_LOG_FD", 0, 0, 1, 1, 0, 0, FREE, 0 },
	{ 8, "SET_VRING_NUM", 8, 8, 0, 0, 32, 0, FREE, 0 },
	{ 9, "SET_VRING_ADDR", 40, 40, 0, 0, 32, 0, FREE, 0 },
	{ 10, "SET_VRING_BASE", 8, 8, 0, 0, 32, 0, FREE, 0 },
	{ 11, "GET_VRING_BASE", 8, 8, 0, 0, 32, 1, FREE, 0 },
	{ 12, "SET_VRING_KICK", 8, 8, 1, 1, 8, 0, FREE, 0 },
	{ 13, "SET_VRING_CALL", 8, 8, 1, 1, 8, 0, FREE, 0 },
	{ 14, "SET_VRING_ERR", 8, 8, 1, 1, 8, 0, FREE, 0 },
	{ 15, "GET_PROTOCOL_FEATURES", 0, 0, 0, 0, 0, 1, FREE, 0 },
	{ 16, "SET_PROTOCOL_FEATURES", 8, 8, 0, 0, 0, 0, FREE, 0 },
	{ 17, "GET_QUEUE_NUM", 0, 0, 0, 0, 0, 1, OFFER, 0 },
	{ 18, "SET_VRING_ENABLE", 8, 8, 0, 0, 32, 0, FREE, 0 },
	{ 19, "SEND_RARP", 8, 8, 0, 0, 0, 0, OFFER, 2 },
	{ 20, "NET_SET_MTU", 8, 8, 0, 0, 0, 0, OFFER, 4 },
	{ 21, "SET_BACKEND_REQ_FD", 0, 0, 1, 1, 0, 0, OFFER, 5 },
	{ 22, "IOTLB_MSG", 32, 32, 0, 0, 0, 0, FREE, 0 },
	{ 23, "SET_VRING_ENDIAN", 8, 8, 0, 0, 32, 0, ACKED, 6 },
	{ 24, "GET_CONFIG", 12, 268, 0, 0, 0, 1, ACKED, 9 },
	{ 25, "SET_CONFIG", 12, 268, 0, 0, 0, 0, ACKED, 9 },
	{ 26, "CREATE_CRYPTO_SESSION", 1, 4096, 0, 0, 0, 1, ACKED, 7 },
	{ 27, "CLOSE_CRYPTO_SESSION", 8, 8, 0, 0, 0, 0, ACKED, 7 },
	{ 28, "POSTCOPY_ADVISE", 0, 0, 0, 0, 0, 1, ACKED, 8 },
	{ 29, "POSTCOPY_LISTEN", 0, 0, 0, 0, 0, 0, ACKED, 8 },
	{ 30, "POSTCOPY_END", 0, 0, 0, 0, 0, 1, ACKED, 8 },
	{ 31, "GET_INFLIGHT_FD", 20, 24, 0, 0, 0, 1, ACKED, 12 },
	{ 32, "SET_INFLIGHT_FD", 20, 24, 1, 1, 0, 0, ACKED, 12 },
	{ 33, "GPU_SET_SOCKET", 0, 0, 1, 1, 0, 0, FREE, 0 },
	{ 34, "RESET_DEVICE", 0, 0, 0, 0, 0, 0, OFFER, 13 },
	{ 35, "VRING_KICK", 8, 8, 0, 0, 32, 0, ACKED, 14 },
	{ 36, "GET_MAX_MEM_SLOTS", 0, 0, 0, 0, 0, 1, ACKED, 15 },
	{ 37, "ADD_MEM_REG", 40, 40, 1, 1, 0, 0, ACKED, 15 },
	{ 38, "REM_MEM_REG", 40, 40, 0, 1, 0, 0, ACKED, 15 },
	{ 39, "SET_STATUS", 8, 8, 0, 0, 0, 0, ACKED, 16 },
	{ 40, "GET_STATUS", 0, 0, 0, 0, 0, 1, ACKED, 16 },
	{ 41, "GET_SHARED_OBJECT", 16, 16, 0, 0, 0, 1, ACKED, 18 },
	{ 42, "SET_DEVICE_STATE_FD", 8, 8, 1, 1, 0, 1, ACKED, 19 },
	{ 43, "CHECK_DEVICE_STATE", 0, 0, 0, 0, 0, 1, ACKED, 19 },
	{ 44, "GET_SHMEM_CONFIG", 0, 0, 0, 0, 0, 1, ACKED, 22 },
};

static const struct vhb_gate open_gate = {
	.offered_mask = ALL_FEATURES,
	.acked_mask = ALL_FEATURES,
	.vring_count = VRING_COUNT,
};

static void valid_message(struct vhb_message *message, const struct rule *rule)
{
	memset(message, 0, sizeof(*message));
	message->header.request = rule->request;
	message->header.flags = 1;
	message->header.size_bytes = rule->min;
	message->fd_count = rule->fd_min;
	if (rule->request == 5)
		message->payload.memory.region_count = 2;
}

static int check_with(const struct vhb_message *message,
		      const struct vhb_gate *gate, struct vhb_why *why)
{
	int ret;

	why->clause[0] = '\0';
	ret = vhb_message_check(message, gate, why);
	if (ret)
		assert_int_not_equal(why->clause[0], '\0');
	else
		assert_int_equal(why->clause[0], '\0');
	return ret;
}

static int check_gate(const struct vhb_message *message,
		      const struct vhb_gate *gate)
{
	struct vhb_why why;

	return check_with(message, gate, &why);
}

static int check(const struct vhb_message *message)
{
	return check_gate(message, &open_gate);
}

static void has_the_row_of_the_specification(void **state)
{
	const struct rule *rule = *state;
	const struct vhb_message_row *row = vhb_message_row(rule->request);

	assert_non_null(row);
	assert_string_equal(row->name, rule->name);
	assert_string_equal(vhb_message_name(rule->request), rule->name);
	assert_int_equal(row->reply_kind == VHB_REPLY_OWN, rule->own_reply);
	assert_int_equal(row->index_kind != VHB_INDEX_NONE,
			 rule->index_bits != 0);
	assert_int_equal(row->index_kind == VHB_INDEX_U64_NOFD,
			 rule->index_bits == 8);
	assert_int_equal(row->gate_kind == VHB_GATE_ACKED, rule->gate == ACKED);
	assert_int_equal(row->gate_kind == VHB_GATE_OFFERED,
			 rule->gate == OFFER);
	if (rule->gate != FREE)
		assert_int_equal(row->feature_bit, rule->feature_bit);
}

static void accepts_all_sizes_that_are_due(void **state)
{
	const struct rule *rule = *state;
	struct vhb_message message;
	uint32_t size;

	valid_message(&message, rule);
	for (size = rule->min; size <= rule->max; size++) {
		message.header.size_bytes = size;
		assert_int_equal(check(&message), 0);
	}
}

static void refuses_all_other_sizes(void **state)
{
	const struct rule *rule = *state;
	struct vhb_message message;
	uint32_t size;

	valid_message(&message, rule);
	for (size = 0; size <= VHB_PAYLOAD_MAX_BYTES; size++) {
		if (size >= rule->min && size <= rule->max)
			continue;
		message.header.size_bytes = size;
		assert_int_equal(check(&message), -EINVAL);
	}
	message.header.size_bytes = UINT32_MAX;
	assert_int_equal(check(&message), -EINVAL);
}

static void takes_only_the_descriptors_due(void **state)
{
	const struct rule *rule = *state;
	struct vhb_message message;
	unsigned int count;
	int due;

	valid_message(&message, rule);
	for (count = 0; count <= VHB_FDS_MAX; count++) {
		message.fd_count = count;
		due = count >= rule->fd_min && count <= rule->fd_max;
		assert_int_equal(check(&message), due ? 0 : -EINVAL);
	}
}

static void set_index(struct vhb_message *message, const struct rule *rule,
		      uint32_t index)
{
	if (rule->index_bits == 8)
		message->payload.u64 = index;
	else
		message->payload.vring_state.index = index;
}

static void takes_only_vrings_there_are(void **state)
{
	const struct rule *rule = *state;
	struct vhb_gate gate = open_gate;
	struct vhb_message message;
	unsigned int index;

	valid_message(&message, rule);
	for (index = 0; index < 256; index++) {
		set_index(&message, rule, index);
		assert_int_equal(check(&message),
				 index < VRING_COUNT ? 0 : -EINVAL);
		assert_int_equal(vhb_message_vring_index(&message), index);
	}
	if (rule->index_bits == 32) {
		set_index(&message, rule, UINT32_MAX);
		assert_int_equal(check(&message), -EINVAL);
		set_index(&message, rule, 0x100);
		assert_int_equal(check(&message), -EINVAL);
	}
	set_index(&message, rule, 0);
	gate.vring_count = 0;
	assert_int_equal(check_gate(&message, &gate), -EINVAL);
}

static void needs_its_protocol_feature(void **state)
{
	const struct rule *rule = *state;
	struct vhb_gate gate = open_gate;
	struct vhb_message message;

	valid_message(&message, rule);
	if (rule->gate == ACKED)
		gate.acked_mask &= ~vhb_bit(rule->feature_bit);
	else
		gate.offered_mask &= ~vhb_bit(rule->feature_bit);
	assert_int_equal(check_gate(&message, &gate), -EOPNOTSUPP);

	/* The gate is looked at first, whatever else is wrong */
	message.header.size_bytes = 4096;
	assert_int_equal(check_gate(&message, &gate), -EOPNOTSUPP);

	/* and it is this feature alone that opens it */
	message.header.size_bytes = rule->min;
	gate.acked_mask = rule->gate == ACKED ? vhb_bit(rule->feature_bit) : 0;
	gate.offered_mask = vhb_bit(rule->feature_bit);
	assert_int_equal(check_gate(&message, &gate), 0);
}

static void is_legal_without_any_protocol_feature(void **state)
{
	const struct rule *rule = *state;
	struct vhb_gate gate = { .vring_count = VRING_COUNT };
	struct vhb_message message;

	valid_message(&message, rule);
	if (rule->request == 6) {
		message.header.size_bytes = 8;
		message.fd_count = 0;
	}
	assert_int_equal(check_gate(&message, &gate), 0);
}

static void comes_without_a_descriptor_if_bit_8_says_so(void **state)
{
	const struct rule *rule = *state;
	struct vhb_message message;
	unsigned int count;

	valid_message(&message, rule);
	message.payload.u64 = NOFD | 3;
	for (count = 0; count <= VHB_FDS_MAX; count++) {
		message.fd_count = count;
		assert_int_equal(check(&message), count ? -EINVAL : 0);
	}
	assert_int_equal(vhb_message_vring_index(&message), 3);
	message.fd_count = 0;
	message.payload.u64 = NOFD | VRING_COUNT;
	assert_int_equal(check(&message), -EINVAL);
}

static void config_access_must_fit_its_payload(void **state)
{
	const struct rule *rule = *state;
	struct vhb_message message;
	uint32_t room;

	for (room = 0; room <= VHB_CONFIG_MAX_BYTES; room++) {
		valid_message(&message, rule);
		message.header.size_bytes = 12 + room;
		message.payload.config.size_bytes = room;
		assert_int_equal(check(&message), 0);
		message.payload.config.size_bytes = room + 1;
		assert_int_equal(check(&message), -EINVAL);
		message.payload.config.size_bytes = UINT32_MAX;
		assert_int_equal(check(&message), -EINVAL);
		message.payload.config.size_bytes = 0;
		assert_int_equal(check(&message), 0);
	}
}

static void config_flags_do_not_matter(void **state)
{
	const struct rule *rule = *state;
	struct vhb_message message;

	valid_message(&message, rule);
	message.header.size_bytes = 20;
	message.payload.config.size_bytes = 8;
	message.payload.config.flags = 1;
	assert_int_equal(check(&message), 0);
}

static void mem_table(struct vhb_message *message, uint32_t count,
		      uint32_t size_bytes, unsigned int fd_count)
{
	memset(message, 0, sizeof(*message));
	message->header.request = 5;
	message->header.size_bytes = size_bytes;
	message->payload.memory.region_count = count;
	message->fd_count = fd_count;
}

static void mem_table_takes_1_to_32_regions(void **state)
{
	struct vhb_message message;
	uint32_t count;

	(void)state;
	for (count = 1; count <= 32; count++) {
		mem_table(&message, count, 8 + 32 * count, count);
		assert_int_equal(check(&message), 0);
	}
	mem_table(&message, 0, 40, 0);
	assert_int_equal(check(&message), -EINVAL);
	mem_table(&message, 33, 1032, 32);
	assert_int_equal(check(&message), -EINVAL);
	/* 8 + 32 * count wraps around to 8 */
	mem_table(&message, 0x08000000, 1032, 0);
	assert_int_equal(check(&message), -EINVAL);
	mem_table(&message, UINT32_MAX, 1032, 32);
	assert_int_equal(check(&message), -EINVAL);
}

static void mem_table_must_hold_its_regions(void **state)
{
	struct vhb_message message;
	uint32_t count;

	(void)state;
	for (count = 1; count <= 32; count++) {
		mem_table(&message, count, 8 + 32 * count - 1, count);
		assert_int_equal(check(&message), -EINVAL);
	}
}

static void mem_table_of_fixed_size_may_have_unused_regions(void **state)
{
	struct vhb_message message;

	(void)state;
	mem_table(&message, 1, 72, 1);
	assert_int_equal(check(&message), 0);
	mem_table(&message, 1, 8 + 8 * 32, 1);
	assert_int_equal(check(&message), 0);
	mem_table(&message, 1, 1033, 1);
	assert_int_equal(check(&message), -EINVAL);
}

static void mem_table_needs_one_descriptor_each_region(void **state)
{
	struct vhb_message message;
	uint32_t count;

	(void)state;
	for (count = 1; count <= 32; count++) {
		mem_table(&message, count, 8 + 32 * count, count - 1);
		assert_int_equal(check(&message), -EINVAL);
		mem_table(&message, count, 8 + 32 * count, count + 1);
		assert_int_equal(check(&message), -EINVAL);
	}
}

static void log_base_without_shared_memory_is_one_address(void **state)
{
	struct vhb_gate gate = open_gate;
	struct vhb_message message = { .header = { .request = 6 } };

	(void)state;
	gate.acked_mask &= ~vhb_bit(1);
	message.header.size_bytes = 8;
	assert_int_equal(check_gate(&message, &gate), 0);
	message.fd_count = 1;
	assert_int_equal(check_gate(&message, &gate), -EINVAL);
	message.fd_count = 0;
	message.header.size_bytes = 16;
	assert_int_equal(check_gate(&message, &gate), -EINVAL);
}

static void unknown_requests_have_no_row(void **state)
{
	static const uint32_t requests[] = { 0, 45, 46, 255, 0x10001,
					     0x80000000, UINT32_MAX };
	struct vhb_message message = { .header = { .flags = 1 } };
	size_t i;

	(void)state;
	for (i = 0; i < VHB_ARRAY_COUNT(requests); i++) {
		message.header.request = requests[i];
		assert_null(vhb_message_row(requests[i]));
		assert_string_equal(vhb_message_name(requests[i]),
				    "unknown request");
		assert_int_equal(check(&message), -EOPNOTSUPP);
	}
}

static void assert_why(const struct vhb_message *message,
		       const struct vhb_gate *gate, const char *expected)
{
	struct vhb_why why;

	assert_int_not_equal(check_with(message, gate, &why), 0);
	assert_string_equal(why.clause, expected);
}

static void says_what_is_wrong(void **state)
{
	struct vhb_gate nothing = { .vring_count = 2 };
	struct vhb_message message = { .header = { .request = 77 } };

	(void)state;
	assert_why(&message, &open_gate,
		   "the specification has no request 77");
	message.header.request = 24;
	assert_why(&message, &nothing, "protocol feature 9 is not negotiated");
	message.header.request = 17;
	assert_why(&message, &nothing, "protocol feature 0 was not offered");
	message.header.request = 2;
	message.header.size_bytes = 4;
	assert_why(&message, &open_gate, "payload of 4 bytes where 8 are due");
	message.header.request = 31;
	assert_why(&message, &open_gate,
		   "payload of 4 bytes where 20 to 24 are due");
	message.header.request = 24;
	message.header.size_bytes = 16;
	message.payload.config.size_bytes = 5;
	assert_why(&message, &open_gate,
		   "5 bytes of configuration space in room for 4");
	mem_table(&message, 33, 1032, 32);
	assert_why(&message, &open_gate,
		   "33 regions where 1 to 32 are allowed");
	mem_table(&message, 3, 72, 3);
	assert_why(&message, &open_gate,
		   "payload of 72 bytes where 3 regions need 104");
	mem_table(&message, 2, 72, 1);
	assert_why(&message, &open_gate, "1 descriptors where 2 are due");
	mem_table(&message, 0, 40, 2);
	message.header.request = 38;
	assert_why(&message, &open_gate, "2 descriptors where 0 to 1 are due");
	message.header = (struct vhb_wire_header){ .request = 8,
						   .size_bytes = 8 };
	message.payload.vring_state.index = 9;
	message.fd_count = 0;
	assert_why(&message, &nothing, "vring 9 of a device that has 2");
}

static void a_clause_that_is_too_long_is_cut_off(void **state)
{
	struct vhb_why whys[2];

	(void)state;
	memset(whys, '-', sizeof(whys));
	assert_int_equal(vhb_wrong(&whys[0], -EINVAL, "%0*d", VHB_WHY_BYTES, 0),
			 -EINVAL);
	assert_int_equal(strlen(whys[0].clause), VHB_WHY_BYTES - 1);
	assert_int_equal(whys[1].clause[0], '-');
}

static const struct CMUnitTest single_tests[] = {
	cmocka_unit_test(mem_table_takes_1_to_32_regions),
	cmocka_unit_test(mem_table_must_hold_its_regions),
	cmocka_unit_test(mem_table_of_fixed_size_may_have_unused_regions),
	cmocka_unit_test(mem_table_needs_one_descriptor_each_region),
	cmocka_unit_test(log_base_without_shared_memory_is_one_address),
	cmocka_unit_test(unknown_requests_have_no_row),
	cmocka_unit_test(says_what_is_wrong),
	cmocka_unit_test(a_clause_that_is_too_long_is_cut_off),
};

static int to_all(const struct rule *rule)
{
	return rule->request;
}

static int to_gated(const struct rule *rule)
{
	return rule->gate != FREE;
}

static int to_free(const struct rule *rule)
{
	return rule->gate == FREE;
}

static int to_indexed(const struct rule *rule)
{
	return rule->index_bits;
}

static int to_event_fds(const struct rule *rule)
{
	return rule->index_bits == 8;
}

static int to_config(const struct rule *rule)
{
	return rule->request == 24 || rule->request == 25;
}

#define RULE_TEST(function, applies) { #function, function, applies }

/* What is tested for a message, and for which messages */
static const struct {
	const char *name;
	CMUnitTestFunction function;
	int (*applies)(const struct rule *rule);
} rule_tests[] = {
	RULE_TEST(has_the_row_of_the_specification, to_all),
	RULE_TEST(accepts_all_sizes_that_are_due, to_all),
	RULE_TEST(refuses_all_other_sizes, to_all),
	RULE_TEST(takes_only_the_descriptors_due, to_all),
	RULE_TEST(takes_only_vrings_there_are, to_indexed),
	RULE_TEST(needs_its_protocol_feature, to_gated),
	RULE_TEST(is_legal_without_any_protocol_feature, to_free),
	RULE_TEST(comes_without_a_descriptor_if_bit_8_says_so, to_event_fds),
	RULE_TEST(config_access_must_fit_its_payload, to_config),
	RULE_TEST(config_flags_do_not_matter, to_config),
};

#define TESTS_MAX 512

int main(void)
{
	static struct CMUnitTest tests[TESTS_MAX];
	static char names[TESTS_MAX][96];
	size_t count = VHB_ARRAY_COUNT(single_tests);
	size_t r, t;

	memcpy(tests, single_tests, sizeof(single_tests));
	for (r = 0; r < VHB_ARRAY_COUNT(rules); r++) {
		for (t = 0; t < VHB_ARRAY_COUNT(rule_tests); t++) {
			if (!rule_tests[t].applies(&rules[r]))
				continue;
			snprintf(names[count], sizeof(names[count]), "%s_%s",
				 rules[r].name, rule_tests[t].name);
			tests[count].name = names[count];
			tests[count].test_func = rule_tests[t].function;
			tests[count].initial_state = (void *)&rules[r];
			count++;
		}
	}
	return _cmocka_run_group_tests("message_table", tests, count, NULL,
				       NULL);
}
