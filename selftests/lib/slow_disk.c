// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/slow_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_PATH "/dev/shm/vhb-slow-test.img"

static int run(const char *command)
{
	return system(command) ? -EIO : 0;
}

static int make_loop(struct slow_disk *disk)
{
	const int fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			    0600);
	FILE *output;
	int ret;

	if (fd < 0)
		return -errno;
	ret = ftruncate(fd, SLOW_DISK_BYTES) ? -errno : 0;
	close(fd);
	if (ret)
		return ret;
	run("modprobe -q loop");
	output = popen("losetup --find --show " FILE_PATH, "re");
	if (!output)
		return -errno;
	if (!fgets(disk->loop_path, sizeof(disk->loop_path), output))
		disk->loop_path[0] = '\0';
	disk->loop_path[strcspn(disk->loop_path, "\n")] = '\0';
	return pclose(output) ? -ENODEV : 0;
}

void slow_disk_open(struct slow_disk *disk)
{
	char command[160];

	*disk = (struct slow_disk){ .why_not = NULL };
	if (make_loop(disk)) {
		disk->why_not = "no loop device";
		return;
	}
	run("modprobe -q dm-mod");
	setenv("DM_DISABLE_UDEV", "1", 1);
	snprintf(command, sizeof(command),
		 "dmsetup create " SLOW_DISK_NAME " --table '0 %u linear %s 0'",
		 SLOW_DISK_BYTES / 512, disk->loop_path);
	if (run(command))
		disk->why_not = "no device mapper";
}

void slow_disk_need(const struct slow_disk *disk)
{
	if (!disk->why_not)
		return;
	print_message("# %s\n", disk->why_not);
	skip();
}

void slow_disk_close(struct slow_disk *disk)
{
	char command[96];

	if (!disk->why_not) {
		slow_disk_resume();
		run("dmsetup remove " SLOW_DISK_NAME);
	}
	if (*disk->loop_path) {
		snprintf(command, sizeof(command), "losetup --detach %s",
			 disk->loop_path);
		run(command);
	}
	unlink(FILE_PATH);
}

int slow_disk_halt(void)
{
	return run("dmsetup suspend --noflush --nolockfs " SLOW_DISK_NAME);
}

int slow_disk_resume(void)
{
	return run("dmsetup resume " SLOW_DISK_NAME);
}
