// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bits.h"
#include "lib/random.h"
#include "ring/ring_fixture.h"

/* Makes chains available and takes them. */
static void pop_some(struct ring_fixture *f, struct vhb_used *used, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		assert_true(ring_fixture_add(f, 1, 0, DRIVER_DIRECT) >= 0);
		used[i] = ring_fixture_pop(f);
		used[i].written_bytes = 10 + i;
	}
}

static void push(struct ring_fixture *f, const struct vhb_used *used)
{
	assert_int_equal(vhb_ring_push(&f->ring, used), 0);
}

static void expect(struct ring_fixture *f, const struct vhb_used *used)
{
	ring_fixture_expect_used(f, used->id, used->written_bytes);
}

static void without_in_order_chains_are_used_as_they_are_pushed(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used[3];

	pop_some(f, used, 3);
	push(f, &used[2]);
	push(f, &used[0]);
	push(f, &used[1]);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	expect(f, &used[2]);
	expect(f, &used[0]);
	expect(f, &used[1]);
	ring_fixture_expect_no_used(f);
}

static void early_chains_wait_for_those_before_them(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used[4];

	pop_some(f, used, 4);
	push(f, &used[3]);
	push(f, &used[1]);
	assert_int_equal(f->ring.in_flight_count, 2);
	assert_int_equal(vhb_ring_publish(&f->ring), 0);
	ring_fixture_expect_no_used(f);
	push(f, &used[0]);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	expect(f, &used[0]);
	expect(f, &used[1]);
	ring_fixture_expect_no_used(f);
	push(f, &used[2]);
	assert_int_equal(f->ring.in_flight_count, 0);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	expect(f, &used[2]);
	expect(f, &used[3]);
	ring_fixture_expect_no_used(f);
	assert_int_equal(vhb_ring_publish(&f->ring), 0);
}

static void whole_ring_comes_back_in_order(void **state)
{
	struct ring_fixture *f = *state;
	const u32 num = f->config.num;
	struct vhb_used used[16];
	u32 lap, i;

	for (lap = 0; lap < 4; lap++) {
		pop_some(f, used, num);
		for (i = num; i-- > 0;) {
			assert_int_equal(vhb_ring_publish(&f->ring), 0);
			push(f, &used[i]);
		}
		assert_int_equal(vhb_ring_publish(&f->ring), 1);
		for (i = 0; i < num; i++)
			expect(f, &used[i]);
		ring_fixture_expect_no_used(f);
	}
}

static void chains_are_pushed_once(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used[2];
	struct vhb_used wrong;

	pop_some(f, used, 2);
	push(f, &used[1]);
	assert_int_equal(vhb_ring_push(&f->ring, &used[1]), -EINVAL);
	push(f, &used[0]);
	assert_int_equal(vhb_ring_push(&f->ring, &used[0]), -EINVAL);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	expect(f, &used[0]);
	expect(f, &used[1]);

	/* Neither those of before nor those to come */
	pop_some(f, used, 1);
	wrong = used[0];
	wrong.sequence++;
	assert_int_equal(vhb_ring_push(&f->ring, &wrong), -EINVAL);
	wrong.sequence -= 2;
	assert_int_equal(vhb_ring_push(&f->ring, &wrong), -EINVAL);
	push(f, &used[0]);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	expect(f, &used[0]);
}

/* Random numbers in flight, pushed in random order, as many laps as you like */
static void go_on_in_order(struct ring_fixture *f, u32 chain_count)
{
	struct test_random random = test_random_of(7);
	struct vhb_used in_flight[16];
	u32 first = f->ring.sequence, expected = first;
	u32 ids[16];
	u32 count = 0;
	u32 i;

	while (expected - first < chain_count) {
		u32 victim;
		u16 id;
		u32 length;

		if (test_random_one_in(&random, 2) &&
		    ring_fixture_add(f, 1 + test_random_below(&random, 3), 0,
				     test_random_below(&random, 3)) >= 0) {
			in_flight[count] = ring_fixture_pop(f);
			in_flight[count].written_bytes =
				in_flight[count].sequence;
			ids[in_flight[count].sequence % 16] =
				in_flight[count].id;
			count++;
		} else if (count) {
			victim = test_random_below(&random, count);
			push(f, &in_flight[victim]);
			in_flight[victim] = in_flight[--count];
		}
		if (!test_random_one_in(&random, 3))
			continue;
		assert_true(vhb_ring_publish(&f->ring) >= 0);
		while (ring_driver_take(&f->driver, &id, &length) == 1) {
			assert_int_equal(id, ids[expected % 16]);
			assert_int_equal(length, expected);
			expected++;
		}
	}
	for (i = 0; i < count; i++)
		push(f, &in_flight[i]);
}

static void order_is_kept_for_long(void **state)
{
	go_on_in_order(*state, 100000);
}

static void order_is_kept_when_the_sequence_wraps(void **state)
{
	struct ring_fixture *f = *state;

	f->ring.sequence = UINT32_MAX - 20;
	f->ring.next_push = UINT32_MAX - 20;
	go_on_in_order(f, 50);
}

/* Chains that wait take entries of the ring as those in flight do. */
static void waiting_chains_leave_no_room_for_more(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used[16];
	u32 i;

	pop_some(f, used, f->config.num);
	for (i = 1; i < f->config.num; i++)
		push(f, &used[i]);
	assert_int_equal(f->ring.in_flight_count, 1);
	assert_int_equal(f->ring.held_slots, f->config.num);
	/* One more than fits; a good driver would know. */
	ring_driver_offer(&f->driver,
			  &(struct driver_desc){ 0x1000, 1, 0, 0 }, 1);
	assert_true(vhb_ring_pop(&f->ring, &f->chain) < 0);
	ring_fixture_expect_broken(f, VHB_RING_FAULT_AVAIL);
}

static void publish_goes_on_where_memory_stopped_it(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used[5];
	u32 stop, i;

	for (stop = 0; stop <= 5; stop++) {
		pop_some(f, used, 5);
		for (i = 5; i-- > 0;)
			push(f, &used[i]);
		/* At each access again, until it gets there */
		for (i = 0; i <= stop; i++) {
			test_memory_fail_in(&f->driver.memory, stop - i,
					    -EAGAIN);
			if (vhb_ring_publish(&f->ring) != -EAGAIN)
				break;
			assert_int_equal(f->ring.error, 0);
			ring_fixture_expect_no_used(f);
		}
		f->driver.memory.fail_error = 0;
		if (i > stop)
			assert_int_equal(vhb_ring_publish(&f->ring), 1);
		for (i = 0; i < 5; i++)
			expect(f, &used[i]);
		ring_fixture_expect_no_used(f);
	}
}

static void start_forgets_what_waited(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used[3];

	pop_some(f, used, 3);
	push(f, &used[1]);
	push(f, &used[2]);
	assert_int_equal(vhb_ring_start(&f->ring, &f->driver.memory.handle,
					vhb_ring_base(&f->ring)),
			 0);
	assert_int_equal(f->ring.in_flight_count, 0);
	assert_int_equal(vhb_ring_publish(&f->ring), 0);
	ring_fixture_expect_no_used(f);
	/* Three chains are lost; a new one does not meet those that waited. */
	pop_some(f, used, 1);
	assert_int_equal(used[0].sequence, 0);
	push(f, &used[0]);
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
	expect(f, &used[0]);
}

static const struct ring_case cases[] = {
	RING_CASE(without_in_order_chains_are_used_as_they_are_pushed, ON_BOTH),
	RING_CASE(early_chains_wait_for_those_before_them, ON_IN_ORDER),
	RING_CASE(whole_ring_comes_back_in_order, ON_IN_ORDER),
	RING_CASE(chains_are_pushed_once, ON_IN_ORDER),
	RING_CASE(order_is_kept_for_long, ON_IN_ORDER),
	RING_CASE(order_is_kept_when_the_sequence_wraps, ON_IN_ORDER),
	RING_CASE(waiting_chains_leave_no_room_for_more, ON_IN_ORDER),
	RING_CASE(publish_goes_on_where_memory_stopped_it, ON_IN_ORDER),
	RING_CASE(start_forgets_what_waited, ON_IN_ORDER),
};

int main(void)
{
	return ring_fixture_run("ring/order", cases, VHB_ARRAY_COUNT(cases));
}
