/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BLK_VERIFY_H
#define SELFTESTS_LIB_BLK_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/blk_guest.h"

/**
 * DOC: a load that knows what must be on the disk
 *
 * A thread keeps the virtqueues of a guest full of writes, reads, flushes and
 * zeroing. Every block has a version, and each of its sectors says which; what
 * was acknowledged must be read from then on, all of it and nothing else. No
 * block is in two requests at a time, so there is always one answer that is
 * right. The thread stops at the first that is wrong, see blk_verify_why().
 */

#define BLK_VERIFY_BLOCK_BYTES 4096u
#define BLK_VERIFY_BLOCKS 2048u
#define BLK_VERIFY_BYTES ((uint64_t)BLK_VERIFY_BLOCKS * BLK_VERIFY_BLOCK_BYTES)

struct blk_verify;

/**
 * blk_verify_start() - load a guest
 * @guest: connected, with a disk of BLK_VERIFY_BYTES zeros
 * @seed: of the requests
 *
 * Return: the load; never NULL.
 */
struct blk_verify *blk_verify_start(struct blk_guest *guest, uint64_t seed);

/** blk_verify_submitted() - requests made available so far */
uint64_t blk_verify_submitted(struct blk_verify *verify);

/** blk_verify_completed() - requests that came back so far, and were right */
uint64_t blk_verify_completed(struct blk_verify *verify);

/**
 * blk_verify_wait() - wait for that many to have come back
 *
 * Return: 0, -ETIMEDOUT, or -EIO when one came back wrong.
 */
int blk_verify_wait(struct blk_verify *verify, uint64_t completed_count);

/**
 * blk_verify_finish() - no new requests, wait for the others, read all blocks
 *
 * Return: 0, or -EIO; nothing runs any more.
 */
int blk_verify_finish(struct blk_verify *verify);

/**
 * blk_verify_compare() - what must be in a block, after blk_verify_finish()
 * @verify: the load
 * @block: which
 * @data: what is there, BLK_VERIFY_BLOCK_BYTES
 *
 * Return: is it so? When not, blk_verify_why() tells.
 */
bool blk_verify_compare(struct blk_verify *verify, uint32_t block,
			const uint8_t *data);

/** blk_verify_why() - what was wrong; "" when nothing was */
const char *blk_verify_why(const struct blk_verify *verify);

/** blk_verify_free() - end the thread if need be, and free; may be NULL */
void blk_verify_free(struct blk_verify *verify);

#endif
