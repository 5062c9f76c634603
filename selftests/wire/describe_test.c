// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages in words: every one of the specification, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/bits.h"
#include "lib/feature_names.h"
#include "wire/describe.h"
#include "wire/message_table.h"

#define TEXT_BYTES 8192

static char words[TEXT_BYTES];

static const char *describe(const struct vhb_message *message)
{
	struct vhb_text text;

	vhb_text_begin(&text, words, sizeof(words));
	vhb_describe_message(message, "net", &text);
	return words;
}

static const char *describe_reply(uint32_t request, const void *payload,
				  size_t size_bytes)
{
	struct vhb_text text;

	vhb_text_begin(&text, words, sizeof(words));
	vhb_describe_reply(request, payload, size_bytes, "blk", &text);
	return words;
}

/* A message whose payload is given as 32-bit words */
struct example {
	uint32_t request;
	uint32_t size_bytes;
	uint32_t payload[20];
	const char *words;
};

static const struct example examples[] = {
	{ 1, 0, { 0 }, "GET_FEATURES" },
	{ 2, 8, { 0x40008001, 0x1 },
	  "SET_FEATURES features=0x140008001(CSUM,MRG_RXBUF,PROTOCOL_FEATURES,VERSION_1)" },
	{ 3, 0, { 0 }, "SET_OWNER" },
	{ 4, 0, { 0 }, "RESET_OWNER" },
	{ 5, 72, { 2, 0, 0, 0, 0x1000, 0, 0x7000, 1, 0, 0, 0, 2, 0x2000, 0,
		   0x8000, 0, 0x1000, 0 },
	  "SET_MEM_TABLE regions=2 "
	  "{gpa=0x0 size=0x1000 uva=0x100007000 offset=0x0} "
	  "{gpa=0x200000000 size=0x2000 uva=0x8000 offset=0x1000}" },
	{ 6, 16, { 0x2000, 0, 0x10, 0 }, "SET_LOG_BASE size=0x2000 offset=0x10" },
	{ 6, 8, { 0x2000, 1 }, "SET_LOG_BASE base=0x100002000" },
	{ 7, 0, { 0 }, "SET_LOG_FD" },
	{ 8, 8, { 1, 256 }, "SET_VRING_NUM vring=1 num=256" },
	{ 9, 40, { 1, 1, 0x1000, 0, 0x2000, 0, 0x3000, 0, 0x4000, 0 },
	  "SET_VRING_ADDR vring=1 flags=0x1 desc=0x1000 used=0x2000 avail=0x3000 log=0x4000" },
	{ 10, 8, { 1, 0x80008000 }, "SET_VRING_BASE vring=1 base=0x80008000" },
	{ 11, 8, { 3, 0 }, "GET_VRING_BASE vring=3 num=0" },
	{ 12, 8, { 0x105, 0 }, "SET_VRING_KICK vring=5 nofd" },
	{ 13, 8, { 2, 0 }, "SET_VRING_CALL vring=2" },
	{ 14, 8, { 0x10000002, 1 }, "SET_VRING_ERR vring=2 unknown=0x110000000" },
	{ 15, 0, { 0 }, "GET_PROTOCOL_FEATURES" },
	{ 16, 8, { 0x9, 0x80 },
	  "SET_PROTOCOL_FEATURES features=0x8000000009(MQ,REPLY_ACK,39)" },
	{ 17, 0, { 0 }, "GET_QUEUE_NUM" },
	{ 18, 8, { 1, 1 }, "SET_VRING_ENABLE vring=1 enable=1" },
	{ 19, 8, { 0x12005452, 0x5634 }, "SEND_RARP mac=52:54:00:12:34:56" },
	{ 20, 8, { 1500, 0 }, "NET_SET_MTU mtu=1500" },
	{ 21, 0, { 0 }, "SET_BACKEND_REQ_FD" },
	{ 22, 32, { 0x1000, 0, 0x2000, 0, 0x3000, 0, 0x203, 0 },
	  "IOTLB_MSG iova=0x1000 size=0x2000 uva=0x3000 perm=rw type=UPDATE" },
	{ 22, 32, { 0x1000, 0, 0x2000, 0, 0x3000, 0, 0x904, 0 },
	  "IOTLB_MSG iova=0x1000 size=0x2000 uva=0x3000 perm=4 type=9" },
	{ 23, 8, { 1, 1 }, "SET_VRING_ENDIAN vring=1 big=1" },
	{ 24, 20, { 8, 8, 1 },
	  "GET_CONFIG offset=8 size=8 flags=0x1 data=0000000000000000" },
	{ 25, 16, { 0, 4, 0, 0x1b5b3a }, "SET_CONFIG offset=0 size=4 flags=0x0 data=3a5b1b00" },
	{ 26, 4, { 0x1 }, "CREATE_CRYPTO_SESSION data=01000000" },
	{ 27, 8, { 7, 0 }, "CLOSE_CRYPTO_SESSION session=7" },
	{ 28, 0, { 0 }, "POSTCOPY_ADVISE" },
	{ 29, 0, { 0 }, "POSTCOPY_LISTEN" },
	{ 30, 0, { 0 }, "POSTCOPY_END" },
	{ 31, 20, { 0, 0, 0, 0, 0x01000002 },
	  "GET_INFLIGHT_FD size=0x0 offset=0x0 queues=2 entries=256" },
	{ 32, 24, { 0x80, 0, 0x40, 0, 0x01000002, 0 },
	  "SET_INFLIGHT_FD size=0x80 offset=0x40 queues=2 entries=256 +4 bytes" },
	{ 33, 0, { 0 }, "GPU_SET_SOCKET" },
	{ 34, 0, { 0 }, "RESET_DEVICE" },
	{ 35, 8, { 1, 0 }, "VRING_KICK vring=1 num=0" },
	{ 36, 0, { 0 }, "GET_MAX_MEM_SLOTS" },
	{ 37, 40, { 9, 9, 0, 1, 0x1000, 0, 0x2000, 0, 0x3000, 0 },
	  "ADD_MEM_REG region={gpa=0x100000000 size=0x1000 uva=0x2000 offset=0x3000}" },
	{ 38, 40, { 9, 9, 0, 1, 0x1000, 0, 0x2000, 0, 0x3000, 0 },
	  "REM_MEM_REG region={gpa=0x100000000 size=0x1000 uva=0x2000 offset=0x3000}" },
	{ 39, 8, { 0x1f, 0 },
	  "SET_STATUS status=0x1f(ACKNOWLEDGE,DRIVER,DRIVER_OK,FEATURES_OK,4)" },
	{ 40, 0, { 0 }, "GET_STATUS" },
	{ 41, 16, { 1, 2, 3, 4 },
	  "GET_SHARED_OBJECT uuid=01000000020000000300000004000000" },
	{ 42, 8, { 1, 0 }, "SET_DEVICE_STATE_FD direction=load phase=0" },
	{ 43, 0, { 0 }, "CHECK_DEVICE_STATE" },
	{ 44, 0, { 0 }, "GET_SHMEM_CONFIG" },
	/* What is none */
	{ 0, 0, { 0 }, "REQUEST_0" },
	{ 45, 4, { 0x41 }, "REQUEST_45 data=41000000" },
	{ UINT32_MAX, 0, { 0 }, "REQUEST_4294967295" },
	{ 3, 4, { 0 }, "SET_OWNER +4 bytes" },
	{ 2, 7, { 0x40008001, 0x1 }, "SET_FEATURES truncated=7" },
	{ 8, 6, { 1, 256 }, "SET_VRING_NUM vring=1 truncated=6" },
	{ 12, 0, { 0 }, "SET_VRING_KICK truncated=0" },
	{ 24, 8, { 8, 8 }, "GET_CONFIG offset=8 size=8 truncated=8" },
	{ 37, 39, { 0 }, "ADD_MEM_REG truncated=39" },
	{ 5, 4, { 1 }, "SET_MEM_TABLE regions=1 truncated=4" },
	{ 5, 71, { 2, 0, 0, 0, 0x1000, 0, 0x7000, 1, 0, 0 },
	  "SET_MEM_TABLE regions=2 "
	  "{gpa=0x0 size=0x1000 uva=0x100007000 offset=0x0} "
	  "missing=1 +31 bytes" },
	{ 5, 8, { UINT32_MAX, 0 },
	  "SET_MEM_TABLE regions=4294967295 missing=4294967295" },
};

static void fill(struct vhb_message *message, const struct example *example)
{
	memset(message, 0, sizeof(*message));
	message->header.request = example->request;
	message->header.flags = VHB_FLAG_VERSION;
	message->header.size_bytes = example->size_bytes;
	memcpy(&message->payload, example->payload, sizeof(example->payload));
}

static void test_every_message_has_its_words(void **state)
{
	struct vhb_message message;
	unsigned int i;

	(void)state;
	for (i = 0; i < VHB_ARRAY_COUNT(examples); i++) {
		fill(&message, &examples[i]);
		assert_string_equal(describe(&message), examples[i].words);
	}
}

/* So that a message that comes to the table comes here as well. */
static void test_no_message_is_left_out(void **state)
{
	unsigned int request, i;

	(void)state;
	for (request = 1; request < VHB_REQUEST_COUNT; request++) {
		for (i = 0; i < VHB_ARRAY_COUNT(examples); i++)
			if (examples[i].request == request)
				break;
		if (i == VHB_ARRAY_COUNT(examples))
			fail_msg("%s has no example",
				 vhb_message_name(request));
	}
}

static void test_shows_that_a_reply_is_needed(void **state)
{
	struct vhb_message message = { 0 };

	(void)state;
	message.header.request = VHB_SET_OWNER;
	message.header.flags = VHB_FLAG_VERSION | 0x8;
	assert_string_equal(describe(&message), "SET_OWNER need_reply");
}

static void test_shows_kinds_of_descriptors(void **state)
{
	struct vhb_message message = { 0 };
	int pair[2], pipes[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(pipes), 0);
	message.header.request = VHB_SET_OWNER;
	message.fds[0] = eventfd(0, 0);
	message.fds[1] = pair[0];
	message.fds[2] = memfd_create("evil\n\033[31mname", MFD_CLOEXEC);
	assert_int_equal(ftruncate(message.fds[2], 0x200000), 0);
	message.fds[3] = pipes[0];
	message.fds[4] = -1;
	message.fd_count = 5;
	assert_string_equal(describe(&message),
			    "SET_OWNER fds=5[eventfd unix-socket memfd:0x200000 pipe none]");
	close(message.fds[0]);
	close(message.fds[2]);
	close(pair[0]);
	close(pair[1]);
	close(pipes[0]);
	close(pipes[1]);
}

/* Any request, any size: the same words whatever lies behind the payload. */
static void test_reads_no_byte_beyond_the_payload(void **state)
{
	static const uint32_t sizes[] = {
		0, 1, 2, 3, 4, 7, 8, 9, 12, 16, 20, 24, 31, 32, 39, 40, 71, 72,
		268, 1032, 4095, 4096,
	};
	struct vhb_message message;
	char first[TEXT_BYTES];
	uint32_t request, i;

	(void)state;
	for (request = 0; request < VHB_REQUEST_COUNT + 2; request++) {
		for (i = 0; i < VHB_ARRAY_COUNT(sizes); i++) {
			memset(&message, 0, sizeof(message));
			message.header.request = request;
			message.header.size_bytes = sizes[i];
			memset(&message.payload, 0xff, sizeof(message.payload));
			memset(&message.payload, 0x11, sizes[i]);
			strcpy(first, describe(&message));
			memset(&message.payload, 0, sizeof(message.payload));
			memset(&message.payload, 0x11, sizes[i]);
			assert_string_equal(describe(&message), first);
		}
	}
	/* A header that was never judged */
	message.header.size_bytes = UINT32_MAX;
	describe(&message);
}

/* The heap's, so that a sanitizer sees one byte too many. */
static void test_replies_end_where_they_end(void **state)
{
	uint32_t request, size_bytes;
	uint8_t *payload;

	(void)state;
	for (request = 0; request < VHB_REQUEST_COUNT + 2; request++) {
		for (size_bytes = 0; size_bytes < 300; size_bytes++) {
			payload = malloc(size_bytes + !size_bytes);
			assert_non_null(payload);
			memset(payload, 0xee, size_bytes + !size_bytes);
			describe_reply(request, payload, size_bytes);
			assert_int_equal(strncmp(words, "reply", 5), 0);
			free(payload);
		}
	}
}

static void test_replies_are_decoded(void **state)
{
	static const uint32_t features[] = { 0x40000240, 1 };
	static const uint32_t base[] = { 1, 7 };
	static const uint32_t number[] = { 509, 0 };
	static const uint32_t config[] = { 0, 4, 0, 0x04030201 };

	(void)state;
	assert_string_equal(describe_reply(VHB_GET_FEATURES, features, 8),
			    "reply features=0x140000240(BLK_SIZE,FLUSH,PROTOCOL_FEATURES,VERSION_1)");
	assert_string_equal(describe_reply(VHB_GET_PROTOCOL_FEATURES, base, 8),
			    "reply features=0x700000001(MQ,32,33,34)");
	assert_string_equal(describe_reply(VHB_GET_VRING_BASE, base, 8),
			    "reply vring=1 base=0x7");
	assert_string_equal(describe_reply(VHB_GET_QUEUE_NUM, number, 8),
			    "reply queues=509");
	assert_string_equal(describe_reply(VHB_GET_MAX_MEM_SLOTS, number, 8),
			    "reply slots=509");
	assert_string_equal(describe_reply(VHB_GET_CONFIG, config, 16),
			    "reply offset=0 size=4 flags=0x0 data=01020304");
	assert_string_equal(describe_reply(VHB_GET_CONFIG, config, 0),
			    "reply empty");
	assert_string_equal(describe_reply(VHB_POSTCOPY_END, number, 8),
			    "reply value=0x1fd");
}

static void test_messages_of_the_back_end(void **state)
{
	static const uint32_t iotlb[] = { 0x1000, 0, 0x2000, 0, 0, 0, 0x101, 0 };
	static const uint32_t vring[] = { 3, 0 };
	struct vhb_text text;

	(void)state;
	vhb_text_begin(&text, words, sizeof(words));
	vhb_describe_backend(VHB_BACKEND_CONFIG_CHANGE_MSG, NULL, 0, &text);
	assert_string_equal(words, "backend CONFIG_CHANGE_MSG");
	vhb_text_begin(&text, words, sizeof(words));
	vhb_describe_backend(VHB_BACKEND_IOTLB_MSG, iotlb, 32, &text);
	assert_string_equal(words,
			    "backend IOTLB_MSG iova=0x1000 size=0x2000 uva=0x0 perm=ro type=MISS");
	vhb_text_begin(&text, words, sizeof(words));
	vhb_describe_backend(VHB_BACKEND_VRING_CALL, vring, 8, &text);
	assert_string_equal(words, "backend VRING_CALL vring=3 num=0");
	vhb_text_begin(&text, words, sizeof(words));
	vhb_describe_backend(77, vring, 4, &text);
	assert_string_equal(words, "backend REQUEST_77 data=03000000");
}

/* The most there can be is still told whole. */
static void test_the_largest_table_fits(void **state)
{
	struct vhb_message message = { 0 };

	(void)state;
	message.header.request = VHB_SET_MEM_TABLE;
	message.header.size_bytes = sizeof(struct vhb_wire_memory);
	memset(&message.payload, 0xff, sizeof(message.payload));
	message.payload.memory.region_count = VHB_FDS_MAX;
	describe(&message);
	assert_null(strstr(words, "..."));
	assert_non_null(strstr(words, "offset=0xffffffffffffffff}"));
}

static void test_names_of_protocol_features(void **state)
{
	(void)state;
#define CHECK(name) assert_string_equal( \
		vhb_protocol_feature_name(VHB_PROTOCOL_F_##name), #name)
	CHECK(MQ);
	CHECK(LOG_SHMFD);
	CHECK(RARP);
	CHECK(REPLY_ACK);
	CHECK(MTU);
	CHECK(BACKEND_REQ);
	CHECK(CROSS_ENDIAN);
	CHECK(CRYPTO_SESSION);
	CHECK(PAGEFAULT);
	CHECK(CONFIG);
	CHECK(BACKEND_SEND_FD);
	CHECK(HOST_NOTIFIER);
	CHECK(INFLIGHT_SHMFD);
	CHECK(RESET_DEVICE);
	CHECK(INBAND_NOTIFICATIONS);
	CHECK(CONFIGURE_MEM_SLOTS);
	CHECK(STATUS);
	CHECK(XEN_MMAP);
	CHECK(SHARED_OBJECT);
	CHECK(DEVICE_STATE);
	CHECK(GET_VRING_BASE_INFLIGHT);
	CHECK(GPA_ADDRESSES);
	CHECK(SHMEM);
#undef CHECK
	assert_null(vhb_protocol_feature_name(23));
	assert_null(vhb_protocol_feature_name(64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_message_has_its_words),
		cmocka_unit_test(test_no_message_is_left_out),
		cmocka_unit_test(test_shows_that_a_reply_is_needed),
		cmocka_unit_test(test_shows_kinds_of_descriptors),
		cmocka_unit_test(test_reads_no_byte_beyond_the_payload),
		cmocka_unit_test(test_replies_end_where_they_end),
		cmocka_unit_test(test_replies_are_decoded),
		cmocka_unit_test(test_messages_of_the_back_end),
		cmocka_unit_test(test_the_largest_table_fits),
		cmocka_unit_test(test_names_of_protocol_features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
