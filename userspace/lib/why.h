/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_WHY_H
#define VHB_LIB_WHY_H

#include <stdarg.h>

/* Room for a clause with its terminator; what is longer is cut off */
#define VHB_WHY_BYTES 192

/**
 * struct vhb_why - what is wrong
 * @clause: one clause for the log, without a full stop; set where a function that
 *          takes it fails, left alone otherwise
 */
struct vhb_why {
	char clause[VHB_WHY_BYTES];
};

/**
 * vhb_wrong() - say what is wrong, and return it
 * @why: receives the clause
 * @error: -errno
 * @format: the clause, as in printf()
 *
 * Return: @error.
 */
int vhb_wrong(struct vhb_why *why, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** vhb_vwrong() - vhb_wrong() for who has the arguments as a va_list */
int vhb_vwrong(struct vhb_why *why, int error, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

#endif
