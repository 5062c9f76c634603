// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/broker_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES 4096

static bool hash_page(const struct broker_memory *memory, uint64_t address,
		      uint64_t *hash_out)
{
	uint64_t words[PAGE_BYTES / sizeof(uint64_t)];
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (pread(memory->mem_fd, words, PAGE_BYTES, address) != PAGE_BYTES)
		return false;
	for (unsigned int i = 0; i < PAGE_BYTES / sizeof(uint64_t); i++)
		hash = (hash ^ words[i]) * UINT64_C(0x100000001b3);
	*hash_out = hash;
	return true;
}

static int add_page(struct broker_memory *memory, uint64_t address)
{
	struct memory_page page = { .address = address, .is_still = true };
	struct memory_page *pages;

	/* What is beyond the end of a file cannot be read. */
	if (!hash_page(memory, address, &page.hash))
		return 0;
	pages = realloc(memory->pages,
			(memory->count + 1) * sizeof(memory->pages[0]));
	if (!pages)
		return -ENOMEM;
	memory->pages = pages;
	memory->pages[memory->count++] = page;
	return 0;
}

/* Private and readable: not windows, which are shared, or nothing at all */
static int add_line(struct broker_memory *memory, const char *line)
{
	unsigned long long start, end;
	char permissions[8] = "";
	int ret = 0;

	if (sscanf(line, "%llx-%llx %7s", &start, &end, permissions) != 3 ||
	    permissions[0] != 'r' || permissions[3] != 'p' ||
	    strstr(line, "[v"))
		return 0;
	for (; !ret && start < end; start += PAGE_BYTES)
		ret = add_page(memory, start);
	return ret;
}

int broker_memory_open(struct broker_memory *memory, pid_t pid)
{
	char path[64], line[512];
	FILE *maps;
	int ret = 0;

	memset(memory, 0, sizeof(*memory));
	memory->pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	memory->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (memory->mem_fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps) {
		ret = -errno;
		goto close_memory;
	}
	while (!ret && fgets(line, sizeof(line), maps))
		ret = add_line(memory, line);
	fclose(maps);
	if (ret)
		goto close_memory;
	return 0;

close_memory:
	broker_memory_close(memory);
	return ret;
}

void broker_memory_close(struct broker_memory *memory)
{
	free(memory->pages);
	if (memory->pages || memory->mem_fd > 0)
		close(memory->mem_fd);
	memset(memory, 0, sizeof(*memory));
}

/* Takes the new hash of what has changed. */
static bool has_changed(const struct broker_memory *memory,
			struct memory_page *page)
{
	const uint64_t before = page->hash;

	return !hash_page(memory, page->address, &page->hash) ||
	       page->hash != before;
}

size_t broker_memory_settle(struct broker_memory *memory)
{
	size_t count = 0;

	for (size_t i = 0; i < memory->count; i++) {
		struct memory_page *page = &memory->pages[i];

		if (page->is_still && has_changed(memory, page)) {
			page->is_still = false;
			count++;
		}
	}
	return count;
}

size_t broker_memory_still(const struct broker_memory *memory)
{
	size_t count = 0;

	for (size_t i = 0; i < memory->count; i++)
		count += memory->pages[i].is_still;
	return count;
}

size_t broker_memory_changed(struct broker_memory *memory)
{
	size_t count = 0;

	for (size_t i = 0; i < memory->count; i++) {
		struct memory_page *page = &memory->pages[i];

		if (!page->is_still || !has_changed(memory, page))
			continue;
		count++;
		printf("# the broker's page %#llx has changed\n",
		       (unsigned long long)page->address);
	}
	return count;
}

uint64_t broker_memory_address(const struct broker_memory *memory,
			       uint64_t number)
{
	return memory->pages[number % memory->count].address +
	       number / memory->count % PAGE_BYTES;
}
