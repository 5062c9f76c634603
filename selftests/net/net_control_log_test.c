// SPDX-License-Identifier: GPL-2.0-or-later
/* The dirty log of a migration: what the control queue writes is marked. */
#include "net/control_fixture.h"

#define PAGE_BYTES 4096
/* The front-end's file need not begin at a word. */
#define LOG_SHIFT 3
#define LOG_BYTES (((CONTROL_GPA + (CONTROL_MIB << 20)) / PAGE_BYTES / 8) + 1)
#define LOG_MAP_BYTES ((LOG_BYTES + LOG_SHIFT + 4095) / 4096 * 4096)

static uint8_t *log_bits;
static int log_fd;

static bool is_marked(uint64_t gpa)
{
	const uint64_t page = gpa / PAGE_BYTES;

	return log_bits[LOG_SHIFT + page / 8] >> page % 8 & 1;
}

static unsigned int count_marks(void)
{
	unsigned int count = 0;
	size_t i;

	for (i = 0; i < LOG_MAP_BYTES; i++)
		count += __builtin_popcount(log_bits[i]);
	return count;
}

static void set_logging(bool on, bool ring)
{
	const uint64_t log_all = vhb_bit(VHOST_F_LOG_ALL);
	const struct guest_ring *queue = &guest.driver.ring;
	const struct vhost_vring_addr addr = {
		.index = guest.index,
		.flags = ring ? 1 << VHOST_VRING_F_LOG : 0,
		.desc_user_addr = (uintptr_t)queue->desc,
		.avail_user_addr = (uintptr_t)queue->avail,
		.used_user_addr = (uintptr_t)queue->used,
		.log_guest_addr = CONTROL_GPA +
				  ((uint8_t *)queue->used - guest.memory.base),
	};

	assert_int_equal(guest.kdev->ops->set_log_base(guest.kdev,
						       (uintptr_t)log_bits +
						       LOG_SHIFT), 0);
	assert_int_equal(guest.kdev->ops->set_features(guest.kdev,
						       guest.features |
						       (on ? log_all : 0)), 0);
	assert_int_equal(guest.kdev->ops->set_vring_addr(guest.kdev, &addr), 0);
}

static void begin_log(void)
{
	begin_guest(1, 0);
	assert_int_equal(start_control(0), 0);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(log_fd >= 0);
	assert_int_equal(ftruncate(log_fd, LOG_MAP_BYTES), 0);
	log_bits = mmap(NULL, LOG_MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			log_fd, 0);
	assert_ptr_not_equal(log_bits, MAP_FAILED);
}

static void end_log(void)
{
	end_guest();
	munmap(log_bits, LOG_MAP_BYTES);
	close(log_fd);
}

static int promiscuous(void)
{
	const uint8_t on = 1;

	return command(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1);
}

static void test_without_a_log_nothing_is_marked(void **state)
{
	(void)state;
	begin_log();
	assert_int_equal(promiscuous(), VIRTIO_NET_OK);
	assert_int_equal(count_marks(), 0);
	end_log();
}

static void test_answers_are_marked(void **state)
{
	(void)state;
	begin_log();
	set_logging(true, false);
	assert_int_equal(promiscuous(), VIRTIO_NET_OK);
	/* As lib/net_driver.c lays it out */
	assert_true(is_marked(CONTROL_GPA + guest.driver.offset_bytes + 64 +
			      NET_DRIVER_ARGUMENT_MAX));
	assert_int_equal(count_marks(), 1);
	end_log();
}

static void test_used_rings_are_marked(void **state)
{
	struct guest_ring *ring;

	(void)state;
	begin_log();
	ring = &guest.driver.ring;
	set_logging(false, true);
	assert_int_equal(promiscuous(), VIRTIO_NET_OK);
	assert_true(is_marked(CONTROL_GPA +
			      ((uint8_t *)ring->used - guest.memory.base)));
	assert_int_equal(count_marks(), 1);
	/* It ends as it began. */
	memset(log_bits, 0, LOG_MAP_BYTES);
	set_logging(false, false);
	assert_int_equal(promiscuous(), VIRTIO_NET_OK);
	assert_int_equal(count_marks(), 0);
	end_log();
}

/* As vhost does: whoever asked for it is told. */
static void test_marks_are_told(void **state)
{
	const int told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	begin_log();
	assert_int_equal(guest.kdev->ops->set_log_fd(guest.kdev, told_fd), 0);
	assert_int_equal(promiscuous(), VIRTIO_NET_OK);
	assert_false(turn_until(told_fd, CONTROL_QUIET_MS));
	set_logging(true, false);
	assert_int_equal(promiscuous(), VIRTIO_NET_OK);
	assert_true(turn_until(told_fd, CONTROL_WAIT_MS));
	end_log();
	close(told_fd);
}

/* What others have marked in the same word stays. */
static void test_marks_of_others_stay(void **state)
{
	unsigned int before;

	(void)state;
	begin_log();
	memset(log_bits, 0x55, LOG_MAP_BYTES);
	before = count_marks();
	set_logging(true, true);
	assert_int_equal(promiscuous(), VIRTIO_NET_OK);
	assert_in_range(count_marks(), before, before + 2);
	end_log();
}

static void test_log_that_shrank_breaks_the_queue(void **state)
{
	(void)state;
	begin_log();
	set_logging(true, false);
	assert_int_equal(ftruncate(log_fd, 0), 0);
	assert_int_equal(net_driver_post(&guest.driver, VIRTIO_NET_CTRL_RX, 0,
					 NULL, 0), 0);
	guest_ring_kick_always(&guest.driver.ring);
	assert_true(turn_until(guest.err_fd, CONTROL_WAIT_MS));
	assert_string_equal(guest.fault, "log");
	end_log();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_without_a_log_nothing_is_marked),
		FIXTURE_TEST(test_answers_are_marked),
		FIXTURE_TEST(test_used_rings_are_marked),
		FIXTURE_TEST(test_marks_are_told),
		FIXTURE_TEST(test_marks_of_others_stay),
		FIXTURE_TEST(test_log_that_shrank_breaks_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
