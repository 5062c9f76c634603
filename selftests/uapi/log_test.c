// SPDX-License-Identifier: GPL-2.0-or-later
/* The dirty log, by the loop device. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/eventfd.h>
#include <sys/mman.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/bridge_log.h"
#include "lib/module.h"
#include "lib/resources.h"

#define RING_ENTRIES 256
#define TABLE_DESCS 8
/* Puts what a ring is written to across a page's end */
#define RING_SHIFT 0xc00
#define ROUNDS 8
#define ROUND_CHAINS 40
#define PAGE LOG_PAGE_BYTES
#define LOG_ALL (UINT64_C(1) << VHOST_F_LOG_ALL)

struct variant {
	const char *name;
	uint64_t features;
};

static struct bridge bridge;
static struct bridge_log bitmap, second;
static struct echo echo;
static struct resources resources_before;
static unsigned int threads_before;
static uint64_t seed;

static bool is_packed(void)
{
	return bridge.features & bridge_bit(VIRTIO_F_RING_PACKED);
}

/* A queue that was never started, and nothing is logged yet. */
static int set_up(void **state)
{
	const struct variant *variant = *state;
	struct vq_driver *driver = &bridge.queues[0].driver;

	resources_count(&resources_before);
	threads_before = module_thread_count();
	bridge_open(&bridge, "loop");
	bridge_set_up(&bridge, variant->features);
	bridge_make_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	if (is_packed()) {
		driver->desc += RING_SHIFT;
	} else {
		/* The index does not begin at zero. */
		memcpy(driver->used + RING_SHIFT, driver->used, 4);
		driver->used += RING_SHIFT;
	}
	bridge_program_queue(&bridge, 0);
	echo_init(&echo, &bridge, 0, seed);
	bridge_log_open(&bitmap);
	bridge_log_open(&second);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bridge_close(&bridge);
	bridge_log_close(&bitmap);
	bridge_log_close(&second);
	assert_int_equal(module_wait_threads(threads_before), 0);
	resources_assert_same(&resources_before);
	return 0;
}

static void log_all(void)
{
	bridge_log_use(&bridge, &bitmap);
	assert_int_equal(bridge_log_buffers(&bridge, true), 0);
	assert_int_equal(bridge_log_ring(&bridge, 0, true), 0);
}

/* Of @chain, the byte at @offset in all its readable or writable buffers */
static uint8_t *byte_at(const struct echo_chain *chain, bool is_writable,
			uint32_t offset)
{
	unsigned int i;

	for (i = 0;; i++) {
		const struct vq_buffer *buffer = &chain->buffers[i];

		if (buffer->is_writable != is_writable)
			continue;
		if (offset < buffer->size_bytes)
			return (uint8_t *)bridge_at(&bridge, buffer->gpa) +
			       offset;
		offset -= buffer->size_bytes;
	}
}

/* Whatever the device writes differs from what is there. */
static void spoil_targets(void)
{
	unsigned int i;
	uint32_t j;

	for (i = 0; i < ECHO_CHAINS_MAX; i++) {
		const struct echo_chain *chain = &echo.chains[i];

		for (j = 0; j < chain->length_bytes; j++)
			*byte_at(chain, true, j) = ~*byte_at(chain, false, j);
	}
	if (is_packed())
		memset(bridge.queues[0].driver.used, 0xff, 4);
}

static enum vq_form any_form(void)
{
	return test_random_below(&echo.random, VQ_FORMS);
}

/*
 * What is in the ring when the queue starts is taken without a kick, so only the
 * device writes between start and stop.
 */
static void run_stopped_chains(struct bridge_log *log, unsigned int count)
{
	memset(echo.chains, 0, sizeof(echo.chains));
	while (count--)
		assert_true(echo_send(&echo, any_form()));
	spoil_targets();
	bridge_log_begin(log, &bridge);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	while (echo.busy_count)
		echo_receive(&echo);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
}

static void test_what_changed_is_marked(void **state)
{
	unsigned int i;

	(void)state;
	log_all();
	for (i = 0; i < ROUNDS; i++) {
		run_stopped_chains(&bitmap, 1 + i * ROUND_CHAINS / ROUNDS);
		bridge_log_check(&bitmap, &bridge);
	}
}

static void test_ring_alone(void **state)
{
	const uint64_t used = bridge_gpa(&bridge, bridge.queues[0].driver.used);
	const uint64_t desc = bridge_gpa(&bridge, bridge.queues[0].driver.desc);

	(void)state;
	bridge_log_use(&bridge, &bitmap);
	assert_int_equal(bridge_log_ring(&bridge, 0, true), 0);
	run_stopped_chains(&bitmap, 4);
	assert_true(bridge_log_take(&bitmap, used));
	bridge_log_take(&bitmap, used + PAGE);
	if (is_packed()) {
		assert_true(bridge_log_take(&bitmap, desc));
		bridge_log_take(&bitmap, desc + PAGE);
	}
	assert_int_equal(bridge_log_count(&bitmap), 0);
}

static void test_buffers_alone(void **state)
{
	const uint64_t used = bridge_gpa(&bridge, bridge.queues[0].driver.used);
	const uint64_t desc = bridge_gpa(&bridge, bridge.queues[0].driver.desc);

	(void)state;
	bridge_log_use(&bridge, &bitmap);
	assert_int_equal(bridge_log_buffers(&bridge, true), 0);
	run_stopped_chains(&bitmap, ROUND_CHAINS);
	assert_true(bridge_log_count(&bitmap) > 1);
	assert_false(bridge_log_take(&bitmap, used));
	assert_false(bridge_log_take(&bitmap, desc));
}

/* A split ring's marks go where the owner says its used ring is. */
static void test_ring_log_address(void **state)
{
	const uint64_t elsewhere = BRIDGE_GPA + BRIDGE_BYTES - 8 * PAGE;
	struct vhost_vring_addr addr;

	(void)state;
	bridge_log_use(&bridge, &bitmap);
	bridge_addr(&bridge, 0, &addr);
	addr.flags = 1 << VHOST_VRING_F_LOG;
	addr.log_guest_addr = elsewhere + PAGE - 4;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_VRING_ADDR, &addr), 0);
	run_stopped_chains(&bitmap, 4);
	if (is_packed())
		return;
	/* Index, then entries */
	assert_true(bridge_log_take(&bitmap, elsewhere));
	assert_true(bridge_log_take(&bitmap, elsewhere + PAGE));
	assert_int_equal(bridge_log_count(&bitmap), 0);
}

/* What must be marked of the chains that were sent, but for the ring */
static void take_buffer_pages(const struct bridge_log *log)
{
	unsigned int i, j;

	for (i = 0; i < ECHO_CHAINS_MAX; i++) {
		struct echo_chain *chain = &echo.chains[i];
		uint32_t left = chain->length_bytes;

		for (j = 0; j < chain->count && left; j++) {
			const struct vq_buffer *buffer = &chain->buffers[j];
			const uint32_t bytes = buffer->size_bytes < left ?
						       buffer->size_bytes :
						       left;

			if (!buffer->is_writable || !bytes)
				continue;
			left -= bytes;
			bridge_log_take(log, buffer->gpa);
			bridge_log_take(log, buffer->gpa + bytes - 1);
		}
	}
}

static void take_ring_pages(const struct bridge_log *log)
{
	const struct vq_driver *driver = &bridge.queues[0].driver;
	const uint64_t used = bridge_gpa(&bridge, driver->used);
	const uint64_t desc = bridge_gpa(&bridge, driver->desc);

	bridge_log_take(log, used);
	if (is_packed()) {
		bridge_log_take(log, desc);
		bridge_log_take(log, desc + PAGE);
	} else {
		bridge_log_take(log, used + PAGE);
	}
}

static bool each_written_page_is_marked(const struct bridge_log *log)
{
	unsigned int i, j;

	for (i = 0; i < ECHO_CHAINS_MAX; i++) {
		const struct echo_chain *chain = &echo.chains[i];

		for (j = 0; j < chain->count; j++) {
			const struct vq_buffer *buffer = &chain->buffers[j];
			const uint64_t page = buffer->gpa / PAGE;

			if (!buffer->is_writable || !buffer->size_bytes ||
			    !chain->length_bytes)
				continue;
			/* The first writable byte is written. */
			if (!(log->reader[page / 8] & 1u << page % 8))
				return false;
			break;
		}
	}
	return true;
}

static void burst(void)
{
	memset(echo.chains, 0, sizeof(echo.chains));
	echo_burst(&echo, ROUND_CHAINS, any_form());
}

/* The queue runs all the time. */
static void test_switched_while_running(void **state)
{
	unsigned int i;

	(void)state;
	bridge_log_use(&bridge, &bitmap);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	for (i = 0; i < 5; i++) {
		burst();
		assert_int_equal(bridge_log_count(&bitmap), 0);

		log_all();
		burst();
		assert_true(each_written_page_is_marked(&bitmap));
		assert_int_equal(bridge_log_buffers(&bridge, false), 0);
		assert_int_equal(bridge_log_ring(&bridge, 0, false), 0);
		/* And no others */
		take_buffer_pages(&bitmap);
		take_ring_pages(&bitmap);
		assert_int_equal(bridge_log_count(&bitmap), 0);
	}
}

static void test_base_swapped_while_running(void **state)
{
	unsigned int i;

	(void)state;
	log_all();
	assert_int_equal(bridge_start(&bridge, 0), 0);
	for (i = 0; i < 5; i++) {
		burst();
		bridge_log_use(&bridge, &second);
		assert_true(each_written_page_is_marked(&bitmap));
		take_buffer_pages(&bitmap);
		take_ring_pages(&bitmap);
		burst();
		/* Not a bit more in the old one */
		assert_int_equal(bridge_log_count(&bitmap), 0);
		assert_true(each_written_page_is_marked(&second));
		bridge_log_use(&bridge, &bitmap);
		take_buffer_pages(&second);
		take_ring_pages(&second);
		assert_int_equal(bridge_log_count(&second), 0);
	}
}

#define TARGETS 16
#define TARGETS_GPA BRIDGE_SPLIT_GPA
#define MIGRATED_CHAINS 3000

static uint8_t migrated[TARGETS * PAGE];

/* What a migration does: take a bit out, then copy the page. */
static void migrate(void)
{
	unsigned int i;

	for (i = 0; i < TARGETS; i++) {
		const uint64_t gpa = TARGETS_GPA + i * PAGE;

		if (bridge_log_take(&bitmap, gpa))
			memcpy(migrated + i * PAGE, bridge_at(&bridge, gpa),
			       PAGE);
	}
}

static void *keep_migrating(void *must_stop)
{
	while (!atomic_load((atomic_bool *)must_stop))
		migrate();
	return NULL;
}

/* A page that is written after its bit was taken out is marked again. */
static void test_nothing_is_lost_in_a_migration(void **state)
{
	struct vq_driver *driver = &bridge.queues[0].driver;
	struct test_random random = test_random_of(seed);
	atomic_bool must_stop = false;
	pthread_t thread;
	uint32_t i;

	(void)state;
	log_all();
	memset(bridge_at(&bridge, TARGETS_GPA), 0, TARGETS * PAGE);
	memset(migrated, 0, sizeof(migrated));
	assert_int_equal(bridge_start(&bridge, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, keep_migrating,
					&must_stop), 0);
	for (i = 0; i < MIGRATED_CHAINS; i++) {
		const uint32_t place = test_random_below(&random,
							 TARGETS * PAGE / 4);
		const struct vq_buffer buffers[] = {
			{ BRIDGE_BUFFERS_GPA + i % 64 * 4, 4, false },
			{ TARGETS_GPA + place * 4, 4, true },
		};

		if (!driver->free_id_count || i % 64 == 63)
			while (driver->free_id_count < RING_ENTRIES)
				assert_true(bridge_take(&bridge.queues[0],
							NULL) >= 0);
		memcpy(bridge_at(&bridge, buffers[0].gpa), &i, 4);
		assert_true(vq_driver_add(driver, buffers, 2, VQ_DIRECT) >= 0);
		bridge_kick(&bridge.queues[0]);
	}
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	atomic_store(&must_stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	migrate();
	assert_memory_equal(migrated, bridge_at(&bridge, TARGETS_GPA),
			    sizeof(migrated));
	assert_non_null(memchr(migrated, 1, sizeof(migrated)));
}

static void assert_breaks(void)
{
	struct vhost_bridge_vring_status status;

	bridge_kick_always(&bridge.queues[0]);
	assert_int_equal(bridge_wait_event(bridge.queues[0].err_fd,
					   BRIDGE_WAIT_MS), 0);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_BROKEN);
	assert_int_equal(status.fault, VHOST_BRIDGE_FAULT_LOG);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
}

/* Of no use are: memory that is none, and memory that must not be written. */
static void test_bitmap_that_cannot_be_written(void **state)
{
	const int protections[] = { PROT_NONE, PROT_READ };
	size_t i;

	(void)state;
	for (i = 0; i < VHB_ARRAY_COUNT(protections); i++) {
		log_all();
		assert_int_equal(bridge_start(&bridge, 0), 0);
		burst();
		assert_int_equal(mprotect(bitmap.bits, bitmap.bytes,
					  protections[i]), 0);
		assert_true(echo_send(&echo, VQ_DIRECT));
		assert_breaks();
		assert_int_equal(mprotect(bitmap.bits, bitmap.bytes,
					  PROT_READ | PROT_WRITE), 0);
		bridge_free_queue(&bridge, 0);
		bridge_make_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
		bridge_program_queue(&bridge, 0);
		echo_init(&echo, &bridge, 0, seed);
	}
	/* All is well again. */
	log_all();
	assert_int_equal(bridge_start(&bridge, 0), 0);
	burst();
	assert_true(each_written_page_is_marked(&bitmap));
}

/* The last page of user memory, if there is one */
#define USER_END UINT64_C(0x7ffffffff000)

static void test_bad_base(void **state)
{
	(void)state;
	assert_int_equal(bridge_log_base(&bridge, UINT64_MAX), -EFAULT);
	assert_int_equal(bridge_log_base(&bridge, UINT64_C(1) << 63), -EFAULT);
	/* Begins there, and ends beyond. */
	assert_int_equal(bridge_log_base(&bridge, USER_END - PAGE), -EFAULT);

	/* None at all */
	assert_int_equal(bridge_log_buffers(&bridge, true), 0);
	assert_int_equal(bridge_start(&bridge, 0), -EINVAL);
	assert_int_equal(bridge_log_buffers(&bridge, false), 0);
	assert_int_equal(bridge_log_ring(&bridge, 0, true), 0);
	assert_int_equal(bridge_start(&bridge, 0), -EINVAL);
	assert_int_equal(bridge_log_ring(&bridge, 0, false), 0);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	assert_int_equal(bridge_log_buffers(&bridge, true), -EINVAL);
	assert_int_equal(bridge_log_ring(&bridge, 0, true), -EINVAL);

	/* There must be one as long as it is used. */
	log_all();
	assert_int_equal(bridge_log_base(&bridge, 0), -EINVAL);
	assert_int_equal(bridge_log_base(&bridge, UINT64_MAX), -EFAULT);
	burst();
	assert_true(each_written_page_is_marked(&bitmap));
	assert_int_equal(bridge_log_buffers(&bridge, false), 0);
	assert_int_equal(bridge_log_ring(&bridge, 0, false), 0);
	assert_int_equal(bridge_log_base(&bridge, 0), 0);
}

/* Only what concerns the log may change while the queue runs. */
static void test_other_changes_while_running(void **state)
{
	const uint64_t features = bridge.features ^ LOG_ALL ^
				  bridge_bit(VIRTIO_RING_F_EVENT_IDX);
	struct vhost_vring_addr addr;

	(void)state;
	bridge_log_use(&bridge, &bitmap);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_FEATURES, &features),
			 -EBUSY);
	bridge_addr(&bridge, 0, &addr);
	addr.flags = 1 << VHOST_VRING_F_LOG;
	addr.desc_user_addr += 16;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_VRING_ADDR, &addr),
			 -EBUSY);
	bridge_addr(&bridge, 0, &addr);
	addr.flags = 1 << VHOST_VRING_F_LOG;
	addr.log_guest_addr = UINT64_MAX - 3;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_VRING_ADDR, &addr),
			 is_packed() ? 0 : -EFAULT);
	addr.log_guest_addr = 2;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_VRING_ADDR, &addr),
			 -EINVAL);
	addr.flags |= 2;
	addr.log_guest_addr = 0;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_VRING_ADDR, &addr),
			 -EOPNOTSUPP);
	assert_int_equal(bridge_log_ring(&bridge, 0, false), 0);
	/* A packed one was logged for a moment, in which it may have asked for kicks. */
	take_ring_pages(&bitmap);
	burst();
	assert_int_equal(bridge_log_count(&bitmap), 0);
}

static void test_log_eventfd(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const int none = -1, bad = 999, file = bitmap.fd;

	(void)state;
	assert_int_equal(bridge_call(&bridge, VHOST_SET_LOG_FD, &bad), -EBADF);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_LOG_FD, &file),
			 -EINVAL);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_LOG_FD, &event), 0);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	burst();
	assert_int_equal(bridge_read_event(event), 0);
	log_all();
	burst();
	assert_int_equal(bridge_wait_event(event, BRIDGE_WAIT_MS), 0);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_LOG_FD, &none), 0);
	bridge_read_event(event);
	burst();
	assert_int_equal(bridge_read_event(event), 0);
	/* Closing the device lets go of it. */
	assert_int_equal(bridge_call(&bridge, VHOST_SET_LOG_FD, &event), 0);
	close(event);
}

#define CASE(function) { #function, function }

static const struct {
	const char *name;
	CMUnitTestFunction function;
} cases[] = {
	CASE(test_what_changed_is_marked),
	CASE(test_ring_alone),
	CASE(test_buffers_alone),
	CASE(test_ring_log_address),
	CASE(test_switched_while_running),
	CASE(test_base_swapped_while_running),
	CASE(test_nothing_is_lost_in_a_migration),
	CASE(test_bitmap_that_cannot_be_written),
	CASE(test_bad_base),
	CASE(test_other_changes_while_running),
	CASE(test_log_eventfd),
};

#define INDIRECT (UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)
#define BASIC (UINT64_C(1) << VIRTIO_F_VERSION_1 | INDIRECT)
#define PACKED (UINT64_C(1) << VIRTIO_F_RING_PACKED)

static const struct variant variants[] = {
	{ "split", BASIC },
	{ "split event_idx", BASIC | EVENT_IDX },
	{ "packed", BASIC | PACKED },
	{ "packed event_idx", BASIC | PACKED | EVENT_IDX },
};

#define VARIANTS VHB_ARRAY_COUNT(variants)
#define CASES VHB_ARRAY_COUNT(cases)

int main(void)
{
	static struct CMUnitTest tests[VARIANTS * CASES];
	static char names[VARIANTS * CASES][80];
	size_t count = 0;
	int ret;

	module_need();
	seed = test_random_seed();
	for (size_t i = 0; i < VARIANTS; i++) {
		for (size_t j = 0; j < CASES; j++, count++) {
			snprintf(names[count], sizeof(names[count]), "%s: %s",
				 cases[j].name, variants[i].name);
			tests[count] = (struct CMUnitTest){
				names[count], cases[j].function, set_up,
				tear_down, (void *)&variants[i]
			};
		}
	}
	ret = _cmocka_run_group_tests("log", tests, count, NULL, NULL);
	module_restore();
	return ret;
}
