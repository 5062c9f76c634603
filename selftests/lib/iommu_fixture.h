/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_IOMMU_FIXTURE_H
#define VHB_SELFTESTS_IOMMU_FIXTURE_H

#include <stdint.h>
#include <unistd.h>

#include <linux/vhost_types.h>

#include "lib/session_fixture.h"

/** Every IOVA a test uses for rings is from here on, nowhere near guest memory */
#define IOMMU_RINGS UINT64_C(0xfed000000000)
/** The used ring of a vring; it takes up one page */
#define IOMMU_USED(i) (IOMMU_RINGS + (i) * UINT64_C(0x10000) + 0xc000)

/** VIRTIO_F_ACCESS_PLATFORM, VIRTIO_F_VERSION_1 and bit 30 */
#define IOMMU_FEATURES UINT64_C(0x340000000)

/* Lines of the recorder */
#define IOMMU_ADDR_LINE(i) \
	"SET_VRING_ADDR " #i " desc=0xfed0000" #i "0000 avail=0xfed0000" #i \
	"8000 used=0xfed0000" #i "c000\n"
/** A vring I, one digit, is started with an eventfd for calls; how that ends */
#define IOMMU_START_WITH_CALL(i, call, end) \
	"SET_VRING_NUM " #i " 256\n" \
	"SET_VRING_BASE " #i " 0\n" \
	IOMMU_ADDR_LINE(i) \
	"SET_VRING_KICK " #i " kick" #i "\n" \
	"SET_VRING_ERR " #i " none\n" \
	"SET_VRING_CALL " #i " " #call "\n" \
	"START " #i end "\n"
/** The same with the eventfd that iommu_fixture_start() gives it */
#define IOMMU_START_LINES(i, end) IOMMU_START_WITH_CALL(i, call##i, end)

/** iommu_vring_addr() - where a vring lies: IOVAs */
struct vhb_wire_vring_addr iommu_vring_addr(unsigned int index);

/**
 * iommu_fixture_connect() - a front-end with VIRTIO_F_ACCESS_PLATFORM and memory
 * @fixture: the fixture
 * @has_channel: it gives a back-end channel
 *
 * It asks for a reply to all it sends.
 *
 * Return: the front-end's end of the channel, to be closed by the caller, or -1.
 */
int iommu_fixture_connect(struct session_fixture *fixture, bool has_channel);

/** iommu_fixture_start() - the same, and vrings, whose used rings are missed */
int iommu_fixture_start(struct session_fixture *fixture,
			unsigned int vring_count);

/** iommu_fixture_run() - the same, and they run. The calls are forgotten */
int iommu_fixture_run(struct session_fixture *fixture,
		      unsigned int vring_count);

/** iommu_give_channel() - SET_BACKEND_REQ_FD: the front-end's end of it */
int iommu_give_channel(struct session_fixture *fixture);

/** iommu_update() - say that an IOVA is somewhere in guest memory */
void iommu_update(struct session_fixture *fixture, uint64_t iova,
		  uint64_t size_bytes, uint64_t distance_bytes,
		  uint8_t permission);

/** iommu_invalidate() - say that it is not */
void iommu_invalidate(struct session_fixture *fixture, uint64_t iova,
		      uint64_t size_bytes);

/** iommu_expect_miss() - the next message on a channel is just this */
void iommu_expect_miss(int channel, uint64_t iova, uint8_t permission);

/** iommu_expect_no_miss() - none comes */
void iommu_expect_no_miss(int channel);

/** iommu_expect_kick() - somebody kicks the vring, or did */
void iommu_expect_kick(struct session_fixture *fixture, unsigned int index);

/** iommu_expect_no_kick() - nobody did */
void iommu_expect_no_kick(struct session_fixture *fixture, unsigned int index);

#endif
