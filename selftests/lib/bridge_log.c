// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bridge_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/mman.h>

#include <linux/virtio_config.h>

/* Of guest memory this much is looked at: rings, buffers, some of the rest */
#define WATCHED_BYTES (24u << 20)

static uint8_t *map(const struct bridge_log *log)
{
	void *where = mmap(NULL, log->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			   log->fd, 0);

	assert_ptr_not_equal(where, MAP_FAILED);
	return where;
}

void bridge_log_open(struct bridge_log *log)
{
	const uint64_t last_page = (BRIDGE_GPA + 2 * BRIDGE_BYTES - 1) /
				   LOG_PAGE_BYTES;

	memset(log, 0, sizeof(*log));
	log->bytes = (last_page / 8 / LOG_PAGE_BYTES + 1) * LOG_PAGE_BYTES;
	log->fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(log->fd >= 0);
	assert_int_equal(ftruncate(log->fd, log->bytes), 0);
	log->bits = map(log);
	log->reader = map(log);
	log->before = malloc(WATCHED_BYTES);
	assert_non_null(log->before);
}

void bridge_log_close(struct bridge_log *log)
{
	if (!log->bits)
		return;
	munmap(log->bits, log->bytes);
	munmap(log->reader, log->bytes);
	close(log->fd);
	free(log->before);
	log->bits = NULL;
}

int bridge_log_base(const struct bridge *bridge, uint64_t base)
{
	return bridge_call(bridge, VHOST_SET_LOG_BASE, &base);
}

void bridge_log_use(const struct bridge *bridge, const struct bridge_log *log)
{
	assert_int_equal(bridge_log_base(bridge, (uintptr_t)log->bits), 0);
}

int bridge_log_buffers(struct bridge *bridge, bool is_on)
{
	uint64_t features = bridge->features & ~bridge_bit(VHOST_F_LOG_ALL);
	int ret;

	if (is_on)
		features |= bridge_bit(VHOST_F_LOG_ALL);
	ret = bridge_call(bridge, VHOST_SET_FEATURES, &features);
	if (!ret)
		bridge->features = features;
	return ret;
}

int bridge_log_ring(const struct bridge *bridge, unsigned int index, bool is_on)
{
	struct vhost_vring_addr addr;

	bridge_addr(bridge, index, &addr);
	addr.flags = is_on ? 1 << VHOST_VRING_F_LOG : 0;
	addr.log_guest_addr = bridge_gpa(bridge,
					 bridge->queues[index].driver.used);
	return bridge_call(bridge, VHOST_SET_VRING_ADDR, &addr);
}

bool bridge_log_take(const struct bridge_log *log, uint64_t gpa)
{
	const uint64_t page = gpa / LOG_PAGE_BYTES;
	const uint8_t mask = 1u << page % 8;

	return __atomic_fetch_and(&log->reader[page / 8], (uint8_t)~mask,
				  __ATOMIC_SEQ_CST) & mask;
}

unsigned int bridge_log_count(const struct bridge_log *log)
{
	unsigned int count = 0;
	size_t i;

	for (i = 0; i < log->bytes; i++)
		count += __builtin_popcount(log->reader[i]);
	return count;
}

void bridge_log_begin(struct bridge_log *log, const struct bridge *bridge)
{
	memset(log->reader, 0, log->bytes);
	memcpy(log->before, bridge->base, WATCHED_BYTES);
}

static bool holds_base(const struct bridge *bridge, uint32_t offset)
{
	unsigned int i;

	for (i = 0; i < BRIDGE_QUEUES; i++) {
		const uint8_t *saved = (const void *)bridge->queues[i].saved;
		const uint8_t *page = bridge->base + offset;

		if (saved >= page && saved < page + LOG_PAGE_BYTES)
			return true;
	}
	return false;
}

void bridge_log_check(const struct bridge_log *log, const struct bridge *bridge)
{
	unsigned int changed_count = 0;
	uint32_t offset;

	for (offset = 0; offset < WATCHED_BYTES; offset += LOG_PAGE_BYTES) {
		const uint64_t page = (BRIDGE_GPA + log->shift_bytes + offset) /
				      LOG_PAGE_BYTES;
		const bool is_marked = log->reader[page / 8] & 1u << page % 8;
		const bool has_changed = memcmp(log->before + offset,
						bridge->base + offset,
						LOG_PAGE_BYTES);

		if (holds_base(bridge, offset)) {
			assert_false(is_marked);
			continue;
		}
		changed_count += has_changed;
		if (is_marked != has_changed)
			fail_msg("page at %#x %s, but is %smarked", offset,
				 has_changed ? "changed" : "did not change",
				 is_marked ? "" : "not ");
	}
	assert_true(changed_count);
	/* Nor is anything marked elsewhere. */
	assert_int_equal(bridge_log_count(log), changed_count);
}
