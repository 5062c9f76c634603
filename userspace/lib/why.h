/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_WHY_H
#define VHB_LIB_WHY_H

#include <stddef.h>

/**
 * vhb_wrong() - say what is wrong, and return it
 * @error: -errno
 * @why: receives one clause
 * @why_bytes: room in @why; what does not fit is cut off
 * @format: the clause, as in printf()
 *
 * Return: @error.
 */
int vhb_wrong(int error, char *why, size_t why_bytes, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
