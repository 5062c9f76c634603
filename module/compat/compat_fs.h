/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_COMPAT_COMPAT_FS_H
#define VHB_COMPAT_COMPAT_FS_H

#include <linux/fs.h>
#include <linux/uio.h>
#include <linux/version.h>

/*
 * 6.2: the block layer's cache of bios also takes those back that an interrupt
 * completes. Before, only polled ones may come from it.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define VHB_IOCB_ALLOC_CACHE IOCB_ALLOC_CACHE
#else
#define VHB_IOCB_ALLOC_CACHE 0
#endif

/* 6.2: directions of an iterator have names of their own. */
#ifndef ITER_SOURCE
#define ITER_SOURCE WRITE
#define ITER_DEST READ
#endif

/* 6.6 and some of 6.1: a write that ends in another thread than it began in */
#ifndef VHB_HAS_KIOCB_START_WRITE
static inline void kiocb_start_write(struct kiocb *iocb)
{
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	sb_start_write(sb);
	/* Lockdep must not think that this thread keeps it. */
	__sb_writers_release(sb, SB_FREEZE_WRITE);
}

static inline void kiocb_end_write(struct kiocb *iocb)
{
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	__sb_writers_acquired(sb, SB_FREEZE_WRITE);
	sb_end_write(sb);
}
#endif

#endif
