// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/log_capture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <cmocka.h>

#include "lib/log.h"

void log_capture_begin(struct log_capture *capture)
{
	fflush(stderr);
	capture->saved_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	capture->log_fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(capture->saved_fd >= 0 && capture->log_fd >= 0);
	assert_int_equal(dup2(capture->log_fd, STDERR_FILENO), STDERR_FILENO);
	vhb_log_set_level(VHB_LOG_WARNING);
}

void log_capture_end(struct log_capture *capture)
{
	ssize_t count;

	vhb_log_set_level(VHB_LOG_ERROR);
	assert_int_equal(dup2(capture->saved_fd, STDERR_FILENO), STDERR_FILENO);
	close(capture->saved_fd);
	count = pread(capture->log_fd, capture->text,
		      sizeof(capture->text) - 1, 0);
	close(capture->log_fd);
	assert_true(count >= 0);
	capture->text[count] = '\0';
}

unsigned int log_capture_count(const struct log_capture *capture,
			       const char *word)
{
	const char *text = capture->text;
	unsigned int count = 0;

	while ((text = strstr(text, word))) {
		text++;
		count++;
	}
	return count;
}
