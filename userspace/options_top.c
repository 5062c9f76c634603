// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>

#include "lib/bits.h"
#include "option_row.h"
#include "option_values.h"

#define INTERVAL_S_MAX 3600
#define COUNT_MAX 1000000

static int take_interval(struct vhb_parse *parse, const char *value)
{
	uint64_t seconds;

	if (vhb_value_number(value, 1, INTERVAL_S_MAX, &seconds))
		return vhb_usage(parse, "--interval=%s is not a number of seconds from 1 to %d",
				 value, INTERVAL_S_MAX);
	parse->options->top.interval_s = seconds;
	return 0;
}

static int take_count(struct vhb_parse *parse, const char *value)
{
	uint64_t count;

	if (vhb_value_number(value, 1, COUNT_MAX, &count))
		return vhb_usage(parse, "--count=%s is not a number from 1 to %d",
				 value, COUNT_MAX);
	parse->options->top.count = count;
	return 0;
}

static const struct vhb_option_row top_rows[] = {
	{ "interval", "SECONDS", "from one picture to the next (1)",
	  .take = take_interval },
	{ "count", "N", "end after so many pictures",
	  .take = take_count },
};

static_assert(VHB_ARRAY_COUNT(top_rows) <= VHB_OPTION_SET_ROWS_MAX,
	      "the parser's tables have room");

static void set_defaults(struct vhb_options *options)
{
	options->top.interval_s = 1;
}

static int check_top(const struct vhb_parse *parse)
{
	struct vhb_options *options = parse->options;

	options->top.control_dir = options->control_dir;
	options->action = VHB_ACTION_TOP;
	return 0;
}

const struct vhb_option_set vhb_top_option_set = {
	.type_name = "top",
	.is_command = true,
	.synopsis = "[--interval=SECONDS]",
	.summary = "show how fast running bridges are, again and again",
	.about = "Shows running bridges, their front-ends and how fast their vrings are. On a\n"
		 "terminal q ends it.\n",
	.rows = top_rows,
	.row_count = VHB_ARRAY_COUNT(top_rows),
	.set_defaults = set_defaults,
	.check = check_top,
};
