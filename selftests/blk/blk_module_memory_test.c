// SPDX-License-Identifier: GPL-2.0-or-later
/* How much of the host's memory a guest can have. */
#include "blk/blk_module_fixture.h"

#define ENTRIES 256
#define REQUESTS 160
#define REQUEST_BYTES (1u << 20)

/* What pages of the module's may be in use, and something for all the rest */
#define KIB_MAX ((64 + 48) * 1024L)

static struct disk disk_held;

static bool is_done(const char *command)
{
	return !system(command);
}

static long free_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	long kib = 0;
	char line[128];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "MemFree: %ld", &kib);
	fclose(file);
	assert_true(kib);
	return kib;
}

static bool are_in_flight(unsigned int count)
{
	struct vhost_bridge_vring_status status;

	for (unsigned int i = 0; i < BRIDGE_WAIT_MS / 10; i++) {
		bridge_status(&bridge, 0, &status);
		if (status.in_flight_count == count)
			return true;
		usleep(10000);
	}
	return false;
}

/*
 * Buffers at odd addresses need pages of the module's; a disk that does not
 * answer keeps them.
 */
static void test_a_disk_that_stalls(void **state)
{
	const struct vq_buffer data = blk_buffer(BLK_DATA_GPA + 1,
						 REQUEST_BYTES, false);
	struct blk_answer answer;
	unsigned int added_count = 0;
	bool was_taken;
	long taken_kib;

	(void)state;
	disk_need(&disk_held);
	assert_int_equal(blk_set_backing(&bridge, disk_held.fd, 0, 1), 0);
	bridge_set_up(&bridge, blk_features(&bridge) &
				       ~bridge_bit(VIRTIO_F_RING_PACKED) &
				       ~BLK_FEATURES_ASKED);
	bridge_add_queue(&bridge, 0, ENTRIES, 4);

	assert_true(is_done("dmsetup suspend --noflush vhb-test-bad"));
	taken_kib = free_kib();
	for (unsigned int i = 0; i < REQUESTS; i++)
		added_count += blk_add(&bridge, 0, VIRTIO_BLK_T_OUT, 0, &data,
				       1) >= 0;
	bridge_kick_always(&bridge.queues[0]);
	was_taken = are_in_flight(REQUESTS);
	taken_kib -= free_kib();
	/* In any case, or nothing ever ends. */
	assert_true(is_done("dmsetup resume vhb-test-bad"));

	assert_int_equal(added_count, REQUESTS);
	for (unsigned int i = 0; i < REQUESTS; i++) {
		assert_true(blk_wait(&bridge, 0, &answer) >= 0);
		assert_int_equal(answer.status, VIRTIO_BLK_S_OK);
	}
	assert_true(was_taken);
	print_message("# %ld MiB\n", taken_kib / 1024);
	assert_in_range(taken_kib + KIB_MAX, 0, 2 * KIB_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_disk_that_stalls),
	};
	int ret;

	disk_open(&disk_held, DISK_BAD);
	ret = run_all(tests, VHB_ARRAY_COUNT(tests));
	disk_close(&disk_held);
	return ret;
}
