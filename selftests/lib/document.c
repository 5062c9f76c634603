// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void path_in_tree(const char *path, char *full, size_t full_bytes)
{
	/* The compiler was given the whole path of this file. */
	const char *end = strstr(__FILE__, "selftests/lib/");

	assert_non_null(end);
	snprintf(full, full_bytes, "%.*s%s", (int)(end - __FILE__), __FILE__,
		 path);
}

int document_exists(const char *path)
{
	char full[512];

	path_in_tree(path, full, sizeof(full));
	return !access(full, R_OK);
}

char *document_read(const char *path)
{
	char full[512], *text;
	FILE *file;
	long size;

	path_in_tree(path, full, sizeof(full));
	file = fopen(full, "r");
	if (!file)
		fail_msg("%s cannot be read", full);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size > 0);
	rewind(file);
	text = malloc(size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, size, file), size);
	text[size] = '\0';
	fclose(file);
	return text;
}

/* Where columns begin, as the line of equals signs has it */
static unsigned int find_columns(const char *line, size_t *starts)
{
	unsigned int count = 0;
	size_t i;

	for (i = 0; line[i]; i++) {
		assert_true(line[i] == '=' || line[i] == ' ');
		if (line[i] != '=' || (i && line[i - 1] == '='))
			continue;
		assert_true(count < DOCUMENT_COLUMNS);
		starts[count++] = i;
	}
	return count;
}

static void add_to_cell(char *cell, const char *text, size_t length)
{
	size_t used = strlen(cell);

	while (length && text[length - 1] == ' ')
		length--;
	if (!length)
		return;
	assert_true(used + length + 2 < sizeof(((struct document_row *)0)->cells[0]));
	sprintf(cell + used, "%s%.*s", used ? " " : "", (int)length, text);
}

static void read_line(const char *line, const size_t *starts,
		      unsigned int count, struct document_row *row)
{
	const size_t length = strlen(line);
	unsigned int i;

	for (i = 0; i < count && starts[i] < length; i++) {
		size_t end = i + 1 < count ? starts[i + 1] : length;

		if (end > length)
			end = length;
		add_to_cell(row->cells[i], line + starts[i], end - starts[i]);
	}
}

unsigned int document_table(char *text, const char *title,
			    struct document_row *rows, unsigned int rows_max)
{
	size_t starts[DOCUMENT_COLUMNS];
	unsigned int columns = 0, borders = 0, count = 0;
	char heading[128], *line, *rest;

	snprintf(heading, sizeof(heading), "\n%s\n==", title);
	rest = strstr(text, heading);
	if (!rest)
		fail_msg("no section \"%s\"", title);
	/* Behind the line below the title */
	rest = strchr(rest + strlen(heading), '\n');
	assert_non_null(rest);
	while (borders < 3 && (line = strsep(&rest, "\n"))) {
		if (!strncmp(line, "==", 2)) {
			columns = find_columns(line, starts);
			borders++;
			continue;
		}
		if (borders != 2)
			continue;
		/* What has nothing in the first column goes on. */
		if (*line != ' ') {
			assert_true(count < rows_max);
			memset(&rows[count++], 0, sizeof(rows[0]));
		}
		assert_true(count);
		read_line(line, starts, columns, &rows[count - 1]);
	}
	if (borders != 3)
		fail_msg("no table in section \"%s\"", title);
	return count;
}
