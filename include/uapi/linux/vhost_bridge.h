/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_VHOST_BRIDGE_H
#define _UAPI_LINUX_VHOST_BRIDGE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The release: module and broker are built from one tree and share it. */
#define VHOST_BRIDGE_VERSION	"0.1.0"

/* The interface of the module. Raised when something here changes its meaning. */
#define VHOST_BRIDGE_ABI	2

/**
 * DOC: devices
 *
 * /dev/vhost-bridge-blk and /dev/vhost-bridge-loop speak the requests of
 * <linux/vhost.h>: VHOST_SET_OWNER, VHOST_RESET_OWNER, VHOST_GET_FEATURES,
 * VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE, VHOST_SET_VRING_NUM, _ADDR, _BASE,
 * _KICK, _CALL, _ERR, VHOST_GET_VRING_BASE, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
 * VHOST_GET_VRING_BUSYLOOP_TIMEOUT, VHOST_SET_LOG_BASE, VHOST_SET_LOG_FD,
 * VHOST_GET_BACKEND_FEATURES and VHOST_SET_BACKEND_FEATURES, and the messages of
 * an IOTLB by read(), write() and poll(). What follows is what is ours.
 *
 * Every structure has its size and reserved fields: a size that is not the
 * structure's is refused with EINVAL, as is anything but zero in a reserved
 * field or an unknown flag. A request that fails changes nothing.
 *
 * Errors that any request may give: ENOTTY unknown request, EPERM the caller's
 * address space is not the owner's (all but the queries), EFAULT an argument
 * that cannot be read or written, EINVAL as above, EINTR a signal came first.
 */

#define VHOST_BRIDGE_IOCTL	0xB7

/**
 * struct vhost_bridge_info - VHOST_BRIDGE_GET_INFO
 * @size_bytes: sizeof(struct vhost_bridge_info), from the caller
 * @abi: VHOST_BRIDGE_ABI of the module
 * @virtio_id: device type as in <linux/virtio_ids.h>; 0 for the loop device
 * @vring_count_max: vrings the device can have
 * @version: VHOST_BRIDGE_VERSION of the module, zero-terminated
 * @reserved: zero
 *
 * The only request that needs no owner and no order.
 */
struct vhost_bridge_info {
	__u32 size_bytes;
	__u32 abi;
	__u32 virtio_id;
	__u32 vring_count_max;
	char version[16];
	__u64 reserved[4];
};

/**
 * enum vhost_bridge_vring_state - what a vring is doing
 * @VHOST_BRIDGE_VRING_STOPPED: nothing; num, base and addresses may be set
 * @VHOST_BRIDGE_VRING_RUNNING: chains are taken from the ring
 * @VHOST_BRIDGE_VRING_DRAINING: none is taken any more, some are in flight
 * @VHOST_BRIDGE_VRING_BROKEN: the driver broke the rules: none is taken any
 *                             more, the ring is not touched. Stop it to go on
 */
enum vhost_bridge_vring_state {
	VHOST_BRIDGE_VRING_STOPPED = 0,
	VHOST_BRIDGE_VRING_RUNNING = 1,
	VHOST_BRIDGE_VRING_DRAINING = 2,
	VHOST_BRIDGE_VRING_BROKEN = 3,
};

/**
 * enum vhost_bridge_fault - what broke a vring, as a rule what a driver did wrong
 * @VHOST_BRIDGE_FAULT_NONE: nothing
 * @VHOST_BRIDGE_FAULT_MEMORY: ring, table or chain is not in guest memory
 * @VHOST_BRIDGE_FAULT_AVAIL: the available index jumped
 * @VHOST_BRIDGE_FAULT_HEAD: a chain starts outside the descriptor table
 * @VHOST_BRIDGE_FAULT_NEXT: a chain goes on outside its table
 * @VHOST_BRIDGE_FAULT_LOOP: a chain has more descriptors than the ring
 * @VHOST_BRIDGE_FAULT_LONG: a chain has too many segments or bytes
 * @VHOST_BRIDGE_FAULT_INDIRECT: an indirect table where or as none may be
 * @VHOST_BRIDGE_FAULT_ORDER: a readable descriptor behind a writable one
 * @VHOST_BRIDGE_FAULT_EMPTY: a descriptor of no length where one is needed
 * @VHOST_BRIDGE_FAULT_REQUEST: a chain in which the device finds no request (no
 *                              room for its header or its status)
 * @VHOST_BRIDGE_FAULT_LOG: the owner's dirty log cannot be written; the driver
 *                          did nothing wrong
 * @VHOST_BRIDGE_FAULT_ACCESS: the IOTLB does not allow it, or the owner refused
 *                             to say where it is (VHOST_IOTLB_ACCESS_FAIL)
 */
enum vhost_bridge_fault {
	VHOST_BRIDGE_FAULT_NONE = 0,
	VHOST_BRIDGE_FAULT_MEMORY = 1,
	VHOST_BRIDGE_FAULT_AVAIL = 2,
	VHOST_BRIDGE_FAULT_HEAD = 3,
	VHOST_BRIDGE_FAULT_NEXT = 4,
	VHOST_BRIDGE_FAULT_LOOP = 5,
	VHOST_BRIDGE_FAULT_LONG = 6,
	VHOST_BRIDGE_FAULT_INDIRECT = 7,
	VHOST_BRIDGE_FAULT_ORDER = 8,
	VHOST_BRIDGE_FAULT_EMPTY = 9,
	VHOST_BRIDGE_FAULT_REQUEST = 10,
	VHOST_BRIDGE_FAULT_LOG = 11,
	VHOST_BRIDGE_FAULT_ACCESS = 12,
};

/*
 * To stop or drain a vring: who could tell the IOTLB more waits for just this. What
 * is done but cannot be given back without is not given back.
 */
#define VHOST_BRIDGE_VRING_GIVE_UP	0x1

/**
 * struct vhost_bridge_vring - names a vring, for start and stop
 * @size_bytes: sizeof(struct vhost_bridge_vring)
 * @index: which
 * @flags: start: zero; stop: VHOST_BRIDGE_VRING_GIVE_UP or zero
 * @reserved0: zero
 * @base_addr: start: where the owner wants the base saved, 8-aligned, a
 *             &struct vhost_bridge_saved_base; zero for nowhere. Stop: zero
 * @reserved: zero
 *
 * VHOST_BRIDGE_START_VRING: take chains from the ring. Needs memory, num and
 * addresses (EINVAL), a dirty log if there is anything to be marked (EINVAL),
 * rings wholly inside the memory table (EFAULT), what the device needs (blk: a
 * backing file, else ENODEV), and a stopped vring (EBUSY). EAGAIN when the used
 * index is missed in the IOTLB: answer that and ask again. EACCES when the IOTLB
 * was told that it may not be read, or was refused it.
 *
 * VHOST_BRIDGE_STOP_VRING: take no more, and return when all that was taken is
 * done, used and called. ESRCH for one that does not run. EINTR leaves it
 * draining: ask again. So does EAGAIN, which says that what is done cannot be
 * given back before a miss in the IOTLB is answered, and is not said with
 * VHOST_BRIDGE_VRING_GIVE_UP. A broken one becomes stopped.
 *
 * Both: ENOBUFS for an index that the device does not have.
 */
struct vhost_bridge_vring {
	__u32 size_bytes;
	__u32 index;
	__u32 flags;
	__u32 reserved0;
	__u64 base_addr;
	__u64 reserved[2];
};

/**
 * struct vhost_bridge_saved_base - where to go on, for who comes next
 * @base: as VHOST_GET_VRING_BASE has it; everything before it is done
 * @is_saved: 1 when @base means something
 *
 * Written as {0, 0} when the vring starts and as {base, 1} when it has stopped
 * and drained, for whatever reason, unless something was done that the driver
 * could not be told of (it broke the ring meanwhile): the device writes it through the owner's
 * address space even when the owner was killed. It stays {0, 0} when something
 * that is done could not be given back, since the owner gave up or was gone before
 * it told the IOTLB where. In memory that is shared with
 * somebody who lives on, it tells the next owner of the ring where to start.
 */
struct vhost_bridge_saved_base {
	__u32 base;
	__u32 is_saved;
};

/**
 * struct vhost_bridge_vring_status - VHOST_BRIDGE_GET_VRING_STATUS
 * @size_bytes: sizeof(struct vhost_bridge_vring_status), from the caller
 * @index: which, from the caller; ENOBUFS for one that the device does not have
 * @state: enum vhost_bridge_vring_state
 * @fault: enum vhost_bridge_fault, of a broken vring
 * @in_flight_count: chains taken and not given back
 * @reserved0: zero
 * @chain_count: chains given back since the device was opened
 * @read_bytes: bytes the device wrote for the guest to read
 * @written_bytes: bytes the device took from the guest
 * @error_count: requests answered with an error
 * @kick_count: kicks received
 * @call_count: calls made
 * @call_suppressed_count: times the driver wanted no call
 * @drain_count: times the vring was stopped
 * @reserved: zero
 */
struct vhost_bridge_vring_status {
	__u32 size_bytes;
	__u32 index;
	__u32 state;
	__u32 fault;
	__u32 in_flight_count;
	__u32 reserved0;
	__u64 chain_count;
	__u64 read_bytes;
	__u64 written_bytes;
	__u64 error_count;
	__u64 kick_count;
	__u64 call_count;
	__u64 call_suppressed_count;
	__u64 drain_count;
	__u64 reserved[4];
};

/**
 * struct vhost_bridge_config - VHOST_BRIDGE_GET_CONFIG, VHOST_BRIDGE_SET_CONFIG
 * @size_bytes: sizeof(struct vhost_bridge_config)
 * @offset_bytes: first byte of the configuration space
 * @length_bytes: how many; offset and length end within 256
 * @reserved: zero
 * @data_addr: where the caller has them, or room for them
 *
 * Bytes behind the device's fields read as zero. Writing: EACCES for what is
 * read-only.
 */
struct vhost_bridge_config {
	__u32 size_bytes;
	__u32 offset_bytes;
	__u32 length_bytes;
	__u32 reserved;
	__u64 data_addr;
};

/* Flags of struct vhost_bridge_blk_backing */
#define VHOST_BRIDGE_BLK_READ_ONLY	0x1U

#define VHOST_BRIDGE_BLK_SERIAL_BYTES	20

/**
 * struct vhost_bridge_blk_backing - VHOST_BRIDGE_BLK_SET_BACKING
 * @size_bytes: sizeof(struct vhost_bridge_blk_backing)
 * @fd: block device or regular file, open for reading, and for writing unless
 *      VHOST_BRIDGE_BLK_READ_ONLY (EBADF). Opened with O_DIRECT its data is not
 *      copied. -1: none any more
 * @flags: VHOST_BRIDGE_BLK_*
 * @vring_count: what the configuration space says of num_queues; 1 to the
 *               device's maximum
 * @serial: what GET_ID answers, padded with zeros
 * @reserved: zero
 *
 * EBUSY while a vring runs; EINVAL for another kind of file, or one shorter
 * than a sector. The features that VHOST_GET_FEATURES offers depend on it, so
 * set it first.
 */
struct vhost_bridge_blk_backing {
	__u32 size_bytes;
	__s32 fd;
	__u32 flags;
	__u32 vring_count;
	__u8 serial[VHOST_BRIDGE_BLK_SERIAL_BYTES];
	__u32 reserved[7];
};

#define VHOST_BRIDGE_GET_INFO \
	_IOWR(VHOST_BRIDGE_IOCTL, 0x00, struct vhost_bridge_info)
#define VHOST_BRIDGE_START_VRING \
	_IOW(VHOST_BRIDGE_IOCTL, 0x01, struct vhost_bridge_vring)
#define VHOST_BRIDGE_STOP_VRING \
	_IOW(VHOST_BRIDGE_IOCTL, 0x02, struct vhost_bridge_vring)
#define VHOST_BRIDGE_GET_VRING_STATUS \
	_IOWR(VHOST_BRIDGE_IOCTL, 0x03, struct vhost_bridge_vring_status)
#define VHOST_BRIDGE_GET_CONFIG \
	_IOW(VHOST_BRIDGE_IOCTL, 0x04, struct vhost_bridge_config)
#define VHOST_BRIDGE_SET_CONFIG \
	_IOW(VHOST_BRIDGE_IOCTL, 0x05, struct vhost_bridge_config)
#define VHOST_BRIDGE_BLK_SET_BACKING \
	_IOW(VHOST_BRIDGE_IOCTL, 0x20, struct vhost_bridge_blk_backing)

/**
 * enum vhost_bridge_event_kind - what VHOST_BRIDGE_URING_EVENT tells
 * @VHOST_BRIDGE_EVENT_VRING_BROKEN: a vring became broken; see its status
 * @VHOST_BRIDGE_EVENT_CONFIG: the configuration space changed
 * @VHOST_BRIDGE_EVENT_CALL: a vring without a call eventfd has used buffers for
 *                           a driver that wants to know
 * @VHOST_BRIDGE_EVENT_MISS: a vring misses an address in the IOTLB: read() has
 *                           a message
 */
enum vhost_bridge_event_kind {
	VHOST_BRIDGE_EVENT_VRING_BROKEN = 1,
	VHOST_BRIDGE_EVENT_CONFIG = 2,
	VHOST_BRIDGE_EVENT_CALL = 3,
	VHOST_BRIDGE_EVENT_MISS = 4,
};

/**
 * struct vhost_bridge_uring - the command area of an IORING_OP_URING_CMD
 * @index: vring, for KICK and DRAIN; zero for EVENT
 * @flags: DRAIN: VHOST_BRIDGE_VRING_GIVE_UP or zero; zero for the others
 * @reserved: zero
 *
 * The request (cmd_op) is one of these:
 *
 * VHOST_BRIDGE_URING_EVENT: stays pending until there is news, then completes
 * with VHOST_BRIDGE_EVENT_KIND() and VHOST_BRIDGE_EVENT_INDEX() in its result.
 * News that nobody waits for is kept, once for each kind and vring. Up to
 * VHOST_BRIDGE_URING_SLOTS may be pending (EBUSY).
 *
 * VHOST_BRIDGE_URING_KICK: look at the ring, as if its kick eventfd had been
 * written. ESRCH when the vring does not run.
 *
 * VHOST_BRIDGE_URING_DRAIN: as VHOST_BRIDGE_STOP_VRING, but completes when all
 * is done instead of blocking; then VHOST_GET_VRING_BASE has the base. One of
 * each vring may be pending (EBUSY).
 *
 * Pending requests complete with ECANCELED when a descriptor of the device is
 * closed, and at VHOST_RESET_OWNER, which also forgets the news that nobody has
 * waited for; from Linux 6.7 on also when their task or their ring ends.
 * IORING_OP_ASYNC_CANCEL does not find them.
 */
struct vhost_bridge_uring {
	__u32 index;
	__u32 flags;
	__u64 reserved;
};

#define VHOST_BRIDGE_URING_EVENT \
	_IOW(VHOST_BRIDGE_IOCTL, 0x40, struct vhost_bridge_uring)
#define VHOST_BRIDGE_URING_KICK \
	_IOW(VHOST_BRIDGE_IOCTL, 0x41, struct vhost_bridge_uring)
#define VHOST_BRIDGE_URING_DRAIN \
	_IOW(VHOST_BRIDGE_IOCTL, 0x42, struct vhost_bridge_uring)

#define VHOST_BRIDGE_URING_SLOTS	16

#define VHOST_BRIDGE_EVENT_KIND(result)		((result) & 0xff)
#define VHOST_BRIDGE_EVENT_INDEX(result)	((result) >> 8)

#endif /* _UAPI_LINUX_VHOST_BRIDGE_H */
