/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_FUZZ_SCRIPT_H
#define SELFTESTS_LIB_FUZZ_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * DOC: a session as bytes
 *
 * What the session fuzzer is given: what the kernel device offers, then what the
 * front-end sends and what happens to the kernel device, in order. Any bytes are
 * a script, and what a script says can be written as bytes again. Numbers are in
 * the byte order of the machine.
 *
 *	device   flags u8, vrings u8, queue_num u16, features u64, protocol u64
 *	message  0, request u8, flags u8, fds u8, size u16, fd kinds, payload
 *	raw      1, fds u8, size u16, fd kinds, bytes
 *	event    2, event u8, index u8, value u32
 */

/** Steps of a script; what follows is not looked at */
#define SCRIPT_STEPS_MAX 160
/** Descriptors of a step: more than a message may have */
#define SCRIPT_FDS_MAX 40
/** Bytes of a device */
#define SCRIPT_DEVICE_BYTES 20

/** Flags of a device: vrings drain; the socket has hardly room; end in a hurry */
#define SCRIPT_DRAINS 0x1u
#define SCRIPT_IS_TIGHT 0x2u
#define SCRIPT_ENDS_AT_ONCE 0x4u

/** enum script_kind - what a step is */
enum script_kind {
	SCRIPT_MESSAGE,
	SCRIPT_RAW,
	SCRIPT_EVENT,
	SCRIPT_KIND_COUNT
};

/**
 * enum script_event - what else happens
 * @SCRIPT_FINISH_DRAIN: the last request of a vring is done
 * @SCRIPT_BREAK: a vring's driver broke the rules
 * @SCRIPT_CONFIG: the configuration space has changed
 * @SCRIPT_FAIL_NTH: a call to come fails: index is which, value the errno
 * @SCRIPT_FAIL_NAMED: calls of a name fail: index is which, value the errno and,
 *                     from bit 8 on, how many of them
 * @SCRIPT_ADVANCE: a vring has processed so many entries
 * @SCRIPT_SET_BASE: a vring is at this base
 * @SCRIPT_SIGNAL: the kernel signals a vring's call descriptor
 * @SCRIPT_FAIL_MMAP: an mmap() to come fails: index is which
 * @SCRIPT_TRUNCATE: the front-end truncates the file that fd kind index names to
 *                   value bytes
 * @SCRIPT_DEAF: the front-end reads replies no more, or (value odd) again
 * @SCRIPT_CONNECT: the front-end leaves, if it is there, and comes again
 */
enum script_event {
	SCRIPT_FINISH_DRAIN,
	SCRIPT_BREAK,
	SCRIPT_CONFIG,
	SCRIPT_FAIL_NTH,
	SCRIPT_FAIL_NAMED,
	SCRIPT_ADVANCE,
	SCRIPT_SET_BASE,
	SCRIPT_SIGNAL,
	SCRIPT_FAIL_MMAP,
	SCRIPT_TRUNCATE,
	SCRIPT_DEAF,
	SCRIPT_CONNECT,
	SCRIPT_EVENT_COUNT
};

/** enum script_fd - kinds of descriptors; _0 is the first of several */
enum script_fd {
	SCRIPT_EVENTFD_0,
	SCRIPT_MEMORY_4M_0 = SCRIPT_EVENTFD_0 + 8,
	SCRIPT_MEMORY_2M_0 = SCRIPT_MEMORY_4M_0 + 2,
	SCRIPT_MEMORY_1G = SCRIPT_MEMORY_2M_0 + 2,
	SCRIPT_MEMORY_UNEVEN,
	SCRIPT_MEMORY_PAGE,
	SCRIPT_MEMORY_EMPTY,
	SCRIPT_SEALED_0,
	SCRIPT_STREAM_0 = SCRIPT_SEALED_0 + 2,
	SCRIPT_DATAGRAM = SCRIPT_STREAM_0 + 3,
	SCRIPT_SEQUENCED,
	SCRIPT_WIDOW,
	SCRIPT_PIPE_OUT,
	SCRIPT_PIPE_IN,
	SCRIPT_PIPE_WIDOW,
	SCRIPT_EVENTFD_FULL,
	SCRIPT_EVENTFD_BLOCKING,
	SCRIPT_EVENTFD_SEMAPHORE,
	SCRIPT_DEV_NULL,
	SCRIPT_PATH,
	SCRIPT_DIRECTORY,
	SCRIPT_OWN_MEMORY,
	SCRIPT_EPOLL,
	SCRIPT_TIMER,
	SCRIPT_INET,
	/* Both ends of the connection, and what came with the last reply */
	SCRIPT_OUR_END,
	SCRIPT_THEIR_END,
	SCRIPT_RECEIVED,
	SCRIPT_FD_COUNT
};

/**
 * struct script_device - the kernel device of a script
 * @flags: SCRIPT_DRAINS, SCRIPT_IS_TIGHT, SCRIPT_ENDS_AT_ONCE
 * @vring_count: as it is; who runs a script makes something possible of it, and
 *               of what follows
 * @queue_num: what GET_QUEUE_NUM answers
 * @features_mask: what it offers
 * @protocol_features_mask: likewise
 */
struct script_device {
	uint8_t flags;
	uint8_t vring_count;
	uint16_t queue_num;
	uint64_t features_mask;
	uint64_t protocol_features_mask;
};

/**
 * struct script_step - one step
 * @kind: says what of the rest counts
 * @request: of a message
 * @flags: of its header
 * @fd_count: descriptors with its first byte
 * @fds: an &enum script_fd each; any number stands for one of them
 * @size_bytes: of @bytes
 * @bytes: the payload, or what is sent; not owned
 * @event: an &enum script_event
 * @index: see there
 * @value: see there
 */
struct script_step {
	enum script_kind kind;
	uint8_t request;
	uint8_t flags;
	uint8_t fd_count;
	uint8_t fds[SCRIPT_FDS_MAX];
	uint16_t size_bytes;
	const uint8_t *bytes;
	enum script_event event;
	uint8_t index;
	uint32_t value;
};

/** struct script - what @step_count steps there are */
struct script {
	struct script_device device;
	struct script_step steps[SCRIPT_STEPS_MAX];
	unsigned int step_count;
};

/**
 * script_read() - what bytes say
 * @script: points into @bytes afterwards
 * @bytes: any
 * @size_bytes: how many; what is missing at the end is zero, or nothing
 */
void script_read(struct script *script, const uint8_t *bytes,
		 size_t size_bytes);

/**
 * script_write() - the bytes for it
 * @script: the script
 * @bytes: where to; not where @script points to
 * @room_bytes: steps that do not fit are left out
 *
 * Return: how many bytes there are.
 */
size_t script_write(const struct script *script, uint8_t *bytes,
		    size_t room_bytes);

/** script_write_step() - likewise one step; 0 when it does not fit */
size_t script_write_step(const struct script_step *step, uint8_t *bytes,
			 size_t room_bytes);

/** script_write_device() - likewise; there is room for SCRIPT_DEVICE_BYTES */
void script_write_device(const struct script_device *device, uint8_t *bytes);

/** script_call_name() - the call that SCRIPT_FAIL_NAMED means by an index */
const char *script_call_name(unsigned int index);

/** script_call_index() - and back; the first one for a name it does not know */
unsigned int script_call_index(const char *name);

#endif
