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
#include "memory/view.h"
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
 * Lock order: device lock, IOTLB lock, virtqueue lock. Requests of the owner hold the
 * device lock; a worker holds its virtqueue's lock during a turn and never
 * takes the device lock. Size, addresses and features are written under the
 * device lock while the virtqueue is stopped, so the worker reads them as it
 * likes; see Documentation/locking.rst. What the IOTLB is told needs no device
 * lock: who holds that may be waiting for it.
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
 * @memory: guest memory as the worker sees it: @view
 * @view: that; without a table while the virtqueue is stopped
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
 * @resolved: room for them when they are resolved, likewise
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
 * struct vhb_device - one open device
 * @id: its number in the registry
 * @personality: its type
 * @private: the personality's
 * @lock: see DOC above
 * @mm: the owner's address space, a reference to its users; NULL without owner
 * @owner: the owner's process, a reference; NULL without owner. Guarded by the
 *         registry's lock
 * @features: what was acked
 * @table: guest memory, a reference; NULL until VHOST_SET_MEM_TABLE
 * @log_base: where the owner has the dirty log; 0 until VHOST_SET_LOG_BASE
 * @log_call: signalled when something is marked there, a reference; NULL for
 *            none
 * @backend_features: VHOST_SET_BACKEND_FEATURES
 * @iotlb: what is known of the driver's addresses, with VIRTIO_F_ACCESS_PLATFORM
 * @iotlb_lock: held while it is told something, so that this is the owner; see
 *              DOC above. Guards changes of @mm and @features, too
 * @on_news: told what user space may want to hear. Virtqueue lock held, but for
 *           VHB_NEWS_CONFIG and VHB_NEWS_DISOWNED, which are of no virtqueue (index
 *           0); must not sleep. May be NULL
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
	struct vhb_table *table;
	u64 log_base;
	struct eventfd_ctx *log_call;
	u64 backend_features;
	struct vhb_iotlb iotlb;
	struct mutex iotlb_lock; /* see DOC above */
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
 * stopped and they differ, but for VHOST_F_LOG_ALL. When that begins to count:
 * -EFAULT when the dirty log cannot be where it is, -EINVAL when a virtqueue
 * runs and there is none.
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
 * vhb_device_set_table() - give it another guest memory, also while it runs
 * @device: locked
 * @table: a reference that is taken over, also on failure
 *
 * Return: 0, or -EFAULT when a ring in use is not in it, or the dirty log, when
 * that is kept, would not be user memory.
 */
int vhb_device_set_table(struct vhb_device *device, struct vhb_table *table);

/**
 * vhb_device_set_log_base() - where the dirty log is, also while it runs
 * @device: locked
 * @base: an address of the owner's, or 0 for nowhere
 *
 * When this returns nothing is marked in the old one any more.
 *
 * Return: 0; -EFAULT when that cannot be; -EINVAL for 0 while a virtqueue that
 * runs needs one.
 */
int vhb_device_set_log_base(struct vhb_device *device, u64 base);

/**
 * vhb_device_set_log_call() - whom to tell when something is marked
 * @device: locked
 * @call: a reference that is taken over; NULL for nobody
 */
void vhb_device_set_log_call(struct vhb_device *device,
			     struct eventfd_ctx *call);

/**
 * vhb_device_init_iotlb() - an IOTLB that knows nothing
 * @device: zeroed
 */
void vhb_device_init_iotlb(struct vhb_device *device);

/**
 * vhb_device_update_iotlb() - the owner says where something is
 * @device: IOTLB lock held
 * @message: what
 *
 * Who waits for it goes on.
 *
 * Return: as vhb_iotlb_update().
 */
int vhb_device_update_iotlb(struct vhb_device *device,
			    const struct vhost_iotlb_msg *message);

/**
 * vhb_device_invalidate_iotlb() - the owner says that something is there no more
 * @device: IOTLB lock held
 * @message: what
 *
 * When this returns no chain is looked up there, and no ring is touched there,
 * as the IOTLB had it. Buffers of chains that were taken before stay in use until
 * those are given back. Sleeps until turns that are being taken end.
 *
 * Return: as vhb_iotlb_invalidate().
 */
int vhb_device_invalidate_iotlb(struct vhb_device *device,
				const struct vhost_iotlb_msg *message);

/**
 * vhb_device_refuse_iotlb() - the owner will not say where something is
 * @device: IOTLB lock held
 * @message: what
 *
 * Who waits for it is broken.
 *
 * Return: as vhb_iotlb_refuse().
 */
int vhb_device_refuse_iotlb(struct vhb_device *device,
			    const struct vhost_iotlb_msg *message);

/**
 * vhb_virtqueue_forget_miss() - it waits for the IOTLB no more
 * @vq: the virtqueue
 */
void vhb_virtqueue_forget_miss(struct vhb_virtqueue *vq);

/**
 * vhb_virtqueue_is_waiting() - does it wait for the IOTLB?
 * @vq: the virtqueue; not necessarily locked
 */
bool vhb_virtqueue_is_waiting(struct vhb_virtqueue *vq);

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
 * Memory and dirty log; when this returns what was before is used no more. Does
 * nothing for one that is stopped.
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
 * vhb_fault_of() - what an error of memory makes of a virtqueue
 * @error: what a call for guest memory returned
 */
static inline enum vhost_bridge_fault vhb_fault_of(int error)
{
	switch (error) {
	case -EIO:
		return VHOST_BRIDGE_FAULT_LOG;
	case -EACCES:
		return VHOST_BRIDGE_FAULT_ACCESS;
	default:
		return VHOST_BRIDGE_FAULT_MEMORY;
	}
}

/**
 * vhb_virtqueue_marks_ring() - is what is written to its ring to be marked?
 * @vq: device lock held
 */
static inline bool vhb_virtqueue_marks_ring(const struct vhb_virtqueue *vq)
{
	return vq->addr.flags & BIT(VHOST_VRING_F_LOG);
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
