// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/recorder_state.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "lib/bits.h"
#include "wire/protocol.h"

/* What recorder_log.c uses, too; short here, where each call has them */
#define begin(...) recorder_begin(__VA_ARGS__)
#define finish(...) recorder_finish(__VA_ARGS__)
#define fault(...) recorder_fault(__VA_ARGS__)
#define fd_text(...) recorder_fd_text(__VA_ARGS__)

#define KERNEL_REGIONS_MAX 64

static struct recorder *of(struct vhb_kdev *kdev)
{
	return (struct recorder *)kdev;
}

static void append(struct recorder *recorder, const char *text)
{
	size_t length = strlen(text);
	char *lines = realloc(recorder->lines, recorder->line_bytes + length + 1);

	if (!lines)
		abort();
	memcpy(lines + recorder->line_bytes, text, length + 1);
	recorder->lines = lines;
	recorder->line_bytes += length;
}

/* Keeps the first one: the rest usually follows from it. */
void recorder_fault(struct recorder *recorder, const char *format, ...)
{
	va_list args;

	if (recorder->fault)
		return;
	va_start(args, format);
	if (vasprintf(&recorder->fault, format, args) < 0)
		abort();
	va_end(args);
}

/* Takes the lock, which finish() gives back; returns -errno to inject. */
int recorder_named_failure(struct recorder *recorder, const char *name)
{
	if (!recorder->fail_name || !recorder->fail_name_times ||
	    strcmp(recorder->fail_name, name))
		return 0;
	recorder->fail_name_times--;
	return recorder->fail_name_error;
}

int recorder_begin(struct recorder *recorder, const char *name)
{
	int error = 0;

	pthread_mutex_lock(&recorder->lock);
	recorder->call_count++;
	if (recorder->fail_nth && !--recorder->fail_nth)
		error = recorder->fail_nth_error;
	error = recorder_named_failure(recorder, name) ?: error;
	if (!recorder->is_owned && strcmp(name, "SET_OWNER")) {
		fault(recorder, "%s without an owner", name);
		error = EPERM;
	}
	return -error;
}

int recorder_finish(struct recorder *recorder, int ret, const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		abort();
	va_end(args);
	append(recorder, line);
	if (ret) {
		append(recorder, " = ");
		append(recorder, strerrorname_np(-ret));
	}
	append(recorder, "\n");
	free(line);
	pthread_mutex_unlock(&recorder->lock);
	return ret;
}

const char *recorder_fd_text(struct recorder *recorder, int fd, int *ret)
{
	unsigned int id, i;

	if (fd < 0)
		return "none";
	id = recorder_eventfd_id(fd);
	if (!id) {
		if (!*ret)
			*ret = -EINVAL;
		return "not-an-eventfd";
	}
	for (i = recorder->label_count; i-- > 0;)
		if (recorder->labels[i].eventfd_id == id)
			return recorder->labels[i].text;
	return "eventfd";
}

static uint64_t gpa_of(struct recorder *recorder, uint64_t hva, uint64_t bytes)
{
	const struct vhost_memory *table = recorder->table;

	for (uint32_t i = 0; table && i < table->nregions; i++) {
		const struct vhost_memory_region *region = &table->regions[i];

		if (vhb_range_contains(region->userspace_addr,
				       region->memory_size, hva, bytes))
			return region->guest_phys_addr +
			       (hva - region->userspace_addr);
	}
	fault(recorder, "%#llx+%#llx is in no region of the memory table",
	      (unsigned long long)hva, (unsigned long long)bytes);
	return UINT64_MAX;
}

uint64_t recorder_gpa(struct recorder *recorder, uint64_t hva, uint64_t bytes)
{
	return gpa_of(recorder, hva, bytes);
}

static bool is_packed(const struct recorder *recorder)
{
	return vhb_has_bit(recorder->acked_mask, VIRTIO_F_RING_PACKED);
}

/* Where the parts are in guest memory; all of them are in it, or it is a fault. */
static void find_rings(struct recorder *recorder,
		       const struct vhost_vring_addr *addr, uint64_t num,
		       uint64_t gpas[3])
{
	const bool packed = is_packed(recorder);

	if (recorder_has_iotlb(recorder)) {
		gpas[0] = addr->desc_user_addr;
		gpas[1] = addr->avail_user_addr;
		gpas[2] = addr->used_user_addr;
		return;
	}
	gpas[0] = gpa_of(recorder, addr->desc_user_addr, 16 * num);
	gpas[1] = gpa_of(recorder, addr->avail_user_addr,
			 packed ? 4 : 6 + 2 * num);
	gpas[2] = gpa_of(recorder, addr->used_user_addr,
			 packed ? 4 : 6 + 8 * num);
}

static void check_rings(struct recorder *recorder, const struct recorded_vring *vring)
{
	uint64_t gpas[3];

	find_rings(recorder, &vring->addr, vring->num, gpas);
}

static struct recorded_vring *vring_at(struct recorder *recorder, unsigned int index)
{
	if (index >= recorder->kdev.vring_count) {
		fault(recorder, "vring %u of %u", index,
		      recorder->kdev.vring_count);
		index = 0;
	}
	return &recorder->vrings[index];
}

static uint64_t op_features(struct vhb_kdev *kdev)
{
	return of(kdev)->features_mask;
}

static uint64_t op_protocol_features(struct vhb_kdev *kdev)
{
	return of(kdev)->protocol_features_mask;
}

static int op_set_owner(struct vhb_kdev *kdev)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "SET_OWNER");

	if (!ret && recorder->is_owned) {
		fault(recorder, "SET_OWNER twice");
		ret = -EBUSY;
	}
	if (!ret)
		recorder->is_owned = true;
	return finish(recorder, ret, "SET_OWNER");
}

static void end(struct vhb_kdev *kdev, const char *name)
{
	struct recorder *recorder = of(kdev);

	pthread_mutex_lock(&recorder->lock);
	recorder_forget(recorder);
	finish(recorder, 0, "%s", name);
}

static void op_disown(struct vhb_kdev *kdev)
{
	end(kdev, "DISOWN");
}

static void op_reset(struct vhb_kdev *kdev)
{
	end(kdev, "RESET");
}

static int op_set_features(struct vhb_kdev *kdev, uint64_t mask)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "SET_FEATURES");

	if (vhb_has_bit(mask, VHB_F_PROTOCOL_FEATURES_BIT))
		fault(recorder, "bit 30 given to the kernel");
	if (mask & ~recorder->features_mask)
		fault(recorder, "feature bits %#llx were not offered",
		      (unsigned long long)(mask & ~recorder->features_mask));
	for (unsigned int i = 0; i < recorder->kdev.vring_count; i++)
		if (recorder->vrings[i].is_running &&
		    !recorder->vrings[i].is_stuck &&
		    (mask ^ recorder->acked_mask) & ~vhb_bit(VHOST_F_LOG_ALL))
			fault(recorder, "SET_FEATURES while vring %u runs", i);
	if (!ret) {
		recorder->acked_mask = mask;
		recorder->iotlb.entry_count = 0;
		recorder_mark(recorder);
	}
	return finish(recorder, ret, "SET_FEATURES %#llx",
		      (unsigned long long)mask);
}

static int take_table(struct recorder *recorder,
		      const struct vhost_memory *table)
{
	size_t bytes = sizeof(*table) +
		       table->nregions * sizeof(table->regions[0]);
	struct vhost_memory *copy = malloc(bytes);

	if (!copy)
		abort();
	memcpy(copy, table, bytes);
	free(recorder->table);
	recorder->table = copy;
	if (table->nregions > KERNEL_REGIONS_MAX) {
		fault(recorder, "%u memory regions", table->nregions);
		return -E2BIG;
	}
	for (unsigned int i = 0; i < recorder->kdev.vring_count; i++)
		if (recorder->vrings[i].is_running)
			check_rings(recorder, &recorder->vrings[i]);
	recorder_check_entries(recorder);
	recorder_mark(recorder);
	return 0;
}

static int op_set_mem_table(struct vhb_kdev *kdev,
			    const struct vhost_memory *table)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "SET_MEM_TABLE");
	char text[KERNEL_REGIONS_MAX * 48] = "";
	size_t used = 0;

	if (!ret)
		ret = take_table(recorder, table);
	for (uint32_t i = 0; i < table->nregions && i < KERNEL_REGIONS_MAX; i++) {
		const struct vhost_memory_region *region = &table->regions[i];

		if (!region->memory_size || region->flags_padding)
			fault(recorder, "memory region %u is malformed", i);
		used += snprintf(text + used, sizeof(text) - used,
				 " 0x%llx+0x%llx",
				 (unsigned long long)region->guest_phys_addr,
				 (unsigned long long)region->memory_size);
	}
	return finish(recorder, ret, "SET_MEM_TABLE %u:%s", table->nregions,
		      text);
}

/* Only a session that could not stop a vring may try. */
static int must_be_stopped(struct recorder *recorder, unsigned int index,
			   const char *name)
{
	const struct recorded_vring *vring = &recorder->vrings[index];

	if (!vring->is_running)
		return 0;
	if (!vring->is_stuck)
		fault(recorder, "%s while vring %u runs", name, index);
	return -EBUSY;
}

static int op_set_vring_num(struct vhb_kdev *kdev, unsigned int index,
			    uint32_t num)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "SET_VRING_NUM");
	struct recorded_vring *vring = vring_at(recorder, index);

	if (!num || num > 32768 || (num & (num - 1) && !is_packed(recorder)))
		fault(recorder, "a vring of %u entries", num);
	if (!ret)
		ret = must_be_stopped(recorder, index, "SET_VRING_NUM");
	if (!ret)
		vring->num = num;
	return finish(recorder, ret, "SET_VRING_NUM %u %u", index, num);
}

static int op_set_vring_base(struct vhb_kdev *kdev, unsigned int index,
			     uint32_t base)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "SET_VRING_BASE");
	struct recorded_vring *vring = vring_at(recorder, index);

	if (base > 0xffff && !is_packed(recorder))
		fault(recorder, "a split vring's base of %u", base);
	if (!ret)
		ret = must_be_stopped(recorder, index, "SET_VRING_BASE");
	if (!ret)
		vring->base = base;
	return finish(recorder, ret, "SET_VRING_BASE %u %u", index, base);
}

static int op_set_vring_addr(struct vhb_kdev *kdev,
			     const struct vhost_vring_addr *addr)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "SET_VRING_ADDR");
	struct recorded_vring *vring = vring_at(recorder, addr->index);
	const uint64_t num = vring->num;
	uint64_t gpas[3];
	char log[32] = "";

	if (addr->flags)
		snprintf(log, sizeof(log), " log=0x%llx",
			 (unsigned long long)addr->log_guest_addr);
	else if (addr->log_guest_addr)
		fault(recorder, "a log address that nobody wanted");
	if (addr->desc_user_addr % 16 ||
	    addr->avail_user_addr % (is_packed(recorder) ? 4 : 2) ||
	    addr->used_user_addr % 4)
		fault(recorder, "ring addresses are not aligned");
	if (vring->is_running &&
	    (addr->desc_user_addr != vring->addr.desc_user_addr ||
	     addr->avail_user_addr != vring->addr.avail_user_addr ||
	     addr->used_user_addr != vring->addr.used_user_addr))
		fault(recorder, "SET_VRING_ADDR moves vring %u, which runs",
		      addr->index);
	find_rings(recorder, addr, num, gpas);
	if (!ret) {
		vring->addr = *addr;
		vring->has_addr = true;
		recorder_mark(recorder);
	}
	return finish(recorder, ret,
		      "SET_VRING_ADDR %u desc=0x%llx avail=0x%llx used=0x%llx%s",
		      addr->index, (unsigned long long)gpas[0],
		      (unsigned long long)gpas[1],
		      (unsigned long long)gpas[2], log);
}

static int op_set_vring_kick(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "SET_VRING_KICK");
	struct recorded_vring *vring = vring_at(recorder, index);
	const char *text = fd_text(recorder, fd, &ret);

	if (!ret)
		vring->kick_fd = fd;
	return finish(recorder, ret, "SET_VRING_KICK %u %s", index, text);
}

static int op_set_vring_call(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "SET_VRING_CALL");
	struct recorded_vring *vring = vring_at(recorder, index);
	const char *text = fd_text(recorder, fd, &ret);

	if (!ret)
		vring->call_fd = fd;
	return finish(recorder, ret, "SET_VRING_CALL %u %s", index, text);
}

static int op_set_vring_err(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "SET_VRING_ERR");
	struct recorded_vring *vring = vring_at(recorder, index);
	const char *text = fd_text(recorder, fd, &ret);

	if (!ret)
		vring->err_fd = fd;
	return finish(recorder, ret, "SET_VRING_ERR %u %s", index, text);
}

static void op_set_vring_slot(struct vhb_kdev *kdev, unsigned int index,
			      uint64_t slot_addr)
{
	struct recorder *recorder = of(kdev);
	struct recorded_vring *vring;

	pthread_mutex_lock(&recorder->lock);
	vring = vring_at(recorder, index);
	if (slot_addr % 8)
		fault(recorder, "a slot that is not aligned");
	if (vring->is_running)
		fault(recorder, "SET_VRING_SLOT while vring %u runs", index);
	vring->slot_addr = slot_addr;
	if (slot_addr)
		finish(recorder, 0, "SET_VRING_SLOT %u", index);
	else
		pthread_mutex_unlock(&recorder->lock);
}

static int op_start_vring(struct vhb_kdev *kdev, unsigned int index)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "START");
	struct recorded_vring *vring = vring_at(recorder, index);

	if (vring->is_running)
		fault(recorder, "START of vring %u, which runs", index);
	if (!vring->num || !vring->has_addr || vring->kick_fd < 0)
		fault(recorder, "START of vring %u, which is not set up", index);
	check_rings(recorder, vring);
	if (!ret)
		ret = recorder_look_up_used(recorder, vring);
	if (!ret) {
		recorder_save_base(vring, false);
		vring->is_running = true;
		recorder_mark(recorder);
	}
	return finish(recorder, ret, "START %u", index);
}

int recorder_drain_vring(struct vhb_kdev *kdev, unsigned int index)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "DRAIN");
	struct recorded_vring *vring = vring_at(recorder, index);

	if (!vring->is_running)
		fault(recorder, "DRAIN of vring %u, which is stopped", index);
	if (vring->is_draining)
		fault(recorder, "DRAIN of vring %u twice", index);
	if (!ret)
		vring->is_draining = true;
	return finish(recorder, ret, "DRAIN %u", index);
}

static int op_stop_vring(struct vhb_kdev *kdev, unsigned int index,
			 uint32_t *base_out)
{
	struct recorder *recorder = of(kdev);
	int ret = begin(recorder, "STOP");
	struct recorded_vring *vring = vring_at(recorder, index);

	if (vring->is_draining)
		fault(recorder, "STOP of vring %u, which drains", index);
	if (!ret) {
		if (vring->is_running)
			recorder_save_base(vring, true);
		vring->is_running = false;
		*base_out = vring->base;
	}
	vring->is_stuck = ret;
	return finish(recorder, ret, "STOP %u", index);
}

static int op_get_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
			 uint32_t size_bytes, uint8_t *data)
{
	struct recorder *recorder = of(kdev);
	int ret = 0;

	pthread_mutex_lock(&recorder->lock);
	if (!vhb_range_contains(0, VHB_CONFIG_MAX_BYTES, offset_bytes,
				size_bytes))
		ret = -EINVAL;
	for (uint32_t i = 0; !ret && i < size_bytes; i++)
		data[i] = offset_bytes + i < RECORDER_CONFIG_BYTES ?
				  offset_bytes + i : 0;
	return finish(recorder, ret, "GET_CONFIG %u+%u", offset_bytes,
		      size_bytes);
}

/* Byte 0 can be written, like blk's write-back field. */
static int op_set_config(struct vhb_kdev *kdev, uint32_t offset_bytes,
			 uint32_t size_bytes, const uint8_t *data)
{
	struct recorder *recorder = of(kdev);
	int ret = 0;

	(void)data;
	pthread_mutex_lock(&recorder->lock);
	if (offset_bytes || size_bytes != 1)
		ret = -EACCES;
	return finish(recorder, ret, "SET_CONFIG %u+%u", offset_bytes,
		      size_bytes);
}

static int op_set_mtu(struct vhb_kdev *kdev, uint64_t mtu)
{
	struct recorder *recorder = of(kdev);
	int ret = 0;

	pthread_mutex_lock(&recorder->lock);
	if (mtu < 68 || mtu > RECORDER_MTU_MAX)
		ret = -EINVAL;
	return finish(recorder, ret, "SET_MTU %llu", (unsigned long long)mtu);
}

static void op_destroy(struct vhb_kdev *kdev)
{
	struct recorder *recorder = of(kdev);

	recorder_forget(recorder);
	if (recorder->news_fd >= 0)
		close(recorder->news_fd);
	free(recorder->lines);
	free(recorder->fault);
	pthread_mutex_destroy(&recorder->lock);
	free(recorder);
}

const struct vhb_kdev_ops recorder_ops = {
	.name = "recorder",
	.features = op_features,
	.protocol_features = op_protocol_features,
	.set_owner = op_set_owner,
	.disown = op_disown,
	.reset = op_reset,
	.set_features = op_set_features,
	.set_mem_table = op_set_mem_table,
	.set_log_base = recorder_set_log_base,
	.set_log_fd = recorder_set_log_fd,
	.set_vring_num = op_set_vring_num,
	.set_vring_base = op_set_vring_base,
	.set_vring_addr = op_set_vring_addr,
	.set_vring_kick = op_set_vring_kick,
	.set_vring_call = op_set_vring_call,
	.set_vring_err = op_set_vring_err,
	.set_vring_slot = op_set_vring_slot,
	.start_vring = op_start_vring,
	.stop_vring = op_stop_vring,
	.get_config = op_get_config,
	.set_config = op_set_config,
	.set_mtu = op_set_mtu,
	.save_state = recorder_save_state,
	.load_state = recorder_load_state,
	.reset_state = recorder_reset_state,
	.send_rarp = recorder_send_rarp,
	.destroy = op_destroy,
};
