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

/* What the two halves of the recorder share; tests include recorder.h only */

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

struct recorder {
	struct vhb_kdev kdev;
	pthread_mutex_t lock;
	uint64_t features_mask;
	uint64_t protocol_features_mask;
	uint64_t acked_mask;
	bool is_owned;
	struct vhost_memory *table;
	struct recorded_vring vrings[VHB_VRING_COUNT_MAX];
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

/** recorder_ops - the calls; in recorder.c, the rest is in recorder_control.c */
extern const struct vhb_kdev_ops recorder_ops;

/** recorder_drain_vring() - &vhb_kdev_ops.drain_vring of one that drains */
int recorder_drain_vring(struct vhb_kdev *kdev, unsigned int index);

/** recorder_save_state(), recorder_load_state() - of &vhb_kdev_ops */
int recorder_save_state(struct vhb_kdev *kdev, uint8_t *data);
int recorder_load_state(struct vhb_kdev *kdev, const uint8_t *data,
			size_t size_bytes);

/** recorder_finish() - end a call: append its line, give the lock back */
int recorder_finish(struct recorder *recorder, int ret, const char *line);

/** recorder_eventfd_id() - number of an eventfd; 0 for what is none */
unsigned int recorder_eventfd_id(int fd);

/** recorder_forget() - back to what it was before SET_OWNER */
void recorder_forget(struct recorder *recorder);

/** recorder_save_base() - what a vring leaves in its slot, if it has one */
void recorder_save_base(const struct recorded_vring *vring, bool is_saved);

/** recorder_count_running() - vrings that run; the lock is held */
unsigned int recorder_count_running(const struct recorder *recorder);

#endif
