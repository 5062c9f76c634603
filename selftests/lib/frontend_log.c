// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/frontend_log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "lib/bits.h"
#include "session/dirty_log.h"

void frontend_log_open(struct frontend_log *log, uint64_t size_bytes,
		       uint64_t before_bytes, uint64_t behind_bytes)
{
	log->fd = memfd_create("test-log", MFD_CLOEXEC);
	assert_true(log->fd >= 0);
	log->size_bytes = size_bytes;
	log->offset_bytes = before_bytes;
	log->file_bytes = before_bytes + size_bytes + behind_bytes;
	assert_int_equal(ftruncate(log->fd, log->file_bytes), 0);
	log->file = mmap(NULL, log->file_bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED, log->fd, 0);
	assert_true(log->file != MAP_FAILED);
}

void frontend_log_close(struct frontend_log *log)
{
	if (!log->file)
		return;
	munmap(log->file, log->file_bytes);
	close(log->fd);
	log->file = NULL;
}

static uint8_t byte_at(const struct frontend_log *log, uint64_t index)
{
	return __atomic_load_n(&log->file[log->offset_bytes + index],
			       __ATOMIC_RELAXED);
}

bool frontend_log_has(const struct frontend_log *log, uint64_t gpa)
{
	const uint64_t page = gpa / VHB_DIRTY_LOG_PAGE_BYTES;

	return byte_at(log, page / 8) & 1u << page % 8;
}

unsigned int frontend_log_count(const struct frontend_log *log)
{
	unsigned int count = 0;

	for (uint64_t i = 0; i < log->size_bytes; i++)
		count += __builtin_popcount(byte_at(log, i));
	return count;
}

void frontend_log_clear(struct frontend_log *log)
{
	for (uint64_t i = 0; i < log->size_bytes; i++)
		__atomic_exchange_n(&log->file[log->offset_bytes + i], 0,
				    __ATOMIC_SEQ_CST);
}

bool frontend_log_is_alone(const struct frontend_log *log)
{
	const uint64_t end = log->offset_bytes + log->size_bytes;

	for (uint64_t i = 0; i < log->file_bytes; i++)
		if ((i < log->offset_bytes || i >= end) && log->file[i])
			return false;
	return true;
}

static uint32_t flags_of(const struct frontend *frontend)
{
	if (frontend->need_reply &&
	    vhb_has_bit(frontend->acked_protocol_mask,
			VHB_PROTOCOL_F_REPLY_ACK))
		return VHB_FLAG_VERSION | vhb_bit(VHB_FLAG_NEED_REPLY_BIT);
	return VHB_FLAG_VERSION;
}

int frontend_send_log_base(struct frontend *frontend,
			   const struct frontend_log *log)
{
	const struct vhb_wire_log description = {
		.size_bytes = log->size_bytes,
		.offset_bytes = log->offset_bytes,
	};

	return frontend_send(frontend, VHB_SET_LOG_BASE, flags_of(frontend),
			     &description, sizeof(description), &log->fd, 1);
}

int frontend_set_log_base(struct frontend *frontend,
			  const struct frontend_log *log)
{
	struct frontend_reply reply;
	int ret;

	ret = frontend_send_log_base(frontend, log);
	if (ret)
		return ret;
	ret = frontend_receive(frontend, &reply);
	if (ret)
		return ret;
	if (reply.header.request != VHB_SET_LOG_BASE || reply.fd_count ||
	    reply.header.flags !=
		    (VHB_FLAG_VERSION | vhb_bit(VHB_FLAG_REPLY_BIT)))
		return -EPROTO;
	if (reply.header.size_bytes == sizeof(reply.payload.u64))
		return reply.payload.u64 ? -EREMOTEIO : 0;
	if (reply.header.size_bytes != sizeof(reply.payload.log) ||
	    reply.payload.log.size_bytes != log->size_bytes ||
	    reply.payload.log.offset_bytes != log->offset_bytes)
		return -EPROTO;
	return 0;
}
