// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/recorder_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/vhost_bridge.h>

#include "lib/bits.h"
#include "lib/fuzz_seed.h"
#include "wire/protocol.h"

/* As in /proc/PID/fdinfo; 0 for what is no eventfd */
unsigned int recorder_eventfd_id(int fd)
{
	unsigned int id, found = 0;
	char line[128];
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		/* Counted from 0 */
		if (sscanf(line, "eventfd-id: %u", &id) == 1)
			found = id + 1;
	fclose(file);
	return found;
}

void recorder_save_base(const struct recorded_vring *vring, bool is_saved)
{
	struct vhost_bridge_saved_base *saved =
		(void *)(uintptr_t)vring->slot_addr;

	if (!saved)
		return;
	saved->base = is_saved ? vring->base : 0;
	saved->is_saved = is_saved;
}

void recorder_forget(struct recorder *recorder)
{
	for (unsigned int i = 0; i < VHB_VRING_COUNT_MAX; i++)
		if (recorder->vrings[i].is_running)
			recorder_save_base(&recorder->vrings[i], true);
	recorder->is_owned = false;
	recorder->acked_mask = 0;
	recorder->iotlb.entry_count = 0;
	recorder->iotlb.miss_count = 0;
	recorder->log_base = 0;
	free(recorder->table);
	recorder->table = NULL;
	memset(recorder->vrings, 0, sizeof(recorder->vrings));
	for (unsigned int i = 0; i < VHB_VRING_COUNT_MAX; i++) {
		recorder->vrings[i].kick_fd = -1;
		recorder->vrings[i].call_fd = -1;
		recorder->vrings[i].err_fd = -1;
	}
}

unsigned int recorder_count_running(const struct recorder *recorder)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < VHB_VRING_COUNT_MAX; i++)
		count += recorder->vrings[i].is_running;
	return count;
}

struct recorder *recorder_create(unsigned int vring_count,
				 uint64_t features_mask)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		abort();
	pthread_mutex_init(&recorder->lock, NULL);
	recorder->kdev.ops = &recorder_ops;
	recorder->kdev.vring_count = vring_count;
	recorder->news_fd = -1;
	recorder->features_mask = features_mask;
	recorder->protocol_features_mask = vhb_bit(VHB_PROTOCOL_F_MTU);
	recorder_forget(recorder);
	return recorder;
}

void recorder_destroy(struct recorder *recorder)
{
	recorder->kdev.ops->destroy(&recorder->kdev);
}

struct vhb_kdev *recorder_kdev(struct recorder *recorder)
{
	return &recorder->kdev;
}

void recorder_set_vring_count(struct recorder *recorder, unsigned int count)
{
	recorder->kdev.vring_count = count;
}

void recorder_set_features(struct recorder *recorder, uint64_t mask)
{
	recorder->features_mask = mask;
}

void recorder_set_protocol_features(struct recorder *recorder, uint64_t mask)
{
	recorder->protocol_features_mask = mask;
}

void recorder_label_fd(struct recorder *recorder, int fd, const char *label)
{
	unsigned int id = recorder_eventfd_id(fd);
	struct recorder_label *new;

	assert_int_not_equal(id, 0);
	pthread_mutex_lock(&recorder->lock);
	assert_true(recorder->label_count < LABEL_COUNT);
	new = &recorder->labels[recorder->label_count++];
	new->eventfd_id = id;
	snprintf(new->text, sizeof(new->text), "%s", label);
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_fail_nth(struct recorder *recorder, unsigned int nth, int error)
{
	fuzz_seed_event(SCRIPT_FAIL_NTH, nth, error);
	pthread_mutex_lock(&recorder->lock);
	recorder->fail_nth = nth;
	recorder->fail_nth_error = error;
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_fail_named(struct recorder *recorder, const char *name,
			 int error, unsigned int times)
{
	if (name)
		fuzz_seed_event(SCRIPT_FAIL_NAMED, script_call_index(name),
				error | times << 8);
	pthread_mutex_lock(&recorder->lock);
	recorder->fail_name = name;
	recorder->fail_name_error = error;
	recorder->fail_name_times = times;
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_advance(struct recorder *recorder, unsigned int index,
		      unsigned int count)
{
	fuzz_seed_event(SCRIPT_ADVANCE, index, count);
	pthread_mutex_lock(&recorder->lock);
	recorder->vrings[index].base =
		(recorder->vrings[index].base + count) & 0xffff;
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_set_base(struct recorder *recorder, unsigned int index,
		       uint32_t base)
{
	fuzz_seed_event(SCRIPT_SET_BASE, index, base);
	pthread_mutex_lock(&recorder->lock);
	recorder->vrings[index].base = base;
	pthread_mutex_unlock(&recorder->lock);
}

char *recorder_take(struct recorder *recorder)
{
	char *lines;

	pthread_mutex_lock(&recorder->lock);
	lines = recorder->lines ? recorder->lines : strdup("");
	recorder->lines = NULL;
	recorder->line_bytes = 0;
	pthread_mutex_unlock(&recorder->lock);
	fuzz_seed_calls(lines);
	return lines;
}

unsigned int recorder_call_count(struct recorder *recorder)
{
	unsigned int count;

	pthread_mutex_lock(&recorder->lock);
	count = recorder->call_count;
	pthread_mutex_unlock(&recorder->lock);
	return count;
}

unsigned int recorder_running(struct recorder *recorder)
{
	unsigned int count;

	pthread_mutex_lock(&recorder->lock);
	count = recorder_count_running(recorder);
	pthread_mutex_unlock(&recorder->lock);
	return count;
}

bool recorder_is_running(struct recorder *recorder, unsigned int index)
{
	bool is_running;

	pthread_mutex_lock(&recorder->lock);
	is_running = recorder->vrings[index].is_running;
	pthread_mutex_unlock(&recorder->lock);
	return is_running;
}

struct vhost_vring_addr recorder_addr(struct recorder *recorder,
				      unsigned int index)
{
	struct vhost_vring_addr addr;

	pthread_mutex_lock(&recorder->lock);
	addr = recorder->vrings[index].addr;
	pthread_mutex_unlock(&recorder->lock);
	return addr;
}

static int fd_of(struct recorder *recorder, const int *fd)
{
	int number;

	pthread_mutex_lock(&recorder->lock);
	number = *fd;
	pthread_mutex_unlock(&recorder->lock);
	return number;
}

int recorder_kick_fd(struct recorder *recorder, unsigned int index)
{
	return fd_of(recorder, &recorder->vrings[index].kick_fd);
}

int recorder_err_fd(struct recorder *recorder, unsigned int index)
{
	return fd_of(recorder, &recorder->vrings[index].err_fd);
}

int recorder_call_fd(struct recorder *recorder, unsigned int index)
{
	return fd_of(recorder, &recorder->vrings[index].call_fd);
}

void recorder_assert_no_fault(struct recorder *recorder)
{
	char text[256] = "";

	pthread_mutex_lock(&recorder->lock);
	if (recorder->fault)
		snprintf(text, sizeof(text), "%s", recorder->fault);
	free(recorder->fault);
	recorder->fault = NULL;
	pthread_mutex_unlock(&recorder->lock);
	if (text[0])
		fail_msg("the kernel device was misused: %s", text);
}
