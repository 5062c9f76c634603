// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/fd_kind.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "lib/fd.h"

/* Longer than any name of the kernel's; of a path only the beginning matters. */
#define TARGET_BYTES 64

static bool begins_with(const char *text, const char *beginning)
{
	return !strncmp(text, beginning, strlen(beginning));
}

static void add_memory(int fd, const char *kind, struct vhb_text *text)
{
	struct stat st;

	if (fstat(fd, &st))
		vhb_text_add(text, "%s", kind);
	else
		vhb_text_add(text, "%s:0x%" PRIx64, kind, (uint64_t)st.st_size);
}

/* anon_inode:[eventfd], but also anon_inode:kvm-vm */
static void add_anonymous(const char *name, struct vhb_text *text)
{
	size_t length;

	if (*name == '[')
		name++;
	length = strcspn(name, "]");
	vhb_text_add(text, "%.*s", (int)length, name);
}

void vhb_fd_add_kind(int fd, struct vhb_text *text)
{
	char path[32], target[TARGET_BYTES];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0) {
		vhb_text_add(text, fd < 0 ? "none" : "closed");
		return;
	}
	target[length] = '\0';
	if (begins_with(target, "anon_inode:"))
		add_anonymous(target + strlen("anon_inode:"), text);
	else if (begins_with(target, "socket:"))
		vhb_text_add(text, vhb_fd_is_unix_socket(fd) ? "unix-socket" :
							       "socket");
	else if (begins_with(target, "pipe:"))
		vhb_text_add(text, "pipe");
	else if (vhb_fd_is_shared_memory(fd))
		add_memory(fd, begins_with(target, "/memfd:") ? "memfd" : "shm",
			   text);
	else
		vhb_text_add(text, "file");
}
