/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_SLOW_DISK_H
#define SELFTESTS_LIB_SLOW_DISK_H

/**
 * DOC: a disk that answers when it is told to
 *
 * Device-mapper on a loop device. Requests made while it is halted wait until it
 * is resumed.
 */

#define SLOW_DISK_NAME "vhb-slow-test"
#define SLOW_DISK_PATH "/dev/mapper/" SLOW_DISK_NAME
#define SLOW_DISK_BYTES (16u << 20)

/**
 * struct slow_disk - the disk; there is one at a time
 * @loop_path: what it is made of
 * @why_not: why there is none; NULL when there is
 */
struct slow_disk {
	char loop_path[64];
	const char *why_not;
};

/** slow_disk_open() - make it; what is missing is said in @why_not */
void slow_disk_open(struct slow_disk *disk);

/** slow_disk_need() - have it, or end this test: skipped, and why */
void slow_disk_need(const struct slow_disk *disk);

/** slow_disk_close() - resume it, and away with it */
void slow_disk_close(struct slow_disk *disk);

/** slow_disk_halt() - no answers: 0 or -EIO */
int slow_disk_halt(void);

/** slow_disk_resume() - all answers: 0 or -EIO */
int slow_disk_resume(void);

#endif
