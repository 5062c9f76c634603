/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_FRONTEND_LOG_H
#define VHB_SELFTESTS_FRONTEND_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/frontend.h"

/**
 * DOC: the dirty log of a test's front-end
 *
 * A bitmap in shared memory that begins and ends anywhere in its file. What is
 * around it in the file is watched, too.
 */

/**
 * struct frontend_log - a bitmap
 * @fd: its file
 * @file: the whole of it, mapped here
 * @file_bytes: its length
 * @offset_bytes: where the bitmap begins
 * @size_bytes: its length
 */
struct frontend_log {
	int fd;
	uint8_t *file;
	uint64_t file_bytes;
	uint64_t offset_bytes;
	uint64_t size_bytes;
};

/** frontend_log_open() - with so many bytes of its file before and behind it */
void frontend_log_open(struct frontend_log *log, uint64_t size_bytes,
		       uint64_t before_bytes, uint64_t behind_bytes);

/** frontend_log_close() - unmap and close; may be closed already */
void frontend_log_close(struct frontend_log *log);

/** frontend_log_has() - is the page of a guest address marked? */
bool frontend_log_has(const struct frontend_log *log, uint64_t gpa);

/** frontend_log_count() - how many pages are marked */
unsigned int frontend_log_count(const struct frontend_log *log);

/** frontend_log_clear() - take out all marks, one by one as a VMM does */
void frontend_log_clear(struct frontend_log *log);

/** frontend_log_is_alone() - is nothing set in the file around the bitmap? */
bool frontend_log_is_alone(const struct frontend_log *log);

/**
 * frontend_send_log_base() - SET_LOG_BASE without waiting for the reply
 * @frontend: the connection
 * @log: the bitmap
 */
int frontend_send_log_base(struct frontend *frontend,
			   const struct frontend_log *log);

/**
 * frontend_set_log_base() - SET_LOG_BASE and its reply, whatever length it has
 * @frontend: the connection
 * @log: the bitmap
 *
 * Return: 0 or -errno as of all functions of a front-end.
 */
int frontend_set_log_base(struct frontend *frontend,
			  const struct frontend_log *log);

#endif
