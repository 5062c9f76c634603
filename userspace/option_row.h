/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_OPTION_ROW_H
#define VHB_OPTION_ROW_H

#include <stdbool.h>

#include "options.h"

/**
 * DOC: inside the command line parser
 *
 * options.c knows the options every device type has, a file such as
 * options_net.c those of one type. A command, which is no back-end, looks like a
 * type here.
 */

/**
 * struct vhb_parse - a command line being read
 * @options: what was found so far
 * @set: the options of the device type, NULL before it is known
 */
struct vhb_parse {
	struct vhb_options *options;
	const struct vhb_option_set *set;
};

/**
 * struct vhb_option_row - one option
 * @name: without the dashes
 * @value: what --help calls its value, NULL when it takes none
 * @help: one line
 * @is_convention: every program has it, or the specification's "Backend program
 *                 conventions" do: --print-capabilities need not tell of it
 * @may_repeat: more than once is fine
 * @take: check and keep the value; reports what is wrong with it
 */
struct vhb_option_row {
	const char *name;
	const char *value;
	const char *help;
	bool is_convention;
	bool may_repeat;
	int (*take)(struct vhb_parse *parse, const char *value);
};

/** The most options one device type can have */
#define VHB_OPTION_SET_ROWS_MAX 32

/**
 * struct vhb_option_set - the options of one device type
 * @type_name: the type
 * @schema_name: what the specification's schema of capabilities calls it
 * @is_command: no device type: it takes no socket
 * @synopsis: what --help shows behind the type's name
 * @summary: what the general help says about it, a few words
 * @about: what --help says about it
 * @rows: its options
 * @row_count: how many
 * @set_defaults: before the command line is read; may be NULL for all zero
 * @check: do the options fit together? Fills in what was left out
 */
struct vhb_option_set {
	const char *type_name;
	const char *schema_name;
	bool is_command;
	const char *synopsis;
	const char *summary;
	const char *about;
	const struct vhb_option_row *rows;
	unsigned int row_count;
	void (*set_defaults)(struct vhb_options *options);
	int (*check)(const struct vhb_parse *parse);
};

extern const struct vhb_option_set vhb_net_option_set;
extern const struct vhb_option_set vhb_blk_option_set;
extern const struct vhb_option_set vhb_status_option_set;
extern const struct vhb_option_set vhb_top_option_set;

/** vhb_option_set_find() - that of a type or command, or NULL */
const struct vhb_option_set *vhb_option_set_find(const char *type_name);

/**
 * vhb_option_row_at() - go through all options a type or command has
 * @set: the type or command
 * @index: from 0 on
 *
 * Return: one of them, or NULL behind the last.
 */
const struct vhb_option_row *vhb_option_row_at(const struct vhb_option_set *set,
					       unsigned int index);

/**
 * vhb_usage() - report a usage error in one line
 * @parse: tells which help to point to
 * @format: as in printf(), without a newline
 *
 * Return: -EINVAL.
 */
int vhb_usage(const struct vhb_parse *parse, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
