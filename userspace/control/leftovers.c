// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <sys/stat.h>

#include "control/directory.h"
#include "lib/log.h"
#include "wire/socket.h"

#define AGE_MIN_S 60
/* Looked at in a directory: a start must not take long, the next one goes on. */
#define NAMES_MAX 4096

static bool is_left(const char *path, uint32_t pid)
{
	struct stat st;
	int fd;

	if (!kill(pid, 0) || errno != ESRCH)
		return false;
	if (lstat(path, &st) || !S_ISSOCK(st.st_mode) ||
	    time(NULL) - st.st_mtime < AGE_MIN_S)
		return false;
	fd = vhb_socket_connect(path);
	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

void vhb_control_remove_leftovers(const char *directory)
{
	char path[VHB_CONTROL_PATH_BYTES];
	unsigned int name_count = 0;
	struct dirent *entry;
	uint32_t pid;
	DIR *names;

	names = opendir(directory);
	if (!names)
		return;
	while (name_count < NAMES_MAX && (entry = readdir(names))) {
		pid = vhb_control_pid(entry->d_name);
		if (!pid)
			continue;
		name_count++;
		if (vhb_control_path(directory, pid, path) ||
		    !is_left(path, pid))
			continue;
		if (!unlink(path))
			vhb_debug("%s: removed, its broker was killed", path);
	}
	closedir(names);
}
