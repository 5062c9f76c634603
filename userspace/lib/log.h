/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_LOG_H
#define VHB_LIB_LOG_H

/**
 * enum vhb_log_level - how important a line is
 * @VHB_LOG_ERROR: something that was asked for did not happen
 * @VHB_LOG_WARNING: it happened, but not as one would expect
 * @VHB_LOG_INFO: one line per life-cycle event (shown with --verbose)
 * @VHB_LOG_DEBUG: one line per message (shown with --verbose twice)
 */
enum vhb_log_level {
	VHB_LOG_ERROR,
	VHB_LOG_WARNING,
	VHB_LOG_INFO,
	VHB_LOG_DEBUG,
};

/**
 * vhb_log_set_level() - show lines up to this level
 * @level: the least important level that is still shown; the default is
 *         VHB_LOG_WARNING
 */
void vhb_log_set_level(enum vhb_log_level level);

/**
 * vhb_log() - write one line to standard error
 * @level: how important it is
 * @format: as in printf(), without a newline at its end
 *
 * The line is written by one write(2), so lines of two processes that share
 * standard error do not mix. Of each level but VHB_LOG_DEBUG there are 100 lines
 * at once at most, and then one in ten seconds, which says how many there were
 * meanwhile.
 */
void vhb_log(enum vhb_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define vhb_err(...) vhb_log(VHB_LOG_ERROR, __VA_ARGS__)
#define vhb_warn(...) vhb_log(VHB_LOG_WARNING, __VA_ARGS__)
#define vhb_info(...) vhb_log(VHB_LOG_INFO, __VA_ARGS__)
#define vhb_debug(...) vhb_log(VHB_LOG_DEBUG, __VA_ARGS__)

#endif
