/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_WIRE_PROTOCOL_H
#define VHB_WIRE_PROTOCOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/**
 * DOC: vhost-user on the wire
 *
 * Names, numbers and layouts of the vhost-user specification ("Message
 * Specification", "Front-end message types", "Protocol features"), nothing
 * else. All numbers are in the byte order of the machine.
 */

/** enum vhb_request - front-end message types of the specification */
enum vhb_request {
	VHB_GET_FEATURES = 1,
	VHB_SET_FEATURES = 2,
	VHB_SET_OWNER = 3,
	VHB_RESET_OWNER = 4,
	VHB_SET_MEM_TABLE = 5,
	VHB_SET_LOG_BASE = 6,
	VHB_SET_LOG_FD = 7,
	VHB_SET_VRING_NUM = 8,
	VHB_SET_VRING_ADDR = 9,
	VHB_SET_VRING_BASE = 10,
	VHB_GET_VRING_BASE = 11,
	VHB_SET_VRING_KICK = 12,
	VHB_SET_VRING_CALL = 13,
	VHB_SET_VRING_ERR = 14,
	VHB_GET_PROTOCOL_FEATURES = 15,
	VHB_SET_PROTOCOL_FEATURES = 16,
	VHB_GET_QUEUE_NUM = 17,
	VHB_SET_VRING_ENABLE = 18,
	VHB_SEND_RARP = 19,
	VHB_NET_SET_MTU = 20,
	VHB_SET_BACKEND_REQ_FD = 21,
	VHB_IOTLB_MSG = 22,
	VHB_SET_VRING_ENDIAN = 23,
	VHB_GET_CONFIG = 24,
	VHB_SET_CONFIG = 25,
	VHB_CREATE_CRYPTO_SESSION = 26,
	VHB_CLOSE_CRYPTO_SESSION = 27,
	VHB_POSTCOPY_ADVISE = 28,
	VHB_POSTCOPY_LISTEN = 29,
	VHB_POSTCOPY_END = 30,
	VHB_GET_INFLIGHT_FD = 31,
	VHB_SET_INFLIGHT_FD = 32,
	VHB_GPU_SET_SOCKET = 33,
	VHB_RESET_DEVICE = 34,
	VHB_VRING_KICK = 35,
	VHB_GET_MAX_MEM_SLOTS = 36,
	VHB_ADD_MEM_REG = 37,
	VHB_REM_MEM_REG = 38,
	VHB_SET_STATUS = 39,
	VHB_GET_STATUS = 40,
	VHB_GET_SHARED_OBJECT = 41,
	VHB_SET_DEVICE_STATE_FD = 42,
	VHB_CHECK_DEVICE_STATE = 43,
	VHB_GET_SHMEM_CONFIG = 44,
	VHB_REQUEST_COUNT
};

/** enum vhb_backend_request - those back-end message types that are sent */
enum vhb_backend_request {
	VHB_BACKEND_IOTLB_MSG = 1,
	VHB_BACKEND_CONFIG_CHANGE_MSG = 2,
	VHB_BACKEND_VRING_CALL = 4,
	VHB_BACKEND_VRING_ERR = 5,
};

/** enum vhb_protocol_feature_bit - VHOST_USER_PROTOCOL_F_*, bit numbers */
enum vhb_protocol_feature_bit {
	VHB_PROTOCOL_F_MQ = 0,
	VHB_PROTOCOL_F_LOG_SHMFD = 1,
	VHB_PROTOCOL_F_RARP = 2,
	VHB_PROTOCOL_F_REPLY_ACK = 3,
	VHB_PROTOCOL_F_MTU = 4,
	VHB_PROTOCOL_F_BACKEND_REQ = 5,
	VHB_PROTOCOL_F_CROSS_ENDIAN = 6,
	VHB_PROTOCOL_F_CRYPTO_SESSION = 7,
	VHB_PROTOCOL_F_PAGEFAULT = 8,
	VHB_PROTOCOL_F_CONFIG = 9,
	VHB_PROTOCOL_F_BACKEND_SEND_FD = 10,
	VHB_PROTOCOL_F_HOST_NOTIFIER = 11,
	VHB_PROTOCOL_F_INFLIGHT_SHMFD = 12,
	VHB_PROTOCOL_F_RESET_DEVICE = 13,
	VHB_PROTOCOL_F_INBAND_NOTIFICATIONS = 14,
	VHB_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
	VHB_PROTOCOL_F_STATUS = 16,
	VHB_PROTOCOL_F_XEN_MMAP = 17,
	VHB_PROTOCOL_F_SHARED_OBJECT = 18,
	VHB_PROTOCOL_F_DEVICE_STATE = 19,
	VHB_PROTOCOL_F_GET_VRING_BASE_INFLIGHT = 20,
	VHB_PROTOCOL_F_GPA_ADDRESSES = 21,
	VHB_PROTOCOL_F_SHMEM = 22,
};

/* VHOST_USER_F_PROTOCOL_FEATURES: a bit of GET/SET_FEATURES, never virtio's */
#define VHB_F_PROTOCOL_FEATURES_BIT 30

/* struct vhb_wire_header.flags */
#define VHB_FLAG_VERSION_MASK 0x3u
#define VHB_FLAG_VERSION 0x1u
#define VHB_FLAG_REPLY_BIT 2
#define VHB_FLAG_NEED_REPLY_BIT 3

/* In the u64 of SET_VRING_KICK, CALL and ERR */
#define VHB_VRING_INDEX_MASK 0xffu
#define VHB_VRING_NOFD_BIT 8

/* struct vhb_wire_vring_addr.flags: log writes to the used ring */
#define VHB_VRING_F_LOG_BIT 0

/**
 * The largest payload accepted, in bytes. No message of the specification needs
 * more than 1032 (SET_MEM_TABLE with 32 regions, what rust-vmm's front-end can
 * send); the rest is room for front-ends that send a fixed size.
 */
#define VHB_PAYLOAD_MAX_BYTES 4096
/** The most descriptors one message may carry (rust-vmm's SET_MEM_TABLE) */
#define VHB_FDS_MAX 32
/** Bytes of configuration space a front-end may ask for at once */
#define VHB_CONFIG_MAX_BYTES 256

/** struct vhb_wire_header - precedes every message */
struct vhb_wire_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size_bytes;
};

static_assert(sizeof(struct vhb_wire_header) == 12, "specification: Header");

/** struct vhb_wire_vring_state - "A vring state description" */
struct vhb_wire_vring_state {
	uint32_t index;
	uint32_t num;
};

static_assert(sizeof(struct vhb_wire_vring_state) == 8, "specification");

/** struct vhb_wire_vring_addr - "A vring address description" */
struct vhb_wire_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc_uva;
	uint64_t used_uva;
	uint64_t avail_uva;
	uint64_t log_gpa;
};

static_assert(sizeof(struct vhb_wire_vring_addr) == 40, "specification");

/** struct vhb_wire_region - "Memory region description" */
struct vhb_wire_region {
	uint64_t gpa;
	uint64_t size_bytes;
	uint64_t uva;
	uint64_t offset_bytes;
};

static_assert(sizeof(struct vhb_wire_region) == 32, "specification");

/** struct vhb_wire_memory - "Multiple Memory regions description" */
struct vhb_wire_memory {
	uint32_t region_count;
	uint32_t padding;
	struct vhb_wire_region regions[VHB_FDS_MAX];
};

static_assert(sizeof(struct vhb_wire_memory) == 8 + 32 * VHB_FDS_MAX,
	      "specification");

/** struct vhb_wire_single_region - "Single memory region description" */
struct vhb_wire_single_region {
	uint64_t padding;
	struct vhb_wire_region region;
};

static_assert(sizeof(struct vhb_wire_single_region) == 40, "specification");

/** struct vhb_wire_config - "Virtio device config space" */
struct vhb_wire_config {
	uint32_t offset_bytes;
	uint32_t size_bytes;
	uint32_t flags;
	uint8_t data[VHB_CONFIG_MAX_BYTES];
};

#define VHB_WIRE_CONFIG_HEADER_BYTES 12
static_assert(sizeof(struct vhb_wire_config) ==
		      VHB_WIRE_CONFIG_HEADER_BYTES + VHB_CONFIG_MAX_BYTES,
	      "specification");

/** struct vhb_wire_inflight - "Inflight description" */
struct vhb_wire_inflight {
	uint64_t mmap_bytes;
	uint64_t mmap_offset_bytes;
	uint16_t queue_count;
	uint16_t queue_entries;
};

/* Without what the compiler puts behind it, as some front-ends send it */
#define VHB_WIRE_INFLIGHT_BYTES 20
static_assert(offsetof(struct vhb_wire_inflight, queue_entries) + 2 ==
		      VHB_WIRE_INFLIGHT_BYTES, "specification");

/** enum vhb_transfer_direction - in &struct vhb_wire_transfer */
enum vhb_transfer_direction {
	VHB_TRANSFER_SAVE = 0,
	VHB_TRANSFER_LOAD = 1,
};

/** enum vhb_transfer_phase - likewise */
enum vhb_transfer_phase {
	VHB_TRANSFER_STOPPED = 0,
};

/** struct vhb_wire_transfer - "Device state transfer parameters" */
struct vhb_wire_transfer {
	uint32_t direction;
	uint32_t phase;
};

static_assert(sizeof(struct vhb_wire_transfer) == 8, "specification");

/** struct vhb_wire_log - "Log description" */
struct vhb_wire_log {
	uint64_t size_bytes;
	uint64_t offset_bytes;
};

static_assert(sizeof(struct vhb_wire_log) == 16, "specification");

/** struct vhb_wire_iotlb - "An IOTLB message": struct vhost_iotlb_msg */
struct vhb_wire_iotlb {
	uint64_t iova;
	uint64_t size_bytes;
	uint64_t uva;
	uint8_t permission;
	uint8_t type;
	uint8_t padding[6];
};

static_assert(sizeof(struct vhb_wire_iotlb) == 32, "specification");

/** union vhb_payload - what follows the header */
union vhb_payload {
	uint64_t u64;
	struct vhb_wire_log log;
	struct vhb_wire_iotlb iotlb;
	struct vhb_wire_vring_state vring_state;
	struct vhb_wire_vring_addr vring_addr;
	struct vhb_wire_memory memory;
	struct vhb_wire_single_region single_region;
	struct vhb_wire_config config;
	struct vhb_wire_inflight inflight;
	struct vhb_wire_transfer transfer;
	uint8_t bytes[VHB_PAYLOAD_MAX_BYTES];
};

/**
 * struct vhb_message - a message with its descriptors
 * @header: as on the wire
 * @payload: header.size_bytes of it are valid, the rest is zero
 * @fds: the first @fd_count are open and owned by this structure; who takes one
 *       over puts -1 in its place
 * @fd_count: how many came with the message
 */
struct vhb_message {
	struct vhb_wire_header header;
	union vhb_payload payload;
	int fds[VHB_FDS_MAX];
	unsigned int fd_count;
};

#endif
