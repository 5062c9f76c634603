// SPDX-License-Identifier: GPL-2.0-or-later
/* Traffic through the loop device with each kind of ring. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/utsname.h>

#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/module.h"
#include "lib/resources.h"

#define RING_ENTRIES 64
#define ODD_RING_ENTRIES 61
#define TABLE_DESCS 8
#define CHAINS 2000
#define POLL_US 500000

/**
 * struct variant - a kind of ring
 * @name: for people
 * @features: negotiated
 */
struct variant {
	char name[40];
	uint64_t features;
};

static struct bridge bridge;
static struct echo echo;
static struct resources resources_before;
static unsigned int threads_before;
static uint64_t seed;

static bool has_feature(unsigned int bit)
{
	return bridge.features & bridge_bit(bit);
}

/* A packed ring's size may be any. */
static uint32_t ring_entries(void)
{
	return has_feature(VIRTIO_F_RING_PACKED) ? ODD_RING_ENTRIES :
						   RING_ENTRIES;
}

static int set_up(void **state)
{
	const struct variant *variant = *state;

	resources_count(&resources_before);
	threads_before = module_thread_count();
	bridge_open(&bridge, "loop");
	bridge_set_up(&bridge, variant->features);
	bridge_add_queue(&bridge, 0, ring_entries(), TABLE_DESCS);
	echo_init(&echo, &bridge, 0, seed);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bridge_close(&bridge);
	assert_int_equal(module_wait_threads(threads_before), 0);
	resources_assert_same(&resources_before);
	return 0;
}

static enum vq_form any_form(struct echo *on)
{
	if (!has_feature(VIRTIO_RING_F_INDIRECT_DESC))
		return VQ_DIRECT;
	return test_random_below(&on->random, VQ_FORMS);
}

static void any_burst(struct echo *on)
{
	echo_burst(on, 1 + test_random_below(&on->random, RING_ENTRIES),
		   any_form(on));
}

/* Many times around the ring, split indexes beyond their 16 bits */
static void test_traffic(void **state)
{
	struct vhost_bridge_vring_status status;

	(void)state;
	while (echo.sent_count < CHAINS)
		any_burst(&echo);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_RUNNING);
	assert_int_equal(status.chain_count, echo.sent_count);
	assert_int_equal(status.read_bytes, echo.byte_count);
	assert_int_equal(status.written_bytes, echo.byte_count);
	assert_int_equal(status.in_flight_count, 0);
	assert_int_equal(status.error_count, 0);
	assert_int_equal(status.drain_count, 0);
	assert_int_equal(status.kick_count, echo.queue->kick_count);
}

/* Without waiting for all to be back: the ring is never empty. */
static void test_full_ring(void **state)
{
	unsigned int i;

	(void)state;
	while (echo.sent_count < CHAINS) {
		while (echo_send(&echo, any_form(&echo)))
			;
		bridge_kick(echo.queue);
		for (i = test_random_below(&echo.random, echo.busy_count) + 1;
		     i; i--)
			echo_receive(&echo);
	}
	while (echo.busy_count)
		echo_receive(&echo);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	assert_int_equal(bridge_get_base(&bridge, 0),
			 vq_driver_base(&echo.queue->driver));
}

static void one_chain(void)
{
	echo_send(&echo, any_form(&echo));
	bridge_kick_always(echo.queue);
	echo_receive(&echo);
}

/*
 * The turn that used a chain ends a moment after we see it, and counts its call
 * in the meantime. The status waits for its end.
 */
static uint64_t count_calls(uint64_t *suppressed_out)
{
	struct vhost_bridge_vring_status status;

	bridge_status(&bridge, 0, &status);
	*suppressed_out = status.call_suppressed_count;
	return status.call_count;
}

static void want_no_calls(struct vq_driver *driver)
{
	if (has_feature(VIRTIO_RING_F_EVENT_IDX) &&
	    !has_feature(VIRTIO_F_RING_PACKED))
		/* As far behind as can be */
		vq_driver_want_call_behind(driver, 0x8000);
	else
		vq_driver_want_no_calls(driver);
}

static void test_calls(void **state)
{
	uint64_t suppressed;
	unsigned int i;

	(void)state;
	assert_int_equal(count_calls(&suppressed), 0);
	for (i = 0; i < 20; i++) {
		vq_driver_want_calls(&echo.queue->driver);
		one_chain();
		assert_int_equal(bridge_wait_event(echo.queue->call_fd,
						   BRIDGE_WAIT_MS), 0);
		assert_int_equal(bridge_read_event(echo.queue->call_fd), 1);
	}
	assert_int_equal(count_calls(&suppressed), 20);
	assert_int_equal(suppressed, 0);

	want_no_calls(&echo.queue->driver);
	for (i = 0; i < 20; i++)
		one_chain();
	assert_int_equal(count_calls(&suppressed), 20);
	assert_int_equal(suppressed, 20);
	assert_int_equal(bridge_read_event(echo.queue->call_fd), 0);
}

/* One call, for the tenth, whatever is between them; with the event index */
static void test_calls_at_event_index(void **state)
{
	uint64_t suppressed;
	unsigned int i, round;

	(void)state;
	/* The first one is told in any case: it might have been waited for. */
	vq_driver_want_call_behind(&echo.queue->driver, 9);
	one_chain();
	/* It is told behind the used entry: not to be taken for a later one. */
	assert_int_equal(bridge_wait_event(echo.queue->call_fd, BRIDGE_WAIT_MS),
			 0);
	bridge_read_event(echo.queue->call_fd);
	for (round = 1; round <= 20; round++) {
		/* A chain is one entry, whatever the layout. */
		vq_driver_want_call_behind(&echo.queue->driver, 9);
		for (i = 0; i < 13; i++) {
			const struct vq_buffer buffer = {
				.gpa = BRIDGE_BUFFERS_GPA,
				.size_bytes = 16,
				.is_writable = true,
			};

			assert_true(vq_driver_add(&echo.queue->driver, &buffer,
						  1, VQ_DIRECT) >= 0);
			bridge_kick_always(echo.queue);
			assert_true(bridge_take(echo.queue, NULL) >= 0);
		}
		assert_int_equal(count_calls(&suppressed), 1 + round);
		assert_int_equal(suppressed, round * 12);
		assert_int_equal(bridge_read_event(echo.queue->call_fd), 1);
	}
}

/* Nobody is told, so nothing happens; then somebody is. */
static void test_kicks(void **state)
{
	struct vhost_bridge_vring_status status;
	uint16_t id;
	uint32_t length;

	(void)state;
	any_burst(&echo);
	/* Asked for again as soon as it is idle */
	usleep(20000);
	assert_true(echo_send(&echo, any_form(&echo)));
	usleep(50000);
	assert_int_equal(vq_driver_take(&echo.queue->driver, &id, &length), 0);
	assert_true(bridge_kick(echo.queue));
	echo_receive(&echo);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.kick_count, echo.queue->kick_count);
}

/* Who polls wants no kicks and needs none. */
static void test_polling(void **state)
{
	const struct vhost_vring_state timeout = { 0, POLL_US };
	uint64_t kick_count;
	bool was_kicked;
	unsigned int i;

	(void)state;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
				     &timeout), 0);
	one_chain();
	kick_count = echo.queue->kick_count;
	for (i = 0; i < 200; i++)
		any_burst(&echo);
	/* A test that was held up for so long may have had to kick. */
	assert_true(echo.queue->kick_count <= kick_count + 5);
	/* Not for ever. Until then it sees what comes, from then on it asks. */
	do {
		usleep(POLL_US + 100000 * (i - 200));
		assert_true(i++ < 220);
		assert_true(echo_send(&echo, any_form(&echo)));
		was_kicked = bridge_kick(echo.queue);
		echo_receive(&echo);
	} while (!was_kicked);
}

/* Before Linux 6.6 whoever slept has credit that it cannot give away. */
static bool is_scheduler_before_eevdf(void)
{
	struct utsname name;
	unsigned long major, minor;
	char *end;

	assert_int_equal(uname(&name), 0);
	major = strtoul(name.release, &end, 10);
	assert_int_equal(*end, '.');
	minor = strtoul(end + 1, NULL, 10);
	return major < 6 || (major == 6 && minor < 6);
}

/*
 * With the event index; by flags it is asked all the time from one turn to the next.
 *
 * A driver that always finds used chains never sleeps. Were it asked for kicks
 * after each chain, each kick would cost it the CPU for that one chain.
 */
static void test_few_kicks_on_one_cpu(void **state)
{
	const pid_t thread = module_thread_of(0);
	cpu_set_t before, one;

	(void)state;
	assert_true(thread > 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(sched_setaffinity(thread, sizeof(one), &one), 0);
	want_no_calls(&echo.queue->driver);
	while (echo.sent_count < CHAINS) {
		while (echo_send(&echo, any_form(&echo)))
			bridge_kick(echo.queue);
		echo_receive(&echo);
		want_no_calls(&echo.queue->driver);
	}
	while (echo.busy_count)
		echo_receive(&echo);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	printf("# %u chains, %u kicks\n", CHAINS,
	       (unsigned int)echo.queue->kick_count);
	assert_true(echo.queue->kick_count < CHAINS / 5);
}

static void test_stop_and_start(void **state)
{
	const struct vq_driver *driver = &echo.queue->driver;
	struct vhost_bridge_vring_status status;
	unsigned int i;

	(void)state;
	for (i = 1; i <= 50; i++) {
		assert_int_equal(echo.queue->saved->base, 0);
		assert_int_equal(echo.queue->saved->is_saved, 0);
		any_burst(&echo);
		assert_int_equal(bridge_stop(&bridge, 0), 0);
		assert_int_equal(echo.queue->saved->base,
				 vq_driver_base(driver));
		assert_int_equal(echo.queue->saved->is_saved, 1);
		assert_int_equal(bridge_get_base(&bridge, 0),
				 vq_driver_base(driver));
		bridge_status(&bridge, 0, &status);
		assert_int_equal(status.state, VHOST_BRIDGE_VRING_STOPPED);
		assert_int_equal(status.drain_count, i);
		/* What comes while it is stopped is found at the start. */
		echo_send(&echo, any_form(&echo));
		assert_int_equal(bridge_start(&bridge, 0), 0);
		echo_receive(&echo);
	}
}

/* In the middle of traffic: all that was taken is used, nothing is lost. */
static void test_stop_under_traffic(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		while (echo_send(&echo, any_form(&echo)))
			;
		bridge_kick_always(echo.queue);
		assert_int_equal(bridge_stop(&bridge, 0), 0);
		assert_int_equal(echo.queue->saved->is_saved, 1);
		assert_int_equal(bridge_start(&bridge, 0), 0);
		while (echo.busy_count)
			echo_receive(&echo);
	}
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	assert_int_equal(bridge_get_base(&bridge, 0),
			 vq_driver_base(&echo.queue->driver));
}

/* Buffers on both sides of where the regions adjoin */
static void test_across_regions(void **state)
{
	const uint32_t bytes = 3 << 20, offset = 1234567;
	const struct vq_buffer buffers[] = {
		{ BRIDGE_SPLIT_GPA - offset, bytes, false },
		{ BRIDGE_SPLIT_GPA + (4 << 20), bytes - 100, true },
		{ BRIDGE_SPLIT_GPA - offset - 200, 200, true },
	};
	uint8_t *out = bridge_at(&bridge, buffers[0].gpa);
	const uint8_t *in = bridge_at(&bridge, buffers[1].gpa);
	struct test_random random = test_random_of(seed);
	uint32_t length, i;

	(void)state;
	for (i = 0; i < bytes; i++)
		out[i] = test_random_next(&random) >> 24;
	assert_true(vq_driver_add(&echo.queue->driver, buffers, 3,
				  VQ_DIRECT) >= 0);
	bridge_kick(echo.queue);
	assert_true(bridge_take(echo.queue, &length) >= 0);
	assert_int_equal(length, bytes);
	assert_memory_equal(in, out, bytes - 100);
	assert_memory_equal(out - 200, out + bytes - 100, 100);
}

/* Swaps tables until told to stop; they differ in where the regions meet. */
static void *swap_memory(void *argument)
{
	volatile bool *must_stop = argument;
	uint64_t moved = 4096;
	long failed = 0;

	while (!*must_stop) {
		struct bridge_memory_table table;

		bridge_table(&bridge, &table);
		if (moved)
			table.regions[0] = (struct vhost_memory_region){
				.guest_phys_addr = BRIDGE_SPLIT_GPA + moved,
				.memory_size = BRIDGE_BYTES / 2,
				.userspace_addr = (uintptr_t)bridge.second +
						  moved,
			};
		table.regions[1].memory_size += moved;
		failed += !!bridge_call(&bridge, VHOST_SET_MEM_TABLE, &table);
		moved = moved ? 0 : 4096;
	}
	return (void *)failed;
}

static void test_memory_swapped(void **state)
{
	volatile bool must_stop = false;
	struct bridge_memory_table table;
	pthread_t swapper;
	void *failed;

	(void)state;
	/* Without the ring it is refused. */
	bridge_table(&bridge, &table);
	table.regions[1].guest_phys_addr += 0x1000;
	table.regions[1].userspace_addr += 0x1000;
	table.regions[1].memory_size -= 0x1000;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_MEM_TABLE, &table),
			 -EFAULT);

	echo.buffers_gpa = BRIDGE_SPLIT_GPA - (1 << 19);
	assert_int_equal(pthread_create(&swapper, NULL, swap_memory,
					(void *)&must_stop), 0);
	while (echo.sent_count < CHAINS)
		any_burst(&echo);
	must_stop = true;
	assert_int_equal(pthread_join(swapper, &failed), 0);
	assert_null(failed);
}

static void test_all_queues(void **state)
{
	static struct echo echoes[BRIDGE_QUEUES];
	unsigned int i, j, round;

	(void)state;
	echo_init(&echoes[0], &bridge, 0, seed);
	for (i = 1; i < BRIDGE_QUEUES; i++) {
		bridge_add_queue(&bridge, i, ring_entries() >> (i % 3),
				 TABLE_DESCS);
		echo_init(&echoes[i], &bridge, i, seed);
	}
	assert_int_equal(module_thread_count(), threads_before + BRIDGE_QUEUES);
	for (round = 0; round < 40; round++) {
		for (i = 0; i < BRIDGE_QUEUES; i++) {
			for (j = 0; j < 16; j++)
				echo_send(&echoes[i], any_form(&echoes[i]));
			bridge_kick(echoes[i].queue);
		}
		for (i = 0; i < BRIDGE_QUEUES; i++)
			while (echoes[i].busy_count)
				echo_receive(&echoes[i]);
	}
	/* Some at once, the others by closing */
	for (i = 0; i < BRIDGE_QUEUES; i += 2)
		assert_int_equal(bridge_stop(&bridge, i), 0);
	echo_works(&bridge, 1);
}

#define CASE(function) { #function, function }

static const struct {
	const char *name;
	CMUnitTestFunction function;
} cases[] = {
	CASE(test_traffic),
	CASE(test_full_ring),
	CASE(test_calls),
	CASE(test_calls_at_event_index),
	CASE(test_kicks),
	CASE(test_polling),
	CASE(test_few_kicks_on_one_cpu),
	CASE(test_stop_and_start),
	CASE(test_stop_under_traffic),
	CASE(test_across_regions),
	CASE(test_memory_swapped),
	CASE(test_all_queues),
};

#define VARIANTS 16
#define CASES VHB_ARRAY_COUNT(cases)

static void make_variant(struct variant *variant, unsigned int bits)
{
	const struct {
		unsigned int bit;
		const char *name;
	} features[] = {
		{ VIRTIO_F_RING_PACKED, "packed" },
		{ VIRTIO_RING_F_EVENT_IDX, " event_idx" },
		{ VIRTIO_RING_F_INDIRECT_DESC, " indirect" },
		{ VIRTIO_F_IN_ORDER, " in_order" },
	};
	unsigned int i;

	variant->features = bridge_bit(VIRTIO_F_VERSION_1);
	strcpy(variant->name, bits & 1 ? "" : "split");
	for (i = 0; i < VHB_ARRAY_COUNT(features); i++) {
		if (!(bits & 1 << i))
			continue;
		variant->features |= bridge_bit(features[i].bit);
		strcat(variant->name, features[i].name);
	}
}

static bool is_for(CMUnitTestFunction function, const struct variant *variant)
{
	const bool has_event_idx = variant->features &
				   bridge_bit(VIRTIO_RING_F_EVENT_IDX);

	if (function == test_few_kicks_on_one_cpu)
		return has_event_idx && !is_scheduler_before_eevdf();
	return function != test_calls_at_event_index || has_event_idx;
}

int main(void)
{
	static struct CMUnitTest tests[VARIANTS * CASES];
	static struct variant variants[VARIANTS];
	static char names[VARIANTS * CASES][80];
	size_t count = 0;
	int ret;

	module_need();
	seed = test_random_seed();
	for (unsigned int i = 0; i < VARIANTS; i++) {
		make_variant(&variants[i], i);
		for (size_t j = 0; j < CASES; j++) {
			if (!is_for(cases[j].function, &variants[i]))
				continue;
			snprintf(names[count], sizeof(names[count]), "%s: %s",
				 cases[j].name, variants[i].name);
			tests[count] = (struct CMUnitTest){
				names[count], cases[j].function, set_up,
				tear_down, &variants[i]
			};
			count++;
		}
	}
	ret = _cmocka_run_group_tests("loop_traffic", tests, count, NULL, NULL);
	module_restore();
	return ret;
}
