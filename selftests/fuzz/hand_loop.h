/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_FUZZ_HAND_LOOP_H
#define SELFTESTS_FUZZ_HAND_LOOP_H

#include "loop/loop.h"

/**
 * DOC: an event loop that is turned by hand
 *
 * In place of userspace/loop/loop.c: no thread, no io_uring, and always the same
 * order, so that the same input takes the same way. What waits for descriptors is
 * asked in the order in which it began to wait.
 */

/**
 * hand_loop_turn() - call who waits for what is ready now
 * @loop: the loop
 *
 * Return: how many were called.
 */
unsigned int hand_loop_turn(struct vhb_loop *loop);

/** hand_loop_watch_count() - how many wait */
unsigned int hand_loop_watch_count(const struct vhb_loop *loop);

#endif
