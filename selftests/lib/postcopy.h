/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_POSTCOPY_H
#define SELFTESTS_LIB_POSTCOPY_H

#include <stdbool.h>
#include <stdint.h>

#include <pthread.h>

#include "lib/frontend.h"
#include "lib/guest_memory.h"

/**
 * DOC: a front-end into which a guest migrates by postcopy
 *
 * The messages, as QEMU sends them, and a thread that has the guest's pages and
 * brings those which fault. Functions return 0 or -errno as those of
 * lib/frontend.h.
 */

/** Regions a page server knows */
#define PAGE_SERVER_REGIONS_MAX 3

/** postcopy_is_possible() - else prints a TAP plan that skips all and says why */
bool postcopy_is_possible(void);

/** postcopy_advise() - the caller closes @userfault_fd_out */
int postcopy_advise(struct frontend *frontend, int *userfault_fd_out);

/** postcopy_listen() - asks for a reply whatever was negotiated */
int postcopy_listen(struct frontend *frontend);

/** postcopy_end() - -EREMOTEIO when the answer is not zero */
int postcopy_end(struct frontend *frontend);

/**
 * postcopy_set_mem_table() - SET_MEM_TABLE, without the acknowledgment
 * @frontend: listens
 * @regions: the regions
 * @fds: one descriptor each
 * @count: how many
 * @bases_out: where each is in the back-end
 */
int postcopy_set_mem_table(struct frontend *frontend,
			   const struct vhb_wire_region *regions,
			   const int *fds, unsigned int count,
			   uint64_t *bases_out);

/** postcopy_add_mem_reg() - ADD_MEM_REG, likewise */
int postcopy_add_mem_reg(struct frontend *frontend,
			 const struct vhb_wire_region *region, int fd,
			 uint64_t *base_out);

/** postcopy_ack() - a u64, with the number of the last message about memory */
int postcopy_ack(struct frontend *frontend, uint32_t request, uint64_t value);

/**
 * struct page_server - the thread with the pages
 * @userfault_fd: where the back-end's faults come from
 * @own_fd: where those of the test itself come from
 * @region_count: regions it knows
 * @memory: they
 * @bases: where they are in the back-end
 * @pages: what they held where the guest comes from
 * @delay_ms: how long a page is under way; counts for the back-end's only
 * @served_count: pages brought; to be read while it runs
 * @unknown_count: faults outside the regions
 * @is_over: it shall end
 * @thread: it
 */
struct page_server {
	int userfault_fd;
	int own_fd;
	unsigned int region_count;
	struct guest_memory *memory[PAGE_SERVER_REGIONS_MAX];
	uint64_t bases[PAGE_SERVER_REGIONS_MAX];
	uint8_t *pages[PAGE_SERVER_REGIONS_MAX];
	unsigned int delay_ms;
	unsigned int served_count;
	unsigned int unknown_count;
	bool is_over;
	pthread_t thread;
};

/**
 * page_server_evacuate() - take what a region holds away from it
 * @server: zeroed; gets the region
 * @memory: the region; its pages are missing from now on
 *
 * From page_server_start() on the test may touch it: it waits for its pages as
 * the back-end does, and as QEMU's guest would.
 */
int page_server_evacuate(struct page_server *server,
			 struct guest_memory *memory);

/** page_server_start() - begin to answer faults */
int page_server_start(struct page_server *server);

/** page_server_bring_all() - bring all pages nobody asked for; may be running */
int page_server_bring_all(struct page_server *server);

/** page_server_stop() - end; closes userfault_fd and frees the pages */
void page_server_stop(struct page_server *server);

#endif
