// SPDX-License-Identifier: GPL-2.0-or-later
/* A disk of which the guest's kicks and calls are messages */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>

#include "lib/blk_guest.h"
#include "lib/broker.h"
#include "lib/inband_channel.h"
#include "lib/module.h"

#define ok(call) assert_int_equal(call, 0)

#define FILE_PATH "/dev/shm/vhb-inband-test.img"
#define FILE_BYTES (8 << 20)
#define REQUEST_BYTES 4096
#define REQUEST_SECTORS (REQUEST_BYTES / 512)
#define REQUESTS 50

/**
 * struct bench - a broker, its disk and a guest
 * @broker: the broker
 * @guest: the guest
 * @fd: the front-end's end of the back-end channel
 */
struct bench {
	struct broker broker;
	struct blk_guest guest;
	int fd;
};

static int set_up(void **state, bool is_packed)
{
	static const char *const arguments[] = {
		"--blk-file=" FILE_PATH, "--num-queues=2",
		"--protocol-features=inband-notifications", NULL
	};
	struct bench *bench = calloc(1, sizeof(*bench));
	int fd;

	if (!bench)
		return -ENOMEM;
	*state = bench;
	fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	ok(ftruncate(fd, FILE_BYTES));
	close(fd);
	ok(broker_start_device(&bench->broker, "blk", arguments));
	ok(blk_guest_open(&bench->guest, is_packed));
	bench->guest.is_inband = true;
	ok(blk_guest_connect(&bench->guest, bench->broker.socket_path,
			     BLK_GUEST_BASE_FIRST));
	bench->fd = blk_guest_channel(&bench->guest);
	assert_true(bench->fd >= 0);
	return 0;
}

static int set_up_split(void **state)
{
	return set_up(state, false);
}

static int set_up_packed(void **state)
{
	return set_up(state, true);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	close(bench->fd);
	blk_guest_close(&bench->guest);
	broker_stop(&bench->broker);
	unlink(FILE_PATH);
	free(bench);
	return 0;
}

static void wait_call(struct bench *bench, unsigned int index)
{
	ok(inband_channel_wait(bench->fd, VHB_BACKEND_VRING_CALL, index,
			       BLK_GUEST_TIMEOUT_MS));
}

static void kick(struct bench *bench, unsigned int index)
{
	ok(inband_kick(&bench->guest.frontend, index));
}

/* A call more comes when a vring goes on; behind the request comes one for sure. */
static void run(struct bench *bench, unsigned int index, uint32_t type,
		uint64_t sector)
{
	vq_driver_want_calls(&bench->guest.queues[index].driver);
	blk_guest_submit(&bench->guest, index, 0, type, sector, REQUEST_BYTES);
	kick(bench, index);
	do
		wait_call(bench, index);
	while (blk_guest_wait(&bench->guest, index, 0));
	assert_int_equal(*blk_guest_slot(&bench->guest, index, 0).status,
			 VIRTIO_BLK_S_OK);
}

static void requests_are_served(void **state)
{
	struct bench *bench = *state;
	unsigned int i;
	uint8_t *data;

	for (i = 0; i < REQUESTS; i++) {
		data = blk_guest_slot(&bench->guest, i % 2, 0).data;
		memset(data, 1 + i, REQUEST_BYTES);
		run(bench, i % 2, VIRTIO_BLK_T_OUT, i * REQUEST_SECTORS);
	}
	for (i = 0; i < REQUESTS; i++) {
		data = blk_guest_slot(&bench->guest, i % 2, 0).data;
		memset(data, 0, REQUEST_BYTES);
		run(bench, i % 2, VIRTIO_BLK_T_IN, i * REQUEST_SECTORS);
		assert_int_equal(data[0], 1 + i);
		assert_int_equal(data[REQUEST_BYTES - 1], 1 + i);
	}
}

static void nothing_is_done_without_a_kick(void **state)
{
	struct bench *bench = *state;

	run(bench, 0, VIRTIO_BLK_T_IN, 0);
	vq_driver_want_calls(&bench->guest.queues[0].driver);
	blk_guest_submit(&bench->guest, 0, 0, VIRTIO_BLK_T_IN, 0,
			 REQUEST_BYTES);
	assert_int_equal(blk_guest_wait(&bench->guest, 0, 200), -ETIMEDOUT);
	kick(bench, 0);
	ok(blk_guest_wait(&bench->guest, 0, BLK_GUEST_TIMEOUT_MS));
	wait_call(bench, 0);
}

static void queue_stops_and_goes_on(void **state)
{
	struct bench *bench = *state;
	struct frontend *frontend = &bench->guest.frontend;
	unsigned int base;

	for (unsigned int i = 0; i < 3; i++) {
		run(bench, 1, VIRTIO_BLK_T_OUT, i);
		ok(frontend_get_vring_base(frontend, 1, &base));
		/* Kicked, it goes on. */
	}
	run(bench, 0, VIRTIO_BLK_T_IN, 0);
}

static void broken_queue_is_told(void **state)
{
	struct bench *bench = *state;
	const struct vq_desc desc = {
		.addr = bench->guest.memory.region.gpa, .len = 1,
		.flags = VQ_WRITE,
	};

	/* A request without a header */
	kick(bench, 1);
	vq_driver_offer(&bench->guest.queues[1].driver, &desc, 1);
	kick(bench, 1);
	ok(inband_channel_wait(bench->fd, VHB_BACKEND_VRING_ERR, 1,
			       BLK_GUEST_TIMEOUT_MS));
	run(bench, 0, VIRTIO_BLK_T_IN, 0);
}

#define CASE(function, layout)						\
	{ #function "_" #layout, function, set_up_##layout, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(requests_are_served, split),
		CASE(requests_are_served, packed),
		CASE(nothing_is_done_without_a_kick, split),
		CASE(nothing_is_done_without_a_kick, packed),
		CASE(queue_stops_and_goes_on, split),
		CASE(queue_stops_and_goes_on, packed),
		CASE(broken_queue_is_told, split),
		CASE(broken_queue_is_told, packed),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests_name("blk in-band", tests, NULL, NULL);
	module_restore();
	return ret ? 1 : 0;
}
