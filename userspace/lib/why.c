// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/why.h"

#include <stdio.h>

int vhb_wrong(struct vhb_why *why, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vhb_vwrong(why, error, format, args);
	va_end(args);
	return error;
}

int vhb_vwrong(struct vhb_why *why, int error, const char *format, va_list args)
{
	vsnprintf(why->clause, sizeof(why->clause), format, args);
	return error;
}
