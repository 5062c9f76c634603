// SPDX-License-Identifier: GPL-2.0-or-later
/* Every ioctl in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/vhost.h>
#include <linux/vhost_bridge.h>
#include <sys/eventfd.h>

#include "kdev/ioctl_trace.h"
#include "lib/trace.h"

static char words[4096];

static const char *describe(unsigned long request, const void *argument,
			    int result)
{
	struct vhb_text text;

	vhb_text_begin(&text, words, sizeof(words));
	vhb_ioctl_describe(7, request, argument, result, &text);
	return words;
}

static void test_calls_without_argument(void **state)
{
	(void)state;
	assert_string_equal(describe(VHOST_SET_OWNER, NULL, 0),
			    "VHOST_SET_OWNER fd=7 = 0");
	assert_string_equal(describe(VHOST_RESET_OWNER, NULL, -EBUSY),
			    "VHOST_RESET_OWNER fd=7 = EBUSY");
	assert_string_equal(describe(0x1234, NULL, -ENOTTY),
			    "IOCTL_0x1234 fd=7 = ENOTTY");
}

static void test_results_only_when_there_are_some(void **state)
{
	const __u64 mask = 0x108000000;

	(void)state;
	assert_int_equal(vhb_trace_open("/dev/null", "net"), 0);
	assert_string_equal(describe(VHOST_GET_FEATURES, &mask, 0),
			    "VHOST_GET_FEATURES fd=7 features=0x108000000(VIRTIO_NET_HDR,VERSION_1) = 0");
	assert_string_equal(describe(VHOST_GET_FEATURES, &mask, -EFAULT),
			    "VHOST_GET_FEATURES fd=7 = EFAULT");
	assert_int_equal(vhb_trace_open("/dev/null", "blk"), 0);
	assert_string_equal(describe(VHOST_SET_FEATURES, &mask, -EBUSY),
			    "VHOST_SET_FEATURES fd=7 features=0x108000000(ANY_LAYOUT,VERSION_1) = EBUSY");
	vhb_trace_close();
}

static void test_memory(void **state)
{
	struct vhost_memory *table;

	(void)state;
	table = calloc(1, sizeof(*table) + 2 * sizeof(table->regions[0]));
	assert_non_null(table);
	table->nregions = 2;
	table->regions[0].memory_size = 0x1000;
	table->regions[0].userspace_addr = 0x7000;
	table->regions[1].guest_phys_addr = 0x100000000;
	table->regions[1].memory_size = 0x2000;
	assert_string_equal(describe(VHOST_SET_MEM_TABLE, table, 0),
			    "VHOST_SET_MEM_TABLE fd=7 regions=2 {gpa=0x0 size=0x1000 hva=0x7000} {gpa=0x100000000 size=0x2000 hva=0x0} = 0");
	free(table);
}

static void test_vrings(void **state)
{
	const struct vhost_vring_state vring = { .index = 1, .num = 256 };
	const struct vhost_vring_addr addr = {
		.index = 1, .flags = 1, .desc_user_addr = 0x1000,
		.used_user_addr = 0x2000, .avail_user_addr = 0x3000,
		.log_guest_addr = 0x4000,
	};
	struct vhost_vring_file file = { .index = 1, .fd = -1 };

	(void)state;
	assert_string_equal(describe(VHOST_SET_VRING_NUM, &vring, 0),
			    "VHOST_SET_VRING_NUM fd=7 vring=1 num=256 = 0");
	assert_string_equal(describe(VHOST_SET_VRING_BASE, &vring, 0),
			    "VHOST_SET_VRING_BASE fd=7 vring=1 base=0x100 = 0");
	assert_string_equal(describe(VHOST_GET_VRING_BASE, &vring, -EINVAL),
			    "VHOST_GET_VRING_BASE fd=7 = EINVAL");
	assert_string_equal(describe(VHOST_SET_VRING_ADDR, &addr, -EFAULT),
			    "VHOST_SET_VRING_ADDR fd=7 vring=1 flags=0x1 desc=0x1000 used=0x2000 avail=0x3000 log=0x4000 = EFAULT");
	assert_string_equal(describe(VHOST_NET_SET_BACKEND, &file, 0),
			    "VHOST_NET_SET_BACKEND fd=7 vring=1 file=none = 0");
	file.fd = eventfd(0, 0);
	assert_string_equal(describe(VHOST_SET_VRING_KICK, &file, 0),
			    "VHOST_SET_VRING_KICK fd=7 vring=1 file=eventfd = 0");
	close(file.fd);
}

static void test_our_module(void **state)
{
	const struct vhost_bridge_vring vring = { .index = 2, .base_addr = 64 };
	const struct vhost_bridge_config config = {
		.offset_bytes = 8, .length_bytes = 4,
	};
	struct vhost_bridge_info info = { 0 };

	(void)state;
	assert_string_equal(describe(VHOST_BRIDGE_START_VRING, &vring, 0),
			    "VHOST_BRIDGE_START_VRING fd=7 vring=2 slot=0x40 = 0");
	assert_string_equal(describe(VHOST_BRIDGE_GET_CONFIG, &config, 0),
			    "VHOST_BRIDGE_GET_CONFIG fd=7 offset=8 size=4 = 0");
	/* Without an end */
	memset(info.version, 'v', sizeof(info.version));
	describe(VHOST_BRIDGE_GET_INFO, &info, 0);
	assert_int_equal(strlen(words), strlen("VHOST_BRIDGE_GET_INFO fd=7 version= = 0") +
			 sizeof(info.version));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_without_argument),
		cmocka_unit_test(test_results_only_when_there_are_some),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_vrings),
		cmocka_unit_test(test_our_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
