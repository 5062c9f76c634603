// SPDX-License-Identifier: GPL-2.0-or-later
/* What the block device makes of the module's news, on a made-up module. */
#include "blk/fake_bridge.h"

#include <stdio.h>

#define COMMANDS_MAX 16
/* Just an address: nothing of it is looked at. */
#define LOOP ((struct vhb_loop *)&commands)

/* Commands that were given, in order; tests answer them. */
static struct fake_command {
	int fd;
	uint32_t operation;
	struct vhost_bridge_uring area;
	vhb_command_fn function;
	void *argument;
	struct vhb_watch_ref *ref;
} commands[COMMANDS_MAX];
static unsigned int command_count;
static int command_error;

static struct {
	unsigned int drained_count, broken_count, config_count;
	unsigned int index;
	char fault[16];
} heard;

int __wrap_vhb_loop_command(struct vhb_loop *loop, int fd, uint32_t operation,
			    const void *area, vhb_command_fn function,
			    void *argument, struct vhb_watch_ref *ref);
void __wrap_vhb_loop_forget(struct vhb_loop *loop, struct vhb_watch_ref *ref);

int __wrap_vhb_loop_command(struct vhb_loop *loop, int fd, uint32_t operation,
			    const void *area, vhb_command_fn function,
			    void *argument, struct vhb_watch_ref *ref)
{
	struct fake_command *command = &commands[command_count];

	assert_ptr_equal(loop, LOOP);
	if (command_error)
		return command_error;
	assert_true(command_count < COMMANDS_MAX);
	*command = (struct fake_command){
		fd, operation, { 0 }, function, argument, ref,
	};
	memcpy(&command->area, area, sizeof(command->area));
	ref->value = ++command_count;
	return 0;
}

void __wrap_vhb_loop_forget(struct vhb_loop *loop, struct vhb_watch_ref *ref)
{
	assert_ptr_equal(loop, LOOP);
	if (ref->value)
		commands[ref->value - 1].function = NULL;
	ref->value = 0;
}

static void answer(unsigned int number, int result)
{
	struct fake_command command = commands[number];

	assert_true(number < command_count);
	commands[number].function = NULL;
	assert_non_null(command.function);
	command.function(command.argument, result);
}

static bool is_pending(unsigned int number, uint32_t operation)
{
	return number < command_count && commands[number].function &&
	       commands[number].operation == operation;
}

static void on_drained(void *argument, unsigned int index)
{
	assert_ptr_equal(argument, &heard);
	heard.drained_count++;
	heard.index = index;
}

static void on_broken(void *argument, unsigned int index, const char *fault)
{
	assert_ptr_equal(argument, &heard);
	heard.broken_count++;
	heard.index = index;
	snprintf(heard.fault, sizeof(heard.fault), "%s", fault);
}

static void on_config(void *argument)
{
	assert_ptr_equal(argument, &heard);
	heard.config_count++;
}

static const struct vhb_kdev_listener listener = {
	.on_drained = on_drained,
	.on_broken = on_broken,
	.on_config = on_config,
	.argument = &heard,
};

static int setup_events(void **state)
{
	memset(&heard, 0, sizeof(heard));
	memset(commands, 0, sizeof(commands));
	command_count = 0;
	command_error = 0;
	return setup(state);
}

/* A device with a listener and vrings that run */
static struct vhb_kdev *make_running(unsigned int queues)
{
	struct vhb_kdev *kdev = make_blk(queues);
	unsigned int i;

	kdev->ops->listen(kdev, LOOP, &listener);
	prepare(kdev);
	for (i = 0; i < queues; i++) {
		assert_int_equal(kdev->ops->set_vring_num(kdev, i, 256), 0);
		assert_int_equal(kdev->ops->start_vring(kdev, i), 0);
	}
	return kdev;
}

static int event(enum vhost_bridge_event_kind kind, unsigned int index)
{
	return kind | index << 8;
}

static void test_one_command_waits_for_news(void **state)
{
	struct vhb_kdev *kdev = make_running(2);

	(void)state;
	assert_int_equal(command_count, 1);
	assert_true(is_pending(0, VHOST_BRIDGE_URING_EVENT));
	assert_int_equal(commands[0].fd, vhb_blk_of(kdev)->vhost_fd);
	assert_int_equal(commands[0].area.index, 0);
	assert_int_equal(commands[0].area.flags, 0);
	/* From one session to the next */
	kdev->ops->listen(kdev, LOOP, NULL);
	kdev->ops->reset(kdev);
	kdev->ops->listen(kdev, LOOP, &listener);
	prepare(kdev);
	assert_int_equal(command_count, 1);
	kdev->ops->destroy(kdev);
	assert_null(commands[0].function);
}

static void test_nothing_without_a_listener(void **state)
{
	struct vhb_kdev *kdev = make_blk(1);

	(void)state;
	prepare(kdev);
	assert_int_equal(command_count, 0);
	assert_int_equal(kdev->ops->drain_vring(kdev, 0), -EOPNOTSUPP);
	kdev->ops->destroy(kdev);
}

static void test_config_change(void **state)
{
	struct vhb_kdev *kdev = make_running(1);

	(void)state;
	answer(0, event(VHOST_BRIDGE_EVENT_CONFIG, 0));
	assert_int_equal(heard.config_count, 1);
	assert_true(is_pending(1, VHOST_BRIDGE_URING_EVENT));
	/* Nobody hears, but it is waited for. */
	kdev->ops->listen(kdev, LOOP, NULL);
	answer(1, event(VHOST_BRIDGE_EVENT_CONFIG, 0));
	assert_int_equal(heard.config_count, 1);
	assert_true(is_pending(2, VHOST_BRIDGE_URING_EVENT));
	kdev->ops->destroy(kdev);
}

static void test_broken_vring(void **state)
{
	struct vhb_kdev *kdev = make_running(2);
	struct fake_vring *vring = &bridge_of(kdev)->vrings[1];

	(void)state;
	vring->fault = VHOST_BRIDGE_FAULT_HEAD;
	answer(0, event(VHOST_BRIDGE_EVENT_VRING_BROKEN, 1));
	assert_int_equal(heard.broken_count, 1);
	assert_int_equal(heard.index, 1);
	assert_string_equal(heard.fault, "head");
	assert_true(is_pending(1, VHOST_BRIDGE_URING_EVENT));
	/* Of one that is not broken any more, or that the front-end cannot have */
	answer(1, event(VHOST_BRIDGE_EVENT_VRING_BROKEN, 0));
	answer(2, event(VHOST_BRIDGE_EVENT_VRING_BROKEN, 2));
	answer(3, event(VHOST_BRIDGE_EVENT_VRING_BROKEN, 255));
	assert_int_equal(heard.broken_count, 1);
	kdev->ops->destroy(kdev);
}

static void test_unknown_news(void **state)
{
	struct vhb_kdev *kdev = make_running(1);

	(void)state;
	answer(0, event(VHOST_BRIDGE_EVENT_CALL, 0));
	answer(1, event(77, 0));
	assert_true(is_pending(2, VHOST_BRIDGE_URING_EVENT));
	assert_int_equal(heard.broken_count + heard.config_count, 0);
	kdev->ops->destroy(kdev);
}

/* A module that refuses is not asked again and again. */
static void test_refused_until_owned_again(void **state)
{
	struct vhb_kdev *kdev = make_running(1);

	(void)state;
	answer(0, -EPERM);
	assert_int_equal(command_count, 1);
	kdev->ops->reset(kdev);
	prepare(kdev);
	assert_int_equal(command_count, 2);
	assert_true(is_pending(1, VHOST_BRIDGE_URING_EVENT));
	kdev->ops->destroy(kdev);
}

static void test_device_opened_anew_is_heard(void **state)
{
	struct vhb_kdev *kdev = make_running(1);

	(void)state;
	fail_next(VHOST_RESET_OWNER, 1, -EIO);
	kdev->ops->reset(kdev);
	assert_null(commands[0].function);
	forget_descriptors();
	prepare(kdev);
	assert_true(is_pending(1, VHOST_BRIDGE_URING_EVENT));
	assert_int_equal(commands[1].fd, vhb_blk_of(kdev)->vhost_fd);
	kdev->ops->destroy(kdev);
}

static void test_drain(void **state)
{
	struct vhb_kdev *kdev = make_running(3);
	uint32_t base = 0;

	(void)state;
	assert_int_equal(kdev->ops->drain_vring(kdev, 2), 0);
	assert_true(is_pending(1, VHOST_BRIDGE_URING_DRAIN));
	assert_int_equal(commands[1].area.flags, VHOST_BRIDGE_VRING_GIVE_UP);
	assert_int_equal(commands[1].area.index, 2);
	assert_int_equal(kdev->ops->drain_vring(kdev, 2), -EBUSY);
	assert_int_equal(kdev->ops->drain_vring(kdev, 0), 0);
	assert_int_equal(heard.drained_count, 0);

	bridge_of(kdev)->vrings[2].is_running = false;
	bridge_of(kdev)->vrings[2].base = 99;
	answer(1, 0);
	assert_int_equal(heard.drained_count, 1);
	assert_int_equal(heard.index, 2);
	assert_int_equal(kdev->ops->stop_vring(kdev, 2, &base), 0);
	assert_int_equal(base, 99);
	/* Whatever went wrong, the stop that follows settles it. */
	answer(2, -EINTR);
	assert_int_equal(heard.drained_count, 2);
	assert_true(bridge_of(kdev)->vrings[0].is_running);
	assert_int_equal(kdev->ops->stop_vring(kdev, 0, &base), 0);
	assert_false(bridge_of(kdev)->vrings[0].is_running);
	kdev->ops->destroy(kdev);
}

static void test_drain_that_cannot_be_submitted(void **state)
{
	struct vhb_kdev *kdev = make_running(1);

	(void)state;
	command_error = -ENOMEM;
	assert_int_equal(kdev->ops->drain_vring(kdev, 0), -ENOMEM);
	command_error = 0;
	assert_int_equal(kdev->ops->drain_vring(kdev, 0), 0);
	kdev->ops->destroy(kdev);
}

/* A late answer must not be taken for one of the next session. */
static void test_reset_forgets_drains(void **state)
{
	struct vhb_kdev *kdev = make_running(1);

	(void)state;
	assert_int_equal(kdev->ops->drain_vring(kdev, 0), 0);
	kdev->ops->listen(kdev, LOOP, NULL);
	kdev->ops->reset(kdev);
	assert_null(commands[1].function);
	assert_true(is_pending(0, VHOST_BRIDGE_URING_EVENT));
	kdev->ops->destroy(kdev);
}

/* Otherwise the module would wake us for each of them. */
static void test_calls_nobody_wants_go_to_an_eventfd(void **state)
{
	struct vhb_kdev *kdev = make_running(1);
	struct fake_vring *vring = &bridge_of(kdev)->vrings[0];

	(void)state;
	assert_int_equal(kdev->ops->set_vring_call(kdev, 0, 321), 0);
	assert_int_equal(vring->call_fd, 321);
	assert_int_equal(kdev->ops->set_vring_call(kdev, 0, -1), 0);
	assert_true(vring->call_fd >= 0 && vring->call_fd != 321);
	assert_true(is_open(vring->call_fd));
	kdev->ops->destroy(kdev);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, setup_events, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_command_waits_for_news),
		TEST(test_nothing_without_a_listener),
		TEST(test_config_change),
		TEST(test_broken_vring),
		TEST(test_unknown_news),
		TEST(test_refused_until_owned_again),
		TEST(test_device_opened_anew_is_heard),
		TEST(test_drain),
		TEST(test_drain_that_cannot_be_submitted),
		TEST(test_reset_forgets_drains),
		TEST(test_calls_nobody_wants_go_to_an_eventfd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
