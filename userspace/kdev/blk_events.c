// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the module tells of by io_uring. One command waits for news all the time;
 * requests are no news, so it does not end while all is well.
 */
#include "kdev/blk_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "kdev/bridge_ioctl.h"
#include "lib/log.h"
#include "lib/names.h"
#include "lib/trace.h"

static_assert(sizeof(struct vhost_bridge_uring) == VHB_COMMAND_AREA_BYTES,
	      "it goes with a command as it is");

/* Old news of a vring that was stopped meanwhile is none any more. */
static void tell_broken(struct vhb_blk *blk, unsigned int index)
{
	const struct vhb_kdev_listener *listener = blk->listener;
	struct vhost_bridge_vring_status status;

	if (index >= blk->kdev.vring_count ||
	    vhb_bridge_get_vring_status(blk->vhost_fd, index, &status) ||
	    status.state != VHOST_BRIDGE_VRING_BROKEN)
		return;
	listener->on_broken(listener->argument, index,
			    vhb_fault_name(status.fault));
}

static void tell(struct vhb_blk *blk, int event)
{
	if (!blk->listener)
		return;
	switch (VHOST_BRIDGE_EVENT_KIND(event)) {
	case VHOST_BRIDGE_EVENT_VRING_BROKEN:
		tell_broken(blk, VHOST_BRIDGE_EVENT_INDEX(event));
		break;
	case VHOST_BRIDGE_EVENT_CONFIG:
		blk->listener->on_config(blk->listener->argument);
		break;
	default:
		/* Calls: every vring has an eventfd for them. */
		break;
	}
}

static void on_event(void *argument, int result)
{
	struct vhb_blk *blk = argument;

	blk->event.value = 0;
	/* Whoever shares the descriptor and closes a copy ends the command. */
	if (result == -ECANCELED && blk->is_owned) {
		vhb_blk_wait_for_news(blk);
		return;
	}
	if (result < 0) {
		/* Without an owner, or closed: see vhb_blk_wait_for_news(). */
		vhb_debug("VHOST_BRIDGE_URING_EVENT: %s",
			  strerrordesc_np(-result));
		return;
	}
	vhb_blk_wait_for_news(blk);
	tell(blk, result);
}

void vhb_blk_wait_for_news(struct vhb_blk *blk)
{
	const struct vhost_bridge_uring area = { 0 };
	int ret;

	if (!blk->loop || blk->event.value || blk->vhost_fd < 0)
		return;
	ret = vhb_loop_command(blk->loop, blk->vhost_fd,
			       VHOST_BRIDGE_URING_EVENT, &area, on_event, blk,
			       &blk->event);
	if (ret)
		vhb_warn("events of the disk are not heard of: %s",
			 strerrordesc_np(-ret));
}

static void on_drain_done(void *argument, int result)
{
	struct vhb_blk_drain *drain = argument;
	const struct vhb_kdev_listener *listener = drain->blk->listener;

	drain->command.value = 0;
	if (vhb_trace_enabled())
		vhb_trace_note("VHOST_BRIDGE_URING_DRAIN vring=%u has ended: %s",
			       drain->index, result < 0 ?
			       strerrorname_np(-result) : "0");
	/* Whatever it was: stopping says so again, and waits if it has to. */
	if (result < 0 && result != -ESRCH)
		vhb_debug("VHOST_BRIDGE_URING_DRAIN of vring %u: %s",
			  drain->index, strerrordesc_np(-result));
	if (listener)
		listener->on_drained(listener->argument, drain->index);
}

int vhb_blk_drain_vring(struct vhb_blk *blk, unsigned int index)
{
	const struct vhost_bridge_uring area = {
		.index = index,
		/* The front-end waits, and could not tell the IOTLB more. */
		.flags = VHOST_BRIDGE_VRING_GIVE_UP,
	};
	struct vhb_blk_drain *drain = &blk->drains[index];
	int ret;

	if (!blk->loop)
		return -EOPNOTSUPP;
	if (drain->command.value)
		return -EBUSY;
	drain->blk = blk;
	drain->index = index;
	ret = vhb_loop_command(blk->loop, blk->vhost_fd,
			       VHOST_BRIDGE_URING_DRAIN, &area, on_drain_done,
			       drain, &drain->command);
	if (vhb_trace_enabled())
		vhb_trace_note("VHOST_BRIDGE_URING_DRAIN fd=%d vring=%u = %s",
			       blk->vhost_fd, index,
			       ret ? strerrorname_np(-ret) : "0");
	return ret;
}

void vhb_blk_forget_drains(struct vhb_blk *blk)
{
	unsigned int i;

	for (i = 0; blk->loop && i < blk->kdev.vring_count; i++)
		vhb_loop_forget(blk->loop, &blk->drains[i].command);
}

void vhb_blk_forget_news(struct vhb_blk *blk)
{
	if (blk->loop)
		vhb_loop_forget(blk->loop, &blk->event);
}
