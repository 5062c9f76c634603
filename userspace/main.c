// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/signalfd.h>

#include <linux/vhost_bridge.h>

#include "capabilities.h"
#include "control/control.h"
#include "control/status_command.h"
#include "control/top_command.h"
#include "lib/bits.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "lib/notify.h"
#include "lib/trace.h"
#include "loop/loop.h"
#include "options.h"
#include "server.h"
#include "session/postcopy.h"

/* Exit statuses of the contract; 0 is EXIT_SUCCESS, 1 is EXIT_FAILURE */
#define EXIT_USAGE 2

static void on_termination(void *argument, unsigned int events)
{
	(void)events;
	vhb_server_stop(argument);
}

/*
 * Blocked before anything else, so that a signal which comes during set-up
 * ends the server as soon as it starts instead of leaving half a set-up behind.
 */
static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	/* A relayed call to a front-end that is gone is an error code. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int create_loop(struct vhb_loop **loop_out)
{
	int ret;

	ret = vhb_loop_create(loop_out);
	if (ret == -ENOSYS || ret == -EPERM) {
		vhb_err("io_uring is not available to this process: allow it (sysctl kernel.io_uring_disabled=0, or the container's seccomp profile)");
		return ret;
	}
	if (ret)
		vhb_err("cannot set up the event loop: %s",
			strerrordesc_np(-ret));
	return ret;
}

static void tell_of_session(void *argument, struct vhb_report *report)
{
	vhb_server_report(argument, report);
}

static int create_control(const struct vhb_options *options,
			  struct vhb_loop *loop, struct vhb_kdev *kdev,
			  struct vhb_server *server,
			  struct vhb_control **control_out)
{
	const bool is_net = !strcmp(options->type_name, "net");
	const struct vhb_control_config config = {
		.loop = loop,
		.directory = options->control_dir,
		.version = VHOST_BRIDGE_VERSION,
		.type_name = options->type_name,
		.socket_path = options->socket_path,
		.host = is_net ? vhb_net_tap_name(kdev) :
				 options->blk.file_path,
		.tap_name = is_net && vhb_net_has_tap_here(kdev) ?
				    vhb_net_tap_name(kdev) :
				    NULL,
		.report = tell_of_session,
		.argument = server,
	};

	*control_out = NULL;
	return options->no_control ? 0 :
				     vhb_control_create(&config, control_out);
}

static int serve(const struct vhb_options *options, int signal_fd,
		 struct vhb_loop *loop, struct vhb_kdev *kdev)
{
	const bool in_pairs =
		options->queue_num_unit == VHB_QUEUE_NUM_PAIRS;
	const struct vhb_server_config config = {
		.loop = loop,
		.kdev = kdev,
		.queue_num = in_pairs ? options->net.queue_pairs :
					kdev->vring_count,
		.protocol_features_mask = options->protocol_features_mask,
		.log_reply_bytes = options->log_reply_bytes,
		.socket_path = options->socket_path,
		.is_client = options->is_client,
		.socket_fd = options->socket_fd,
		.once = options->once,
		.has_postcopy = options->has_postcopy &&
				vhb_postcopy_is_possible(),
		.has_iommu = options->has_iommu,
	};
	struct vhb_control *control;
	struct vhb_server *server;
	struct vhb_watch_ref ref;
	int ret;

	ret = vhb_server_create(&config, &server);
	if (ret)
		return ret;
	ret = create_control(options, loop, kdev, server, &control);
	if (ret)
		goto destroy_server;
	ret = vhb_loop_watch(loop, signal_fd, POLLIN, on_termination, server,
			     &ref);
	if (!ret) {
		fputs("ready\n", stderr);
		vhb_notify_ready();
		ret = vhb_loop_run(loop);
	}
	if (ret)
		vhb_err("the event loop failed: %s", strerrordesc_np(-ret));
	else
		ret = vhb_server_error(server);
	vhb_control_destroy(control);
destroy_server:
	vhb_server_destroy(server);
	return ret;
}

static int create_net(const struct vhb_options *options,
		      struct vhb_kdev **kdev_out)
{
	return vhb_net_create(&options->net, kdev_out);
}

static int create_blk(const struct vhb_options *options,
		      struct vhb_kdev **kdev_out)
{
	return vhb_blk_create(&options->blk, kdev_out);
}

/* Device types, by the names they have on the command line */
static const struct {
	const char *type_name;
	int (*create)(const struct vhb_options *options,
		      struct vhb_kdev **kdev_out);
} types[] = {
	{ "net", create_net },
	{ "blk", create_blk },
};

static int create_kdev(const struct vhb_options *options,
		       struct vhb_kdev **kdev_out)
{
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(types); i++)
		if (!strcmp(options->type_name, types[i].type_name))
			return types[i].create(options, kdev_out);
	return -EINVAL;
}

static int open_trace(const struct vhb_options *options)
{
	int ret;

	if (!options->has_trace)
		return 0;
	ret = vhb_trace_open(options->trace_path, options->type_name);
	if (ret)
		vhb_err("--trace=protocol,%s: cannot be written: %s; choose another file",
			options->trace_path, strerrordesc_np(-ret));
	else
		vhb_trace_event("vhost-bridge %s %s pid=%d",
				VHOST_BRIDGE_VERSION, options->type_name,
				getpid());
	return ret;
}

static int run(const struct vhb_options *options)
{
	struct vhb_loop *loop = NULL;
	struct vhb_kdev *kdev;
	int signal_fd, ret;

	vhb_fd_raise_limit();
	signal_fd = open_signals();
	if (signal_fd < 0)
		return signal_fd;
	ret = open_trace(options);
	if (ret)
		goto destroy_loop;
	ret = create_loop(&loop);
	if (ret)
		goto destroy_loop;
	ret = create_kdev(options, &kdev);
	if (ret)
		goto destroy_loop;
	ret = serve(options, signal_fd, loop, kdev);
	kdev->ops->destroy(kdev);
destroy_loop:
	vhb_loop_destroy(loop);
	vhb_trace_close();
	close(signal_fd);
	return ret;
}

int main(int argc, char **argv)
{
	struct vhb_options options;
	int ret;

	if (vhb_options_parse(argc, argv, &options))
		return EXIT_USAGE;

	switch (options.action) {
	case VHB_ACTION_HELP:
		vhb_options_print_help(&options, stdout);
		return EXIT_SUCCESS;
	case VHB_ACTION_VERSION:
		printf("vhost-bridge %s\n", VHOST_BRIDGE_VERSION);
		return EXIT_SUCCESS;
	case VHB_ACTION_CAPABILITIES:
		ret = vhb_capabilities_print(options.type_name, stdout);
		if (ret)
			fprintf(stderr, "vhost-bridge: standard output: %s\n",
				strerrordesc_np(-ret));
		return ret ? EXIT_FAILURE : EXIT_SUCCESS;
	case VHB_ACTION_RUN:
	case VHB_ACTION_STATUS:
	case VHB_ACTION_TOP:
		break;
	}

	vhb_log_set_level(options.verbosity > 1 ? VHB_LOG_DEBUG :
			  options.verbosity	? VHB_LOG_INFO :
						  VHB_LOG_WARNING);
	if (options.action == VHB_ACTION_STATUS)
		ret = vhb_status_run(&options.status);
	else if (options.action == VHB_ACTION_TOP)
		ret = vhb_top_run(&options.top);
	else
		ret = run(&options);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
