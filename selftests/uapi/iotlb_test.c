// SPDX-License-Identifier: GPL-2.0-or-later
/* What the IOTLB tells and is told, and who waits for it. */
#include "lib/bridge_device.h"
#include "uapi/iotlb_fixture.h"

#include <fcntl.h>
#include <poll.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include <linux/vhost_types.h>

#define ENTRIES_MAX 2048u
#define MANY_ENTRIES (ENTRIES_MAX + 60)
#define FAR_IOVA (UINT64_C(1) << 40)
/* Long enough for a device to do what it must not do */
#define MOMENT_US 30000

static void test_a_miss_is_told_once(void **state)
{
	(void)state;
	run_mapped();
	assert_true(bridge_iotlb_is_quiet(&bridge));
	send_copy(SOURCE_GPA + 3, TARGET_GPA + 5, 100);
	assert_miss(TARGET_GPA + 5, VHOST_ACCESS_WO);
	/* Kicks do not have it told again. */
	bridge_kick_always(&bridge.queues[0]);
	usleep(MOMENT_US);
	assert_true(bridge_iotlb_is_quiet(&bridge));

	fill(SOURCE_GPA, 0x11, PAGE);
	fill(TARGET_GPA, 0, PAGE);
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	assert_filled(TARGET_GPA + 5, 0x11, 100);
	assert_filled(TARGET_GPA + 105, 0, 100);
	assert_true(bridge_iotlb_is_quiet(&bridge));
}

/* The chain goes on where it stopped, piece by piece. */
static void test_misses_of_one_chain(void **state)
{
	(void)state;
	run_mapped();
	bridge_iotlb_unmap(&bridge, SOURCE_GPA, PAGE);
	fill(SOURCE_GPA, 0x22, 2 * PAGE);
	send_copy(SOURCE_GPA + PAGE - 10, TARGET_GPA + PAGE - 20, 30);
	assert_miss(SOURCE_GPA + PAGE - 10, VHOST_ACCESS_RO);
	bridge_iotlb_map(&bridge, SOURCE_GPA, PAGE, VHOST_ACCESS_RO);
	assert_miss(SOURCE_GPA + PAGE, VHOST_ACCESS_RO);
	bridge_iotlb_map(&bridge, SOURCE_GPA + PAGE, PAGE, VHOST_ACCESS_RO);
	assert_miss(TARGET_GPA + PAGE - 20, VHOST_ACCESS_WO);
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_RW);
	assert_miss(TARGET_GPA + PAGE, VHOST_ACCESS_WO);
	bridge_iotlb_map(&bridge, TARGET_GPA + PAGE, PAGE, VHOST_ACCESS_RW);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	assert_filled(TARGET_GPA + PAGE - 20, 0x22, 30);
}

static void test_start_misses_the_used_index(void **state)
{
	const struct vq_driver *driver = &bridge.queues[0].driver;

	(void)state;
	if (is_packed()) {
		/* Nothing of it has to be read. */
		assert_int_equal(bridge_start(&bridge, 0), 0);
		assert_miss(bridge_gpa(&bridge, driver->desc) + 14,
			    VHOST_ACCESS_RO);
		return;
	}
	assert_int_equal(bridge_start(&bridge, 0), -EAGAIN);
	assert_miss(bridge_gpa(&bridge, driver->used) + 2, VHOST_ACCESS_RO);
	assert_int_equal(bridge_start(&bridge, 0), -EAGAIN);
	assert_true(bridge_iotlb_is_quiet(&bridge));
	bridge_iotlb_map_ring(&bridge, 0);
	assert_int_equal(bridge_start(&bridge, 0), 0);
}

static void test_two_queues_miss_the_same(void **state)
{
	unsigned int i;

	(void)state;
	run_mapped();
	bridge_make_queue(&bridge, 1, RING_ENTRIES, TABLE_DESCS);
	bridge_program_queue(&bridge, 1);
	bridge_iotlb_map_ring(&bridge, 1);
	assert_int_equal(bridge_start(&bridge, 1), 0);
	for (i = 0; i < 2; i++) {
		assert_true(add_copy(i, SOURCE_GPA, TARGET_GPA, 10) >= 0);
		bridge_kick_always(&bridge.queues[i]);
	}
	usleep(MOMENT_US);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
	assert_true(bridge_iotlb_is_quiet(&bridge));
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	for (i = 0; i < 2; i++)
		assert_true(bridge_take(&bridge.queues[i], NULL) >= 0);
}

static void assert_forbidden(uint8_t source_perm, uint8_t target_perm)
{
	bridge_iotlb_map_ring(&bridge, 0);
	bridge_iotlb_map(&bridge, SOURCE_GPA, PAGE, source_perm);
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, target_perm);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	fill(SOURCE_GPA, 0x33, PAGE);
	fill(TARGET_GPA, 0, PAGE);
	send_copy(SOURCE_GPA, TARGET_GPA, 16);
	assert_breaks(VHOST_BRIDGE_FAULT_ACCESS);
	assert_filled(TARGET_GPA, 0, PAGE);
	renew_queue();
}

static void test_permissions(void **state)
{
	const struct vq_driver *driver = &bridge.queues[0].driver;
	uint8_t *written;

	(void)state;
	assert_forbidden(VHOST_ACCESS_RO, VHOST_ACCESS_RO);
	assert_forbidden(VHOST_ACCESS_WO, VHOST_ACCESS_WO);

	/* A ring that must not be written */
	written = is_packed() ? driver->desc : driver->used;
	run_mapped();
	bridge_iotlb_map(&bridge, bridge_gpa(&bridge, written), PAGE,
			 VHOST_ACCESS_RO);
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	send_copy(SOURCE_GPA, TARGET_GPA, 16);
	assert_breaks(VHOST_BRIDGE_FAULT_ACCESS);
}

static void test_refused(void **state)
{
	(void)state;
	run_mapped();
	send_copy(SOURCE_GPA, TARGET_GPA, 16);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
	/* Something else */
	assert_int_equal(bridge_iotlb_send(&bridge, VHOST_IOTLB_ACCESS_FAIL,
					   TARGET_GPA + 1, 0, 0), 0);
	usleep(MOMENT_US);
	assert_int_equal(bridge_read_event(bridge.queues[0].err_fd), 0);
	assert_int_equal(bridge_iotlb_send(&bridge, VHOST_IOTLB_ACCESS_FAIL,
					   TARGET_GPA, 0, VHOST_ACCESS_WO), 0);
	assert_breaks(VHOST_BRIDGE_FAULT_ACCESS);
}

/* The oldest are forgotten, and missed again. */
static void test_entries_limit(void **state)
{
	struct vhost_msg_v2 message = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.size = PAGE,
			.uaddr = (uintptr_t)bridge.base + (40u << 20),
			.perm = VHOST_ACCESS_RO,
			.type = VHOST_IOTLB_UPDATE,
		},
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < MANY_ENTRIES; i++) {
		message.iotlb.iova = FAR_IOVA + i * 2 * PAGE;
		assert_int_equal(bridge_iotlb_write(&bridge, &message), 0);
	}
	run_mapped();
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	send_copy(FAR_IOVA + (MANY_ENTRIES - 1) * 2 * PAGE, TARGET_GPA, 10);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	send_copy(FAR_IOVA + (MANY_ENTRIES - ENTRIES_MAX + 5) * 2 * PAGE,
		  TARGET_GPA, 10);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	assert_true(bridge_iotlb_is_quiet(&bridge));
	send_copy(FAR_IOVA + 2 * PAGE, TARGET_GPA, 10);
	assert_miss(FAR_IOVA + 2 * PAGE, VHOST_ACCESS_RO);
}

/* What would take more entries than there may be never gets done. */
static void test_chain_of_too_many_pieces(void **state)
{
	const unsigned int count = 1600, piece_bytes = 1024;
	const struct vq_buffer buffer = { BRIDGE_SPLIT_GPA,
					  count * piece_bytes, false };
	unsigned int i;

	(void)state;
	for (i = 0; i < count; i++)
		bridge_iotlb_map(&bridge, BRIDGE_SPLIT_GPA + i * piece_bytes,
				 piece_bytes, VHOST_ACCESS_RO);
	run_mapped();
	assert_true(vq_driver_add(&bridge.queues[0].driver, &buffer, 1,
				  VQ_DIRECT) >= 0);
	bridge_kick_always(&bridge.queues[0]);
	assert_breaks(VHOST_BRIDGE_FAULT_LONG);
}

/* A part that is told anew, or forgotten, leaves the rest alone. */
static void test_parts_of_what_is_known(void **state)
{
	uint64_t rest;

	(void)state;
	run_mapped();
	bridge_iotlb_map(&bridge, TARGET_GPA, 3 * PAGE, VHOST_ACCESS_RW);
	bridge_iotlb_unmap(&bridge, TARGET_GPA + PAGE + 100, 50);
	fill(SOURCE_GPA, 0x44, PAGE);
	fill(TARGET_GPA, 0, 3 * PAGE);
	send_copy(SOURCE_GPA, TARGET_GPA + PAGE, 100);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	rest = TARGET_GPA + PAGE + 150;
	send_copy(SOURCE_GPA, rest, 100);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	assert_true(bridge_iotlb_is_quiet(&bridge));
	assert_filled(TARGET_GPA + PAGE, 0x44, 100);
	assert_filled(TARGET_GPA + PAGE + 100, 0, 50);
	assert_filled(rest, 0x44, 100);
	send_copy(SOURCE_GPA, rest - 1, 2);
	assert_miss(rest - 1, VHOST_ACCESS_WO);
	bridge_iotlb_map(&bridge, rest - 10, 20, VHOST_ACCESS_RW);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	/* Known, from beginning to end, at its left end cut off */
	bridge_iotlb_unmap(&bridge, TARGET_GPA - PAGE, PAGE + 1);
	send_copy(SOURCE_GPA, TARGET_GPA + 1, 10);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	send_copy(SOURCE_GPA, TARGET_GPA, 10);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
}

static void test_stop_while_a_buffer_is_missed(void **state)
{
	const uint32_t base = vq_driver_base(&bridge.queues[0].driver);

	(void)state;
	run_mapped();
	send_copy(SOURCE_GPA, TARGET_GPA, 16);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	assert_int_equal(bridge_get_base(&bridge, 0), base);
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	assert_int_equal(bridge_start(&bridge, 0), 0);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
}

static void test_close_while_a_buffer_is_missed(void **state)
{
	const uint32_t base = vq_driver_base(&bridge.queues[0].driver);
	const struct vhost_bridge_saved_base *saved = bridge.queues[0].saved;

	(void)state;
	run_mapped();
	send_copy(SOURCE_GPA, TARGET_GPA, 16);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
	close(bridge.fd);
	bridge.fd = -1;
	assert_int_equal(module_wait_threads(threads_before), 0);
	assert_int_equal(saved->is_saved, 1);
	assert_int_equal(saved->base, base);
}

/* A chain is done, and the used ring cannot be written. */
static void miss_used_ring(void)
{
	const struct vq_driver *driver = &bridge.queues[0].driver;
	struct vhost_msg_v2 message;

	run_mapped();
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	send_copy(SOURCE_GPA, TARGET_GPA, 16);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	/* It has asked for kicks by now. */
	usleep(MOMENT_US);
	bridge_iotlb_unmap(&bridge, bridge_gpa(&bridge, driver->used),
			   vq_used_bytes(driver));
	fill(SOURCE_GPA, 0x66, 16);
	send_copy(SOURCE_GPA, TARGET_GPA, 16);
	assert_int_equal(bridge_iotlb_wait(&bridge, &message), 0);
	assert_true(message.iotlb.iova - bridge_gpa(&bridge, driver->used) <
		    vq_used_bytes(driver));
	usleep(MOMENT_US);
	assert_filled(TARGET_GPA, 0x66, 16);
}

static void test_stop_while_the_used_ring_is_missed(void **state)
{
	struct bridge_queue *queue = &bridge.queues[0];
	struct vhost_bridge_vring_status status;
	struct vhost_msg_v2 message;
	int ret;

	(void)state;
	miss_used_ring();
	if (is_packed()) {
		/* The chain is given back elsewhere. */
		assert_int_equal(bridge_stop(&bridge, 0), 0);
		assert_true(bridge_take(queue, NULL) >= 0);
		return;
	}
	assert_int_equal(bridge_stop(&bridge, 0), -EAGAIN);
	bridge_status(&bridge, 0, &status);
	assert_int_equal(status.state, VHOST_BRIDGE_VRING_DRAINING);
	assert_int_equal(status.in_flight_count, 1);
	assert_int_equal(bridge_iotlb_wait(&bridge, &message), 0);
	assert_int_equal(bridge_stop(&bridge, 0), -EAGAIN);
	assert_true(bridge_iotlb_is_quiet(&bridge));
	bridge_iotlb_map_ring(&bridge, 0);
	ret = bridge_stop(&bridge, 0);
	assert_true(!ret || ret == -ESRCH);
	assert_true(bridge_take(queue, NULL) >= 0);
	assert_int_equal(bridge_get_base(&bridge, 0),
			 vq_driver_base(&queue->driver));
	assert_int_equal(queue->saved->is_saved, 1);
}

/* Nothing is lost by waiting: the used entry comes when it can. */
static void test_the_used_ring_comes_back(void **state)
{
	(void)state;
	miss_used_ring();
	bridge_iotlb_map_ring(&bridge, 0);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	send_copy(SOURCE_GPA, TARGET_GPA, 16);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
}

/* Nobody can say where it is any more, nor where to go on. */
static void test_close_while_the_used_ring_is_missed(void **state)
{
	const struct vhost_bridge_saved_base *saved = bridge.queues[0].saved;

	(void)state;
	miss_used_ring();
	close(bridge.fd);
	bridge.fd = -1;
	assert_int_equal(module_wait_threads(threads_before), 0);
	assert_int_equal(saved->is_saved, is_packed());
}

static void test_refused_while_draining(void **state)
{
	const struct vq_driver *driver = &bridge.queues[0].driver;
	int ret;

	(void)state;
	miss_used_ring();
	/* What a packed ring misses there is a hint alone. */
	if (is_packed())
		return;
	assert_int_equal(bridge_stop(&bridge, 0), -EAGAIN);
	assert_int_equal(bridge_iotlb_send(&bridge, VHOST_IOTLB_ACCESS_FAIL,
					   bridge_gpa(&bridge, driver->used),
					   vq_used_bytes(driver), 0), 0);
	ret = bridge_stop(&bridge, 0);
	assert_true(!ret || ret == -ESRCH);
	/* The driver never comes to know of a request that is done. */
	assert_int_equal(bridge.queues[0].saved->is_saved, 0);
}

/* Memory that cannot be read or written; it stays for all tests */
static void *sealed_page(void)
{
	static void *page;

	if (!page)
		page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

static int write_as(struct vhost_msg_v2 message, uint32_t type, uint8_t kind)
{
	message.type = type;
	message.iotlb.type = kind;
	return bridge_iotlb_write(&bridge, &message);
}

static void test_bad_messages(void **state)
{
	const struct vhost_msg_v2 good = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = TARGET_GPA,
			.size = PAGE,
			.uaddr = (uintptr_t)bridge_at(&bridge, TARGET_GPA),
			.perm = VHOST_ACCESS_RW,
			.type = VHOST_IOTLB_UPDATE,
		},
	};
	struct vhost_msg_v2 bad;

	(void)state;
	assert_int_equal(write(bridge.fd, &good, sizeof(good) - 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(write(bridge.fd, sealed_page(), sizeof(good)), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(write_as(good, 0, VHOST_IOTLB_UPDATE), -EINVAL);
	assert_int_equal(write_as(good, 3, VHOST_IOTLB_UPDATE), -EINVAL);
	assert_int_equal(write_as(good, VHOST_IOTLB_MSG_V2, VHOST_IOTLB_MISS),
			 -EINVAL);
	assert_int_equal(write_as(good, VHOST_IOTLB_MSG_V2,
				  VHOST_IOTLB_BATCH_BEGIN), -EINVAL);
	bad = good;
	bad.asid = 1;
	assert_int_equal(bridge_iotlb_write(&bridge, &bad), -EINVAL);
	bad = good;
	bad.iotlb.size = 0;
	assert_int_equal(bridge_iotlb_write(&bridge, &bad), -EINVAL);
	assert_int_equal(write_as(bad, VHOST_IOTLB_MSG_V2,
				  VHOST_IOTLB_INVALIDATE), -EINVAL);
	bad.iotlb.size = UINT64_MAX;
	assert_int_equal(bridge_iotlb_write(&bridge, &bad), -EINVAL);
	bad = good;
	bad.iotlb.perm = 0;
	assert_int_equal(bridge_iotlb_write(&bridge, &bad), -EINVAL);
	bad.iotlb.perm = 4;
	assert_int_equal(bridge_iotlb_write(&bridge, &bad), -EINVAL);
	bad = good;
	bad.iotlb.uaddr = UINT64_C(1) << 63;
	assert_int_equal(bridge_iotlb_write(&bridge, &bad), -EFAULT);
	bad.iotlb.uaddr = UINT64_MAX;
	assert_int_equal(bridge_iotlb_write(&bridge, &bad), -EFAULT);
	/* None of it is known now. */
	run_mapped();
	send_copy(SOURCE_GPA, TARGET_GPA, 1);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
	assert_int_equal(bridge_iotlb_write(&bridge, &good), 0);
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
}

static void test_first_version(void **state)
{
	const uint64_t none = 0, unknown = 1 << VHOST_BACKEND_F_IOTLB_BATCH;
	struct vhost_msg message;
	uint64_t offered = 0;

	(void)state;
	assert_int_equal(bridge_call(&bridge, VHOST_GET_BACKEND_FEATURES,
				     &offered), 0);
	assert_int_equal(offered, 1 << VHOST_BACKEND_F_IOTLB_MSG_V2);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_BACKEND_FEATURES,
				     &unknown), -EOPNOTSUPP);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_BACKEND_FEATURES,
				     &none), 0);
	run_mapped();
	send_copy(SOURCE_GPA, TARGET_GPA, 1);
	assert_int_equal(read(bridge.fd, &message, sizeof(message)),
			 sizeof(message));
	assert_int_equal(message.type, VHOST_IOTLB_MSG);
	assert_int_equal(message.iotlb.type, VHOST_IOTLB_MISS);
	assert_true(message.iotlb.iova == TARGET_GPA);
	message.iotlb = (struct vhost_iotlb_msg){
		.iova = TARGET_GPA,
		.size = PAGE,
		.uaddr = (uintptr_t)bridge_at(&bridge, TARGET_GPA),
		.perm = VHOST_ACCESS_RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	assert_int_equal(write(bridge.fd, &message, sizeof(message)),
			 sizeof(message));
	assert_true(bridge_take(&bridge.queues[0], NULL) >= 0);
}

static void test_reading(void **state)
{
	struct vhost_msg_v2 message;

	(void)state;
	run_mapped();
	assert_int_equal(read(bridge.fd, &message, sizeof(message) - 1), 0);
	assert_int_equal(fcntl(bridge.fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(bridge.fd, &message, sizeof(message)), -1);
	assert_int_equal(errno, EAGAIN);
	send_copy(SOURCE_GPA, TARGET_GPA, 1);
	usleep(MOMENT_US);
	/* A miss that could not be handed over is not lost. */
	assert_int_equal(read(bridge.fd, sealed_page(), sizeof(message)), -1);
	assert_int_equal(errno, EFAULT);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
}

/* Another process's addresses mean nothing here. */
static void test_only_the_owner(void **state)
{
	struct vhost_msg_v2 message = { .type = VHOST_IOTLB_MSG_V2 };
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (bridge_iotlb_send(&bridge, VHOST_IOTLB_UPDATE, TARGET_GPA,
				      PAGE, VHOST_ACCESS_RW) != -EPERM)
			_exit(1);
		if (read(bridge.fd, &message, sizeof(message)) != -1 ||
		    errno != EPERM)
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_without_iotlb(void **state)
{
	const uint64_t features = bridge.features &
				  ~bridge_bit(VIRTIO_F_ACCESS_PLATFORM);
	struct vhost_msg_v2 message;

	(void)state;
	bridge_iotlb_map(&bridge, TARGET_GPA, PAGE, VHOST_ACCESS_WO);
	assert_int_equal(bridge_call(&bridge, VHOST_SET_FEATURES, &features),
			 0);
	assert_int_equal(bridge_iotlb_send(&bridge, VHOST_IOTLB_UPDATE,
					   TARGET_GPA, PAGE, VHOST_ACCESS_RW),
			 -EFAULT);
	assert_int_equal(read(bridge.fd, &message, sizeof(message)), -1);
	assert_int_equal(errno, EBADFD);
	/* What was known of before is forgotten. */
	assert_int_equal(bridge_call(&bridge, VHOST_SET_FEATURES,
				     &bridge.features), 0);
	run_mapped();
	send_copy(SOURCE_GPA, TARGET_GPA, 1);
	assert_miss(TARGET_GPA, VHOST_ACCESS_WO);
}

static void *wait_for_a_miss(void *failed)
{
	struct vhost_msg_v2 message;

	if (read(bridge.fd, &message, sizeof(message)) == -1)
		*(int *)failed = errno;
	return NULL;
}

/* Who waits does not wait for what cannot come any more. */
static void test_reset_owner_while_reading(void **state)
{
	pthread_t thread;
	int failed = 0;

	(void)state;
	run_mapped();
	assert_int_equal(pthread_create(&thread, NULL, wait_for_a_miss,
					&failed), 0);
	usleep(MOMENT_US);
	assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(failed, EBADFD);
}

static const struct fixture_case cases[] = {
	CASE(test_a_miss_is_told_once),
	CASE(test_misses_of_one_chain),
	CASE(test_start_misses_the_used_index),
	CASE(test_two_queues_miss_the_same),
	CASE(test_permissions),
	CASE(test_refused),
	CASE(test_entries_limit),
	CASE(test_chain_of_too_many_pieces),
	CASE(test_parts_of_what_is_known),
	CASE(test_stop_while_a_buffer_is_missed),
	CASE(test_close_while_a_buffer_is_missed),
	CASE(test_stop_while_the_used_ring_is_missed),
	CASE(test_the_used_ring_comes_back),
	CASE(test_close_while_the_used_ring_is_missed),
	CASE(test_refused_while_draining),
	CASE(test_bad_messages),
	CASE(test_first_version),
	CASE(test_reading),
	CASE(test_only_the_owner),
	CASE(test_without_iotlb),
	CASE(test_reset_owner_while_reading),
};

static const struct variant variants[] = {
	{ "split", BASIC_FEATURES },
	{ "packed", BASIC_FEATURES | UINT64_C(1) << VIRTIO_F_RING_PACKED },
};

int main(void)
{
	return run_cases("iotlb", cases, VHB_ARRAY_COUNT(cases), variants,
			 VHB_ARRAY_COUNT(variants));
}
