// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints the frequency of this machine's time stamp counter in kHz. Emulated
 * CPUs have the host's counter, but a guest kernel on a busy host measures it
 * wrong (717 MHz for 2596 has been seen) and then gives it up as a clock or,
 * worse, believes it. run.sh passes the true figure in.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct point {
	uint64_t ticks;
	uint64_t ns;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

/*
 * Both clocks at one moment: of many readings the one that was least
 * disturbed.
 */
static struct point read_both(void)
{
	struct point best = { 0 };
	uint64_t narrowest = UINT64_MAX;

	for (int i = 0; i < 50; i++) {
		uint64_t before = __builtin_ia32_rdtsc();
		uint64_t ns = clock_ns();
		uint64_t after = __builtin_ia32_rdtsc();

		if (after - before < narrowest) {
			narrowest = after - before;
			best = (struct point){ before + (after - before) / 2, ns };
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	struct point start = read_both(), end;

	nanosleep(&pause, NULL);
	end = read_both();
	printf("%llu\n", (unsigned long long)((end.ticks - start.ticks) * 1000000 /
					      (end.ns - start.ns)));
	return 0;
}
