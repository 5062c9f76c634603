/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_FEATURE_NAMES_H
#define VHB_LIB_FEATURE_NAMES_H

#include <stdint.h>

#include "lib/text.h"

/**
 * DOC: feature bits by name
 *
 * Names are those of the specifications without what they have in common:
 * VIRTIO_NET_F_MRG_RXBUF is MRG_RXBUF, VIRTIO_F_VERSION_1 is VERSION_1,
 * VHOST_USER_PROTOCOL_F_MQ is MQ. Bit 30 is PROTOCOL_FEATURES.
 */

/**
 * vhb_feature_name() - name of a virtio feature bit
 * @type_name: device type, "net" or "blk"; "vhost-net" for what goes down to
 *             vhost-net, which has its own meaning for bit 27; NULL for bits
 *             that all types have only
 * @bit: 0 to 63
 *
 * Return: the name, or NULL for one that is not known.
 */
const char *vhb_feature_name(const char *type_name, unsigned int bit);

/**
 * vhb_protocol_feature_name() - name of a vhost-user protocol feature bit
 * @bit: 0 to 63
 *
 * Return: the name, or NULL for one that the specification does not have.
 */
const char *vhb_protocol_feature_name(unsigned int bit);

/**
 * vhb_status_bit_name() - name of a bit of the virtio device status
 * @bit: 0 to 63
 *
 * Return: the name, or NULL for one that virtio does not have.
 */
const char *vhb_status_bit_name(unsigned int bit);

/**
 * vhb_features_add() - add feature bits, as 0x60(FLUSH,BLK_SIZE)
 * @text: where to
 * @type_name: as for vhb_feature_name()
 * @mask: the bits; those without a name are shown as numbers
 */
void vhb_features_add(struct vhb_text *text, const char *type_name,
		      uint64_t mask);

/** vhb_protocol_features_add() - the same of protocol features */
void vhb_protocol_features_add(struct vhb_text *text, uint64_t mask);

/** vhb_status_bits_add() - the same of the device status */
void vhb_status_bits_add(struct vhb_text *text, uint64_t mask);

#endif
