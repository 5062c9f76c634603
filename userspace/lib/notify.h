/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_NOTIFY_H
#define VHB_LIB_NOTIFY_H

/**
 * vhb_notify_ready() - tell the service manager that we take front-ends
 *
 * Sends READY=1 to the socket that the environment variable NOTIFY_SOCKET
 * names (a path, or an abstract name behind '@'), as sd_notify(3) does.
 *
 * Return: 0, also when there is no such variable; -EINVAL when what it names is
 * neither path nor abstract name, or too long; another -errno of sendto().
 */
int vhb_notify_ready(void);

#endif
