// SPDX-License-Identifier: GPL-2.0-or-later
/* A recorder that has a state to save and load */
#include "lib/recorder_state.h"

#include <errno.h>
#include <string.h>

/* Does not go through begin(): allowed without an owner. */
static struct recorder *lock(struct vhb_kdev *kdev)
{
	struct recorder *recorder = (struct recorder *)kdev;

	pthread_mutex_lock(&recorder->lock);
	return recorder;
}

int recorder_save_state(struct vhb_kdev *kdev, uint8_t *data)
{
	struct recorder *recorder = lock(kdev);

	memcpy(data, recorder->state, RECORDER_STATE_BYTES);
	recorder_finish(recorder, 0, "SAVE");
	return RECORDER_STATE_BYTES;
}

/* One that begins with a zero it cannot have. */
int recorder_load_state(struct vhb_kdev *kdev, const uint8_t *data,
			size_t size_bytes)
{
	struct recorder *recorder = lock(kdev);
	int ret = 0;

	if (size_bytes != RECORDER_STATE_BYTES || !data[0])
		ret = -EINVAL;
	else
		memcpy(recorder->state, data, size_bytes);
	return recorder_finish(recorder, ret, "LOAD %u", data[0]);
}

int recorder_reset_state(struct vhb_kdev *kdev)
{
	struct recorder *recorder = lock(kdev);
	int error = recorder_named_failure(recorder, "RESET_STATE");

	if (recorder_count_running(recorder))
		recorder_fault(recorder, "RESET_STATE while vrings run");
	return recorder_finish(recorder, -error, "RESET_STATE");
}

void recorder_set_state(struct recorder *recorder, const uint8_t *state)
{
	pthread_mutex_lock(&recorder->lock);
	memcpy(recorder->state, state, RECORDER_STATE_BYTES);
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_state(struct recorder *recorder, uint8_t *state)
{
	pthread_mutex_lock(&recorder->lock);
	memcpy(state, recorder->state, RECORDER_STATE_BYTES);
	pthread_mutex_unlock(&recorder->lock);
}
