/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_NAMES_H
#define VHB_LIB_NAMES_H

#include <stdint.h>

/**
 * vhb_vring_state_name() - a word for enum vhost_bridge_vring_state
 * @state: any number; "unknown" for one that a newer module may have
 */
const char *vhb_vring_state_name(uint32_t state);

/**
 * vhb_fault_name() - a word for enum vhost_bridge_fault
 * @fault: any number; NULL for none
 */
const char *vhb_fault_name(uint32_t fault);

#endif
