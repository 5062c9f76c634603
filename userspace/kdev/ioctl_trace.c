// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/ioctl_trace.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <linux/vhost.h>
#include <linux/vhost_bridge.h>

#include "lib/bits.h"
#include "lib/fd_kind.h"
#include "lib/feature_names.h"
#include "lib/trace.h"

#define NOTE_BYTES 7168

/* Newer than the headers of some systems we build on: <linux/vhost.h> */
#ifndef VHOST_NEW_WORKER
struct vhost_worker_state {
	unsigned int worker_id;
};

struct vhost_vring_worker {
	unsigned int index;
	unsigned int worker_id;
};

#define VHOST_NEW_WORKER _IOR(VHOST_VIRTIO, 0x8, struct vhost_worker_state)
#define VHOST_FREE_WORKER _IOW(VHOST_VIRTIO, 0x9, struct vhost_worker_state)
#define VHOST_ATTACH_VRING_WORKER \
	_IOW(VHOST_VIRTIO, 0x15, struct vhost_vring_worker)
#define VHOST_GET_VRING_WORKER \
	_IOWR(VHOST_VIRTIO, 0x16, struct vhost_vring_worker)
#endif

/**
 * struct call - an ioctl that was made
 * @request: which
 * @name: its name
 * @add: adds its fields; NULL for one without
 * @has_result: @add reads what the kernel wrote
 */
struct call {
	unsigned long request;
	const char *name;
	void (*add)(struct vhb_text *text, const void *argument);
	bool has_result;
};

static void add_bits(struct vhb_text *text, const void *argument)
{
	const char *type_name = vhb_trace_type();
	__u64 mask;

	/* The one device whose kernel side has a bit of its own */
	if (type_name && !strcmp(type_name, "net"))
		type_name = "vhost-net";
	memcpy(&mask, argument, sizeof(mask));
	vhb_text_add(text, " features=");
	vhb_features_add(text, type_name, mask);
}

static void add_u64(struct vhb_text *text, const void *argument)
{
	__u64 value;

	memcpy(&value, argument, sizeof(value));
	vhb_text_add(text, " value=0x%" PRIx64, (uint64_t)value);
}

static void add_int(struct vhb_text *text, const void *argument)
{
	int value;

	memcpy(&value, argument, sizeof(value));
	vhb_text_add(text, " value=%d", value);
}

static void add_table(struct vhb_text *text, const void *argument)
{
	const struct vhost_memory *table = argument;
	unsigned int i;

	vhb_text_add(text, " regions=%u", table->nregions);
	for (i = 0; i < table->nregions; i++)
		vhb_text_add(text, " {gpa=0x%" PRIx64 " size=0x%" PRIx64
			     " hva=0x%" PRIx64 "}",
			     (uint64_t)table->regions[i].guest_phys_addr,
			     (uint64_t)table->regions[i].memory_size,
			     (uint64_t)table->regions[i].userspace_addr);
}

static void add_num(struct vhb_text *text, const void *argument)
{
	const struct vhost_vring_state *state = argument;

	vhb_text_add(text, " vring=%u num=%u", state->index, state->num);
}

static void add_base(struct vhb_text *text, const void *argument)
{
	const struct vhost_vring_state *state = argument;

	vhb_text_add(text, " vring=%u base=0x%x", state->index, state->num);
}

static void add_addr(struct vhb_text *text, const void *argument)
{
	const struct vhost_vring_addr *addr = argument;

	vhb_text_add(text, " vring=%u flags=0x%x desc=0x%" PRIx64
		     " used=0x%" PRIx64 " avail=0x%" PRIx64 " log=0x%" PRIx64,
		     addr->index, addr->flags, (uint64_t)addr->desc_user_addr,
		     (uint64_t)addr->used_user_addr,
		     (uint64_t)addr->avail_user_addr,
		     (uint64_t)addr->log_guest_addr);
}

static void add_file(struct vhb_text *text, const void *argument)
{
	const struct vhost_vring_file *file = argument;

	vhb_text_add(text, " vring=%u file=", file->index);
	vhb_fd_add_kind(file->fd, text);
}

static void add_worker(struct vhb_text *text, const void *argument)
{
	const struct vhost_worker_state *state = argument;

	vhb_text_add(text, " worker=%u", state->worker_id);
}

static void add_vring_worker(struct vhb_text *text, const void *argument)
{
	const struct vhost_vring_worker *worker = argument;

	vhb_text_add(text, " vring=%u worker=%u", worker->index,
		     worker->worker_id);
}

static void add_info(struct vhb_text *text, const void *argument)
{
	const struct vhost_bridge_info *info = argument;

	vhb_text_add(text, " version=%.*s", (int)sizeof(info->version),
		     info->version);
}

static void add_bridge_vring(struct vhb_text *text, const void *argument)
{
	const struct vhost_bridge_vring *vring = argument;

	vhb_text_add(text, " vring=%u slot=0x%" PRIx64, vring->index,
		     (uint64_t)vring->base_addr);
}

static void add_vring_status(struct vhb_text *text, const void *argument)
{
	const struct vhost_bridge_vring_status *status = argument;

	vhb_text_add(text, " vring=%u state=%u fault=%u", status->index,
		     status->state, status->fault);
}

static void add_config(struct vhb_text *text, const void *argument)
{
	const struct vhost_bridge_config *config = argument;

	vhb_text_add(text, " offset=%u size=%u", config->offset_bytes,
		     config->length_bytes);
}

static void add_backing(struct vhb_text *text, const void *argument)
{
	const struct vhost_bridge_blk_backing *backing = argument;

	vhb_text_add(text, " file=");
	vhb_fd_add_kind(backing->fd, text);
	vhb_text_add(text, " flags=0x%x queues=%u", backing->flags,
		     backing->vring_count);
}

#define CALL(name, add) { name, #name, add, false }
#define RESULT(name, add) { name, #name, add, true }

static const struct call calls[] = {
	CALL(VHOST_SET_OWNER, NULL),
	CALL(VHOST_RESET_OWNER, NULL),
	RESULT(VHOST_GET_FEATURES, add_bits),
	CALL(VHOST_SET_FEATURES, add_bits),
	RESULT(VHOST_GET_BACKEND_FEATURES, add_u64),
	CALL(VHOST_SET_BACKEND_FEATURES, add_u64),
	CALL(VHOST_SET_MEM_TABLE, add_table),
	CALL(VHOST_SET_LOG_BASE, add_u64),
	CALL(VHOST_SET_LOG_FD, add_int),
	CALL(VHOST_SET_VRING_NUM, add_num),
	CALL(VHOST_SET_VRING_BASE, add_base),
	RESULT(VHOST_GET_VRING_BASE, add_base),
	CALL(VHOST_SET_VRING_ADDR, add_addr),
	CALL(VHOST_SET_VRING_KICK, add_file),
	CALL(VHOST_SET_VRING_CALL, add_file),
	CALL(VHOST_SET_VRING_ERR, add_file),
	CALL(VHOST_SET_VRING_BUSYLOOP_TIMEOUT, add_num),
	CALL(VHOST_SET_VRING_ENDIAN, add_num),
	CALL(VHOST_NET_SET_BACKEND, add_file),
	RESULT(VHOST_NEW_WORKER, add_worker),
	CALL(VHOST_FREE_WORKER, add_worker),
	CALL(VHOST_ATTACH_VRING_WORKER, add_vring_worker),
	RESULT(VHOST_GET_VRING_WORKER, add_vring_worker),
	RESULT(VHOST_BRIDGE_GET_INFO, add_info),
	CALL(VHOST_BRIDGE_START_VRING, add_bridge_vring),
	CALL(VHOST_BRIDGE_STOP_VRING, add_bridge_vring),
	RESULT(VHOST_BRIDGE_GET_VRING_STATUS, add_vring_status),
	CALL(VHOST_BRIDGE_GET_CONFIG, add_config),
	CALL(VHOST_BRIDGE_SET_CONFIG, add_config),
	CALL(VHOST_BRIDGE_BLK_SET_BACKING, add_backing),
};

static const struct call *find(unsigned long request)
{
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(calls); i++)
		if (calls[i].request == request)
			return &calls[i];
	return NULL;
}

void vhb_ioctl_describe(int fd, unsigned long request, const void *argument,
			int result, struct vhb_text *text)
{
	const struct call *call = find(request);

	if (call)
		vhb_text_add(text, "%s fd=%d", call->name, fd);
	else
		vhb_text_add(text, "IOCTL_0x%lx fd=%d", request, fd);
	if (call && call->add && argument && (!result || !call->has_result))
		call->add(text, argument);
	vhb_text_add(text, " = %s", result ? strerrorname_np(-result) : "0");
}

void vhb_ioctl_trace(int fd, unsigned long request, const void *argument,
		     int result)
{
	char bytes[NOTE_BYTES];
	struct vhb_text text;

	vhb_text_begin(&text, bytes, sizeof(bytes));
	vhb_ioctl_describe(fd, request, argument, result, &text);
	vhb_trace_note("%s", bytes);
}

void vhb_iotlb_trace(int fd, const struct vhost_iotlb_msg *message, int result)
{
	static const char * const types[] = {
		[VHOST_IOTLB_MISS] = "MISS",
		[VHOST_IOTLB_UPDATE] = "UPDATE",
		[VHOST_IOTLB_INVALIDATE] = "INVALIDATE",
		[VHOST_IOTLB_ACCESS_FAIL] = "ACCESS_FAIL",
	};
	static const char * const permissions[] = { "none", "ro", "wo", "rw" };
	const char *type = message->type < VHB_ARRAY_COUNT(types) ?
				   types[message->type] :
				   NULL;

	/* Misses come by themselves. */
	vhb_trace_event("VHOST_IOTLB_MSG fd=%d type=%s iova=0x%" PRIx64
			" size=0x%" PRIx64 " uva=0x%" PRIx64 " perm=%s = %s",
			fd, type ? type : "?", (uint64_t)message->iova,
			(uint64_t)message->size, (uint64_t)message->uaddr,
			permissions[message->perm & VHOST_ACCESS_RW],
			result ? strerrorname_np(-result) : "0");
}
