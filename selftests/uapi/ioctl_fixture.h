/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_UAPI_IOCTL_FIXTURE_H
#define SELFTESTS_UAPI_IOCTL_FIXTURE_H

/**
 * DOC: requests that are refused
 *
 * Each test has a loop device whose queue 0 runs while nothing is known of the
 * others. Whatever the test does, queue 0 must run at its end.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/module.h"
#include "lib/resources.h"

#define RING_ENTRIES 64
#define TABLE_DESCS 8
#define QUEUES_MAX 8

static struct bridge bridge;
static struct resources resources_before;
static unsigned int threads_before;

static inline int set_up(void **state)
{
	(void)state;
	resources_count(&resources_before);
	threads_before = module_thread_count();
	bridge_open(&bridge, "loop");
	bridge_set_up(&bridge, bridge_bit(VIRTIO_F_VERSION_1));
	bridge_add_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	return 0;
}

/* Whatever was refused has changed nothing: the queue works on. */
static inline int tear_down(void **state)
{
	(void)state;
	echo_works(&bridge, 0);
	bridge_close(&bridge);
	assert_int_equal(module_wait_threads(threads_before), 0);
	resources_assert_same(&resources_before);
	return 0;
}

#define assert_call(request, argument, wanted) \
	assert_int_equal(bridge_call(&bridge, request, argument), wanted)

static inline int call_state(unsigned long request, unsigned int index,
			     unsigned int num)
{
	const struct vhost_vring_state state = { index, num };

	return bridge_call(&bridge, request, &state);
}

static inline int call_file(unsigned long request, unsigned int index, int fd)
{
	const struct vhost_vring_file file = { index, fd };

	return bridge_call(&bridge, request, &file);
}

#endif
