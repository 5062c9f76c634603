/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_COMMAND_LINE_H
#define SELFTESTS_LIB_COMMAND_LINE_H

#include <stdio.h>

#include "options.h"

/**
 * DOC: command lines under test
 *
 * A command line is one string, split at spaces; an argument cannot hold one,
 * but can be empty as ''. What the options keep of it is good until the next.
 */

/** Room for a command line, or for what is said of one */
#define OUTPUT_BYTES 4096

/** What was said on standard error by the last parse() */
extern char said[OUTPUT_BYTES];

/** parse() - vhb_options_parse() */
int parse(const char *line, struct vhb_options *options);

/** parse_ok() - the same of one that must be fine, and say nothing */
void parse_ok(const char *line, struct vhb_options *options);

/**
 * check_complaint() - the same of one that must be refused
 * @line: the command line
 * @complaint: part of the one line that is said
 * @help: how that line ends
 */
void check_complaint(const char *line, const char *complaint, const char *help);

/** print() - what a function prints; to be freed by the caller */
char *print(void (*function)(FILE *out));

#endif
