// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/iommu_fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/log.h"

#define TIMEOUT_MS 10000
#define SILENCE_MS 100

struct vhb_wire_vring_addr iommu_vring_addr(unsigned int index)
{
	const uint64_t iova = IOMMU_RINGS + index * UINT64_C(0x10000);

	return (struct vhb_wire_vring_addr){
		.index = index,
		.desc_uva = iova,
		.avail_uva = iova + 0x8000,
		.used_uva = iova + 0xc000,
	};
}

int iommu_give_channel(struct session_fixture *fixture)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	assert_int_equal(frontend_tell(&fixture->frontend,
				       VHB_SET_BACKEND_REQ_FD, NULL, 0, &fds[1],
				       1), 0);
	close(fds[1]);
	return fds[0];
}

int iommu_fixture_connect(struct session_fixture *fixture, bool has_channel)
{
	int channel = -1;

	fixture_connect(fixture);
	fixture->frontend.need_reply = true;
	fixture_negotiate(fixture, IOMMU_FEATURES, FIXTURE_PROTOCOL_FEATURES);
	if (has_channel)
		channel = iommu_give_channel(fixture);
	fixture_declare_memory(fixture);
	return channel;
}

int iommu_fixture_start(struct session_fixture *fixture,
			unsigned int vring_count)
{
	struct frontend *frontend = &fixture->frontend;
	const int channel = iommu_fixture_connect(fixture, true);

	for (unsigned int i = 0; i < vring_count; i++) {
		const struct vhb_wire_vring_addr addr = iommu_vring_addr(i);

		assert_int_equal(frontend_set_vring_num(frontend, i,
							FIXTURE_VRING_NUM), 0);
		assert_int_equal(frontend_set_vring_addr(frontend, &addr), 0);
		assert_int_equal(frontend_set_vring_kick(frontend, i,
							 fixture->kick_fds[i]),
				 0);
		assert_int_equal(frontend_set_vring_call(frontend, i,
							 fixture->call_fds[i]),
				 0);
		assert_int_equal(frontend_set_vring_enable(frontend, i, true),
				 0);
	}
	return channel;
}

int iommu_fixture_run(struct session_fixture *fixture, unsigned int vring_count)
{
	const int channel = iommu_fixture_start(fixture, vring_count);

	for (unsigned int i = 0; i < vring_count; i++)
		iommu_expect_miss(channel, IOMMU_USED(i), VHOST_ACCESS_WO);
	/* All at once, or those that are left would be tried, and miss, again. */
	iommu_update(fixture, IOMMU_USED(0),
		     IOMMU_USED(vring_count) - IOMMU_USED(0), 0x200000,
		     VHOST_ACCESS_RW);
	fixture_forget_calls(fixture);
	assert_int_equal(recorder_running(fixture->recorder), vring_count);
	return channel;
}

void iommu_update(struct session_fixture *fixture, uint64_t iova,
		  uint64_t size_bytes, uint64_t distance_bytes,
		  uint8_t permission)
{
	const struct vhb_wire_iotlb entry = {
		.iova = iova,
		.size_bytes = size_bytes,
		.uva = FIXTURE_UVA + distance_bytes,
		.permission = permission,
		.type = VHOST_IOTLB_UPDATE,
	};

	assert_int_equal(frontend_iotlb(&fixture->frontend, &entry), 0);
}

void iommu_invalidate(struct session_fixture *fixture, uint64_t iova,
		      uint64_t size_bytes)
{
	const struct vhb_wire_iotlb entry = {
		.iova = iova,
		.size_bytes = size_bytes,
		.type = VHOST_IOTLB_INVALIDATE,
	};

	assert_int_equal(frontend_iotlb(&fixture->frontend, &entry), 0);
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, timeout_ms) == 1;
}

void iommu_expect_miss(int channel, uint64_t iova, uint8_t permission)
{
	struct {
		struct vhb_wire_header header;
		struct vhb_wire_iotlb miss;
	} __attribute__((packed)) message;

	if (!is_readable(channel, TIMEOUT_MS))
		fail_msg("waited in vain for a miss of 0x%llx",
			 (unsigned long long)iova);
	assert_int_equal(recv(channel, &message, sizeof(message), MSG_WAITALL),
			 sizeof(message));
	assert_int_equal(message.header.request, VHB_BACKEND_IOTLB_MSG);
	assert_int_equal(message.header.flags, VHB_FLAG_VERSION);
	assert_int_equal(message.header.size_bytes, sizeof(message.miss));
	assert_int_equal(message.miss.iova, iova);
	assert_int_equal(message.miss.size_bytes, 0);
	assert_int_equal(message.miss.uva, 0);
	assert_int_equal(message.miss.permission, permission);
	assert_int_equal(message.miss.type, VHOST_IOTLB_MISS);
}

void iommu_expect_no_miss(int channel)
{
	assert_false(is_readable(channel, SILENCE_MS));
}

void iommu_expect_kick(struct session_fixture *fixture, unsigned int index)
{
	eventfd_t count;

	assert_true(is_readable(fixture->kick_fds[index], TIMEOUT_MS));
	assert_int_equal(eventfd_read(fixture->kick_fds[index], &count), 0);
}

void iommu_expect_no_kick(struct session_fixture *fixture, unsigned int index)
{
	assert_false(is_readable(fixture->kick_fds[index], SILENCE_MS));
}
