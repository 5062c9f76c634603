/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_VHOST_BRIDGE_H
#define _UAPI_LINUX_VHOST_BRIDGE_H

/* The release: module and broker are built from one tree and share it. */
#define VHOST_BRIDGE_VERSION	"0.1.0"

/* The interface of the module; 0 while there is none. */
#define VHOST_BRIDGE_ABI	0

#endif /* _UAPI_LINUX_VHOST_BRIDGE_H */
