// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>

#include "lib/bits.h"
#include "option_row.h"

static int take_json(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->status.json = true;
	return 0;
}

static int take_monitor(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->status.monitor = true;
	return 0;
}

static const struct vhb_option_row status_rows[] = {
	{ "json", NULL, "for programs: JSON, one object in a line",
	  .take = take_json },
	{ "monitor", NULL, "print what happens to vrings as it comes, until stopped",
	  .take = take_monitor },
};

static_assert(VHB_ARRAY_COUNT(status_rows) <= VHB_OPTION_SET_ROWS_MAX,
	      "the parser's tables have room");

static int check_status(const struct vhb_parse *parse)
{
	struct vhb_options *options = parse->options;

	options->status.control_dir = options->control_dir;
	options->action = VHB_ACTION_STATUS;
	return 0;
}

const struct vhb_option_set vhb_status_option_set = {
	.type_name = "status",
	.is_command = true,
	.synopsis = "[--json] [--monitor]",
	.summary = "show running bridges and what devices of module vhost_bridge do",
	.about = "Shows running bridges with their front-ends, then the open devices of module\n"
		 "vhost_bridge, their vrings and what those did.\n",
	.rows = status_rows,
	.row_count = VHB_ARRAY_COUNT(status_rows),
	.check = check_status,
};
