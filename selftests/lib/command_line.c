// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/command_line.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <cmocka.h>

#define ARGUMENTS_MAX 32

char said[OUTPUT_BYTES];
static char words[OUTPUT_BYTES];

static int split(const char *line, char **argv)
{
	char *word;
	int argc = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		assert_true(argc < ARGUMENTS_MAX);
		argv[argc++] = strcmp(word, "''") ? word : word + 2;
	}
	argv[argc] = NULL;
	return argc;
}

int parse(const char *line, struct vhb_options *options)
{
	char *argv[ARGUMENTS_MAX + 1];
	int argc = split(line, argv);
	int saved = dup(STDERR_FILENO);
	int file = memfd_create("stderr", MFD_CLOEXEC);
	ssize_t length;
	int ret;

	assert_true(saved >= 0 && file >= 0);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	ret = vhb_options_parse(argc, argv, options);
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	length = pread(file, said, sizeof(said) - 1, 0);
	assert_true(length >= 0);
	said[length] = '\0';
	close(file);
	close(saved);
	return ret;
}

void parse_ok(const char *line, struct vhb_options *options)
{
	int ret = parse(line, options);

	assert_string_equal(said, "");
	assert_int_equal(ret, 0);
}

void check_complaint(const char *line, const char *complaint, const char *help)
{
	struct vhb_options options;
	char *end;

	assert_int_equal(parse(line, &options), -EINVAL);
	assert_int_equal(strncmp(said, "vhost-bridge: ", 14), 0);
	if (!strstr(said, complaint))
		assert_string_equal(said, complaint);
	/* One line, and where to read on */
	end = strchr(said, '\n');
	assert_non_null(end);
	assert_string_equal(end + 1, "");
	*end = '\0';
	assert_true(strlen(said) > strlen(help));
	assert_string_equal(end - strlen(help), help);
}

char *print(void (*function)(FILE *out))
{
	char buffer[OUTPUT_BYTES] = "";
	FILE *out = fmemopen(buffer, sizeof(buffer), "w");

	assert_non_null(out);
	function(out);
	assert_int_equal(fclose(out), 0);
	return strdup(buffer);
}
