/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_UAPI_IOTLB_FIXTURE_H
#define SELFTESTS_UAPI_IOTLB_FIXTURE_H

/**
 * DOC: a loop device behind an IOMMU
 *
 * Each test has one whose queue 0 was never started, and nothing is mapped.
 */

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

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/bridge_iotlb.h"
#include "lib/module.h"
#include "lib/resources.h"

#define RING_ENTRIES 64
#define TABLE_DESCS 8
#define PAGE 4096u

/* Places for buffers that tests choose by themselves */
#define SOURCE_GPA (BRIDGE_GPA + (40u << 20))
#define TARGET_GPA (BRIDGE_GPA + (41u << 20))

#define BASIC_FEATURES (UINT64_C(1) << VIRTIO_F_VERSION_1 |		\
			UINT64_C(1) << VIRTIO_F_ACCESS_PLATFORM |	\
			UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

struct variant {
	const char *name;
	uint64_t features;
};

static struct bridge bridge;
static struct resources resources_before;
static unsigned int threads_before;
static uint64_t seed;

static inline bool is_packed(void)
{
	return bridge.features & bridge_bit(VIRTIO_F_RING_PACKED);
}

static inline int set_up(void **state)
{
	const uint64_t second_version = 1 << VHOST_BACKEND_F_IOTLB_MSG_V2;
	const struct variant *variant = *state;

	resources_count(&resources_before);
	threads_before = module_thread_count();
	bridge_open(&bridge, "loop");
	bridge_set_up(&bridge, variant->features);
	bridge_iotlb_set_table(&bridge);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_BACKEND_FEATURES,
				     &second_version), 0);
	bridge_make_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	bridge_program_queue(&bridge, 0);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	bridge_close(&bridge);
	assert_int_equal(module_wait_threads(threads_before), 0);
	resources_assert_same(&resources_before);
	return 0;
}

/* A queue that can run, and a readable buffer */
static inline void run_mapped(void)
{
	bridge_iotlb_map_ring(&bridge, 0);
	bridge_iotlb_map(&bridge, SOURCE_GPA, PAGE, VHOST_ACCESS_RO);
	assert_int_equal(bridge_start(&bridge, 0), 0);
}

static inline void renew_queue(void)
{
	bridge_free_queue(&bridge, 0);
	bridge_iotlb_unmap(&bridge, BRIDGE_GPA, BRIDGE_BYTES);
	bridge_make_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	bridge_program_queue(&bridge, 0);
}

/* A chain that copies from one place to another; not kicked */
static inline int add_copy(unsigned int index, uint64_t from, uint64_t to,
			   uint32_t bytes)
{
	const struct vq_buffer buffers[] = {
		{ from, bytes, false },
		{ to, bytes, true },
	};

	return vq_driver_add(&bridge.queues[index].driver, buffers, 2,
			     VQ_DIRECT);
}

static inline void send_copy(uint64_t from, uint64_t to, uint32_t bytes)
{
	assert_true(add_copy(0, from, to, bytes) >= 0);
	bridge_kick_always(&bridge.queues[0]);
}

static inline void assert_miss(uint64_t iova, uint8_t perm)
{
	struct vhost_msg_v2 message;

	assert_int_equal(bridge_iotlb_wait(&bridge, &message), 0);
	assert_int_equal(message.type, VHOST_IOTLB_MSG_V2);
	assert_int_equal(message.asid, 0);
	assert_true(message.iotlb.iova == iova);
	assert_int_equal(message.iotlb.perm, perm);
	assert_int_equal(message.iotlb.uaddr, 0);
	assert_int_equal(message.iotlb.size, 0);
}

static inline void assert_breaks(enum vhost_bridge_fault fault)
{
	struct vhost_bridge_vring_status status;

	assert_int_equal(bridge_wait_event(bridge.queues[0].err_fd,
					   BRIDGE_WAIT_MS), 0);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_BROKEN);
	assert_int_equal(status.fault, fault);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
}

/* Whatever was in there is no more; the next write is seen. */
static inline void fill(uint64_t gpa, uint8_t byte, uint32_t bytes)
{
	memset(bridge_at(&bridge, gpa), byte, bytes);
}

static inline void assert_filled(uint64_t gpa, uint8_t byte, uint32_t bytes)
{
	const uint8_t *at = bridge_at(&bridge, gpa);
	uint32_t i;

	for (i = 0; i < bytes; i++)
		assert_int_equal(at[i], byte);
}

struct fixture_case {
	const char *name;
	CMUnitTestFunction function;
};

#define CASE(function) { #function, function }

#define CASES_MAX 64

static inline int run_cases(const char *name, const struct fixture_case *cases,
			    size_t case_count, const struct variant *variants,
			    size_t variant_count)
{
	static struct CMUnitTest tests[CASES_MAX];
	static char names[CASES_MAX][80];
	size_t count = 0;
	int ret;

	module_need();
	seed = test_random_seed();
	for (size_t i = 0; i < variant_count; i++) {
		for (size_t j = 0; j < case_count; j++, count++) {
			snprintf(names[count], sizeof(names[count]), "%s: %s",
				 cases[j].name, variants[i].name);
			tests[count] = (struct CMUnitTest){
				names[count], cases[j].function, set_up,
				tear_down, (void *)&variants[i]
			};
		}
	}
	ret = _cmocka_run_group_tests(name, tests, count, NULL, NULL);
	module_restore();
	return ret;
}

#endif
