/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_BROKER_H
#define SELFTESTS_LIB_BROKER_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

/**
 * DOC: the real broker as a child process
 *
 * The program is $VHB_BROKER, else $VHB_BUILD/vhost-bridge, else the
 * vhost-bridge that was built together with the test. What it says is kept and
 * shown by broker_show_log(). It dies with the test.
 */

/**
 * struct broker - a running vhost-bridge
 * @pid: its process, 0 when there is none
 * @log_fd: what it wrote to standard error
 * @socket_path: where front-ends connect
 */
struct broker {
	pid_t pid;
	int log_fd;
	char socket_path[64];
};

/**
 * struct broker_counts - what a broker and the kernel hold
 * @fds: the broker's descriptors
 * @maps: its mappings
 * @tasks: its threads, without io_uring's own
 * @vhost_tasks: vhost workers, threads of the broker (Linux 6.4 and later) or
 *               kernel threads named after it
 * @size_kib: its address space, VmSize
 * @resident_kib: VmRSS
 * @files: open files of the whole system; the kernel does not keep this number
 *         exactly
 * @slab_kib: the kernel's unreclaimable slab memory
 */
struct broker_counts {
	unsigned int fds;
	unsigned int maps;
	unsigned int tasks;
	unsigned int vhost_tasks;
	long size_kib;
	long resident_kib;
	long files;
	long slab_kib;
};

/**
 * broker_start() - start a broker and wait until it is ready
 * @broker: set up by this
 * @arguments: what follows "net --socket-path=..."; NULL at the end
 *
 * Return: 0; -ETIMEDOUT; -ECHILD when it ended at once (its log is shown).
 */
int broker_start(struct broker *broker, const char *const *arguments);

/** broker_start_device() - the same for "blk --socket-path=..." or another device */
int broker_start_device(struct broker *broker, const char *device,
			const char *const *arguments);

/**
 * broker_kill() - SIGKILL, and wait until it has gone
 *
 * Its socket stays behind, for broker_start_again().
 */
void broker_kill(struct broker *broker);

/** broker_start_again() - one more on the same socket, after broker_kill() */
int broker_start_again(struct broker *broker, const char *device,
		       const char *const *arguments);

/** broker_is_alive() - has it not ended? */
bool broker_is_alive(const struct broker *broker);

/**
 * broker_stop() - SIGTERM
 *
 * Return: its exit status, 128 + the signal that killed it, or -ETIMEDOUT when
 * it had to be killed after five seconds (the contract is one, but emulated CPUs
 * of a busy host are slow).
 */
int broker_stop(struct broker *broker);

/**
 * broker_status() - what "vhost-bridge status --json" says of all devices
 * @text: what it printed
 * @text_bytes: room in @text
 *
 * Return: 0, or -EIO when it failed.
 */
int broker_status(char *text, size_t text_bytes);

/** broker_log_has() - did it say this? */
bool broker_log_has(const struct broker *broker, const char *text);

/** broker_comes_to_say() - the same; it may need some seconds to */
bool broker_comes_to_say(const struct broker *broker, const char *text);

/** broker_show_log() - what it said, each line behind "# " */
void broker_show_log(const struct broker *broker);

/** broker_count() - 0 or -errno */
int broker_count(const struct broker *broker, struct broker_counts *counts_out);

/**
 * broker_count_idle() - count once no session is left
 * @broker: the broker
 * @counts_out: the counts, the same for a while and without a vhost task
 *
 * Return: 0, or -ETIMEDOUT (with the counts) when they do not come to rest.
 */
int broker_count_idle(const struct broker *broker,
		      struct broker_counts *counts_out);

/** broker_show_counts() - print them as a TAP comment */
void broker_show_counts(const char *when, const struct broker_counts *counts);

/**
 * broker_count_flat() - wait until nothing is more than it was
 * @broker: the broker
 * @before: what it was, by broker_count_idle()
 * @after_out: what it is now
 *
 * What is given back takes a moment: descriptors go before mappings, and some of it
 * after a grace period. A leak stays.
 *
 * Allows for what differs without a leak: the C library's heap and the page
 * tables of a process that has run a while, the kernel's inexact count of open
 * files, and its caches. A page or a file for each of 200 rounds is beyond that.
 *
 * Return: 0, or -ETIMEDOUT, and a TAP comment says what has grown.
 */
int broker_count_flat(const struct broker *broker,
		      const struct broker_counts *before,
		      struct broker_counts *after_out);

/**
 * vhost_net_is_there() - can /dev/vhost-net be had?
 *
 * Loads the module if need be. When not, prints a TAP plan that skips all and
 * says why; the caller ends with SKIP_STATUS.
 */
bool vhost_net_is_there(void);

#define SKIP_STATUS 4

#endif
