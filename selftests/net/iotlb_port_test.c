// SPDX-License-Identifier: GPL-2.0-or-later
/* What is read from and written to a vhost descriptor with an IOTLB; here a socket. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <linux/vhost.h>

#include "kdev/iotlb.h"
#include "lib/bits.h"

static struct vhb_loop *loop;
static struct vhb_iotlb_port port;
/* The kernel's end */
static int kernel_fd;
static uint64_t offered_mask;
static uint64_t acked_mask;
static unsigned int miss_count;
static uint64_t last_iova;
static uint8_t last_permission;
static unsigned int expected_count;
static unsigned int flood_count;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	if (request == VHOST_GET_BACKEND_FEATURES) {
		memcpy(argument, &offered_mask, sizeof(offered_mask));
		return 0;
	}
	if (request == VHOST_SET_BACKEND_FEATURES) {
		memcpy(&acked_mask, argument, sizeof(acked_mask));
		return 0;
	}
	return __real_ioctl(fd, request, argument);
}

static void on_miss(void *argument, uint64_t iova, uint8_t permission)
{
	(void)argument;
	last_iova = iova;
	last_permission = permission;
	if (++miss_count == expected_count)
		vhb_loop_stop(loop);
}

static void on_flood(struct vhb_iotlb_port *flooded)
{
	assert_ptr_equal(flooded, &port);
	flood_count++;
	vhb_loop_stop(loop);
}

static const struct vhb_kdev_listener listener = { .on_miss = on_miss };

static int set_up(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(vhb_loop_create(&loop), 0);
	/* Records, as in vhost: one message each call */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    fds), 0);
	kernel_fd = fds[1];
	offered_mask = vhb_bit(VHOST_BACKEND_F_IOTLB_MSG_V2) | vhb_bit(63);
	acked_mask = 0;
	miss_count = 0;
	flood_count = 0;
	memset(&port, 0, sizeof(port));
	port.on_flood = on_flood;
	vhb_iotlb_port_listen(&port, loop, &listener);
	assert_int_equal(vhb_iotlb_port_open(&port, fds[0]), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	vhb_iotlb_port_close(&port);
	vhb_loop_destroy(loop);
	close(port.fd);
	close(kernel_fd);
	return 0;
}

static void miss(int version, uint64_t iova, uint8_t permission)
{
	const struct vhost_msg_v2 message = {
		.type = version,
		.iotlb = {
			.iova = iova,
			.perm = permission,
			.type = VHOST_IOTLB_MISS,
		},
	};

	assert_int_equal(write(kernel_fd, &message, sizeof(message)),
			 sizeof(message));
}

/* Until so many misses were heard of */
static void hear(unsigned int count)
{
	expected_count = miss_count + count;
	assert_int_equal(vhb_loop_run(loop), 0);
	assert_int_equal(miss_count, expected_count);
}

static void test_only_what_we_know_is_acked(void **state)
{
	(void)state;
	assert_true(acked_mask == vhb_bit(VHOST_BACKEND_F_IOTLB_MSG_V2));
	/* A read must not wait: vhost-net looks at nothing but this. */
	assert_true(fcntl(port.fd, F_GETFL) & O_NONBLOCK);
}

static void test_misses_of_both_versions_are_heard(void **state)
{
	(void)state;
	miss(VHOST_IOTLB_MSG_V2, 0x123456789000, VHOST_ACCESS_WO);
	hear(1);
	assert_int_equal(last_iova, 0x123456789000);
	assert_int_equal(last_permission, VHOST_ACCESS_WO);
	miss(VHOST_IOTLB_MSG, 0x1000, VHOST_ACCESS_RO);
	hear(1);
	assert_int_equal(last_iova, 0x1000);
	assert_int_equal(last_permission, VHOST_ACCESS_RO);
	for (unsigned int i = 0; i < 100; i++)
		miss(VHOST_IOTLB_MSG_V2, i, VHOST_ACCESS_RO);
	hear(100);
}

static void test_what_is_told_goes_down_as_it_is(void **state)
{
	const struct vhost_iotlb_msg update = {
		.iova = 0x7000,
		.size = 0x3000,
		.uaddr = 0x7f0000001000,
		.perm = VHOST_ACCESS_RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	struct vhost_msg_v2 message;

	(void)state;
	assert_int_equal(vhb_iotlb_port_write(&port, &update), 0);
	assert_int_equal(read(kernel_fd, &message, sizeof(message)),
			 sizeof(message));
	assert_int_equal(message.type, VHOST_IOTLB_MSG_V2);
	assert_int_equal(message.asid, 0);
	assert_memory_equal(&message.iotlb, &update, sizeof(update));
	close(kernel_fd);
	kernel_fd = -1;
	assert_true(vhb_iotlb_port_write(&port, &update) < 0);
}

static void update(uint64_t iova, uint64_t size_bytes)
{
	const struct vhost_iotlb_msg message = {
		.iova = iova,
		.size = size_bytes,
		.perm = VHOST_ACCESS_RW,
		.type = VHOST_IOTLB_UPDATE,
	};
	struct vhost_msg_v2 taken;

	assert_int_equal(vhb_iotlb_port_write(&port, &message), 0);
	assert_int_equal(read(kernel_fd, &taken, sizeof(taken)), sizeof(taken));
}

static void miss_often(uint64_t iova, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		miss(VHOST_IOTLB_MSG_V2, iova, VHOST_ACCESS_RO);
		hear(1);
	}
}

static void test_answers_keep_the_count_low(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		miss_often(0x1000 * i, VHB_IOTLB_UNANSWERED_MAX / 16);
		update(0x1000 * i, 0x1000);
	}
	assert_int_equal(flood_count, 0);
	assert_int_equal(port.unanswered_count, 0);
}

static void test_answers_to_something_else_do_not(void **state)
{
	(void)state;
	miss_often(0x5000, VHB_IOTLB_UNANSWERED_MAX);
	update(0, 0x5000);
	update(0x5001, UINT64_MAX - 0x5001);
	assert_int_equal(flood_count, 0);
	miss(VHOST_IOTLB_MSG_V2, 0x5000, VHOST_ACCESS_RO);
	assert_int_equal(vhb_loop_run(loop), 0);
	assert_int_equal(flood_count, 1);
	/* It begins anew then. */
	assert_int_equal(port.unanswered_count, 0);
}

/* More addresses than are counted one by one */
static void test_many_addresses_count_too(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < VHB_IOTLB_UNANSWERED_MAX; i++)
		miss_often(UINT64_C(0x1000) * i, 1);
	update(0, UINT64_C(1) << 62);
	assert_int_equal(port.unanswered_count,
			 VHB_IOTLB_UNANSWERED_MAX - VHB_IOTLB_ADDRESSES_MAX);
	assert_int_equal(flood_count, 0);
}

static void test_nobody_is_told_when_nobody_listens(void **state)
{
	(void)state;
	vhb_iotlb_port_listen(&port, loop, NULL);
	miss(VHOST_IOTLB_MSG_V2, 0x1000, VHOST_ACCESS_RO);
	vhb_iotlb_port_listen(&port, loop, &listener);
	hear(1);
	vhb_iotlb_port_close(&port);
	miss(VHOST_IOTLB_MSG_V2, 0x2000, VHOST_ACCESS_RO);
	assert_int_equal(vhb_iotlb_port_open(&port, port.fd), 0);
	hear(1);
	assert_int_equal(last_iova, 0x2000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_only_what_we_know_is_acked),
		CASE(test_misses_of_both_versions_are_heard),
		CASE(test_what_is_told_goes_down_as_it_is),
		CASE(test_answers_keep_the_count_low),
		CASE(test_answers_to_something_else_do_not),
		CASE(test_many_addresses_count_too),
		CASE(test_nobody_is_told_when_nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
