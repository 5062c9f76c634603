/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_VHOST_BRIDGE_NETLINK_H
#define _UAPI_LINUX_VHOST_BRIDGE_NETLINK_H

/**
 * DOC: watching the module
 *
 * A family of generic netlink shows all open devices of the module and what
 * their vrings have done, and tells when a vring starts, drains, stops or
 * breaks. It changes nothing.
 *
 * It is in the initial network namespace only, and needs CAP_NET_ADMIN in the
 * initial user namespace, the events too. To ask never waits for a device: one
 * that is busy or hangs can be looked at. Numbers of a vring that runs are those
 * of slightly different moments.
 */

#define VHOST_BRIDGE_GENL_NAME		"vhost_bridge"

/* Raised when something here changes its meaning. */
#define VHOST_BRIDGE_GENL_VERSION	1

/* The multicast group of VHOST_BRIDGE_CMD_VRING_EVENT */
#define VHOST_BRIDGE_GENL_GROUP_EVENTS	"events"

/**
 * enum vhost_bridge_genl_command - what is asked and answered
 * @VHOST_BRIDGE_CMD_UNSPEC: nothing
 * @VHOST_BRIDGE_CMD_GET_DEVICE: with NLM_F_DUMP all devices, in the order they
 *      were opened; else the one of _DEVICE_ID (EINVAL without it, ENODEV when
 *      there is none). Answer: _DEVICE_ID, _DEVICE_TYPE, _FEATURES,
 *      _VRING_COUNT, and _OWNER_PID if it has an owner
 * @VHOST_BRIDGE_CMD_GET_VRING: with NLM_F_DUMP all vrings of all devices, or of
 *      the one of _DEVICE_ID if that is given; else the one of _DEVICE_ID and
 *      _VRING_INDEX (EINVAL without them, ENODEV, ENOBUFS for an index that the
 *      device does not have). Answer: _DEVICE_ID, _VRING_INDEX and everything
 *      below it
 * @VHOST_BRIDGE_CMD_VRING_EVENT: never asked: a vring's state has changed.
 *      _DEVICE_ID, _DEVICE_TYPE, _VRING_INDEX, _VRING_STATE, _VRING_FAULT. Who
 *      does not read fast enough, and when memory is short all who listen, get
 *      ENOBUFS from the socket: some were lost
 */
enum vhost_bridge_genl_command {
	VHOST_BRIDGE_CMD_UNSPEC = 0,
	VHOST_BRIDGE_CMD_GET_DEVICE = 1,
	VHOST_BRIDGE_CMD_GET_VRING = 2,
	VHOST_BRIDGE_CMD_VRING_EVENT = 3,
};

/**
 * enum vhost_bridge_genl_attr - what messages consist of
 * @VHOST_BRIDGE_ATTR_UNSPEC: nothing
 * @VHOST_BRIDGE_ATTR_PAD: for alignment; skip it
 * @VHOST_BRIDGE_ATTR_DEVICE_ID: u32, not zero; another one for each open() until
 *                               they are used up
 * @VHOST_BRIDGE_ATTR_DEVICE_TYPE: string, /dev/vhost-bridge-TYPE
 * @VHOST_BRIDGE_ATTR_OWNER_PID: u32, the owning process as the caller's PID
 *                               namespace knows it; 0 when it does not
 * @VHOST_BRIDGE_ATTR_FEATURES: u64, the bits that were acked
 * @VHOST_BRIDGE_ATTR_VRING_COUNT: u32, vrings the device can have
 * @VHOST_BRIDGE_ATTR_VRING_INDEX: u32, below that
 * @VHOST_BRIDGE_ATTR_VRING_STATE: u32, enum vhost_bridge_vring_state
 * @VHOST_BRIDGE_ATTR_VRING_FAULT: u32, enum vhost_bridge_fault
 * @VHOST_BRIDGE_ATTR_VRING_NUM: u32, entries; 0 for one that is not set up
 * @VHOST_BRIDGE_ATTR_IN_FLIGHT_COUNT: u32, as in struct
 *                                     vhost_bridge_vring_status, like all below
 * @VHOST_BRIDGE_ATTR_CHAIN_COUNT: u64
 * @VHOST_BRIDGE_ATTR_READ_BYTES: u64
 * @VHOST_BRIDGE_ATTR_WRITTEN_BYTES: u64
 * @VHOST_BRIDGE_ATTR_ERROR_COUNT: u64
 * @VHOST_BRIDGE_ATTR_KICK_COUNT: u64
 * @VHOST_BRIDGE_ATTR_CALL_COUNT: u64
 * @VHOST_BRIDGE_ATTR_CALL_SUPPRESSED_COUNT: u64
 * @VHOST_BRIDGE_ATTR_DRAIN_COUNT: u64
 *
 * Later versions may have more: skip what is unknown.
 */
enum vhost_bridge_genl_attr {
	VHOST_BRIDGE_ATTR_UNSPEC = 0,
	VHOST_BRIDGE_ATTR_PAD = 1,
	VHOST_BRIDGE_ATTR_DEVICE_ID = 2,
	VHOST_BRIDGE_ATTR_DEVICE_TYPE = 3,
	VHOST_BRIDGE_ATTR_OWNER_PID = 4,
	VHOST_BRIDGE_ATTR_FEATURES = 5,
	VHOST_BRIDGE_ATTR_VRING_COUNT = 6,
	VHOST_BRIDGE_ATTR_VRING_INDEX = 7,
	VHOST_BRIDGE_ATTR_VRING_STATE = 8,
	VHOST_BRIDGE_ATTR_VRING_FAULT = 9,
	VHOST_BRIDGE_ATTR_VRING_NUM = 10,
	VHOST_BRIDGE_ATTR_IN_FLIGHT_COUNT = 11,
	VHOST_BRIDGE_ATTR_CHAIN_COUNT = 12,
	VHOST_BRIDGE_ATTR_READ_BYTES = 13,
	VHOST_BRIDGE_ATTR_WRITTEN_BYTES = 14,
	VHOST_BRIDGE_ATTR_ERROR_COUNT = 15,
	VHOST_BRIDGE_ATTR_KICK_COUNT = 16,
	VHOST_BRIDGE_ATTR_CALL_COUNT = 17,
	VHOST_BRIDGE_ATTR_CALL_SUPPRESSED_COUNT = 18,
	VHOST_BRIDGE_ATTR_DRAIN_COUNT = 19,
};

#endif /* _UAPI_LINUX_VHOST_BRIDGE_NETLINK_H */
