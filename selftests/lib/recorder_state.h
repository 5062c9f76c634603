/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_RECORDER_STATE_H
#define VHB_SELFTESTS_RECORDER_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/recorder.h"
#include "loop/loop.h"
#include "session/session.h"

/* What the parts of the recorder share; tests include recorder.h only */

#define LABEL_COUNT 400
#define LABEL_BYTES 16

struct recorder_label {
	unsigned int eventfd_id;
	char text[LABEL_BYTES];
};

struct recorded_vring {
	bool is_running;
	bool is_stuck;
	bool is_draining;
	bool is_drained;
	bool is_broken;
	uint32_t num;
	uint32_t base;
	bool has_addr;
	struct vhost_vring_addr addr;
	uint64_t slot_addr;
	int kick_fd;
	int call_fd;
	int err_fd;
};

struct recorded_entry {
	uint64_t iova;
	uint64_t size_bytes;
	uint64_t hva;
	uint8_t permission;
};

struct recorded_miss {
	uint64_t iova;
	uint8_t permission;
};

#define RECORDER_ENTRIES_MAX 256
#define RECORDER_MISSES_MAX 8192

/* What the kernel's IOTLB knows, and what it has to tell */
struct recorded_iotlb {
	struct recorded_entry entries[RECORDER_ENTRIES_MAX];
	unsigned int entry_count;
	struct recorded_miss misses[RECORDER_MISSES_MAX];
	unsigned int miss_count;
};

struct recorder {
	struct vhb_kdev kdev;
	pthread_mutex_t lock;
	uint64_t features_mask;
	uint64_t protocol_features_mask;
	uint64_t acked_mask;
	bool is_owned;
	uint64_t log_base;
	bool may_miss_log;
	struct vhost_memory *table;
	struct recorded_vring vrings[VHB_VRING_COUNT_MAX];
	struct recorded_iotlb iotlb;
	struct recorder_label labels[LABEL_COUNT];
	unsigned int label_count;
	char *lines;
	size_t line_bytes;
	char *fault;
	unsigned int call_count;
	unsigned int fail_nth;
	int fail_nth_error;
	const char *fail_name;
	int fail_name_error;
	unsigned int fail_name_times;
	uint8_t state[RECORDER_STATE_BYTES];
	bool is_config_new;
	int news_fd;
	struct vhb_loop *loop;
	struct vhb_watch_ref news_watch;
	const struct vhb_kdev_listener *listener;
};

/**
 * recorder_ops - the calls; in recorder.c and, of the dirty log, recorder_log.c.
 * The rest is in recorder_control.c
 */
extern const struct vhb_kdev_ops recorder_ops;

/** recorder_named_failure() - recorder_fail_named(): an errno, or 0; lock held */
int recorder_named_failure(struct recorder *recorder, const char *name);

/** recorder_begin() - takes the lock, which recorder_finish() gives back */
int recorder_begin(struct recorder *recorder, const char *name);
int recorder_finish(struct recorder *recorder, int ret, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** recorder_fault() - this should not have happened; the first one counts */
void recorder_fault(struct recorder *recorder, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** recorder_fd_text() - how an eventfd is shown; @ret is set when it is none */
const char *recorder_fd_text(struct recorder *recorder, int fd, int *ret);

/** Of &struct vhb_kdev_ops */
int recorder_set_log_base(struct vhb_kdev *kdev, uint64_t address);
int recorder_set_log_fd(struct vhb_kdev *kdev, int fd);
int recorder_send_rarp(struct vhb_kdev *kdev, const uint8_t *mac);

/**
 * recorder_mark() - mark what the kernel might in the dirty log; the lock is held
 *
 * The first and the last page of all memory, and of the used rings, as far as
 * vrings run and it was asked for.
 */
void recorder_mark(struct recorder *recorder);

/** recorder_drain_vring() - &vhb_kdev_ops.drain_vring of one that drains */
int recorder_drain_vring(struct vhb_kdev *kdev, unsigned int index);

/** Of &vhb_kdev_ops, too */
int recorder_save_state(struct vhb_kdev *kdev, uint8_t *data);
int recorder_load_state(struct vhb_kdev *kdev, const uint8_t *data,
			size_t size_bytes);
int recorder_reset_state(struct vhb_kdev *kdev);

/** recorder_eventfd_id() - number of an eventfd; 0 for what is none */
unsigned int recorder_eventfd_id(int fd);

/** recorder_forget() - back to what it was before SET_OWNER */
void recorder_forget(struct recorder *recorder);

/** recorder_save_base() - what a vring leaves in its slot, if it has one */
void recorder_save_base(const struct recorded_vring *vring, bool is_saved);

/** recorder_count_running() - vrings that run; the lock is held */
unsigned int recorder_count_running(const struct recorder *recorder);

/** recorder_gpa() - guest address of what the kernel was told; none is a fault */
uint64_t recorder_gpa(struct recorder *recorder, uint64_t hva, uint64_t bytes);

/** recorder_listen() - &vhb_kdev_ops.listen of one that has news */
void recorder_listen(struct vhb_kdev *kdev, struct vhb_loop *loop,
		     const struct vhb_kdev_listener *listener);

/** recorder_tell_misses() - all there are, from the loop */
void recorder_tell_misses(struct recorder *recorder);

/** recorder_has_iotlb() - are addresses IOVAs? The lock is held */
bool recorder_has_iotlb(const struct recorder *recorder);

/** recorder_look_up_used() - may a vring start? -EAGAIN and a miss if not */
int recorder_look_up_used(struct recorder *recorder,
			  const struct recorded_vring *vring);

/** recorder_check_entries() - all in the memory table, or it is a fault */
void recorder_check_entries(struct recorder *recorder);

#endif
