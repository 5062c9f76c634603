/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SESSION_HANDLE_INBAND_H
#define VHB_SESSION_HANDLE_INBAND_H

#include "session/state.h"

/** vhb_create_inband() - session->inband, if that is offered; 0 or -ENOMEM */
int vhb_create_inband(struct vhb_session *session);

/** vhb_is_inband() - were in-band notifications negotiated? */
bool vhb_is_inband(const struct vhb_want *want);

/** vhb_inband_channel() - where they go: the back-end channel, or -1 */
int vhb_inband_channel(const struct vhb_want *want);

/**
 * vhb_check_inband() - may they be negotiated with the other features?
 * @session: gets the reason of a refusal
 * @want: what is to be negotiated
 *
 * Return: 0; -ENOTRECOVERABLE, which ends the session as the specification wants
 * it, without the channel for them or without replies.
 */
int vhb_check_inband(struct vhb_session *session, const struct vhb_want *want);

/**
 * vhb_start_inband() - give a vring a kick descriptor of ours
 * @session: gets the reason of a refusal
 * @vring: has none; is *started* then
 *
 * It is kicked once, for what the driver made available before.
 *
 * Return: 0 or -errno of eventfd().
 */
int vhb_start_inband(struct vhb_session *session, struct vhb_vring_want *vring);

#endif
