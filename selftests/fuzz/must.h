/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_FUZZ_MUST_H
#define SELFTESTS_FUZZ_MUST_H

#include <stdio.h>
#include <stdlib.h>

/** must() - what holds whatever a fuzzer is given; the end of it where it does not */
#define must(condition)                                            \
	do {                                                       \
		if (!(condition)) {                                \
			fprintf(stderr, "%s:%d: not so: %s\n",     \
				__FILE__, __LINE__, #condition);   \
			abort();                                   \
		}                                                  \
	} while (0)

#endif
