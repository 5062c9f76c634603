// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's generic netlink family: what it shows, tells and refuses. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/userfaultfd.h>
#include <linux/vhost_bridge_netlink.h>
#include <linux/virtio_config.h>

#include "lib/bits.h"
#include "lib/bridge_device.h"
#include "lib/bridge_echo.h"
#include "lib/module.h"
#include "lib/resources.h"
#include "netlink/devices.h"

#define RING_ENTRIES 64
#define TABLE_DESCS 8
#define LOOP_VRINGS 8
#define MANY_DEVICES 60
#define EVENTS_MAX 8
#define NOBODY 65534
#define PAGE_BYTES 4096

static struct bridge bridge;
static struct vhb_genl listener;
static struct resources resources_before;

static int set_up(void **state)
{
	(void)state;
	resources_count(&resources_before);
	bridge_open(&bridge, "loop");
	bridge_set_up(&bridge, bridge_bit(VIRTIO_F_VERSION_1));
	bridge_add_queue(&bridge, 0, RING_ENTRIES, TABLE_DESCS);
	assert_int_equal(vhb_vring_events_open(&listener), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	vhb_genl_close(&listener);
	bridge_close(&bridge);
	resources_assert_same(&resources_before);
	return 0;
}

/* The device that was opened last; nobody else opens any meanwhile */
static const struct vhb_device_info *last_of(const struct vhb_device_list *list)
{
	assert_true(list->count > 0);
	return &list->devices[list->count - 1];
}

static uint32_t last_id(void)
{
	struct vhb_device_list list;
	uint32_t id;

	assert_int_equal(vhb_device_list_read(&list), 0);
	id = last_of(&list)->id;
	vhb_device_list_free(&list);
	return id;
}

static void test_device(void **state)
{
	const struct vhb_device_info *device;
	struct bridge other = { .fd = -1 };
	struct vhb_device_list list;
	uint32_t id;

	(void)state;
	assert_int_equal(vhb_device_list_read(&list), 0);
	device = last_of(&list);
	id = device->id;
	assert_true(id > 0);
	assert_string_equal(device->type, "loop");
	assert_true(device->has_owner);
	assert_int_equal(device->owner_pid, getpid());
	assert_true(device->features == bridge.features);
	assert_int_equal(device->vring_count_max, LOOP_VRINGS);
	assert_int_equal(device->vring_count, LOOP_VRINGS);
	vhb_device_list_free(&list);

	bridge_open_device(&other, "blk");
	assert_int_equal(vhb_device_list_read(&list), 0);
	device = last_of(&list);
	assert_int_equal(device->id, id + 1);
	assert_string_equal(device->type, "blk");
	assert_false(device->has_owner);
	assert_true(device->features == 0);
	assert_int_equal(device->vring_count, device->vring_count_max);
	vhb_device_list_free(&list);
	bridge_close(&other);
	assert_int_equal(last_id(), id);

	/* Another number for another device */
	bridge_open_device(&other, "blk");
	assert_int_equal(last_id(), id + 2);
	bridge_close(&other);
}

static void test_owner_goes(void **state)
{
	struct vhb_device_list list;

	(void)state;
	assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL), 0);
	assert_int_equal(vhb_device_list_read(&list), 0);
	assert_false(last_of(&list)->has_owner);
	assert_true(last_of(&list)->features == 0);
	vhb_device_list_free(&list);
}

static void test_vrings(void **state)
{
	const struct vhb_device_info *device;
	struct vhost_bridge_vring_status status;
	struct vhb_device_list list;
	struct echo echo;
	unsigned int i;

	(void)state;
	bridge_add_queue(&bridge, 2, RING_ENTRIES / 2, TABLE_DESCS);
	echo_init(&echo, &bridge, 2, 7);
	for (i = 0; i < 100; i++)
		echo_burst(&echo, 1 + i % 20, VQ_DIRECT);
	echo_works(&bridge, 0);
	assert_int_equal(bridge_stop(&bridge, 0), 0);
	/* Whoever has a chain back may be faster than the worker's books. */
	usleep(100000);

	assert_int_equal(vhb_device_list_read(&list), 0);
	device = last_of(&list);
	for (i = 0; i < LOOP_VRINGS; i++) {
		struct vhb_vring_info *vring = &device->vrings[i];

		bridge_status(&bridge, i, &status);
		vring->status.size_bytes = sizeof(status);
		assert_memory_equal(&vring->status, &status, sizeof(status));
	}
	assert_int_equal(device->vrings[0].num, RING_ENTRIES);
	assert_int_equal(device->vrings[0].status.state,
			 VHOST_BRIDGE_VRING_STOPPED);
	assert_int_equal(device->vrings[0].status.drain_count, 1);
	assert_int_equal(device->vrings[1].num, 0);
	assert_int_equal(device->vrings[2].num, RING_ENTRIES / 2);
	assert_int_equal(device->vrings[2].status.state,
			 VHOST_BRIDGE_VRING_RUNNING);
	assert_int_equal(device->vrings[2].status.chain_count,
			 echo.sent_count);
	assert_int_equal(device->vrings[2].status.read_bytes, echo.byte_count);
	vhb_device_list_free(&list);
}

/* A dump of several parts */
static void test_many_devices(void **state)
{
	struct bridge others[MANY_DEVICES];
	struct vhb_device_list list;
	unsigned int i;

	(void)state;
	for (i = 0; i < MANY_DEVICES; i++) {
		others[i] = (struct bridge){ .fd = -1 };
		bridge_open_device(&others[i], "loop");
	}
	assert_int_equal(vhb_device_list_read(&list), 0);
	assert_true(list.count > MANY_DEVICES);
	for (i = 0; i < MANY_DEVICES; i++) {
		const struct vhb_device_info *device =
			&list.devices[list.count - MANY_DEVICES + i];
		unsigned int j;

		assert_int_equal(device->id, last_of(&list)->id -
			(MANY_DEVICES - 1 - i));
		assert_int_equal(device->vring_count, LOOP_VRINGS);
		for (j = 0; j < LOOP_VRINGS; j++)
			assert_int_equal(device->vrings[j].status.index, j);
	}
	vhb_device_list_free(&list);
	for (i = 0; i < MANY_DEVICES; i++)
		bridge_close(&others[i]);
}

static int count_message(const struct nlmsghdr *header, void *argument)
{
	(void)header;
	(*(unsigned int *)argument)++;
	return MNL_CB_OK;
}

/**
 * struct question - a request
 * @command: of the family
 * @flags: NLM_F_DUMP or none
 * @id: device, 0 for none
 * @index: vring, -1 for none
 */
struct question {
	uint8_t command;
	uint16_t flags;
	uint32_t id;
	int index;
};

/* Returns the number of answers, or -errno. */
static int ask(const struct question *question)
{
	union vhb_genl_request request;
	unsigned int count = 0;
	struct vhb_genl genl;
	int ret;

	assert_int_equal(vhb_genl_open(&genl, VHOST_BRIDGE_GENL_NAME), 0);
	vhb_genl_begin(&genl, &request, question->command, question->flags);
	if (question->id)
		mnl_attr_put_u32(&request.header, VHOST_BRIDGE_ATTR_DEVICE_ID,
				 question->id);
	if (question->index >= 0)
		mnl_attr_put_u32(&request.header,
				 VHOST_BRIDGE_ATTR_VRING_INDEX,
				 question->index);
	ret = vhb_genl_ask(&genl, &request, count_message, &count);
	vhb_genl_close(&genl);
	return ret ? ret : (int)count;
}

#define assert_answers(wanted, ...) \
	assert_int_equal(ask(&(const struct question){ __VA_ARGS__ }), wanted)

static void test_questions(void **state)
{
	const uint8_t get_device = VHOST_BRIDGE_CMD_GET_DEVICE;
	const uint8_t get_vring = VHOST_BRIDGE_CMD_GET_VRING;
	const uint32_t id = last_id();

	(void)state;
	assert_answers(1, get_device, 0, id, -1);
	assert_answers(1, get_vring, 0, id, 0);
	assert_answers(1, get_vring, 0, id, LOOP_VRINGS - 1);
	assert_answers(LOOP_VRINGS, get_vring, NLM_F_DUMP, id, -1);

	assert_answers(-EINVAL, get_device, 0, 0, -1);
	assert_answers(-ENODEV, get_device, 0, id + 1, -1);
	assert_answers(-ENODEV, get_device, 0, UINT32_MAX, -1);
	assert_answers(-EINVAL, get_vring, 0, 0, -1);
	assert_answers(-EINVAL, get_vring, 0, 0, 1);
	assert_answers(-EINVAL, get_vring, 0, id, -1);
	assert_answers(-ENODEV, get_vring, 0, id + 1, 0);
	assert_answers(-ENOBUFS, get_vring, 0, id, LOOP_VRINGS);
	assert_answers(-ENOBUFS, get_vring, 0, id, INT32_MAX);
	assert_answers(-ENODEV, get_vring, NLM_F_DUMP, id + 1, -1);
	assert_answers(-EOPNOTSUPP, VHOST_BRIDGE_CMD_VRING_EVENT, 0, id, 0);
	assert_answers(-EOPNOTSUPP, 77, 0, id, -1);
}

static void test_malformed_questions(void **state)
{
	union vhb_genl_request request;
	unsigned int count = 0;
	struct vhb_genl genl;

	(void)state;
	assert_int_equal(vhb_genl_open(&genl, VHOST_BRIDGE_GENL_NAME), 0);
	vhb_genl_begin(&genl, &request, VHOST_BRIDGE_CMD_GET_DEVICE, 0);
	mnl_attr_put_u8(&request.header, VHOST_BRIDGE_ATTR_DEVICE_ID, 1);
	assert_true(vhb_genl_ask(&genl, &request, count_message, &count) < 0);

	vhb_genl_begin(&genl, &request, VHOST_BRIDGE_CMD_GET_DEVICE, 0);
	mnl_attr_put_u32(&request.header, VHOST_BRIDGE_ATTR_FEATURES, 1);
	assert_int_equal(vhb_genl_ask(&genl, &request, count_message, &count),
			 -EINVAL);

	vhb_genl_begin(&genl, &request, VHOST_BRIDGE_CMD_GET_VRING, NLM_F_DUMP);
	mnl_attr_put_u32(&request.header, 1000, 1);
	assert_int_equal(vhb_genl_ask(&genl, &request, count_message, &count),
			 -EINVAL);
	assert_int_equal(count, 0);
	vhb_genl_close(&genl);
}

/**
 * struct events - what was heard
 * @events: the events
 * @count: how many
 */
struct events {
	struct vhb_vring_event events[EVENTS_MAX];
	unsigned int count;
};

static void on_event(void *argument, const struct vhb_vring_event *event)
{
	struct events *events = argument;

	assert_true(events->count < EVENTS_MAX);
	events->events[events->count++] = *event;
}

static void hear(struct events *events, unsigned int count)
{
	const struct timeval limit = { BRIDGE_WAIT_MS / 1000, 0 };

	events->count = 0;
	assert_int_equal(setsockopt(mnl_socket_get_fd(listener.socket),
				    SOL_SOCKET, SO_RCVTIMEO, &limit,
				    sizeof(limit)), 0);
	while (events->count < count)
		assert_int_equal(vhb_vring_events_wait(&listener, on_event,
						       events), 0);
	assert_int_equal(events->count, count);
}

static void assert_event(const struct vhb_vring_event *event, uint32_t id,
			 uint32_t index, enum vhost_bridge_vring_state state,
			 enum vhost_bridge_fault fault)
{
	assert_int_equal(event->device_id, id);
	assert_string_equal(event->type, "loop");
	assert_int_equal(event->index, index);
	assert_int_equal(event->state, state);
	assert_int_equal(event->fault, fault);
}

static void test_events(void **state)
{
	const uint32_t id = last_id();
	struct events events;

	(void)state;
	bridge_add_queue(&bridge, 3, RING_ENTRIES, TABLE_DESCS);
	hear(&events, 1);
	assert_event(&events.events[0], id, 3, VHOST_BRIDGE_VRING_RUNNING,
		     VHOST_BRIDGE_FAULT_NONE);

	/* Work is no news. */
	echo_works(&bridge, 3);
	assert_int_equal(bridge_stop(&bridge, 3), 0);
	hear(&events, 2);
	assert_event(&events.events[0], id, 3, VHOST_BRIDGE_VRING_DRAINING,
		     VHOST_BRIDGE_FAULT_NONE);
	assert_event(&events.events[1], id, 3, VHOST_BRIDGE_VRING_STOPPED,
		     VHOST_BRIDGE_FAULT_NONE);
}

static void test_event_of_broken_vring(void **state)
{
	struct bridge_queue *queue = &bridge.queues[0];
	const uint32_t id = last_id();
	struct events events;

	(void)state;
	vq_driver_offer_head(&queue->driver, RING_ENTRIES);
	bridge_kick_always(queue);
	hear(&events, 1);
	assert_event(&events.events[0], id, 0, VHOST_BRIDGE_VRING_BROKEN,
		     VHOST_BRIDGE_FAULT_HEAD);
	/* All that runs is stopped when the owner goes. */
	assert_int_equal(bridge_call(&bridge, VHOST_RESET_OWNER, NULL), 0);
	hear(&events, 2);
	assert_int_equal(events.events[0].state, VHOST_BRIDGE_VRING_DRAINING);
	assert_int_equal(events.events[1].state, VHOST_BRIDGE_VRING_STOPPED);
}

/* Who does not listen is told so, and the device does not care. */
static void test_lost_events(void **state)
{
	const int size_bytes = 1;
	struct events events;
	unsigned int i;
	int ret;

	(void)state;
	assert_int_equal(setsockopt(mnl_socket_get_fd(listener.socket),
				    SOL_SOCKET, SO_RCVBUF, &size_bytes,
				    sizeof(size_bytes)), 0);
	for (i = 0; i < 100; i++) {
		assert_int_equal(bridge_stop(&bridge, 0), 0);
		assert_int_equal(bridge_start(&bridge, 0), 0);
	}
	echo_works(&bridge, 0);
	do {
		events.count = 0;
		ret = vhb_vring_events_wait(&listener, on_event, &events);
	} while (!ret);
	assert_int_equal(ret, -ENOBUFS);
}

/* Run @function in a child; what it returns must be 0. */
static void in_child(int (*function)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child)
		_exit(function());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int ask_as_nobody(void)
{
	struct vhb_device_list list;
	struct vhb_genl genl;

	if (setuid(NOBODY))
		return 1;
	if (vhb_device_list_read(&list) != -EPERM)
		return 2;
	return vhb_vring_events_open(&genl) == -EPERM ? 0 : 3;
}

/* Root of a user namespace of one's own is not enough. */
static int ask_as_root_of_nothing(void)
{
	struct vhb_device_list list;
	struct vhb_genl genl;

	if (unshare(CLONE_NEWUSER))
		return 1;
	if (vhb_device_list_read(&list) != -EPERM)
		return 2;
	return vhb_vring_events_open(&genl) == -EPERM ? 0 : 3;
}

static void test_without_permission(void **state)
{
	(void)state;
	in_child(ask_as_nobody);
	in_child(ask_as_root_of_nothing);
}

static int ask_elsewhere(void)
{
	struct vhb_device_list list;

	if (unshare(CLONE_NEWNET))
		return 1;
	return vhb_device_list_read(&list) == -ENOENT ? 0 : 2;
}

static void test_another_network_namespace(void **state)
{
	(void)state;
	in_child(ask_elsewhere);
}

/* A page that nobody fills in: who touches it hangs. */
static void *hang;
static int hang_fd;

static void make_hang(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range;

	hang = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(hang, MAP_FAILED);
	hang_fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	assert_true(hang_fd >= 0);
	assert_int_equal(ioctl(hang_fd, UFFDIO_API, &api), 0);
	range = (struct uffdio_register){
		.range = { (uintptr_t)hang, PAGE_BYTES },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	assert_int_equal(ioctl(hang_fd, UFFDIO_REGISTER, &range), 0);
}

static void wait_for_hang(void)
{
	struct uffd_msg message;
	unsigned int tries;

	for (tries = 0; tries < BRIDGE_WAIT_MS; tries++) {
		if (read(hang_fd, &message, sizeof(message)) ==
		    sizeof(message))
			return;
		usleep(1000);
	}
	fail_msg("nobody touches the page");
}

static void end_hang(void)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)hang, PAGE_BYTES },
	};

	assert_int_equal(ioctl(hang_fd, UFFDIO_ZEROPAGE, &zero), 0);
}

/* With the device's lock held it reads its argument. */
static void *call_and_hang(void *argument)
{
	*(int *)argument = bridge_call(&bridge, VHOST_SET_FEATURES, hang);
	return NULL;
}

static void test_busy_device_is_shown(void **state)
{
	struct vhb_device_list list;
	pthread_t thread;
	int result = 1;
	int ret;

	(void)state;
	make_hang();
	assert_int_equal(pthread_create(&thread, NULL, call_and_hang, &result),
			 0);
	wait_for_hang();
	ret = vhb_device_list_read(&list);
	end_hang();
	pthread_join(thread, NULL);
	close(hang_fd);
	munmap(hang, PAGE_BYTES);

	assert_int_equal(ret, 0);
	assert_string_equal(last_of(&list)->type, "loop");
	vhb_device_list_free(&list);
	/* It runs, and there were other features. */
	assert_int_equal(result, -EBUSY);
}

static void test_unloading_ends_it(void **state)
{
	struct vhb_device_list list;
	struct events events = { .count = 0 };
	struct vhb_genl genl;
	int ret;

	(void)state;
	assert_int_equal(vhb_vring_events_open(&genl), 0);
	assert_int_equal(module_unload(), 0);
	do
		ret = vhb_vring_events_wait(&genl, on_event, &events);
	while (!ret);
	assert_int_equal(ret, -ENOENT);
	assert_int_equal(vhb_device_list_read(&list), -ENOENT);
	vhb_genl_close(&genl);
	assert_int_equal(module_load(), 0);
	assert_int_equal(vhb_device_list_read(&list), 0);
	assert_int_equal(list.count, 0);
	vhb_device_list_free(&list);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_device),
		TEST(test_owner_goes),
		TEST(test_vrings),
		TEST(test_many_devices),
		TEST(test_questions),
		TEST(test_malformed_questions),
		TEST(test_events),
		TEST(test_event_of_broken_vring),
		TEST(test_lost_events),
		TEST(test_without_permission),
		TEST(test_another_network_namespace),
		TEST(test_busy_device_is_shown),
		cmocka_unit_test(test_unloading_ends_it),
	};
	int ret;

	module_need();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	module_restore();
	return ret;
}
