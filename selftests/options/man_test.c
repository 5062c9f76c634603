// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Manual pages and --help have the same options. To mend it, edit
 * Documentation/man/vhost-bridge-TYPE.8: an option is a line ".BI \-\-name= VALUE",
 * ".B \-\-name" or ".BR \-\-name , ..." below ".TP", in the section OPTIONS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "lib/command_line.h"
#include "lib/document.h"

#define NAMES_MAX 64
#define NAME_BYTES 32

/** struct names - option names, or types */
struct names {
	char names[NAMES_MAX][NAME_BYTES];
	unsigned int count;
};

static const char *type;

static void print_help(FILE *out)
{
	const struct vhb_options options = { .type_name = type };

	vhb_options_print_help(&options, out);
}

static void add(struct names *names, const char *name, size_t length)
{
	assert_true(names->count < NAMES_MAX && length < NAME_BYTES);
	snprintf(names->names[names->count++], NAME_BYTES, "%.*s", (int)length,
		 name);
}

static bool has(const struct names *names, const char *name)
{
	unsigned int i;

	for (i = 0; i < names->count; i++)
		if (!strcmp(names->names[i], name))
			return true;
	return false;
}

static size_t name_length(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

/* In --help: lines that begin with two spaces and two dashes */
static void read_help(struct names *names)
{
	char *text = print(print_help), *rest = text, *line;

	names->count = 0;
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, "  --", 4))
			add(names, line + 4, name_length(line + 4));
	free(text);
}

/* Types and commands, in the help of all: lines that begin with two spaces */
static void read_types(struct names *names)
{
	char *text, *rest, *line;

	type = NULL;
	text = print(print_help);
	rest = strstr(text, "Types:\n");
	assert_non_null(rest);
	names->count = 0;
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, "  ", 2) && isalpha((unsigned char)line[2]))
			add(names, line + 2, name_length(line + 2));
	free(text);
	assert_true(names->count >= 3);
}

/* Without the backslashes before dashes */
static char *read_page(const char *name)
{
	char path[96], *text, *from, *to;

	snprintf(path, sizeof(path), "Documentation/man/vhost-bridge%s%s.8",
		 *name ? "-" : "", name);
	text = document_read(path);
	for (from = to = text; *from; from++)
		if (from[0] != '\\' || from[1] != '-')
			*to++ = *from;
	*to = '\0';
	return text;
}

/* In the page: the first line below .TP in the section OPTIONS */
static void read_options(const char *name, struct names *names)
{
	char *text = read_page(name), *rest = text, *line, *dashes;
	bool is_options = false, is_heading = false;

	names->count = 0;
	while ((line = strsep(&rest, "\n"))) {
		if (!strncmp(line, ".SH", 3))
			is_options = !strcmp(line, ".SH OPTIONS");
		dashes = strstr(line, "--");
		if (is_options && is_heading && dashes)
			add(names, dashes + 2, name_length(dashes + 2));
		is_heading = !strcmp(line, ".TP");
	}
	free(text);
}

static void pages_have_the_options_of_help(void **state)
{
	struct names types, help, page;
	unsigned int i, j;

	(void)state;
	read_types(&types);
	for (i = 0; i < types.count; i++) {
		type = types.names[i];
		read_help(&help);
		read_options(type, &page);
		assert_true(help.count > 2);
		for (j = 0; j < help.count; j++)
			if (!has(&page, help.names[j]))
				fail_msg("vhost-bridge-%s.8 does not have --%s",
					 type, help.names[j]);
		for (j = 0; j < page.count; j++)
			if (!has(&help, page.names[j]))
				fail_msg("vhost-bridge-%s.8 has --%s, which is no option",
					 type, page.names[j]);
		assert_int_equal(page.count, help.count);
	}
}

static void expect_reference(const char *name, const char *to)
{
	char *text = read_page(name), reference[64];
	const char *dash = *to ? "-" : "";

	snprintf(reference, sizeof(reference), ".BR vhost-bridge%s%s (8)", dash,
		 to);
	if (!strstr(text, reference))
		fail_msg("page \"%s\" does not refer to vhost-bridge%s%s(8)",
			 name, dash, to);
	free(text);
}

static void each_page_names_all_others(void **state)
{
	struct names pages;
	unsigned int i, j;

	(void)state;
	read_types(&pages);
	add(&pages, "", 0);
	for (i = 0; i < pages.count; i++)
		for (j = 0; j < pages.count; j++)
			if (i != j)
				expect_reference(pages.names[i],
						 pages.names[j]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_have_the_options_of_help),
		cmocka_unit_test(each_page_names_all_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
