/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_BLK_BLK_MODULE_SLOW_FIXTURE_H
#define SELFTESTS_BLK_BLK_MODULE_SLOW_FIXTURE_H

#include <fcntl.h>

#include "blk/blk_module_fixture.h"
#include "lib/slow_disk.h"

/**
 * DOC: the same, with a disk that answers when it is told to
 *
 * Each test has slow_disk_need(), and gives slow_fd to the device.
 */

static struct slow_disk slow;
static int slow_fd;

static inline int set_up_slow_with(void **state, int flags)
{
	slow_disk_open(&slow);
	slow_fd = open(SLOW_DISK_PATH, O_RDWR | O_CLOEXEC | flags);
	return set_up(state);
}

static inline int set_up_slow(void **state)
{
	return set_up_slow_with(state, O_DIRECT);
}

static inline int tear_down_slow(void **state)
{
	int ret;

	/* Or closing the device would wait for it. */
	slow_disk_resume();
	ret = tear_down(state);
	close(slow_fd);
	slow_disk_close(&slow);
	return ret;
}

static inline unsigned int in_flight(void)
{
	struct vhost_bridge_vring_status status;

	bridge_status(&bridge, 0, &status);
	return status.in_flight_count;
}

#endif
