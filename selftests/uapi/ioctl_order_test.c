// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests of the module in the wrong order or state, or by somebody else. */
#include "lib/bridge_device.h"
#include "uapi/ioctl_fixture.h"

#include <fcntl.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define REGIONS_MAX 512

static void set_up_queue(unsigned int index)
{
	bridge_make_queue(&bridge, index, RING_ENTRIES, TABLE_DESCS);
}

static void program_addr(unsigned int index)
{
	struct vhost_vring_addr addr;

	bridge_addr(&bridge, index, &addr);
	assert_call(VHOST_SET_VRING_ADDR, &addr, 0);
}

static void test_start_without_num(void **state)
{
	(void)state;
	set_up_queue(1);
	assert_int_equal(bridge_start(&bridge, 1), -EINVAL);
	program_addr(1);
	assert_int_equal(bridge_start(&bridge, 1), -EINVAL);
	assert_int_equal(call_state(VHOST_SET_VRING_NUM, 1, RING_ENTRIES), 0);
	assert_int_equal(call_state(VHOST_SET_VRING_BASE, 1,
				    vq_driver_base(&bridge.queues[1].driver)),
			 0);
	assert_int_equal(bridge_start(&bridge, 1), 0);
	assert_int_equal(call_file(VHOST_SET_VRING_KICK, 1,
				   bridge.queues[1].kick_fd), 0);
	assert_int_equal(call_file(VHOST_SET_VRING_CALL, 1,
				   bridge.queues[1].call_fd), 0);
	echo_works(&bridge, 1);
}

static void test_start_without_addr(void **state)
{
	(void)state;
	set_up_queue(1);
	assert_int_equal(call_state(VHOST_SET_VRING_NUM, 1, RING_ENTRIES), 0);
	assert_int_equal(bridge_start(&bridge, 1), -EINVAL);
	bridge_program_queue(&bridge, 1);
	assert_int_equal(bridge_start(&bridge, 1), 0);
	echo_works(&bridge, 1);
}

/* A split ring's size is a power of two. */
static void test_start_with_odd_num(void **state)
{
	(void)state;
	set_up_queue(1);
	bridge_program_queue(&bridge, 1);
	assert_int_equal(call_state(VHOST_SET_VRING_NUM, 1, 63), 0);
	assert_int_equal(bridge_start(&bridge, 1), -EINVAL);
	assert_int_equal(call_state(VHOST_SET_VRING_NUM, 1, RING_ENTRIES), 0);
	assert_int_equal(bridge_start(&bridge, 1), 0);
	echo_works(&bridge, 1);
}

static void test_start_without_memory(void **state)
{
	struct bridge other;

	(void)state;
	bridge_open(&other, "loop");
	assert_int_equal(bridge_call(&other, VHOST_SET_OWNER, NULL), 0);
	bridge_make_queue(&other, 0, RING_ENTRIES, TABLE_DESCS);
	bridge_program_queue(&other, 0);
	assert_int_equal(bridge_start(&other, 0), -EINVAL);
	bridge_close(&other);
}

static void test_start_with_bad_saved_base(void **state)
{
	struct bridge_queue *queue = &bridge.queues[1];
	struct vhost_bridge_saved_base *good, *sealed;

	(void)state;
	set_up_queue(1);
	bridge_program_queue(&bridge, 1);
	good = queue->saved;
	sealed = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(sealed, MAP_FAILED);
	queue->saved = (void *)((uintptr_t)good + 4);
	assert_int_equal(bridge_start(&bridge, 1), -EINVAL);
	queue->saved = (void *)8;
	assert_int_equal(bridge_start(&bridge, 1), -EFAULT);
	queue->saved = (void *)(UINTPTR_MAX - 7);
	assert_int_equal(bridge_start(&bridge, 1), -EFAULT);
	queue->saved = sealed;
	assert_int_equal(bridge_start(&bridge, 1), -EFAULT);
	queue->saved = good;
	assert_int_equal(bridge_start(&bridge, 1), 0);
	echo_works(&bridge, 1);
	munmap(sealed, 4096);
}

static void move_area(unsigned int index, int area, uint64_t to, int wanted)
{
	struct vhost_vring_addr addr;

	bridge_addr(&bridge, index, &addr);
	if (area == 0)
		addr.desc_user_addr = to;
	else if (area == 1)
		addr.avail_user_addr = to;
	else
		addr.used_user_addr = to;
	assert_call(VHOST_SET_VRING_ADDR, &addr, 0);
	assert_int_equal(bridge_start(&bridge, index), wanted);
}

/* One byte of it is enough. */
static void test_ring_outside_memory(void **state)
{
	const uint64_t end =
		(uintptr_t)bridge.base + (BRIDGE_SPLIT_GPA - BRIDGE_GPA);
	const uint64_t second_end = (uintptr_t)bridge.second + BRIDGE_BYTES -
				    (BRIDGE_SPLIT_GPA - BRIDGE_GPA);

	(void)state;
	set_up_queue(1);
	bridge_program_queue(&bridge, 1);
	for (int area = 0; area < 3; area++) {
		const uint64_t part = area ? 4 : 16;

		move_area(1, area, 0, -EFAULT);
		move_area(1, area, 0x10000, -EFAULT);
		move_area(1, area, end - part, -EFAULT);
		move_area(1, area, second_end - part, -EFAULT);
		move_area(1, area, (uintptr_t)bridge.second - part, -EFAULT);
	}
	/* At the very end of a region there is room. */
	move_area(1, 0, second_end - RING_ENTRIES * 16, 0);
	assert_int_equal(bridge_stop(&bridge, 1), 0);
	move_area(1, 0, second_end - RING_ENTRIES * 16 + 16, -EFAULT);
}

static void test_ring_that_wraps(void **state)
{
	(void)state;
	set_up_queue(1);
	bridge_program_queue(&bridge, 1);
	move_area(1, 0, UINT64_MAX - 15, -EINVAL);
	move_area(1, 1, UINT64_MAX - 1, -EINVAL);
	move_area(1, 2, UINT64_MAX - 3, -EINVAL);
}

static void test_bad_addr(void **state)
{
	struct vhost_vring_addr addr;

	(void)state;
	set_up_queue(1);
	bridge_addr(&bridge, 1, &addr);
	addr.desc_user_addr += 8;
	assert_call(VHOST_SET_VRING_ADDR, &addr, -EINVAL);
	bridge_addr(&bridge, 1, &addr);
	addr.avail_user_addr += 1;
	assert_call(VHOST_SET_VRING_ADDR, &addr, -EINVAL);
	bridge_addr(&bridge, 1, &addr);
	addr.used_user_addr += 2;
	assert_call(VHOST_SET_VRING_ADDR, &addr, -EINVAL);
	bridge_addr(&bridge, 1, &addr);
	addr.log_guest_addr = 2;
	assert_call(VHOST_SET_VRING_ADDR, &addr, -EINVAL);
	addr.flags = 2;
	assert_call(VHOST_SET_VRING_ADDR, &addr, -EOPNOTSUPP);
	addr.flags = 0x80000000;
	assert_call(VHOST_SET_VRING_ADDR, &addr, -EOPNOTSUPP);
}

static void test_start_twice(void **state)
{
	(void)state;
	assert_int_equal(bridge_start(&bridge, 0), -EBUSY);
}

static void test_stop_twice(void **state)
{
	(void)state;
	assert_int_equal(bridge_stop(&bridge, 1), -ESRCH);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	assert_int_equal(bridge_stop(&bridge, 0), -ESRCH);
	assert_int_equal(bridge_start(&bridge, 0), 0);
}

static void test_changes_while_running(void **state)
{
	const uint64_t features = 0;
	struct vhost_vring_addr addr;

	(void)state;
	bridge_addr(&bridge, 0, &addr);
	assert_call(VHOST_SET_VRING_ADDR, &addr, 0);
	addr.used_user_addr += 4;
	assert_call(VHOST_SET_VRING_ADDR, &addr, -EBUSY);
	assert_int_equal(call_state(VHOST_SET_VRING_NUM, 0, RING_ENTRIES),
			 -EBUSY);
	assert_int_equal(call_state(VHOST_SET_VRING_BASE, 0, 0), -EBUSY);
	assert_int_equal(call_state(VHOST_GET_VRING_BASE, 0, 0), -EBUSY);
	assert_call(VHOST_SET_FEATURES, &features, -EBUSY);
	assert_call(VHOST_SET_OWNER, NULL, -EBUSY);
}

static void test_reset_owner(void **state)
{
	struct bridge_queue *queue = &bridge.queues[0];
	const uint32_t base = vq_driver_base(&queue->driver);

	(void)state;
	assert_call(VHOST_RESET_OWNER, NULL, 0);
	assert_int_equal(queue->saved->is_saved, 1);
	assert_int_equal(queue->saved->base, base);
	assert_call(VHOST_RESET_OWNER, NULL, -EPERM);
	assert_int_equal(bridge_start(&bridge, 0), -EPERM);
	bridge_set_up(&bridge, bridge.features);
	/* Nothing is left of what was set before. */
	assert_int_equal(bridge_start(&bridge, 0), -EINVAL);
	bridge_program_queue(&bridge, 0);
	assert_int_equal(bridge_start(&bridge, 0), 0);
}

/* What every request but the queries says to who is not the owner */
static int call_all(const struct bridge *device, int wanted)
{
	const unsigned long requests[] = {
		VHOST_RESET_OWNER,
		VHOST_SET_FEATURES,
		VHOST_SET_MEM_TABLE,
		VHOST_SET_LOG_BASE,
		VHOST_SET_LOG_FD,
		VHOST_SET_BACKEND_FEATURES,
		VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_BASE,
		VHOST_GET_VRING_BASE,
		VHOST_SET_VRING_KICK,
		VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR,
		VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
		VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
		VHOST_BRIDGE_START_VRING,
		VHOST_BRIDGE_STOP_VRING,
		VHOST_BRIDGE_SET_CONFIG,
	};
	uint64_t argument[16] = { 0 };

	for (size_t i = 0; i < VHB_ARRAY_COUNT(requests); i++) {
		if (bridge_call(device, requests[i], argument) != wanted)
			return i + 1;
	}
	return 0;
}

static void test_no_owner(void **state)
{
	struct bridge other = { .fd = -1 };

	(void)state;
	bridge_open_device(&other, "loop");
	assert_int_equal(call_all(&other, -EPERM), 0);
	bridge_close(&other);
}

static int child_of_owner(void)
{
	struct vhost_bridge_info info = { .size_bytes = sizeof(info) };
	int ret;

	ret = call_all(&bridge, -EPERM);
	if (ret)
		return ret;
	if (bridge_call(&bridge, VHOST_SET_OWNER, NULL) != -EBUSY)
		return 100;
	if (bridge_call(&bridge, VHOST_BRIDGE_GET_INFO, &info))
		return 101;
	return 0;
}

static void test_wrong_owner(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid)
		_exit(child_of_owner());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_no_eventfds(void **state)
{
	const unsigned long requests[] = { VHOST_SET_VRING_KICK,
					   VHOST_SET_VRING_CALL,
					   VHOST_SET_VRING_ERR };
	int pair[2], fds[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fds[0] = pair[0];
	fds[1] = pair[1];
	fds[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[3] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[4] = epoll_create1(EPOLL_CLOEXEC);
	fds[5] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	fds[6] = dup(bridge.memory_fd);
	fds[7] = dup(bridge.fd);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(requests); i++) {
		for (size_t j = 0; j < VHB_ARRAY_COUNT(fds); j++) {
			assert_true(fds[j] >= 0);
			assert_int_equal(call_file(requests[i], 0, fds[j]),
					 -EINVAL);
		}
		assert_int_equal(call_file(requests[i], 0, -2), -EBADF);
		assert_int_equal(call_file(requests[i], 0, 1 << 20), -EBADF);
	}
	for (size_t j = 0; j < VHB_ARRAY_COUNT(fds); j++)
		close(fds[j]);
}

/* Eventfds of all sorts, those a write to would block among them */
static void test_odd_eventfds(void **state)
{
	const unsigned long requests[] = { VHOST_SET_VRING_KICK,
					   VHOST_SET_VRING_CALL,
					   VHOST_SET_VRING_ERR };
	struct bridge_queue *queue = &bridge.queues[0];
	const int queue_fds[] = { queue->kick_fd, queue->call_fd,
				  queue->err_fd };
	int full, path, semaphore;
	struct echo echo;

	(void)state;
	full = eventfd(0, EFD_CLOEXEC);
	semaphore = eventfd(1, EFD_CLOEXEC | EFD_SEMAPHORE);
	assert_true(full >= 0 && semaphore >= 0);
	assert_int_equal(eventfd_write(full, UINT64_MAX - 1), 0);
	path = open("/dev/null", O_PATH | O_CLOEXEC);
	assert_true(path >= 0);
	echo_init(&echo, &bridge, 0, 1);
	for (size_t i = 0; i < VHB_ARRAY_COUNT(requests); i++) {
		assert_int_equal(call_file(requests[i], 0, path), -EBADF);
		assert_int_equal(call_file(requests[i], 0, semaphore), 0);
		assert_int_equal(call_file(requests[i], 0, full), 0);
		/* One that was written is a kick; a call into one is none. */
		echo_send(&echo, VQ_DIRECT);
		if (requests[i] == VHOST_SET_VRING_KICK)
			assert_int_equal(call_file(requests[i], 0, semaphore),
					 0);
		else
			bridge_kick_always(queue);
		echo_receive(&echo);
		assert_int_equal(call_file(requests[i], 0, -1), 0);
		assert_int_equal(call_file(requests[i], 0, queue_fds[i]), 0);
	}
	close(full);
	close(path);
	close(semaphore);
}

/* A table of any number of regions, all alike but for their place */
static struct vhost_memory *make_table(unsigned int count)
{
	struct vhost_memory *table;

	table = calloc(1, sizeof(*table) + count * sizeof(*table->regions));
	assert_non_null(table);
	table->nregions = count;
	for (unsigned int i = 0; i < count; i++) {
		table->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = i * 0x10000ull,
			.memory_size = 0x1000,
			.userspace_addr = (uintptr_t)bridge.base,
		};
	}
	return table;
}

static void test_bad_regions(void **state)
{
	const struct {
		struct vhost_memory_region region;
		int error;
	} rows[] = {
		{ { 0, 0, 0x10000, 0 }, -EFAULT },
		{ { 0, 0x1000, 0x10000, 1 }, -EOPNOTSUPP },
		{ { UINT64_MAX - 0xfff, 0x1000, 0x10000, 0 }, -EFAULT },
		{ { UINT64_MAX, 2, 0x10000, 0 }, -EFAULT },
		{ { 0, 0x1000, UINT64_MAX - 0xfff, 0 }, -EFAULT },
		{ { 0, 0x1000, UINT64_C(0xffff800000000000), 0 }, -EFAULT },
		{ { 0, UINT64_MAX, 0x10000, 0 }, -EFAULT },
		{ { 0, UINT64_C(1) << 62, 0x10000, 0 }, -EFAULT },
	};
	struct bridge_memory_table table;

	(void)state;
	for (size_t i = 0; i < VHB_ARRAY_COUNT(rows); i++) {
		bridge_table(&bridge, &table);
		table.regions[0] = rows[i].region;
		assert_call(VHOST_SET_MEM_TABLE, &table, rows[i].error);
	}
	bridge_table(&bridge, &table);
	table.padding = 1;
	assert_call(VHOST_SET_MEM_TABLE, &table, -EOPNOTSUPP);
}

static void test_regions_that_overlap(void **state)
{
	struct bridge_memory_table table;

	(void)state;
	bridge_table(&bridge, &table);
	table.regions[1].memory_size++;
	assert_call(VHOST_SET_MEM_TABLE, &table, -EINVAL);
	bridge_table(&bridge, &table);
	table.regions[0] = table.regions[1];
	assert_call(VHOST_SET_MEM_TABLE, &table, -EINVAL);
	bridge_table(&bridge, &table);
	assert_call(VHOST_SET_MEM_TABLE, &table, 0);
}

static void test_number_of_regions(void **state)
{
	struct vhost_memory *table = make_table(REGIONS_MAX + 1);
	struct bridge_memory_table good;
	uint8_t *page_end;
	uint8_t *pages;

	(void)state;
	assert_call(VHOST_SET_MEM_TABLE, table, -E2BIG);
	table->nregions = UINT32_MAX;
	assert_call(VHOST_SET_MEM_TABLE, table, -E2BIG);
	/* Right in itself, but a ring that runs is not in it */
	table->nregions = REGIONS_MAX;
	assert_call(VHOST_SET_MEM_TABLE, table, -EFAULT);
	table->nregions = 0;
	assert_call(VHOST_SET_MEM_TABLE, table, -EFAULT);

	assert_int_equal(bridge_stop(&bridge, 0), 0);
	table->nregions = REGIONS_MAX;
	assert_call(VHOST_SET_MEM_TABLE, table, 0);
	assert_int_equal(bridge_start(&bridge, 0), -EFAULT);
	table->nregions = 0;
	assert_call(VHOST_SET_MEM_TABLE, table, 0);
	assert_int_equal(bridge_start(&bridge, 0), -EFAULT);
	free(table);

	/* More regions than can be read */
	pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	page_end = pages + 4096;
	munmap(page_end, 4096);
	bridge_table(&bridge, &good);
	memcpy(page_end - sizeof(good), &good, sizeof(good));
	assert_call(VHOST_SET_MEM_TABLE, page_end - sizeof(good), 0);
	good.nregions = 3;
	memcpy(page_end - sizeof(good), &good, sizeof(good));
	assert_call(VHOST_SET_MEM_TABLE, page_end - sizeof(good), -EFAULT);
	munmap(pages, 4096);
	assert_int_equal(bridge_start(&bridge, 0), 0);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start_without_num),
		TEST(test_start_without_addr),
		TEST(test_start_with_odd_num),
		TEST(test_start_without_memory),
		TEST(test_start_with_bad_saved_base),
		TEST(test_ring_outside_memory),
		TEST(test_ring_that_wraps),
		TEST(test_bad_addr),
		TEST(test_start_twice),
		TEST(test_stop_twice),
		TEST(test_changes_while_running),
		TEST(test_reset_owner),
		TEST(test_no_owner),
		TEST(test_wrong_owner),
		TEST(test_no_eventfds),
		TEST(test_odd_eventfds),
		TEST(test_bad_regions),
		TEST(test_regions_that_overlap),
		TEST(test_number_of_regions),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	module_restore();
	return ret;
}
