// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/top_command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/signalfd.h>

#include "control/broker_print.h"
#include "control/brokers.h"
#include "control/meter.h"
#include "lib/clock.h"
#include "lib/log.h"

/* How often the rings are looked at: 65535 entries in that time can be told. */
#define LOOK_MS 100

/**
 * struct top - vhost-bridge top while it runs
 * @config: what it shall do
 * @meters: how fast it goes
 * @signal_fd: signals that end it
 * @is_terminal: pictures take each other's place
 * @has_keys: keys are heard
 * @saved: the terminal as it was
 */
struct top {
	const struct vhb_top_config *config;
	struct vhb_meters meters;
	int signal_fd;
	bool is_terminal;
	bool has_keys;
	struct termios saved;
};

static int take_terminal(struct top *top)
{
	struct termios quiet;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	top->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (top->signal_fd < 0)
		return -errno;
	top->is_terminal = isatty(STDOUT_FILENO);
	if (!top->is_terminal || tcgetattr(STDIN_FILENO, &top->saved))
		return 0;
	quiet = top->saved;
	quiet.c_lflag &= ~(ICANON | ECHO);
	quiet.c_cc[VMIN] = 0;
	quiet.c_cc[VTIME] = 0;
	/* SIGTTOU would stop one in the background: it goes without keys. */
	if (tcgetpgrp(STDIN_FILENO) == getpgrp())
		top->has_keys = !tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
	return 0;
}

static void release_terminal(struct top *top)
{
	if (top->has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &top->saved);
	if (top->signal_fd >= 0)
		close(top->signal_fd);
}

/* Returns true when it is to end. */
static bool wait_until(struct top *top, int64_t end_ms)
{
	struct pollfd pollfds[] = {
		{ .fd = top->signal_fd, .events = POLLIN },
		{ .fd = top->has_keys ? STDIN_FILENO : -1, .events = POLLIN },
	};
	int64_t left_ms = end_ms - vhb_now_ms();
	char key;

	if (left_ms < 0)
		left_ms = 0;
	if (poll(pollfds, 2, left_ms) <= 0)
		return false;
	if (pollfds[0].revents)
		return true;
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key == 'q' || key == 'Q';
	/* The terminal is gone. */
	top->has_keys = false;
	return false;
}

static int look(struct top *top, struct vhb_broker_list *brokers)
{
	struct vhb_device_list devices;
	struct vhb_meter *meter;
	unsigned int i;
	int ret;

	ret = vhb_brokers_read(top->config->control_dir, brokers);
	if (ret)
		return ret;
	if (vhb_device_list_read(&devices))
		memset(&devices, 0, sizeof(devices));
	for (i = 0; i < brokers->count; i++) {
		meter = vhb_meters_find(&top->meters, brokers->brokers[i].pid);
		if (meter)
			vhb_meter_look(meter, &brokers->brokers[i],
				       vhb_device_of(&devices,
						     &brokers->brokers[i]));
	}
	vhb_meters_keep(&top->meters, brokers);
	vhb_device_list_free(&devices);
	return 0;
}

static unsigned int room_lines(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 4)
		return 24;
	return size.ws_row;
}

/* What does not fit on the terminal is left out, or it would scroll. */
static int show(struct top *top, const struct vhb_broker_list *brokers)
{
	char *text = NULL, *rest, *line, clock[16] = "";
	unsigned int i, lines, left;
	time_t now = time(NULL);
	size_t size_bytes;
	struct tm local;
	FILE *out;

	out = open_memstream(&text, &size_bytes);
	if (!out)
		return -ENOMEM;
	if (localtime_r(&now, &local))
		strftime(clock, sizeof(clock), "%T", &local);
	fprintf(out, "vhost-bridge top, %s, %u bridge%s%s\n", clock,
		brokers->count, brokers->count == 1 ? "" : "s",
		brokers->hidden_count ? " (those of other users are not shown: run this as root)" : "");
	for (i = 0; i < brokers->count; i++)
		vhb_broker_print_short(&brokers->brokers[i],
				       vhb_meters_find(&top->meters,
						       brokers->brokers[i].pid),
				       out);
	if (fclose(out)) {
		free(text);
		return -ENOMEM;
	}
	left = top->is_terminal ? room_lines() - 1 : -1U;
	if (top->is_terminal)
		fputs("\033[H\033[J", stdout);
	rest = text;
	for (lines = 0; lines < left && (line = strsep(&rest, "\n")) && rest;
	     lines++)
		puts(line);
	if (!top->is_terminal)
		putchar('\n');
	free(text);
	return fflush(stdout) || ferror(stdout) ? -EIO : 0;
}

/* Looks until the interval is over; then @brokers is the last look */
static int watch(struct top *top, struct vhb_broker_list *brokers,
		 bool *is_over)
{
	const int64_t end_ms = vhb_now_ms() + top->config->interval_s *
						   INT64_C(1000);
	int64_t next_ms;
	int ret;

	for (;;) {
		next_ms = vhb_now_ms() + LOOK_MS;
		*is_over = wait_until(top, next_ms < end_ms ? next_ms : end_ms);
		vhb_brokers_free(brokers);
		ret = look(top, brokers);
		if (ret || *is_over || vhb_now_ms() >= end_ms)
			return ret;
	}
}

static int run(struct top *top)
{
	struct vhb_broker_list brokers = { 0 };
	unsigned int pictures = 0, i;
	bool is_over = false;
	int ret;

	ret = look(top, &brokers);
	while (!ret && !is_over) {
		ret = watch(top, &brokers, &is_over);
		if (ret || is_over)
			break;
		ret = show(top, &brokers);
		for (i = 0; i < top->meters.count; i++)
			vhb_meter_restart(&top->meters.meters[i]);
		if (++pictures == top->config->count)
			break;
	}
	vhb_brokers_free(&brokers);
	return ret;
}

int vhb_top_run(const struct vhb_top_config *config)
{
	struct top top = { .config = config, .signal_fd = -1 };
	int ret;

	ret = take_terminal(&top);
	if (!ret)
		ret = run(&top);
	release_terminal(&top);
	vhb_meters_free(&top.meters);
	if (ret == -EIO)
		vhb_err("cannot write to standard output: make room there");
	else if (ret && config->control_dir)
		vhb_err("--control-dir=%s: %s; name the directory that was given to the bridges",
			config->control_dir, strerrordesc_np(-ret));
	else if (ret)
		vhb_err("cannot look for bridges: %s", strerrordesc_np(-ret));
	return ret;
}
