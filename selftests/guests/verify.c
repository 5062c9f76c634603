// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verify DEVICE - a load in a guest that knows what must be on its disk
 *
 * Several processes, each with a part of the disk for itself, write and read
 * around the page cache, until SIGTERM. Every block says what its last write
 * was; then all are read once more. Standard output has "verify: N requests"
 * now and then, and "verify: good" or "verify: bad" at the end; in the latter
 * case what was wrong as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#define PROCESSES 4
#define TELL_US 500000
#define PAUSE_US_MAX 20000
#define BLOCK_BYTES 4096
#define BLOCKS 128
#define BLOCKS_PER_REQUEST 8
#define WORDS (BLOCK_BYTES / sizeof(uint64_t))

static int must_end;

/**
 * struct worker - one process
 * @number: which
 * @fd: the disk
 * @data: room for a request
 * @versions: of each block, 0: not written yet
 * @random: state of its random numbers
 */
struct worker {
	unsigned int number;
	int fd;
	uint64_t *data;
	uint32_t versions[BLOCKS];
	uint32_t random;
};

static void on_term(int signal)
{
	(void)signal;
	__atomic_store_n(&must_end, 1, __ATOMIC_RELAXED);
}

static int has_to_end(void)
{
	return __atomic_load_n(&must_end, __ATOMIC_RELAXED);
}

static uint32_t below(struct worker *worker, uint32_t limit)
{
	worker->random = worker->random * 1664525 + 1013904223;
	return (worker->random >> 8) % limit;
}

static uint64_t word_of(const struct worker *worker, uint32_t block,
			uint32_t word)
{
	const uint64_t name = (uint64_t)(worker->number * BLOCKS + block) << 32 |
			      worker->versions[block];

	return word % 64 ? name * UINT64_C(0x9e3779b97f4a7c15) + word : name;
}

static off_t place(const struct worker *worker, uint32_t block)
{
	return ((off_t)worker->number * BLOCKS + block) * BLOCK_BYTES;
}

static int report(const struct worker *worker, const char *what, ssize_t done)
{
	printf("process %u: %s: %s\n", worker->number, what,
	       done < 0 ? strerror(errno) : "short");
	fflush(stdout);
	return 1;
}

static int write_blocks(struct worker *worker, uint32_t first, uint32_t count)
{
	uint32_t block, word;
	ssize_t done;

	for (block = 0; block < count; block++) {
		worker->versions[first + block]++;
		for (word = 0; word < WORDS; word++)
			worker->data[block * WORDS + word] =
				word_of(worker, first + block, word);
	}
	done = pwrite(worker->fd, worker->data, count * BLOCK_BYTES,
		      place(worker, first));
	return done == (ssize_t)count * BLOCK_BYTES ?
		       0 : report(worker, "write", done);
}

static int read_blocks(struct worker *worker, uint32_t first, uint32_t count)
{
	uint32_t block, word;
	uint64_t found;
	ssize_t done;

	memset(worker->data, 0xee, count * BLOCK_BYTES);
	done = pread(worker->fd, worker->data, count * BLOCK_BYTES,
		     place(worker, first));
	if (done != (ssize_t)count * BLOCK_BYTES)
		return report(worker, "read", done);
	for (block = 0; block < count; block++) {
		if (!worker->versions[first + block])
			continue;
		for (word = 0; word < WORDS; word++) {
			found = worker->data[block * WORDS + word];
			if (found == word_of(worker, first + block, word))
				continue;
			printf("process %u: block %u word %u is %#llx, not of version %u\n",
			       worker->number, first + block, word,
			       (unsigned long long)found,
			       worker->versions[first + block]);
			fflush(stdout);
			return 1;
		}
	}
	return 0;
}

static int work(struct worker *worker, uint32_t *request_count)
{
	uint32_t first, count, dice;
	int status = 0;

	while (!has_to_end() && !status) {
		count = 1 + below(worker, BLOCKS_PER_REQUEST);
		first = below(worker, BLOCKS - count + 1);
		dice = below(worker, 32);
		if (!dice)
			status = fsync(worker->fd) ?
					 report(worker, "flush", -1) : 0;
		else if (dice < 20)
			status = write_blocks(worker, first, count);
		else
			status = read_blocks(worker, first, count);
		__atomic_add_fetch(request_count, 1, __ATOMIC_RELAXED);
		usleep(below(worker, PAUSE_US_MAX));
	}
	for (first = 0; !status && first < BLOCKS; first += BLOCKS_PER_REQUEST)
		status = read_blocks(worker, first, BLOCKS_PER_REQUEST);
	return status;
}

static pid_t start(unsigned int number, const char *device, uint32_t *count)
{
	struct worker worker = { .number = number, .random = number };
	pid_t pid = fork();

	if (pid)
		return pid;
	worker.fd = open(device, O_RDWR | O_DIRECT);
	worker.data = aligned_alloc(BLOCK_BYTES,
				    BLOCKS_PER_REQUEST * BLOCK_BYTES);
	if (worker.fd < 0 || !worker.data) {
		perror(device);
		_exit(1);
	}
	_exit(work(&worker, count));
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_term };
	int running = PROCESSES, status = 0, one;
	uint32_t *count, told_count = 0;
	bool has_told = false;
	pid_t pids[PROCESSES];
	unsigned int i;

	if (argc != 2)
		return 2;
	sigaction(SIGTERM, &action, NULL);
	/* The guest's one CPU is emulated, and has other things to do. */
	if (nice(19) < 0)
		perror("nice");
	count = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (count == MAP_FAILED)
		return 1;
	for (i = 0; i < PROCESSES; i++)
		pids[i] = start(i, argv[1], count);
	while (running) {
		usleep(TELL_US);
		if (__atomic_load_n(count, __ATOMIC_RELAXED) != told_count) {
			told_count = __atomic_load_n(count, __ATOMIC_RELAXED);
			printf("verify: %u requests\n", told_count);
			fflush(stdout);
		}
		if (has_to_end() && !has_told) {
			for (i = 0; i < PROCESSES; i++)
				kill(pids[i], SIGTERM);
			has_told = true;
		}
		while (waitpid(-1, &one, WNOHANG) > 0) {
			running--;
			status |= one;
			/* One that found something wrong ends all. */
			if (one)
				on_term(0);
		}
	}
	printf("verify: %s\n", status ? "bad" : "good");
	return !!status;
}
