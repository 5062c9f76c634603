// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/why.h"

#include <stdarg.h>
#include <stdio.h>

int vhb_wrong(int error, char *why, size_t why_bytes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, why_bytes, format, args);
	va_end(args);
	return error;
}
