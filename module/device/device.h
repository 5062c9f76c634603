/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHB_DEVICE_DEVICE_H
#define VHB_DEVICE_DEVICE_H

#include <linux/eventfd.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vhost_bridge.h>
#include <linux/vhost_types.h>
#include <linux/wait.h>

#include "device/personality.h"
#include "memory/table.h"
#include "ring/ring.h"
#include "worker/kick.h"
#include "worker/worker.h"

/**
 * DOC: devices and virtqueues
 *
 * A &struct vhb_device is one open file of a character device. It belongs to
 * the process that did VHOST_SET_OWNER: the module copies through that one's
 * address space. Each virtqueue has a thread of its own.
 *
 * Lock order: device lock, then virtqueue lock. Requests of the owner hold the
 * device lock; a worker holds its virtqueue's lock during a turn and never
 * takes the device lock. Size, addresses and features are written under the
 * device lock while the virtqueue is stopped, so the worker reads them as it
 * likes; see Documentation/locking.rst.
 *
 * A virtqueue's state is enum vhost_bridge_vring_state. It is changed in
 * virtqueue.c alone, under the virtqueue lock:
 *
 *	STOPPED --start--> RUNNING --stop--> DRAINING --(all done)--> STOPPED
 *	                      |                  ^
 *	                      +--> BROKEN --stop-+
 *
 * The last step to STOPPED is the worker's. Nothing is in flight then, the used
 * index says so, and the base is saved.
 */

/** Turns take at most this many chains before others get a chance */
#define VHB_VIRTQUEUE_BUDGET 256

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
 */
enum vhb_news {
	VHB_NEWS_STARTED,
	VHB_NEWS_DRAINING,
	VHB_NEWS_BROKEN,
	VHB_NEWS_CALL,
	VHB_NEWS_STOPPED,
	VHB_NEWS_CONFIG,
};

/**
 * struct vhb_request - a chain in flight
 * @node: in the virtqueue's list of completed ones
 * @vq: its virtqueue
 * @used: how it is given back
 *
 * The first part of a personality's own request.
 */
struct vhb_request {
	struct llist_node node;
	struct vhb_virtqueue *vq;
	struct vhb_used used;
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
 * @lock: see DOC above
 * @num: entries; 0 until VHOST_SET_VRING_NUM
 * @addr: VHOST_SET_VRING_ADDR
 * @has_addr: it was done
 * @base: where to go on while the virtqueue is stopped
 * @poll_us: how long the worker looks at the ring before it sleeps
 * @state: what it is doing
 * @fault: what the driver did wrong
 * @memory: guest memory as the worker sees it, a reference
 * @ring: the ring while the virtqueue is not stopped
 * @is_ring_set_up: @ring has to be destroyed
 * @save_addr: where the base is saved, an address of the owner, or 0
 * @kicks_enabled: the driver was asked for kicks
 * @poll_until_ns: when to stop polling
 * @in_flight_count: requests that are not finished
 * @kick: the driver's notifications
 * @call: ours, a reference; NULL for none
 * @err: told when it breaks, a reference; NULL for none
 * @worker: its thread, from the first start until the device has no owner
 * @completed: requests that wait for the worker; written in any context
 * @stopped: woken when @state becomes STOPPED
 * @segments: room for a chain's segments, while there is a worker
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
	struct vhb_memory *memory;
	struct vhb_ring ring;
	bool is_ring_set_up;
	u64 save_addr;
	bool kicks_enabled;
	u64 poll_until_ns;
	u32 in_flight_count;
	struct vhb_kick kick;
	struct eventfd_ctx *call;
	struct eventfd_ctx *err;
	struct vhb_worker worker;
	struct llist_head completed;
	wait_queue_head_t stopped;
	struct vhb_segment *segments;
	struct vhb_virtqueue_counters counters;
};

/**
 * struct vhb_device - one open device
 * @id: its number in the registry
 * @personality: its type
 * @private: the personality's
 * @lock: see DOC above
 * @mm: the owner's address space, a reference to its users; NULL without owner
 * @owner: the owner's process, a reference; NULL without owner. Guarded by the
 *         registry's lock
 * @features: what was acked
 * @memory: guest memory, a reference; NULL until VHOST_SET_MEM_TABLE
 * @on_news: told what user space may want to hear. Virtqueue lock held, but for
 *           VHB_NEWS_CONFIG, which is of no virtqueue (index 0); must not sleep.
 *           May be NULL
 * @on_news_argument: handed to it
 * @virtqueues: @personality->virtqueue_count_max of them
 */
struct vhb_device {
	u32 id;
	const struct vhb_personality *personality;
	void *private;
	struct mutex lock; /* see DOC above */
	struct mm_struct *mm;
	struct pid *owner;
	u64 features;
	struct vhb_memory *memory;
	void (*on_news)(void *argument, enum vhb_news news, unsigned int index);
	void *on_news_argument;
	struct vhb_virtqueue virtqueues[];
};

static inline bool vhb_device_has_feature(const struct vhb_device *device,
					  unsigned int bit)
{
	return device->features & BIT_ULL(bit);
}

/**
 * vhb_personality_count() - how many there are
 */
unsigned int vhb_personality_count(void);

/**
 * vhb_personality_at() - one of them
 * @position: below vhb_personality_count()
 */
const struct vhb_personality *vhb_personality_at(unsigned int position);

/**
 * vhb_device_create() - a device without owner
 * @personality: its type
 * @device_out: the device
 *
 * Return: 0 or -errno.
 */
int vhb_device_create(const struct vhb_personality *personality,
		      struct vhb_device **device_out);

/**
 * vhb_device_destroy() - stop, drain and free it
 * @device: the device; nobody else uses it any more
 */
void vhb_device_destroy(struct vhb_device *device);

/**
 * vhb_device_features() - what it offers
 * @device: locked
 */
u64 vhb_device_features(struct vhb_device *device);

/**
 * vhb_device_set_features() - what the driver acked
 * @device: locked
 * @features: a subset of vhb_device_features()
 *
 * Return: 0, -EOPNOTSUPP for other bits, -EBUSY while a virtqueue is not
 * stopped and they differ.
 */
int vhb_device_set_features(struct vhb_device *device, u64 features);

/**
 * vhb_device_set_owner() - the caller's process becomes the owner
 * @device: locked
 *
 * Return: 0 or -EBUSY when it has one.
 */
int vhb_device_set_owner(struct vhb_device *device);

/**
 * vhb_device_check_owner() - is the caller the owner?
 * @device: locked
 *
 * Return: 0 or -EPERM.
 */
int vhb_device_check_owner(const struct vhb_device *device);

/**
 * vhb_device_reset_owner() - stop and drain, forget owner, memory and virtqueues
 * @device: locked
 *
 * What the personality was told stays. Sleeps until all in flight is done.
 */
void vhb_device_reset_owner(struct vhb_device *device);

/**
 * vhb_device_abandon() - the calling process dies; if it is the owner, forget it
 * @device: the device, not locked; nobody else has a descriptor of it
 *
 * As vhb_device_reset_owner(), and what the owner lent to the personality is let
 * go of, too.
 */
void vhb_device_abandon(struct vhb_device *device);

/**
 * vhb_device_set_memory() - give it another guest memory, also while it runs
 * @device: locked
 * @memory: a reference that is taken over, also on failure
 *
 * Return: 0, or -EFAULT when a ring in use is not in it.
 */
int vhb_device_set_memory(struct vhb_device *device, struct vhb_memory *memory);

/**
 * vhb_device_tell_config() - the configuration space has changed by itself
 * @device: the device; no lock is needed
 */
void vhb_device_tell_config(const struct vhb_device *device);

/**
 * vhb_device_is_idle() - are all virtqueues stopped?
 * @device: locked
 */
bool vhb_device_is_idle(struct vhb_device *device);

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
 * vhb_virtqueue_turn() - one turn of the worker
 * @argument: the virtqueue
 *
 * Return: whether there is more to do now.
 */
bool vhb_virtqueue_turn(void *argument);

/**
 * vhb_virtqueue_drain() - take no more chains
 * @vq: device lock held
 *
 * Returns at once; the worker stops it when nothing is in flight any more.
 *
 * Return: 0, or -ESRCH when it is stopped.
 */
int vhb_virtqueue_drain(struct vhb_virtqueue *vq);

/**
 * vhb_virtqueue_stop() - take no more chains and wait for those in flight
 * @vq: device lock held
 * @is_interruptible: signals end the waiting
 *
 * Return: 0; -ESRCH when it is stopped; -EINTR when a signal came first.
 */
int vhb_virtqueue_stop(struct vhb_virtqueue *vq, bool is_interruptible);

/**
 * vhb_virtqueue_forget() - back to the first state, but for the counters
 * @vq: stopped; device lock held
 */
void vhb_virtqueue_forget(struct vhb_virtqueue *vq);

/**
 * vhb_virtqueue_check_memory() - does its ring lie in this memory?
 * @vq: device lock held
 * @memory: the memory
 *
 * Return: 0 or -EFAULT; always 0 for one that is stopped.
 */
int vhb_virtqueue_check_memory(struct vhb_virtqueue *vq,
			       const struct vhb_memory *memory);

/**
 * vhb_virtqueue_set_memory() - let the worker use another memory
 * @vq: device lock held
 * @memory: checked
 */
void vhb_virtqueue_set_memory(struct vhb_virtqueue *vq,
			      struct vhb_memory *memory);

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
 * vhb_request_init() - a chain becomes a request
 * @request: of the personality
 * @vq: its virtqueue, locked
 * @chain: as popped
 */
void vhb_request_init(struct vhb_request *request, struct vhb_virtqueue *vq,
		      const struct vhb_chain *chain);

/**
 * vhb_request_complete() - the work on a request is done
 * @request: the request; gone when this returns
 *
 * Any context, once. The personality's finish is called by the worker.
 */
void vhb_request_complete(struct vhb_request *request);

#endif
