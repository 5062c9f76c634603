/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_BROKERS_H
#define VHB_CONTROL_BROKERS_H

#include "control/broker.h"

/**
 * struct vhb_broker_list - running brokers
 * @brokers: in the order of their numbers
 * @count: how many
 * @hidden_count: those that may not be asked by this user
 * @silent_count: those that did not answer in time, or nothing of use
 */
struct vhb_broker_list {
	struct vhb_broker *brokers;
	unsigned int count;
	unsigned int hidden_count;
	unsigned int silent_count;
};

/**
 * vhb_brokers_read() - ask all brokers
 * @directory: of --control-dir, or NULL
 * @list: filled in; to be freed
 *
 * A control socket that a broker left behind when it was killed is passed over.
 * Whoever is behind a socket may send anything, or nothing: one is waited for two
 * seconds at most.
 *
 * Return: 0; -ENAMETOOLONG or -errno of opendir() for @directory; -ENOMEM.
 */
int vhb_brokers_read(const char *directory, struct vhb_broker_list *list);

/** vhb_brokers_free() - free what a list holds */
void vhb_brokers_free(struct vhb_broker_list *list);

#endif
