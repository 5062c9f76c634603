// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands of io_uring that wait for something. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/prctl.h>
#include <sys/wait.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/bridge_uring.h"
#include "lib/module.h"
#include "lib/resources.h"

#define RING_ENTRIES 64
#define TABLE_DESCS 8
#define QUEUES_MAX 8

/* Long enough to submit that threads do something meanwhile */
#define BATCH_ENTRIES 4096
#define BATCHES 20

static struct bridge bridge;
static struct bridge_uring uring;
static struct resources resources_before;
static unsigned int threads_before;

static int set_up(void **state)
{
	(void)state;
	resources_count(&resources_before);
	threads_before = module_thread_count();
	bridge_uring_open(&uring);
	bridge_open(&bridge, "loop");
	bridge_set_up(&bridge, bridge_bit(VIRTIO_F_VERSION_1));
	bridge_add_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	bridge_add_queue(&bridge, 1, RING_ENTRIES, TABLE_DESCS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bridge_close(&bridge);
	bridge_uring_close(&uring);
	assert_int_equal(module_wait_threads(threads_before), 0);
	resources_assert_same(&resources_before);
	return 0;
}

static void send_area(uint32_t request, struct vhost_bridge_uring area,
		      uint64_t tag)
{
	bridge_uring_send(&uring, &bridge, request, area, tag);
}

static void send_to(uint32_t request, unsigned int index, uint64_t tag)
{
	const struct vhost_bridge_uring area = { .index = index };

	send_area(request, area, tag);
}

static void assert_event(uint64_t tag, enum vhost_bridge_event_kind kind,
			 unsigned int index)
{
	const int result = bridge_uring_answer(&uring, tag);

	assert_int_equal(VHOST_BRIDGE_EVENT_KIND(result), kind);
	assert_int_equal(VHOST_BRIDGE_EVENT_INDEX(result), index);
}

static void break_queue(unsigned int index)
{
	vq_driver_offer_head(&bridge.queues[index].driver, RING_ENTRIES);
	bridge_kick_always(&bridge.queues[index]);
	assert_int_equal(bridge_wait_state(&bridge, index,
					   VHOST_BRIDGE_VRING_BROKEN), 0);
}

static void test_event_tells_of_a_broken_vring(void **state)
{
	(void)state;
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 1);
	bridge_uring_assert_silence(&uring);
	break_queue(1);
	assert_event(1, VHOST_BRIDGE_EVENT_VRING_BROKEN, 1);
}

static void test_news_nobody_waits_for_is_kept(void **state)
{
	(void)state;
	break_queue(1);
	break_queue(0);
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 1);
	assert_event(1, VHOST_BRIDGE_EVENT_VRING_BROKEN, 0);
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 2);
	assert_event(2, VHOST_BRIDGE_EVENT_VRING_BROKEN, 1);
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 3);
	bridge_uring_assert_silence(&uring);
}

/* Who waits for news is not woken by requests. */
static void test_traffic_is_no_news(void **state)
{
	static struct echo echo;

	(void)state;
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 1);
	echo_init(&echo, &bridge, 0, 1);
	for (unsigned int i = 0; i < 50; i++)
		echo_burst(&echo, 1 + i % 8, VQ_DIRECT);
	bridge_uring_assert_silence(&uring);
}

static void test_event_calls_without_an_eventfd(void **state)
{
	const struct vhost_vring_file none = { .index = 1, .fd = -1 };
	static struct echo echo;

	(void)state;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_VRING_CALL, &none), 0);
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 1);
	echo_init(&echo, &bridge, 1, 1);
	echo_burst(&echo, 1, VQ_DIRECT);
	assert_event(1, VHOST_BRIDGE_EVENT_CALL, 1);
	/* Many calls are one news. */
	for (unsigned int i = 0; i < 10; i++)
		echo_burst(&echo, 1, VQ_DIRECT);
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 2);
	assert_event(2, VHOST_BRIDGE_EVENT_CALL, 1);
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 3);
	bridge_uring_assert_silence(&uring);
}

static void test_drain_stops(void **state)
{
	struct bridge_queue *queue = &bridge.queues[0];
	struct vhost_bridge_vring_status status;

	(void)state;
	echo_works(&bridge, 0);
	send_to(VHOST_BRIDGE_URING_DRAIN, 0, 1);
	assert_int_equal(bridge_uring_answer(&uring, 1), 0);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_STOPPED);
	assert_int_equal(bridge_get_base(&bridge, 0),
			 vq_driver_base(&queue->driver));
	assert_int_equal(queue->saved->is_saved, 1);
	send_to(VHOST_BRIDGE_URING_DRAIN, 0, 2);
	assert_int_equal(bridge_uring_answer(&uring, 2), -ESRCH);
	assert_int_equal(bridge_stop(&bridge, 0), -ESRCH);

	assert_int_equal(bridge_start(&bridge, 0), 0);
	echo_works(&bridge, 0);
	echo_works(&bridge, 1);
}

static void test_drain_of_a_broken_vring(void **state)
{
	(void)state;
	break_queue(0);
	send_to(VHOST_BRIDGE_URING_DRAIN, 0, 1);
	assert_int_equal(bridge_uring_answer(&uring, 1), 0);
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 2);
	assert_event(2, VHOST_BRIDGE_EVENT_VRING_BROKEN, 0);
}

static void test_kick(void **state)
{
	static struct echo echo;

	(void)state;
	echo_init(&echo, &bridge, 0, 1);
	for (uint64_t tag = 1; tag < 10; tag++) {
		assert_true(echo_send(&echo, VQ_DIRECT));
		send_to(VHOST_BRIDGE_URING_KICK, 0, tag);
		assert_int_equal(bridge_uring_answer(&uring, tag), 0);
		echo_receive(&echo);
	}
	send_to(VHOST_BRIDGE_URING_KICK, 2, 10);
	assert_int_equal(bridge_uring_answer(&uring, 10), -ESRCH);
}

static void test_what_is_wrong_is_refused(void **state)
{
	const struct vhost_bridge_uring flags = { .flags = 1 };
	const struct vhost_bridge_uring reserved = { .reserved = 1 };

	(void)state;
	send_area(VHOST_BRIDGE_URING_EVENT, flags, 1);
	assert_int_equal(bridge_uring_answer(&uring, 1), -EINVAL);
	send_area(VHOST_BRIDGE_URING_DRAIN, reserved, 2);
	assert_int_equal(bridge_uring_answer(&uring, 2), -EINVAL);
	send_to(VHOST_BRIDGE_URING_EVENT, 1, 3);
	assert_int_equal(bridge_uring_answer(&uring, 3), -EINVAL);
	send_to(VHOST_BRIDGE_URING_DRAIN, QUEUES_MAX, 4);
	assert_int_equal(bridge_uring_answer(&uring, 4), -ENOBUFS);
	send_to(VHOST_BRIDGE_URING_KICK, UINT32_MAX, 5);
	assert_int_equal(bridge_uring_answer(&uring, 5), -ENOBUFS);
	send_to(VHOST_BRIDGE_START_VRING, 0, 6);
	assert_int_equal(bridge_uring_answer(&uring, 6), -ENOTTY);
	echo_works(&bridge, 0);
}

/* As many as there are slots, and all end when a descriptor is closed. */
static void test_close_ends_all(void **state)
{
	uint64_t seen_mask = 0, tag;
	int result;

	(void)state;
	for (tag = 1; tag <= VHOST_BRIDGE_URING_SLOTS; tag++)
		send_to(VHOST_BRIDGE_URING_EVENT, 0, tag);
	send_to(VHOST_BRIDGE_URING_EVENT, 0, tag);
	assert_int_equal(bridge_uring_answer(&uring, tag), -EBUSY);
	close(bridge.fd);
	bridge.fd = -1;
	for (unsigned int i = 0; i < VHOST_BRIDGE_URING_SLOTS; i++) {
		tag = bridge_uring_wait(&uring, BRIDGE_WAIT_MS, &result);
		assert_in_range(tag, 1, VHOST_BRIDGE_URING_SLOTS);
		assert_int_equal(result, -ECANCELED);
		seen_mask |= bridge_bit(tag);
	}
	assert_int_equal(seen_mask,
			 bridge_bit(VHOST_BRIDGE_URING_SLOTS + 1) - 2);
}

/* Before Linux 6.7 it is not heeded, and the close ends it. */
static void test_cancel(void **state)
{
	int result = 0;

	(void)state;
	send_to(VHOST_BRIDGE_URING_EVENT, 0, 1);
	bridge_uring_cancel(&uring, 1);
	if (bridge_uring_wait(&uring, BRIDGE_URING_SILENCE_MS, &result) != 1) {
		close(bridge.fd);
		bridge.fd = -1;
		result = bridge_uring_answer(&uring, 1);
	}
	assert_int_equal(result, -ECANCELED);
}

/* The ring goes first, with all that waits in it. */
static void test_ring_goes_with_commands(void **state)
{
	(void)state;
	for (uint64_t tag = 1; tag < 4; tag++)
		send_to(VHOST_BRIDGE_URING_EVENT, 0, tag);
	bridge_uring_close(&uring);
	echo_works(&bridge, 0);
	break_queue(1);
	bridge_uring_open(&uring);
}

/* Ends when the kernel has let go of the ring, and not before. */
static int tie_to_ring(struct io_uring *ring)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(io_uring_register_files(ring, &ends[1], 1), 0);
	close(ends[1]);
	return ends[0];
}

static void add_nops(struct io_uring *ring)
{
	for (unsigned int i = 0; i < BATCH_ENTRIES / 2 - 2; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		assert_non_null(sqe);
		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, 0);
	}
}

/*
 * While the thread that submits holds the ring, a worker of io_uring's begins to
 * wait for an event, and the event comes.
 */
static void submit_batch(struct io_uring *ring, int kick_fd)
{
	static const uint64_t one = 1;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, bridge.fd, NULL, 0, 0);
	sqe->cmd_op = VHOST_BRIDGE_URING_EVENT;
	memset(sqe->cmd, 0, sizeof(struct vhost_bridge_uring));
	io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
	io_uring_sqe_set_data64(sqe, 1);
	add_nops(ring);
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_write(sqe, kick_fd, &one, sizeof(one), 0);
	io_uring_sqe_set_data64(sqe, 0);
	add_nops(ring);
	assert_true(io_uring_submit(ring) > 0);
}

static void await_event(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	uint64_t tag;

	do {
		assert_int_equal(io_uring_wait_cqe(ring, &cqe), 0);
		tag = io_uring_cqe_get_data64(cqe);
		if (tag)
			assert_int_equal(VHOST_BRIDGE_EVENT_KIND(cqe->res),
					 VHOST_BRIDGE_EVENT_CALL);
		io_uring_cqe_seen(ring, cqe);
	} while (!tag);
}

/* A command that is answered before it waits must not be known as waiting. */
static void test_event_comes_while_its_command_is_submitted(void **state)
{
	const struct vhost_vring_file none = { .index = 0, .fd = -1 };
	static struct echo echo;
	struct pollfd end = { .events = POLLIN };
	struct io_uring ring;

	(void)state;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_VRING_CALL, &none), 0);
	assert_int_equal(io_uring_queue_init(BATCH_ENTRIES, &ring, 0), 0);
	end.fd = tie_to_ring(&ring);
	echo_init(&echo, &bridge, 0, 1);
	for (unsigned int i = 0; i < BATCHES; i++) {
		assert_true(echo_send(&echo, VQ_DIRECT));
		submit_batch(&ring, bridge.queues[0].kick_fd);
		await_event(&ring);
		echo_receive(&echo);
	}
	io_uring_queue_exit(&ring);
	assert_int_equal(poll(&end, 1, BRIDGE_WAIT_MS), 1);
	close(end.fd);
}

/* Owns a device with commands that wait, until it is killed. */
static void own_and_wait(int ready_fd)
{
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bridge_uring_open(&uring);
	bridge_open_device(&bridge, "loop");
	bridge_set_up(&bridge, bridge.features);
	bridge_program_queue(&bridge, 0);
	if (bridge_start(&bridge, 0))
		_exit(1);
	for (uint64_t tag = 1; tag < 4; tag++)
		send_to(VHOST_BRIDGE_URING_EVENT, 0, tag);
	if (write(ready_fd, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* Whoever has waited for its end finds nothing of it. */
static void test_killed_owner_has_drained(void **state)
{
	const uint64_t features = bridge.features;
	static struct echo echo;
	int pipes[2], status;
	char byte;
	pid_t pid;

	(void)state;
	bridge_close(&bridge);
	for (unsigned int round = 0; round < 5; round++) {
		bridge_make_guest(&bridge);
		bridge.features = features;
		bridge_make_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
		assert_int_equal(pipe(pipes), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			own_and_wait(pipes[1]);
		close(pipes[1]);
		assert_int_equal(read(pipes[0], &byte, 1), 1);
		close(pipes[0]);
		echo_init(&echo, &bridge, 0, round);
		echo_burst(&echo, 8, VQ_DIRECT);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(module_wait_threads(threads_before), 0);
		assert_int_equal(bridge.queues[0].saved->is_saved, 1);
		assert_int_equal(bridge.queues[0].saved->base,
				 vq_driver_base(&bridge.queues[0].driver));
		bridge_close(&bridge);
	}
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_event_tells_of_a_broken_vring),
		TEST(test_news_nobody_waits_for_is_kept),
		TEST(test_traffic_is_no_news),
		TEST(test_event_calls_without_an_eventfd),
		TEST(test_drain_stops),
		TEST(test_drain_of_a_broken_vring),
		TEST(test_kick),
		TEST(test_what_is_wrong_is_refused),
		TEST(test_close_ends_all),
		TEST(test_cancel),
		TEST(test_ring_goes_with_commands),
		TEST(test_event_comes_while_its_command_is_submitted),
		TEST(test_killed_owner_has_drained),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests_name("uring", tests, NULL, NULL);
	module_restore();
	return ret;
}
