// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/bits.h"
#include "lib/frontend.h"

static int wrong_reply(struct frontend *frontend, const char *why)
{
	snprintf(frontend->why, sizeof(frontend->why), "%s", why);
	return -EPROTO;
}

static int ask_u64(struct frontend *frontend, uint32_t request,
		   uint64_t *value_out)
{
	return frontend_ask(frontend, request, NULL, 0, value_out,
			    sizeof(*value_out));
}

static int tell_u64(struct frontend *frontend, uint32_t request, uint64_t value)
{
	return frontend_tell(frontend, request, &value, sizeof(value), NULL, 0);
}

static int tell_nothing(struct frontend *frontend, uint32_t request)
{
	return frontend_tell(frontend, request, NULL, 0, NULL, 0);
}

static int tell_state(struct frontend *frontend, uint32_t request,
		      unsigned int index, unsigned int num)
{
	struct vhb_wire_vring_state state = { .index = index, .num = num };

	return frontend_tell(frontend, request, &state, sizeof(state), NULL, 0);
}

int frontend_get_features(struct frontend *frontend, uint64_t *mask_out)
{
	return ask_u64(frontend, VHB_GET_FEATURES, mask_out);
}

int frontend_set_features(struct frontend *frontend, uint64_t mask)
{
	return tell_u64(frontend, VHB_SET_FEATURES, mask);
}

int frontend_get_protocol_features(struct frontend *frontend,
				   uint64_t *mask_out)
{
	return ask_u64(frontend, VHB_GET_PROTOCOL_FEATURES, mask_out);
}

int frontend_set_protocol_features(struct frontend *frontend, uint64_t mask)
{
	int ret = tell_u64(frontend, VHB_SET_PROTOCOL_FEATURES, mask);

	if (!ret)
		frontend->acked_protocol_mask = mask;
	return ret;
}

int frontend_set_owner(struct frontend *frontend)
{
	return tell_nothing(frontend, VHB_SET_OWNER);
}

int frontend_reset_owner(struct frontend *frontend)
{
	return tell_nothing(frontend, VHB_RESET_OWNER);
}

int frontend_reset_device(struct frontend *frontend)
{
	return tell_nothing(frontend, VHB_RESET_DEVICE);
}

int frontend_get_queue_num(struct frontend *frontend, uint64_t *count_out)
{
	return ask_u64(frontend, VHB_GET_QUEUE_NUM, count_out);
}

int frontend_set_mem_table(struct frontend *frontend,
			   const struct vhb_wire_region *regions,
			   const int *fds, unsigned int count)
{
	struct vhb_wire_memory table = { .region_count = count };

	if (count > VHB_FDS_MAX)
		return -EINVAL;
	memcpy(table.regions, regions, count * sizeof(*regions));
	return frontend_tell(frontend, VHB_SET_MEM_TABLE, &table,
			     offsetof(struct vhb_wire_memory, regions) +
				     count * sizeof(*regions),
			     fds, count);
}

int frontend_add_mem_reg(struct frontend *frontend,
			 const struct vhb_wire_region *region, int fd)
{
	struct vhb_wire_single_region single = { .region = *region };

	return frontend_tell(frontend, VHB_ADD_MEM_REG, &single, sizeof(single),
			     &fd, 1);
}

int frontend_rem_mem_reg(struct frontend *frontend,
			 const struct vhb_wire_region *region)
{
	struct vhb_wire_single_region single = { .region = *region };

	return frontend_tell(frontend, VHB_REM_MEM_REG, &single, sizeof(single),
			     NULL, 0);
}

int frontend_get_max_mem_slots(struct frontend *frontend, uint64_t *count_out)
{
	return ask_u64(frontend, VHB_GET_MAX_MEM_SLOTS, count_out);
}

int frontend_set_vring_num(struct frontend *frontend, unsigned int index,
			   unsigned int num)
{
	return tell_state(frontend, VHB_SET_VRING_NUM, index, num);
}

int frontend_set_vring_addr(struct frontend *frontend,
			    const struct vhb_wire_vring_addr *addr)
{
	return frontend_tell(frontend, VHB_SET_VRING_ADDR, addr, sizeof(*addr),
			     NULL, 0);
}

int frontend_set_vring_base(struct frontend *frontend, unsigned int index,
			    unsigned int base)
{
	return tell_state(frontend, VHB_SET_VRING_BASE, index, base);
}

int frontend_get_vring_base(struct frontend *frontend, unsigned int index,
			    unsigned int *base_out)
{
	struct vhb_wire_vring_state state = { .index = index };
	int ret = frontend_ask(frontend, VHB_GET_VRING_BASE, &state,
			       sizeof(state), &state, sizeof(state));

	if (ret)
		return ret;
	if (state.index != index)
		return wrong_reply(frontend, "base of another vring");
	*base_out = state.num;
	return 0;
}

int frontend_set_vring_enable(struct frontend *frontend, unsigned int index,
			      bool enable)
{
	return tell_state(frontend, VHB_SET_VRING_ENABLE, index, enable);
}

static int tell_vring_fd(struct frontend *frontend, uint32_t request,
			 unsigned int index, int fd)
{
	uint64_t value = index;

	if (fd < 0)
		return tell_u64(frontend, request,
				value | vhb_bit(VHB_VRING_NOFD_BIT));
	return frontend_tell(frontend, request, &value, sizeof(value), &fd, 1);
}

int frontend_set_vring_kick(struct frontend *frontend, unsigned int index,
			    int fd)
{
	return tell_vring_fd(frontend, VHB_SET_VRING_KICK, index, fd);
}

int frontend_set_vring_call(struct frontend *frontend, unsigned int index,
			    int fd)
{
	return tell_vring_fd(frontend, VHB_SET_VRING_CALL, index, fd);
}

int frontend_set_vring_err(struct frontend *frontend, unsigned int index,
			   int fd)
{
	return tell_vring_fd(frontend, VHB_SET_VRING_ERR, index, fd);
}

int frontend_get_config(struct frontend *frontend, uint32_t offset_bytes,
			uint32_t flags, void *data, uint32_t size_bytes)
{
	struct vhb_wire_config config = {
		.offset_bytes = offset_bytes,
		.size_bytes = size_bytes,
		.flags = flags,
	};
	size_t payload_bytes = VHB_WIRE_CONFIG_HEADER_BYTES + size_bytes;
	struct vhb_wire_config reply = { 0 };
	int ret;

	if (size_bytes > VHB_CONFIG_MAX_BYTES)
		return -EINVAL;
	ret = frontend_ask(frontend, VHB_GET_CONFIG, &config, payload_bytes,
			   &reply, payload_bytes);
	if (ret == -EPROTO && frontend->is_reply_empty)
		return -EIO;
	if (ret)
		return ret;
	if (memcmp(&reply, &config, VHB_WIRE_CONFIG_HEADER_BYTES))
		return wrong_reply(frontend, "configuration of another range");
	memcpy(data, reply.data, size_bytes);
	return 0;
}

int frontend_set_config(struct frontend *frontend, uint32_t offset_bytes,
			uint32_t flags, const void *data, uint32_t size_bytes)
{
	struct vhb_wire_config config = {
		.offset_bytes = offset_bytes,
		.size_bytes = size_bytes,
		.flags = flags,
	};

	if (size_bytes > VHB_CONFIG_MAX_BYTES)
		return -EINVAL;
	memcpy(config.data, data, size_bytes);
	return frontend_tell(frontend, VHB_SET_CONFIG, &config,
			     VHB_WIRE_CONFIG_HEADER_BYTES + size_bytes, NULL,
			     0);
}

int frontend_set_mtu(struct frontend *frontend, uint64_t mtu)
{
	return tell_u64(frontend, VHB_NET_SET_MTU, mtu);
}

int frontend_send_rarp(struct frontend *frontend, const uint8_t mac[6])
{
	uint64_t value = 0;

	memcpy(&value, mac, 6);
	return tell_u64(frontend, VHB_SEND_RARP, value);
}

int frontend_get_status(struct frontend *frontend, uint64_t *status_out)
{
	return ask_u64(frontend, VHB_GET_STATUS, status_out);
}

int frontend_set_status(struct frontend *frontend, uint64_t status)
{
	return tell_u64(frontend, VHB_SET_STATUS, status);
}

int frontend_get_inflight_fd(struct frontend *frontend, unsigned int queue_count,
			     unsigned int queue_entries,
			     struct vhb_wire_inflight *inflight_out,
			     int *fd_out)
{
	const struct vhb_wire_inflight asked = {
		.queue_count = queue_count,
		.queue_entries = queue_entries,
	};

	return frontend_ask_fd(frontend, VHB_GET_INFLIGHT_FD, &asked,
			       sizeof(asked), inflight_out, fd_out);
}

int frontend_set_inflight_fd(struct frontend *frontend,
			     const struct vhb_wire_inflight *inflight, int fd)
{
	return frontend_tell(frontend, VHB_SET_INFLIGHT_FD, inflight,
			     sizeof(*inflight), &fd, 1);
}

int frontend_iotlb(struct frontend *frontend,
		   const struct vhb_wire_iotlb *entry)
{
	return frontend_tell(frontend, VHB_IOTLB_MSG, entry, sizeof(*entry),
			     NULL, 0);
}
