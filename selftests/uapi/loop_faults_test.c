// SPDX-License-Identifier: GPL-2.0-or-later
/* Drivers that break the rules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/mman.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/module.h"
#include "lib/resources.h"

#define RING_ENTRIES 64
#define TABLE_DESCS 32
#define SEGMENTS_MAX 1024
#define GPA BRIDGE_BUFFERS_GPA

#define EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT (UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

/**
 * struct misdeed - what a driver does wrong
 * @name: for people
 * @fault: what the device calls it
 * @layouts: for which rings: SPLIT, PACKED
 * @features: negotiated besides
 * @commit: does it
 */
struct misdeed {
	const char *name;
	enum vhost_bridge_fault fault;
	unsigned int layouts;
	uint64_t features;
	void (*commit)(struct vq_driver *driver);
};

#define SPLIT 1u
#define PACKED 2u
#define BOTH (SPLIT | PACKED)

/**
 * struct case_state - a misdeed on a kind of ring
 * @misdeed: which
 * @is_packed: the layout
 * @name: for people
 */
struct case_state {
	const struct misdeed *misdeed;
	bool is_packed;
	char name[80];
};

static struct bridge bridge;
static struct resources resources_before;
static unsigned int threads_before;

static void offer_one(struct vq_driver *driver, uint64_t gpa, uint32_t length,
		      uint16_t flags)
{
	const struct vq_desc desc = { gpa, length, flags, 0 };

	vq_driver_offer(driver, &desc, 1);
}

static void offer_table(struct vq_driver *driver, uint32_t count)
{
	struct vq_desc descs[SEGMENTS_MAX + 1];
	uint32_t i;

	for (i = 0; i < count; i++)
		descs[i] = (struct vq_desc){
			.addr = GPA,
			.len = 1,
			.flags = !driver->is_packed && i + 1 < count ? VQ_NEXT :
								       0,
			.next_or_id = i + 1,
		};
	offer_one(driver, vq_driver_put_table(driver, descs, count), count * 16,
		  VQ_INDIRECT);
}

static void read_nowhere(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ BRIDGE_NOWHERE_GPA, 16, VQ_NEXT, 1 },
		{ GPA, 16, VQ_WRITE, 0 },
	};

	vq_driver_offer(driver, descs, 2);
}

static void write_nowhere(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ GPA, 16, VQ_NEXT, 1 },
		{ BRIDGE_GPA + BRIDGE_BYTES - 8, 16, VQ_WRITE, 0 },
	};

	vq_driver_offer(driver, descs, 2);
}

static void wrap_address(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ UINT64_MAX - 7, 16, VQ_NEXT, 1 },
		{ GPA, 16, VQ_WRITE, 0 },
	};

	vq_driver_offer(driver, descs, 2);
}

static void table_nowhere(struct vq_driver *driver)
{
	offer_one(driver, BRIDGE_NOWHERE_GPA, 32, VQ_INDIRECT);
}

static void table_wraps(struct vq_driver *driver)
{
	offer_one(driver, UINT64_MAX - 15, 32, VQ_INDIRECT);
}

/* The device's address of the buffer is right, but nothing is there. */
static void unmapped_buffer(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ GPA, 16, VQ_NEXT, 1 },
		{ BRIDGE_SPLIT_GPA + 0x100000, 16, VQ_WRITE, 0 },
	};

	assert_int_equal(munmap(bridge.second + 0x100000, 0x1000), 0);
	vq_driver_offer(driver, descs, 2);
}

static void unmapped_ring(struct vq_driver *driver)
{
	assert_ptr_not_equal(mmap(driver->desc, 0x4000, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0), MAP_FAILED);
	if (!driver->is_packed)
		vq_driver_jump(driver, 1);
}

static void avail_jumps(struct vq_driver *driver)
{
	vq_driver_jump(driver, RING_ENTRIES + 1);
}

static void avail_goes_back(struct vq_driver *driver)
{
	vq_driver_jump(driver, 0xffff);
}

static void head_outside(struct vq_driver *driver)
{
	vq_driver_offer_head(driver, RING_ENTRIES);
}

static void head_far_outside(struct vq_driver *driver)
{
	vq_driver_offer_head(driver, 0xffff);
}

static void next_outside(struct vq_driver *driver)
{
	const struct vq_desc desc = { GPA, 16, VQ_NEXT, RING_ENTRIES };

	vq_driver_offer(driver, &desc, 1);
}

static void next_outside_table(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ GPA, 16, VQ_NEXT, 1 },
		{ GPA, 16, VQ_NEXT, 2 },
	};

	offer_one(driver, vq_driver_put_table(driver, descs, 2), 32,
		  VQ_INDIRECT);
}

static void chain_in_circle(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ GPA, 16, VQ_NEXT, 1 },
		{ GPA, 16, VQ_NEXT, 0 },
	};

	vq_driver_offer(driver, descs, 2);
}

static void table_in_circle(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ GPA, 16, VQ_NEXT, 1 },
		{ GPA, 16, VQ_NEXT, 0 },
	};

	offer_one(driver, vq_driver_put_table(driver, descs, 2), 32,
		  VQ_INDIRECT);
}

/* Once around, and every descriptor says that there is one more. */
static void chain_without_end(struct vq_driver *driver)
{
	struct vq_desc descs[RING_ENTRIES];
	uint32_t i;

	for (i = 0; i < RING_ENTRIES; i++)
		descs[i] = (struct vq_desc){ GPA, 16, VQ_NEXT, i };
	vq_driver_offer(driver, descs, RING_ENTRIES);
}

static void table_too_long(struct vq_driver *driver)
{
	offer_table(driver, SEGMENTS_MAX + 1);
}

static void too_many_bytes(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ GPA, 0x80000000, VQ_NEXT, 1 },
		{ GPA, 0x80000000, 0, 0 },
	};

	vq_driver_offer(driver, descs, 2);
}

static void table_of_odd_size(struct vq_driver *driver)
{
	offer_one(driver, GPA, 17, VQ_INDIRECT);
}

static void table_in_table(struct vq_driver *driver)
{
	const struct vq_desc desc = { GPA, 16, VQ_INDIRECT, 0 };

	offer_one(driver, vq_driver_put_table(driver, &desc, 1), 16,
		  VQ_INDIRECT);
}

static void table_and_next(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ GPA, 16, VQ_INDIRECT | VQ_NEXT, 1 },
		{ GPA, 16, VQ_WRITE, 0 },
	};

	vq_driver_offer(driver, descs, 2);
}

static void empty_table(struct vq_driver *driver)
{
	offer_one(driver, GPA, 0, VQ_INDIRECT);
}

static void readable_behind_writable(struct vq_driver *driver)
{
	const struct vq_desc descs[] = {
		{ GPA, 16, VQ_WRITE | VQ_NEXT, 1 },
		{ GPA + 16, 16, 0, 0 },
	};

	vq_driver_offer(driver, descs, 2);
}

#define MISDEED(function, fault, layouts, features) \
	{ #function, VHOST_BRIDGE_FAULT_##fault, layouts, features, function }

static const struct misdeed misdeeds[] = {
	MISDEED(read_nowhere, MEMORY, BOTH, 0),
	MISDEED(write_nowhere, MEMORY, BOTH, EVENT_IDX),
	MISDEED(wrap_address, MEMORY, BOTH, 0),
	MISDEED(table_nowhere, MEMORY, BOTH, INDIRECT),
	MISDEED(table_wraps, MEMORY, BOTH, INDIRECT),
	MISDEED(unmapped_buffer, MEMORY, BOTH, 0),
	MISDEED(unmapped_ring, MEMORY, BOTH, EVENT_IDX),
	MISDEED(avail_jumps, AVAIL, SPLIT, 0),
	MISDEED(avail_goes_back, AVAIL, SPLIT, EVENT_IDX),
	MISDEED(head_outside, HEAD, SPLIT, 0),
	MISDEED(head_far_outside, HEAD, SPLIT, 0),
	MISDEED(next_outside, NEXT, SPLIT, 0),
	MISDEED(next_outside_table, NEXT, SPLIT, INDIRECT),
	MISDEED(chain_in_circle, LOOP, SPLIT, 0),
	MISDEED(table_in_circle, LOOP, SPLIT, INDIRECT),
	MISDEED(chain_without_end, LOOP, PACKED, 0),
	MISDEED(table_too_long, LONG, BOTH, INDIRECT),
	MISDEED(too_many_bytes, LONG, BOTH, 0),
	MISDEED(empty_table, INDIRECT, BOTH, 0),
	MISDEED(table_of_odd_size, INDIRECT, BOTH, INDIRECT),
	MISDEED(table_in_table, INDIRECT, BOTH, INDIRECT),
	MISDEED(table_and_next, INDIRECT, BOTH, INDIRECT),
	MISDEED(empty_table, EMPTY, BOTH, INDIRECT),
	MISDEED(readable_behind_writable, ORDER, BOTH, EVENT_IDX),
};

static int set_up(void **state)
{
	const struct case_state *now = *state;
	uint64_t features = bridge_bit(VIRTIO_F_VERSION_1);

	resources_count(&resources_before);
	threads_before = module_thread_count();
	bridge_open(&bridge, "loop");
	if (now->misdeed)
		features |= now->misdeed->features;
	if (now->is_packed)
		features |= bridge_bit(VIRTIO_F_RING_PACKED);
	bridge_set_up(&bridge, features);
	bridge_add_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	bridge_add_queue(&bridge, 1, RING_ENTRIES, TABLE_DESCS);
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

/* It is told once, and nothing is done for the driver any more. */
static void assert_broken(unsigned int index, enum vhost_bridge_fault fault)
{
	struct bridge_queue *queue = &bridge.queues[index];
	struct vhost_vring_state base = { .index = index };
	struct vhost_bridge_vring_status status, later;

	assert_int_equal(bridge_wait_event(queue->err_fd, BRIDGE_WAIT_MS), 0);
	bridge_status(&bridge, index, &status);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_BROKEN);
	assert_int_equal(status.fault, fault);
	assert_int_equal(status.in_flight_count, 0);
	assert_int_equal(bridge_call(&bridge, VHOST_GET_VRING_BASE, &base),
			 -EBUSY);
	assert_int_equal(bridge_start(&bridge, index), -EBUSY);
	bridge_kick_always(queue);
	usleep(10000);
	bridge_status(&bridge, index, &later);
	assert_int_equal(later.state, VHOST_BRIDGE_VRING_BROKEN);
	assert_int_equal(later.chain_count, status.chain_count);
	assert_int_equal(bridge_read_event(queue->err_fd), 1);
	assert_int_equal(queue->saved->is_saved, 0);
}

static void test_misdeed(void **state)
{
	const struct case_state *now = *state;
	struct bridge_queue *queue = &bridge.queues[0];
	struct vhost_bridge_vring_status status;

	echo_works(&bridge, 0);
	now->misdeed->commit(&queue->driver);
	bridge_kick_always(queue);
	if (now->misdeed->commit == unmapped_ring) {
		assert_int_equal(bridge_wait_state(&bridge, 0,
						   VHOST_BRIDGE_VRING_BROKEN),
				 0);
		assert_int_equal(bridge_stop(&bridge, 0), 0);
		return;
	}
	assert_broken(0, now->misdeed->fault);
	echo_works(&bridge, 1);

	assert_int_equal(bridge_stop(&bridge, 0), 0);
	assert_int_equal(queue->saved->is_saved, 1);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_STOPPED);
	assert_int_equal(bridge_stop(&bridge, 0), -ESRCH);

	/* With a new ring it goes on. */
	bridge_free_queue(&bridge, 0);
	bridge_add_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_RUNNING);
	assert_int_equal(status.fault, VHOST_BRIDGE_FAULT_NONE);
	echo_works(&bridge, 0);
	echo_works(&bridge, 1);
}

/* As long as may be */
static void test_longest_table(void **state)
{
	uint64_t features = bridge.features | INDIRECT;

	(void)state;
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	assert_int_equal(bridge_stop(&bridge, 1), 0);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_FEATURES, &features),
			 0);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	bridge.queues[0].driver.chains[0].is_in_flight = true;
	bridge.queues[0].driver.chains[0].desc_count = 1;
	offer_table(&bridge.queues[0].driver, SEGMENTS_MAX);
	bridge_kick_always(&bridge.queues[0]);
	assert_int_equal(bridge_take(&bridge.queues[0], NULL), 0);
}

/* Closed while it is broken */
static void test_close_when_broken(void **state)
{
	(void)state;
	readable_behind_writable(&bridge.queues[0].driver);
	bridge_kick_always(&bridge.queues[0]);
	assert_broken(0, VHOST_BRIDGE_FAULT_ORDER);
}

#define CASES_MAX 80

static struct CMUnitTest tests[CASES_MAX];
static struct case_state states[CASES_MAX];
static size_t test_count;

static void add_case(const char *name, CMUnitTestFunction function,
		     const struct misdeed *misdeed, bool is_packed)
{
	struct case_state *now = &states[test_count];

	now->misdeed = misdeed;
	now->is_packed = is_packed;
	snprintf(now->name, sizeof(now->name), "%s: %s%s", name,
		 is_packed ? "packed" : "split",
		 misdeed && misdeed->features ? " with features" : "");
	tests[test_count++] = (struct CMUnitTest){ now->name, function, set_up,
						   tear_down, now };
}

int main(void)
{
	unsigned int layout;
	size_t i;
	int ret;

	module_need();
	for (layout = SPLIT; layout <= PACKED; layout++) {
		const bool is_packed = layout == PACKED;

		for (i = 0; i < VHB_ARRAY_COUNT(misdeeds); i++)
			if (misdeeds[i].layouts & layout)
				add_case(misdeeds[i].name, test_misdeed,
					 &misdeeds[i], is_packed);
		add_case("longest table", test_longest_table, NULL, is_packed);
		add_case("close when broken", test_close_when_broken, NULL,
			 is_packed);
	}
	ret = _cmocka_run_group_tests("loop_faults", tests, test_count, NULL,
				      NULL);
	module_restore();
	return ret;
}
