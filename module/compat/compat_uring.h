/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_COMPAT_COMPAT_URING_H
#define VHB_COMPAT_COMPAT_URING_H

/*
 * Not included everywhere: only who speaks io_uring needs it.
 *
 * 6.7: the header has a place of its own, the command area is reached through
 * the submission entry, and pending commands can be cancelled.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#include <linux/io_uring.h>

#define IO_URING_F_CANCEL 0U

#define io_uring_cmd_to_pdu(command, type) ((type *)&(command)->pdu)

static inline const void *vhb_uring_area(const struct io_uring_cmd *command)
{
	return command->cmd;
}

/* Whoever closes the file ends what is pending: see uring_slot.c. */
static inline void io_uring_cmd_mark_cancelable(struct io_uring_cmd *command,
						unsigned int issue_flags)
{
}
#else
#include <linux/io_uring/cmd.h>

static inline const void *vhb_uring_area(const struct io_uring_cmd *command)
{
	return io_uring_sqe_cmd(command->sqe);
}
#endif

#endif
