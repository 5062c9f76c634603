/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_LOG_CAPTURE_H
#define VHB_SELFTESTS_LOG_CAPTURE_H

#include <stddef.h>

/**
 * struct log_capture - what goes to standard error meanwhile
 * @saved_fd: standard error as it was
 * @log_fd: a file in its place
 * @text: filled in at the end; what was written, or the beginning of it
 */
struct log_capture {
	int saved_fd;
	int log_fd;
	char text[16384];
};

/** log_capture_begin() - from now on; warnings are written as well */
void log_capture_begin(struct log_capture *capture);

/** log_capture_end() - standard error is as before, only errors are written */
void log_capture_end(struct log_capture *capture);

/** log_capture_count() - how often a word is in the text */
unsigned int log_capture_count(const struct log_capture *capture,
			       const char *word);

#endif
