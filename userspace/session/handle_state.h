/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_HANDLE_STATE_H
#define VHB_SESSION_HANDLE_STATE_H

/**
 * struct vhb_state_transfer - SET_DEVICE_STATE_FD, until CHECK_DEVICE_STATE
 * @kept_fd: what is to be loaded; owned, or -1
 * @result: what CHECK_DEVICE_STATE answers otherwise: 0 or -errno
 */
struct vhb_state_transfer {
	int kept_fd;
	int result;
};

/** vhb_state_init() - nothing was transferred */
void vhb_state_init(struct vhb_state_transfer *transfer);

/** vhb_state_end() - the same, and what there was is closed */
void vhb_state_end(struct vhb_state_transfer *transfer);

#endif
