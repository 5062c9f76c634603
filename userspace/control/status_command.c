// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/status_command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/broker_print.h"
#include "control/brokers.h"
#include "control/meter.h"
#include "control/status.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "netlink/devices.h"

/* Time between the two looks that a rate needs */
#define LOOK_MS 200

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

/* A net bridge needs no module: without it there are no devices. */
static int read_devices(struct vhb_device_list *list, bool *are_known)
{
	int ret = vhb_device_list_read(list);

	*are_known = !ret;
	if (!ret)
		return 0;
	memset(list, 0, sizeof(*list));
	if (ret == -ENOENT && access("/sys/module/vhost_bridge", F_OK))
		return 0;
	return report(ret);
}

static int read_brokers(const struct vhb_status_config *config,
			struct vhb_broker_list *list)
{
	int ret = vhb_brokers_read(config->control_dir, list);

	if (ret && config->control_dir)
		vhb_err("--control-dir=%s: %s; name the directory that was given to the bridges",
			config->control_dir, strerrordesc_np(-ret));
	else if (ret)
		vhb_err("cannot look for bridges: %s", strerrordesc_np(-ret));
	if (list->hidden_count)
		vhb_warn("%u bridges of other users are not shown: run this as root",
			 list->hidden_count);
	if (list->silent_count)
		vhb_warn("%u bridges did not answer", list->silent_count);
	return ret;
}

static void look(struct vhb_meters *meters,
		 const struct vhb_broker_list *brokers,
		 const struct vhb_device_list *devices)
{
	struct vhb_meter *meter;
	unsigned int i;

	for (i = 0; i < brokers->count; i++) {
		const struct vhb_broker *broker = &brokers->brokers[i];

		meter = vhb_meters_find(meters, broker->pid);
		if (meter)
			vhb_meter_look(meter, broker,
				       vhb_device_of(devices, broker));
	}
}

static void print_all(struct vhb_meters *meters,
		      const struct vhb_broker_list *brokers,
		      const struct vhb_device_list *devices,
		      bool are_devices_known)
{
	unsigned int i;

	if (!brokers->count)
		puts("no bridge is running");
	for (i = 0; i < brokers->count; i++) {
		const struct vhb_broker *broker = &brokers->brokers[i];

		vhb_broker_print(broker, vhb_meters_find(meters, broker->pid),
				 vhb_device_of(devices, broker), stdout);
	}
	if (are_devices_known)
		vhb_status_print(devices, stdout);
}

/*
 * Rates are of the moment between two looks. Who answered the first time and not the
 * second is shown as it was.
 */
static void look_again(const struct vhb_status_config *config,
		       struct vhb_meters *meters,
		       struct vhb_broker_list *brokers,
		       struct vhb_device_list *devices)
{
	struct vhb_broker_list newer;
	bool are_known;

	look(meters, brokers, devices);
	if (!brokers->count)
		return;
	vhb_pause_ms(LOOK_MS);
	if (vhb_brokers_read(config->control_dir, &newer) ||
	    newer.silent_count > brokers->silent_count) {
		vhb_brokers_free(&newer);
		return;
	}
	vhb_brokers_free(brokers);
	*brokers = newer;
	if (devices->count) {
		vhb_device_list_free(devices);
		memset(devices, 0, sizeof(*devices));
		read_devices(devices, &are_known);
	}
	look(meters, brokers, devices);
}

static int show(const struct vhb_status_config *config)
{
	struct vhb_device_list devices = { 0 };
	struct vhb_broker_list brokers = { 0 };
	struct vhb_meters meters = { 0 };
	bool are_devices_known;
	int ret, output_ret;

	ret = read_brokers(config, &brokers);
	if (ret)
		return ret;
	ret = read_devices(&devices, &are_devices_known);
	if (config->json) {
		vhb_status_print_json(&brokers,
				      are_devices_known ? &devices : NULL,
				      stdout);
	} else {
		look_again(config, &meters, &brokers, &devices);
		print_all(&meters, &brokers, &devices, are_devices_known);
	}
	vhb_meters_free(&meters);
	vhb_device_list_free(&devices);
	vhb_brokers_free(&brokers);
	output_ret = end_output();
	return ret ? ret : output_ret;
}

int vhb_status_run(const struct vhb_status_config *config)
{
	struct vhb_status_config copy = *config;

	return copy.monitor ? monitor(&copy) : show(&copy);
}
