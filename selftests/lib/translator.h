/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_TRANSLATOR_H
#define SELFTESTS_LIB_TRANSLATOR_H

#include <stdint.h>

#include "lib/frontend.h"
#include "lib/guest_memory.h"

/**
 * DOC: a front-end with an IOMMU
 *
 * Guest memory whose pages lie in disorder in their file, while the driver sees
 * them in order, and a thread that answers the back-end's misses page by page. So
 * nothing a driver writes into a ring means anything without its translation, and
 * what is longer than a page lies in several places.
 *
 * Functions return 0 or -errno.
 */

/** Memories one translator has */
#define TRANSLATOR_MEMORIES_MAX 3

struct translator;

/** translator_create() - one without memory; NULL when there is none left */
struct translator *translator_create(void);

/** translator_destroy() - may be NULL; detached by this */
void translator_destroy(struct translator *translator);

/**
 * translator_scatter() - put a memory's pages into disorder
 * @translator: attached to no front-end
 * @memory: keeps its contents as the driver sees them, at @base; its region is
 *          from now on what the driver uses: IOVAs, for user addresses too
 */
int translator_scatter(struct translator *translator,
		       struct guest_memory *memory);

/**
 * translator_attach() - be the front-end's IOMMU
 * @translator: the translator
 * @frontend: negotiated VIRTIO_F_ACCESS_PLATFORM. Gets a lock; only its typed
 *            functions may be used
 *
 * SET_BACKEND_REQ_FD and SET_MEM_TABLE, and from now on misses are answered.
 */
int translator_attach(struct translator *translator, struct frontend *frontend);

/** translator_detach() - no more; may be repeated */
void translator_detach(struct translator *translator);

/**
 * translator_refuse() - leave misses unanswered
 * @translator: the translator
 * @iova: from here
 * @size_bytes: so much; 0 for none any more, and what was missed meanwhile is
 *              answered
 *
 * What the back-end knows of it already is invalidated.
 */
int translator_refuse(struct translator *translator, uint64_t iova,
		      uint64_t size_bytes);

/** translator_tell() - say where a page is that nobody may have missed */
void translator_tell(struct translator *translator, uint64_t iova);

/** translator_invalidate() - have the back-end forget; it will ask again */
int translator_invalidate(struct translator *translator, uint64_t iova,
			  uint64_t size_bytes);

/**
 * translator_move() - put pages of a memory into another disorder
 * @translator: attached
 * @memory: scattered
 * @start_bytes: from this page on
 * @size_bytes: so much; nothing of it is with the device, as rings always are
 *
 * The back-end is told by an invalidation.
 */
int translator_move(struct translator *translator, struct guest_memory *memory,
		    uint64_t start_bytes, uint64_t size_bytes);

/** translator_miss_count() - misses that came so far */
unsigned int translator_miss_count(struct translator *translator);

/** translator_refused_count() - those of them that were not answered */
unsigned int translator_refused_count(struct translator *translator);

/** translator_error() - of an update that the back-end did not take; 0 for none */
int translator_error(struct translator *translator);

#endif
