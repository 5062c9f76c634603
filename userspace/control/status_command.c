// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/status_command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/status.h"
#include "lib/log.h"
#include "netlink/devices.h"

static int report(int error)
{
	if (error == -ENOENT && access("/sys/module/vhost_bridge", F_OK))
		vhb_err("module vhost_bridge is not loaded: load it (modprobe vhost_bridge, as root)");
	else if (error == -ENOENT)
		vhb_err("module vhost_bridge is to be seen in the initial network namespace only: run this there (nsenter -t 1 -n)");
	else if (error == -EPERM || error == -EACCES)
		vhb_err("not allowed to look at module vhost_bridge: run this as root (CAP_NET_ADMIN of the host)");
	else
		vhb_err("cannot look at module vhost_bridge: %s",
			strerrordesc_np(-error));
	return error;
}

static int end_output(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	vhb_err("cannot write to standard output: make room there");
	return -EIO;
}

static void show_event(const struct vhb_status_config *config,
		       const struct vhb_vring_event *event)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (config->json)
		vhb_status_print_event_json(event, &now, stdout);
	else
		vhb_status_print_event(event, &now, stdout);
}

static void on_event(void *argument, const struct vhb_vring_event *event)
{
	show_event(argument, event);
}

static int monitor(struct vhb_status_config *config)
{
	struct vhb_genl genl;
	int ret;

	ret = vhb_vring_events_open(&genl);
	if (ret)
		return report(ret);
	vhb_info("listening");
	do {
		ret = vhb_vring_events_wait(&genl, on_event, config);
		if (ret == -ENOBUFS) {
			show_event(config, NULL);
			ret = 0;
		}
		if (ret == -ENOENT)
			vhb_err("module vhost_bridge was unloaded: load it and start this again");
		else if (ret)
			report(ret);
		else
			ret = end_output();
	} while (!ret);
	vhb_genl_close(&genl);
	return ret;
}

static int show(const struct vhb_status_config *config)
{
	struct vhb_device_list list;
	int ret;

	ret = vhb_device_list_read(&list);
	if (ret)
		return report(ret);
	if (config->json)
		vhb_status_print_json(&list, stdout);
	else
		vhb_status_print(&list, stdout);
	vhb_device_list_free(&list);
	return end_output();
}

int vhb_status_run(const struct vhb_status_config *config)
{
	struct vhb_status_config copy = *config;

	return copy.monitor ? monitor(&copy) : show(&copy);
}
