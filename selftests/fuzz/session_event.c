// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "fuzz/fd_pool.h"
#include "fuzz/mappings.h"
#include "fuzz/must.h"
#include "fuzz/session_run_state.h"
#include "lib/bits.h"

#define FAIL_MAX 64
#define PACKED_WRAPS 0x80008000u

/* What a kernel may say */
static int error_of(uint32_t value)
{
	static const int errors[] = {
		ENOMEM, EFAULT, EBUSY, EINVAL, EPERM, ENOBUFS, EAGAIN, EINTR,
		EBADF,
	};
	int error = EIO;

	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(errors); i++)
		if ((value & 0xff) == (unsigned int)errors[i])
			error = errors[i];
	return error;
}

static struct recorded_vring *vring_of(struct run *run,
				       const struct script_step *step)
{
	return &run->recorder->vrings[step->index %
				      run->recorder->kdev.vring_count];
}

/* A kernel says no base that is not one. */
static void go_to_base(struct run *run, const struct script_step *step,
		       uint32_t from)
{
	struct recorded_vring *vring = vring_of(run, step);
	uint32_t slot;

	if (!vring->is_running)
		return;
	if (!vhb_has_bit(run->recorder->acked_mask, VIRTIO_F_RING_PACKED)) {
		vring->base = (from + step->value) & 0xffff;
		return;
	}
	slot = step->value % vring->num;
	vring->base = slot | slot << 16 |
		      (step->value >> 16 & 1 ? PACKED_WRAPS : 0);
}

static void signal_call(struct run *run, const struct script_step *step)
{
	const struct recorded_vring *vring = vring_of(run, step);
	struct pollfd pollfd = { .fd = vring->call_fd, .events = POLLOUT };
	const uint64_t one = 1;

	if (!vring->is_running || vring->call_fd < 0)
		return;
	must(poll(&pollfd, 1, 0) >= 0);
	must(!(pollfd.revents & POLLNVAL));
	if (pollfd.revents & POLLOUT)
		must(write(vring->call_fd, &one, sizeof(one)) == sizeof(one));
}

static void news(struct run *run, const struct script_step *step)
{
	const unsigned int index = step->index %
				   run->recorder->kdev.vring_count;

	/* Only one that drains tells anything. */
	if (run->recorder->news_fd < 0)
		return;
	if (step->event == SCRIPT_CONFIG)
		recorder_change_config(run->recorder);
	else if (step->event == SCRIPT_BREAK && vring_of(run, step)->is_running)
		recorder_break(run->recorder, index);
	else if (step->event == SCRIPT_FINISH_DRAIN &&
		 vring_of(run, step)->is_draining)
		recorder_finish_drain(run->recorder, index);
}

void run_event(struct run *run, const struct script_step *step)
{
	switch (step->event) {
	case SCRIPT_FAIL_NTH:
		recorder_fail_nth(run->recorder, step->index % FAIL_MAX,
				  error_of(step->value));
		break;
	case SCRIPT_FAIL_NAMED:
		recorder_fail_named(run->recorder,
				    script_call_name(step->index),
				    error_of(step->value),
				    step->value >> 8 & 0xff);
		break;
	case SCRIPT_ADVANCE:
		go_to_base(run, step, vring_of(run, step)->base);
		break;
	case SCRIPT_SET_BASE:
		go_to_base(run, step, 0);
		break;
	case SCRIPT_SIGNAL:
		signal_call(run, step);
		break;
	case SCRIPT_FAIL_MMAP:
		mappings_fail_nth(step->index % FAIL_MAX);
		break;
	case SCRIPT_TRUNCATE:
		fd_pool_truncate(step->index % SCRIPT_FD_COUNT, step->value);
		break;
	case SCRIPT_DEAF:
		run->is_deaf = !(step->value & 1);
		run_read_replies(run);
		break;
	default:
		news(run, step);
		break;
	}
}
