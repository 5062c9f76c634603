/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BROKER_MEMORY_H
#define SELFTESTS_LIB_BROKER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

/**
 * DOC: has anybody written to the broker's memory?
 *
 * A hash for each page of all that is the broker's own: program, libraries, heap,
 * stacks; not what it shares with a front-end or with the kernel. Some of it the
 * broker changes itself: those pages are found by looking again while it does
 * what it will do, and are left out from then on.
 */

/** struct memory_page - a page and its hash; not @is_still once it has changed */
struct memory_page {
	uint64_t address;
	uint64_t hash;
	bool is_still;
};

/**
 * struct broker_memory - the pages of a broker
 * @pid: the broker
 * @mem_fd: its memory
 * @pages: those it had at first
 * @count: how many
 */
struct broker_memory {
	pid_t pid;
	int mem_fd;
	struct memory_page *pages;
	size_t count;
};

/** broker_memory_open() - look for the first time; 0 or -errno */
int broker_memory_open(struct broker_memory *memory, pid_t pid);

/** broker_memory_close() - forget it; may be closed already */
void broker_memory_close(struct broker_memory *memory);

/** broker_memory_settle() - leave out what has changed; how much of it is new */
size_t broker_memory_settle(struct broker_memory *memory);

/** broker_memory_still() - pages that were never seen to change */
size_t broker_memory_still(const struct broker_memory *memory);

/**
 * broker_memory_changed() - pages that should be still and are not
 *
 * Each is printed as a TAP comment.
 */
size_t broker_memory_changed(struct broker_memory *memory);

/** broker_memory_address() - any address in the memory; @number decides which */
uint64_t broker_memory_address(const struct broker_memory *memory,
			       uint64_t number);

#endif
