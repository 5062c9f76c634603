// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/names.h"

#include <stddef.h>

#include <linux/vhost_bridge.h>

#include "lib/bits.h"

static const char * const states[] = {
	[VHOST_BRIDGE_VRING_STOPPED] = "stopped",
	[VHOST_BRIDGE_VRING_RUNNING] = "running",
	[VHOST_BRIDGE_VRING_DRAINING] = "draining",
	[VHOST_BRIDGE_VRING_BROKEN] = "broken",
};

static const char * const faults[] = {
	[VHOST_BRIDGE_FAULT_NONE] = NULL,
	[VHOST_BRIDGE_FAULT_MEMORY] = "memory",
	[VHOST_BRIDGE_FAULT_AVAIL] = "avail",
	[VHOST_BRIDGE_FAULT_HEAD] = "head",
	[VHOST_BRIDGE_FAULT_NEXT] = "next",
	[VHOST_BRIDGE_FAULT_LOOP] = "loop",
	[VHOST_BRIDGE_FAULT_LONG] = "long",
	[VHOST_BRIDGE_FAULT_INDIRECT] = "indirect",
	[VHOST_BRIDGE_FAULT_ORDER] = "order",
	[VHOST_BRIDGE_FAULT_EMPTY] = "empty",
	[VHOST_BRIDGE_FAULT_REQUEST] = "request",
	[VHOST_BRIDGE_FAULT_LOG] = "log",
	[VHOST_BRIDGE_FAULT_ACCESS] = "access",
};

const char *vhb_vring_state_name(uint32_t state)
{
	return state < VHB_ARRAY_COUNT(states) ? states[state] : "unknown";
}

const char *vhb_fault_name(uint32_t fault)
{
	return fault < VHB_ARRAY_COUNT(faults) ? faults[fault] : "unknown";
}
