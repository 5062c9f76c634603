/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_FAULT_H
#define SELFTESTS_LIB_FAULT_H

#include <stdbool.h>

/**
 * DOC: fault injection of the kernel
 *
 * Allocations, and copies from and to user space, fail when a test says so; see
 * Documentation/fault-injection/ of the kernel. For programs of one thread.
 */

/**
 * fault_need() - set up what can fail, or end this test program
 *
 * On a kernel that cannot do it the program ends with a plan that says it is
 * skipped.
 */
void fault_need(void);

/** fault_nth() - our nth chance to fail from now on does, once; 0: none */
void fault_nth(unsigned int nth);

/** fault_happened() - has it failed? */
bool fault_happened(void);

/**
 * fault_threads() - allocations of some threads fail by chance
 * @prefix: what the names of these threads begin with
 * @percent: how many of them; 0 ends it
 */
void fault_threads(const char *prefix, unsigned int percent);

#endif
