// SPDX-License-Identifier: GPL-2.0-or-later
/* Each request of the module with arguments right and wrong. */
#include "lib/bridge_device.h"
#include "uapi/ioctl_fixture.h"

#include <sys/mman.h>

#include <linux/virtio_ids.h>

static void test_info(void **state)
{
	struct vhost_bridge_info info = { .size_bytes = sizeof(info) };

	(void)state;
	assert_call(VHOST_BRIDGE_GET_INFO, &info, 0);
	assert_int_equal(info.size_bytes, sizeof(info));
	assert_int_equal(info.abi, VHOST_BRIDGE_ABI);
	assert_int_equal(info.virtio_id, 0);
	assert_int_equal(info.vring_count_max, QUEUES_MAX);
	assert_string_equal(info.version, VHOST_BRIDGE_VERSION);
}

static void test_bad_info(void **state)
{
	struct vhost_bridge_info info = { .size_bytes = sizeof(info) };

	(void)state;
	assert_call(VHOST_BRIDGE_GET_INFO, NULL, -EFAULT);
	info.size_bytes--;
	assert_call(VHOST_BRIDGE_GET_INFO, &info, -EINVAL);
	info.size_bytes += 2;
	assert_call(VHOST_BRIDGE_GET_INFO, &info, -EINVAL);
	info.size_bytes = 0;
	assert_call(VHOST_BRIDGE_GET_INFO, &info, -EINVAL);
	info.size_bytes = sizeof(info);
	info.reserved[3] = 1;
	assert_call(VHOST_BRIDGE_GET_INFO, &info, -EINVAL);
}

static void test_info_without_owner(void **state)
{
	struct vhost_bridge_info info = { .size_bytes = sizeof(info) };
	struct bridge other = { .fd = -1 };

	(void)state;
	bridge_open_device(&other, "blk");
	assert_int_equal(bridge_call(&other, VHOST_BRIDGE_GET_INFO, &info), 0);
	assert_int_equal(info.virtio_id, VIRTIO_ID_BLOCK);
	assert_true(info.vring_count_max >= 1);
	bridge_close(&other);
}

static void test_unknown_requests(void **state)
{
	const unsigned long requests[] = {
		0,
		_IO(VHOST_BRIDGE_IOCTL, 0x00),
		_IO(VHOST_BRIDGE_IOCTL, 0x7f),
		_IOW(VHOST_BRIDGE_IOCTL, 0x00, struct vhost_bridge_info),
		_IOW(VHOST_BRIDGE_IOCTL, 0x01, uint32_t),
		VHOST_BRIDGE_BLK_SET_BACKING,
		VHOST_NET_SET_BACKEND,
		VHOST_SET_VRING_ENDIAN,
		0xffffffff,
	};
	struct bridge other = { .fd = -1 };
	uint64_t argument[32] = { 0 };

	(void)state;
	bridge_open_device(&other, "loop");
	for (size_t i = 0; i < VHB_ARRAY_COUNT(requests); i++) {
		assert_call(requests[i], argument, -ENOTTY);
		/* Nobody has to own it to be told so. */
		assert_int_equal(bridge_call(&other, requests[i], argument),
				 -ENOTTY);
	}
	bridge_close(&other);
}

static void test_no_argument(void **state)
{
	const unsigned long requests[] = {
		VHOST_GET_FEATURES,
		VHOST_SET_FEATURES,
		VHOST_SET_MEM_TABLE,
		VHOST_SET_LOG_BASE,
		VHOST_SET_LOG_FD,
		VHOST_GET_BACKEND_FEATURES,
		VHOST_SET_BACKEND_FEATURES,
		VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_BASE,
		VHOST_GET_VRING_BASE,
		VHOST_SET_VRING_KICK,
		VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR,
		VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
		VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
		VHOST_BRIDGE_START_VRING,
		VHOST_BRIDGE_STOP_VRING,
		VHOST_BRIDGE_GET_VRING_STATUS,
		VHOST_BRIDGE_GET_CONFIG,
		VHOST_BRIDGE_SET_CONFIG,
	};
	void *sealed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	(void)state;
	assert_ptr_not_equal(sealed, MAP_FAILED);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(requests); i++) {
		assert_call(requests[i], NULL, -EFAULT);
		assert_call(requests[i], sealed, -EFAULT);
		assert_call(requests[i], (void *)UINTPTR_MAX, -EFAULT);
	}
	munmap(sealed, 4096);
}

/* Queries that cannot write their answer */
static void test_read_only_argument(void **state)
{
	struct vhost_bridge_vring_status status = { .size_bytes =
							    sizeof(status) };
	struct vhost_bridge_info info = { .size_bytes = sizeof(info) };
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(page, MAP_FAILED);
	memcpy(page, &info, sizeof(info));
	memcpy(page + 1024, &status, sizeof(status));
	assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
	assert_call(VHOST_BRIDGE_GET_INFO, page, -EFAULT);
	assert_call(VHOST_BRIDGE_GET_VRING_STATUS, page + 1024, -EFAULT);
	assert_call(VHOST_GET_FEATURES, page, -EFAULT);
	assert_call(VHOST_GET_VRING_BUSYLOOP_TIMEOUT, page + 2048, -EFAULT);
	munmap(page, 4096);
}

static void test_index_too_high(void **state)
{
	const unsigned int indexes[] = { QUEUES_MAX, QUEUES_MAX + 1, 255, 65536,
					 UINT32_MAX };
	const unsigned long states[] = {
		VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_BASE,
		VHOST_GET_VRING_BASE,
		VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
		VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
	};
	const unsigned long files[] = {
		VHOST_SET_VRING_KICK,
		VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR,
	};

	(void)state;
	for (size_t i = 0; i < VHB_ARRAY_COUNT(indexes); i++) {
		struct vhost_bridge_vring vring = { .size_bytes = sizeof(vring),
						    .index = indexes[i] };
		struct vhost_bridge_vring_status status = {
			.size_bytes = sizeof(status), .index = indexes[i]
		};
		struct vhost_vring_addr addr;

		bridge_addr(&bridge, 0, &addr);
		addr.index = indexes[i];
		for (size_t j = 0; j < VHB_ARRAY_COUNT(states); j++)
			assert_int_equal(call_state(states[j], indexes[i], 16),
					 -ENOBUFS);
		for (size_t j = 0; j < VHB_ARRAY_COUNT(files); j++)
			assert_int_equal(call_file(files[j], indexes[i], -1),
					 -ENOBUFS);
		assert_call(VHOST_SET_VRING_ADDR, &addr, -ENOBUFS);
		assert_call(VHOST_BRIDGE_START_VRING, &vring, -ENOBUFS);
		assert_call(VHOST_BRIDGE_STOP_VRING, &vring, -ENOBUFS);
		assert_call(VHOST_BRIDGE_GET_VRING_STATUS, &status, -ENOBUFS);
	}
}

static void test_bad_vring(void **state)
{
	const unsigned long requests[] = { VHOST_BRIDGE_START_VRING,
					   VHOST_BRIDGE_STOP_VRING };

	(void)state;
	for (size_t i = 0; i < VHB_ARRAY_COUNT(requests); i++) {
		struct vhost_bridge_vring vring = { .size_bytes =
							    sizeof(vring) };

		vring.size_bytes++;
		assert_call(requests[i], &vring, -EINVAL);
		vring.size_bytes = 0;
		assert_call(requests[i], &vring, -EINVAL);
		vring.size_bytes = sizeof(vring);
		vring.flags = 2;
		assert_call(requests[i], &vring, -EINVAL);
		vring.flags = 0;
		vring.reserved0 = 0x80000000;
		assert_call(requests[i], &vring, -EINVAL);
		vring.reserved0 = 0;
		vring.reserved[1] = 1;
		assert_call(requests[i], &vring, -EINVAL);
		vring.reserved[1] = 0;
		vring.base_addr = (uintptr_t)bridge.queues[0].saved;
		if (requests[i] == VHOST_BRIDGE_STOP_VRING)
			assert_call(requests[i], &vring, -EINVAL);
	}
}

static void test_bad_status(void **state)
{
	struct vhost_bridge_vring_status status = { .size_bytes =
							    sizeof(status) };

	(void)state;
	assert_call(VHOST_BRIDGE_GET_VRING_STATUS, &status, 0);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_RUNNING);
	assert_int_equal(status.fault, VHOST_BRIDGE_FAULT_NONE);
	status.size_bytes--;
	assert_call(VHOST_BRIDGE_GET_VRING_STATUS, &status, -EINVAL);
	status.size_bytes++;
	status.reserved0 = 1;
	assert_call(VHOST_BRIDGE_GET_VRING_STATUS, &status, -EINVAL);
	status.reserved0 = 0;
	status.reserved[0] = 1;
	assert_call(VHOST_BRIDGE_GET_VRING_STATUS, &status, -EINVAL);
}

static void test_config(void **state)
{
	uint8_t data[256];
	struct vhost_bridge_config config = {
		.size_bytes = sizeof(config),
		.length_bytes = sizeof(data),
		.data_addr = (uintptr_t)data,
	};
	uint8_t zeros[256] = { 0 };

	(void)state;
	memset(data, 0xee, sizeof(data));
	assert_call(VHOST_BRIDGE_GET_CONFIG, &config, 0);
	assert_memory_equal(data, zeros, sizeof(data));
	assert_call(VHOST_BRIDGE_SET_CONFIG, &config, -EACCES);

	config.offset_bytes = 255;
	config.length_bytes = 1;
	data[1] = 0xee;
	assert_call(VHOST_BRIDGE_GET_CONFIG, &config, 0);
	assert_int_equal(data[1], 0xee);
	config.offset_bytes = 256;
	config.length_bytes = 0;
	assert_call(VHOST_BRIDGE_GET_CONFIG, &config, 0);
}

static void test_bad_config(void **state)
{
	const unsigned long requests[] = { VHOST_BRIDGE_GET_CONFIG,
					   VHOST_BRIDGE_SET_CONFIG };
	uint8_t data[512];

	(void)state;
	for (size_t i = 0; i < VHB_ARRAY_COUNT(requests); i++) {
		struct vhost_bridge_config config = {
			.size_bytes = sizeof(config) - 4,
			.length_bytes = 8,
			.data_addr = (uintptr_t)data,
		};

		assert_call(requests[i], &config, -EINVAL);
		config.size_bytes = sizeof(config);
		config.reserved = 1;
		assert_call(requests[i], &config, -EINVAL);
		config.reserved = 0;
		config.offset_bytes = 249;
		assert_call(requests[i], &config, -EINVAL);
		config.offset_bytes = 257;
		config.length_bytes = 0;
		assert_call(requests[i], &config, -EINVAL);
		config.offset_bytes = UINT32_MAX;
		config.length_bytes = 2;
		assert_call(requests[i], &config, -EINVAL);
		config.offset_bytes = 2;
		config.length_bytes = UINT32_MAX;
		assert_call(requests[i], &config, -EINVAL);
		config.offset_bytes = 0;
		config.length_bytes = 8;
		config.data_addr = 0;
		assert_call(requests[i], &config, -EFAULT);
	}
}

static void test_features(void **state)
{
	const uint64_t acked = bridge.features;
	uint64_t offered = 0, wanted;

	(void)state;
	assert_call(VHOST_GET_FEATURES, &offered, 0);
	assert_true(offered & bridge_bit(VIRTIO_F_VERSION_1));
	assert_true(offered & bridge_bit(VIRTIO_F_RING_PACKED));
	assert_true(offered & bridge_bit(VIRTIO_F_IN_ORDER));
	assert_true(offered & bridge_bit(VIRTIO_RING_F_EVENT_IDX));
	assert_true(offered & bridge_bit(VIRTIO_RING_F_INDIRECT_DESC));

	/* Those it runs with, again */
	assert_call(VHOST_SET_FEATURES, &acked, 0);
	wanted = acked | bridge_bit(VIRTIO_RING_F_EVENT_IDX);
	assert_call(VHOST_SET_FEATURES, &wanted, -EBUSY);
	for (unsigned int bit = 0; bit < 64; bit++) {
		wanted = acked | bridge_bit(bit);
		if (!(offered & bridge_bit(bit)))
			assert_call(VHOST_SET_FEATURES, &wanted, -EOPNOTSUPP);
	}
}

static void test_features_while_stopped(void **state)
{
	const uint64_t acked = bridge.features;
	uint64_t wanted;

	(void)state;
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	wanted = UINT64_MAX;
	assert_call(VHOST_SET_FEATURES, &wanted, -EOPNOTSUPP);
	wanted = acked | bridge_bit(VIRTIO_RING_F_INDIRECT_DESC);
	assert_call(VHOST_SET_FEATURES, &wanted, 0);
	assert_call(VHOST_SET_FEATURES, &acked, 0);
	assert_int_equal(bridge_start(&bridge, 0), 0);
}

static void test_vring_values(void **state)
{
	(void)state;
	assert_int_equal(call_state(VHOST_SET_VRING_NUM, 1, 0), -EINVAL);
	assert_int_equal(call_state(VHOST_SET_VRING_NUM, 1, 32769), -EINVAL);
	assert_int_equal(call_state(VHOST_SET_VRING_NUM, 1, UINT32_MAX),
			 -EINVAL);
	assert_int_equal(call_state(VHOST_SET_VRING_NUM, 1, 32768), 0);
	assert_int_equal(call_state(VHOST_SET_VRING_BASE, 1, 65536), -EINVAL);
	assert_int_equal(call_state(VHOST_SET_VRING_BASE, 1, UINT32_MAX),
			 -EINVAL);
	assert_int_equal(call_state(VHOST_SET_VRING_BASE, 1, 65535), 0);
	assert_int_equal(bridge_get_base(&bridge, 1), 65535);
	assert_int_equal(call_state(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 1,
				    1000001), -EINVAL);
	assert_int_equal(call_state(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 1,
				    1000000), 0);
}

static void test_busyloop_timeout(void **state)
{
	struct vhost_vring_state vring = { .index = 2 };

	(void)state;
	assert_call(VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &vring, 0);
	assert_int_equal(vring.num, 0);
	assert_int_equal(call_state(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 2, 50),
			 0);
	assert_int_equal(call_state(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 2,
				    UINT32_MAX), -EINVAL);
	assert_call(VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &vring, 0);
	assert_int_equal(vring.num, 50);
	/* While it runs, too */
	assert_int_equal(call_state(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 0, 50),
			 0);
	assert_int_equal(call_state(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 0, 0),
			 0);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_info),
		TEST(test_bad_info),
		TEST(test_info_without_owner),
		TEST(test_unknown_requests),
		TEST(test_no_argument),
		TEST(test_read_only_argument),
		TEST(test_index_too_high),
		TEST(test_bad_vring),
		TEST(test_bad_status),
		TEST(test_config),
		TEST(test_bad_config),
		TEST(test_features),
		TEST(test_features_while_stopped),
		TEST(test_vring_values),
		TEST(test_busyloop_timeout),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	module_restore();
	return ret;
}
