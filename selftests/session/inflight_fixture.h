/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_SESSION_INFLIGHT_FIXTURE_H
#define SELFTESTS_SESSION_INFLIGHT_FIXTURE_H

/* Front-ends that keep a region of saved bases, for the tests of it */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <linux/vhost_bridge.h>

#include "lib/bits.h"
#include "lib/log.h"
#include "lib/log_capture.h"
#include "lib/refusal.h"
#include "lib/session_fixture.h"
#include "session/inflight.h"

#define ok(call) assert_int_equal(call, 0)

#define FEATURES (FIXTURE_VERSION_1 | FIXTURE_BIT30)
#define SLOT VHB_INFLIGHT_SLOT_BYTES
#define PAGE 4096

/* A region as the front-end keeps it */
struct region {
	struct vhb_wire_inflight description;
	int fd;
	struct vhost_bridge_saved_base *saved[4];
	void *map;
};

static inline void connect_blk(struct session_fixture *fixture)
{
	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, FEATURES, FIXTURE_BLK_PROTOCOL_FEATURES);
	fixture_declare_memory(fixture);
}

static inline void map_region(struct region *region)
{
	region->map = mmap(NULL, 4 * SLOT, PROT_READ | PROT_WRITE, MAP_SHARED,
			   region->fd, 0);
	assert_ptr_not_equal(region->map, MAP_FAILED);
	for (unsigned int i = 0; i < 4; i++)
		region->saved[i] = (void *)((uint8_t *)region->map + i * SLOT);
}

static inline void get_region(struct session_fixture *fixture, struct region *region)
{
	ok(frontend_get_inflight_fd(&fixture->frontend, 4, 256,
				    &region->description, &region->fd));
	map_region(region);
}

static inline void drop_region(struct region *region)
{
	ok(munmap(region->map, 4 * SLOT));
	close(region->fd);
}

static inline void set_region(struct session_fixture *fixture,
			      const struct region *region)
{
	ok(frontend_set_inflight_fd(&fixture->frontend, &region->description,
				    region->fd));
}

/* A vring whose base the front-end believes to be this */
static inline void start_at(struct session_fixture *fixture, unsigned int index,
			    unsigned int base)
{
	const struct vhb_wire_vring_addr addr = fixture_vring_addr(index);
	struct frontend *frontend = &fixture->frontend;

	ok(frontend_set_vring_num(frontend, index, 256));
	ok(frontend_set_vring_base(frontend, index, base));
	ok(frontend_set_vring_addr(frontend, &addr));
	ok(frontend_set_vring_call(frontend, index, fixture->call_fds[index]));
	ok(frontend_set_vring_kick(frontend, index, fixture->kick_fds[index]));
	ok(frontend_set_vring_enable(frontend, index, true));
	assert_true(recorder_is_running(fixture->recorder, index));
}

static inline void connect_with(struct session_fixture *fixture,
				const struct region *region)
{
	connect_blk(fixture);
	set_region(fixture, region);
}

static inline void assert_saved(const struct region *region, unsigned int index,
				uint32_t base, uint32_t is_saved)
{
	assert_int_equal(region->saved[index]->base, base);
	assert_int_equal(region->saved[index]->is_saved, is_saved);
}

#endif
