// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bits.h"
#include "ring/ring_fixture.h"

static bool is_packed(const struct ring_fixture *f)
{
	return f->config.layout == VHB_RING_PACKED;
}

/* Uses up so many chains of one descriptor and shows them to the driver. */
static void use(struct ring_fixture *f, u32 count)
{
	struct vhb_used used;
	u32 i;

	for (i = 0; i < count; i++) {
		assert_true(ring_fixture_add(f, 1, 0, DRIVER_DIRECT) >= 0);
		used = ring_fixture_pop(f);
		assert_int_equal(vhb_ring_push(&f->ring, &used), 0);
	}
	assert_int_equal(vhb_ring_publish(&f->ring), 1);
}

static void take(struct ring_fixture *f, u32 count)
{
	u16 id;
	u32 length;

	while (count--)
		assert_int_equal(ring_driver_take(&f->driver, &id, &length), 1);
	ring_fixture_expect_no_used(f);
}

static void driver_is_called_unless_it_says_no(void **state)
{
	struct ring_fixture *f = *state;

	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	ring_driver_want_no_calls(&f->driver);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 0);
	ring_driver_want_calls(&f->driver);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
}

/* From every place in the ring, all numbers of entries, all places to ask for */
static void driver_is_called_at_the_entry_it_names(void **state)
{
	struct ring_fixture *f = *state;
	const u32 num = f->config.num;
	u32 start, count, behind;

	ring_driver_want_call_behind(&f->driver, 0);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	take(f, 1);
	for (start = 0; start < 2 * num; start++) {
		for (count = 1; count <= num; count++) {
			for (behind = 0; behind < num; behind++) {
				ring_driver_want_call_behind(&f->driver,
							     behind);
				use(f, count);
				assert_int_equal(vhb_ring_must_call(&f->ring),
						 behind < count);
				take(f, count);
			}
		}
		/* A place further */
		use(f, 1);
		vhb_ring_must_call(&f->ring);
		take(f, 1);
	}
}

static void what_was_asked_for_in_the_past_is_no_reason_to_call(void **state)
{
	struct ring_fixture *f = *state;
	u32 i;

	ring_driver_want_call_behind(&f->driver, 0);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	take(f, 1);
	/* Not once around, where the entry comes again */
	for (i = 1; i < f->config.num; i++) {
		use(f, 1);
		assert_int_equal(vhb_ring_must_call(&f->ring), 0);
		take(f, 1);
	}
}

static void packed_chain_is_called_for_by_any_of_its_slots(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used;
	u32 lap, behind;

	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	take(f, 1);
	for (lap = 0; lap < 30; lap++) {
		for (behind = 0; behind < 6; behind++) {
			ring_driver_want_call_behind(&f->driver, behind);
			ring_fixture_add(f, 3, 0, DRIVER_DIRECT);
			used = ring_fixture_pop(f);
			ring_fixture_give(f, used);
			assert_int_equal(vhb_ring_must_call(&f->ring),
					 behind < 3);
			take(f, 1);
		}
	}
}

/* Whatever place the driver names: we do not know what was before. */
static void first_answer_is_yes(void **state)
{
	struct ring_fixture *f = *state;
	u32 behind;

	for (behind = 0; behind < f->config.num; behind++) {
		assert_int_equal(vhb_ring_start(&f->ring,
						&f->driver.memory.handle,
						vhb_ring_base(&f->ring)),
				 0);
		ring_driver_want_call_behind(&f->driver, behind);
		use(f, 1);
		assert_int_equal(vhb_ring_must_call(&f->ring), 1);
		use(f, 1);
		assert_int_equal(vhb_ring_must_call(&f->ring), behind == 1);
		take(f, 2);
	}
}

static void a_question_without_an_answer_is_made_up_for(void **state)
{
	struct ring_fixture *f = *state;

	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	take(f, 1);
	ring_driver_want_call_behind(&f->driver, 0);
	use(f, 2);
	test_memory_fail_in(&f->driver.memory, 0, -EAGAIN);
	assert_int_equal(vhb_ring_must_call(&f->ring), -EAGAIN);
	use(f, 2);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	take(f, 4);
}

static void too_many_questions_not_asked_mean_yes(void **state)
{
	struct ring_fixture *f = *state;
	const u32 enough = is_packed(f) ? f->config.num + 1 : 65536;
	u32 i;

	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	take(f, 1);
	for (i = 0; i < enough; i++) {
		ring_driver_want_call_behind(&f->driver, f->config.num - 1);
		use(f, 1);
		take(f, 1);
	}
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
}

static void strange_wishes_of_a_packed_driver_mean_yes(void **state)
{
	struct ring_fixture *f = *state;

	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	/* An entry, but that was not negotiated; and a reserved value */
	ring_driver_want_call_behind(&f->driver, 3);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	test_memory_put16(&f->driver.memory, f->driver.avail + 2, 3);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	/* Reserved bits do not matter */
	test_memory_put16(&f->driver.memory, f->driver.avail + 2, 0xfffd);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 0);
}

static void split_event_index_counts_and_flags_do_not(void **state)
{
	struct ring_fixture *f = *state;

	test_memory_put16(&f->driver.memory, f->driver.avail, 1);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	take(f, 1);
	ring_driver_want_call_behind(&f->driver, 1);
	test_memory_put16(&f->driver.memory, f->driver.avail, 0);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 0);
	test_memory_put16(&f->driver.memory, f->driver.avail, 1);
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
}

static void split_driver_that_asks_for_it_is_called_when_empty(void **state)
{
	struct ring_fixture *f = *state;
	struct vhb_used used;

	f->ring.config.notify_on_empty = true;
	use(f, 1);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
	take(f, 1);
	if (f->config.has_event_idx)
		ring_driver_want_call_behind(&f->driver, 7);
	else
		ring_driver_want_no_calls(&f->driver);
	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	used = ring_fixture_pop(f);
	ring_fixture_give(f, used);
	assert_int_equal(vhb_ring_must_call(&f->ring), 0);
	used = ring_fixture_pop(f);
	ring_fixture_give(f, used);
	assert_int_equal(vhb_ring_must_call(&f->ring), 1);
}

static bool add_and_ask(struct ring_fixture *f)
{
	assert_true(ring_fixture_add(f, 1, 0, DRIVER_DIRECT) >= 0);
	return ring_driver_must_kick(&f->driver);
}

static void finish(struct ring_fixture *f)
{
	struct vhb_used used = ring_fixture_pop(f);

	ring_fixture_give(f, used);
	ring_fixture_expect_used(f, used.id, 0);
}

static void kicks_come_when_enabled(void **state)
{
	struct ring_fixture *f = *state;
	u32 i;

	for (i = 0; i < 5 * f->config.num; i++) {
		assert_int_equal(vhb_ring_enable_kicks(&f->ring), 0);
		assert_true(add_and_ask(f));
		assert_int_equal(vhb_ring_disable_kicks(&f->ring), 0);
		finish(f);
		assert_false(add_and_ask(f));
		finish(f);
	}
}

/* The event index is passed by once: nothing to disable */
static void split_kicks_stop_by_themselves(void **state)
{
	struct ring_fixture *f = *state;
	unsigned long access_count;
	u32 i;

	for (i = 0; i < 20; i++) {
		assert_int_equal(vhb_ring_enable_kicks(&f->ring), 0);
		assert_true(add_and_ask(f));
		access_count = f->driver.memory.access_count;
		assert_int_equal(vhb_ring_disable_kicks(&f->ring), 0);
		assert_int_equal(f->driver.memory.access_count, access_count);
		finish(f);
		assert_false(add_and_ask(f));
		finish(f);
	}
}

static void enabling_finds_what_is_there_already(void **state)
{
	struct ring_fixture *f = *state;

	assert_int_equal(vhb_ring_disable_kicks(&f->ring), 0);
	ring_fixture_add(f, 1, 0, DRIVER_DIRECT);
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), 1);
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), 1);
	finish(f);
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), 0);
}

static void what_the_driver_knows_is_not_written_again(void **state)
{
	struct ring_fixture *f = *state;
	unsigned long *access_count = &f->driver.memory.access_count;

	assert_int_equal(vhb_ring_disable_kicks(&f->ring), 0);
	*access_count = 0;
	assert_int_equal(vhb_ring_disable_kicks(&f->ring), 0);
	assert_int_equal(*access_count, 0);
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), 0);
	assert_int_equal(*access_count, 2);
	*access_count = 0;
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), 0);
	assert_int_equal(*access_count, 1);
	/* A new start knows nothing */
	assert_int_equal(vhb_ring_start(&f->ring, &f->driver.memory.handle,
					vhb_ring_base(&f->ring)),
			 0);
	*access_count = 0;
	assert_int_equal(vhb_ring_enable_kicks(&f->ring), 0);
	assert_int_equal(*access_count, 2);
}

struct race {
	struct ring_fixture *f;
	u32 when;
	bool was_added;
	bool was_kicked;
};

static void adds_a_chain(void *context, const struct test_access *access)
{
	struct race *race = context;

	(void)access;
	if (race->when-- == 0) {
		race->was_added = true;
		race->was_kicked = add_and_ask(race->f);
	}
}

/* Whenever the driver adds a chain, it kicks, or we see the chain. */
static void no_chain_gets_lost_while_kicks_are_enabled(void **state)
{
	struct ring_fixture *f = *state;
	struct race race = { .f = f };
	bool was_seen = false, was_kicked = false;
	u32 lap, when;
	int ret;

	f->driver.memory.context = &race;
	for (lap = 0; lap < 5 * f->config.num; lap++) {
		for (when = 0; when < 4; when++) {
			assert_int_equal(vhb_ring_disable_kicks(&f->ring), 0);
			race.when = when;
			race.was_added = false;
			race.was_kicked = false;
			f->driver.memory.on_access = adds_a_chain;
			ret = vhb_ring_enable_kicks(&f->ring);
			f->driver.memory.on_access = NULL;
			if (race.was_added) {
				assert_true(ret == 1 || race.was_kicked);
				was_seen |= ret == 1;
				was_kicked |= race.was_kicked;
			} else {
				/* There were not so many accesses. */
				assert_int_equal(ret, 0);
				assert_true(add_and_ask(f));
			}
			finish(f);
		}
	}
	assert_true(was_seen);
	assert_true(was_kicked);
}

static const struct ring_case cases[] = {
	RING_CASE(driver_is_called_unless_it_says_no, ON_BOTH),
	RING_CASE(driver_is_called_at_the_entry_it_names, ON_EVENT_IDX),
	RING_CASE(what_was_asked_for_in_the_past_is_no_reason_to_call,
		  ON_EVENT_IDX),
	RING_CASE(packed_chain_is_called_for_by_any_of_its_slots,
		  ON_PACKED_EVENT_IDX),
	RING_CASE(first_answer_is_yes, ON_EVENT_IDX),
	RING_CASE(a_question_without_an_answer_is_made_up_for, ON_EVENT_IDX),
	RING_CASE(too_many_questions_not_asked_mean_yes, ON_EVENT_IDX),
	RING_CASE(strange_wishes_of_a_packed_driver_mean_yes, ON_PACKED),
	RING_CASE(split_event_index_counts_and_flags_do_not,
		  ON_SPLIT_EVENT_IDX),
	RING_CASE(split_driver_that_asks_for_it_is_called_when_empty,
		  ON_SPLIT | ON_SPLIT_EVENT_IDX),
	RING_CASE(kicks_come_when_enabled, ON_BOTH | ON_PACKED_EVENT_IDX),
	RING_CASE(split_kicks_stop_by_themselves, ON_SPLIT_EVENT_IDX),
	RING_CASE(enabling_finds_what_is_there_already, ON_BOTH | ON_EVENT_IDX),
	RING_CASE(what_the_driver_knows_is_not_written_again, ON_BOTH),
	RING_CASE(no_chain_gets_lost_while_kicks_are_enabled,
		  ON_BOTH | ON_EVENT_IDX),
};

int main(void)
{
	return ring_fixture_run("ring/notify", cases, VHB_ARRAY_COUNT(cases));
}
