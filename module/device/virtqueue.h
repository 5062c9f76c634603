/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_DEVICE_VIRTQUEUE_H
#define VHB_DEVICE_VIRTQUEUE_H

#include <linux/eventfd.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vhost_bridge.h>
#include <linux/vhost_types.h>
#include <linux/wait.h>

#include "memory/view.h"
#include "ring/ring.h"
#include "worker/kick.h"
#include "worker/worker.h"

struct vhb_device;

/**
 * DOC: virtqueues
 *
 * A virtqueue's state is enum vhost_bridge_vring_state. It is changed by
 * vhb_virtqueue_enter() alone, under the virtqueue lock:
 *
 *	STOPPED --start--> RUNNING --stop--> DRAINING --(all done)--> STOPPED
 *	                      |                  ^
 *	                      +--> BROKEN --stop-+
 *
 * The last step to STOPPED is the worker's. Nothing is in flight then, the used
 * index says so, and the base is saved.
 */

/** Longest time a worker may be told to poll */
#define VHB_POLL_US_MAX 1000000

/**
 * enum vhb_news - what user space may want to hear
 * @VHB_NEWS_STARTED: a virtqueue runs
 * @VHB_NEWS_DRAINING: a virtqueue takes no more chains
 * @VHB_NEWS_BROKEN: a virtqueue became broken
 * @VHB_NEWS_CALL: a driver wants to be called and there is no eventfd for it
 * @VHB_NEWS_STOPPED: a virtqueue became stopped
 * @VHB_NEWS_CONFIG: the configuration space changed
 * @VHB_NEWS_MISS: a virtqueue misses something in the IOTLB that nobody has read
 * @VHB_NEWS_DISOWNED: the device has no owner any more
 */
enum vhb_news {
	VHB_NEWS_STARTED,
	VHB_NEWS_DRAINING,
	VHB_NEWS_BROKEN,
	VHB_NEWS_CALL,
	VHB_NEWS_STOPPED,
	VHB_NEWS_CONFIG,
	VHB_NEWS_MISS,
	VHB_NEWS_DISOWNED,
};

/**
 * struct vhb_virtqueue_counters - what a virtqueue did since the device was opened
 *
 * Members as in &struct vhost_bridge_vring_status. Written under the virtqueue
 * lock, read without.
 */
struct vhb_virtqueue_counters {
	u64 chain_count;
	u64 read_bytes;
	u64 written_bytes;
	u64 error_count;
	u64 call_count;
	u64 call_suppressed_count;
	u64 drain_count;
};

/**
 * struct vhb_virtqueue - a virtqueue
 * @device: its device
 * @index: its number there
 * @lock: see the DOC of device.h
 * @num: entries; 0 until VHOST_SET_VRING_NUM
 * @addr: VHOST_SET_VRING_ADDR
 * @has_addr: it was done
 * @base: where to go on while the virtqueue is stopped
 * @poll_us: how long the worker looks at the ring before it sleeps
 * @state: what it is doing
 * @fault: what the driver did wrong
 * @view: guest memory as the worker sees it; without a table while the virtqueue
 *        is stopped
 * @ring: the ring while the virtqueue is not stopped
 * @save_addr: where the base is saved, an address of the owner, or 0
 * @kicks_enabled: the driver was asked for kicks
 * @poll_until_ns: when to stop polling
 * @in_flight_count: requests that are not finished
 * @kick: the driver's notifications
 * @call: ours, a reference; NULL for none
 * @err: told when it breaks, a reference; NULL for none
 * @worker: its thread, from the first start until the device has no owner
 * @completed: requests that wait for the worker; written in any context
 * @unfinished: those of them the worker has taken, in order; the next one first
 * @idle: requests for the next chains; none when it is stopped
 * @idle_count: how many
 * @unpushed: a chain that is done and could not be given back: the IOTLB does not
 *            know the ring's page
 * @has_unpushed: there is one
 * @is_stuck: it drains, and what is done cannot be given back as long as the
 *            IOTLB misses something
 * @gives_up: nobody is there to tell what is missed: what cannot be given back
 *            while draining never will be
 * @has_given_up: something is done and was not given back: no base is saved
 * @stopped: woken when @state becomes STOPPED, and when it is stuck before
 * @segments: room for a chain's segments, while there is a worker
 * @resolved: room for their pieces, when one of them is in several, likewise
 * @counters: see there
 */
struct vhb_virtqueue {
	struct vhb_device *device;
	unsigned int index;
	struct mutex lock; /* see DOC above */
	u32 num;
	struct vhost_vring_addr addr;
	bool has_addr;
	u32 base;
	u32 poll_us;
	enum vhost_bridge_vring_state state;
	enum vhost_bridge_fault fault;
	struct vhb_memory view;
	struct vhb_ring ring;
	u64 save_addr;
	bool kicks_enabled;
	u64 poll_until_ns;
	u32 in_flight_count;
	struct vhb_kick kick;
	struct eventfd_ctx *call;
	struct eventfd_ctx *err;
	struct vhb_worker worker;
	struct llist_head completed;
	struct llist_node *unfinished;
	struct llist_node *idle;
	u32 idle_count;
	struct vhb_used unpushed;
	bool has_unpushed;
	bool is_stuck;
	bool gives_up;
	bool has_given_up;
	wait_queue_head_t stopped;
	struct vhb_segment *segments;
	struct vhb_segment *resolved;
	struct vhb_virtqueue_counters counters;
};

/**
 * vhb_virtqueue_init() - first state
 * @vq: zeroed
 * @device: its device
 * @index: its number
 */
void vhb_virtqueue_init(struct vhb_virtqueue *vq, struct vhb_device *device,
			unsigned int index);

/**
 * vhb_virtqueue_start() - begin to take chains
 * @vq: device lock held
 * @save_addr: where to save the base, or 0
 *
 * Return: 0; -EBUSY when it is not stopped; -EINVAL when num, addresses or
 * memory are missing or no ring; -EFAULT when the ring is not in guest memory;
 * -errno of the personality.
 */
int vhb_virtqueue_start(struct vhb_virtqueue *vq, u64 save_addr);

/**
 * vhb_virtqueue_drain() - take no more chains
 * @vq: device lock held
 * @gives_up: nobody will tell the IOTLB anything any more: chains that cannot be
 *            given back for that reason are not, and no base is saved
 *
 * Returns at once; the worker stops it when nothing is in flight any more.
 *
 * Return: 0, or -ESRCH when it is stopped.
 */
int vhb_virtqueue_drain(struct vhb_virtqueue *vq, bool gives_up);

/**
 * vhb_virtqueue_stop() - take no more chains and wait for those in flight
 * @vq: device lock held
 * @gives_up: as in vhb_virtqueue_drain()
 *
 * Return: 0; -ESRCH when it is stopped; -EINTR when a signal came first; -EAGAIN
 * when it waits for the IOTLB. It goes on draining then.
 */
int vhb_virtqueue_stop(struct vhb_virtqueue *vq, bool gives_up);

/**
 * vhb_virtqueue_await() - wait until it is stopped
 * @vq: device lock held; drains and gives up, or is stopped
 */
void vhb_virtqueue_await(struct vhb_virtqueue *vq);

/**
 * vhb_virtqueue_forget() - back to the first state, but for the counters
 * @vq: stopped; device lock held
 */
void vhb_virtqueue_forget(struct vhb_virtqueue *vq);

/**
 * vhb_virtqueue_check_table() - does its ring lie in this memory?
 * @vq: device lock held
 * @table: the memory
 *
 * Return: 0 or -EFAULT; always 0 for one that is stopped.
 */
int vhb_virtqueue_check_table(struct vhb_virtqueue *vq,
			      const struct vhb_table *table);

/**
 * vhb_virtqueue_set_addr() - where its ring is
 * @vq: device lock held
 * @addr: checked but for the dirty log. What concerns that may change while the
 *        virtqueue runs, and nothing else (-EBUSY)
 *
 * Return: 0 or -errno; of the log as vhb_device_set_log_base().
 */
int vhb_virtqueue_set_addr(struct vhb_virtqueue *vq,
			   const struct vhost_vring_addr *addr);

/**
 * vhb_virtqueue_check_log() - can it mark what it writes to its ring?
 * @vq: device lock held
 * @addr: its addresses
 * @base: the dirty log
 *
 * Return: 0, -EFAULT when those marks would be elsewhere than in user memory.
 */
int vhb_virtqueue_check_log(const struct vhb_virtqueue *vq,
			    const struct vhost_vring_addr *addr, u64 base);

/**
 * vhb_virtqueue_refresh() - let the worker see what changed at the device
 * @vq: device lock held
 *
 * Memory and dirty log; when this returns nothing more is looked up in what was
 * before. Pages of requests in flight stay pinned. Does nothing for one that is
 * stopped.
 */
void vhb_virtqueue_refresh(struct vhb_virtqueue *vq);

/**
 * vhb_virtqueue_enter() - be in another state, and let everybody know
 * @vq: locked
 * @state: the state; what comes with it is done
 */
void vhb_virtqueue_enter(struct vhb_virtqueue *vq,
			 enum vhost_bridge_vring_state state);

/**
 * vhb_virtqueue_tell() - tell user space, if it may want to hear
 * @vq: locked
 * @news: what
 */
void vhb_virtqueue_tell(const struct vhb_virtqueue *vq, enum vhb_news news);

/**
 * vhb_virtqueue_get_status() - what it is doing and has done
 * @vq: the virtqueue; without its lock the numbers are those of slightly
 *      different moments
 * @status: filled in
 */
void vhb_virtqueue_get_status(const struct vhb_virtqueue *vq,
			      struct vhost_bridge_vring_status *status);

/**
 * vhb_virtqueue_can_write() - may guest memory be written for this virtqueue?
 * @vq: locked
 */
static inline bool vhb_virtqueue_can_write(const struct vhb_virtqueue *vq)
{
	return !vq->ring.error;
}

/**
 * vhb_virtqueue_marks_ring() - is what is written to its ring to be marked?
 * @vq: device lock held
 */
static inline bool vhb_virtqueue_marks_ring(const struct vhb_virtqueue *vq)
{
	return vq->addr.flags & BIT(VHOST_VRING_F_LOG);
}

#endif
