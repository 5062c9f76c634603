// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/directory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".control"

static int add(struct vhb_control_directories *directories, const char *path,
	       const char *behind)
{
	char *target = directories->paths[directories->count];
	char longest[VHB_CONTROL_PATH_BYTES];
	int length;

	length = snprintf(target, VHB_CONTROL_PATH_BYTES, "%s%s", path, behind);
	if (length < 0 || length >= VHB_CONTROL_PATH_BYTES ||
	    vhb_control_path(target, UINT32_MAX, longest))
		return -ENAMETOOLONG;
	directories->count++;
	return 0;
}

int vhb_control_directories_find(const char *given,
				 struct vhb_control_directories *directories)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");

	directories->count = 0;
	if (given)
		return add(directories, given, "");
	add(directories, "/run/vhost-bridge", "");
	/* "must be set to an absolute path"; else it is to be ignored. */
	if (runtime && *runtime == '/')
		add(directories, runtime, "/vhost-bridge");
	return 0;
}

int vhb_control_path(const char *directory, uint32_t pid,
		     char path[VHB_CONTROL_PATH_BYTES])
{
	int length = snprintf(path, VHB_CONTROL_PATH_BYTES,
			      "%s/%" PRIu32 SUFFIX, directory, pid);

	return length < 0 || length >= VHB_CONTROL_PATH_BYTES ? -ENAMETOOLONG :
								0;
}

uint32_t vhb_control_pid(const char *name)
{
	const size_t digits = strspn(name, "0123456789");
	unsigned long pid;

	if (!digits || digits > 9 || *name == '0' ||
	    strcmp(name + digits, SUFFIX))
		return 0;
	pid = strtoul(name, NULL, 10);
	return pid;
}
