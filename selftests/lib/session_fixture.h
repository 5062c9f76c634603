/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_SESSION_FIXTURE_H
#define VHB_SELFTESTS_SESSION_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/frontend.h"
#include "lib/guest_memory.h"
#include "lib/recorder.h"
#include "lib/resources.h"
#include "session/report.h"
#include "session/session.h"

/**
 * DOC: a session under test
 *
 * A session with a recorder as its kernel device runs in a thread of its own
 * with its own loop, as in the broker; the front-end is the test. Set-up makes
 * thread and guest memory; a test begins with fixture_connect(). Teardown
 * disconnects, and fails the test when the recorder saw a fault or when the
 * process holds more descriptors, mappings or threads than before.
 */

/** Vrings a fixture begins with: two queue pairs */
#define FIXTURE_VRING_COUNT 4
/** Vrings that have eventfds */
#define FIXTURE_EVENTFD_COUNT 8

/** Guest memory: MiB, from guest address 0 */
#define FIXTURE_MEMORY_MIB 4
#define FIXTURE_MEMORY_BYTES ((uint64_t)FIXTURE_MEMORY_MIB << 20)
/** Where the front-end says it has it; not an address of this process */
#define FIXTURE_UVA UINT64_C(0x123400000000)

/** Entries of a vring that fixture_start_vring() sets up */
#define FIXTURE_VRING_NUM 256

/** What the recorder offers: much like a vhost-net with a tap */
#define FIXTURE_FEATURES UINT64_C(0x13943f8ab)
/** VHOST_USER_F_PROTOCOL_FEATURES */
#define FIXTURE_BIT30 UINT64_C(0x40000000)
/** VIRTIO_F_VERSION_1 */
#define FIXTURE_VERSION_1 UINT64_C(0x100000000)
/** Every protocol feature a session of the fixture offers */
#define FIXTURE_PROTOCOL_FEATURES UINT64_C(0x9a239)
/** VHB_PROTOCOL_F_REPLY_ACK */
#define FIXTURE_REPLY_ACK UINT64_C(0x8)

/** What it offers as a block device, and what our module adds: packed rings */
#define FIXTURE_BLK_FEATURES UINT64_C(0xd30007e76)
/** VIRTIO_F_RING_PACKED */
#define FIXTURE_PACKED UINT64_C(0x400000000)
/** Every protocol feature a session offers with a block device */
#define FIXTURE_BLK_PROTOCOL_FEATURES UINT64_C(0x9b229)

/* Lines of the recorder */
#define FIXTURE_TABLE_LINE "SET_MEM_TABLE 1: 0x0+0x400000\n"
/** A vring I, one digit, started where fixture_vring_addr() puts it */
#define FIXTURE_ADDR_LINE(i) \
	"SET_VRING_ADDR " #i " desc=0x1" #i "0000 avail=0x1" #i "8000 used=0x1" #i "c000\n"
#define FIXTURE_START_LINES(i, num, base, kick, call) \
	"SET_VRING_NUM " #i " " #num "\n" \
	"SET_VRING_BASE " #i " " #base "\n" \
	FIXTURE_ADDR_LINE(i) \
	"SET_VRING_KICK " #i " " #kick "\n" \
	"SET_VRING_ERR " #i " none\n" \
	"SET_VRING_CALL " #i " " #call "\n" \
	"START " #i "\n"

/** The same for one with a slot for its base */
#define FIXTURE_SLOT_START_LINES(i, num, base, kick, call) \
	"SET_VRING_NUM " #i " " #num "\n" \
	"SET_VRING_BASE " #i " " #base "\n" \
	FIXTURE_ADDR_LINE(i) \
	"SET_VRING_KICK " #i " " #kick "\n" \
	"SET_VRING_ERR " #i " none\n" \
	"SET_VRING_CALL " #i " " #call "\n" \
	"SET_VRING_SLOT " #i "\n" \
	"START " #i "\n"

/**
 * struct session_fixture - a session under test
 * @recorder: its kernel device
 * @frontend: the test's end of the connection
 * @memory: guest memory
 * @kick_fds: an eventfd each vring, labelled kick0, kick1 ...
 * @call_fds: likewise, call0 ...
 * @queue_num: what GET_QUEUE_NUM will answer the next front-end
 * @protocol_features_mask: what it will be offered besides
 * @has_iommu: VIRTIO_F_ACCESS_PLATFORM will be offered to the next front-end
 * @log_reply_bytes: what the session is told of the reply to SET_LOG_BASE
 * @has_postcopy: the next front-end may be offered postcopy
 * @is_connected: there is a front-end
 * @engine: the thread
 * @before: what the process held at first
 */
struct session_fixture {
	struct recorder *recorder;
	struct frontend frontend;
	struct guest_memory memory;
	int kick_fds[FIXTURE_EVENTFD_COUNT];
	int call_fds[FIXTURE_EVENTFD_COUNT];
	uint64_t queue_num;
	uint64_t protocol_features_mask;
	bool has_iommu;
	unsigned int log_reply_bytes;
	bool has_postcopy;
	bool is_connected;
	struct fixture_engine *engine;
	struct resources before;
};

/* For cmocka_unit_test_setup_teardown() */
int session_fixture_setup(void **state);
int session_fixture_setup_blk(void **state);
int session_fixture_setup_drain(void **state);
int session_fixture_setup_iommu(void **state);
int session_fixture_teardown(void **state);

/** A test with a fixture */
#define fixture_test(function) \
	cmocka_unit_test_setup_teardown(function, session_fixture_setup, \
					session_fixture_teardown)

/** A test with a fixture whose recorder is a block device with four queues */
#define blk_fixture_test(function) \
	cmocka_unit_test_setup_teardown(function, session_fixture_setup_blk, \
					session_fixture_teardown)

/** A test with a fixture whose recorder drains: recorder_make_drain() */
#define drain_fixture_test(function) \
	cmocka_unit_test_setup_teardown(function, session_fixture_setup_drain, \
					session_fixture_teardown)

/** A test with a fixture that offers an IOMMU: recorder_make_iotlb() */
#define iommu_fixture_test(function) \
	cmocka_unit_test_setup_teardown(function, session_fixture_setup_iommu, \
					session_fixture_teardown)

/** fixture_connect() - a new front-end comes; the one before must have left */
void fixture_connect(struct session_fixture *fixture);

/** fixture_disconnect() - it leaves; returns when nothing is left of it */
void fixture_disconnect(struct session_fixture *fixture);

/** fixture_expect_ended() - the session closes the connection by itself */
void fixture_expect_ended(struct session_fixture *fixture);

/** fixture_report() - vhb_session_report(), also without a session */
void fixture_report(struct session_fixture *fixture, struct vhb_report *report);

/** fixture_expect_alive() - the session answers; all before it is done */
void fixture_expect_alive(struct session_fixture *fixture);

/**
 * fixture_expect_calls() - the exact calls since the last time
 * @fixture: the fixture
 * @expected: lines of the recorder
 *
 * With a front-end connected waits until the session has handled all that was
 * sent.
 */
void fixture_expect_calls(struct session_fixture *fixture,
			  const char *expected);

/** fixture_forget_calls() - calls so far are of no interest */
void fixture_forget_calls(struct session_fixture *fixture);

/**
 * fixture_negotiate() - SET_OWNER and features
 * @fixture: the fixture
 * @features: for SET_FEATURES, bit 30 included where wanted
 * @protocol_features: for SET_PROTOCOL_FEATURES; none is sent for 0
 */
void fixture_negotiate(struct session_fixture *fixture, uint64_t features,
		       uint64_t protocol_features);

/** fixture_declare_memory() - SET_MEM_TABLE with the fixture's memory */
void fixture_declare_memory(struct session_fixture *fixture);

/** fixture_give_channel() - SET_BACKEND_REQ_FD; the test keeps no end of it */
void fixture_give_channel(struct session_fixture *fixture);

/** fixture_vring_addr() - where a vring lies: at guest address 0x1i0000 */
struct vhb_wire_vring_addr fixture_vring_addr(unsigned int index);

/** fixture_set_up_vring() - NUM, BASE 0, ADDR and KICK */
void fixture_set_up_vring(struct session_fixture *fixture, unsigned int index);

/** fixture_start_vring() - the same and CALL and ENABLE */
void fixture_start_vring(struct session_fixture *fixture, unsigned int index);

/**
 * fixture_start() - connect and start a front-end with every protocol feature
 * @fixture: the fixture
 * @vring_count: start so many vrings
 *
 * It asks for a reply to all it sends. The calls are forgotten.
 */
void fixture_start(struct session_fixture *fixture, unsigned int vring_count);

#endif
