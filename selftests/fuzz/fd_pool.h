/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_FUZZ_FD_POOL_H
#define SELFTESTS_FUZZ_FD_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/fuzz_script.h"

/**
 * DOC: descriptors to send
 *
 * One of each &enum script_fd but for those of the connection, opened once. What
 * a run did to those it used is undone by fd_pool_clean().
 */

/** fd_pool_open() - once, first of all */
void fd_pool_open(void);

/** fd_pool_get() - the descriptor of a kind, or -1; remembers that it was used */
int fd_pool_get(enum script_fd kind);

/** fd_pool_truncate() - set the size of a file, if that kind is one */
void fd_pool_truncate(enum script_fd kind, uint64_t size_bytes);

/** fd_pool_clean() - as if nothing of it had been used */
void fd_pool_clean(void);

/**
 * fd_count_open() - descriptors of this process
 *
 * Cheap enough to ask after each run. Those beyond some hundred are not counted.
 */
unsigned int fd_count_open(void);

#endif
