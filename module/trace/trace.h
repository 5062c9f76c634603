/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vhost_bridge

#if !defined(VHB_TRACE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VHB_TRACE_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>
#include <linux/vhost_bridge.h>

/**
 * DOC: events for tracing
 *
 * What happens to a chain: the driver kicks, chains are taken from the ring
 * (vhb_chain) and given back (vhb_used), the driver is called or did not want
 * to be. And what happens to a virtqueue: vhb_state, vhb_fault. Off they cost a
 * jump that is not taken.
 */

TRACE_DEFINE_ENUM(VHOST_BRIDGE_VRING_STOPPED);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_VRING_RUNNING);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_VRING_DRAINING);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_VRING_BROKEN);

TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_NONE);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_MEMORY);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_AVAIL);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_HEAD);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_NEXT);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_LOOP);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_LONG);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_INDIRECT);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_ORDER);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_EMPTY);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_REQUEST);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_LOG);
TRACE_DEFINE_ENUM(VHOST_BRIDGE_FAULT_ACCESS);

#define vhb_trace_state_name(state) \
	__print_symbolic(state, \
		{ VHOST_BRIDGE_VRING_STOPPED, "stopped" }, \
		{ VHOST_BRIDGE_VRING_RUNNING, "running" }, \
		{ VHOST_BRIDGE_VRING_DRAINING, "draining" }, \
		{ VHOST_BRIDGE_VRING_BROKEN, "broken" })

#define vhb_trace_fault_name(fault) \
	__print_symbolic(fault, \
		{ VHOST_BRIDGE_FAULT_NONE, "none" }, \
		{ VHOST_BRIDGE_FAULT_MEMORY, "memory" }, \
		{ VHOST_BRIDGE_FAULT_AVAIL, "avail" }, \
		{ VHOST_BRIDGE_FAULT_HEAD, "head" }, \
		{ VHOST_BRIDGE_FAULT_NEXT, "next" }, \
		{ VHOST_BRIDGE_FAULT_LOOP, "loop" }, \
		{ VHOST_BRIDGE_FAULT_LONG, "long" }, \
		{ VHOST_BRIDGE_FAULT_INDIRECT, "indirect" }, \
		{ VHOST_BRIDGE_FAULT_ORDER, "order" }, \
		{ VHOST_BRIDGE_FAULT_EMPTY, "empty" }, \
		{ VHOST_BRIDGE_FAULT_REQUEST, "request" }, \
		{ VHOST_BRIDGE_FAULT_LOG, "log" }, \
		{ VHOST_BRIDGE_FAULT_ACCESS, "access" })

TRACE_EVENT(vhb_kick,
	    TP_PROTO(u32 device_id, unsigned int vring),
	    TP_ARGS(device_id, vring),
	    TP_STRUCT__entry(__field(u32, device_id)
			     __field(u32, vring)),
	    TP_fast_assign(__entry->device_id = device_id;
			   __entry->vring = vring;),
	    TP_printk("device=%u vring=%u", __entry->device_id, __entry->vring)
);

TRACE_EVENT(vhb_chain,
	    TP_PROTO(u32 device_id, unsigned int vring, u16 id,
		     u32 readable_bytes, u32 writable_bytes),
	    TP_ARGS(device_id, vring, id, readable_bytes, writable_bytes),
	    TP_STRUCT__entry(__field(u32, device_id)
			     __field(u32, vring)
			     __field(u32, readable_bytes)
			     __field(u32, writable_bytes)
			     __field(u16, id)),
	    TP_fast_assign(__entry->device_id = device_id;
			   __entry->vring = vring;
			   __entry->readable_bytes = readable_bytes;
			   __entry->writable_bytes = writable_bytes;
			   __entry->id = id;),
	    TP_printk("device=%u vring=%u id=%u readable=%u writable=%u",
		      __entry->device_id, __entry->vring, __entry->id,
		      __entry->readable_bytes, __entry->writable_bytes)
);

TRACE_EVENT(vhb_used,
	    TP_PROTO(u32 device_id, unsigned int vring, u16 id,
		     u32 written_bytes),
	    TP_ARGS(device_id, vring, id, written_bytes),
	    TP_STRUCT__entry(__field(u32, device_id)
			     __field(u32, vring)
			     __field(u32, written_bytes)
			     __field(u16, id)),
	    TP_fast_assign(__entry->device_id = device_id;
			   __entry->vring = vring;
			   __entry->written_bytes = written_bytes;
			   __entry->id = id;),
	    TP_printk("device=%u vring=%u id=%u written=%u",
		      __entry->device_id, __entry->vring, __entry->id,
		      __entry->written_bytes)
);

TRACE_EVENT(vhb_call,
	    TP_PROTO(u32 device_id, unsigned int vring, bool is_suppressed),
	    TP_ARGS(device_id, vring, is_suppressed),
	    TP_STRUCT__entry(__field(u32, device_id)
			     __field(u32, vring)
			     __field(bool, is_suppressed)),
	    TP_fast_assign(__entry->device_id = device_id;
			   __entry->vring = vring;
			   __entry->is_suppressed = is_suppressed;),
	    TP_printk("device=%u vring=%u %s", __entry->device_id,
		      __entry->vring,
		      __entry->is_suppressed ? "suppressed" : "called")
);

TRACE_EVENT(vhb_fault,
	    TP_PROTO(u32 device_id, unsigned int vring, unsigned int fault),
	    TP_ARGS(device_id, vring, fault),
	    TP_STRUCT__entry(__field(u32, device_id)
			     __field(u32, vring)
			     __field(u32, fault)),
	    TP_fast_assign(__entry->device_id = device_id;
			   __entry->vring = vring;
			   __entry->fault = fault;),
	    TP_printk("device=%u vring=%u fault=%s", __entry->device_id,
		      __entry->vring, vhb_trace_fault_name(__entry->fault))
);

TRACE_EVENT(vhb_state,
	    TP_PROTO(u32 device_id, unsigned int vring, unsigned int state),
	    TP_ARGS(device_id, vring, state),
	    TP_STRUCT__entry(__field(u32, device_id)
			     __field(u32, vring)
			     __field(u32, state)),
	    TP_fast_assign(__entry->device_id = device_id;
			   __entry->vring = vring;
			   __entry->state = state;),
	    TP_printk("device=%u vring=%u state=%s", __entry->device_id,
		      __entry->vring, vhb_trace_state_name(__entry->state))
);

#endif

/* Found from the top of the module, as every other header. */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH trace
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
