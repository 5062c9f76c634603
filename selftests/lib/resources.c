// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/resources.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_STEPS 200
#define WAIT_STEP_US 10000
/* Allocators and thread stacks */
#define MAPS_MORE 256
#define ADDRESS_MORE_MIB (16 * 1024)

static unsigned int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	unsigned int count = 0;

	if (!directory)
		abort();
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* The kernel's own helpers of an io_uring come and go as it pleases. */
static bool is_ring_worker(const char *task)
{
	char path[64], name[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", task);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	return !strncmp(name, "iou-", 4);
}

static unsigned int count_threads(void)
{
	DIR *directory = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned int count = 0;

	if (!directory)
		abort();
	while ((entry = readdir(directory)))
		count += entry->d_name[0] != '.' &&
			 !is_ring_worker(entry->d_name);
	closedir(directory);
	return count;
}

static void count_maps(struct resources *resources)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long long start, end;
	char line[512];
	char perms[8];
	uint64_t bytes = 0;

	if (!file)
		abort();
	resources->shared_count = 0;
	resources->map_count = 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx-%llx %7s", &start, &end, perms) != 3)
			continue;
		resources->map_count++;
		resources->shared_count += perms[3] == 's';
		bytes += end - start;
	}
	fclose(file);
	resources->address_mib = bytes >> 20;
}

void resources_count(struct resources *resources)
{
	resources->fd_count = count_entries("/proc/self/fd");
	resources->thread_count = count_threads();
	count_maps(resources);
}

static bool is_same(const struct resources *before, const struct resources *now)
{
	return now->fd_count == before->fd_count &&
	       now->thread_count == before->thread_count &&
	       now->shared_count == before->shared_count &&
	       now->map_count <= before->map_count + MAPS_MORE &&
	       now->address_mib <= before->address_mib + ADDRESS_MORE_MIB;
}

void resources_assert_same(const struct resources *before)
{
	struct resources now;

	for (unsigned int i = 0; i < WAIT_STEPS; i++) {
		resources_count(&now);
		if (is_same(before, &now))
			return;
		usleep(WAIT_STEP_US);
	}
	fail_msg("before: %u descriptors, %u threads, %u shared and %u mappings, %llu MiB; now: %u, %u, %u, %u, %llu",
		 before->fd_count, before->thread_count, before->shared_count,
		 before->map_count, (unsigned long long)before->address_mib,
		 now.fd_count, now.thread_count, now.shared_count,
		 now.map_count, (unsigned long long)now.address_mib);
}
