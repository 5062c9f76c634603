/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_CLOCK_H
#define VHB_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

/** vhb_now_ms() - milliseconds since some moment; never goes back */
static inline int64_t vhb_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/** vhb_pause_ms() - wait so many milliseconds, less when a signal comes */
static inline void vhb_pause_ms(unsigned int ms)
{
	const struct timespec pause = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};

	nanosleep(&pause, NULL);
}

#endif
