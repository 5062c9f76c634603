// SPDX-License-Identifier: GPL-2.0-or-later
/* Traffic through the loop device behind an IOMMU that answers each miss. */
#include "lib/bridge_device.h"
#include "lib/bridge_log.h"
#include "uapi/iotlb_fixture.h"

#include <linux/vhost_types.h>

#define PAGE_CHAINS 600
#define ODD_CHAINS 100
#define TINY_CHAINS 6
#define LOGGED_CHAINS 20
#define SWAPS 60
/* More than there may be entries */
#define HOLES 2108
#define FAR_IOVA (UINT64_C(1) << 40)

static struct echo echo;

static enum vq_form any_form(void)
{
	return test_random_below(&echo.random, VQ_FORMS);
}

static void run_traffic(uint32_t piece_bytes, uint32_t first,
			unsigned int chain_count)
{
	struct iotlb_server server = {
		.bridge = &bridge,
		.piece_bytes = piece_bytes,
		.first = first,
	};

	iotlb_server_start(&server);
	assert_int_equal(bridge_iotlb_start(&bridge, 0), 0);
	echo_init(&echo, &bridge, 0, seed);
	while (echo.sent_count < chain_count)
		echo_burst(&echo, 1 + test_random_below(&echo.random, 40),
			   any_form());
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	iotlb_server_stop(&server);
	assert_true(atomic_load(&server.miss_count));
	assert_int_equal(bridge_get_base(&bridge, 0),
			 vq_driver_base(&bridge.queues[0].driver));
}

static void test_pages_mapped_on_miss(void **state)
{
	(void)state;
	run_traffic(PAGE, 0, PAGE_CHAINS);
}

/* Rings, tables and buffers are cut apart where it happens. */
static void test_odd_pieces(void **state)
{
	(void)state;
	run_traffic(1237, 5, ODD_CHAINS);
}

/* Descriptors and numbers too */
static void test_tiny_pieces(void **state)
{
	(void)state;
	run_traffic(13, 3, TINY_CHAINS);
}

static void *keep_forgetting(void *must_stop)
{
	struct test_random random = test_random_of(seed);

	while (!atomic_load((atomic_bool *)must_stop)) {
		const uint64_t offset = test_random_below(&random, 10u << 20);
		const uint64_t bytes = 1 + test_random_below(&random, 1 << 20);

		if (bridge_iotlb_send(&bridge, VHOST_IOTLB_INVALIDATE,
				      BRIDGE_GPA + offset, bytes, 0))
			return "failed";
		usleep(200);
	}
	return NULL;
}

static void test_invalidation_under_traffic(void **state)
{
	atomic_bool must_stop = false;
	pthread_t thread;
	void *failed;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, keep_forgetting,
					&must_stop), 0);
	run_traffic(8 * PAGE, 0, PAGE_CHAINS / 2);
	atomic_store(&must_stop, true);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
}

/**
 * struct copier - sends one chain after the other
 * @must_stop: end
 * @count: how many there were
 * @is_good: all of them came back
 */
struct copier {
	atomic_bool must_stop;
	uint64_t count;
	bool is_good;
};

static void *keep_copying(void *argument)
{
	struct copier *copier = argument;

	while (!atomic_load(&copier->must_stop)) {
		copier->count++;
		memcpy(bridge_at(&bridge, SOURCE_GPA), &copier->count, 8);
		if (add_copy(0, SOURCE_GPA, TARGET_GPA, 8) < 0)
			return NULL;
		bridge_kick_always(&bridge.queues[0]);
		if (bridge_take(&bridge.queues[0], NULL) < 0)
			return NULL;
	}
	copier->is_good = true;
	return NULL;
}

static void map_target(const uint64_t *place)
{
	const struct vhost_msg_v2 message = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = TARGET_GPA,
			.size = PAGE,
			.uaddr = (uintptr_t)place,
			.perm = VHOST_ACCESS_WO,
			.type = VHOST_IOTLB_UPDATE,
		},
	};

	assert_int_equal(bridge_iotlb_write(&bridge, &message), 0);
}

/* When INVALIDATE has returned nothing more is written where it was. */
static void test_what_is_invalidated_is_not_used(void **state)
{
	uint64_t *places[] = {
		bridge_at(&bridge, BRIDGE_GPA + (50u << 20)),
		bridge_at(&bridge, BRIDGE_GPA + (51u << 20)),
	};
	struct copier copier = { .must_stop = false };
	pthread_t thread;
	uint64_t before;
	unsigned int i;

	(void)state;
	run_mapped();
	assert_int_equal(pthread_create(&thread, NULL, keep_copying, &copier),
			 0);
	for (i = 0; i < SWAPS; i++) {
		map_target(places[i % 2]);
		usleep(2000);
		bridge_iotlb_unmap(&bridge, TARGET_GPA, PAGE);
		before = __atomic_load_n(places[i % 2], __ATOMIC_SEQ_CST);
		usleep(1000);
		assert_true(__atomic_load_n(places[i % 2], __ATOMIC_SEQ_CST) ==
			    before);
	}
	map_target(places[0]);
	atomic_store(&copier.must_stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(copier.is_good);
	assert_true(*places[0] && *places[1]);
	assert_true(*places[0] == copier.count || *places[1] == copier.count);
}

/* The marks are guest addresses, which the memory table knows. */
static void test_dirty_log(void **state)
{
	const struct {
		uint32_t nregions;
		uint32_t padding;
		struct vhost_memory_region region;
	} table = {
		.nregions = 1,
		.region = {
			.guest_phys_addr = BRIDGE_GPA + (8u << 20),
			.memory_size = BRIDGE_BYTES,
			.userspace_addr = (uintptr_t)bridge.base,
		},
	};
	struct vq_driver *driver = &bridge.queues[0].driver;
	struct bridge_log bitmap;
	unsigned int i;

	(void)state;
	bridge_log_open(&bitmap);
	bitmap.shift_bytes = 8u << 20;
	bridge_log_use(&bridge, &bitmap);
	assert_int_equal(bridge_log_buffers(&bridge, true), 0);
	assert_int_equal(bridge_log_ring(&bridge, 0, true), 0);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_MEM_TABLE, &table), 0);
	bridge_iotlb_map(&bridge, BRIDGE_GPA, BRIDGE_BYTES, VHOST_ACCESS_RW);
	fill(SOURCE_GPA, 0x55, PAGE);
	for (i = 0; i < LOGGED_CHAINS; i++)
		assert_true(add_copy(0, SOURCE_GPA,
				     BRIDGE_BUFFERS_GPA + i * 5000, 100) >= 0);
	if (is_packed())
		memset(driver->used, 0xff, 4);
	bridge_log_begin(&bitmap, &bridge);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	for (i = 0; i < LOGGED_CHAINS; i++)
		assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	bridge_log_check(&bitmap, &bridge);
	bridge_log_close(&bitmap);
}

/* Each hole in an entry makes two of it; the oldest are forgotten. */
static void test_holes_make_no_more_entries_than_there_may_be(void **state)
{
	const uint64_t last = FAR_IOVA + (HOLES - 1) * UINT64_C(2) * PAGE;
	struct vhost_msg_v2 message = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = FAR_IOVA,
			.size = HOLES * UINT64_C(2) * PAGE,
			.uaddr = (uintptr_t)bridge.base + (42u << 20),
			.perm = VHOST_ACCESS_RO,
			.type = VHOST_IOTLB_UPDATE,
		},
	};
	unsigned int i;

	(void)state;
	assert_int_equal(bridge_iotlb_write(&bridge, &message), 0);
	for (i = 0; i < HOLES; i++)
		bridge_iotlb_unmap(&bridge, FAR_IOVA + (2 * i + 1) * PAGE, PAGE);
	run_mapped();
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	send_copy(last, TARGET_GPA, 10);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	send_copy(FAR_IOVA, TARGET_GPA, 10);
	assert_miss(FAR_IOVA, VHOST_ACCESS_RO);
}

static const struct fixture_case cases[] = {
	CASE(test_holes_make_no_more_entries_than_there_may_be),
	CASE(test_pages_mapped_on_miss),
	CASE(test_odd_pieces),
	CASE(test_tiny_pieces),
	CASE(test_invalidation_under_traffic),
	CASE(test_what_is_invalidated_is_not_used),
	CASE(test_dirty_log),
};

#define EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)
#define PACKED (UINT64_C(1) << VIRTIO_F_RING_PACKED)
#define IN_ORDER (UINT64_C(1) << VIRTIO_F_IN_ORDER)

static const struct variant variants[] = {
	{ "split", BASIC_FEATURES },
	{ "split event_idx in_order", BASIC_FEATURES | EVENT_IDX | IN_ORDER },
	{ "packed", BASIC_FEATURES | PACKED },
	{ "packed event_idx in_order",
	  BASIC_FEATURES | PACKED | EVENT_IDX | IN_ORDER },
};

int main(void)
{
	return run_cases("iotlb_traffic", cases, VHB_ARRAY_COUNT(cases),
			 variants, VHB_ARRAY_COUNT(variants));
}
