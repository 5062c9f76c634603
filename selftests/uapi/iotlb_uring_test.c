// SPDX-License-Identifier: GPL-2.0-or-later
/* What io_uring hears of an IOTLB. */
#include "lib/bridge_device.h"
#include "lib/bridge_uring.h"
#include "uapi/iotlb_fixture.h"

#include <fcntl.h>

#include <linux/vhost_types.h>

/* Enough of both that the drain comes in the midst of the batch */
#define BATCHES 50
#define NOPS 32

static struct bridge_uring uring;

static void send_to(uint32_t request, uint64_t tag)
{
	const struct vhost_bridge_uring area = { .index = 0 };

	bridge_uring_send(&uring, &bridge, request, area, tag);
}

static void test_event_tells_of_a_miss(void **state)
{
	int result;

	(void)state;
	bridge_uring_open(&uring);
	run_mapped();
	send_to(VHOST_BRIDGE_URING_EVENT, 1);
	bridge_uring_assert_silence(&uring);
	send_copy(SOURCE_GPA, TARGET_GPA, 8);
	result = bridge_uring_answer(&uring, 1);
	assert_int_equal(VHOST_BRIDGE_EVENT_KIND(result),
			 VHOST_BRIDGE_EVENT_MISS);
	assert_int_equal(VHOST_BRIDGE_EVENT_INDEX(result), 0);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	/* What nobody has waited for is kept. */
	send_copy(SOURCE_GPA, TARGET_GPA + PAGE, 8);
	assert_miss(TARGET_GPA + PAGE, VHOST_ACCESS_WO);
	send_to(VHOST_BRIDGE_URING_EVENT, 2);
	assert_int_equal(VHOST_BRIDGE_EVENT_KIND(bridge_uring_answer(&uring, 2)),
			 VHOST_BRIDGE_EVENT_MISS);
	bridge_uring_close(&uring);
}

/* A request is done, but where its used entry goes is not known. */
static void finish_one_too_many(const struct vq_driver *driver)
{
	bridge_uring_open(&uring);
	run_mapped();
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	send_copy(SOURCE_GPA, TARGET_GPA, 8);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	usleep(BRIDGE_URING_SILENCE_MS * 100);
	bridge_iotlb_unmap(&bridge, bridge_gpa(&bridge, driver->used),
			   vq_used_bytes(driver));
	fill(SOURCE_GPA, 0x99, 8);
	send_copy(SOURCE_GPA, TARGET_GPA, 8);
	usleep(BRIDGE_URING_SILENCE_MS * 100);
	assert_filled(TARGET_GPA, 0x99, 8);
}

static void test_drain_waits_for_an_answer(void **state)
{
	const struct vq_driver *driver = &bridge.queues[0].driver;

	(void)state;
	finish_one_too_many(driver);
	send_to(VHOST_BRIDGE_URING_DRAIN, 1);
	if (!is_packed()) {
		bridge_uring_assert_silence(&uring);
		bridge_iotlb_map_ring(&bridge, 0);
	}
	assert_int_equal(bridge_uring_answer(&uring, 1), 0);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	assert_int_equal(bridge_get_base(&bridge, 0), vq_driver_base(driver));
	bridge_uring_close(&uring);
}

/* No answer will come before it has drained. */
static void test_drain_gives_up_when_told_to(void **state)
{
	const struct vhost_bridge_uring area = {
		.flags = VHOST_BRIDGE_VRING_GIVE_UP,
	};

	(void)state;
	finish_one_too_many(&bridge.queues[0].driver);
	bridge_uring_send(&uring, &bridge, VHOST_BRIDGE_URING_DRAIN, area, 1);
	assert_int_equal(bridge_uring_answer(&uring, 1), 0);
	assert_int_equal(bridge_stop(&bridge, 0), -ESRCH);
	assert_int_equal(bridge.queues[0].saved->is_saved, is_packed());
	bridge_uring_close(&uring);
}

static void test_stop_gives_up_when_told_to(void **state)
{
	(void)state;
	finish_one_too_many(&bridge.queues[0].driver);
	if (!is_packed())
		assert_int_equal(bridge_stop(&bridge, 0), -EAGAIN);
	assert_int_equal(bridge_give_up(&bridge, 0), 0);
	assert_int_equal(bridge_give_up(&bridge, 0), -ESRCH);
	/* Without a base: none says what became of the request. */
	assert_int_equal(bridge.queues[0].saved->is_saved, is_packed());
	bridge_uring_close(&uring);
}

/*
 * io_uring has a lock of its own, under which a batch is submitted and a command is
 * marked as waiting.
 */
static void test_drain_and_invalidate_in_one_batch(void **state)
{
	const struct vhost_bridge_uring area = { .index = 0 };
	struct vhost_msg_v2 message = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = TARGET_GPA,
			.size = PAGE,
			.type = VHOST_IOTLB_INVALIDATE,
		},
	};
	unsigned int round, i;

	(void)state;
	bridge_uring_open(&uring);
	run_mapped();
	/* Then messages are written at once, by who submits them. */
	assert_int_equal(fcntl(bridge.fd, F_SETFL, O_NONBLOCK), 0);
	for (round = 0; round < BATCHES; round++) {
		bridge_uring_add(&uring, &bridge, VHOST_BRIDGE_URING_DRAIN,
				 area, 1)->flags |= IOSQE_ASYNC;
		for (i = 0; i < NOPS; i++)
			bridge_uring_add_nop(&uring);
		bridge_uring_add_write(&uring, &bridge, &message,
				       sizeof(message), 2);
		bridge_uring_submit(&uring, NOPS + 2);
		for (i = 0; i < 2; i++) {
			int result = 0;
			uint64_t tag = bridge_uring_wait(&uring, BRIDGE_WAIT_MS,
							 &result);

			assert_int_equal(result, tag == 1 ? 0 :
						 (int)sizeof(message));
		}
		assert_int_equal(bridge_start(&bridge, 0), 0);
	}
	bridge_uring_close(&uring);
}

/* io_uring waits until it can write, as it does not know that it always can. */
static void test_a_message_is_written_without_o_nonblock(void **state)
{
	const struct vhost_msg_v2 message = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = TARGET_GPA,
			.size = PAGE,
			.type = VHOST_IOTLB_INVALIDATE,
		},
	};

	(void)state;
	bridge_uring_open(&uring);
	run_mapped();
	bridge_uring_add_write(&uring, &bridge, &message, sizeof(message), 1);
	bridge_uring_submit(&uring, 1);
	assert_int_equal(bridge_uring_answer(&uring, 1), sizeof(message));
	bridge_uring_close(&uring);
}

/* The next owner must not be told what concerned this one. */
static void test_reset_owner_ends_what_waits(void **state)
{
	(void)state;
	bridge_uring_open(&uring);
	run_mapped();
	send_copy(SOURCE_GPA, TARGET_GPA, 8);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
	send_to(VHOST_BRIDGE_URING_EVENT, 1);
	assert_int_equal(VHOST_BRIDGE_EVENT_KIND(bridge_uring_answer(&uring, 1)),
			 VHOST_BRIDGE_EVENT_MISS);
	send_to(VHOST_BRIDGE_URING_EVENT, 2);
	bridge_uring_assert_silence(&uring);
	assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL), 0);
	assert_int_equal(bridge_uring_answer(&uring, 2), -ECANCELED);
	bridge_uring_close(&uring);
}

static void test_reset_owner_forgets_news(void **state)
{
	(void)state;
	bridge_uring_open(&uring);
	run_mapped();
	send_copy(SOURCE_GPA, TARGET_GPA, 8);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
	assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL), 0);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_OWNER, NULL), 0);
	send_to(VHOST_BRIDGE_URING_EVENT, 1);
	bridge_uring_assert_silence(&uring);
	bridge_uring_close(&uring);
}

static const struct fixture_case cases[] = {
	CASE(test_drain_and_invalidate_in_one_batch),
	CASE(test_a_message_is_written_without_o_nonblock),
	CASE(test_reset_owner_ends_what_waits),
	CASE(test_reset_owner_forgets_news),
	CASE(test_event_tells_of_a_miss),
	CASE(test_drain_waits_for_an_answer),
	CASE(test_drain_gives_up_when_told_to),
	CASE(test_stop_gives_up_when_told_to),
};

static const struct variant variants[] = {
	{ "split", BASIC_FEATURES },
	{ "packed", BASIC_FEATURES | UINT64_C(1) << VIRTIO_F_RING_PACKED },
};

int main(void)
{
	return run_cases("iotlb_uring", cases, VHB_ARRAY_COUNT(cases), variants,
			 VHB_ARRAY_COUNT(variants));
}
