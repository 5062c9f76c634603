// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/module.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/syscall.h>
#include <sys/utsname.h>

#define MODULE_NAME "vhost_bridge"
#define LOOP_NODE "/dev/vhost-bridge-loop"
#define WAIT_STEPS 500
#define WAIT_STEP_US 10000
#define SKIPPED 4

static char module_path[PATH_MAX];
static bool was_loaded;
static bool had_loop;

static void skip_program(const char *why)
{
	printf("TAP version 13\n1..0 # SKIP %s\n", why);
	exit(SKIPPED);
}

/* Looks in the program's folder and all above it. */
static bool find_module(void)
{
	const char *given = getenv("VHB_MODULE");
	char folder[PATH_MAX / 2];
	struct utsname system;
	ssize_t length;
	char *slash;

	if (given) {
		snprintf(module_path, sizeof(module_path), "%s", given);
		return !access(module_path, R_OK);
	}
	length = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	if (length < 0 || uname(&system))
		return false;
	folder[length] = '\0';
	while ((slash = strrchr(folder, '/'))) {
		*slash = '\0';
		snprintf(module_path, sizeof(module_path),
			 "%s/modules/%s/" MODULE_NAME ".ko", folder,
			 system.release);
		if (!access(module_path, R_OK))
			return true;
	}
	return false;
}

int module_is_loaded(void)
{
	return !access("/sys/module/" MODULE_NAME "/initstate", F_OK);
}

static int load_with(const char *options)
{
	int fd, ret;

	fd = open(module_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, options, 0) ? -errno : 0;
	close(fd);
	return ret;
}

int module_load(void)
{
	return load_with("loopback=1");
}

int module_try_unload(void)
{
	return syscall(SYS_delete_module, MODULE_NAME, O_NONBLOCK) ? -errno : 0;
}

int module_unload(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < WAIT_STEPS; i++) {
		ret = module_try_unload();
		if (ret != -EAGAIN && ret != -EBUSY)
			break;
		usleep(WAIT_STEP_US);
	}
	return ret;
}

void module_need(void)
{
	char why[PATH_MAX + 64];
	int ret;

	if (geteuid())
		skip_program("needs root");
	was_loaded = module_is_loaded();
	had_loop = !access(LOOP_NODE, F_OK);
	if (had_loop && was_loaded) {
		find_module();
		return;
	}
	if (!find_module())
		skip_program("no " MODULE_NAME ".ko for this kernel (make modules)");
	ret = was_loaded ? module_unload() : 0;
	if (!ret)
		ret = module_load();
	if (ret) {
		snprintf(why, sizeof(why), "cannot load %s: %s", module_path,
			 strerror(-ret));
		printf("Bail out! %s\n", why);
		exit(1);
	}
}

void module_restore(void)
{
	if (was_loaded && had_loop) {
		if (!module_is_loaded())
			module_load();
		return;
	}
	if (module_is_loaded() && module_unload())
		printf("Bail out! %s does not unload\n", MODULE_NAME);
	if (was_loaded)
		load_with("");
}

int module_users(void)
{
	FILE *file = fopen("/sys/module/" MODULE_NAME "/refcnt", "re");
	int count = -ENOENT;

	if (!file)
		return -ENOENT;
	if (fscanf(file, "%d", &count) != 1)
		count = -ENOENT;
	fclose(file);
	return count;
}

unsigned int module_each_thread(const char *beginning,
				void (*visit)(pid_t thread, void *argument),
				void *argument)
{
	DIR *directory = opendir("/proc");
	char path[64], name[32];
	struct dirent *entry;
	unsigned int count = 0;
	FILE *file;
	bool is_one;

	if (!directory)
		abort();
	while ((entry = readdir(directory))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		is_one = fgets(name, sizeof(name), file) &&
			 !strncmp(name, beginning, strlen(beginning));
		fclose(file);
		if (!is_one)
			continue;
		count++;
		if (visit)
			visit(atoi(entry->d_name), argument);
	}
	closedir(directory);
	return count;
}

unsigned int module_thread_count(void)
{
	return module_each_thread("vhb-", NULL, NULL);
}

static void remember(pid_t thread, void *argument)
{
	*(pid_t *)argument = thread;
}

pid_t module_thread_of(unsigned int index)
{
	char name[32];
	pid_t thread;

	snprintf(name, sizeof(name), "vhb-%d-%u\n", getpid(), index);
	return module_each_thread(name, remember, &thread) == 1 ? thread :
								  -ESRCH;
}

int module_wait_threads(unsigned int wanted)
{
	unsigned int i;

	for (i = 0; i < WAIT_STEPS; i++) {
		if (module_thread_count() == wanted)
			return 0;
		usleep(WAIT_STEP_US);
	}
	return -ETIMEDOUT;
}
