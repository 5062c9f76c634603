/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_DEVICE_STATE_H
#define SELFTESTS_LIB_DEVICE_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/frontend.h"

/**
 * DOC: how a front-end moves a device's state
 *
 * As QEMU and rust-vmm do: with a pipe of its own, and whatever the back-end gives
 * instead. Functions return 0 or -errno as those of &struct frontend; -EREMOTEIO
 * when the back-end says that it failed.
 */

/**
 * device_state_begin() - SET_DEVICE_STATE_FD
 * @frontend: connected
 * @direction: save or load
 * @fd_out: the front-end's end, to be closed by the caller
 */
int device_state_begin(struct frontend *frontend,
		       enum vhb_transfer_direction direction, int *fd_out);

/** device_state_check() - CHECK_DEVICE_STATE */
int device_state_check(struct frontend *frontend);

/**
 * device_state_save() - receive the state
 * @frontend: connected
 * @stream: receives it
 * @bytes: room in @stream; becomes its length
 */
int device_state_save(struct frontend *frontend, uint8_t *stream,
		      size_t *bytes);

/** device_state_load() - send it */
int device_state_load(struct frontend *frontend, const uint8_t *stream,
		      size_t bytes);

#endif
