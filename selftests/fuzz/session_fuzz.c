// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: whole sessions on a recording kernel device (session_run.h). With
 * VHB_FUZZ_CALLS in the environment, what the kernel device was told is written to
 * that file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/must.h"
#include "fuzz/script_mutate.h"
#include "fuzz/session_run.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size_bytes, size_t room_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size_bytes,
			       size_t room_bytes, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_bytes,
				 const uint8_t *second, size_t second_bytes,
				 uint8_t *bytes, size_t room_bytes,
				 unsigned int seed);

const char *__asan_default_options(void);

/* What was freed is kept for long enough, and in the cache. */
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=8:malloc_context_size=8";
}

/* One in so many is changed without looking at what it says */
#define BLIND_ONE_IN 8

static FILE *calls;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *path = getenv("VHB_FUZZ_CALLS");

	(void)argc;
	(void)argv;
	if (path) {
		calls = fopen(path, "we");
		must(calls);
	}
	session_run_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	static struct script script;

	script_read(&script, bytes, size_bytes);
	/* libFuzzer plays a file more than once. */
	if (calls) {
		rewind(calls);
		must(!ftruncate(fileno(calls), 0));
	}
	session_run(&script, calls);
	if (calls)
		fflush(calls);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size_bytes,
			       size_t room_bytes, unsigned int seed)
{
	if (!(seed % BLIND_ONE_IN))
		return LLVMFuzzerMutate(bytes, size_bytes, room_bytes);
	return script_mutate(bytes, size_bytes, room_bytes, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_bytes,
				 const uint8_t *second, size_t second_bytes,
				 uint8_t *bytes, size_t room_bytes,
				 unsigned int seed)
{
	return script_cross(first, first_bytes, second, second_bytes, bytes,
			    room_bytes, seed);
}
