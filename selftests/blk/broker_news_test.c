// SPDX-License-Identifier: GPL-2.0-or-later
/* What the broker hears of the module, and what it does not hear of. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>

#include "lib/blk_guest.h"
#include "lib/broker.h"
#include "lib/module.h"

#define FILE_PATH "/dev/shm/vhb-news-test.img"
#define FILE_BYTES (8 << 20)
#define SECTORS (FILE_BYTES / 512)
#define REQUEST_BYTES 4096
#define REQUESTS 100
#define WAIT_MS 20000

/**
 * struct bench - a broker, its disk and a guest
 * @file_fd: the file
 * @loop_path: a loop device on it, or empty
 * @broker: the broker
 * @guest: the guest
 */
struct bench {
	int file_fd;
	char loop_path[64];
	struct broker broker;
	struct blk_guest guest;
};

static const char *missing;

static int make_loop(struct bench *bench)
{
	FILE *output;

	if (system("modprobe -q loop"))
		return -ENODEV;
	output = popen("losetup --find --show " FILE_PATH, "re");
	if (!output)
		return -errno;
	if (!fgets(bench->loop_path, sizeof(bench->loop_path), output))
		bench->loop_path[0] = '\0';
	bench->loop_path[strcspn(bench->loop_path, "\n")] = '\0';
	return pclose(output) ? -ENODEV : 0;
}

static int set_up(void **state, bool on_loop, bool is_packed)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	char blk_file[96];
	const char *const arguments[] = { blk_file, "--num-queues=2", NULL };

	if (!bench)
		return -ENOMEM;
	*state = bench;
	missing = NULL;
	bench->guest.frontend.fd = -1;
	bench->guest.inflight_fd = -1;
	bench->file_fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			      0600);
	assert_true(bench->file_fd >= 0);
	assert_int_equal(ftruncate(bench->file_fd, FILE_BYTES), 0);
	if (on_loop && make_loop(bench)) {
		missing = "no loop device";
		return 0;
	}
	snprintf(blk_file, sizeof(blk_file), "--blk-file=%s",
		 on_loop ? bench->loop_path : FILE_PATH);
	assert_int_equal(broker_start_device(&bench->broker, "blk", arguments),
			 0);
	assert_int_equal(blk_guest_open(&bench->guest, is_packed), 0);
	assert_int_equal(blk_guest_connect(&bench->guest,
					   bench->broker.socket_path,
					   BLK_GUEST_BASE_FIRST), 0);
	return 0;
}

static int set_up_file(void **state)
{
	return set_up(state, false, false);
}

static int set_up_loop(void **state)
{
	return set_up(state, true, true);
}

static int tear_down(void **state)
{
	struct bench *bench = *state;
	char command[96];

	if (!missing)
		blk_guest_close(&bench->guest);
	broker_stop(&bench->broker);
	if (*bench->loop_path) {
		snprintf(command, sizeof(command), "losetup --detach %s",
			 bench->loop_path);
		if (system(command))
			printf("# %s failed\n", command);
	}
	close(bench->file_fd);
	unlink(FILE_PATH);
	free(bench);
	return 0;
}

static void need_disk(void)
{
	if (!missing)
		return;
	print_message("# %s\n", missing);
	skip();
}

static void resize(struct bench *bench, off_t bytes)
{
	char command[96];

	assert_int_equal(ftruncate(bench->file_fd, bytes), 0);
	if (!*bench->loop_path)
		return;
	snprintf(command, sizeof(command), "losetup --set-capacity %s",
		 bench->loop_path);
	assert_int_equal(system(command), 0);
}

static uint64_t capacity(struct bench *bench)
{
	uint64_t sectors = 0;

	assert_int_equal(frontend_get_config(&bench->guest.frontend, 0, 0,
					     &sectors, sizeof(sectors)), 0);
	return sectors;
}

static int run_at(struct bench *bench, uint32_t type, uint64_t sector)
{
	return blk_guest_run(&bench->guest, 0, type, sector, REQUEST_BYTES);
}

static void expect_config_message(int fd)
{
	const struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
	struct vhb_wire_header header = { 0 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
				    sizeof(limit)), 0);
	assert_int_equal(recv(fd, &header, sizeof(header), MSG_WAITALL),
			 sizeof(header));
	assert_int_equal(header.request, VHB_BACKEND_CONFIG_CHANGE_MSG);
	assert_int_equal(header.flags, VHB_FLAG_VERSION);
	assert_int_equal(header.size_bytes, 0);
}

static void resized_disk_is_seen(void **state)
{
	struct bench *bench = *state;
	uint8_t *data;
	int fd;

	need_disk();
	data = blk_guest_slot(&bench->guest, 0, 0).data;
	fd = blk_guest_channel(&bench->guest);
	assert_true(fd >= 0);
	assert_int_equal(capacity(bench), SECTORS);
	assert_int_equal(run_at(bench, VIRTIO_BLK_T_OUT, SECTORS),
			 VIRTIO_BLK_S_IOERR);

	resize(bench, 2 * FILE_BYTES);
	expect_config_message(fd);
	assert_int_equal(capacity(bench), 2 * SECTORS);
	memset(data, 0x5a, REQUEST_BYTES);
	assert_int_equal(run_at(bench, VIRTIO_BLK_T_OUT, 2 * SECTORS - 8),
			 VIRTIO_BLK_S_OK);
	memset(data, 0, REQUEST_BYTES);
	assert_int_equal(run_at(bench, VIRTIO_BLK_T_IN, 2 * SECTORS - 8),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(data[0], 0x5a);
	assert_int_equal(data[REQUEST_BYTES - 1], 0x5a);

	resize(bench, FILE_BYTES / 2);
	expect_config_message(fd);
	assert_int_equal(capacity(bench), SECTORS / 2);
	assert_int_equal(run_at(bench, VIRTIO_BLK_T_IN, SECTORS / 2),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(run_at(bench, VIRTIO_BLK_T_IN, SECTORS / 2 - 8),
			 VIRTIO_BLK_S_OK);
	close(fd);
}

/* The number in /proc/PID/status */
static unsigned long wake_ups(const struct broker *broker)
{
	static const char name[] = "voluntary_ctxt_switches:";
	char path[64], line[128];
	unsigned long count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", broker->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, sizeof(name) - 1))
			count = strtoul(line + sizeof(name) - 1, NULL, 10);
	fclose(file);
	assert_true(count);
	return count;
}

static void run_many(struct bench *bench)
{
	unsigned int i;

	for (i = 0; i < REQUESTS; i++) {
		vq_driver_want_calls(&bench->guest.queues[0].driver);
		assert_int_equal(run_at(bench, i % 2 ? VIRTIO_BLK_T_IN :
						       VIRTIO_BLK_T_OUT, 8 * i),
				 VIRTIO_BLK_S_OK);
	}
}

/* With a call eventfd, and without any */
static void requests_are_no_news(void **state)
{
	struct bench *bench = *state;
	unsigned long before;

	need_disk();
	run_many(bench);
	before = wake_ups(&bench->broker);
	run_many(bench);
	assert_int_equal(wake_ups(&bench->broker), before);

	assert_int_equal(frontend_set_vring_call(&bench->guest.frontend, 0, -1),
			 0);
	usleep(100000);
	before = wake_ups(&bench->broker);
	run_many(bench);
	assert_int_equal(wake_ups(&bench->broker), before);
}

static void broken_vring_is_named(void **state)
{
	struct bench *bench = *state;
	const struct vq_desc desc = {
		.addr = bench->guest.memory.region.gpa, .len = 1,
		.flags = VQ_WRITE,
	};

	need_disk();
	/* A request without a header */
	vq_driver_offer(&bench->guest.queues[1].driver, &desc, 1);
	eventfd_write(bench->guest.queues[1].kick_fd, 1);
	for (unsigned int ms = 0; !broker_log_has(&bench->broker,
						  "vring 1 is broken"); ms++) {
		assert_in_range(ms, 0, WAIT_MS);
		usleep(1000);
	}
	assert_true(broker_log_has(&bench->broker, "(request)"));
	/* The other one works on, and so does the broker. */
	assert_int_equal(run_at(bench, VIRTIO_BLK_T_IN, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(capacity(bench), SECTORS);
}

#define CASE(function, disk)						\
	{ #function "_" #disk, function, set_up_##disk, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(resized_disk_is_seen, file),
		CASE(resized_disk_is_seen, loop),
		CASE(requests_are_no_news, file),
		CASE(requests_are_no_news, loop),
		CASE(broken_vring_is_named, file),
		CASE(broken_vring_is_named, loop),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests_name("blk: news", tests, NULL, NULL);
	module_restore();
	return ret ? 1 : 0;
}
