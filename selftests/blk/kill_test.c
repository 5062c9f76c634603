// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Brokers die under load, and the next one goes on: nothing that was
 * acknowledged is lost, and the guest sees no error.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/blk_guest.h"
#include "lib/blk_verify.h"
#include "lib/broker.h"
#include "lib/module.h"
#include "lib/random.h"

#define ROUNDS 20
#define LOAD_MS_MAX 120
/* Nobody answers: the broker is dead */
#define HALF_CONNECT_MS 500
#define FILE_PATH "/dev/shm/vhb-kill-test.img"
#define NULLB "/sys/kernel/config/nullb/vhbkill"

/** enum disk - what is behind the broker */
enum disk {
	/** Its requests take 2 ms, so there are always some in flight. */
	DISK_NULLB,
	/** On the file below */
	DISK_LOOP,
	/** On tmpfs */
	DISK_FILE,
};

/**
 * struct bench - a broker, its disk and a guest under load
 * @disk: which kind
 * @path: where it is
 * @blk_file: the broker's option
 * @broker: the broker
 * @guest: the guest
 * @verify: its load
 * @random: when to kill
 */
struct bench {
	enum disk disk;
	char path[64];
	char blk_file[96];
	struct broker broker;
	struct blk_guest guest;
	struct blk_verify *verify;
	struct test_random random;
};

static uint64_t seed;

static unsigned int rounds(void)
{
	const char *given = getenv("VHB_KILL_ROUNDS");
	const unsigned int count = given ? strtoul(given, NULL, 0) : 0;

	return count ? count : ROUNDS;
}

static int set_value(const char *path, const char *value)
{
	const ssize_t length = strlen(value);
	ssize_t written;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	written = write(fd, value, length);
	close(fd);
	return written == length ? 0 : -EIO;
}

static int make_nullb(struct bench *bench)
{
	if (system("modprobe -q null_blk nr_devices=0"))
		return -ENODEV;
	if (access("/sys/kernel/config/nullb", F_OK) &&
	    mount("configfs", "/sys/kernel/config", "configfs", 0, NULL))
		return -errno;
	if (mkdir(NULLB, 0755))
		return -errno;
	if (set_value(NULLB "/size", "16") ||
	    set_value(NULLB "/memory_backed", "1") ||
	    set_value(NULLB "/irqmode", "2") ||
	    set_value(NULLB "/completion_nsec", "2000000") ||
	    set_value(NULLB "/power", "1"))
		return -EIO;
	snprintf(bench->path, sizeof(bench->path), "/dev/vhbkill");
	return 0;
}

static int make_file(void)
{
	const int fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			    0600);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ftruncate(fd, BLK_VERIFY_BYTES) ? -errno : 0;
	close(fd);
	return ret;
}

static int make_loop(struct bench *bench)
{
	FILE *output;
	int ret = -ENODEV;

	if (system("modprobe -q loop"))
		return -ENODEV;
	output = popen("losetup --find --show " FILE_PATH, "r");
	if (!output)
		return -errno;
	if (fgets(bench->path, sizeof(bench->path), output)) {
		bench->path[strcspn(bench->path, "\n")] = '\0';
		ret = 0;
	}
	return pclose(output) ? -ENODEV : ret;
}

static int make_disk(struct bench *bench)
{
	int ret;

	if (bench->disk == DISK_NULLB)
		return make_nullb(bench);
	ret = make_file();
	if (!ret && bench->disk == DISK_LOOP)
		return make_loop(bench);
	snprintf(bench->path, sizeof(bench->path), FILE_PATH);
	return ret;
}

static void remove_disk(struct bench *bench)
{
	char command[96];

	if (bench->disk == DISK_NULLB) {
		set_value(NULLB "/power", "0");
		rmdir(NULLB);
	}
	if (bench->disk == DISK_LOOP && *bench->path) {
		snprintf(command, sizeof(command), "losetup --detach %s",
			 bench->path);
		if (system(command))
			printf("# %s failed\n", command);
	}
	unlink(FILE_PATH);
}

static const char *const *arguments(const struct bench *bench)
{
	static const char *argv[3];

	argv[0] = bench->blk_file;
	argv[1] = "--num-queues=2";
	return argv;
}

static int set_up(void **state, enum disk disk, bool is_packed)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	int ret;

	if (!bench)
		return -ENOMEM;
	*state = bench;
	bench->disk = disk;
	bench->guest.frontend.fd = -1;
	bench->guest.inflight_fd = -1;
	bench->random = test_random_of(seed);
	ret = make_disk(bench);
	if (ret) {
		printf("# no disk: %s\n", strerror(-ret));
		remove_disk(bench);
		return ret;
	}
	snprintf(bench->blk_file, sizeof(bench->blk_file), "--blk-file=%s",
		 bench->path);
	ret = broker_start_device(&bench->broker, "blk", arguments(bench));
	if (!ret)
		ret = blk_guest_open(&bench->guest, is_packed);
	return ret;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	blk_verify_free(bench->verify);
	blk_guest_close(&bench->guest);
	broker_stop(&bench->broker);
	remove_disk(bench);
	free(bench);
	return 0;
}

static void check(struct bench *bench, const char *what, int ret)
{
	if (!ret)
		return;
	printf("# %s: %s; %s%s\n", what, strerror(-ret),
	       bench->guest.frontend.why,
	       bench->verify ? blk_verify_why(bench->verify) : "");
	if (bench->broker.pid)
		broker_show_log(&bench->broker);
	fail();
}

static void connect_guest(struct bench *bench, enum blk_guest_base base)
{
	check(bench, "connect",
	      blk_guest_connect(&bench->guest, bench->broker.socket_path,
				base));
}

static void begin_load(struct bench *bench)
{
	connect_guest(bench, BLK_GUEST_BASE_FIRST);
	bench->verify = blk_verify_start(&bench->guest, seed);
	check(bench, "load", blk_verify_wait(bench->verify, 100));
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void let_run(struct bench *bench)
{
	usleep(test_random_below(&bench->random, LOAD_MS_MAX * 1000));
}

static void start_broker(struct bench *bench)
{
	check(bench, "broker",
	      broker_start_again(&bench->broker, "blk", arguments(bench)));
}

/* What front-ends say of the base is right, or is not, and never matters. */
static enum blk_guest_base base_of(unsigned int round)
{
	return round % 2 ? BLK_GUEST_BASE_USED : BLK_GUEST_BASE_FIRST;
}

/* What the dead broker had taken is done, and it says where to go on. */
static void check_saved(struct bench *bench)
{
	struct vhost_bridge_saved_base saved;
	unsigned int i;

	for (i = 0; i < BLK_GUEST_QUEUES; i++) {
		saved = blk_guest_saved(&bench->guest, i);
		assert_int_equal(saved.is_saved, 1);
		if (!bench->guest.is_packed)
			assert_int_equal(saved.base,
					 blk_guest_used(&bench->guest, i));
	}
}

/* All that was with the old broker has come back: right, or the load stops. */
static void check_returned(struct bench *bench, uint64_t submitted)
{
	check(bench, "load", blk_verify_wait(bench->verify, submitted));
}

static void compare_disk(struct bench *bench)
{
	int fd = open(bench->path, O_RDONLY | O_CLOEXEC | O_DIRECT);
	uint8_t *data = aligned_alloc(4096, BLK_VERIFY_BLOCK_BYTES);
	uint32_t i;

	if (fd < 0 && errno == EINVAL)
		fd = open(bench->path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_non_null(data);
	for (i = 0; i < BLK_VERIFY_BLOCKS; i++) {
		assert_int_equal(pread(fd, data, BLK_VERIFY_BLOCK_BYTES,
				       (off_t)i * BLK_VERIFY_BLOCK_BYTES),
				 BLK_VERIFY_BLOCK_BYTES);
		if (!blk_verify_compare(bench->verify, i, data))
			check(bench, "disk", -EIO);
	}
	free(data);
	close(fd);
}

static void end_load(struct bench *bench)
{
	check(bench, "end of load", blk_verify_finish(bench->verify));
	printf("# %" PRIu64 " requests\n",
	       blk_verify_completed(bench->verify));
	blk_guest_hang_up(&bench->guest);
	assert_int_equal(broker_stop(&bench->broker), 0);
	compare_disk(bench);
}

static void survives_kill_9(void **state)
{
	struct bench *bench = *state;
	uint64_t submitted, in_flight = 0, waiting = 0;
	unsigned int i;

	begin_load(bench);
	for (i = 0; i < rounds(); i++) {
		let_run(bench);
		submitted = blk_verify_submitted(bench->verify);
		in_flight += submitted - blk_verify_completed(bench->verify);
		broker_kill(&bench->broker);
		check_saved(bench);
		blk_guest_hang_up(&bench->guest);
		check_returned(bench, 0);
		waiting += blk_verify_submitted(bench->verify) -
			   blk_verify_completed(bench->verify);
		start_broker(bench);
		connect_guest(bench, base_of(i));
		check_returned(bench, submitted);
	}
	printf("# %u times killed, with %" PRIu64 " requests in flight; %"
	       PRIu64 " waited for the next broker\n",
	       rounds(), in_flight, waiting);
	/* Or there was nothing to lose. */
	assert_true(in_flight >= rounds() && waiting >= rounds());
	end_load(bench);
}

/* In the middle of a message, between two vrings, or just after the last */
static void survives_kill_9_while_connecting(void **state)
{
	struct bench *bench = *state;
	unsigned int i, broken = 0;
	uint64_t connect_us;
	pid_t killer;

	connect_us = now_us();
	connect_guest(bench, BLK_GUEST_BASE_FIRST);
	connect_us = now_us() - connect_us;
	blk_guest_hang_up(&bench->guest);
	begin_load(bench);
	for (i = 0; i < rounds(); i++) {
		broker_kill(&bench->broker);
		blk_guest_hang_up(&bench->guest);
		start_broker(bench);
		killer = fork();
		assert_true(killer >= 0);
		if (!killer) {
			usleep(test_random_below(&bench->random,
						 2 * connect_us));
			kill(bench->broker.pid, SIGKILL);
			_exit(0);
		}
		bench->guest.timeout_ms = HALF_CONNECT_MS;
		broken += blk_guest_connect(&bench->guest,
					    bench->broker.socket_path,
					    base_of(i)) != 0;
		bench->guest.timeout_ms = BLK_GUEST_TIMEOUT_MS;
		waitpid(killer, NULL, 0);
		/* A child's random numbers are its own: go on with others. */
		test_random_next(&bench->random);
		broker_kill(&bench->broker);
		check_saved(bench);
		blk_guest_hang_up(&bench->guest);
		start_broker(bench);
		connect_guest(bench, base_of(i));
		check_returned(bench, blk_verify_submitted(bench->verify));
	}
	printf("# %u of %u connections did not come about\n", broken,
	       rounds());
	assert_true(broken);
	end_load(bench);
}

static void survives_sigterm(void **state)
{
	struct bench *bench = *state;
	uint64_t submitted;
	unsigned int i;

	begin_load(bench);
	for (i = 0; i < ROUNDS / 4; i++) {
		let_run(bench);
		submitted = blk_verify_submitted(bench->verify);
		assert_int_equal(broker_stop(&bench->broker), 0);
		check_saved(bench);
		blk_guest_hang_up(&bench->guest);
		start_broker(bench);
		connect_guest(bench, base_of(i));
		check_returned(bench, submitted);
	}
	end_load(bench);
}

/* The front-end goes, the broker stays: the same, without a new process */
static void survives_hang_up(void **state)
{
	struct bench *bench = *state;
	uint64_t submitted;
	unsigned int i;

	begin_load(bench);
	for (i = 0; i < ROUNDS; i++) {
		let_run(bench);
		submitted = blk_verify_submitted(bench->verify);
		blk_guest_hang_up(&bench->guest);
		connect_guest(bench, base_of(i));
		check_returned(bench, submitted);
	}
	end_load(bench);
}

static int set_up_split_nullb(void **state)
{
	return set_up(state, DISK_NULLB, false);
}

static int set_up_packed_nullb(void **state)
{
	return set_up(state, DISK_NULLB, true);
}

static int set_up_split_loop(void **state)
{
	return set_up(state, DISK_LOOP, false);
}

static int set_up_packed_file(void **state)
{
	return set_up(state, DISK_FILE, true);
}

#define CASE(function, kind)						\
	{ #function "_" #kind, function, set_up_##kind, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(survives_kill_9, split_nullb),
		CASE(survives_kill_9, packed_nullb),
		CASE(survives_kill_9, split_loop),
		CASE(survives_kill_9, packed_file),
		CASE(survives_kill_9_while_connecting, split_nullb),
		CASE(survives_kill_9_while_connecting, packed_file),
		CASE(survives_sigterm, split_loop),
		CASE(survives_hang_up, split_nullb),
		CASE(survives_hang_up, packed_nullb),
	};
	int ret;

	module_need();
	seed = test_random_seed();
	ret = cmocka_run_group_tests_name("blk: kill", tests, NULL, NULL);
	module_restore();
	return ret ? 1 : 0;
}
