/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_NETLINK_LINK_MONITOR_H
#define VHB_NETLINK_LINK_MONITOR_H

#include <stdbool.h>

#include "netlink/link.h"

/** struct vhb_link_monitor - hears of every change of a network interface */
struct vhb_link_monitor;

/**
 * typedef vhb_link_news_fn - an interface has changed
 * @argument: as given to vhb_link_monitor_read()
 * @link: what it is now; of one that is gone no more than its index
 * @is_gone: it was deleted, or moved to another network namespace
 */
typedef void (*vhb_link_news_fn)(void *argument, const struct vhb_link *link,
				 bool is_gone);

/**
 * vhb_link_monitor_open() - hear of changes from now on (RTNLGRP_LINK)
 * @monitor_out: the monitor
 *
 * Whoever asks for the state of a link after this misses no change of it.
 *
 * Return: 0 or -errno.
 */
int vhb_link_monitor_open(struct vhb_link_monitor **monitor_out);

/** vhb_link_monitor_close() - hear no more; @monitor may be NULL */
void vhb_link_monitor_close(struct vhb_link_monitor *monitor);

/** vhb_link_monitor_fd() - readable when there is news; belongs to the monitor */
int vhb_link_monitor_fd(const struct vhb_link_monitor *monitor);

/**
 * vhb_link_monitor_read() - take news, without blocking
 * @monitor: the monitor
 * @on_news: called with each
 * @argument: handed to it
 *
 * Takes a limited number; the descriptor stays readable while there is more.
 *
 * Return: 0; -ENOBUFS when some was lost: ask for the links of interest again, but
 * with a monitor opened anew, for what this one still has is older than the
 * answer; another -errno of the socket.
 */
int vhb_link_monitor_read(struct vhb_link_monitor *monitor,
			  vhb_link_news_fn on_news, void *argument);

/**
 * vhb_link_news_parse() - what one message says
 * @header: a whole message of the kernel
 * @link_out: the interface
 * @is_gone_out: it is gone
 *
 * A bridge tells of its ports with messages of the same type but of its own
 * address family, "deleted" for a port that left it among them: those are not
 * about the interface.
 *
 * Return: 0; -ENOMSG when it tells nothing of an interface; -EBADMSG when it is
 * damaged.
 */
int vhb_link_news_parse(const struct nlmsghdr *header,
			struct vhb_link *link_out, bool *is_gone_out);

#endif
