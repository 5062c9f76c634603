/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_NETLINK_DEVICES_H
#define VHB_NETLINK_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost_bridge.h>

#include "netlink/genl.h"

/** Room for a device type's name */
#define VHB_DEVICE_TYPE_BYTES 16

/**
 * struct vhb_vring_info - a vring of a device of module vhost_bridge
 * @num: entries, 0 while it is not set up
 * @status: everything else; @status.size_bytes means nothing
 */
struct vhb_vring_info {
	uint32_t num;
	struct vhost_bridge_vring_status status;
};

/**
 * struct vhb_device_info - an open device of module vhost_bridge
 * @id: its number
 * @type: /dev/vhost-bridge-TYPE
 * @has_owner: a process owns it
 * @owner_pid: its number, 0 when it is in another PID namespace
 * @features: acked
 * @vring_count_max: vrings it can have
 * @vrings: those the kernel told of
 * @vring_count: how many
 */
struct vhb_device_info {
	uint32_t id;
	char type[VHB_DEVICE_TYPE_BYTES];
	bool has_owner;
	uint32_t owner_pid;
	uint64_t features;
	uint32_t vring_count_max;
	struct vhb_vring_info *vrings;
	unsigned int vring_count;
};

/**
 * struct vhb_device_list - all of them
 * @devices: in the order of their numbers
 * @count: how many
 */
struct vhb_device_list {
	struct vhb_device_info *devices;
	unsigned int count;
};

/**
 * struct vhb_vring_event - a vring has another state
 * @device_id: the device's number
 * @type: its type
 * @index: the vring
 * @state: enum vhost_bridge_vring_state
 * @fault: enum vhost_bridge_fault
 */
struct vhb_vring_event {
	uint32_t device_id;
	char type[VHB_DEVICE_TYPE_BYTES];
	uint32_t index;
	uint32_t state;
	uint32_t fault;
};

/**
 * vhb_device_list_read() - ask the module for all devices and their vrings
 * @list: filled in; to be freed
 *
 * Return: 0, -ENOENT when there is no such module in this network namespace,
 * -EPERM, another -errno.
 */
int vhb_device_list_read(struct vhb_device_list *list);

/**
 * vhb_device_list_free() - free what vhb_device_list_read() filled in
 * @list: the list
 */
void vhb_device_list_free(struct vhb_device_list *list);

/**
 * vhb_vring_events_open() - listen to the module
 * @genl: the socket; to be closed with vhb_genl_close()
 *
 * Return: as vhb_device_list_read().
 */
int vhb_vring_events_open(struct vhb_genl *genl);

/**
 * vhb_vring_events_wait() - wait for news
 * @genl: the socket
 * @on_event: called with each
 * @argument: handed to it
 *
 * Return: as vhb_genl_listen().
 */
int vhb_vring_events_wait(struct vhb_genl *genl,
			  void (*on_event)(void *argument,
					   const struct vhb_vring_event *event),
			  void *argument);

#endif
