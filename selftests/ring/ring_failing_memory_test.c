// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "lib/bits.h"
#include "ring/ring_fixture.h"

/*
 * A day in the life of a ring, in which each access to memory fails once, in a
 * run of its own.
 */

#define NOTES_MAX 4096

struct run {
	struct ring_fixture *f;
	/* Everything that could be seen from outside */
	u64 notes[NOTES_MAX];
	u32 note_count;
	u32 again_count;
	int error;
	/* Each chain is put back once and popped again. */
	bool puts_back;
};

/* The error that broke the ring is the last note. */
static void note(struct run *run, u64 value)
{
	if (run->error)
		return;
	assert_true(run->note_count < NOTES_MAX);
	run->notes[run->note_count++] = value;
}

static struct run *start_run(const struct vhb_ring_config *kind)
{
	struct run *run = calloc(1, sizeof(*run));
	void *state = (void *)kind;

	assert_non_null(run);
	assert_int_equal(ring_fixture_setup(&state), 0);
	run->f = state;
	return run;
}

static void end_run(struct run *run)
{
	void *state = run->f;

	assert_int_equal(ring_fixture_teardown(&state), 0);
	free(run);
}

/* In-order writes used entries only in publish, and goes on where it was. */
static bool may_have_changed(const struct vhb_ring *ring,
			     int (*call)(struct vhb_ring *ring))
{
	return ring->orders && call == vhb_ring_publish;
}

/* Made again for -EAGAIN, which must have changed nothing; false when broken */
static bool calls(struct run *run, int (*call)(struct vhb_ring *ring))
{
	struct vhb_ring before;
	int ret;

	if (run->error)
		return false;
	for (;;) {
		before = run->f->ring;
		ret = call(&run->f->ring);
		if (ret != -EAGAIN)
			break;
		run->again_count++;
		/* The driver may have been asked, and that is remembered. */
		if (call == vhb_ring_enable_kicks)
			before.kick_flags = run->f->ring.kick_flags;
		if (!may_have_changed(&before, call))
			assert_memory_equal(&run->f->ring, &before,
					    sizeof(before));
	}
	note(run, ret);
	if (ret < 0)
		run->error = ret;
	return ret >= 0;
}

static bool pops(struct run *run, struct vhb_used *used)
{
	struct ring_fixture *f = run->f;
	bool must_put_back = run->puts_back;
	struct vhb_ring before;
	u32 i;
	int ret;

	if (run->error)
		return false;
	used->sequence = f->ring.sequence;
	for (;;) {
		before = f->ring;
		ret = vhb_ring_pop(&f->ring, &f->chain);
		if (ret == 1 && must_put_back) {
			vhb_ring_unpop(&f->ring, &f->chain);
			must_put_back = false;
			continue;
		}
		if (ret != -EAGAIN)
			break;
		run->again_count++;
		assert_memory_equal(&f->ring, &before, sizeof(before));
	}
	note(run, ret);
	if (ret < 0)
		run->error = ret;
	if (ret <= 0)
		return false;
	used->id = f->chain.id;
	used->slot_count = f->chain.slot_count;
	note(run, f->chain.id);
	note(run, f->chain.slot_count);
	note(run, f->chain.readable_count);
	note(run, f->chain.writable_count);
	for (i = 0; i < f->chain.readable_count + f->chain.writable_count;
	     i++) {
		note(run, f->chain.segments[i].gpa);
		note(run, f->chain.segments[i].length_bytes);
	}
	return true;
}

static void pushes(struct run *run, const struct vhb_used *used)
{
	struct vhb_ring before;
	int ret;

	if (run->error)
		return;
	for (;;) {
		before = run->f->ring;
		ret = vhb_ring_push(&run->f->ring, used);
		if (ret != -EAGAIN)
			break;
		run->again_count++;
		assert_memory_equal(&run->f->ring, &before, sizeof(before));
	}
	note(run, ret);
	run->error = ret;
}

static void takes_all(struct run *run)
{
	u32 length;
	u16 id;
	int ret;

	while ((ret = ring_driver_take(&run->f->driver, &id, &length)) > 0) {
		note(run, id);
		note(run, length);
	}
	assert_int_equal(ret, 0);
	note(run, run->f->ring.in_flight_count);
}

/* All calls, all kinds of chains; past the end of the ring */
static void live(struct run *run)
{
	static const u32 order[] = { 2, 0, 1 };
	struct ring_fixture *f = run->f;
	struct vhb_used used[3] = {}, no_fourth = {};
	u32 lap, i;

	for (lap = 0; lap < 4; lap++) {
		calls(run, vhb_ring_enable_kicks);
		ring_fixture_add(f, 2, 1, DRIVER_DIRECT);
		ring_fixture_add(f, 10, 23, DRIVER_TABLE);
		ring_fixture_add(f, 0, 4, DRIVER_MIXED);
		note(run, ring_driver_must_kick(&f->driver));
		calls(run, vhb_ring_enable_kicks);
		calls(run, vhb_ring_disable_kicks);
		for (i = 0; i < 3; i++) {
			pops(run, &used[i]);
			used[i].written_bytes = i * 1000;
		}
		pops(run, &no_fourth);
		for (i = 0; i < 3; i++)
			pushes(run, &used[order[i]]);
		calls(run, vhb_ring_publish);
		calls(run, vhb_ring_must_call);
		if (run->error)
			return;
		takes_all(run);
		ring_driver_want_calls(&f->driver);
	}
}

/* Each access fails once, and all comes out as if none had. */
static void repeat_each_access(const struct vhb_ring_config *kind,
			       bool puts_back, unsigned long access_count,
			       const struct run *reference)
{
	unsigned long i;

	assert_true(access_count > 50);
	for (i = 1; i < access_count; i++) {
		struct run *run = start_run(kind);
		struct test_memory *memory = &run->f->driver.memory;

		run->puts_back = puts_back;
		memory->fail_at = i;
		memory->fail_error = -EAGAIN;
		live(run);
		assert_int_equal(run->error, 0);
		assert_int_equal(run->again_count, 1);
		assert_int_equal(run->note_count, reference->note_count);
		assert_memory_equal(run->notes, reference->notes,
				    sizeof(run->notes));
		assert_memory_equal(memory->bytes,
				    reference->f->driver.memory.bytes,
				    memory->size_bytes);
		end_run(run);
	}
}

static void each_access_may_have_to_be_made_again(void **state)
{
	struct run *reference = start_run(*state);

	live(reference);
	assert_int_equal(reference->error, 0);
	repeat_each_access(*state, false,
			   reference->f->driver.memory.access_count, reference);
	end_run(reference);
}

/* As for a buffer that the IOTLB does not know: each is popped twice. */
static void a_chain_put_back_is_popped_again_after_a_miss(void **state)
{
	struct run *reference = start_run(*state);
	struct run *twice = start_run(*state);

	twice->puts_back = true;
	live(reference);
	live(twice);
	repeat_each_access(*state, true, twice->f->driver.memory.access_count,
			   reference);
	end_run(twice);
	end_run(reference);
}

static void break_at_each(const struct vhb_ring_config *kind, int error,
			  enum vhb_ring_fault fault)
{
	struct run *reference = start_run(kind);
	unsigned long access_count, i;

	live(reference);
	access_count = reference->f->driver.memory.access_count;
	for (i = 1; i < access_count; i++) {
		struct run *run = start_run(kind);
		struct test_memory *memory = &run->f->driver.memory;

		memory->fail_at = i;
		memory->fail_error = error;
		live(run);
		assert_int_equal(run->error, error);
		assert_int_equal(run->f->ring.error, error);
		/* Nothing came after it. */
		assert_int_equal(memory->access_count, i + 1);
		/* What happened up to then is what always happens. */
		assert_memory_equal(run->notes, reference->notes,
				    (run->note_count - 1) *
					    sizeof(*run->notes));
		ring_fixture_expect_broken(run->f, fault);
		assert_int_equal(vhb_ring_start(&run->f->ring,
						&memory->handle,
						vhb_ring_base(&run->f->ring)),
				 0);
		assert_int_equal(run->f->ring.error, 0);
		end_run(run);
	}
	end_run(reference);
}

static void each_access_may_break_the_ring(void **state)
{
	break_at_each(*state, -EFAULT, VHB_RING_FAULT_MEMORY);
}

/* The driver did nothing wrong then. */
static void a_dirty_log_that_fails_breaks_the_ring_as_such(void **state)
{
	break_at_each(*state, -EIO, VHB_RING_FAULT_LOG);
}

static void a_forbidden_access_breaks_the_ring_as_such(void **state)
{
	break_at_each(*state, -EACCES, VHB_RING_FAULT_ACCESS);
}

static const struct ring_case cases[] = {
	BARE_RING_CASE(each_access_may_have_to_be_made_again,
		       ON_BOTH | ON_EVENT_IDX | ON_IN_ORDER),
	BARE_RING_CASE(each_access_may_break_the_ring,
		       ON_BOTH | ON_EVENT_IDX | ON_IN_ORDER),
	BARE_RING_CASE(a_dirty_log_that_fails_breaks_the_ring_as_such,
		       ON_BOTH | ON_EVENT_IDX | ON_IN_ORDER),
	BARE_RING_CASE(a_forbidden_access_breaks_the_ring_as_such,
		       ON_BOTH | ON_EVENT_IDX | ON_IN_ORDER),
	BARE_RING_CASE(a_chain_put_back_is_popped_again_after_a_miss,
		       ON_BOTH | ON_EVENT_IDX | ON_IN_ORDER),
};

int main(void)
{
	return ring_fixture_run("ring/failing_memory", cases, VHB_ARRAY_COUNT(cases));
}
