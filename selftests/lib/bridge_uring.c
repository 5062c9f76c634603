// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/bridge_uring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES 64

void bridge_uring_open(struct bridge_uring *uring)
{
	assert_int_equal(io_uring_queue_init(ENTRIES, &uring->ring, 0), 0);
}

void bridge_uring_close(struct bridge_uring *uring)
{
	io_uring_queue_exit(&uring->ring);
}

static struct io_uring_sqe *take_sqe(struct bridge_uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	assert_non_null(sqe);
	return sqe;
}

void bridge_uring_submit(struct bridge_uring *uring, int count)
{
	assert_int_equal(io_uring_submit(&uring->ring), count);
}

struct io_uring_sqe *bridge_uring_add(struct bridge_uring *uring,
				      const struct bridge *bridge,
				      uint32_t request,
				      struct vhost_bridge_uring area,
				      uint64_t tag)
{
	struct io_uring_sqe *sqe = take_sqe(uring);

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, bridge->fd, NULL, 0, 0);
	sqe->cmd_op = request;
	memcpy(sqe->cmd, &area, sizeof(area));
	io_uring_sqe_set_data64(sqe, tag);
	return sqe;
}

void bridge_uring_add_nop(struct bridge_uring *uring)
{
	struct io_uring_sqe *sqe = take_sqe(uring);

	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data64(sqe, 0);
}

void bridge_uring_add_write(struct bridge_uring *uring,
			    const struct bridge *bridge, const void *data,
			    unsigned int size_bytes, uint64_t tag)
{
	struct io_uring_sqe *sqe = take_sqe(uring);

	io_uring_prep_write(sqe, bridge->fd, data, size_bytes, -1);
	io_uring_sqe_set_data64(sqe, tag);
}

void bridge_uring_send(struct bridge_uring *uring, const struct bridge *bridge,
		       uint32_t request, struct vhost_bridge_uring area,
		       uint64_t tag)
{
	bridge_uring_add(uring, bridge, request, area, tag);
	bridge_uring_submit(uring, 1);
}

void bridge_uring_cancel(struct bridge_uring *uring, uint64_t tag)
{
	struct io_uring_sqe *sqe = take_sqe(uring);

	io_uring_prep_cancel64(sqe, tag, 0);
	io_uring_sqe_set_data64(sqe, 0);
	bridge_uring_submit(uring, 1);
}

uint64_t bridge_uring_wait(struct bridge_uring *uring, unsigned int timeout_ms,
			   int *result_out)
{
	struct __kernel_timespec timeout = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000LL,
	};
	struct io_uring_cqe *cqe;
	uint64_t tag;

	do {
		if (io_uring_wait_cqe_timeout(&uring->ring, &cqe, &timeout))
			return 0;
		tag = io_uring_cqe_get_data64(cqe);
		*result_out = cqe->res;
		io_uring_cqe_seen(&uring->ring, cqe);
		/* Of a cancellation, or of the time limit on old kernels */
	} while (!tag || tag == LIBURING_UDATA_TIMEOUT);
	return tag;
}

int bridge_uring_answer(struct bridge_uring *uring, uint64_t tag)
{
	int result = 0;

	assert_int_equal(bridge_uring_wait(uring, BRIDGE_WAIT_MS, &result),
			 tag);
	return result;
}

void bridge_uring_assert_silence(struct bridge_uring *uring)
{
	int result;

	assert_int_equal(bridge_uring_wait(uring, BRIDGE_URING_SILENCE_MS, &result), 0);
}
