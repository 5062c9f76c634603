/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_RECORDER_H
#define VHB_SELFTESTS_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost_types.h>

#include "kdev/kdev.h"

/**
 * DOC: a kernel device that writes down what it is told
 *
 * Each call becomes one line of text, named after the ioctl behind it:
 *
 *	SET_OWNER
 *	RESET
 *	SET_FEATURES 0x100000000
 *	SET_MEM_TABLE 1: 0x0+0x200000
 *	SET_LOG_BASE 0x10
 *	SET_LOG_FD none
 *	SET_VRING_NUM 0 256
 *	SET_VRING_BASE 0 0
 *	SET_VRING_ADDR 0 desc=0x100000 avail=0x105000 used=0x108000
 *	SET_VRING_KICK 0 kick0
 *	SET_VRING_CALL 0 none
 *	SET_VRING_ERR 0 none
 *	SET_VRING_SLOT 0
 *	IOTLB_UPDATE 0x10000+0x1000 at 0x100000 permission 3
 *	IOTLB_INVALIDATE 0x10000+0x1000
 *	START 0
 *	DRAIN 0
 *	STOP 0
 *	GET_CONFIG 0+8
 *	SET_CONFIG 0+8
 *	SET_MTU 1500
 *	SAVE
 *	LOAD 1
 *	RESET_STATE
 *	SEND_RARP 52:54:00:12:34:56
 *
 * Of a log's address its place in the page is shown. SET_VRING_ADDR ends in the
 * log address when writes to the ring are to be marked. Whenever vrings run, what
 * the kernel might mark is marked.
 *
 * Ring addresses are shown as guest physical addresses, found with the memory
 * table in force; with VIRTIO_F_ACCESS_PLATFORM as they are. An eventfd is shown
 * by the label it was given, as "eventfd" without one. A slot is only shown when
 * the vring has one, and is written as our
 * module does: {0, 0} when the vring starts, {base, 1} when it stops, be it by
 * RESET. A call that was told to fail ends in "= EINVAL" or whatever.
 *
 * The recorder is as strict as the kernel. What the kernel would never see from
 * a correct session is kept as a fault, which recorder_assert_no_fault() turns
 * into a failed test.
 *
 * The session's thread makes the calls, the test's thread asks; a mutex is
 * between them.
 */
struct recorder;

/** Bytes of configuration space of a recorder; it reads 0, 1, 2, ... */
#define RECORDER_CONFIG_BYTES 64

/** The MTU a recorder takes at most */
#define RECORDER_MTU_MAX 9000

/**
 * recorder_create() - a kernel device
 * @vring_count: its vrings
 * @features_mask: what it offers, without bit 30
 */
struct recorder *recorder_create(unsigned int vring_count,
				 uint64_t features_mask);

/** recorder_destroy() - free it; a session must not use it any more */
void recorder_destroy(struct recorder *recorder);

/** recorder_kdev() - what to give to a session */
struct vhb_kdev *recorder_kdev(struct recorder *recorder);

/** recorder_set_vring_count() - change it; only without a session */
void recorder_set_vring_count(struct recorder *recorder, unsigned int count);

/** recorder_set_features() - change what is offered; only without a session */
void recorder_set_features(struct recorder *recorder, uint64_t mask);

/** recorder_set_protocol_features() - likewise; VHB_PROTOCOL_F_MTU at first */
void recorder_set_protocol_features(struct recorder *recorder, uint64_t mask);

/**
 * recorder_label_fd() - show an eventfd by a name
 * @recorder: the recorder
 * @fd: the eventfd, or any duplicate of it
 * @label: up to 15 bytes
 */
void recorder_label_fd(struct recorder *recorder, int fd, const char *label);

/**
 * recorder_fail_nth() - let one call fail
 * @recorder: the recorder
 * @nth: the next call is 1; 0 for none. RESET and GET_CONFIG do not count
 * @error: positive errno
 */
void recorder_fail_nth(struct recorder *recorder, unsigned int nth, int error);

/**
 * recorder_fail_named() - let calls of one name fail
 * @recorder: the recorder
 * @name: "SET_VRING_NUM", ...; NULL for none
 * @error: positive errno
 * @times: how many of the next such calls
 */
void recorder_fail_named(struct recorder *recorder, const char *name,
			 int error, unsigned int times);

/**
 * recorder_make_drain() - from now on stopping takes its time
 * @recorder: the recorder; only without a session
 *
 * Vrings are drained before they are stopped, and have done so when the test says
 * it. It tells of news, too.
 */
void recorder_make_drain(struct recorder *recorder);

/**
 * recorder_make_iotlb() - from now on it offers VIRTIO_F_ACCESS_PLATFORM
 * @recorder: the recorder; only without a session
 *
 * A vring can start when its used ring is known; if it is not, that is missed.
 */
void recorder_make_iotlb(struct recorder *recorder);

/** recorder_miss() - a vring misses an address, for VHOST_ACCESS_* */
void recorder_miss(struct recorder *recorder, uint64_t iova,
		   uint8_t permission);

/** recorder_wait_draining() - until so many vrings drain, or the test fails */
void recorder_wait_draining(struct recorder *recorder, unsigned int count);

/** recorder_finish_drain() - the last request of a vring is done */
void recorder_finish_drain(struct recorder *recorder, unsigned int index);

/** recorder_break() - the driver broke the rules of a vring; "avail" */
void recorder_break(struct recorder *recorder, unsigned int index);

/** recorder_change_config() - the configuration space has changed */
void recorder_change_config(struct recorder *recorder);

/** recorder_allow_log_misses() - the dirty log may be gone where it marks */
void recorder_allow_log_misses(struct recorder *recorder);

/** recorder_advance() - let a vring have processed this many entries */
void recorder_advance(struct recorder *recorder, unsigned int index,
		      unsigned int count);

/** recorder_set_base() - let a vring be anywhere, as GET_VRING_BASE has it */
void recorder_set_base(struct recorder *recorder, unsigned int index,
		       uint32_t base);

/**
 * recorder_take() - what was called since the last time
 *
 * Return: lines, each with a newline; to be freed by the caller.
 */
char *recorder_take(struct recorder *recorder);

/** recorder_call_count() - calls since it was created, RESET not counted */
unsigned int recorder_call_count(struct recorder *recorder);

/** recorder_running() - how many vrings run */
unsigned int recorder_running(struct recorder *recorder);

/** recorder_is_running() - does this one run? */
bool recorder_is_running(struct recorder *recorder, unsigned int index);

/** recorder_addr() - addresses last given to a vring, in the broker */
struct vhost_vring_addr recorder_addr(struct recorder *recorder,
				      unsigned int index);

/** recorder_call_fd() - the descriptor last given by SET_VRING_CALL, or -1 */
int recorder_call_fd(struct recorder *recorder, unsigned int index);

/** Bytes of a recorder's state */
#define RECORDER_STATE_BYTES 4

/** recorder_set_state() - what SAVE gives; the first byte is shown by LOAD */
void recorder_set_state(struct recorder *recorder, const uint8_t *state);

/** recorder_state() - what LOAD gave last, or recorder_set_state() */
void recorder_state(struct recorder *recorder, uint8_t *state);

/** recorder_kick_fd() - the same of SET_VRING_KICK */
int recorder_kick_fd(struct recorder *recorder, unsigned int index);

/** recorder_err_fd() - the same of SET_VRING_ERR */
int recorder_err_fd(struct recorder *recorder, unsigned int index);

/** recorder_assert_no_fault() - fail the test when a call was out of place */
void recorder_assert_no_fault(struct recorder *recorder);

#endif
