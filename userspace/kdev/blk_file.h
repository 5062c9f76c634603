/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_KDEV_BLK_FILE_H
#define VHB_KDEV_BLK_FILE_H

#include <stdbool.h>

/**
 * vhb_blk_file_open() - open a disk image or block device for a guest
 * @path: block device or regular file
 * @is_read_only: the guest may not write
 * @is_shared: others may write to it meanwhile
 *
 * Around the page cache (O_DIRECT) where the file system can. Refuses what
 * another process uses in a way that does not go together:
 *
 * - by locks on bytes 100 and up of the file (fcntl(2), open file description
 *   locks), where QEMU has its own: it says there what it does (100: read, 101:
 *   write, 103: resize) and what it does not want others to do (the same from
 *   200 on). The two exclude each other, and so do two of us.
 * - a block device that is to be written also by O_EXCL, which excludes what is
 *   mounted or part of a volume.
 *
 * Locks last as long as the open file, and the kernel device keeps it open until
 * all requests are done, also when this process was killed.
 *
 * Return: a close-on-exec descriptor or -errno (reported).
 */
int vhb_blk_file_open(const char *path, bool is_read_only, bool is_shared);

#endif
