// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/bits.h"
#include "option_row.h"
#include "option_values.h"

static int take_blk_file(struct vhb_parse *parse, const char *value)
{
	if (!*value)
		return vhb_usage(parse, "--blk-file needs the path of a file or block device");
	parse->options->blk.file_path = value;
	return 0;
}

static int take_read_only(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->blk.is_read_only = true;
	return 0;
}

static int take_share_rw(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->blk.is_shared = true;
	return 0;
}

static int take_num_queues(struct vhb_parse *parse, const char *value)
{
	uint64_t count;

	if (vhb_value_number(value, 1, VHB_BLK_QUEUES_MAX, &count))
		return vhb_usage(parse, "--num-queues=%s is not a number from 1 to %d",
				 value, VHB_BLK_QUEUES_MAX);
	parse->options->blk.queue_count = count;
	return 0;
}

/* What a guest makes part of a path under /dev must not hold odd characters. */
static int take_serial(struct vhb_parse *parse, const char *value)
{
	const size_t length = strlen(value);
	const char *at;

	for (at = value; *at > ' ' && *at <= '~' && *at != '/'; at++)
		;
	if (!length || *at)
		return vhb_usage(parse, "--serial=%s is not of visible ASCII characters other than /",
				 value);
	if (length > VHB_BLK_SERIAL_BYTES)
		return vhb_usage(parse, "--serial=%s has %zu characters, %d are possible",
				 value, length, VHB_BLK_SERIAL_BYTES);
	memcpy(parse->options->blk.serial, value, length);
	return 0;
}

static int take_poll_us(struct vhb_parse *parse, const char *value)
{
	uint64_t poll_us;

	if (vhb_value_number(value, 0, VHB_BLK_POLL_US_MAX, &poll_us))
		return vhb_usage(parse, "--poll-us=%s is not a number from 0 to %d",
				 value, VHB_BLK_POLL_US_MAX);
	parse->options->blk.poll_us = poll_us;
	return 0;
}

static int take_vhost_device(struct vhb_parse *parse, const char *value)
{
	if (!*value)
		return vhb_usage(parse, "--vhost-device needs a path, such as /dev/vhost-bridge-blk");
	parse->options->blk.vhost_path = value;
	return 0;
}

static int take_vhost_fd(struct vhb_parse *parse, const char *value)
{
	uint64_t fd;

	if (vhb_value_number(value, 0, INT_MAX, &fd))
		return vhb_usage(parse, "--vhost-fd=%s is no descriptor number",
				 value);
	parse->options->blk.vhost_fd = fd;
	return 0;
}

static const struct vhb_option_row blk_rows[] = {
	{ "blk-file", "PATH", "what the guest gets: this block device or disk image",
	  .take = take_blk_file },
	{ "read-only", NULL, "the guest may not write to it",
	  .take = take_read_only },
	{ "share-rw", NULL, "let others write to it meanwhile",
	  .take = take_share_rw },
	{ "num-queues", "N", "virtqueues, each with a kernel thread (1)",
	  .take = take_num_queues },
	{ "serial", "TEXT", "what the guest reads as serial number, 20 characters",
	  .take = take_serial },
	{ "poll-us", "N", "watch an idle virtqueue so long before sleeping (0)",
	  .take = take_poll_us },
	{ "vhost-device", "PATH", "the kernel device (/dev/vhost-bridge-blk)",
	  .take = take_vhost_device },
	{ "vhost-fd", "N", "the kernel device, open already",
	  .take = take_vhost_fd },
};

static_assert(VHB_ARRAY_COUNT(blk_rows) <= VHB_OPTION_SET_ROWS_MAX,
	      "the parser's tables have room");

static void set_defaults(struct vhb_options *options)
{
	options->blk.queue_count = 1;
	options->blk.vhost_fd = -1;
}

static int check_blk(const struct vhb_parse *parse)
{
	struct vhb_blk_config *blk = &parse->options->blk;

	if (!blk->file_path)
		return vhb_usage(parse,
				 "where is the guest's data? --blk-file=PATH is missing, such as --blk-file=/srv/disk.img");
	if (blk->vhost_path && blk->vhost_fd >= 0)
		return vhb_usage(parse, "--vhost-device and --vhost-fd exclude each other");
	if (blk->vhost_fd >= 0 && blk->vhost_fd == parse->options->socket_fd)
		return vhb_usage(parse, "--fd and --vhost-fd both name descriptor %d",
				 blk->vhost_fd);
	if (!blk->vhost_path && blk->vhost_fd < 0)
		blk->vhost_path = "/dev/vhost-bridge-blk";
	return 0;
}

const struct vhb_option_set vhb_blk_option_set = {
	.type_name = "blk",
	.schema_name = "block",
	.synopsis = "--blk-file=PATH",
	.summary = "a disk, on module vhost_bridge and a file or block device",
	.about = "A vhost-user block back-end: kernel module vhost_bridge moves the data between\n"
		 "the guest and a disk image or block device.\n",
	.rows = blk_rows,
	.row_count = VHB_ARRAY_COUNT(blk_rows),
	.set_defaults = set_defaults,
	.check = check_blk,
};
