/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_BASE_H
#define VHB_SESSION_BASE_H

#include <linux/vhost_types.h>

#include "session/state.h"

/**
 * DOC: where a vring really goes on
 *
 * A front-end that was not told the base, since its back-end died, or that does
 * not care, says what it thinks: Cloud Hypervisor the available index, which
 * skips what was not processed yet, DPDK zero, which processes all of it once
 * more. The used ring knows: what a back-end that is gone had taken, it had used,
 * if it is one that keeps nothing back (&vhb_kdev.keeps_nothing).
 */

/**
 * vhb_base_correct() - begin a vring where its used ring ends
 * @session: the session
 * @want: features, and the vring's base, which is replaced
 * @addr: the vring in the broker, about to start
 *
 * Only a split virtqueue of a device that keeps nothing back. One line in the log
 * when the front-end was wrong. Where the used ring cannot be read, the
 * front-end is believed, and the kernel, which has to read it too, will say so.
 */
void vhb_base_correct(struct vhb_session *session, struct vhb_want *want,
		      const struct vhost_vring_addr *addr);

#endif
