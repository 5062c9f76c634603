/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_FUZZ_SEED_H
#define SELFTESTS_LIB_FUZZ_SEED_H

#include <stddef.h>
#include <stdint.h>

#include "lib/fuzz_script.h"

/**
 * DOC: seeds for the session fuzzer
 *
 * With VHB_SEED_DIR in the environment each test with a session fixture leaves what
 * it did as a script there (NAME, see fuzz_script.h), and what the recorder was
 * told (NAME.calls), by which one sees that the script is played as the test went.
 * So what tests say front-ends do is what the fuzzer begins with. Without it
 * nothing of this does anything.
 *
 * One test at a time, and its thread only.
 */

/** fuzz_seed_connect() - a front-end comes, the first or another of a test */
void fuzz_seed_connect(const struct script_device *device);

/** fuzz_seed_send() - it sends something */
void fuzz_seed_send(const void *bytes, size_t size_bytes, const int *fds,
		    unsigned int fd_count);

/** fuzz_seed_event() - something else happens */
void fuzz_seed_event(enum script_event event, unsigned int index,
		     uint32_t value);

/** fuzz_seed_calls() - what the recorder was told since the last time */
void fuzz_seed_calls(const char *lines);

/** fuzz_seed_end() - the test is over */
void fuzz_seed_end(void);

#endif
