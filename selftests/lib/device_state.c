// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/device_state.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/bits.h"

#define NO_FD 0x100

static int receive(struct frontend *frontend, int *fd_out)
{
	struct frontend_reply reply;
	int ret = frontend_receive(frontend, &reply);

	if (ret)
		return ret;
	if (reply.header.request != VHB_SET_DEVICE_STATE_FD ||
	    reply.header.size_bytes != sizeof(reply.payload.u64) ||
	    reply.fd_count != !reply.payload.u64)
		return -EPROTO;
	if (reply.fd_count)
		*fd_out = reply.fds[0];
	return reply.payload.u64 & ~(uint64_t)NO_FD ? -EREMOTEIO : 0;
}

int device_state_begin(struct frontend *frontend,
		       enum vhb_transfer_direction direction, int *fd_out)
{
	const struct vhb_wire_transfer wanted = { direction, 0 };
	const bool is_save = direction == VHB_TRANSFER_SAVE;
	int fds[2], other = -1, ret;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	*fd_out = fds[is_save ? 0 : 1];
	ret = frontend_send(frontend, VHB_SET_DEVICE_STATE_FD,
			    VHB_FLAG_VERSION |
			    (frontend->need_reply ?
			     vhb_bit(VHB_FLAG_NEED_REPLY_BIT) : 0),
			    &wanted, sizeof(wanted), &fds[is_save ? 1 : 0], 1);
	close(fds[is_save ? 1 : 0]);
	if (!ret)
		ret = receive(frontend, &other);
	if (ret || other >= 0)
		close(*fd_out);
	*fd_out = other >= 0 ? other : *fd_out;
	return ret;
}

int device_state_check(struct frontend *frontend)
{
	uint64_t result;
	int ret = frontend_ask(frontend, VHB_CHECK_DEVICE_STATE, NULL, 0,
			       &result, sizeof(result));

	if (ret)
		return ret;
	return result ? -EREMOTEIO : 0;
}

int device_state_save(struct frontend *frontend, uint8_t *stream, size_t *bytes)
{
	ssize_t length;
	size_t got = 0;
	int fd, ret;

	ret = device_state_begin(frontend, VHB_TRANSFER_SAVE, &fd);
	if (ret)
		return ret;
	while ((length = read(fd, stream + got, *bytes - got)) > 0)
		got += length;
	close(fd);
	if (length < 0)
		return -EIO;
	*bytes = got;
	return device_state_check(frontend);
}

int device_state_load(struct frontend *frontend, const uint8_t *stream,
		      size_t bytes)
{
	ssize_t length;
	int fd, ret;

	ret = device_state_begin(frontend, VHB_TRANSFER_LOAD, &fd);
	if (ret)
		return ret;
	length = write(fd, stream, bytes);
	close(fd);
	if (length < 0 || (size_t)length != bytes)
		return -EIO;
	return device_state_check(frontend);
}
