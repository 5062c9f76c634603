// SPDX-License-Identifier: GPL-2.0-or-later
/* Drivers and front-ends that mean harm, by way of the control queue. */
#include "net/control_fixture.h"

#define TURN_MS 50

static void begin_control(void)
{
	begin_guest(2, 0);
	assert_int_equal(start_control(0), 0);
	turn_until(-1, 1);
}

static struct vring_desc *desc_of(unsigned int index)
{
	return &guest.driver.ring.desc[index];
}

/* Makes a chain available that the driver has built by hand, and kicks. */
static void offer(uint16_t head)
{
	struct guest_ring *ring = &guest.driver.ring;

	ring->avail->ring[ring->avail_idx % ring->num] = head;
	ring->avail_idx++;
	__atomic_store_n(&ring->avail->idx, ring->avail_idx, __ATOMIC_RELEASE);
	guest_ring_kick_always(ring);
}

/* It rests, its err eventfd was signalled, and it can be set up anew. */
static void expect_broken(const char *fault)
{
	const uint8_t on = 1;
	uint32_t base;

	assert_true(turn_until(guest.err_fd, CONTROL_WAIT_MS));
	assert_int_equal(guest.broken_count, 1);
	assert_int_equal(guest.broken_index, guest.index);
	assert_string_equal(guest.fault, fault);
	guest_ring_kick_always(&guest.driver.ring);
	turn_until(-1, TURN_MS);
	assert_int_equal(guest.broken_count, 1);

	assert_int_equal(guest.kdev->ops->stop_vring(guest.kdev, guest.index,
						     &base), 0);
	net_driver_destroy(&guest.driver);
	assert_int_equal(net_driver_init(&guest.driver, &guest.memory, 0x7000,
					 CONTROL_NUM), 0);
	guest.driver.ring.has_event_idx = true;
	assert_int_equal(start_control(0), 0);
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC,
				 &on, 1), VIRTIO_NET_OK);
	end_guest();
}

static void test_chain_without_room_for_an_answer(void **state)
{
	(void)state;
	begin_control();
	*desc_of(0) = (struct vring_desc){ CONTROL_GPA, 2, 0, 0 };
	offer(0);
	expect_broken("request");
}

static void test_answer_outside_memory(void **state)
{
	(void)state;
	begin_control();
	*desc_of(0) = (struct vring_desc){ CONTROL_GPA, 2, VRING_DESC_F_NEXT, 1 };
	*desc_of(1) = (struct vring_desc){ 0x1000, 1, VRING_DESC_F_WRITE, 0 };
	offer(0);
	expect_broken("memory");
}

static void test_head_outside_the_table(void **state)
{
	(void)state;
	begin_control();
	offer(CONTROL_NUM);
	expect_broken("head");
}

static void test_chain_that_bites_its_tail(void **state)
{
	(void)state;
	begin_control();
	*desc_of(0) = (struct vring_desc){ CONTROL_GPA, 2, VRING_DESC_F_NEXT, 1 };
	*desc_of(1) = (struct vring_desc){ CONTROL_GPA, 2, VRING_DESC_F_NEXT, 0 };
	offer(0);
	expect_broken("loop");
}

static void test_available_index_that_jumps(void **state)
{
	(void)state;
	begin_control();
	guest.driver.ring.avail_idx += CONTROL_NUM;
	offer(0);
	expect_broken("avail");
}

/* What cannot be read is a command that failed, no more. */
static void test_command_outside_memory(void **state)
{
	const uint64_t answer_gpa = CONTROL_GPA + 0x100;
	uint8_t *answer = guest.memory.base;

	(void)state;
	begin_control();
	answer = guest_memory_at(&guest.memory, answer_gpa, 1);
	*answer = 0x5a;
	*desc_of(0) = (struct vring_desc){ UINT64_MAX - 1, 2, VRING_DESC_F_NEXT,
					   1 };
	*desc_of(1) = (struct vring_desc){ answer_gpa, 1, VRING_DESC_F_WRITE,
					   0 };
	offer(0);
	assert_true(turn_until(guest.driver.ring.call_fd, CONTROL_WAIT_MS));
	assert_int_equal(*answer, VIRTIO_NET_ERR);
	assert_int_equal(guest.broken_count, 0);
	end_guest();
}

static void test_command_shorter_than_its_header(void **state)
{
	const uint64_t answer_gpa = CONTROL_GPA + 0x100;
	uint8_t *answer;

	(void)state;
	begin_control();
	answer = guest_memory_at(&guest.memory, answer_gpa, 1);
	*answer = 0x5a;
	*desc_of(0) = (struct vring_desc){ answer_gpa, 1, VRING_DESC_F_WRITE,
					   0 };
	offer(0);
	assert_true(turn_until(guest.driver.ring.call_fd, CONTROL_WAIT_MS));
	assert_int_equal(*answer, VIRTIO_NET_ERR);
	end_guest();
}

/* Buffers that go from one region into the next, a byte each descriptor */
static void test_command_in_pieces(void **state)
{
	const uint64_t gpa = CONTROL_GPA + 0x7fff - 1;
	static const uint8_t bytes[] = {
		VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2, 0
	};
	uint8_t *at;
	unsigned int i;

	(void)state;
	begin_guest(2, 0);
	/* The ring lies in front of the boundary; the command goes across it. */
	net_driver_destroy(&guest.driver);
	assert_int_equal(net_driver_init(&guest.driver, &guest.memory, 0x1000,
					 CONTROL_NUM), 0);
	guest.driver.ring.has_event_idx = true;
	assert_int_equal(start_control(0), 0);
	at = guest_memory_at(&guest.memory, gpa, sizeof(bytes) + 1);
	memcpy(at, bytes, sizeof(bytes));
	for (i = 0; i < 4; i++)
		*desc_of(i) = (struct vring_desc){ gpa + i, 1,
						   VRING_DESC_F_NEXT, i + 1 };
	desc_of(2)->len = 2;
	desc_of(2)->next = 4;
	*desc_of(4) = (struct vring_desc){ gpa + 4, 1, VRING_DESC_F_WRITE, 0 };
	at[4] = 0x5a;
	offer(0);
	assert_true(turn_until(guest.driver.ring.call_fd, CONTROL_WAIT_MS));
	assert_int_equal(at[4], VIRTIO_NET_OK);
	assert_true(is_queue_attached(guest.kdev, 1));
	end_guest();
}

/* A file that is truncated must cost an error, not the process. */
static void test_memory_that_is_truncated(void **state)
{
	uint32_t base;

	(void)state;
	begin_control();
	assert_int_equal(ftruncate(guest.memory.fd, 0), 0);
	/* The test must not touch it either from here on. */
	guest_ring_kick_always(&guest.driver.ring);
	assert_true(turn_until(guest.err_fd, CONTROL_WAIT_MS));
	assert_string_equal(guest.fault, "memory");
	assert_int_equal(guest.kdev->ops->stop_vring(guest.kdev, guest.index,
						     &base), 0);
	assert_int_equal(start_control(base), -EFAULT);
	assert_int_equal(ftruncate(guest.memory.fd, CONTROL_MIB << 20), 0);
	end_guest();
}

/* Somebody else in the loop, and how often it had its turn */
static unsigned int other_turns;
static int other_fd;

static void on_other(void *argument, unsigned int events)
{
	struct vhb_watch_ref ref;

	(void)argument;
	(void)events;
	other_turns++;
	assert_int_equal(vhb_loop_watch(guest.loop, other_fd, POLLIN, on_other,
					NULL, &ref), 0);
}

/* As many commands as the ring holds, and a kick that never ends */
static void test_flood_leaves_others_their_turn(void **state)
{
	const struct vring_desc answer = { CONTROL_GPA + 0x100, 1,
					   VRING_DESC_F_WRITE, 0 };
	struct guest_ring *ring = &guest.driver.ring;
	struct vhb_watch_ref ref;
	unsigned int i;

	(void)state;
	begin_control();
	other_turns = 0;
	other_fd = eventfd(1, EFD_CLOEXEC);
	assert_int_equal(vhb_loop_watch(guest.loop, other_fd, POLLIN, on_other,
					NULL, &ref), 0);
	for (i = 0; i < CONTROL_NUM; i++) {
		*desc_of(i) = answer;
		ring->avail->ring[i] = i;
	}
	/* Half the number space at once is more than the ring holds: broken. */
	for (i = 0; i < 1000; i++) {
		ring->avail_idx = ring->used->idx + CONTROL_NUM;
		__atomic_store_n(&ring->avail->idx, ring->avail_idx,
				 __ATOMIC_RELEASE);
		guest_ring_kick_always(ring);
		turn_until(-1, 0);
	}
	assert_int_equal(guest.broken_count, 0);
	assert_true(ring->used->idx > CONTROL_NUM);
	assert_true(other_turns > 100);
	end_guest();
	close(other_fd);
}

/* An eventfd that waits, whose counter somebody else empties */
static void test_kick_that_is_read_by_somebody_else(void **state)
{
	const int kick_fd = eventfd(0, EFD_CLOEXEC);
	const uint8_t on = 1;
	uint64_t count;
	unsigned int i;

	(void)state;
	begin_control();
	assert_int_equal(guest.kdev->ops->set_vring_kick(guest.kdev,
							 guest.index, kick_fd),
			 0);
	close(guest.driver.ring.kick_fd);
	guest.driver.ring.kick_fd = kick_fd;
	for (i = 0; i < 100; i++) {
		assert_int_equal(eventfd_write(kick_fd, 1), 0);
		assert_int_equal(read(kick_fd, &count, sizeof(count)), 8);
		turn_until(-1, 0);
	}
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC,
				 &on, 1), VIRTIO_NET_OK);
	end_guest();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_chain_without_room_for_an_answer),
		FIXTURE_TEST(test_answer_outside_memory),
		FIXTURE_TEST(test_head_outside_the_table),
		FIXTURE_TEST(test_chain_that_bites_its_tail),
		FIXTURE_TEST(test_available_index_that_jumps),
		FIXTURE_TEST(test_command_outside_memory),
		FIXTURE_TEST(test_command_shorter_than_its_header),
		FIXTURE_TEST(test_command_in_pieces),
		FIXTURE_TEST(test_memory_that_is_truncated),
		FIXTURE_TEST(test_flood_leaves_others_their_turn),
		FIXTURE_TEST(test_kick_that_is_read_by_somebody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
