/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SHIM_UAPI_LINUX_VIRTIO_RING_H
#define VHB_SHIM_UAPI_LINUX_VIRTIO_RING_H

#include <linux/virtio_ring.h>

#endif
