// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bits.h"
#include "lib/module.h"

static int nth_fd = -1;

static int write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int set(const char *kind, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, name);
	return write_file(path, value);
}

static void must_set(const char *kind, const char *name, const char *value)
{
	int ret = set(kind, name, value);

	if (!ret)
		return;
	fprintf(stderr, "%s/%s: %s\n", kind, name, strerror(-ret));
	abort();
}

void fault_need(void)
{
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(kinds); i++) {
		/* Each failure would be in the kernel log, with its stack. */
		if (!set(kinds[i], "verbose", "0"))
			continue;
		printf("1..0 # SKIP this kernel has no %s; the debug kernel has\n",
		       kinds[i]);
		exit(4);
	}
	/* Else only allocations fail that must not wait. */
	must_set("failslab", "ignore-gfp-wait", "N");
	must_set("fail_page_alloc", "ignore-gfp-wait", "N");
	must_set("fail_page_alloc", "min-order", "0");
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		abort();
}

void fault_nth(unsigned int nth)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", nth);
	/* What is pending may hit this very copy; then it is not pending any more. */
	while (pwrite(nth_fd, value, strlen(value), 0) < 0)
		if (errno != EFAULT)
			abort();
}

bool fault_happened(void)
{
	char value[16] = "";

	/* When reading fails it was pending until now. */
	if (pread(nth_fd, value, sizeof(value) - 1, 0) < 0)
		return false;
	return !strtoul(value, NULL, 10);
}

static void mark_thread(pid_t thread, void *argument)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/make-it-fail", thread);
	if (write_file(path, argument))
		abort();
}

void fault_threads(const char *prefix, unsigned int percent)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", percent);
	if (percent) {
		must_set("failslab", "task-filter", "Y");
		must_set("failslab", "times", "-1");
		module_each_thread(prefix, mark_thread, "1");
	}
	must_set("failslab", "probability", value);
	if (!percent) {
		module_each_thread(prefix, mark_thread, "0");
		must_set("failslab", "task-filter", "N");
	}
}
